/*
 * Command lines in HMP's words as requests of QMP.
 *
 * What is not known here goes through human-monitor-command, so that every
 * command of the peer can be used.
 */
#include "ctl_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words on their way to a request. */
struct line {
    int n;              /* words */
    char *const *words; /* of the command */
    bool wants_json;    /* objects, not text */
};

static bool wrong_use(const char *command, const char *what)
{
    fprintf(stderr, "godwit ctl: %s: %s\n", command, what);
    return false;
}

/* The options of migrate; the number of words up to the URI, or -1. */
static int migrate_options(struct ctl_request *request, const struct line *line,
                           bool *ret_detached, bool *ret_resumes)
{
    int i;

    for (i = 1; i < line->n && line->words[i][0] == '-'; i++) {
        if (strcmp(line->words[i], "-d") == 0) {
            *ret_detached = true;
        } else if (strcmp(line->words[i], "-r") == 0) {
            *ret_resumes = true;
        } else if (strcmp(line->words[i], "--dry-run") == 0) {
            request->is_dry = true;
        } else if (strcmp(line->words[i], "--may-pause") == 0) {
            request->may_pause = true;
        } else if (strcmp(line->words[i], "--with") == 0 && i + 1 < line->n) {
            free(request->with);
            request->with = strdup(line->words[++i]);
        } else {
            wrong_use("migrate", "unknown option; -d, -r, --dry-run, "
                                 "--with DESTINATION and --may-pause are "
                                 "known");
            return -1;
        }
    }
    return i;
}

static bool migrate(struct ctl_request *request, const struct line *line)
{
    bool is_detached = false;
    bool resumes = false;
    int i = migrate_options(request, line, &is_detached, &resumes);

    if (i < 0) {
        return false;
    }
    if (i + 1 != line->n) {
        return wrong_use("migrate", "one URI is expected");
    }
    if (request->with && !request->is_dry) {
        return wrong_use("migrate", "--with goes with --dry-run");
    }
    if (request->may_pause && !request->with) {
        return wrong_use("migrate", "--may-pause goes with --with");
    }
    request->waits = !is_detached && !request->is_dry;
    request->object = json_pack("{s:s, s:{s:s}}", "execute",
                                request->is_dry ? "x-migrate-check" : "migrate",
                                "arguments", "uri", line->words[i]);
    if (resumes && request->object) {
        json_object_set_new(json_object_get(request->object, "arguments"),
                            "resume", json_true());
    }
    return true;
}

static bool migrate_incoming(struct ctl_request *request,
                             const struct line *line)
{
    if (line->n != 2) {
        return wrong_use("migrate_incoming", "one URI is expected");
    }
    request->object =
        json_pack("{s:s, s:{s:s, s:b}}", "execute", "migrate-incoming",
                  "arguments", "uri", line->words[1], "exit-on-error", 0);
    return true;
}

static bool migrate_continue(struct ctl_request *request,
                             const struct line *line)
{
    if (line->n != 2) {
        return wrong_use("migrate_continue", "one state is expected");
    }
    request->object = json_pack("{s:s, s:{s:s}}", "execute", "migrate-continue",
                                "arguments", "state", line->words[1]);
    return true;
}

static bool set_capability(struct ctl_request *request, const struct line *line)
{
    bool is_on = line->n == 3 && strcmp(line->words[2], "on") == 0;

    if (!is_on && (line->n != 3 || strcmp(line->words[2], "off") != 0)) {
        return wrong_use("migrate_set_capability",
                         "a capability and 'on' or 'off' are expected");
    }
    request->object =
        json_pack("{s:s, s:{s:[{s:s, s:b}]}}", "execute",
                  "migrate-set-capabilities", "arguments", "capabilities",
                  "capability", line->words[1], "state", (int)is_on);
    return true;
}

/* Commands without arguments, and queries that JSON is wanted of. */
static const struct simple {
    const char *line;    /* as typed */
    const char *command; /* QMP's */
    bool is_query;       /* the text of HMP is nicer to read */
} simple_commands[] = {
    {"stop", "stop", false},
    {"s", "stop", false},
    {"cont", "cont", false},
    {"c", "cont", false},
    {"quit", "quit", false},
    {"q", "quit", false},
    {"migrate_cancel", "migrate_cancel", false},
    {"info status", "query-status", true},
    {"info version", "query-version", true},
    {"info migrate", "query-migrate", true},
    {"info migrate_capabilities", "query-migrate-capabilities", true},
    {"info migrate_parameters", "query-migrate-parameters", true},
};

static const struct {
    const char *name;
    bool (*make)(struct ctl_request *request, const struct line *line);
} commands[] = {
    {"migrate", migrate},
    {"migrate_continue", migrate_continue},
    {"migrate_incoming", migrate_incoming},
    {"migrate_set_capability", set_capability},
};

/* A word of an HMP line: quoted if it would not be one otherwise. */
static void put_word(FILE *to, const char *word)
{
    if (*word && !strpbrk(word, " \t\n\r\"\\")) {
        fputs(word, to);
        return;
    }
    fputc('"', to);
    for (; *word; word++) {
        if (*word == '"' || *word == '\\') {
            fputc('\\', to);
        }
        fputc(*word, to);
    }
    fputc('"', to);
}

/* All words as one line; a single word is a line already. malloc'ed. */
static char *join(const struct line *line, bool quotes)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    int i;

    if (!to) {
        return NULL;
    }
    for (i = 0; i < line->n; i++) {
        if (i) {
            fputc(' ', to);
        }
        if (quotes && line->n > 1) {
            put_word(to, line->words[i]);
        } else {
            fputs(line->words[i], to);
        }
    }
    return fclose(to) == 0 ? text : NULL;
}

static bool make_simple(struct ctl_request *request, const struct line *line,
                        const char *text)
{
    size_t i;

    for (i = 0; i < sizeof(simple_commands) / sizeof(simple_commands[0]); i++) {
        const struct simple *simple = &simple_commands[i];

        if (strcmp(simple->line, text) == 0 &&
            (line->wants_json || !simple->is_query)) {
            request->object = json_pack("{s:s}", "execute", simple->command);
            return true;
        }
    }
    return false;
}

static bool make(struct ctl_request *request, const struct line *line,
                 char *text)
{
    size_t i;

    if (make_simple(request, line, text)) {
        return true;
    }
    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, line->words[0]) == 0) {
            return commands[i].make(request, line);
        }
    }
    request->is_human = true;
    request->object =
        json_pack("{s:s, s:{s:s}}", "execute", "human-monitor-command",
                  "arguments", "command-line", text);
    return true;
}

/* Splits a line that was given as one word; the words point into `text`. */
static int split(char *text, char **words, int max)
{
    char *rest = text;
    char *word;
    int n = 0;

    while (n < max && (word = strtok_r(rest, " \t\n", &rest))) {
        words[n++] = word;
    }
    return n;
}

/* Half an object would be waited for for ever. */
static bool check_json(const char *text)
{
    json_error_t error;
    json_t *object = text ? json_loads(text, 0, &error) : NULL;

    if (!object) {
        return wrong_use("not a JSON object", text ? error.text : "");
    }
    json_decref(object);
    return true;
}

bool ctl_request_make(struct ctl_request *request, int n_words,
                      char *const *words, bool wants_json)
{
    struct line line = {n_words, words, wants_json};
    char *pieces[64];
    char *text;
    char *copy = NULL;
    bool good;

    *request = (struct ctl_request){0};
    if (words[0][0] == '{') {
        request->text = join(&line, false);
        return check_json(request->text);
    }
    text = join(&line, true);
    if (text && n_words == 1) {
        copy = strdup(text);
        line.n = copy ? split(copy, pieces, 64) : 0;
        line.words = pieces;
    }
    good = text && line.n > 0 && make(request, &line, text);
    if (good && !request->object) {
        good = wrong_use(line.words[0], "an argument is not valid UTF-8");
    }
    if (text && line.n == 0) {
        good = wrong_use("usage", "a command is expected");
    }
    free(copy);
    free(text);
    return good;
}

void ctl_request_deinit(struct ctl_request *request)
{
    free(request->with);
    json_decref(request->object);
    free(request->text);
    *request = (struct ctl_request){0};
}

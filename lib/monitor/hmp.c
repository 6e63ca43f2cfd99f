/*
 * HMP: the table of commands, and how a line becomes one of them.
 *
 * Texts follow QEMU 10.0, observed: programs read them.
 */
#include "monitor/hmp.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "monitor/added.h"
#include "monitor/control.h"
#include "monitor/hmp_args.h"

struct command {
    const char *name;    /* with its short form: "stop|s" */
    const char *options; /* letters */
    const char *params;  /* one letter each: s string, ? optional string,
                            b "on" or "off" */
    const char *usage;   /* the parameters for people */
    const char *help;    /* what it does */
    void (*run)(struct gw_hmp *hmp, const struct gw_hmp_args *args);
};

static const struct command *find_command(const char *name, bool is_info);
static void list_commands(struct gw_hmp *hmp, bool is_info);

void gw_hmp_print_error(struct gw_hmp *hmp, struct gw_error *error)
{
    if (error) {
        gw_buffer_printf(hmp->out, "Error: %s\n", gw_error_text(error));
        gw_error_free(error);
    }
}

static void stop(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_error *error = NULL;

    (void)args;
    if (gw_machine_stop(hmp->control->machine, &error) < 0) {
        gw_hmp_print_error(hmp, error);
    }
}

static void cont(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_error *error = NULL;

    (void)args;
    if (gw_machine_cont(hmp->control->machine, &error) < 0) {
        gw_hmp_print_error(hmp, error);
    }
}

static void quit(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    (void)args;
    gw_control_quit(hmp->control);
}

static void getfd(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_error *error = NULL;

    if (gw_control_getfd(hmp->control, gw_hmp_word(args, 0), hmp->received_fd,
                         &error) < 0) {
        gw_hmp_print_error(hmp, error);
    }
}

static void closefd(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_error *error = NULL;

    if (gw_control_closefd(hmp->control, gw_hmp_word(args, 0), &error) < 0) {
        gw_hmp_print_error(hmp, error);
    }
}

static void info(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    (void)args;
    list_commands(hmp, true);
}

static void print_help(struct gw_hmp *hmp, const struct command *command,
                       bool is_info)
{
    gw_buffer_printf(hmp->out, "%s%s %s -- %s\n", is_info ? "info " : "",
                     command->name, command->usage, command->help);
}

static void print_added_help(struct gw_hmp *hmp,
                             const struct gw_command *command)
{
    gw_buffer_printf(hmp->out, "%s %s -- %s\n", command->hmp_name,
                     command->usage, command->help);
}

/* A command of the embedder's, or none. */
static void help_added(struct gw_hmp *hmp, const char *name, bool is_info)
{
    GW_AUTO_BUFFER struct gw_buffer full = {0};
    struct gw_added_command added;

    gw_buffer_printf(&full, "%s%s", is_info ? "info " : "", name);
    gw_buffer_put_u8(&full, '\0');
    if (!gw_buffer_ok(&full)) {
        return;
    }
    if (gw_added_find(hmp->control, (char *)full.data, true, &added)) {
        print_added_help(hmp, added.command);
    } else {
        gw_buffer_printf(hmp->out, "unknown command: '%s'\n",
                         (char *)full.data);
    }
}

static void help(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    const char *name = gw_hmp_word(args, 0);
    bool is_info = strcmp(name, "info") == 0;
    const struct command *command;

    if (!*name) {
        list_commands(hmp, false);
        return;
    }
    if (is_info && !*gw_hmp_word(args, 1)) {
        list_commands(hmp, true);
        return;
    }
    name = is_info ? gw_hmp_word(args, 1) : name;
    command = find_command(name, is_info);
    if (command) {
        print_help(hmp, command, is_info);
    } else {
        help_added(hmp, name, is_info);
    }
}

static const struct command commands[] = {
    {"closefd", "", "s", "closefd name",
     "close a file descriptor that getfd named", closefd},
    {"cont|c", "", "", "", "let the guest run", cont},
    {"getfd", "", "s", "getfd name",
     "name a file descriptor that comes with the command (SCM_RIGHTS)", getfd},
    {"help|?", "", "??", "[cmd]", "show the commands, or what one does", help},
    {"info", "", "", "[subcommand]", "show something about the machine", info},
    {"migrate", "dr", "s", "[-d] [-r] uri",
     "migrate to URI (-d: do not wait for the end;\n"
     "\t\t\t -r: resume a paused postcopy migration)",
     gw_hmp_migrate},
    {"migrate_cancel", "", "", "", "cancel the outgoing migration",
     gw_hmp_migrate_cancel},
    {"migrate_continue", "", "s", "state",
     "continue a migration that waits in the given state",
     gw_hmp_migrate_continue},
    {"migrate_incoming", "", "s", "uri",
     "start the incoming migration that was deferred", gw_hmp_migrate_incoming},
    {"migrate_set_capability", "", "sb", "capability state",
     "switch a migration capability on or off", gw_hmp_set_capability},
    {"migrate_set_parameter", "", "ss", "parameter value",
     "set a migration parameter", gw_hmp_set_parameter},
    {"quit|q", "", "", "", "end the program", quit},
    {"stop|s", "", "", "", "stop the guest", stop},
};

static const struct command info_commands[] = {
    {"migrate", "", "", "", "show the state of the migration",
     gw_hmp_info_migrate},
    {"migrate_capabilities", "", "", "", "show the migration capabilities",
     gw_hmp_info_capabilities},
    {"migrate_parameters", "", "", "", "show the migration parameters",
     gw_hmp_info_parameters},
    {"status", "", "", "", "show whether the guest runs", gw_hmp_info_status},
    {"version", "", "", "", "show the version", gw_hmp_info_version},
};

static void list_commands(struct gw_hmp *hmp, bool is_info)
{
    const struct command *table = is_info ? info_commands : commands;
    size_t n = is_info ? GW_ARRAY_SIZE(info_commands) : GW_ARRAY_SIZE(commands);
    struct gw_added_command added;
    size_t i;

    for (i = 0; i < n; i++) {
        print_help(hmp, &table[i], is_info);
    }
    for (i = 0; gw_added_at(hmp->control, (unsigned int)i, &added); i++) {
        const char *name = added.command->hmp_name;

        if (name && (strncmp(name, "info ", 5) == 0) == is_info) {
            print_added_help(hmp, added.command);
        }
    }
}

/* Whether `name` is one of the names, which are separated by '|'. */
static bool has_name(const char *names, const char *name)
{
    size_t len = strlen(name);

    while (len) {
        size_t n = strcspn(names, "|");

        if (n == len && strncmp(names, name, n) == 0) {
            return true;
        }
        if (!names[n]) {
            break;
        }
        names += n + 1;
    }
    return false;
}

static const struct command *find_command(const char *name, bool is_info)
{
    const struct command *table = is_info ? info_commands : commands;
    size_t n = is_info ? GW_ARRAY_SIZE(info_commands) : GW_ARRAY_SIZE(commands);
    size_t i;

    for (i = 0; i < n; i++) {
        if (has_name(table[i].name, name)) {
            return &table[i];
        }
    }
    return NULL;
}

bool gw_hmp_has_command(const char *name)
{
    const bool is_info = strncmp(name, "info ", 5) == 0;

    return find_command(name + (is_info ? 5 : 0), is_info) != NULL;
}

/* The embedder's, of those that have a name in HMP. */
static const char *added_name(struct gw_control *control, unsigned int index)
{
    struct gw_added_command added;
    unsigned int i;

    for (i = 0; gw_added_at(control, i, &added); i++) {
        if (added.command->hmp_name && index-- == 0) {
            return added.command->hmp_name;
        }
    }
    return NULL;
}

const char *gw_hmp_command_name(struct gw_control *control, unsigned int index)
{
    static const char *const names[] = {
        "closefd",
        "cont",
        "getfd",
        "help",
        "info migrate",
        "info migrate_capabilities",
        "info migrate_parameters",
        "info status",
        "info version",
        "migrate",
        "migrate_cancel",
        "migrate_continue",
        "migrate_incoming",
        "migrate_set_capability",
        "migrate_set_parameter",
        "quit",
        "stop",
    };

    return index < GW_ARRAY_SIZE(names)
               ? names[index]
               : added_name(control, index - GW_ARRAY_SIZE(names));
}

/* Takes "-x" words that come first. */
static int parse_options(struct gw_hmp *hmp, const struct command *command,
                         const char **at, struct gw_hmp_args *args)
{
    const char *letters = command->options;

    while (*letters && !gw_hmp_at_end(at) && **at == '-') {
        char letter = (*at)[1];

        if (!letter || !strchr(letters, letter) ||
            gw_hmp_option(args, letter)) {
            gw_buffer_printf(hmp->out, "%s: unsupported option -%.1s\n",
                             command->name, *at + 1);
            return -EINVAL;
        }
        args->options[letter - 'a'] = true;
        *at += 2;
        if (**at && !isspace((unsigned char)**at) && **at != '-') {
            /* "-dr": only one letter may follow a minus. */
            gw_buffer_printf(hmp->out,
                             "%s: extraneous characters at the end of line\n",
                             command->name);
            return -EINVAL;
        }
    }
    return 0;
}

static int parse_params(struct gw_hmp *hmp, const struct command *command,
                        const char **at, struct gw_hmp_args *args)
{
    const char *param = command->params;
    size_t i;

    for (i = 0; param[i]; i++) {
        int r = gw_hmp_next_word(at, &args->words[i], hmp->out);

        if (param[i] == 'b' &&
            (r <= 0 || (strcmp(gw_hmp_word(args, i), "on") != 0 &&
                        strcmp(gw_hmp_word(args, i), "off") != 0))) {
            gw_buffer_printf(hmp->out, "Expected 'on' or 'off'\n");
            return -EINVAL;
        }
        if (r < 0 || (r == 0 && param[i] != '?')) {
            gw_buffer_printf(hmp->out, "%s: string expected\n", command->name);
            return -EINVAL;
        }
    }
    if (!gw_hmp_at_end(at)) {
        gw_buffer_printf(hmp->out,
                         "%s: extraneous characters at the end of line\n",
                         command->name);
        return -EINVAL;
    }
    return 0;
}

static void run_command(struct gw_hmp *hmp, const struct command *command,
                        const char *typed, const char *rest)
{
    struct gw_hmp_args args = {0};
    size_t i;

    if (parse_options(hmp, command, &rest, &args) < 0 ||
        parse_params(hmp, command, &rest, &args) < 0) {
        gw_buffer_printf(hmp->out, "Try \"help %s\" for more information\n",
                         typed);
    } else {
        command->run(hmp, &args);
    }
    for (i = 0; i < GW_HMP_ARGS_MAX; i++) {
        gw_buffer_deinit(&args.words[i]);
    }
}

/* The next run of characters that are not blank, NUL terminated. */
static void take_name(const char **at, struct gw_buffer *name)
{
    name->size = 0;
    gw_hmp_at_end(at);
    while (**at && !isspace((unsigned char)**at)) {
        gw_buffer_put_u8(name, (uint8_t) * (*at)++);
    }
    gw_buffer_put_u8(name, '\0');
}

void gw_hmp_run(struct gw_hmp *hmp, const char *line)
{
    GW_AUTO_BUFFER struct gw_buffer typed = {0};
    GW_AUTO_BUFFER struct gw_buffer sub = {0};
    const struct command *command;
    struct gw_added_command added;
    const char *rest;
    bool is_info;

    if (gw_hmp_at_end(&line)) {
        return;
    }
    take_name(&line, &typed);
    rest = line;
    take_name(&rest, &sub);
    if (!gw_buffer_ok(&typed) || !gw_buffer_ok(&sub)) {
        return;
    }
    is_info = strcmp((char *)typed.data, "info") == 0 && sub.data[0];
    if (is_info) {
        typed.size--;
        gw_buffer_printf(&typed, " %s", (char *)sub.data);
        gw_buffer_put_u8(&typed, '\0');
        line = rest;
    }
    if (!gw_buffer_ok(&typed)) {
        return;
    }
    command =
        find_command(is_info ? (char *)sub.data : (char *)typed.data, is_info);
    if (command) {
        run_command(hmp, command, (char *)typed.data, line);
    } else if (gw_added_find(hmp->control, (char *)typed.data, true, &added)) {
        gw_added_run_line(hmp, &added, line);
    } else {
        gw_buffer_printf(hmp->out, "unknown command: '%s'\n",
                         (char *)typed.data);
    }
}

char *gw_hmp_execute(struct gw_control *control, const char *line)
{
    struct gw_buffer out = {0};
    int no_fd = -1;
    struct gw_hmp hmp = {
        .control = control,
        .received_fd = &no_fd,
        .wait_fd = -1,
        .out = &out,
    };

    pthread_mutex_lock(&control->command_lock);
    gw_hmp_run(&hmp, line);
    pthread_mutex_unlock(&control->command_lock);
    gw_buffer_put_u8(&out, '\0');
    if (!gw_buffer_ok(&out)) {
        gw_buffer_deinit(&out);
        return NULL;
    }
    return (char *)out.data;
}

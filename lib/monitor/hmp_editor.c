/*
 * Line editing by libedit.
 */
#include "monitor/hmp_editor.h"

#include <histedit.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "migrate/settings.h"
#include "monitor/hmp.h"

enum {
    HISTORY_SIZE = 200
};

struct gw_hmp_editor {
    struct gw_monitor *monitor; /* who reads */
    char *prompt;               /* libedit wants it not const; owned */
    EditLine *edit;             /* owned */
    History *history;           /* owned */
    FILE *in;                   /* owned, of duplicates */
    FILE *out;                  /* owned */
    char *line;                 /* the latest one; owned */
};

static struct gw_hmp_editor *editor_of(EditLine *edit)
{
    void *data = NULL;

    el_get(edit, EL_CLIENTDATA, &data);
    return data;
}

static char *get_prompt(EditLine *edit)
{
    return editor_of(edit)->prompt;
}

/* All words that may be completed, one after the other. */
static const char *candidate(struct gw_control *control, unsigned int index)
{
    const struct gw_parameter_info *info;
    unsigned int n = 0;

    while (gw_hmp_command_name(control, n)) {
        n++;
    }
    if (index < n) {
        return gw_hmp_command_name(control, index);
    }
    index -= n;
    if (index < GW_CAP_COUNT) {
        return gw_capability_names[index];
    }
    info = gw_parameter_info_at(index - GW_CAP_COUNT);
    return info ? info->name : NULL;
}

/*
 * Where the word to be completed starts: capabilities and parameters follow a
 * command, which itself may be of two words.
 */
static size_t word_start(const char *line, size_t len, bool *ret_is_command)
{
    const char *const prefixes[] = {"migrate_set_capability ",
                                    "migrate_set_parameter "};
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(prefixes); i++) {
        size_t n = strlen(prefixes[i]);

        if (len >= n && strncmp(line, prefixes[i], n) == 0) {
            *ret_is_command = false;
            return n;
        }
    }
    *ret_is_command = true;
    return len >= 5 && strncmp(line, "help ", 5) == 0 ? 5 : 0;
}

/* Appends what all candidates have in common; a blank if there is one. */
static void complete(EditLine *edit)
{
    const LineInfo *info = el_line(edit);
    struct gw_control *control = editor_of(edit)->monitor->control;
    size_t len = (size_t)(info->cursor - info->buffer);
    bool is_command;
    size_t start = word_start(info->buffer, len, &is_command);
    const char *word = info->buffer + start;
    size_t word_len = len - start;
    char common[64] = "";
    unsigned int n_found = 0;
    const char *name;
    unsigned int i;

    for (i = 0; (name = candidate(control, i)); i++) {
        bool names_command = gw_hmp_command_name(control, i) != NULL;
        size_t same = 0;

        if (names_command != is_command || strncmp(name, word, word_len)) {
            continue;
        }
        if (n_found++ == 0) {
            snprintf(common, sizeof(common), "%s", name + word_len);
            continue;
        }
        while (common[same] && common[same] == name[word_len + same]) {
            same++;
        }
        common[same] = '\0';
    }
    if (*common) {
        el_insertstr(edit, common);
    }
    if (n_found == 1) {
        el_insertstr(edit, " ");
    }
    if (n_found != 1) {
        el_beep(edit);
    }
    /* It draws the whole line and takes the cursor to be at its start. */
    fputc('\r', editor_of(edit)->out);
    el_set(edit, EL_REFRESH);
}

/* libedit's way to a character: ends the line when everything is to end. */
static int get_char(EditLine *edit, wchar_t *ret)
{
    struct gw_hmp_editor *editor = editor_of(edit);
    int fd = fileno(editor->in);
    unsigned char byte;

    for (;;) {
        if (!gw_monitor_wait_input(editor->monitor, fd) ||
            read(fd, &byte, 1) != 1) {
            return 0;
        }
        /* Not a function of libedit's (EL_ADDFN): it never frees those. */
        if (byte == '\t') {
            complete(edit);
        } else if (byte < 0x80) {
            *ret = (wchar_t)byte;
            return 1;
        }
    }
}

static void configure(struct gw_hmp_editor *editor)
{
    HistEvent event;

    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, get_prompt);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_SIGNAL, 0);
    el_set(editor->edit, EL_GETCFN, get_char);
    history(editor->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->edit, EL_HIST, history, editor->history);
}

/* A stream on a duplicate, so that closing it leaves the descriptor alone. */
static FILE *open_stream(int fd, const char *mode)
{
    int copy = dup(fd);
    FILE *stream = copy >= 0 ? fdopen(copy, mode) : NULL;

    if (!stream && copy >= 0) {
        close(copy);
    }
    return stream;
}

struct gw_hmp_editor *gw_hmp_editor_new(struct gw_monitor *monitor, int in_fd,
                                        int out_fd, const char *prompt)
{
    struct gw_hmp_editor *editor;

    if (!isatty(in_fd) || !isatty(out_fd)) {
        return NULL;
    }
    editor = calloc(1, sizeof(*editor));
    if (!editor) {
        return NULL;
    }
    editor->monitor = monitor;
    editor->prompt = strdup(prompt);
    editor->in = open_stream(in_fd, "r");
    editor->out = open_stream(out_fd, "w");
    editor->history = history_init();
    if (editor->prompt && editor->in && editor->out && editor->history) {
        editor->edit = el_init("godwit", editor->in, editor->out, editor->out);
    }
    if (!editor->edit) {
        return gw_hmp_editor_free(editor);
    }
    configure(editor);
    return editor;
}

struct gw_hmp_editor *gw_hmp_editor_free(struct gw_hmp_editor *editor)
{
    if (!editor) {
        return NULL;
    }
    if (editor->edit) {
        el_end(editor->edit);
    }
    if (editor->history) {
        history_end(editor->history);
    }
    if (editor->in) {
        fclose(editor->in);
    }
    if (editor->out) {
        fclose(editor->out);
    }
    free(editor->line);
    free(editor->prompt);
    free(editor);
    return NULL;
}

const char *gw_hmp_editor_read(struct gw_hmp_editor *editor)
{
    HistEvent event;
    const char *line;
    int len = 0;

    line = el_gets(editor->edit, &len);
    if (!line || len <= 0) {
        return NULL;
    }
    free(editor->line);
    editor->line = strdup(line);
    if (!editor->line) {
        return NULL;
    }
    editor->line[strcspn(editor->line, "\r\n")] = '\0';
    if (editor->line[strspn(editor->line, " \t")]) {
        history(editor->history, &event, H_ENTER, editor->line);
    }
    return editor->line;
}

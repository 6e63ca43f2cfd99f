/*
 * HMP: commands as text, from a terminal or inside QMP.
 */
#ifndef GW_MONITOR_HMP_H
#define GW_MONITOR_HMP_H

#include <stdbool.h>

#include <godwit/control.h>

#include "base/buffer.h"

enum {
    GW_HMP_ARGS_MAX = 4 /* parameters of a command */
};

/* One command line on its way. */
struct gw_hmp {
    struct gw_control *control; /* its command_lock is held */
    int *received_fd;           /* came with the line, -1 if none did */
    bool can_wait;              /* a foreground `migrate` may be waited for */
    /*
     * Set by a foreground `migrate`: a descriptor (owned by who executed the
     * line) that becomes readable when it has ended; else -1.
     */
    int wait_fd;
    struct gw_buffer *out; /* what it prints, "\n" line ends */
};

/* Executes one line; the lock is held. */
void gw_hmp_run(struct gw_hmp *hmp, const char *line);

/*
 * Names of commands ("migrate", "info status"), the embedder's last, for
 * completion; or NULL.
 */
const char *gw_hmp_command_name(struct gw_control *control, unsigned int index);

/* Whether the library has a command of that name, "info" and all. */
bool gw_hmp_has_command(const char *name);

/* What a command line gave. */
struct gw_hmp_args {
    struct gw_buffer words[GW_HMP_ARGS_MAX]; /* "" if it was left out */
    bool options[26];                        /* by letter */
};

static inline const char *gw_hmp_word(const struct gw_hmp_args *args,
                                      size_t index)
{
    return (const char *)args->words[index].data;
}

static inline bool gw_hmp_option(const struct gw_hmp_args *args, char letter)
{
    return args->options[letter - 'a'];
}

/* The commands; each prints to hmp->out. */
void gw_hmp_migrate(struct gw_hmp *hmp, const struct gw_hmp_args *args);
void gw_hmp_migrate_incoming(struct gw_hmp *hmp,
                             const struct gw_hmp_args *args);
void gw_hmp_migrate_cancel(struct gw_hmp *hmp, const struct gw_hmp_args *args);
void gw_hmp_migrate_continue(struct gw_hmp *hmp,
                             const struct gw_hmp_args *args);
void gw_hmp_set_capability(struct gw_hmp *hmp, const struct gw_hmp_args *args);
void gw_hmp_set_parameter(struct gw_hmp *hmp, const struct gw_hmp_args *args);
void gw_hmp_info_status(struct gw_hmp *hmp, const struct gw_hmp_args *args);
void gw_hmp_info_version(struct gw_hmp *hmp, const struct gw_hmp_args *args);
void gw_hmp_info_migrate(struct gw_hmp *hmp, const struct gw_hmp_args *args);
void gw_hmp_info_capabilities(struct gw_hmp *hmp,
                              const struct gw_hmp_args *args);
void gw_hmp_info_parameters(struct gw_hmp *hmp, const struct gw_hmp_args *args);

/*
 * Sets a parameter by its name and its value as text, without the checks of
 * gw_parameters_check.
 */
int gw_hmp_put_parameter(struct gw_settings *settings, const char *name,
                         const char *text, struct gw_error **errp);

/* "Error: " and the text; frees the error. */
void gw_hmp_print_error(struct gw_hmp *hmp, struct gw_error *error);

#endif

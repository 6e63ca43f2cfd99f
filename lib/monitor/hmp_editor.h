/*
 * Line editing with history on a terminal, by libedit. Without the library
 * there is none: gw_hmp_editor_new returns NULL, and lines are read plainly.
 */
#ifndef GW_MONITOR_HMP_EDITOR_H
#define GW_MONITOR_HMP_EDITOR_H

#include <stddef.h>

#include "monitor/monitor.h"

struct gw_hmp_editor;

#ifdef GW_HAVE_LIBEDIT

/* NULL if the descriptors are no terminal. They are borrowed. */
struct gw_hmp_editor *gw_hmp_editor_new(struct gw_monitor *monitor, int in_fd,
                                        int out_fd, const char *prompt);
struct gw_hmp_editor *gw_hmp_editor_free(struct gw_hmp_editor *editor);

/*
 * Reads a line; without its end, valid until the next call. NULL at the end
 * of input, or when everything is to end.
 */
const char *gw_hmp_editor_read(struct gw_hmp_editor *editor);

#else

static inline struct gw_hmp_editor *
gw_hmp_editor_new(struct gw_monitor *monitor, int in_fd, int out_fd,
                  const char *prompt)
{
    (void)monitor;
    (void)in_fd;
    (void)out_fd;
    (void)prompt;
    return NULL;
}

static inline struct gw_hmp_editor *
gw_hmp_editor_free(struct gw_hmp_editor *editor)
{
    (void)editor;
    return NULL;
}

static inline const char *gw_hmp_editor_read(struct gw_hmp_editor *editor)
{
    (void)editor;
    return NULL;
}

#endif

#endif

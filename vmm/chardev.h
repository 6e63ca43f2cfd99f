/*
 * Where characters go to and come from.
 */
#ifndef VMM_CHARDEV_H
#define VMM_CHARDEV_H

#include <stdbool.h>

#include <godwit/error.h>

enum vmm_chardev_kind {
    VMM_CHARDEV_NONE,
    VMM_CHARDEV_STDIO,
    VMM_CHARDEV_FILE,
    VMM_CHARDEV_UNIX,
};

struct vmm_chardev {
    enum vmm_chardev_kind kind;
    /* File name or socket path; owned. */
    char *path;
};

/* Parses stdio, unix:PATH, none and, if `files`, file:PATH. */
int vmm_chardev_parse(struct vmm_chardev *chardev, const char *value,
                      bool files, struct gw_error **errp) GW_MUST_CHECK;

#endif

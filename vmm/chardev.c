/*
 * Character devices on the command line.
 */
#include "chardev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/*
 * QEMU's users write `unix:PATH,server=on,wait=off`. Being the server and not
 * waiting is what we do anyway; anything else is refused, not ignored.
 */
static int check_socket_options(const char *text, struct gw_error **errp)
{
    static const char *const accepted[] = {"server=on", "server", "wait=off",
                                           "nowait"};

    while (*text == ',') {
        size_t len = strcspn(++text, ",");
        bool found = false;

        for (size_t i = 0; i < VMM_ARRAY_SIZE(accepted); i++) {
            found |= strlen(accepted[i]) == len &&
                     strncmp(text, accepted[i], len) == 0;
        }
        if (!found) {
            return gw_error_set(errp, -EINVAL,
                                "socket option '%.*s' is not supported",
                                (int)len, text);
        }
        text += len;
    }
    return 0;
}

/* The part of a value up to the first comma, as an owned path. */
static int set_path(struct vmm_chardev *chardev, const char *text, size_t len,
                    struct gw_error **errp)
{
    if (len == 0) {
        return gw_error_set(errp, -EINVAL, "the path is empty");
    }
    free(chardev->path);
    chardev->path = strndup(text, len);
    if (!chardev->path) {
        return gw_error_set_errno(errp, -ENOMEM, "path");
    }
    return 0;
}

int vmm_chardev_parse(struct vmm_chardev *chardev, const char *value,
                      bool files, struct gw_error **errp)
{
    int r;

    if (strcmp(value, "none") == 0) {
        chardev->kind = VMM_CHARDEV_NONE;
        return 0;
    }
    if (strcmp(value, "stdio") == 0) {
        chardev->kind = VMM_CHARDEV_STDIO;
        return 0;
    }
    if (strncmp(value, "unix:", 5) == 0) {
        size_t len = strcspn(value + 5, ",");

        r = check_socket_options(value + 5 + len, errp);
        if (r < 0) {
            return r;
        }
        chardev->kind = VMM_CHARDEV_UNIX;
        return set_path(chardev, value + 5, len, errp);
    }
    if (files && strncmp(value, "file:", 5) == 0) {
        chardev->kind = VMM_CHARDEV_FILE;
        return set_path(chardev, value + 5, strlen(value + 5), errp);
    }
    return gw_error_set(errp, -EINVAL,
                        "'%s' is not one of stdio, unix:PATH, %snone", value,
                        files ? "file:PATH, " : "");
}

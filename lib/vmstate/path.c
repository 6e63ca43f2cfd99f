/*
 * Paths of fields as text.
 */
#include "vmstate/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(char *text, size_t size, const char *separator,
                   const char *name)
{
    size_t len = strlen(text);

    snprintf(text + len, size - len, "%s%s", separator, name);
}

static const char *separator_of(const struct gw_path *path)
{
    if (path->kind == GW_PATH_SUBSECTION) {
        return ":";
    }
    return path->parent->kind == GW_PATH_FIELD ? "." : "/";
}

void gw_path_format(const struct gw_path *path, char *text, size_t size)
{
    size_t len;

    text[0] = '\0';
    if (path->parent) {
        gw_path_format(path->parent, text, size);
        if (path->kind == GW_PATH_SUBSECTION &&
            path->parent->kind != GW_PATH_FIELD) {
            /* Its name begins with that of its parent. */
            text[0] = '\0';
        }
    }
    append(text, size, text[0] ? separator_of(path) : "", path->name);
    if (path->index >= 0) {
        len = strlen(text);
        snprintf(text + len, size - len, "[%" PRId64 "]", path->index);
    }
}

int gw_path_prefix(const struct gw_path *path, struct gw_error **errp, int code)
{
    char text[GW_PATH_TEXT_SIZE];

    gw_path_format(path, text, sizeof(text));
    return gw_error_prefix(errp, code, "%s", text);
}

int gw_path_error(const struct gw_path *path, struct gw_error **errp, int code,
                  const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    gw_error_vset(errp, GW_ERROR_GENERIC, code, fmt, args);
    va_end(args);
    return gw_path_prefix(path, errp, code);
}

int gw_path_hook_result(const struct gw_path *path, struct gw_error **errp,
                        const char *hook, int r)
{
    if (r == 0) {
        return 0;
    }
    if (r > 0) {
        r = -EINVAL;
    }
    if (errp && !*errp) {
        gw_error_set(errp, r, "failed without a reason");
    }
    gw_error_prefix(errp, r, "%s", hook);
    return gw_path_prefix(path, errp, r);
}

/*
 * Where in nested tables a save or load is, for errors: frames on the stack,
 * linked inside out, turned into text only when something fails.
 *
 * The text is the vmstate's name, a slash, and the members:
 * "cpu/regs[3].base". A subsection of the top vmstate stands for itself
 * ("cpu/tsc_khz/khz"); one of a nested struct is added behind a colon.
 */
#ifndef GW_VMSTATE_PATH_H
#define GW_VMSTATE_PATH_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

enum gw_path_kind {
    GW_PATH_VMSTATE, /* the top; has no parent */
    GW_PATH_FIELD,
    GW_PATH_SUBSECTION,
};

struct gw_path {
    const struct gw_path *parent; /* what this is in */
    enum gw_path_kind kind;
    const char *name; /* of the vmstate or the member */
    int64_t index;    /* element of an array, or -1 */
};

/* Enough for any path that a person reads; longer ones are cut. */
#define GW_PATH_TEXT_SIZE 512

/* Writes the text of a path, cut to `size` bytes with the NUL. */
void gw_path_format(const struct gw_path *path, char *text, size_t size);

/* Sets *errp to "<path>: <formatted>" and returns `code`. */
int gw_path_error(const struct gw_path *path, struct gw_error **errp, int code,
                  const char *fmt, ...) GW_PRINTF(4, 5);

/* Puts "<path>: " before the text of *errp and returns `code`. */
int gw_path_prefix(const struct gw_path *path, struct gw_error **errp,
                   int code);

/*
 * Result of a hook: 0 if r is 0, else a negative errno with *errp set and
 * "<path>: <hook>: " before its text, also if the hook forgot to set it.
 */
int gw_path_hook_result(const struct gw_path *path, struct gw_error **errp,
                        const char *hook, int r);

#endif

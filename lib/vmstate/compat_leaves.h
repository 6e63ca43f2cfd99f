/*
 * The fields of a vmstate as they follow each other in the stream.
 */
#ifndef GW_VMSTATE_COMPAT_LEAVES_H
#define GW_VMSTATE_COMPAT_LEAVES_H

#include "vmstate/compat.h"

enum {
    /* Longest path of a field in texts; longer ones are cut. */
    GW_COMPAT_PATH_MAX = 160,
};

/* A field, or a struct that was not taken apart. */
struct gw_compat_leaf_field {
    const struct gw_compat_field *field;
    char *name;          /* with the structs that it is in; owned */
    const char *own;     /* within `name`: without them */
    uint64_t bytes;      /* of all its elements, or GW_COMPAT_NO_SIZE */
    bool is_plain;       /* takes as much in the stream as in memory */
    bool is_unused;      /* bytes without a meaning */
    bool is_conditional; /* it, or a struct that it is in */
    bool is_one_struct;  /* can be taken apart */
};

/* Zero bytes are an empty list. The next field is the last item. */
struct gw_compat_leaves {
    struct gw_compat_leaf_field *items;
    size_t n;
    size_t capacity;
};

/*
 * Fills a list; `path` stands before the names. False if memory is short. To
 * be freed in any case.
 */
bool gw_compat_leaves_make(struct gw_compat_leaves *leaves,
                           const struct gw_compat_vmstate *vmstate,
                           uint32_t version, const char *path);
void gw_compat_leaves_deinit(struct gw_compat_leaves *leaves);

/* Goes on behind the next field. */
void gw_compat_leaves_pop(struct gw_compat_leaves *leaves);

/* Puts the parts of the next one in its place. False: memory is short. */
bool gw_compat_leaves_expand(struct gw_compat_leaves *leaves);

#endif

/*
 * Walks the data of a device's section along its description.
 */
#include "vmstate/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "vmstate/field.h"

/* What stays the same in all of one walk, and where it is. */
struct walk {
    struct gw_reader reader; /* the data not yet walked */
    uint64_t offset;         /* absolute, of the reader's position */
    size_t n_left;           /* fields that may still be reported */
    gw_layout_field_fn fn;
    void *opaque;
};

static int walk_vmstate(struct walk *walk,
                        const struct gw_layout_vmstate *vmstate,
                        unsigned int depth, struct gw_error **errp);

static int report(struct walk *walk, const struct gw_image_field *field,
                  struct gw_error **errp)
{
    if (walk->n_left == 0) {
        return gw_error_set(errp, -EOVERFLOW, "more than %u fields",
                            GW_LAYOUT_WALK_MAX);
    }
    walk->n_left--;
    return walk->fn(walk->opaque, field);
}

/* Moves past `size` bytes, which `what` has. */
static int take(struct walk *walk, const char *what, uint64_t size,
                const uint8_t **ret_data, struct gw_error **errp)
{
    if (size > gw_reader_left(&walk->reader)) {
        return gw_error_set(errp, -EBADMSG,
                            "'%s' at offset %#" PRIx64 ": %" PRIu64
                            " bytes described, found %zu",
                            what, walk->offset, size,
                            gw_reader_left(&walk->reader));
    }
    gw_reader_get_bytes(&walk->reader, (size_t)size, ret_data);
    walk->offset += size;
    return 0;
}

static int walk_element(struct walk *walk, const struct gw_layout_field *field,
                        int64_t index, unsigned int depth,
                        struct gw_error **errp)
{
    struct gw_image_field out = {
        .depth = depth,
        .name = field->name,
        .type = field->type,
        .is_struct = field->inner,
        .index = index,
        .offset = walk->offset,
        .size = field->size,
    };
    int r;

    if (!field->inner) {
        r = take(walk, field->name, field->size, &out.data, errp);
        return r < 0 ? r : report(walk, &out, errp);
    }
    r = report(walk, &out, errp);
    return r != 0 ? r : walk_vmstate(walk, field->inner, depth + 1, errp);
}

static int walk_field(struct walk *walk, const struct gw_layout_field *field,
                      unsigned int depth, struct gw_error **errp)
{
    /* Elements of no size are all the same one. */
    uint64_t i, n = field->size > 0 ? field->n : 1;
    int r = 0;

    for (i = 0; r == 0 && i < n; i++) {
        r = walk_element(walk, field, n > 1 ? (int64_t)i : field->index, depth,
                         errp);
    }
    return r;
}

/* The head must say what the description says. */
static int check_head(const struct gw_layout_vmstate *sub, const uint8_t *head,
                      uint64_t offset, struct gw_error **errp)
{
    size_t len = strlen(sub->name);
    struct gw_reader reader = gw_reader_of(head + 2 + len, 4);
    uint32_t version = 0;

    gw_reader_get_be32(&reader, &version);
    if (head[0] != GW_SUBSECTION_MARK || head[1] != len ||
        memcmp(head + 2, sub->name, len) != 0 || version != sub->version) {
        return gw_error_set(errp, -EBADMSG,
                            "offset %#" PRIx64 ": expected subsection '%s' "
                            "version %" PRIu32 ", found other data",
                            offset, sub->name, sub->version);
    }
    return 0;
}

static int walk_subsection(struct walk *walk,
                           const struct gw_layout_vmstate *sub,
                           unsigned int depth, struct gw_error **errp)
{
    uint64_t head_size = 1 + 1 + strlen(sub->name) + 4;
    struct gw_image_field out = {
        .depth = depth,
        .name = sub->name,
        .type = "subsection",
        .is_subsection = true,
        .index = -1,
        .offset = walk->offset,
        .size = head_size + sub->size,
    };
    const uint8_t *head = NULL;
    int r;

    r = take(walk, sub->name, head_size, &head, errp);
    if (r == 0) {
        r = check_head(sub, head, out.offset, errp);
    }
    if (r == 0) {
        r = report(walk, &out, errp);
    }
    return r != 0 ? r : walk_vmstate(walk, sub, depth + 1, errp);
}

static int walk_vmstate(struct walk *walk,
                        const struct gw_layout_vmstate *vmstate,
                        unsigned int depth, struct gw_error **errp)
{
    size_t i;
    int r = 0;

    for (i = 0; r == 0 && i < vmstate->n_fields; i++) {
        r = walk_field(walk, &vmstate->fields[i], depth, errp);
    }
    for (i = 0; r == 0 && i < vmstate->n_subsections; i++) {
        r = walk_subsection(walk, &vmstate->subsections[i], depth, errp);
    }
    return r;
}

int gw_layout_walk(const struct gw_layout_device *device, const uint8_t *data,
                   size_t size, uint64_t offset, gw_layout_field_fn fn,
                   void *opaque, struct gw_error **errp)
{
    struct walk walk = {
        .reader = gw_reader_of(data, size),
        .offset = offset,
        .n_left = GW_LAYOUT_WALK_MAX,
        .fn = fn,
        .opaque = opaque,
    };

    if (device->vmstate.size != size) {
        return gw_error_set(errp, -EBADMSG,
                            "'%s' at offset %#" PRIx64 ": %" PRIu64
                            " bytes described, found %zu",
                            device->idstr, offset, device->vmstate.size, size);
    }
    return walk_vmstate(&walk, &device->vmstate, 0, errp);
}

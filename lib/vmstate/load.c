/*
 * Loading.
 *
 * The stream carries values only, so reader and writer must agree on the
 * table; what can be checked is checked: versions, counts, marks, names of
 * subsections.
 */
#include "vmstate/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/field.h"
#include "vmstate/subsection.h"

/* What stays the same in all of one load. */
struct load {
    struct gw_input *input;
    unsigned int depth; /* vmstates that we are in */
};

static int load_vmstate(struct load *load, const struct gw_vmstate *vmstate,
                        void *state, uint32_t version,
                        const struct gw_path *path, struct gw_error **errp);

static unsigned long long offset_of(const struct load *load)
{
    return gw_input_offset(load->input);
}

static int check_version(const struct load *load,
                         const struct gw_vmstate *vmstate, uint32_t version,
                         const struct gw_path *path, struct gw_error **errp)
{
    if (version > vmstate->version) {
        return gw_path_error(path, errp, -EPROTO,
                             "version %" PRIu32 " before offset %#llx is too "
                             "new, expected at most %" PRIu32,
                             version, offset_of(load), vmstate->version);
    }
    if (version < vmstate->min_version) {
        return gw_path_error(path, errp, -EPROTO,
                             "version %" PRIu32 " before offset %#llx is too "
                             "old, expected at least %" PRIu32,
                             version, offset_of(load), vmstate->min_version);
    }
    return 0;
}

/*
 * ---- Values ----
 */

static int get_bits(struct load *load, enum gw_field_kind kind, uint64_t *ret,
                    const struct gw_path *path, struct gw_error **errp)
{
    uint8_t bytes[8];
    size_t size = gw_field_value_size(kind);
    struct gw_reader reader = gw_reader_of(bytes, size);
    int r = gw_input_read(load->input, bytes, size, errp);

    if (r < 0) {
        return gw_path_prefix(path, errp, r);
    }
    gw_reader_get_be(&reader, size, ret);
    return 0;
}

static bool is_equal_kind(enum gw_field_kind kind)
{
    return kind == GW_KIND_U8_EQUAL || kind == GW_KIND_U16_EQUAL ||
           kind == GW_KIND_U32_EQUAL || kind == GW_KIND_U64_EQUAL ||
           kind == GW_KIND_I32_EQUAL;
}

/* The checked kinds: against the value that is in memory. */
static int check_value(const struct gw_field *field, const void *data,
                       uint64_t value, unsigned long long offset,
                       const struct gw_path *path, struct gw_error **errp)
{
    uint64_t own = gw_field_value_get(field->kind, data);

    if (is_equal_kind(field->kind) && value != own) {
        return gw_path_error(
            path, errp, -EPROTO, "at offset %#llx: expected %#llx, found %#llx",
            offset, (unsigned long long)own, (unsigned long long)value);
    }
    if (field->kind == GW_KIND_I32_LE &&
        ((int32_t)value < 0 || (int32_t)value > (int32_t)own)) {
        return gw_path_error(path, errp, -EPROTO,
                             "at offset %#llx: expected 0 to %" PRId32
                             ", found %" PRId32,
                             offset, (int32_t)own, (int32_t)value);
    }
    return 0;
}

static int load_value(struct load *load, const struct gw_field *field,
                      void *data, const struct gw_path *path,
                      struct gw_error **errp)
{
    unsigned long long offset = offset_of(load);
    uint64_t value = 0;
    int r;

    r = get_bits(load, field->kind, &value, path, errp);
    if (r < 0) {
        return r;
    }
    r = check_value(field, data, value, offset, path, errp);
    if (r < 0) {
        return r;
    }
    gw_field_value_set(field->kind, data, value);
    return 0;
}

static int load_bitmap(struct load *load, const struct gw_elements *elements,
                       const struct gw_path *path, struct gw_error **errp)
{
    uint64_t word = 0;
    size_t i;
    int r;

    for (i = 0; i < gw_bitmap_words(elements->amount); i++) {
        r = get_bits(load, GW_KIND_U64, &word, path, errp);
        if (r < 0) {
            return r;
        }
        word &= gw_bitmap_mask(elements->amount, i);
        memcpy(elements->data + 8 * i, &word, sizeof(word));
    }
    return 0;
}

static int load_null(struct load *load, const struct gw_path *path,
                     struct gw_error **errp)
{
    unsigned long long offset = offset_of(load);
    uint64_t mark = 0;
    int r = get_bits(load, GW_KIND_U8, &mark, path, errp);

    if (r == 0 && mark != GW_NULL_MARK) {
        r = gw_path_error(path, errp, -EBADMSG,
                          "at offset %#llx: expected %#x (the pointer is NULL "
                          "here), found %#x",
                          offset, GW_NULL_MARK, (unsigned int)mark);
    }
    return r;
}

/*
 * ---- Lists ----
 */

static size_t list_length(const struct gw_list *list)
{
    const struct gw_list_link *link;
    size_t n = 0;

    for (link = list->first; link; link = link->next) {
        n++;
    }
    return n;
}

/*
 * The element joins the list at once: the state owns it from then on. QEMU
 * reads elements at the field's version, and writes them at their own; a
 * table for which that differs could not read what it wrote.
 */
static int load_list_element(struct load *load, const struct gw_field *field,
                             struct gw_list *list, const struct gw_path *path,
                             struct gw_error **errp)
{
    uint8_t *element = calloc(1, field->size);

    if (!element) {
        return gw_path_error(path, errp, -ENOMEM, "out of memory");
    }
    gw_list_append(
        list, (struct gw_list_link *)(void *)(element + field->link_offset));
    return load_vmstate(load, field->inner, element, field->inner->version,
                        path, errp);
}

static int load_list(struct load *load, const struct gw_field *field,
                     void *data, const struct gw_path *parent,
                     struct gw_error **errp)
{
    struct gw_path path = *parent;
    struct gw_list *list = data;
    size_t n = list_length(list);
    unsigned long long offset;
    uint64_t more = 0;
    int r;

    for (path.index = 0;; path.index++) {
        offset = offset_of(load);
        r = get_bits(load, GW_KIND_U8, &more, &path, errp);
        if (r < 0 || !more) {
            return r;
        }
        if (n++ >= field->n) {
            return gw_path_error(&path, errp, -EOVERFLOW,
                                 "at offset %#llx: more than %zu elements",
                                 offset, field->n);
        }
        r = load_list_element(load, field, list, &path, errp);
        if (r < 0) {
            return r;
        }
    }
}

/*
 * ---- Fields ----
 */

static int load_element(struct load *load, const struct gw_field *field,
                        const struct gw_elements *elements, void *data,
                        const struct gw_path *path, struct gw_error **errp)
{
    int r;

    if (elements->amount == 0) {
        /* No bytes; the pointer to them may be NULL. */
        return 0;
    }
    switch (field->kind) {
    case GW_KIND_BUFFER:
        r = gw_input_read(load->input, data, elements->amount, errp);
        return r < 0 ? gw_path_prefix(path, errp, r) : 0;
    case GW_KIND_UNUSED:
        r = gw_input_skip(load->input, elements->amount, errp);
        return r < 0 ? gw_path_prefix(path, errp, r) : 0;
    case GW_KIND_BITMAP:
        return load_bitmap(load, elements, path, errp);
    case GW_KIND_STRUCT:
        return load_vmstate(load, field->inner, data, field->inner->version,
                            path, errp);
    case GW_KIND_VSTRUCT:
        return load_vmstate(load, field->inner, data, field->inner_version,
                            path, errp);
    case GW_KIND_LIST:
        return load_list(load, field, data, path, errp);
    default:
        return load_value(load, field, data, path, errp);
    }
}

/* Replaces what the member points to by `count` zeroed elements. */
static int allocate(const struct gw_field *field, void *state, size_t count,
                    const struct gw_path *path, struct gw_error **errp)
{
    uint8_t *member = (uint8_t *)state + field->offset;
    void *data;

    memcpy(&data, member, sizeof(data));
    free(data);
    data = count ? calloc(count, field->size) : NULL;
    memcpy(member, &data, sizeof(data));
    if (count && !data) {
        return gw_path_error(path, errp, -ENOMEM,
                             "out of memory for %zu elements", count);
    }
    return 0;
}

static int prepare_elements(const struct gw_field *field, void *state,
                            const struct gw_path *path, struct gw_elements *ret,
                            struct gw_error **errp)
{
    size_t count;
    int r;

    r = gw_field_count(field, state, path, &count, errp);
    if (r == 0 && field->flags & GW_FLAG_ALLOC) {
        r = allocate(field, state, count, path, errp);
    }
    if (r < 0) {
        return r;
    }
    return gw_field_elements(field, state, count, path, ret, errp);
}

static int load_field(struct load *load, const struct gw_field *field,
                      void *state, const struct gw_path *parent,
                      struct gw_error **errp)
{
    struct gw_path path = {parent, GW_PATH_FIELD, field->name, -1};
    struct gw_elements elements;
    void *data;
    size_t i;
    int r;

    r = prepare_elements(field, state, &path, &elements, errp);
    for (i = 0; r == 0 && i < elements.n; i++) {
        path.index = elements.n > 1 ? (int64_t)i : -1;
        data = gw_field_element(field, &elements, i);
        if (field->flags & GW_FLAG_POINTERS && !data) {
            r = load_null(load, &path, errp);
        } else {
            r = load_element(load, field, &elements, data, &path, errp);
        }
    }
    return r;
}

static int load_fields(struct load *load, const struct gw_vmstate *vmstate,
                       void *state, uint32_t version,
                       const struct gw_path *path, struct gw_error **errp)
{
    const struct gw_field *field;
    int r;

    for (field = vmstate->fields; field->kind != GW_KIND_END; field++) {
        if (field->kind == GW_KIND_VALIDATE) {
            if (!field->exists(state, version)) {
                return gw_path_error(path, errp, -EPROTO,
                                     "before offset %#llx: not valid: %s",
                                     offset_of(load), field->name);
            }
            continue;
        }
        if (!gw_field_is_present(field, state, version)) {
            continue;
        }
        r = load_field(load, field, state, path, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/*
 * ---- Subsections ----
 */

static int load_subsection(struct load *load, const struct gw_vmstate *sub,
                           void *state, const struct gw_path *parent,
                           struct gw_error **errp)
{
    struct gw_path path = {parent, GW_PATH_SUBSECTION, sub->name, -1};
    uint64_t version = 0;
    int r;

    r = gw_input_skip(load->input, 2 + strlen(sub->name), errp);
    if (r < 0) {
        return gw_path_prefix(&path, errp, r);
    }
    r = get_bits(load, GW_KIND_U32, &version, &path, errp);
    if (r < 0) {
        return r;
    }
    return load_vmstate(load, sub, state, (uint32_t)version, &path, errp);
}

static int load_subsections(struct load *load, const struct gw_vmstate *vmstate,
                            void *state, const struct gw_path *path,
                            struct gw_error **errp)
{
    const struct gw_vmstate *sub;
    int r;

    for (;;) {
        r = gw_subsection_peek(load->input, load->depth > 1, vmstate, path,
                               &sub, errp);
        if (r != 0) {
            return r == GW_NO_SUBSECTION ? 0 : r;
        }
        r = load_subsection(load, sub, state, path, errp);
        if (r < 0) {
            return r;
        }
    }
}

/*
 * ---- The whole ----
 */

static int load_vmstate(struct load *load, const struct gw_vmstate *vmstate,
                        void *state, uint32_t version,
                        const struct gw_path *path, struct gw_error **errp)
{
    int r;

    if (load->depth == GW_VMSTATE_DEPTH_MAX) {
        return gw_path_error(path, errp, -EOVERFLOW,
                             "structs nested deeper than %d at offset %#llx",
                             GW_VMSTATE_DEPTH_MAX, offset_of(load));
    }
    r = check_version(load, vmstate, version, path, errp);
    if (r < 0) {
        return r;
    }
    if (vmstate->pre_load) {
        r = gw_path_hook_result(path, errp, "pre_load",
                                vmstate->pre_load(state, errp));
        if (r < 0) {
            return r;
        }
    }
    load->depth++;
    r = load_fields(load, vmstate, state, version, path, errp);
    if (r == 0) {
        r = load_subsections(load, vmstate, state, path, errp);
    }
    load->depth--;
    if (r < 0 || !vmstate->post_load) {
        return r;
    }
    return gw_path_hook_result(path, errp, "post_load",
                               vmstate->post_load(state, version, errp));
}

int gw_vmstate_load(const struct gw_vmstate *vmstate, void *state,
                    uint32_t version, struct gw_input *input,
                    struct gw_error **errp)
{
    struct gw_path path = {NULL, GW_PATH_VMSTATE, vmstate->name, -1};
    struct load load = {.input = input};

    return load_vmstate(&load, vmstate, state, version, &path, errp);
}

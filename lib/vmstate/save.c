/*
 * Saving.
 */
#include "vmstate/save.h"

#include <errno.h>
#include <string.h>

#include "vmstate/field.h"

/* What stays the same in all of one save. */
struct save {
    struct gw_buffer *out;
    unsigned int depth; /* vmstates that we are in */
};

static int save_vmstate(struct save *save, const struct gw_vmstate *vmstate,
                        void *state, uint32_t version,
                        struct gw_description *description,
                        const struct gw_path *path, struct gw_error **errp);

bool gw_vmstate_is_needed(const struct gw_vmstate *vmstate, const void *state)
{
    return !vmstate->needed || vmstate->needed(state);
}

static void save_bitmap(struct save *save, const struct gw_elements *elements)
{
    size_t i;
    uint64_t word;

    for (i = 0; i < gw_bitmap_words(elements->amount); i++) {
        memcpy(&word, elements->data + 8 * i, sizeof(word));
        gw_buffer_put_be64(save->out,
                           word & gw_bitmap_mask(elements->amount, i));
    }
}

static void save_value(struct save *save, const struct gw_field *field,
                       const void *data)
{
    uint64_t value = gw_field_value_get(field->kind, data);

    switch (gw_field_value_size(field->kind)) {
    case 1:
        gw_buffer_put_u8(save->out, (uint8_t)value);
        break;
    case 2:
        gw_buffer_put_be16(save->out, (uint16_t)value);
        break;
    case 4:
        gw_buffer_put_be32(save->out, (uint32_t)value);
        break;
    default:
        gw_buffer_put_be64(save->out, value);
        break;
    }
}

static int save_list(struct save *save, const struct gw_field *field,
                     void *data, const struct gw_path *path,
                     struct gw_error **errp)
{
    struct gw_path at = *path;
    struct gw_list *list = data;
    struct gw_list_link *link;
    size_t n = 0;
    int r;

    for (link = list->first; link; link = link->next) {
        if (n == field->n) {
            return gw_path_error(path, errp, -EOVERFLOW,
                                 "the list has more than %zu elements",
                                 field->n);
        }
        at.index = (int64_t)n++;
        gw_buffer_put_u8(save->out, 1);
        r = save_vmstate(save, field->inner,
                         (uint8_t *)link - field->link_offset,
                         field->inner->version, NULL, &at, errp);
        if (r < 0) {
            return r;
        }
    }
    gw_buffer_put_u8(save->out, 0);
    return 0;
}

static int save_element(struct save *save, const struct gw_field *field,
                        const struct gw_elements *elements, void *data,
                        struct gw_description *description,
                        const struct gw_path *path, struct gw_error **errp)
{
    switch (field->kind) {
    case GW_KIND_BUFFER:
        gw_buffer_put_bytes(save->out, data, elements->amount);
        return 0;
    case GW_KIND_UNUSED:
        gw_buffer_put_zeros(save->out, elements->amount);
        return 0;
    case GW_KIND_BITMAP:
        save_bitmap(save, elements);
        return 0;
    case GW_KIND_STRUCT:
        return save_vmstate(save, field->inner, data, field->inner->version,
                            description, path, errp);
    case GW_KIND_VSTRUCT:
        return save_vmstate(save, field->inner, data, field->inner_version,
                            description, path, errp);
    case GW_KIND_LIST:
        return save_list(save, field, data, path, errp);
    default:
        save_value(save, field, data);
        return 0;
    }
}

/* Elements from i on that are all NULL pointers, or all not. */
static size_t run_length(const struct gw_field *field,
                         const struct gw_elements *elements, size_t i)
{
    bool null = !gw_field_element(field, elements, i);
    size_t n = 1;

    if (!(field->flags & GW_FLAG_POINTERS)) {
        return elements->n - i;
    }
    while (i + n < elements->n &&
           !gw_field_element(field, elements, i + n) == null) {
        n++;
    }
    return n;
}

/* Saves element i and describes it, unless `description` is NULL. */
static int save_described(struct save *save,
                          const struct gw_description_element *element,
                          const struct gw_elements *elements,
                          struct gw_description *description,
                          const struct gw_path *path, struct gw_error **errp)
{
    const struct gw_field *field = element->field;
    size_t start = save->out->size;
    int r = 0;

    gw_description_element_begin(description, element);
    if (element->null) {
        gw_buffer_put_u8(save->out, GW_NULL_MARK);
    } else {
        r = save_element(save, field, elements,
                         gw_field_element(field, elements, element->index),
                         description, path, errp);
    }
    gw_description_element_end(description, element, save->out->size - start);
    return r;
}

static int save_elements(struct save *save, const struct gw_field *fields,
                         const struct gw_field *field,
                         const struct gw_elements *elements,
                         struct gw_description *description,
                         const struct gw_path *parent, struct gw_error **errp)
{
    struct gw_path path = {parent, GW_PATH_FIELD, field->name, -1};
    struct gw_description_element element = {.fields = fields, .field = field};
    bool can_compress = description && gw_description_can_compress(field);
    size_t i, run_end = 0;
    bool described;
    int r;

    for (i = 0; i < elements->n; i++) {
        described = description && (!can_compress || i == run_end);
        if (description && i == run_end) {
            run_end = i + run_length(field, elements, i);
        }
        path.index = elements->n > 1 ? (int64_t)i : -1;
        element.index = i;
        element.null = field->flags & GW_FLAG_POINTERS &&
                       !gw_field_element(field, elements, i);
        /* A NULL is one byte, whatever the others are. */
        element.compressed = can_compress;
        element.n = (can_compress ? run_end : elements->n) - i;
        r = save_described(save, &element, elements,
                           described ? description : NULL, &path, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int save_field(struct save *save, const struct gw_vmstate *vmstate,
                      const struct gw_field *field, void *state,
                      struct gw_description *description,
                      const struct gw_path *parent, struct gw_error **errp)
{
    struct gw_path path = {parent, GW_PATH_FIELD, field->name, -1};
    struct gw_elements elements;
    size_t count;
    int r;

    r = gw_field_count(field, state, &path, &count, errp);
    if (r < 0) {
        return r;
    }
    r = gw_field_elements(field, state, count, &path, &elements, errp);
    if (r < 0) {
        return r;
    }
    return save_elements(save, vmstate->fields, field, &elements, description,
                         parent, errp);
}

static int save_fields(struct save *save, const struct gw_vmstate *vmstate,
                       void *state, uint32_t version,
                       struct gw_description *description,
                       const struct gw_path *path, struct gw_error **errp)
{
    const struct gw_field *field;
    int r;

    gw_description_fields_begin(description, vmstate->name, version);
    for (field = vmstate->fields; field->kind != GW_KIND_END; field++) {
        if (field->kind == GW_KIND_VALIDATE) {
            /* What we refuse to read we don't write either. */
            if (!field->exists(state, version)) {
                return gw_path_error(path, errp, -EINVAL,
                                     "the state is not valid: %s", field->name);
            }
            continue;
        }
        if (!gw_field_is_present(field, state, version)) {
            continue;
        }
        r = save_field(save, vmstate, field, state, description, path, errp);
        if (r < 0) {
            return r;
        }
    }
    gw_description_fields_end(description);
    return 0;
}

static int save_subsection(struct save *save, const struct gw_vmstate *sub,
                           void *state, struct gw_description *description,
                           const struct gw_path *parent, struct gw_error **errp)
{
    struct gw_path path = {parent, GW_PATH_SUBSECTION, sub->name, -1};
    size_t len = strlen(sub->name);
    int r;

    if (len > GW_VMSTATE_NAME_MAX) {
        return gw_path_error(&path, errp, -EINVAL,
                             "the name has %zu bytes, more than %d", len,
                             GW_VMSTATE_NAME_MAX);
    }
    gw_buffer_put_u8(save->out, GW_SUBSECTION_MARK);
    gw_buffer_put_u8(save->out, (uint8_t)len);
    gw_buffer_put_bytes(save->out, sub->name, len);
    gw_buffer_put_be32(save->out, sub->version);
    gw_description_subsection_begin(description);
    r = save_vmstate(save, sub, state, sub->version, description, &path, errp);
    gw_description_subsection_end(description);
    return r;
}

static int save_subsections(struct save *save, const struct gw_vmstate *vmstate,
                            void *state, struct gw_description *description,
                            const struct gw_path *path, struct gw_error **errp)
{
    const struct gw_vmstate *const *sub = vmstate->subsections;
    bool any = false;
    int r;

    for (; sub && *sub; sub++) {
        if (!gw_vmstate_is_needed(*sub, state)) {
            continue;
        }
        if (!any) {
            gw_description_subsections_begin(description);
            any = true;
        }
        r = save_subsection(save, *sub, state, description, path, errp);
        if (r < 0) {
            return r;
        }
    }
    if (any) {
        gw_description_subsections_end(description);
    }
    return 0;
}

static int save_vmstate(struct save *save, const struct gw_vmstate *vmstate,
                        void *state, uint32_t version,
                        struct gw_description *description,
                        const struct gw_path *path, struct gw_error **errp)
{
    int r;

    if (save->depth == GW_VMSTATE_DEPTH_MAX) {
        return gw_path_error(path, errp, -EOVERFLOW,
                             "structs nested deeper than %d",
                             GW_VMSTATE_DEPTH_MAX);
    }
    if (vmstate->pre_save) {
        r = gw_path_hook_result(path, errp, "pre_save",
                                vmstate->pre_save(state, errp));
        if (r < 0) {
            return r;
        }
    }
    save->depth++;
    r = save_fields(save, vmstate, state, version, description, path, errp);
    if (r == 0) {
        r = save_subsections(save, vmstate, state, description, path, errp);
    }
    save->depth--;
    if (vmstate->post_save) {
        vmstate->post_save(state);
    }
    return r;
}

int gw_vmstate_save(const struct gw_vmstate *vmstate, void *state,
                    struct gw_buffer *out, struct gw_description *description,
                    struct gw_error **errp)
{
    struct gw_path path = {NULL, GW_PATH_VMSTATE, vmstate->name, -1};
    struct save save = {.out = out};
    int r;

    r = save_vmstate(&save, vmstate, state, vmstate->version, description,
                     &path, errp);
    if (r == 0 && !gw_buffer_ok(out)) {
        r = gw_path_error(&path, errp, -ENOMEM, "out of memory");
    }
    return r;
}

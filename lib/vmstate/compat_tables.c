/*
 * The tables of devices in a description: vmstates, their fields and
 * subsections, whatever the members are called.
 */
#include "vmstate/compat_json.h"

#include <errno.h>
#include <stdlib.h>

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static int parse_numbers(const struct gw_compat_spelling *as,
                         const json_t *object, struct gw_compat_field *field,
                         struct gw_error **errp)
{
    int r =
        gw_compat_get_u32(object, as->since, field->name, &field->since, errp);

    if (r == 0) {
        r = gw_compat_get_uint(object, "size", field->name, INT64_MAX,
                               &field->size, errp);
    }
    if (r == 0) {
        r = gw_compat_get_uint(object, as->count, field->name, INT64_MAX,
                               &field->n, errp);
    }
    return r;
}

static int parse_field(const struct gw_compat_spelling *as,
                       const json_t *object, struct gw_compat_field *field,
                       const char *where, struct gw_error **errp)
{
    const json_t *inner = json_object_get(object, as->inner);
    int r = gw_compat_get_string(object, as->field, where, &field->name, errp);

    field->size = GW_COMPAT_NO_SIZE;
    field->n = as->count_unless_said;
    field->size_in_memory = as->sizes_in_memory;
    field->is_variable = is_true(object, "variable");
    field->is_conditional = is_true(object, as->conditional_field);
    if (r == 0 && as->type) {
        r = gw_compat_get_string(object, as->type, field->name, &field->type,
                                 errp);
    }
    if (r == 0) {
        r = parse_numbers(as, object, field, errp);
    }
    if (r < 0 || !inner) {
        return r;
    }
    field->inner = calloc(1, sizeof(*field->inner));
    if (!field->inner) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    return gw_compat_parse_vmstate(as, inner, field->inner, errp);
}

static int parse_fields(const struct gw_compat_spelling *as,
                        const json_t *object, struct gw_compat_vmstate *vmstate,
                        struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(object, as->fields, vmstate->name,
                                GW_COMPAT_FIELDS_MAX, sizeof(*vmstate->fields),
                                &array, &vmstate->fields, errp);

    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        /* Counted first, so that a half-parsed one is freed. */
        vmstate->n_fields++;
        r = parse_field(as, json_array_get(array, i), &vmstate->fields[i],
                        vmstate->name, errp);
    }
    return r;
}

static int parse_subsections(const struct gw_compat_spelling *as,
                             const json_t *object,
                             struct gw_compat_vmstate *vmstate,
                             struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(
        object, as->subsections, vmstate->name, GW_COMPAT_SUBSECTIONS_MAX,
        sizeof(*vmstate->subsections), &array, &vmstate->subsections, errp);

    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        vmstate->n_subsections++;
        r = gw_compat_parse_vmstate(as, json_array_get(array, i),
                                    &vmstate->subsections[i], errp);
        vmstate->subsections[i].is_conditional |= as->is_complete;
    }
    return r;
}

static int parse_versions(const struct gw_compat_spelling *as,
                          const json_t *object,
                          struct gw_compat_vmstate *vmstate,
                          struct gw_error **errp)
{
    int r = gw_compat_get_u32(object, as->version, vmstate->name,
                              &vmstate->version, errp);

    if (r == 0) {
        vmstate->has_min_version =
            as->is_complete || json_object_get(object, as->min_version);
        r = gw_compat_get_u32(object, as->min_version, vmstate->name,
                              &vmstate->min_version, errp);
    }
    return r;
}

int gw_compat_parse_vmstate(const struct gw_compat_spelling *as,
                            const json_t *object,
                            struct gw_compat_vmstate *vmstate,
                            struct gw_error **errp)
{
    int r =
        gw_compat_get_string(object, "name", "vmstate", &vmstate->name, errp);

    if (r == 0) {
        r = parse_versions(as, object, vmstate, errp);
    }
    vmstate->is_conditional = is_true(object, "conditional");
    vmstate->knows_fields =
        as->is_complete || json_object_get(object, as->fields);
    if (r == 0) {
        r = parse_fields(as, object, vmstate, errp);
    }
    if (r == 0) {
        r = parse_subsections(as, object, vmstate, errp);
    }
    return r;
}

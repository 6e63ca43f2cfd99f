/*
 * Tables of VM state as JSON.
 */
#include "vmstate/table_json.h"

#include "vmstate/field.h"

static json_t *vmstate_json(const struct gw_vmstate *vmstate, uint32_t version,
                            unsigned int depth);

static void put_flag(json_t *object, const char *name, bool is_set)
{
    if (is_set) {
        json_object_set_new(object, name, json_true());
    }
}

static void put_int(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* What one element takes in the stream, and how many there are. */
static void put_extent(json_t *object, const struct gw_field *field)
{
    if (field->kind == GW_KIND_BITMAP) {
        put_int(object, "size", 8 * gw_bitmap_words(field->n));
    } else if (gw_field_is_bulk(field)) {
        put_int(object, "size", field->n);
    } else {
        if (!gw_field_has_inner(field)) {
            put_int(object, "size", gw_field_value_size(field->kind));
        }
        if (field->kind != GW_KIND_LIST && field->n != 1) {
            put_int(object, "count", field->n);
        }
    }
    put_flag(object, "variable",
             field->count_kind != GW_COUNT_FIXED ||
                 field->kind == GW_KIND_LIST);
}

static json_t *field_json(const struct gw_field *field, unsigned int depth)
{
    json_t *object = json_pack("{s:s, s:s}", "name", field->name, "type",
                               gw_field_type(field));
    uint32_t version;

    put_extent(object, field);
    if (field->exists) {
        put_flag(object, "conditional", true);
    } else if (field->since) {
        put_int(object, "since", field->since);
    }
    if (gw_field_has_inner(field) && depth < GW_VMSTATE_DEPTH_MAX) {
        version = field->kind == GW_KIND_VSTRUCT ? field->inner_version
                                                 : field->inner->version;
        json_object_set_new(object, "struct",
                            vmstate_json(field->inner, version, depth + 1));
    }
    return object;
}

static json_t *fields_json(const struct gw_field *field, unsigned int depth)
{
    json_t *array = json_array();

    for (; field->kind != GW_KIND_END; field++) {
        if (field->kind != GW_KIND_VALIDATE) {
            json_array_append_new(array, field_json(field, depth));
        }
    }
    return array;
}

static json_t *vmstate_json(const struct gw_vmstate *vmstate, uint32_t version,
                            unsigned int depth)
{
    const struct gw_vmstate *const *sub = vmstate->subsections;
    json_t *object = json_pack("{s:s}", "name", vmstate->name);
    json_t *array;

    put_int(object, "version", version);
    put_int(object, "minimum-version", vmstate->min_version);
    put_flag(object, "conditional", vmstate->needed != NULL);
    json_object_set_new(object, "fields", fields_json(vmstate->fields, depth));
    if (sub && *sub && depth < GW_VMSTATE_DEPTH_MAX) {
        array = json_array();
        for (; *sub; sub++) {
            json_array_append_new(
                array, vmstate_json(*sub, (*sub)->version, depth + 1));
        }
        json_object_set_new(object, "subsections", array);
    }
    return object;
}

json_t *gw_vmstate_table_json(const struct gw_vmstate *vmstate)
{
    return vmstate_json(vmstate, vmstate->version, 0);
}

/*
 * Devices for the flow tests.
 */
#include "kit-devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"

static const struct gw_field scalars_fields[] = {
    GW_FIELD_BOOL(struct kit_scalars, flag),
    GW_FIELD_U8(struct kit_scalars, u8),
    GW_FIELD_U16(struct kit_scalars, u16),
    GW_FIELD_U32(struct kit_scalars, u32),
    GW_FIELD_U64(struct kit_scalars, u64),
    GW_FIELD_I8(struct kit_scalars, i8),
    GW_FIELD_I16(struct kit_scalars, i16),
    GW_FIELD_I32(struct kit_scalars, i32),
    GW_FIELD_I64(struct kit_scalars, i64),
    GW_FIELD_DOUBLE(struct kit_scalars, real),
    GW_FIELD_TIMER(struct kit_scalars, timer),
    GW_FIELD_UNUSED(5),
    GW_FIELD_U32_EQUAL(struct kit_scalars, revision),
    GW_FIELD_U16_V(struct kit_scalars, since_2, 2),
    GW_FIELD_U64_V(struct kit_scalars, since_3, 3),
    GW_FIELD_END,
};

static const struct gw_vmstate scalars_vmstate = {
    .name = "kit-scalars",
    .version = 3,
    .min_version = 1,
    .size = sizeof(struct kit_scalars),
    .fields = scalars_fields,
};

static const struct gw_field arrays_fields[] = {
    GW_FIELD_BOOL_ARRAY(struct kit_arrays, flags),
    GW_FIELD_BUFFER(struct kit_arrays, bytes),
    GW_FIELD_U16_ARRAY(struct kit_arrays, u16s),
    GW_FIELD_U32_ARRAY(struct kit_arrays, u32s),
    GW_FIELD_I64_ARRAY(struct kit_arrays, i64s),
    GW_FIELD_U32_SUB_ARRAY(struct kit_arrays, some, 2, 3),
    GW_FIELD_BITMAP(struct kit_arrays, bits, 100),
    GW_FIELD_END,
};

static const struct gw_vmstate arrays_vmstate = {
    .name = "kit-arrays",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct kit_arrays),
    .fields = arrays_fields,
    .early = true,
};

static const struct gw_field counted_fields[] = {
    GW_FIELD_U8(struct kit_counted, n_inside),
    GW_FIELD_VARRAY(struct kit_counted, inside, U32, n_inside),
    GW_FIELD_U16(struct kit_counted, n_u16s),
    GW_FIELD_VARRAY_ALLOC(struct kit_counted, u16s, U16, n_u16s, 100),
    GW_FIELD_U32(struct kit_counted, n_bytes),
    GW_FIELD_VBUFFER_ALLOC(struct kit_counted, bytes, n_bytes, 300),
    GW_FIELD_I32(struct kit_counted, n_bits),
    GW_FIELD_VBITMAP(struct kit_counted, bits, n_bits),
    GW_FIELD_END,
};

static const struct gw_vmstate counted_vmstate = {
    .name = "kit-counted",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct kit_counted),
    .fields = counted_fields,
};

static const struct gw_field inner_fields[] = {
    GW_FIELD_U32(struct kit_inner, a),
    GW_FIELD_U8(struct kit_inner, b),
    GW_FIELD_END,
};

static const struct gw_vmstate inner_vmstate = {
    .name = "kit-inner",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct kit_inner),
    .fields = inner_fields,
};

static const struct gw_field nested_fields[] = {
    GW_FIELD_STRUCT(struct kit_nested, one, inner_vmstate, struct kit_inner),
    GW_FIELD_STRUCT_ARRAY(struct kit_nested, fixed, inner_vmstate,
                          struct kit_inner),
    GW_FIELD_U8(struct kit_nested, n_counted),
    GW_FIELD_STRUCT_VARRAY(struct kit_nested, counted, inner_vmstate,
                           struct kit_inner, n_counted),
    GW_FIELD_U32(struct kit_nested, n_allocated),
    GW_FIELD_STRUCT_VARRAY_ALLOC(struct kit_nested, allocated, inner_vmstate,
                                 struct kit_inner, n_allocated, 40),
    GW_FIELD_STRUCT_PTR(struct kit_nested, pointed, inner_vmstate,
                        struct kit_inner),
    GW_FIELD_STRUCT_PTR_ARRAY(struct kit_nested, maybe, inner_vmstate,
                              struct kit_inner),
    GW_FIELD_END,
};

static const struct gw_vmstate nested_vmstate = {
    .name = "kit-nested",
    .version = 4,
    .min_version = 2,
    .size = sizeof(struct kit_nested),
    .fields = nested_fields,
    .priority = GW_PRIORITY_PCI_BUS,
};

static const struct gw_field element_fields[] = {
    GW_FIELD_U64(struct kit_element, value),
    GW_FIELD_END,
};

static const struct gw_vmstate element_vmstate = {
    .name = "kit-element",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct kit_element),
    .fields = element_fields,
};

static const struct gw_field list_fields[] = {
    GW_FIELD_U8(struct kit_list, before),
    GW_FIELD_LIST(struct kit_list, elements, element_vmstate,
                  struct kit_element, link, 100, 1),
    GW_FIELD_U8(struct kit_list, after),
    GW_FIELD_END,
};

static void list_clear(struct kit_list *list)
{
    while (list->elements.first) {
        struct gw_list_link *link = list->elements.first;

        gw_list_remove(&list->elements, link);
        free(GW_LIST_ENTRY(link, struct kit_element, link));
    }
}

static int list_pre_load(void *state, struct gw_error **errp)
{
    list_clear(state);
    return 0;
}

static const struct gw_vmstate list_vmstate = {
    .name = "kit-list",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct kit_list),
    .fields = list_fields,
    .pre_load = list_pre_load,
};

static bool second_needed(const void *state)
{
    return ((const struct kit_optional *)state)->level >= 2;
}

static bool first_needed(const void *state)
{
    return ((const struct kit_optional *)state)->level >= 1;
}

static bool other_needed(const void *state)
{
    return ((const struct kit_optional *)state)->other != 0;
}

static const struct gw_field second_fields[] = {
    GW_FIELD_U16(struct kit_optional, second),
    GW_FIELD_END,
};

static const struct gw_vmstate second_vmstate = {
    .name = "kit-optional/first/second",
    .version = 1,
    .min_version = 1,
    .fields = second_fields,
    .needed = second_needed,
};

static const struct gw_vmstate *const first_subsections[] = {&second_vmstate,
                                                             NULL};

static const struct gw_field first_fields[] = {
    GW_FIELD_U64(struct kit_optional, first),
    GW_FIELD_END,
};

static const struct gw_vmstate first_vmstate = {
    .name = "kit-optional/first",
    .version = 1,
    .min_version = 1,
    .fields = first_fields,
    .subsections = first_subsections,
    .needed = first_needed,
};

static const struct gw_field other_fields[] = {
    GW_FIELD_U8(struct kit_optional, other),
    GW_FIELD_END,
};

static const struct gw_vmstate other_vmstate = {
    .name = "kit-optional/other",
    .version = 2,
    .min_version = 1,
    .fields = other_fields,
    .needed = other_needed,
};

static const struct gw_field optional_fields[] = {
    GW_FIELD_U32(struct kit_optional, always),
    GW_FIELD_U32(struct kit_optional, level),
    GW_FIELD_END,
};

static const struct gw_vmstate *const optional_subsections[] = {
    &first_vmstate, &other_vmstate, NULL};

/* What a subsection that is not sent means. */
static int optional_pre_load(void *state, struct gw_error **errp)
{
    struct kit_optional *optional = state;

    optional->first = 0;
    optional->second = 0;
    optional->other = 0;
    return 0;
}

static int optional_post_load(void *state, uint32_t version,
                              struct gw_error **errp)
{
    struct kit_optional *optional = state;

    optional->loaded_version = version;
    if (optional->level > 2) {
        return gw_error_set(errp, -EBADMSG, "level %u is above 2",
                            (unsigned int)optional->level);
    }
    return 0;
}

static const struct gw_vmstate optional_vmstate = {
    .name = "kit-optional",
    .version = 5,
    .min_version = 5,
    .size = sizeof(struct kit_optional),
    .fields = optional_fields,
    .subsections = optional_subsections,
    .pre_load = optional_pre_load,
    .post_load = optional_post_load,
};

void kit_devices_init(struct kit_devices *devices)
{
    struct kit_nested *nested = &devices->nested;
    size_t i;

    memset(devices, 0, sizeof(*devices));
    devices->scalars[0].revision = 0xcafe0000;
    devices->scalars[1].revision = 0xcafe0001;
    nested->pointed = &nested->target;
    for (i = 0; i < 4; i += 2) {
        nested->maybe[i] = &nested->targets[i];
    }
}

void kit_devices_deinit(struct kit_devices *devices)
{
    free(devices->counted.u16s);
    free(devices->counted.bytes);
    free(devices->nested.allocated);
    list_clear(&devices->list);
}

static void add(struct gw_machine *machine, const struct gw_vmstate *vmstate,
                const char *path, uint32_t instance_id, void *state)
{
    struct gw_error *error = NULL;

    KIT_CHECK(gw_machine_add_device(machine, vmstate, path, instance_id, state,
                                    NULL, &error) == 0,
              "%s: %s", vmstate->name, gw_error_text(error));
}

void kit_devices_add(struct kit_devices *devices, unsigned int kinds,
                     struct gw_machine *machine)
{
    if (kinds & 1u << KIT_SCALARS) {
        add(machine, &scalars_vmstate, NULL, 0, &devices->scalars[0]);
        add(machine, &scalars_vmstate, NULL, 7, &devices->scalars[1]);
    }
    if (kinds & 1u << KIT_ARRAYS) {
        add(machine, &arrays_vmstate, NULL, 0, &devices->arrays);
    }
    if (kinds & 1u << KIT_COUNTED) {
        add(machine, &counted_vmstate, "0000:00:03.0", 0, &devices->counted);
    }
    if (kinds & 1u << KIT_NESTED) {
        add(machine, &nested_vmstate, NULL, 0, &devices->nested);
    }
    if (kinds & 1u << KIT_LIST) {
        add(machine, &list_vmstate, NULL, 0, &devices->list);
    }
    if (kinds & 1u << KIT_OPTIONAL) {
        add(machine, &optional_vmstate, NULL, 0, &devices->optional);
    }
}

/*
 * What QEMU's -dump-vmstate writes (control spec 7.2): the tables of every
 * device type that the program knows. Which of them a machine has is not in
 * it, and neither is what is no device of QEMU's device model: RAM, vCPUs,
 * timers. Sizes are those of members in memory.
 */
#include "vmstate/compat_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_vmstate(const json_t *object,
                         struct gw_compat_vmstate *vmstate,
                         struct gw_error **errp);

static int parse_field(const json_t *object, struct gw_compat_field *field,
                       const char *where, struct gw_error **errp)
{
    const json_t *inner = json_object_get(object, "Description");
    int r = gw_compat_get_string(object, "field", where, &field->name, errp);

    field->size = GW_COMPAT_NO_SIZE;
    field->n = GW_COMPAT_NO_SIZE;
    field->size_in_memory = true;
    field->is_conditional =
        json_is_true(json_object_get(object, "field_exists"));
    if (r == 0) {
        r = gw_compat_get_u32(object, "version_id", field->name, &field->since,
                              errp);
    }
    if (r == 0) {
        r = gw_compat_get_uint(object, "size", field->name, INT64_MAX,
                               &field->size, errp);
    }
    if (r == 0) {
        r = gw_compat_get_uint(object, "num", field->name, INT64_MAX, &field->n,
                               errp);
    }
    if (r < 0 || !inner) {
        return r;
    }
    field->inner = calloc(1, sizeof(*field->inner));
    if (!field->inner) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    return parse_vmstate(inner, field->inner, errp);
}

static int parse_fields(const json_t *object, struct gw_compat_vmstate *vmstate,
                        struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(object, "Fields", vmstate->name,
                                GW_COMPAT_FIELDS_MAX, sizeof(*vmstate->fields),
                                &array, &vmstate->fields, errp);

    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        /* Counted first, so that a half-parsed one is freed. */
        vmstate->n_fields++;
        r = parse_field(json_array_get(array, i), &vmstate->fields[i],
                        vmstate->name, errp);
    }
    return r;
}

static int parse_subsections(const json_t *object,
                             struct gw_compat_vmstate *vmstate,
                             struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(
        object, "Subsections", vmstate->name, GW_COMPAT_SUBSECTIONS_MAX,
        sizeof(*vmstate->subsections), &array, &vmstate->subsections, errp);

    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        vmstate->n_subsections++;
        vmstate->subsections[i].is_conditional = true;
        r = parse_vmstate(json_array_get(array, i), &vmstate->subsections[i],
                          errp);
    }
    return r;
}

static int parse_vmstate(const json_t *object,
                         struct gw_compat_vmstate *vmstate,
                         struct gw_error **errp)
{
    int r =
        gw_compat_get_string(object, "name", "vmstate", &vmstate->name, errp);

    if (r == 0) {
        r = gw_compat_get_u32(object, "version_id", vmstate->name,
                              &vmstate->version, errp);
    }
    if (r == 0) {
        r = gw_compat_get_u32(object, "minimum_version_id", vmstate->name,
                              &vmstate->min_version, errp);
    }
    vmstate->has_min_version = true;
    vmstate->knows_fields = true;
    if (r == 0) {
        r = parse_fields(object, vmstate, errp);
    }
    if (r == 0) {
        r = parse_subsections(object, vmstate, errp);
    }
    return r;
}

static int parse_device(const char *type, const json_t *object,
                        struct gw_compat_machine *machine,
                        struct gw_error **errp)
{
    struct gw_compat_vmstate *vmstate =
        &machine->vmstates[machine->n_vmstates++];
    const json_t *description = json_object_get(object, "Description");
    int r;

    machine->devices[machine->n_devices++] =
        (struct gw_compat_device){.idstr = type, .vmstate = vmstate};
    vmstate->name = "";
    if (!description) {
        return gw_compat_bad(errp, type, "no 'Description'");
    }
    r = parse_vmstate(description, vmstate, errp);
    return r < 0 ? gw_error_prefix(errp, r, "type '%s'", type) : 0;
}

static int parse_devices(json_t *object, struct gw_compat_machine *machine,
                         struct gw_error **errp)
{
    const char *key;
    json_t *value;
    int r = 0;

    json_object_foreach(object, key, value)
    {
        if (r == 0 && strcmp(key, "vmschkmachine") != 0) {
            r = parse_device(key, value, machine, errp);
        }
    }
    return r;
}

int gw_compat_from_dump(json_t *object, struct gw_compat_machine *machine,
                        struct gw_error **errp)
{
    size_t n = json_object_size(object);
    int r = gw_compat_get_string(json_object_get(object, "vmschkmachine"),
                                 "Name", "vmschkmachine", &machine->name, errp);

    machine->source = GW_COMPAT_DUMP;
    if (r < 0) {
        return r;
    }
    if (n > GW_COMPAT_DEVICES_MAX) {
        return gw_error_set(errp, -EOVERFLOW,
                            "machine description: %zu types, more than %d", n,
                            GW_COMPAT_DEVICES_MAX);
    }
    machine->vmstates = calloc(n, sizeof(*machine->vmstates));
    machine->devices = calloc(n, sizeof(*machine->devices));
    if (!machine->vmstates || !machine->devices) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    return parse_devices(object, machine, errp);
}

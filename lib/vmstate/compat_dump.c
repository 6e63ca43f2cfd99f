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

static const struct gw_compat_spelling spelling = {
    .field = "field",
    .since = "version_id",
    .count = "num",
    .inner = "Description",
    .conditional_field = "field_exists",
    .fields = "Fields",
    .subsections = "Subsections",
    .version = "version_id",
    .min_version = "minimum_version_id",
    .count_unless_said = GW_COMPAT_NO_SIZE,
    .sizes_in_memory = true,
    .is_complete = true,
};

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
    r = gw_compat_parse_vmstate(&spelling, description, vmstate, errp);
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
    machine->knows_devices = true;
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

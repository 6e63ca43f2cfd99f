/*
 * Our own form of a description: the answer of x-query-machine-description
 * (control spec 7.1), which files are brought into as well.
 */
#include "vmstate/compat_json.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

const char *const gw_compat_capability_names[GW_COMPAT_CAPABILITIES] = {
    [GW_COMPAT_MAPPED_RAM] = "mapped-ram",
    [GW_COMPAT_IGNORE_SHARED] = "x-ignore-shared",
    [GW_COMPAT_VALIDATE_UUID] = "validate-uuid",
};

const char *const gw_compat_rule_names[GW_COMPAT_RULES] = {
    [GW_TRAIT_SAME] = "same",
    [GW_TRAIT_ALL_BITS] = "all-bits",
    [GW_TRAIT_AT_LEAST] = "at-least",
};

/*
 * ---- vmstates ----
 */

static const struct gw_compat_spelling spelling = {
    .field = "name",
    .type = "type",
    .since = "since",
    .count = "count",
    .inner = "struct",
    .conditional_field = "conditional",
    .fields = "fields",
    .subsections = "subsections",
    .version = "version",
    .min_version = "minimum-version",
    .count_unless_said = 1,
};

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static int parse_vmstates(const json_t *object,
                          struct gw_compat_machine *machine,
                          struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(
        object, "vmstates", "top", GW_COMPAT_DEVICES_MAX,
        sizeof(*machine->vmstates), &array, &machine->vmstates, errp);

    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        machine->n_vmstates++;
        r = gw_compat_parse_vmstate(&spelling, json_array_get(array, i),
                                    &machine->vmstates[i], errp);
    }
    return r;
}

/*
 * ---- Devices and blocks ----
 */

static int parse_trait(const json_t *object, const char *where,
                       struct gw_trait *trait, struct gw_error **errp)
{
    const char *rule = NULL;
    int r = gw_compat_get_string(object, "name", where, &trait->name, errp);

    if (r == 0) {
        r = gw_compat_get_string(object, "rule", trait->name, &rule, errp);
    }
    if (r == 0) {
        r = gw_compat_get_uint(object, "value", trait->name, INT64_MAX,
                               &trait->value, errp);
    }
    for (size_t i = 0; r == 0 && i < GW_COMPAT_RULES; i++) {
        if (strcmp(rule, gw_compat_rule_names[i]) == 0) {
            trait->rule = (enum gw_trait_rule)i;
            return 0;
        }
    }
    return r < 0 ? r : gw_compat_bad(errp, trait->name, "'rule' is not known");
}

static int parse_traits(const json_t *object, struct gw_compat_device *device,
                        struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(object, "traits", device->idstr, GW_TRAITS_MAX,
                                sizeof(*device->traits), &array,
                                &device->traits, errp);

    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        r = parse_trait(json_array_get(array, i), device->idstr,
                        &device->traits[device->n_traits++], errp);
    }
    return r;
}

static int parse_device(const json_t *object, struct gw_compat_machine *machine,
                        struct gw_compat_device *device, struct gw_error **errp)
{
    uint64_t index = UINT64_MAX;
    int r =
        gw_compat_get_string(object, "name", "device", &device->idstr, errp);

    if (r == 0) {
        r = gw_compat_get_u32(object, "instance", device->idstr,
                              &device->instance_id, errp);
    }
    if (r == 0) {
        r = gw_compat_get_uint(object, "vmstate", device->idstr, INT64_MAX,
                               &index, errp);
    }
    if (r == 0 && index >= machine->n_vmstates) {
        r = gw_compat_bad(errp, device->idstr,
                          "'vmstate' is not the number of one of 'vmstates'");
    }
    if (r == 0) {
        device->vmstate = &machine->vmstates[index];
        r = parse_traits(object, device, errp);
    }
    return r;
}

static int parse_devices(const json_t *object,
                         struct gw_compat_machine *machine,
                         struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(object, "devices", "top", GW_COMPAT_DEVICES_MAX,
                                sizeof(*machine->devices), &array,
                                &machine->devices, errp);

    machine->knows_devices = array != NULL;
    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        machine->n_devices++;
        r = parse_device(json_array_get(array, i), machine,
                         &machine->devices[i], errp);
    }
    return r;
}

static int parse_block(const json_t *object, struct gw_compat_block *block,
                       struct gw_error **errp)
{
    int r = gw_compat_get_string(object, "name", "block", &block->idstr, errp);

    block->max_length = GW_COMPAT_NO_SIZE;
    block->is_resizeable = is_true(object, "resizeable");
    if (r == 0 && !json_object_get(object, "used-length")) {
        r = gw_compat_bad(errp, block->idstr, "no 'used-length'");
    }
    if (r == 0) {
        r = gw_compat_get_uint(object, "used-length", block->idstr, INT64_MAX,
                               &block->used_length, errp);
    }
    if (r == 0) {
        r = gw_compat_get_uint(object, "max-length", block->idstr, INT64_MAX,
                               &block->max_length, errp);
    }
    return r;
}

static int parse_blocks(const json_t *object, struct gw_compat_machine *machine,
                        struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(object, "blocks", "top", GW_COMPAT_BLOCKS_MAX,
                                sizeof(*machine->blocks), &array,
                                &machine->blocks, errp);

    machine->knows_blocks = array != NULL;
    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        machine->n_blocks++;
        r = parse_block(json_array_get(array, i), &machine->blocks[i], errp);
    }
    return r;
}

/*
 * ---- The machine ----
 */

static int parse_blockers(const json_t *object,
                          struct gw_compat_machine *machine,
                          struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(
        object, "blockers", "top", GW_COMPAT_BLOCKERS_MAX,
        sizeof(*machine->blockers), &array, &machine->blockers, errp);

    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        const char *reason = json_string_value(json_array_get(array, i));

        machine->blockers[machine->n_blockers++] = reason;
        if (!reason) {
            r = gw_compat_bad(errp, "blockers", "not a string");
        }
    }
    return r;
}

static int parse_leaf(const json_t *object, struct gw_compat_leaf *leaf,
                      struct gw_error **errp)
{
    static const char *const names[] = {"eax", "ebx", "ecx", "edx"};
    size_t i;
    int r = gw_compat_get_u32(object, "leaf", "cpuid", &leaf->leaf, errp);

    if (r == 0) {
        r = gw_compat_get_u32(object, "subleaf", "cpuid", &leaf->subleaf, errp);
    }
    for (i = 0; r == 0 && i < 4; i++) {
        r = gw_compat_get_u32(object, names[i], "cpuid", &leaf->registers[i],
                              errp);
    }
    return r;
}

static int parse_leaves(const json_t *object, struct gw_compat_machine *machine,
                        struct gw_error **errp)
{
    const json_t *array = NULL;
    size_t i;
    int r = gw_compat_get_array(object, "cpuid", "top", GW_COMPAT_LEAVES_MAX,
                                sizeof(*machine->leaves), &array,
                                &machine->leaves, errp);

    machine->knows_cpu = array != NULL;
    for (i = 0; r == 0 && i < json_array_size(array); i++) {
        machine->n_leaves++;
        r = parse_leaf(json_array_get(array, i), &machine->leaves[i], errp);
    }
    return r;
}

static void parse_capabilities(const json_t *object,
                               struct gw_compat_machine *machine)
{
    const json_t *on = json_object_get(object, "capabilities");
    size_t i;

    for (i = 0; i < GW_COMPAT_CAPABILITIES; i++) {
        const json_t *value =
            json_object_get(on, gw_compat_capability_names[i]);

        machine->knows_capability[i] = json_is_boolean(value);
        machine->capability[i] = json_is_true(value);
    }
}

/* 32 hexadecimal digits; dashes between them are for people. */
static int parse_uuid(const json_t *object, struct gw_compat_machine *machine,
                      struct gw_error **errp)
{
    static const char digits[] = "0123456789abcdef";
    const char *text = json_string_value(json_object_get(object, "uuid"));
    size_t n = 0;

    machine->has_uuid = text != NULL;
    for (; text && *text; text++) {
        const char *digit = strchr(digits, *text);

        if (*text == '-') {
            continue;
        }
        if (!digit || n == 2 * sizeof(machine->uuid)) {
            return gw_compat_bad(errp, "uuid", "not 32 hexadecimal digits");
        }
        machine->uuid[n / 2] =
            (uint8_t)(machine->uuid[n / 2] << 4 | (uint8_t)(digit - digits));
        n++;
    }
    if (machine->has_uuid && n != 2 * sizeof(machine->uuid)) {
        return gw_compat_bad(errp, "uuid", "not 32 hexadecimal digits");
    }
    return 0;
}

static int parse_source(const char *name, struct gw_compat_machine *machine,
                        struct gw_error **errp)
{
    static const struct {
        const char *name;
        enum gw_compat_source source;
    } known[] = {
        {"machine", GW_COMPAT_MACHINE},
        {"file", GW_COMPAT_FILE},
        {"qemu", GW_COMPAT_QEMU},
    };
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(known); i++) {
        if (strcmp(known[i].name, name) == 0) {
            machine->source = known[i].source;
            return 0;
        }
    }
    return gw_compat_bad(errp, "source",
                         "neither 'machine', 'file' nor 'qemu'");
}

static int parse_head(const json_t *object, struct gw_compat_machine *machine,
                      struct gw_error **errp)
{
    uint32_t version = 0;
    const char *source = NULL;
    int r = gw_compat_get_u32(object, GW_COMPAT_MARK, "top", &version, errp);

    if (r == 0 && version != GW_COMPAT_VERSION) {
        return gw_error_set(errp, -EBADMSG,
                            "machine description: version %u, expected %d",
                            version, GW_COMPAT_VERSION);
    }
    if (r == 0) {
        r = gw_compat_get_string(object, "source", "top", &source, errp);
    }
    if (r == 0) {
        r = gw_compat_get_string(object, "machine", "top", &machine->name,
                                 errp);
    }
    return r < 0 ? r : parse_source(source, machine, errp);
}

int gw_compat_from_description(json_t *object,
                               struct gw_compat_machine *machine,
                               struct gw_error **errp)
{
    int (*const steps[])(const json_t *, struct gw_compat_machine *,
                         struct gw_error **) = {
        parse_head,    parse_uuid,     parse_blocks, parse_vmstates,
        parse_devices, parse_blockers, parse_leaves,
    };
    size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int r = steps[i](object, machine, errp);

        if (r < 0) {
            return r;
        }
    }
    parse_capabilities(object, machine);
    return 0;
}

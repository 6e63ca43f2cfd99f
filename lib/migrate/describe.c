/*
 * The description of a machine of this process, as JSON.
 *
 * Only tables and what is constant of a device are looked at, never its
 * state: the guest may run.
 */
#include <godwit/compat.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <godwit/migration.h>

#include "machine/machine.h"
#include "migrate/globalstate.h"
#include "ram/block.h"
#include "vmstate/compat.h"
#include "vmstate/table_json.h"

static void put_uuid(json_t *object, const uint8_t uuid[16])
{
    char text[37];
    char *at = text;
    size_t i;

    for (i = 0; i < 16; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";

        at += sprintf(at, "%s%02x", dash, uuid[i]);
    }
    json_object_set_new(object, "uuid", json_string(text));
}

static json_t *blocks_json(const struct gw_machine *machine)
{
    const struct gw_ram_block *block;
    json_t *array = json_array();

    for (block = machine->blocks; block; block = block->next) {
        json_array_append_new(
            array,
            json_pack("{s:s, s:I, s:I, s:b, s:b, s:b}", "name", block->idstr,
                      "used-length", (json_int_t)block->used_length,
                      "max-length", (json_int_t)block->max_length, "resizeable",
                      (block->flags & GW_RAM_RESIZEABLE) != 0, "shared",
                      (block->flags & GW_RAM_SHARED) != 0, "readonly",
                      (block->flags & GW_RAM_READONLY) != 0));
    }
    return array;
}

/* The number of a device's table in the list; devices of a kind share it. */
static size_t table_of(const struct gw_machine *machine,
                       const struct gw_device *device, json_t *tables,
                       json_t *devices)
{
    const struct gw_device *other;
    size_t i = 0;

    for (other = machine->devices; other != device; other = other->next) {
        if (other->vmstate == device->vmstate) {
            return (size_t)json_integer_value(
                json_object_get(json_array_get(devices, i), "vmstate"));
        }
        i++;
    }
    json_array_append_new(tables, gw_vmstate_table_json(device->vmstate));
    return json_array_size(tables) - 1;
}

static json_t *put_device(json_t *devices, const char *idstr,
                          uint32_t instance_id, size_t table)
{
    json_t *object =
        json_pack("{s:s, s:I, s:I}", "name", idstr, "instance",
                  (json_int_t)instance_id, "vmstate", (json_int_t)table);

    json_array_append_new(devices, object);
    return object;
}

static void put_traits(json_t *object, const struct gw_device *device)
{
    json_t *array = json_array();
    size_t i;

    for (i = 0; i < device->n_traits; i++) {
        const struct gw_trait *trait = &device->traits[i];

        json_array_append_new(
            array, json_pack("{s:s, s:s, s:I}", "name", trait->name, "rule",
                             gw_compat_rule_names[trait->rule], "value",
                             (json_int_t)trait->value));
    }
    json_object_set_new(object, "traits", array);
}

/* The stream's own section, which every loader of ours knows. */
static void put_globalstate(json_t *tables, json_t *devices)
{
    json_t *table = gw_vmstate_table_json(&gw_globalstate_vmstate);

    json_object_set_new(table, "conditional", json_true());
    json_array_append_new(tables, table);
    put_device(devices, GW_GLOBALSTATE_IDSTR, 0, json_array_size(tables) - 1);
}

static void put_devices(json_t *object, const struct gw_machine *machine)
{
    const struct gw_device *device;
    json_t *tables = json_array();
    json_t *devices = json_array();

    for (device = machine->devices; device; device = device->next) {
        json_t *member = put_device(devices, device->idstr, device->instance_id,
                                    table_of(machine, device, tables, devices));

        if (device->n_traits) {
            put_traits(member, device);
        }
    }
    put_globalstate(tables, devices);
    json_object_set_new(object, "vmstates", tables);
    json_object_set_new(object, "devices", devices);
}

static void put_blockers(json_t *object, const struct gw_machine *machine)
{
    const struct gw_blocker *blocker;
    json_t *array = json_array();

    for (blocker = machine->blockers; blocker; blocker = blocker->next) {
        json_array_append_new(array, json_string(blocker->reason));
    }
    json_object_set_new(object, "blockers", array);
}

static void put_cpuid(json_t *object, const struct gw_machine *machine)
{
    json_t *array;
    size_t i;

    if (!machine->cpuid) {
        return;
    }
    array = json_array();
    for (i = 0; i < machine->n_cpuid; i++) {
        const struct gw_cpuid_leaf *leaf = &machine->cpuid[i];

        json_array_append_new(
            array,
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "leaf",
                      (json_int_t)leaf->leaf, "subleaf",
                      (json_int_t)leaf->subleaf, "eax", (json_int_t)leaf->eax,
                      "ebx", (json_int_t)leaf->ebx, "ecx",
                      (json_int_t)leaf->ecx, "edx", (json_int_t)leaf->edx));
    }
    json_object_set_new(object, "cpuid", array);
}

static void put_capabilities(json_t *object, const struct gw_settings *settings)
{
    static const enum gw_capability which[GW_COMPAT_CAPABILITIES] = {
        [GW_COMPAT_MAPPED_RAM] = GW_CAP_MAPPED_RAM,
        [GW_COMPAT_IGNORE_SHARED] = GW_CAP_X_IGNORE_SHARED,
        [GW_COMPAT_VALIDATE_UUID] = GW_CAP_VALIDATE_UUID,
    };
    json_t *on = json_object();
    size_t i;

    for (i = 0; i < GW_COMPAT_CAPABILITIES; i++) {
        json_object_set_new(on, gw_compat_capability_names[i],
                            json_boolean(settings->capabilities[which[i]]));
    }
    json_object_set_new(object, "capabilities", on);
}

char *gw_machine_describe(struct gw_machine *machine,
                          const struct gw_settings *settings)
{
    json_t *object =
        json_pack("{s:i, s:s, s:s, s:s}", GW_COMPAT_MARK, GW_COMPAT_VERSION,
                  "source", "machine", "machine", machine->name, "status",
                  gw_run_state_name(gw_machine_run_state(machine)));
    char *text;

    if (!object) {
        return NULL;
    }
    pthread_mutex_lock(&machine->lock);
    if (machine->has_uuid) {
        put_uuid(object, machine->uuid);
    }
    json_object_set_new(object, "blocks", blocks_json(machine));
    put_devices(object, machine);
    put_blockers(object, machine);
    put_cpuid(object, machine);
    pthread_mutex_unlock(&machine->lock);
    if (settings) {
        put_capabilities(object, settings);
    }
    text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    return text;
}

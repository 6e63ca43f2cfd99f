/*
 * From JSON to descriptions of machines: the outermost step, and members.
 */
#include "vmstate/compat_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmstate/layout.h"

int gw_compat_bad(struct gw_error **errp, const char *where, const char *what)
{
    return gw_error_set(errp, -EBADMSG, "machine description: %s: %s", where,
                        what);
}

int gw_compat_get_string(const json_t *object, const char *key,
                         const char *where, const char **ret,
                         struct gw_error **errp)
{
    const char *value = json_string_value(json_object_get(object, key));

    if (!value) {
        return gw_error_set(errp, -EBADMSG,
                            "machine description: %s: no string '%s'", where,
                            key);
    }
    *ret = value;
    return 0;
}

int gw_compat_get_uint(const json_t *object, const char *key, const char *where,
                       uint64_t max, uint64_t *ret, struct gw_error **errp)
{
    const json_t *value = json_object_get(object, key);

    if (!value) {
        return 0;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max) {
        return gw_error_set(errp, -EBADMSG,
                            "machine description: %s: '%s' is not a number "
                            "from 0 to %" PRIu64,
                            where, key, max);
    }
    *ret = (uint64_t)json_integer_value(value);
    return 0;
}

int gw_compat_get_u32(const json_t *object, const char *key, const char *where,
                      uint32_t *ret, struct gw_error **errp)
{
    uint64_t value = *ret;
    int r = gw_compat_get_uint(object, key, where, UINT32_MAX, &value, errp);

    *ret = (uint32_t)value;
    return r;
}

int gw_compat_get_array(const json_t *object, const char *key,
                        const char *where, size_t max, size_t size,
                        const json_t **ret_array, void *ret_items,
                        struct gw_error **errp)
{
    const json_t *array = json_object_get(object, key);
    size_t n = json_array_size(array);
    void *items;

    if (array && !json_is_array(array)) {
        return gw_error_set(errp, -EBADMSG,
                            "machine description: %s: '%s' is not an array",
                            where, key);
    }
    if (n > max) {
        return gw_error_set(errp, -EOVERFLOW,
                            "machine description: %s: %zu '%s', more than %zu",
                            where, n, key, max);
    }
    items = calloc(n ? n : 1, size);
    if (!items) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    memcpy(ret_items, &items, sizeof(items));
    *ret_array = array;
    return 0;
}

static void cleanup_machine(struct gw_compat_machine **machine)
{
    gw_compat_machine_free(*machine);
}

/* The two forms are told apart by their first keys. */
static int fill(json_t *object, struct gw_compat_machine *machine,
                struct gw_error **errp)
{
    json_t *answer = json_object_get(object, "return");

    /* The reply of QMP, as a whole. */
    if (answer) {
        object = answer;
    }
    if (json_object_get(object, GW_COMPAT_MARK)) {
        return gw_compat_from_description(object, machine, errp);
    }
    if (json_object_get(object, "vmschkmachine")) {
        return gw_compat_from_dump(object, machine, errp);
    }
    return gw_compat_bad(errp, "top",
                         "neither an answer of x-query-machine-description "
                         "nor QEMU's -dump-vmstate");
}

int gw_compat_machine_parse(const char *text, size_t size,
                            struct gw_compat_machine **ret_machine,
                            struct gw_error **errp)
{
    GW_CLEANUP(cleanup_machine) struct gw_compat_machine *machine = NULL;
    json_error_t error;
    int r = gw_layout_check_bounds(text, size, "machine description", errp);

    if (r < 0) {
        return r;
    }
    machine = calloc(1, sizeof(*machine));
    if (!machine) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    machine->name = "";
    machine->json = json_loadb(text, size, 0, &error);
    if (!json_is_object((json_t *)machine->json)) {
        return gw_error_set(errp, -EBADMSG,
                            "machine description: not a JSON object: %s, "
                            "byte %d",
                            machine->json ? "another value" : error.text,
                            machine->json ? 0 : error.position);
    }
    r = fill(machine->json, machine, errp);
    if (r == 0) {
        *ret_machine = gw_take(&machine);
    }
    return r;
}

static void deinit_field(struct gw_compat_field *field)
{
    if (field->inner) {
        gw_compat_vmstate_deinit(field->inner);
        free(field->inner);
    }
}

void gw_compat_vmstate_deinit(struct gw_compat_vmstate *vmstate)
{
    size_t i;

    for (i = 0; i < vmstate->n_fields; i++) {
        deinit_field(&vmstate->fields[i]);
    }
    free(vmstate->fields);
    for (i = 0; i < vmstate->n_subsections; i++) {
        gw_compat_vmstate_deinit(&vmstate->subsections[i]);
    }
    free(vmstate->subsections);
}

struct gw_compat_machine *
gw_compat_machine_free(struct gw_compat_machine *machine)
{
    size_t i;

    if (!machine) {
        return NULL;
    }
    for (i = 0; i < machine->n_vmstates; i++) {
        gw_compat_vmstate_deinit(&machine->vmstates[i]);
    }
    for (i = 0; i < machine->n_devices; i++) {
        free(machine->devices[i].traits);
    }
    free(machine->vmstates);
    free(machine->blocks);
    free(machine->devices);
    free(machine->blockers);
    free(machine->leaves);
    json_decref(machine->json);
    free(machine);
    return NULL;
}

enum gw_compat_source
gw_compat_machine_source(const struct gw_compat_machine *machine)
{
    return machine->source;
}

const char *gw_compat_machine_name(const struct gw_compat_machine *machine)
{
    return machine->name;
}

/*
 * VM descriptions, parsed.
 *
 * jansson builds the document; before that a scan of the text bounds what it
 * can cost. The tree lends its strings from the document.
 */
#include "vmstate/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"

/* A head in the stream: mark, length of the name, the name, version. */
#define SUBSECTION_HEAD_SIZE(name_len) (1 + 1 + (name_len) + 4)

static int bad(struct gw_error **errp, const char *where, const char *what)
{
    return gw_error_set(errp, -EBADMSG, "VM description: %s: %s", where, what);
}

/*
 * ---- Bounds ----
 */

/* Skips a string; `pos` is behind its opening quote. */
static size_t skip_string(const char *text, size_t size, size_t pos)
{
    while (pos < size && text[pos] != '"') {
        pos += text[pos] == '\\' ? 2 : 1;
    }
    return pos + 1;
}

/* What the text would cost to parse; its syntax is the parser's to check. */
int gw_layout_check_bounds(const char *text, size_t size, const char *what,
                           struct gw_error **errp)
{
    size_t pos = 0, n_values = 0;
    unsigned int depth = 0;
    char c;

    if (size > GW_LAYOUT_TEXT_MAX) {
        return gw_error_set(errp, -EOVERFLOW, "%s: %zu bytes, more than %u",
                            what, size, GW_LAYOUT_TEXT_MAX);
    }
    while (pos < size) {
        c = text[pos++];
        if (c == '"') {
            pos = skip_string(text, size, pos);
        } else if (c == '{' || c == '[') {
            depth++;
            n_values++;
        } else if (c == ',') {
            n_values++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth > GW_LAYOUT_DEPTH_MAX || n_values > GW_LAYOUT_VALUES_MAX) {
            return gw_error_set(errp, -EOVERFLOW,
                                "%s: more than %u levels or %u values at byte "
                                "%zu",
                                what, GW_LAYOUT_DEPTH_MAX, GW_LAYOUT_VALUES_MAX,
                                pos);
        }
    }
    return 0;
}

/*
 * ---- Members of objects ----
 */

static int get_string(const json_t *object, const char *key, const char *where,
                      const char **ret, struct gw_error **errp)
{
    const char *value = json_string_value(json_object_get(object, key));

    if (!value) {
        return gw_error_set(errp, -EBADMSG,
                            "VM description: %s: no string '%s'", where, key);
    }
    *ret = value;
    return 0;
}

/* An integer from 0 to `max`. */
static int get_number(const json_t *object, const char *key, const char *where,
                      uint64_t max, uint64_t *ret, struct gw_error **errp)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max) {
        return gw_error_set(errp, -EBADMSG,
                            "VM description: %s: '%s' is not a number from 0 "
                            "to %" PRIu64,
                            where, key, max);
    }
    *ret = (uint64_t)json_integer_value(value);
    return 0;
}

/*
 * ---- vmstates and fields ----
 */

static int parse_vmstate(const json_t *object, struct gw_layout_vmstate *ret,
                         struct gw_error **errp);

static void deinit_vmstate(struct gw_layout_vmstate *vmstate)
{
    size_t i;

    for (i = 0; i < vmstate->n_fields; i++) {
        if (vmstate->fields[i].inner) {
            deinit_vmstate(vmstate->fields[i].inner);
            free(vmstate->fields[i].inner);
        }
    }
    free(vmstate->fields);
    for (i = 0; i < vmstate->n_subsections; i++) {
        deinit_vmstate(&vmstate->subsections[i]);
    }
    free(vmstate->subsections);
    memset(vmstate, 0, sizeof(*vmstate));
}

/*
 * Parts that do not add up to the size of the field: a wrapper of which only
 * the last element can be seen. The field is then taken as a whole.
 */
static void drop_unless_whole(struct gw_layout_field *field)
{
    if (field->inner->size != field->size) {
        deinit_vmstate(field->inner);
        free(field->inner);
        field->inner = NULL;
    }
}

static int parse_inner(const json_t *object, struct gw_layout_field *field,
                       struct gw_error **errp)
{
    const json_t *inner = json_object_get(object, "struct");
    int r;

    if (!inner && json_object_get(object, "fields")) {
        inner = object;
    }
    if (!inner) {
        return 0;
    }
    field->inner = calloc(1, sizeof(*field->inner));
    if (!field->inner) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    r = parse_vmstate(inner, field->inner, errp);
    if (r < 0) {
        return r;
    }
    drop_unless_whole(field);
    return 0;
}

static int parse_array(const json_t *object, struct gw_layout_field *field,
                       struct gw_error **errp)
{
    uint64_t value = 0;
    int r = 0;

    field->n = 1;
    field->index = -1;
    if (json_object_get(object, "array_len")) {
        r = get_number(object, "array_len", field->name, INT64_MAX, &field->n,
                       errp);
        if (r == 0 && field->n == 0) {
            r = bad(errp, field->name, "an array without elements");
        }
    } else if (json_object_get(object, "index")) {
        r = get_number(object, "index", field->name, INT64_MAX, &value, errp);
        field->index = (int64_t)value;
    }
    return r;
}

static int parse_field(const json_t *object, struct gw_layout_field *field,
                       const char *where, struct gw_error **errp)
{
    int r;

    r = get_string(object, "name", where, &field->name, errp);
    if (r == 0) {
        r = get_string(object, "type", field->name, &field->type, errp);
    }
    if (r == 0) {
        r = get_number(object, "size", field->name, INT64_MAX, &field->size,
                       errp);
    }
    if (r == 0) {
        r = parse_array(object, field, errp);
    }
    return r == 0 ? parse_inner(object, field, errp) : r;
}

/*
 * The last element of an array that is described one by one has no index:
 * it goes on where the one before it was.
 */
static void complete_index(struct gw_layout_field *field,
                           const struct gw_layout_field *before)
{
    if (field->index < 0 && field->n == 1 && before->index >= 0 &&
        before->index < INT64_MAX && strcmp(field->name, before->name) == 0) {
        field->index = before->index + 1;
    }
}

static int add_size(struct gw_layout_vmstate *vmstate, uint64_t n,
                    uint64_t size, struct gw_error **errp)
{
    uint64_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes) ||
        __builtin_add_overflow(vmstate->size, bytes, &vmstate->size)) {
        return bad(errp, vmstate->name, "sizes do not fit in 64 bits");
    }
    return 0;
}

static int parse_fields(const json_t *array, struct gw_layout_vmstate *vmstate,
                        struct gw_error **errp)
{
    struct gw_layout_field *field;
    size_t i, n = json_array_size(array);
    int r;

    vmstate->fields = calloc(n ? n : 1, sizeof(*vmstate->fields));
    if (!vmstate->fields) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (i = 0; i < n; i++) {
        field = &vmstate->fields[i];
        /* Counted first, so that a half-parsed one is freed. */
        vmstate->n_fields++;
        r = parse_field(json_array_get(array, i), field, vmstate->name, errp);
        if (r == 0) {
            r = add_size(vmstate, field->n, field->size, errp);
        }
        if (r < 0) {
            return r;
        }
        if (i > 0) {
            complete_index(field, field - 1);
        }
    }
    return 0;
}

static int parse_subsections(const json_t *array,
                             struct gw_layout_vmstate *vmstate,
                             struct gw_error **errp)
{
    struct gw_layout_vmstate *sub;
    size_t i, n = json_array_size(array);
    int r;

    vmstate->subsections = calloc(n ? n : 1, sizeof(*vmstate->subsections));
    if (!vmstate->subsections) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (i = 0; i < n; i++) {
        sub = &vmstate->subsections[i];
        vmstate->n_subsections++;
        r = parse_vmstate(json_array_get(array, i), sub, errp);
        if (r == 0 && strlen(sub->name) > UINT8_MAX) {
            r = bad(errp, vmstate->name, "a subsection's name is too long");
        }
        if (r == 0) {
            r = add_size(vmstate, 1, SUBSECTION_HEAD_SIZE(strlen(sub->name)),
                         errp);
        }
        if (r == 0) {
            r = add_size(vmstate, 1, sub->size, errp);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int parse_vmstate(const json_t *object, struct gw_layout_vmstate *ret,
                         struct gw_error **errp)
{
    const json_t *fields = json_object_get(object, "fields");
    const json_t *subsections = json_object_get(object, "subsections");
    uint64_t version = 0;
    int r;

    r = get_string(object, "vmsd_name", "vmstate", &ret->name, errp);
    if (r < 0) {
        return r;
    }
    r = get_number(object, "version", ret->name, UINT32_MAX, &version, errp);
    if (r < 0) {
        return r;
    }
    ret->version = (uint32_t)version;
    if (!json_is_array(fields) ||
        (subsections && !json_is_array(subsections))) {
        return bad(errp, ret->name, "no array of fields or of subsections");
    }
    r = parse_fields(fields, ret, errp);
    if (r == 0 && subsections) {
        r = parse_subsections(subsections, ret, errp);
    }
    return r;
}

/*
 * ---- Devices ----
 */

/* Devices without a vmstate have fields only, and no name of one. */
static int parse_old_style(const json_t *object,
                           struct gw_layout_vmstate *vmstate,
                           struct gw_error **errp)
{
    vmstate->name = "";
    return parse_fields(json_object_get(object, "fields"), vmstate, errp);
}

static int parse_device(const json_t *object, struct gw_layout_device *device,
                        struct gw_error **errp)
{
    uint64_t instance_id = 0;
    int r;

    r = get_string(object, "name", "device", &device->idstr, errp);
    if (r == 0) {
        r = get_number(object, "instance_id", device->idstr, UINT32_MAX,
                       &instance_id, errp);
    }
    if (r < 0) {
        return r;
    }
    device->instance_id = (uint32_t)instance_id;
    if (json_object_get(object, "vmsd_name")) {
        r = parse_vmstate(object, &device->vmstate, errp);
    } else {
        r = parse_old_style(object, &device->vmstate, errp);
    }
    return r < 0 ? gw_error_prefix(errp, r, "device '%s'", device->idstr) : 0;
}

static int parse_devices(const json_t *array, struct gw_layout *layout,
                         struct gw_error **errp)
{
    size_t i, n = json_array_size(array);
    int r;

    if (!json_is_array(array)) {
        return bad(errp, "devices", "not an array");
    }
    layout->devices = calloc(n ? n : 1, sizeof(*layout->devices));
    if (!layout->devices) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (i = 0; i < n; i++) {
        layout->n_devices++;
        r = parse_device(json_array_get(array, i), &layout->devices[i], errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void cleanup_layout(struct gw_layout **layout)
{
    gw_layout_free(*layout);
}

int gw_layout_parse(const char *text, size_t size,
                    struct gw_layout **ret_layout, struct gw_error **errp)
{
    GW_CLEANUP(cleanup_layout) struct gw_layout *layout = NULL;
    json_error_t error;
    int r;

    r = gw_layout_check_bounds(text, size, "VM description", errp);
    if (r < 0) {
        return r;
    }
    layout = calloc(1, sizeof(*layout));
    if (!layout) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    layout->json = json_loadb(text, size, 0, &error);
    if (!json_is_object((json_t *)layout->json)) {
        return gw_error_set(errp, -EBADMSG,
                            "VM description: not a JSON object: %s, byte %d",
                            layout->json ? "another value" : error.text,
                            layout->json ? 0 : error.position);
    }
    if (json_object_get(layout->json, "page_size")) {
        r = get_number(layout->json, "page_size", "top", UINT32_MAX,
                       &layout->page_size, errp);
    }
    if (r == 0) {
        r = parse_devices(json_object_get(layout->json, "devices"), layout,
                          errp);
    }
    if (r == 0) {
        *ret_layout = gw_take(&layout);
    }
    return r;
}

struct gw_layout *gw_layout_free(struct gw_layout *layout)
{
    size_t i;

    if (layout) {
        for (i = 0; i < layout->n_devices; i++) {
            deinit_vmstate(&layout->devices[i].vmstate);
        }
        free(layout->devices);
        json_decref(layout->json);
        free(layout);
    }
    return NULL;
}

const struct gw_layout_device *gw_layout_find(const struct gw_layout *layout,
                                              const char *idstr,
                                              uint32_t instance_id)
{
    size_t i;

    for (i = 0; i < layout->n_devices; i++) {
        if (layout->devices[i].instance_id == instance_id &&
            strcmp(layout->devices[i].idstr, idstr) == 0) {
            return &layout->devices[i];
        }
    }
    return NULL;
}

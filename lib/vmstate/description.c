/*
 * The VM description, written while the devices are saved.
 *
 * QEMU compresses any array whose element has no existence tests and no
 * subsections. Elements with counted members, lists or pointers of their own
 * can differ in size as well, and then its description adds up to the wrong
 * length; here these are described one by one.
 */
#include "vmstate/description.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/field.h"

void gw_description_deinit(struct gw_description *description)
{
    gw_buffer_deinit(&description->text);
    description->need_comma = false;
}

/*
 * ---- JSON ----
 */

static void put_text(struct gw_description *d, const char *text)
{
    gw_buffer_put_bytes(&d->text, text, strlen(text));
}

/* The inside of a string. */
static void put_escaped(struct gw_description *d, const char *string)
{
    const unsigned char *c;

    for (c = (const unsigned char *)string; *c; c++) {
        if (*c == '"' || *c == '\\') {
            gw_buffer_put_u8(&d->text, '\\');
            gw_buffer_put_u8(&d->text, *c);
        } else if (*c < 0x20 || *c >= 0x7f) {
            /* Names are ASCII (gw_vmstate_check); this keeps it valid. */
            gw_buffer_printf(&d->text, "\\u%04x", *c);
        } else {
            gw_buffer_put_u8(&d->text, *c);
        }
    }
}

static void put_string(struct gw_description *d, const char *string)
{
    put_text(d, "\"");
    put_escaped(d, string);
    put_text(d, "\"");
}

/* A comma if needed, and the name of a member; NULL in arrays. */
static void put_name(struct gw_description *d, const char *name)
{
    if (d->need_comma) {
        put_text(d, ", ");
    }
    d->need_comma = true;
    if (name) {
        put_string(d, name);
        put_text(d, ": ");
    }
}

static void open_with(struct gw_description *d, const char *name,
                      const char *bracket)
{
    put_name(d, name);
    put_text(d, bracket);
    d->need_comma = false;
}

static void close_with(struct gw_description *d, const char *bracket)
{
    put_text(d, bracket);
    d->need_comma = true;
}

static void put_str(struct gw_description *d, const char *name,
                    const char *value)
{
    put_name(d, name);
    put_string(d, value);
}

static void put_int(struct gw_description *d, const char *name, uint64_t value)
{
    put_name(d, name);
    gw_buffer_printf(&d->text, "%" PRIu64, value);
}

/*
 * ---- The whole ----
 */

void gw_description_begin(struct gw_description *description)
{
    open_with(description, NULL, "{");
}

void gw_description_page_size(struct gw_description *description,
                              uint32_t page_size)
{
    put_int(description, "page_size", page_size);
    open_with(description, "devices", "[");
}

void gw_description_device_begin(struct gw_description *description,
                                 const char *idstr, uint32_t instance_id)
{
    open_with(description, NULL, "{");
    put_str(description, "name", idstr);
    put_int(description, "instance_id", instance_id);
}

void gw_description_device_end(struct gw_description *description)
{
    close_with(description, "}");
}

int gw_description_end(struct gw_description *description,
                       const char **ret_text, size_t *ret_size,
                       struct gw_error **errp)
{
    close_with(description, "]}");
    if (!gw_buffer_ok(&description->text)) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    *ret_text = (const char *)description->text.data;
    *ret_size = description->text.size;
    return 0;
}

/*
 * ---- The configuration section ----
 */

static void simple_field(struct gw_description *d, const char *name,
                         size_t array_len, const char *type, size_t size)
{
    open_with(d, NULL, "{");
    put_str(d, "name", name);
    if (array_len > 1) {
        put_int(d, "array_len", array_len);
    }
    put_str(d, "type", type);
    put_int(d, "size", size);
    close_with(d, "}");
}

static void config_subsection_begin(struct gw_description *d, const char *name)
{
    gw_description_subsection_begin(d);
    gw_description_fields_begin(d, name, 1);
}

static void config_subsection_end(struct gw_description *d)
{
    gw_description_fields_end(d);
    gw_description_subsection_end(d);
}

/* One FIELD each: names differ in length. */
static void config_capabilities(struct gw_description *d,
                                const char *const *names)
{
    size_t i;

    config_subsection_begin(d, "configuration/capabilities");
    simple_field(d, "caps_count", 1, "uint32", 4);
    for (i = 0; names[i]; i++) {
        open_with(d, NULL, "{");
        put_str(d, "name", "capabilities");
        if (names[i + 1]) {
            put_int(d, "index", i);
        }
        put_str(d, "type", "capability");
        put_int(d, "size", 1 + strlen(names[i]));
        close_with(d, "}");
    }
    config_subsection_end(d);
}

static void config_subsections(struct gw_description *d,
                               const struct gw_description_config *config)
{
    if (!config->capabilities && !config->has_page_bits && !config->has_uuid) {
        return;
    }
    gw_description_subsections_begin(d);
    if (config->has_page_bits) {
        config_subsection_begin(d, "configuration/target-page-bits");
        simple_field(d, "target_page_bits", 1, "uint32", 4);
        config_subsection_end(d);
    }
    if (config->capabilities) {
        config_capabilities(d, config->capabilities);
    }
    if (config->has_uuid) {
        config_subsection_begin(d, "configuration/uuid");
        simple_field(d, "uuid.data", 16, "uint8", 1);
        config_subsection_end(d);
    }
    gw_description_subsections_end(d);
}

void gw_description_configuration(struct gw_description *description,
                                  const struct gw_description_config *config)
{
    open_with(description, "configuration", "{");
    gw_description_fields_begin(description, "configuration", 1);
    simple_field(description, "len", 1, "uint32", 4);
    simple_field(description, "name", 1, "buffer",
                 strlen(config->machine_name));
    gw_description_fields_end(description);
    config_subsections(description, config);
    close_with(description, "}");
}

/*
 * ---- The saver's part ----
 */

void gw_description_fields_begin(struct gw_description *description,
                                 const char *name, uint32_t version)
{
    if (description) {
        put_str(description, "vmsd_name", name);
        put_int(description, "version", version);
        open_with(description, "fields", "[");
    }
}

void gw_description_fields_end(struct gw_description *description)
{
    if (description) {
        close_with(description, "]");
    }
}

void gw_description_subsections_begin(struct gw_description *description)
{
    if (description) {
        open_with(description, "subsections", "[");
    }
}

void gw_description_subsections_end(struct gw_description *description)
{
    if (description) {
        close_with(description, "]");
    }
}

void gw_description_subsection_begin(struct gw_description *description)
{
    if (description) {
        open_with(description, NULL, "{");
    }
}

void gw_description_subsection_end(struct gw_description *description)
{
    if (description) {
        close_with(description, "}");
    }
}

/* The name; with "[k]" if the table has several fields of that name. */
static void put_field_name(struct gw_description *d,
                           const struct gw_field *fields,
                           const struct gw_field *field)
{
    const struct gw_field *each;
    size_t same = 0, before = 0;

    for (each = fields; each->kind != GW_KIND_END; each++) {
        if (strcmp(each->name, field->name) == 0) {
            same++;
            before += each < field;
        }
    }
    put_name(d, "name");
    put_text(d, "\"");
    put_escaped(d, field->name);
    if (same > 1) {
        gw_buffer_printf(&d->text, "[%zu]", before);
    }
    put_text(d, "\"");
}

void gw_description_element_begin(struct gw_description *description,
                                  const struct gw_description_element *element)
{
    const struct gw_field *field = element->field;

    if (!description) {
        return;
    }
    open_with(description, NULL, "{");
    put_field_name(description, element->fields, field);
    if (element->n > 1) {
        put_int(description, element->compressed ? "array_len" : "index",
                element->compressed ? element->n : element->index);
    }
    put_str(description, "type",
            element->null ? "nullptr" : gw_field_type(field));
    if (field->kind == GW_KIND_STRUCT && !element->null) {
        open_with(description, "struct", "{");
    }
}

void gw_description_element_end(struct gw_description *description,
                                const struct gw_description_element *element,
                                size_t size)
{
    if (!description) {
        return;
    }
    if (element->field->kind == GW_KIND_STRUCT && !element->null) {
        close_with(description, "}");
    }
    put_int(description, "size", size);
    close_with(description, "}");
}

static bool has_fixed_size(const struct gw_vmstate *vmstate, unsigned int depth)
{
    const struct gw_field *field;

    if (vmstate->subsections || depth > GW_VMSTATE_DEPTH_MAX) {
        return false;
    }
    for (field = vmstate->fields; field->kind != GW_KIND_END; field++) {
        if (field->kind == GW_KIND_VALIDATE) {
            continue;
        }
        if (field->exists || field->count_kind != GW_COUNT_FIXED ||
            field->kind == GW_KIND_LIST || (field->flags & GW_FLAG_POINTERS)) {
            return false;
        }
        if (gw_field_has_inner(field) &&
            !has_fixed_size(field->inner, depth + 1)) {
            return false;
        }
    }
    return true;
}

bool gw_description_can_compress(const struct gw_field *field)
{
    if (field->exists || field->kind == GW_KIND_LIST) {
        return false;
    }
    return !gw_field_has_inner(field) || has_fixed_size(field->inner, 0);
}

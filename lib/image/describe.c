/*
 * The description of a saved file: the machine as it was then.
 *
 * It is brought into the JSON form that running machines answer with, so that
 * there is one reader of descriptions.
 */
#include <godwit/compat.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "image/index.h"
#include "vmstate/compat.h"
#include "vmstate/layout.h"

static json_t *vmstate_json(const struct gw_layout_vmstate *vmstate);

static void put_int(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* Elements from `first` on that were described one by one. */
static size_t run_of(const struct gw_layout_vmstate *vmstate, size_t first)
{
    const struct gw_layout_field *fields = vmstate->fields;
    size_t i = first + 1;

    while (i < vmstate->n_fields && fields[first].index >= 0 &&
           fields[i].index == fields[i - 1].index + 1 &&
           strcmp(fields[i].name, fields[first].name) == 0) {
        i++;
    }
    return i - first;
}

static json_t *field_json(const struct gw_layout_field *field, size_t run)
{
    json_t *object =
        json_pack("{s:s, s:s}", "name", field->name, "type", field->type);
    bool same_size = true;
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < run; i++) {
        same_size = same_size && field[i].size == field->size;
        n += field[i].n;
    }
    if (same_size) {
        put_int(object, "size", field->size);
    }
    if (n != 1) {
        put_int(object, "count", n);
    }
    if (field->inner) {
        json_object_set_new(object, "struct", vmstate_json(field->inner));
    }
    return object;
}

static json_t *fields_json(const struct gw_layout_vmstate *vmstate)
{
    json_t *array = json_array();
    size_t i, run;

    for (i = 0; i < vmstate->n_fields; i += run) {
        run = run_of(vmstate, i);
        json_array_append_new(array, field_json(&vmstate->fields[i], run));
    }
    return array;
}

static json_t *vmstate_json(const struct gw_layout_vmstate *vmstate)
{
    json_t *object = json_pack("{s:s}", "name", vmstate->name);
    json_t *array = json_array();
    size_t i;

    put_int(object, "version", vmstate->version);
    json_object_set_new(object, "fields", fields_json(vmstate));
    for (i = 0; i < vmstate->n_subsections; i++) {
        json_array_append_new(array, vmstate_json(&vmstate->subsections[i]));
    }
    json_object_set_new(object, "subsections", array);
    return object;
}

/* Of a section; without a description its name and version are known. */
static json_t *table_json(const struct gw_image *image,
                          const struct gw_image_section *section)
{
    const struct gw_layout_device *device =
        image->layout ? gw_layout_find(image->layout, section->idstr,
                                       section->instance_id)
                      : NULL;
    const char *slash = strrchr(section->idstr, '/');
    json_t *object = device ? vmstate_json(&device->vmstate) : json_object();

    if (!device || !device->vmstate.name[0]) {
        json_object_set_new(object, "name",
                            json_string(slash ? slash + 1 : section->idstr));
    }
    put_int(object, "version", section->version);
    return object;
}

static void put_devices(json_t *object, const struct gw_image *image)
{
    const struct gw_image_section *section;
    json_t *tables = json_array();
    json_t *devices = json_array();
    uint64_t i;

    for (i = 0; (section = gw_image_section(image, i)); i++) {
        if (section->kind != GW_IMAGE_SECTION_FULL) {
            continue;
        }
        json_array_append_new(
            devices, json_pack("{s:s, s:I, s:I}", "name", section->idstr,
                               "instance", (json_int_t)section->instance_id,
                               "vmstate", (json_int_t)json_array_size(tables)));
        json_array_append_new(tables, table_json(image, section));
    }
    json_object_set_new(object, "vmstates", tables);
    json_object_set_new(object, "devices", devices);
}

static void put_blocks(json_t *object, const struct gw_image *image)
{
    const struct gw_image_block *block;
    json_t *array = json_array();
    uint64_t i;

    for (i = 0; (block = gw_image_block(image, i)); i++) {
        json_array_append_new(array, json_pack("{s:s, s:I}", "name",
                                               block->idstr, "used-length",
                                               (json_int_t)block->used_length));
    }
    json_object_set_new(object, "blocks", array);
}

static void put_configuration(json_t *object, const struct gw_image *image)
{
    const struct gw_image_info *info = gw_image_info(image);
    char uuid[33];
    size_t i;

    if (info->has_uuid) {
        for (i = 0; i < sizeof(info->uuid); i++) {
            sprintf(uuid + 2 * i, "%02x", info->uuid[i]);
        }
        json_object_set_new(object, "uuid", json_string(uuid));
    }
    /* A UUID is only sent to be compared. */
    json_object_set_new(object, "capabilities",
                        json_pack("{s:b, s:b, s:b}", "mapped-ram",
                                  info->format == GW_IMAGE_MAPPED,
                                  "x-ignore-shared",
                                  image->config.ignore_shared, "validate-uuid",
                                  info->has_uuid));
}

char *gw_image_describe(const struct gw_image *image)
{
    json_t *object = json_pack("{s:i, s:s, s:s}", GW_COMPAT_MARK,
                               GW_COMPAT_VERSION, "source", "file", "machine",
                               gw_image_info(image)->machine_name);
    char *text;

    if (!object) {
        return NULL;
    }
    put_configuration(object, image);
    put_blocks(object, image);
    put_devices(object, image);
    text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    return text;
}

static int read_image(const char *path, uint64_t offset,
                      struct gw_compat_machine **ret_machine,
                      struct gw_error **errp)
{
    GW_AUTO_FREE char *text = NULL;
    struct gw_image *image = NULL;
    const struct gw_convert_options options = {.in_offset = offset};
    int r = gw_image_load(path, &options, &image, errp);

    if (r < 0) {
        return r;
    }
    text = gw_image_describe(image);
    gw_image_free(image);
    if (!text) {
        /* Names in a file may be any bytes, JSON's may not. */
        return gw_error_set(errp, -EBADMSG,
                            "'%s': a name is not valid UTF-8, or memory is "
                            "short",
                            path);
    }
    return gw_compat_machine_parse(text, strlen(text), ret_machine, errp);
}

/* All of a text; one byte above the limit tells that it is too long. */
static int read_text(int fd, struct gw_buffer *text, struct gw_error **errp)
{
    uint8_t piece[16 * 1024];
    ssize_t n = 1;

    while (n != 0 && text->size <= GW_LAYOUT_TEXT_MAX) {
        n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno != EINTR) {
            return gw_error_set_errno(errp, -errno, "cannot read");
        }
        if (n > 0) {
            gw_buffer_put_bytes(text, piece, (size_t)n);
        }
    }
    return gw_buffer_ok(text) ? 0
                              : gw_error_set(errp, -ENOMEM, "out of memory");
}

/* Streams begin with "QEVM", JSON texts with a bracket. */
static bool is_text(int fd)
{
    char start[64];
    ssize_t n = pread(fd, start, sizeof(start), 0);
    ssize_t i = 0;

    while (i < n && strchr(" \t\r\n", start[i]) && start[i]) {
        i++;
    }
    return i < n && start[i] == '{';
}

int gw_compat_machine_read(const char *path, uint64_t offset,
                           struct gw_compat_machine **ret_machine,
                           struct gw_error **errp)
{
    GW_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    GW_AUTO_BUFFER struct gw_buffer text = {0};
    int r;

    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "Could not open '%s'", path);
    }
    if (offset > 0 || !is_text(fd)) {
        return read_image(path, offset, ret_machine, errp);
    }
    r = read_text(fd, &text, errp);
    if (r == 0) {
        r = gw_compat_machine_parse((const char *)text.data, text.size,
                                    ret_machine, errp);
    }
    return r < 0 ? gw_error_prefix(errp, r, "'%s'", path) : 0;
}

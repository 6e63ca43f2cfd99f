/*
 * `godwit inspect --json`: one object with everything that is in the file.
 */
#include <stdio.h>

#include "field_value.h"
#include "inspect.h"
#include "json.h"

static void put_uuid(struct cli_json *json, const uint8_t *uuid)
{
    char text[37];
    size_t at = 0;
    size_t i;

    for (i = 0; i < 16; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%02x",
                               i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                               uuid[i]);
    }
    cli_json_member_string(json, "uuid", text);
}

static void put_info(struct cli_json *json, const struct gw_image_info *info,
                     const char *path)
{
    const char *const *name;

    cli_json_member_string(json, "file", path);
    cli_json_member_string(json, "format",
                           info->format == GW_IMAGE_MAPPED ? "mapped-ram"
                                                           : "plain");
    cli_json_member_uint(json, "stream_offset", info->stream_offset);
    cli_json_member_uint(json, "stream_version", info->stream_version);
    cli_json_member_string(json, "machine", info->machine_name);
    if (info->has_uuid) {
        put_uuid(json, info->uuid);
    }
    cli_json_key(json, "capabilities");
    cli_json_begin_array(json);
    for (name = info->capabilities; *name; name++) {
        cli_json_string(json, *name);
    }
    cli_json_end_array(json);
    cli_json_key(json, "has_description");
    cli_json_bool(json, info->has_description);
    cli_json_key(json, "has_ram_end");
    cli_json_bool(json, info->has_ram_end);
}

static void put_block(struct cli_json *json, const struct gw_image_block *block,
                      bool mapped)
{
    cli_json_begin_object(json);
    cli_json_member_string(json, "name", block->idstr);
    cli_json_member_uint(json, "used_length", block->used_length);
    cli_json_member_uint(json, "pages", block->n_pages);
    cli_json_member_uint(json, "normal", block->normal_pages);
    cli_json_member_uint(json, "zero", block->zero_pages);
    cli_json_member_uint(json, "absent", block->absent_pages);
    if (mapped) {
        cli_json_member_uint(json, "stale", block->stale_pages);
        cli_json_member_uint(json, "bitmap_offset", block->bitmap_offset);
        cli_json_member_uint(json, "pages_offset", block->pages_offset);
    }
    cli_json_end_object(json);
}

static void put_blocks(struct cli_json *json, const struct gw_image *image)
{
    const struct gw_image_info *info = gw_image_info(image);
    uint64_t i;

    cli_json_key(json, "blocks");
    cli_json_begin_array(json);
    for (i = 0; i < info->n_blocks; i++) {
        put_block(json, gw_image_block(image, i),
                  info->format == GW_IMAGE_MAPPED);
    }
    cli_json_end_array(json);
}

/* Fields come flat, with their depth; objects nest. */
struct field_writer {
    struct cli_json *json;
    unsigned int depth; /* structs that are open */
};

static void close_fields(struct field_writer *writer, unsigned int depth)
{
    for (; writer->depth > depth; writer->depth--) {
        cli_json_end_array(writer->json);
        cli_json_end_object(writer->json);
    }
}

static void put_value(struct cli_json *json, const struct gw_image_field *field)
{
    struct cli_value value = cli_field_value(field);

    cli_json_key(json, "value");
    switch (value.kind) {
    case CLI_VALUE_UINT:
        cli_json_uint(json, value.number);
        break;
    case CLI_VALUE_INT:
        cli_json_int(json, (int64_t)value.number);
        break;
    case CLI_VALUE_BOOL:
        cli_json_bool(json, value.number != 0);
        break;
    case CLI_VALUE_BYTES:
        cli_json_hex(json, field->data, field->size);
        break;
    }
}

static int put_field(void *opaque, const struct gw_image_field *field)
{
    struct field_writer *writer = opaque;
    struct cli_json *json = writer->json;

    close_fields(writer, field->depth);
    cli_json_begin_object(json);
    cli_json_member_string(json, "name", field->name);
    if (field->index >= 0) {
        cli_json_member_uint(json, "index", (uint64_t)field->index);
    }
    cli_json_member_string(json, "type", field->type);
    cli_json_member_uint(json, "offset", field->offset);
    cli_json_member_uint(json, "size", field->size);
    if (field->is_struct || field->is_subsection) {
        cli_json_key(json, "fields");
        cli_json_begin_array(json);
        writer->depth++;
        return 0;
    }
    put_value(json, field);
    cli_json_end_object(json);
    return 0;
}

static int put_fields(struct cli_json *json, struct gw_image *image,
                      uint64_t index, struct gw_error **errp)
{
    struct field_writer writer = {.json = json};
    int rc;

    cli_json_key(json, "fields");
    cli_json_begin_array(json);
    rc = gw_image_fields(image, index, put_field, &writer, errp);
    close_fields(&writer, 0);
    cli_json_end_array(json);
    return rc;
}

static const char *kind_name(enum gw_image_section_kind kind)
{
    switch (kind) {
    case GW_IMAGE_SECTION_START:
        return "start";
    case GW_IMAGE_SECTION_PART:
        return "part";
    case GW_IMAGE_SECTION_END:
        return "end";
    case GW_IMAGE_SECTION_FULL:
        return "full";
    case GW_IMAGE_COMMAND:
        return "command";
    }
    return "unknown";
}

static int put_section(struct cli_json *json, struct gw_image *image,
                       uint64_t index, struct gw_error **errp)
{
    const struct gw_image_section *section = gw_image_section(image, index);
    int rc = 0;

    cli_json_begin_object(json);
    cli_json_member_string(json, "kind", kind_name(section->kind));
    cli_json_member_string(json, "name", section->idstr);
    if (section->kind != GW_IMAGE_COMMAND) {
        cli_json_member_uint(json, "section_id", section->section_id);
        cli_json_member_uint(json, "instance_id", section->instance_id);
        cli_json_member_uint(json, "version", section->version);
    }
    cli_json_member_uint(json, "offset", section->offset);
    cli_json_member_uint(json, "data_offset", section->data_offset);
    cli_json_member_uint(json, "data_size", section->data_size);
    if (section->kind == GW_IMAGE_SECTION_FULL) {
        rc = put_fields(json, image, index, errp);
    }
    cli_json_end_object(json);
    return rc;
}

static int put_sections(struct cli_json *json, struct gw_image *image,
                        struct gw_error **errp)
{
    uint64_t i;
    int rc = 0;

    cli_json_key(json, "sections");
    cli_json_begin_array(json);
    for (i = 0; rc == 0 && i < gw_image_info(image)->n_sections; i++) {
        rc = put_section(json, image, i, errp);
    }
    cli_json_end_array(json);
    return rc;
}

static void put_account(struct cli_json *json,
                        const struct gw_image_account *account)
{
    cli_json_key(json, "account");
    cli_json_begin_object(json);
    cli_json_member_uint(json, "file_bytes", account->file_bytes);
    cli_json_member_uint(json, "leading_bytes", account->leading_bytes);
    cli_json_member_uint(json, "header_bytes", account->header_bytes);
    cli_json_member_uint(json, "ram_control_bytes", account->ram_control_bytes);
    cli_json_member_uint(json, "ram_page_bytes", account->ram_page_bytes);
    cli_json_member_uint(json, "ram_bitmap_bytes", account->ram_bitmap_bytes);
    cli_json_member_uint(json, "ram_unused_bytes", account->ram_unused_bytes);
    cli_json_member_uint(json, "device_bytes", account->device_bytes);
    cli_json_member_uint(json, "command_bytes", account->command_bytes);
    cli_json_member_uint(json, "description_bytes", account->description_bytes);
    cli_json_member_uint(json, "trailing_bytes", account->trailing_bytes);
    cli_json_end_object(json);
}

int cli_inspect_json(struct gw_image *image, const char *path,
                     struct gw_error **errp)
{
    struct cli_json json = {.to = stdout};
    int rc;

    cli_json_begin_object(&json);
    put_info(&json, gw_image_info(image), path);
    put_blocks(&json, image);
    rc = put_sections(&json, image, errp);
    put_account(&json, &gw_image_info(image)->account);
    cli_json_end_object(&json);
    return rc;
}

/*
 * `godwit inspect` for people: what the file is, its RAM blocks, its
 * sections, and where its bytes went.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "field_value.h"
#include "inspect.h"
#include "text.h"

/* Bytes of a buffer that are shown. */
#define SHOWN_BYTES 32u

static void put_line(const char *key, const char *value)
{
    printf("  %-14s ", key);
    cli_put_safe(stdout, value);
    putchar('\n');
}

static void put_uuid(const uint8_t *uuid)
{
    size_t i;

    printf("  %-14s ", "UUID");
    for (i = 0; i < 16; i++) {
        printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
               uuid[i]);
    }
    putchar('\n');
}

static void put_info(const struct gw_image_info *info, const char *path)
{
    const char *const *name;
    char size[CLI_SIZE_TEXT];

    cli_put_safe(stdout, path);
    printf(": %s, %s\n",
           info->format == GW_IMAGE_MAPPED ? "mapped-ram file"
                                           : "plain migration stream",
           cli_size_text(info->account.file_bytes, size));
    put_line("machine", info->machine_name[0] ? info->machine_name : "-");
    if (info->has_uuid) {
        put_uuid(info->uuid);
    }
    for (name = info->capabilities; *name; name++) {
        put_line(name == info->capabilities ? "capabilities" : "", *name);
    }
    printf("  %-14s version %" PRIu32 ", at offset %" PRIu64 "\n", "stream",
           info->stream_version, info->stream_offset);
    if (!info->has_description) {
        put_line("description", "none; sections were cut at their footers");
    }
    if (info->n_blocks > 0 && !info->has_ram_end) {
        put_line("RAM", info->format == GW_IMAGE_MAPPED
                            ? "has no end: its bitmaps were never written"
                            : "has no end, as in background snapshots");
    }
}

/* Left-aligned, in `width` columns. */
static void put_padded(const char *text, size_t width)
{
    size_t used = cli_safe_width(text);

    cli_put_safe(stdout, text);
    printf("%*s", used < width ? (int)(width - used) : 0, "");
}

static size_t widest_block(const struct gw_image *image)
{
    size_t width = strlen("block");
    size_t used;
    uint64_t i;

    for (i = 0; i < gw_image_info(image)->n_blocks; i++) {
        used = cli_safe_width(gw_image_block(image, i)->idstr);
        width = used > width ? used : width;
    }
    return width;
}

static void put_block(const struct gw_image_block *block, size_t width,
                      bool mapped)
{
    char size[CLI_SIZE_TEXT];

    printf("  ");
    put_padded(block->idstr, width);
    printf(" %12s %10" PRIu64 " %10" PRIu64 " %10" PRIu64,
           cli_size_text(block->used_length, size), block->normal_pages,
           block->zero_pages, block->absent_pages);
    if (mapped) {
        printf(" %10" PRIu64 " %14" PRIu64, block->stale_pages,
               block->pages_offset);
    }
    putchar('\n');
}

static void put_blocks(const struct gw_image *image)
{
    const struct gw_image_info *info = gw_image_info(image);
    bool mapped = info->format == GW_IMAGE_MAPPED;
    size_t width = widest_block(image);
    uint64_t i;

    printf("\nRAM blocks (%" PRIu64 "), pages of 4096 bytes\n", info->n_blocks);
    printf("  %-*s %12s %10s %10s %10s%s\n", (int)width, "block", "size",
           "normal", "zero", "absent",
           mapped ? "      stale   pages begin" : "");
    for (i = 0; i < info->n_blocks; i++) {
        put_block(gw_image_block(image, i), width, mapped);
    }
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
        return "device";
    case GW_IMAGE_COMMAND:
        return "command";
    }
    return "unknown";
}

static void put_number(uint64_t number, bool is_signed)
{
    if (is_signed) {
        printf("%" PRId64, (int64_t)number);
    } else {
        printf("%" PRIu64, number);
    }
    if (number > 9) {
        printf(" (0x%" PRIx64 ")", number);
    }
}

static void put_bytes(const struct gw_image_field *field)
{
    uint64_t shown = field->size < SHOWN_BYTES ? field->size : SHOWN_BYTES;
    uint64_t i;

    for (i = 0; i < shown; i++) {
        printf("%02x", field->data[i]);
    }
    if (shown < field->size) {
        printf("... (%" PRIu64 " bytes)", field->size);
    }
}

static void put_value(const struct gw_image_field *field)
{
    struct cli_value value = cli_field_value(field);

    fputs(" = ", stdout);
    switch (value.kind) {
    case CLI_VALUE_UINT:
    case CLI_VALUE_INT:
        put_number(value.number, value.kind == CLI_VALUE_INT);
        break;
    case CLI_VALUE_BOOL:
        fputs(value.number ? "true" : "false", stdout);
        break;
    case CLI_VALUE_BYTES:
        put_bytes(field);
        break;
    }
}

static int put_field(void *opaque, const struct gw_image_field *field)
{
    (void)opaque;
    printf("%*s", 12 + 2 * (int)field->depth, "");
    cli_put_safe(stdout, field->name);
    if (field->index >= 0) {
        printf("[%" PRId64 "]", field->index);
    }
    fputs(" <", stdout);
    cli_put_safe(stdout, field->type);
    putchar('>');
    if (!field->is_struct && !field->is_subsection) {
        put_value(field);
    }
    putchar('\n');
    return 0;
}

static void put_section(const struct gw_image_section *section)
{
    char size[CLI_SIZE_TEXT];

    printf("  %12" PRIu64 " %12s  %-8s ", section->offset,
           cli_size_text(section->data_size, size), kind_name(section->kind));
    if (section->kind == GW_IMAGE_COMMAND) {
        printf("%4s %8s  ", "", "");
    } else {
        printf("%4" PRIu32 " %8" PRIu32 "  ", section->instance_id,
               section->version);
    }
    cli_put_safe(stdout, section->idstr);
    putchar('\n');
}

/* How many PARTs of the same section follow each other here. */
static uint64_t count_parts(const struct gw_image *image, uint64_t first)
{
    const struct gw_image_section *section = gw_image_section(image, first);
    const struct gw_image_section *next;
    uint64_t n = 0;

    do {
        next = gw_image_section(image, first + ++n);
    } while (next && next->kind == GW_IMAGE_SECTION_PART &&
             next->section_id == section->section_id);
    return n;
}

static void put_parts(const struct gw_image *image, uint64_t first, uint64_t n)
{
    const struct gw_image_section *section = gw_image_section(image, first);
    char size[CLI_SIZE_TEXT];
    uint64_t bytes = 0;
    uint64_t i;

    for (i = 0; i < n; i++) {
        bytes += gw_image_section(image, first + i)->data_size;
    }
    printf("  %12" PRIu64 " %12s  %-8s %4" PRIu32 " %8" PRIu32 "  ",
           section->offset, cli_size_text(bytes, size), "part",
           section->instance_id, section->version);
    cli_put_safe(stdout, section->idstr);
    printf(" (%" PRIu64 " of them)\n", n);
}

static int put_sections(struct gw_image *image, bool with_fields,
                        struct gw_error **errp)
{
    uint64_t n_sections = gw_image_info(image)->n_sections;
    const struct gw_image_section *section;
    uint64_t i;
    uint64_t n;
    int rc = 0;

    printf("\nSections (%" PRIu64 ")\n", n_sections);
    printf("  %12s %12s  %-8s %4s %8s  %s\n", "offset", "data", "kind", "inst",
           "version", "name");
    for (i = 0; rc == 0 && i < n_sections; i += n) {
        section = gw_image_section(image, i);
        n = section->kind == GW_IMAGE_SECTION_PART ? count_parts(image, i) : 1;
        if (n > 1) {
            put_parts(image, i, n);
            continue;
        }
        put_section(section);
        if (with_fields) {
            rc = gw_image_fields(image, i, put_field, NULL, errp);
        }
    }
    return rc;
}

static void put_bytes_line(const char *key, uint64_t bytes, uint64_t of)
{
    char size[CLI_SIZE_TEXT];

    if (bytes > 0) {
        printf("  %-26s %16" PRIu64 " %12s %6.2f %%\n", key, bytes,
               cli_size_text(bytes, size),
               of ? 100.0 * (double)bytes / (double)of : 0.0);
    }
}

static void put_account(const struct gw_image_account *account)
{
    uint64_t all = account->file_bytes;

    printf("\nWhere the bytes are\n");
    put_bytes_line("before the stream", account->leading_bytes, all);
    put_bytes_line("header and configuration", account->header_bytes, all);
    put_bytes_line("RAM: records and headers", account->ram_control_bytes, all);
    put_bytes_line("RAM: pages", account->ram_page_bytes, all);
    put_bytes_line("RAM: bitmaps", account->ram_bitmap_bytes, all);
    put_bytes_line("RAM: unused", account->ram_unused_bytes, all);
    put_bytes_line("devices", account->device_bytes, all);
    put_bytes_line("commands and end mark", account->command_bytes, all);
    put_bytes_line("description", account->description_bytes, all);
    put_bytes_line("behind the stream", account->trailing_bytes, all);
    put_bytes_line("all", all, all);
}

int cli_inspect_text(struct gw_image *image, const char *path, bool with_fields,
                     struct gw_error **errp)
{
    int rc;

    put_info(gw_image_info(image), path);
    put_blocks(image);
    rc = put_sections(image, with_fields, errp);
    put_account(&gw_image_info(image)->account);
    return rc;
}

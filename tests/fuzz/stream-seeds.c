/*
 * Writes the seeds of the fuzz targets of the wire, of streams and of images,
 * made by the builders that the unit tests use.
 *
 * Usage: stream-seeds TARGET FOLDER
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../unit/image-builder.h"

static const char *folder;

/* Writes the buffer as the seed `name` and empties it. */
static void seed(const char *name, struct gw_buffer *b)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (!file || !gw_buffer_ok(b) ||
        fwrite(b->data, 1, b->size, file) != b->size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    gw_buffer_deinit(b);
}

static void seed_header(void)
{
    struct gw_buffer b = {0};

    sb_header(&b);
    seed("header", &b);
    gw_buffer_put_bytes(&b, "QEVM\0\0\0\2", 8);
    seed("obsolete", &b);
}

static void seed_config(void)
{
    struct gw_buffer b = {0};

    sb_config(&b, "pc-q35-10.0");
    sb_eof(&b);
    seed("name", &b);
    sb_config(&b, "m");
    sb_subsection(&b, "configuration/target-page-bits", 1);
    gw_buffer_put_be32(&b, 12);
    sb_capability(&b, "mapped-ram");
    sb_subsection(&b, "configuration/uuid", 1);
    sb_fill(&b, 0x5a, 16);
    sb_eof(&b);
    seed("all", &b);
}

static void seed_section(void)
{
    struct gw_buffer b = {0};

    sb_named(&b, SB_FULL, 3, "fw_cfg", 0, 2);
    seed("full", &b);
    sb_more(&b, SB_PART, 1);
    seed("part", &b);
    sb_footer(&b, 3);
    seed("footer", &b);
}

static void seed_command(void)
{
    struct gw_buffer b = {0};

    sb_command(&b, 11, 0);
    seed("switchover-start", &b);
    sb_command(&b, 6, 20);
    seed("postcopy-ram-discard", &b);
}

static void seed_description(void)
{
    struct gw_buffer b = {0};

    sb_description(&b, DEVICE_JSON);
    seed("description", &b);
}

static void seed_name(void)
{
    struct gw_buffer b = {0};

    sb_name(&b, "/rom@etc/acpi/tables");
    seed("name", &b);
}

static void seed_ram(void)
{
    struct gw_buffer b = {0};

    sb_zero_page(&b, "microvm.ram", 0x1000);
    seed("zero", &b);
    sb_page(&b, "microvm.ram", 0x1000, 0);
    seed("page", &b);
    sb_word(&b, 0x1028);
    seed("continue", &b);
    sb_word(&b, 0x10);
    seed("end", &b);
    sb_block(&b, "pc.bios", 0x20000);
    gw_buffer_put_be64(&b, 0xfffe0000);
    gw_buffer_put_be64(&b, 0x200000);
    seed("entry", &b);
}

static void seed_mapped(void)
{
    struct gw_buffer b = {0};

    sb_mapped(&b, 1, SB_PAGE, 0x82, 0x100000);
    gw_buffer_put_be64(&b, 0x82);
    gw_buffer_put_be64(&b, 0x1000000);
    gw_buffer_put_be64(&b, 0x2000000);
    seed("header", &b);
}

static void seed_stream(void)
{
    struct gw_buffer b = {0};

    put_plain_image(&b);
    seed("plain", &b);
    put_mapped_image(&b, 0);
    seed("mapped", &b);
}

static void seed_image(void)
{
    struct gw_buffer b = {0};

    gw_buffer_put_u8(&b, 0);
    put_plain_image(&b);
    seed("plain", &b);
    /* Offsets in the file, which is one byte shorter than the seed. */
    put_mapped_image(&b, 200);
    gw_buffer_put_u8(&b, 0);
    memmove(b.data + 1, b.data, b.size - 1);
    b.data[0] = 200;
    seed("mapped-at-200", &b);
}

static const struct {
    const char *target;
    void (*write)(void);
} targets[] = {
    {"wire-header", seed_header},   {"wire-config", seed_config},
    {"wire-section", seed_section}, {"wire-command", seed_command},
    {"wire-name", seed_name},       {"wire-description", seed_description},
    {"wire-ram", seed_ram},         {"wire-mapped", seed_mapped},
    {"stream", seed_stream},        {"image", seed_image},
};

int main(int argc, char **argv)
{
    size_t i;

    if (argc != 3 || (mkdir(argv[2], 0777) < 0 && errno != EEXIST)) {
        fprintf(stderr, "usage: %s TARGET FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[2];
    for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (strcmp(targets[i].target, argv[1]) == 0) {
            targets[i].write();
            return 0;
        }
    }
    fprintf(stderr, "%s: unknown target '%s'\n", argv[0], argv[1]);
    return 2;
}

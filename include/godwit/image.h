/*
 * Saved machines at rest: look into a migration file and rewrite it, without
 * a machine. Works on plain streams and on mapped-ram files, godwit's own and
 * QEMU's.
 *
 * An image is opened once, read and indexed; the result does not change. One
 * thread at a time per image.
 */
#ifndef GW_GODWIT_IMAGE_H
#define GW_GODWIT_IMAGE_H

#include <godwit/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_image;

enum gw_image_format {
    GW_IMAGE_PLAIN,  /* pages are records in the stream */
    GW_IMAGE_MAPPED, /* mapped-ram: pages at fixed offsets */
    GW_IMAGE_RAW,    /* only as a target: one sparse file per RAM block */
};

/* Where every byte of the file went; the members add up to file_bytes. */
struct gw_image_account {
    uint64_t file_bytes;
    uint64_t leading_bytes;     /* before the stream (--offset) */
    uint64_t header_bytes;      /* file header and configuration */
    uint64_t ram_control_bytes; /* RAM sections without pages and bitmaps */
    uint64_t ram_page_bytes;    /* page contents */
    uint64_t ram_bitmap_bytes;  /* mapped-ram bitmaps */
    uint64_t ram_unused_bytes;  /* mapped-ram: alignment, and pages not set */
    uint64_t device_bytes;      /* device sections */
    uint64_t command_bytes;     /* commands and the EOF mark */
    uint64_t description_bytes; /* the VM description */
    uint64_t trailing_bytes;    /* after the stream's end */
};

struct gw_image_info {
    enum gw_image_format format;
    uint64_t stream_offset;   /* where the stream starts in the file */
    uint32_t stream_version;  /* 3 */
    const char *machine_name; /* "" without a configuration section */
    bool has_uuid;
    uint8_t uuid[16];
    const char *const *capabilities; /* NULL terminated */
    uint64_t n_blocks;
    uint64_t n_sections;
    bool has_description;
    struct gw_image_account account;
    /*
     * The RAM section has its END. QEMU's background snapshots have none;
     * godwit refuses to load such a stream, since one that lost its END looks
     * the same.
     */
    bool has_ram_end;
};

struct gw_image_block {
    const char *idstr;
    uint64_t used_length;   /* bytes */
    uint64_t n_pages;       /* used_length / 4096 */
    uint64_t normal_pages;  /* present with data */
    uint64_t zero_pages;    /* present, all zero (plain: zero records) */
    uint64_t absent_pages;  /* not in the file: holes, clear bits */
    uint64_t stale_pages;   /* mapped: bit clear, bytes in the file not zero */
    uint64_t bitmap_offset; /* mapped: absolute, bytes */
    uint64_t pages_offset;  /* mapped: absolute, bytes */
};

enum gw_image_section_kind {
    GW_IMAGE_SECTION_START = 1,
    GW_IMAGE_SECTION_PART = 2,
    GW_IMAGE_SECTION_END = 3,
    GW_IMAGE_SECTION_FULL = 4,
    GW_IMAGE_COMMAND = 8,
};

struct gw_image_section {
    enum gw_image_section_kind kind;
    const char *idstr; /* "ram", "cpu", ...; commands: their name */
    uint32_t section_id;
    uint32_t instance_id;
    uint32_t version;
    uint64_t offset;      /* of the section's type byte, absolute */
    uint64_t data_offset; /* of its data */
    uint64_t data_size;   /* bytes of its data, without the footer */
};

/* One field of a device section, in stream order. */
struct gw_image_field {
    unsigned int depth; /* nesting, 0 = a field of the device */
    const char *name;
    const char *type;    /* as the description calls it: "uint32", "struct" */
    bool is_struct;      /* has nested fields, which follow */
    bool is_subsection;  /* opens a subsection, whose fields follow */
    int64_t index;       /* element number in an array, or -1 */
    uint64_t offset;     /* absolute, bytes */
    uint64_t size;       /* bytes */
    const uint8_t *data; /* the bytes; NULL for structs and subsections */
};

/*
 * Opens and indexes a file whose stream starts at `offset`. Hostile files
 * give an error that names position, expected and found. Since 0.1.
 */
GW_API int gw_image_open(const char *path, uint64_t offset,
                         struct gw_image **ret_image, struct gw_error **errp)
    GW_MUST_CHECK;
GW_API struct gw_image *gw_image_free(struct gw_image *image);

/* Lent; live as long as the image. NULL past the last index. Since 0.1. */
GW_API const struct gw_image_info *gw_image_info(const struct gw_image *image);
GW_API const struct gw_image_block *gw_image_block(const struct gw_image *image,
                                                   uint64_t index);
GW_API const struct gw_image_section *
gw_image_section(const struct gw_image *image, uint64_t index);

/*
 * Calls fn for every field of section `index` (FULL sections of an image
 * with a description; others have none). fn returns 0 to go on; its other
 * values end the walk and are returned. Since 0.1.
 */
GW_API int gw_image_fields(struct gw_image *image, uint64_t index,
                           int (*fn)(void *opaque,
                                     const struct gw_image_field *field),
                           void *opaque, struct gw_error **errp);

struct gw_convert_options {
    uint64_t in_offset;  /* where the stream starts in the input */
    uint64_t out_offset; /* where to start it in the output */
    /* Called now and then; a non-zero result cancels. May be NULL. */
    int (*progress)(void *opaque, uint64_t done_bytes, uint64_t total_bytes);
    void *opaque;
};

/*
 * Rewrites the RAM part of `in_path` in another format; device sections, the
 * description and everything else are carried over unchanged. The output is
 * written beside and renamed, so a failure leaves no debris. For GW_IMAGE_RAW
 * out_path is a directory (made if missing) that gets one sparse file per RAM
 * block. Since 0.1.
 */
GW_API int gw_image_convert(const char *in_path, const char *out_path,
                            enum gw_image_format format,
                            const struct gw_convert_options *options,
                            struct gw_error **errp) GW_MUST_CHECK;

GW_END_DECLS

#endif

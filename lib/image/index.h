/*
 * The inside of an image: what gw_image_open found where in the file.
 */
#ifndef GW_IMAGE_INDEX_H
#define GW_IMAGE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/image.h>

#include "image/delimit.h"
#include "image/page_map.h"
#include "stream/reader.h"
#include "vmstate/layout.h"

struct gw_channel;
struct gw_input;

struct gw_image_entry {
    struct gw_image_section pub; /* idstr is `name` below */
    uint64_t end;                /* behind the footer, absolute */
    char name[];                 /* NUL-terminated */
};

struct gw_image_ram_block {
    struct gw_image_block pub; /* idstr is that of `stream` */
    struct gw_stream_block stream;
    struct gw_page_map pages;
};

/* All of it is constant after opening; owned. */
struct gw_image {
    struct gw_channel *channel; /* the file */
    struct gw_input *input;     /* over it */
    struct gw_layout *layout;   /* the description, parsed; NULL if none */
    uint64_t layout_offset;     /* of its type byte, absolute */
    bool has_devices;           /* delimited by it */
    struct gw_stream_config config;
    struct gw_image_info info;
    const char *capabilities[3]; /* what info.capabilities points to */
    struct gw_image_ram_block **blocks;
    struct gw_image_entry **entries; /* sections and commands, in order */
    uint64_t eof_offset;             /* of the end mark, absolute */
    uint64_t description_offset;     /* of its type byte; 0: none */
    uint64_t description_size;       /* with its frame, bytes */
};

/*
 * Opens and indexes for a conversion: as gw_image_open, but without the
 * counts of stale pages, which cost reading what the bitmaps leave out. Tells
 * the options' progress how far it is, with gw_image_work as the total.
 */
int gw_image_load(const char *path, const struct gw_convert_options *options,
                  struct gw_image **ret_image, struct gw_error **errp);

/* Bytes that a conversion goes through: the file, and then all of RAM. */
uint64_t gw_image_work(const struct gw_image *image);

/* While reading. ram_bytes is what RAM took within the current section. */
struct gw_indexer {
    struct gw_image *image;
    const struct gw_convert_options *options; /* NULL: count stale pages */
    uint64_t n_pages;                         /* read so far */
    uint64_t ram_bytes;                       /* pages, bitmaps, unused */
    bool tried_footers;            /* without a description: the next is made */
    struct gw_delimited_list list; /* lengths proven by footers */
};

/* Of a struct gw_indexer. */
extern const struct gw_stream_ops gw_image_index_ops;

/* Whether a section is one of the RAM's. */
bool gw_image_entry_is_ram(const struct gw_image_entry *entry);

/*
 * Finds the VM description at the end of the file (stream spec 1.9), which is
 * needed to know the lengths of device sections before they are read. NULL if
 * there is none. Whether it is the stream's own shows only when that has been
 * read: *ret_offset is where it was found.
 */
int gw_image_find_layout(struct gw_input *input, uint64_t stream_offset,
                         struct gw_layout **ret_layout, uint64_t *ret_offset,
                         struct gw_error **errp);

/*
 * Counts the pages of a mapped block that its bitmap leaves out and that are
 * not zero in the file: older contents of a live save.
 */
int gw_image_count_stale(struct gw_channel *channel,
                         const struct gw_page_map *pages, uint64_t *ret_count,
                         struct gw_error **errp);

#endif

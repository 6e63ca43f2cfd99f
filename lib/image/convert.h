/*
 * Rewriting an image: what its targets share.
 *
 * A stream target is written along the image's list of sections: those of
 * the RAM are made anew by the target's ops, all others are copied.
 */
#ifndef GW_IMAGE_CONVERT_H
#define GW_IMAGE_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/image.h>

#include "image/index.h"
#include "image/page_source.h"

struct gw_output;

/* One run of gw_image_convert. One thread. */
struct gw_conversion {
    const struct gw_image *image;
    const struct gw_convert_options *options; /* not NULL */
    struct gw_page_source source;             /* the image's pages */
    struct gw_output *output;                 /* of a stream target */
    struct gw_channel *channel;               /* below it */
    uint64_t n_pages;                         /* done, for progress */
    uint64_t total_bytes;                     /* of reading and writing */
    bool pages_written;    /* the first PART or END has had them */
    uint64_t table_offset; /* mapped: of the first entry, absolute */
};

/* How a stream target writes RAM. */
struct gw_convert_target {
    bool mapped; /* the configuration lists mapped-ram */
    /* The block table, after the START section's header. */
    int (*table)(struct gw_conversion *conversion, struct gw_error **errp);
    /* All pages; called once, within a PART or END. */
    int (*pages)(struct gw_conversion *conversion, struct gw_error **errp);
};

/*
 * The next page of a block: its contents, NULL if it is zero; *ret_absent
 * says that the image has nothing of it. Counts for progress, and fails with
 * -ECANCELED if that says so.
 */
int gw_conversion_get_page(struct gw_conversion *conversion,
                           const struct gw_image_ram_block *block,
                           uint64_t page, const uint8_t **ret_page,
                           bool *ret_absent, struct gw_error **errp);

/*
 * Takes a run of pages that are neither zero nor absent: `offset` is where
 * in the block it starts.
 */
typedef int (*gw_page_run_fn)(void *opaque, const uint8_t *data, size_t size,
                              uint64_t offset, struct gw_error **errp);

/* Calls fn for all such runs of a block, in ascending order. */
int gw_conversion_each_run(struct gw_conversion *conversion,
                           const struct gw_image_ram_block *block,
                           gw_page_run_fn fn, void *opaque,
                           struct gw_error **errp);

extern const struct gw_convert_target gw_convert_plain;
extern const struct gw_convert_target gw_convert_mapped;

/* Writes a stream of the target's kind into a file. */
int gw_convert_stream(struct gw_conversion *conversion,
                      const struct gw_convert_target *target,
                      const char *out_path, struct gw_error **errp);

/* Writes a sparse file per block into a directory. */
int gw_convert_raw(struct gw_conversion *conversion, const char *path,
                   struct gw_error **errp);

#endif

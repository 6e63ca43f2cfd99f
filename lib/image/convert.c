/*
 * Rewrites an image in another format.
 */
#include "image/convert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ram/zero.h"
#include "wire/ram.h"

#define RUN_PAGES 256u
/* Pages between two calls of progress. */
#define PROGRESS_PAGES 1024u

static int report_progress(struct gw_conversion *conversion,
                           struct gw_error **errp)
{
    const struct gw_convert_options *options = conversion->options;
    uint64_t file_bytes = gw_input_total_size(conversion->image->input);

    if (options->progress &&
        options->progress(options->opaque,
                          file_bytes + conversion->n_pages * GW_RAM_PAGE_SIZE,
                          conversion->total_bytes)) {
        return gw_error_set(errp, -ECANCELED, "cancelled");
    }
    return 0;
}

int gw_conversion_get_page(struct gw_conversion *conversion,
                           const struct gw_image_ram_block *block,
                           uint64_t page, const uint8_t **ret_page,
                           bool *ret_absent, struct gw_error **errp)
{
    uint64_t where = gw_page_map_get(&block->pages, page);
    const uint8_t *data = NULL;
    int rc;

    if (++conversion->n_pages % PROGRESS_PAGES == 0) {
        rc = report_progress(conversion, errp);
        if (rc) {
            return rc;
        }
    }
    if (where != GW_PAGE_ABSENT && where != GW_PAGE_ZERO) {
        rc = gw_page_source_get(&conversion->source, where, &data, errp);
        if (rc) {
            return rc;
        }
        if (gw_page_is_zero(data)) {
            data = NULL;
        }
    }
    *ret_page = data;
    *ret_absent = where == GW_PAGE_ABSENT;
    return 0;
}

/* A run that is being collected. */
struct run {
    uint8_t *data;   /* room for RUN_PAGES */
    uint64_t offset; /* of its first page */
    size_t size;
    gw_page_run_fn fn;
    void *opaque;
};

static int flush_run(struct run *run, struct gw_error **errp)
{
    int rc = 0;

    if (run->size > 0) {
        rc = run->fn(run->opaque, run->data, run->size, run->offset, errp);
    }
    run->size = 0;
    return rc;
}

static int add_to_run(struct run *run, const uint8_t *page, uint64_t offset,
                      struct gw_error **errp)
{
    int rc;

    if (run->size == RUN_PAGES * GW_RAM_PAGE_SIZE ||
        run->offset + run->size != offset) {
        rc = flush_run(run, errp);
        if (rc) {
            return rc;
        }
        run->offset = offset;
    }
    memcpy(run->data + run->size, page, GW_RAM_PAGE_SIZE);
    run->size += GW_RAM_PAGE_SIZE;
    return 0;
}

int gw_conversion_each_run(struct gw_conversion *conversion,
                           const struct gw_image_ram_block *block,
                           gw_page_run_fn fn, void *opaque,
                           struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *buffer = malloc(RUN_PAGES * GW_RAM_PAGE_SIZE);
    struct run run = {.data = buffer, .fn = fn, .opaque = opaque};
    const uint8_t *data;
    uint64_t page;
    bool absent;
    int rc;

    if (!buffer) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (page = 0; page < block->pub.n_pages; page++) {
        rc = gw_conversion_get_page(conversion, block, page, &data, &absent,
                                    errp);
        if (rc) {
            return rc;
        }
        if (data) {
            rc = add_to_run(&run, data, page * GW_RAM_PAGE_SIZE, errp);
        } else {
            rc = flush_run(&run, errp);
        }
        if (rc) {
            return rc;
        }
    }
    return flush_run(&run, errp);
}

static int convert_to(struct gw_conversion *conversion, const char *out_path,
                      enum gw_image_format format, struct gw_error **errp)
{
    switch (format) {
    case GW_IMAGE_PLAIN:
        return gw_convert_stream(conversion, &gw_convert_plain, out_path, errp);
    case GW_IMAGE_MAPPED:
        return gw_convert_stream(conversion, &gw_convert_mapped, out_path,
                                 errp);
    case GW_IMAGE_RAW:
        return gw_convert_raw(conversion, out_path, errp);
    }
    return gw_error_set(errp, -EINVAL, "unknown image format %d", (int)format);
}

/* The bitmaps are written in the END; before, they say that all is zero. */
static int check_bitmaps_written(const struct gw_image *image,
                                 struct gw_error **errp)
{
    if (image->config.mapped_ram && image->info.n_blocks > 0 &&
        !image->info.has_ram_end) {
        return gw_error_set(errp, -EPROTO,
                            "the input's RAM section has no end, so its "
                            "mapped-ram bitmaps were never written and its "
                            "pages cannot be told from stale ones");
    }
    return 0;
}

static int convert_image(const struct gw_image *image, const char *out_path,
                         enum gw_image_format format,
                         const struct gw_convert_options *options,
                         struct gw_error **errp)
{
    struct gw_conversion conversion = {
        .image = image,
        .options = options,
        .total_bytes = gw_image_work(image),
    };
    int rc = check_bitmaps_written(image, errp);

    if (rc == 0) {
        rc = report_progress(&conversion, errp);
    }
    if (rc) {
        return rc;
    }
    rc = gw_page_source_init(&conversion.source, image->channel, errp);
    if (rc) {
        return rc;
    }
    rc = convert_to(&conversion, out_path, format, errp);
    if (rc == 0) {
        /* It is done; nothing is left to cancel. */
        report_progress(&conversion, NULL);
    }
    gw_page_source_deinit(&conversion.source);
    return rc;
}

int gw_image_convert(const char *in_path, const char *out_path,
                     enum gw_image_format format,
                     const struct gw_convert_options *options,
                     struct gw_error **errp)
{
    static const struct gw_convert_options defaults;
    struct gw_image *image;
    int rc;

    options = options ? options : &defaults;
    rc = gw_image_load(in_path, options, &image, errp);
    if (rc) {
        return rc;
    }
    rc = convert_image(image, out_path, format, options, errp);
    gw_image_free(image);
    return rc ? gw_error_prefix(errp, rc, "'%s'", out_path) : 0;
}

/*
 * Reads the pages of an image, in any order and fast when it is that of the
 * file: a window of the file is read at once.
 */
#ifndef GW_IMAGE_PAGE_SOURCE_H
#define GW_IMAGE_PAGE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_channel;

struct gw_page_source {
    struct gw_channel *channel; /* borrowed */
    uint8_t *window;            /* owned */
    uint64_t begin;             /* absolute offset of the window */
    size_t size;                /* bytes in it */
    uint8_t *page;              /* a copy, aligned for the zero scan; owned */
};

int gw_page_source_init(struct gw_page_source *source,
                        struct gw_channel *channel, struct gw_error **errp);
void gw_page_source_deinit(struct gw_page_source *source);

/* Lends the page at an absolute offset, until the next call. */
int gw_page_source_get(struct gw_page_source *source, uint64_t offset,
                       const uint8_t **ret_page, struct gw_error **errp);

#endif

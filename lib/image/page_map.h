/*
 * Where in a file the contents of a RAM block's pages lie.
 *
 * Of a mapped-ram block this is its bitmap and where its area starts; of a
 * plain one a word for each page, since its records come in any order and
 * more than once. Untouched words cost no memory.
 */
#ifndef GW_IMAGE_PAGE_MAP_H
#define GW_IMAGE_PAGE_MAP_H

#include <stdint.h>

#include <godwit/error.h>

#include "wire/ram.h"

/* In place of an offset; no page lies this early in a file. */
#define GW_PAGE_ABSENT UINT64_C(0) /* the file says nothing */
#define GW_PAGE_ZERO UINT64_C(1)   /* the file says that it is zero */

/* Zero bytes are a valid map of no pages. */
struct gw_page_map {
    uint64_t n_pages;
    /* mapped-ram: owned, and the absolute offset of page 0 */
    uint8_t *bitmap;
    uint64_t pages_offset;
    /* plain: absolute offsets, or the values above; mapped memory, owned */
    uint64_t *where;
};

/* A map for records to come, all pages absent. */
int gw_page_map_init_plain(struct gw_page_map *map, uint64_t n_pages,
                           struct gw_error **errp);

/* A map by bitmap, which it takes. */
void gw_page_map_init_mapped(struct gw_page_map *map, uint64_t n_pages,
                             uint8_t *bitmap, uint64_t pages_offset);

void gw_page_map_deinit(struct gw_page_map *map);

/* Offset of the page's contents, GW_PAGE_ABSENT or GW_PAGE_ZERO. */
uint64_t gw_page_map_get(const struct gw_page_map *map, uint64_t page);

/* Plain: the last record of a page counts. */
static inline void gw_page_map_set(struct gw_page_map *map, uint64_t page,
                                   uint64_t where)
{
    map->where[page] = where;
}

#endif

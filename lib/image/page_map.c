/*
 * Where in a file the contents of a RAM block's pages lie.
 */
#include "image/page_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "wire/mapped_bitmap.h"

/* Largest block of a plain stream, pages: 32 TiB, as of a mapped one. */
#define PLAIN_PAGES_MAX (UINT64_C(1) << 33)

int gw_page_map_init_plain(struct gw_page_map *map, uint64_t n_pages,
                           struct gw_error **errp)
{
    void *where;

    *map = (struct gw_page_map){.n_pages = n_pages};
    if (n_pages == 0) {
        return 0;
    }
    if (n_pages > PLAIN_PAGES_MAX) {
        return gw_error_set(errp, -EOVERFLOW,
                            "%" PRIu64 " pages, expected at most %" PRIu64,
                            n_pages, PLAIN_PAGES_MAX);
    }
    where = mmap(NULL, n_pages * sizeof(*map->where), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (where == MAP_FAILED) {
        return gw_error_set_errno(
            errp, -errno, "cannot map memory for %" PRIu64 " pages", n_pages);
    }
    map->where = where;
    return 0;
}

void gw_page_map_init_mapped(struct gw_page_map *map, uint64_t n_pages,
                             uint8_t *bitmap, uint64_t pages_offset)
{
    *map = (struct gw_page_map){
        .n_pages = n_pages, .bitmap = bitmap, .pages_offset = pages_offset};
}

void gw_page_map_deinit(struct gw_page_map *map)
{
    if (map->where) {
        munmap(map->where, map->n_pages * sizeof(*map->where));
    }
    free(map->bitmap);
    *map = (struct gw_page_map){0};
}

uint64_t gw_page_map_get(const struct gw_page_map *map, uint64_t page)
{
    if (map->where) {
        return map->where[page];
    }
    if (gw_mapped_bitmap_test(map->bitmap, page)) {
        return map->pages_offset + page * GW_RAM_PAGE_SIZE;
    }
    return GW_PAGE_ABSENT;
}

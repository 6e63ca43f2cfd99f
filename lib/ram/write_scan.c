/*
 * Finding written pages by write-protection.
 */
#include "ram/write_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "ram/bitmap.h"
#include "ram/block.h"
#include "ram/pagemap.h"
#include "ram/populated.h"

#define PAGE ((uint64_t)GW_TARGET_PAGE_SIZE)

enum {
    /* Regions that one call reports: 6 KiB of stack. */
    N_REGIONS = 256,
    /* Pages of one page table. */
    TABLE_PAGES = 512,
};

/* Entries: without one, a page has neither of these. */
#define HAS_ENTRY (GW_PAGE_PRESENT | GW_PAGE_SWAPPED)

/*
 * Kernels differ in whether a page without an entry is called written (at
 * first not, later if it shares a page table with others, and then always).
 * So what has no entry is told by that alone.
 */
static const struct gw_pagemap_query written = {
    .all_of = GW_PAGE_WRITTEN,
    .any_of = HAS_ENTRY,
    .returned = GW_PAGE_WRITTEN | HAS_ENTRY,
    .protect = true,
};

/* Written pages, and what is not present: a marker, or no entry. */
static const struct gw_pagemap_query written_or_absent = {
    .inverted = GW_PAGE_PRESENT,
    .any_of = GW_PAGE_WRITTEN | GW_PAGE_PRESENT,
    .returned = GW_PAGE_WRITTEN | HAS_ENTRY,
    .protect = true,
};

/* One sync of a block, or the first protection (without dirty). */
struct pass {
    const struct gw_write_scan *scan;
    const struct gw_ram_block *block;
    struct gw_populated populated;
    uint64_t n_pages;
    unsigned long *dirty;
};

static void init_pass(struct pass *pass, const struct gw_write_scan *scan,
                      const struct gw_ram_block *block, uint64_t n_pages,
                      unsigned long *dirty)
{
    *pass = (struct pass){
        .scan = scan, .block = block, .n_pages = n_pages, .dirty = dirty};
    pass->populated.fd = -1;
    if (!gw_ram_block_is_anonymous(block)) {
        gw_populated_init(&pass->populated, block);
    }
}

static void set_dirty(struct pass *pass, uint64_t first, uint64_t end)
{
    struct gw_bitmap bitmap = {.words = pass->dirty, .n_bits = pass->n_pages};

    if (pass->dirty) {
        gw_bitmap_set_range(&bitmap, first, end);
    }
}

/*
 * Pages without an entry: written, unless they are a hole of the file. That
 * is asked after they were protected: a page may have been written, and its
 * entry dropped, since an earlier answer.
 */
static void set_absent(struct pass *pass, uint64_t first, uint64_t end)
{
    gw_populated_forget_holes(&pass->populated);
    while (first < end) {
        bool is_hole;
        uint64_t next =
            gw_populated_run(&pass->populated, first, end, &is_hole);

        if (!is_hole) {
            set_dirty(pass, first, next);
        }
        first = next;
    }
}

static void take_region(struct pass *pass,
                        const struct gw_pagemap_region *region)
{
    uint64_t host = (uint64_t)(uintptr_t)pass->block->host;
    uint64_t first = (region->start - host) / PAGE;
    uint64_t end = (region->end - host) / PAGE;

    if (!(region->categories & HAS_ENTRY)) {
        set_absent(pass, first, end);
    } else if (region->categories & GW_PAGE_WRITTEN) {
        set_dirty(pass, first, end);
    }
}

static int scan_pages(struct pass *pass, const struct gw_pagemap_query *query,
                      uint64_t first, uint64_t end)
{
    struct gw_pagemap_region regions[N_REGIONS];
    uint64_t host = (uint64_t)(uintptr_t)pass->block->host;
    uint64_t at = host + first * PAGE;
    int n, i;

    while (at < host + end * PAGE) {
        n = gw_pagemap_scan(pass->scan->pagemap_fd, query, &at,
                            host + end * PAGE, regions, N_REGIONS);
        if (n < 0) {
            return n;
        }
        for (i = 0; i < n; i++) {
            take_region(pass, &regions[i]);
        }
    }
    return 0;
}

/*
 * The next pages whose page tables have data in their reach; false at the
 * end. A table's reach is taken from the block's start, which may be off by
 * less than a table and costs at most one more.
 */
static bool next_cluster(struct pass *pass, uint64_t from, uint64_t *ret_first,
                         uint64_t *ret_end)
{
    struct gw_populated *populated = &pass->populated;
    uint64_t n_pages = pass->n_pages;
    uint64_t data = gw_populated_next_data(populated, from, n_pages);
    uint64_t end;

    if (data >= n_pages) {
        return false;
    }
    *ret_first = data - data % TABLE_PAGES;
    do {
        end = gw_min_u64(data - data % TABLE_PAGES + TABLE_PAGES, n_pages);
        data = gw_populated_next_data(populated, end, n_pages);
    } while (data < n_pages && data - end < TABLE_PAGES);
    *ret_end = end;
    return true;
}

static int protect_clusters(struct pass *pass)
{
    uint64_t first, end = 0;
    int r = 0;

    while (r == 0 && next_cluster(pass, end, &first, &end)) {
        r = gw_uffd_protect(pass->scan->uffd, pass->block->host + first * PAGE,
                            (end - first) * PAGE);
    }
    return r;
}

static int sync_clusters(struct pass *pass)
{
    uint64_t first, end = 0;
    int r = 0;

    while (r == 0 && next_cluster(pass, end, &first, &end)) {
        r = scan_pages(pass, &written_or_absent, first, end);
    }
    return r;
}

static int run_pass(struct pass *pass)
{
    if (gw_ram_block_is_anonymous(pass->block)) {
        return scan_pages(pass, &written, 0, pass->n_pages);
    }
    return pass->dirty ? sync_clusters(pass) : protect_clusters(pass);
}

int gw_write_scan_open(struct gw_write_scan *scan, struct gw_error **errp)
{
    GW_AUTO_FD int pagemap_fd = -1;
    GW_AUTO_FD int uffd = -1;

    *scan = (struct gw_write_scan){.uffd = -1, .pagemap_fd = -1};
    pagemap_fd = gw_pagemap_open(errp);
    if (pagemap_fd < 0) {
        return pagemap_fd;
    }
    uffd = gw_uffd_open(errp);
    if (uffd < 0) {
        return uffd;
    }
    scan->uffd = gw_take_fd(&uffd);
    scan->pagemap_fd = gw_take_fd(&pagemap_fd);
    return 0;
}

void gw_write_scan_close(struct gw_write_scan *scan)
{
    if (scan->uffd >= 0) {
        close(scan->uffd);
        close(scan->pagemap_fd);
    }
    *scan = (struct gw_write_scan){.uffd = -1, .pagemap_fd = -1};
}

int gw_write_scan_add(struct gw_write_scan *scan,
                      const struct gw_ram_block *block, struct gw_error **errp)
{
    struct pass pass;
    int r = gw_uffd_register(scan->uffd, block->host, block->max_length);

    if (r < 0) {
        return gw_error_set_errno(
            errp, r, "RAM block '%s': cannot be write-protected", block->idstr);
    }
    init_pass(&pass, scan, block, block->max_length / PAGE, NULL);
    r = run_pass(&pass);
    gw_populated_deinit(&pass.populated);
    if (r < 0) {
        return gw_error_set_errno(
            errp, r, "RAM block '%s': write-protecting it", block->idstr);
    }
    return 0;
}

int gw_write_scan_sync(const struct gw_write_scan *scan,
                       const struct gw_ram_block *block, unsigned long *dirty,
                       uint64_t n_pages, struct gw_error **errp)
{
    struct pass pass;
    int r;

    init_pass(&pass, scan, block, n_pages, dirty);
    r = run_pass(&pass);
    gw_populated_deinit(&pass.populated);
    if (r < 0) {
        return gw_error_set_errno(errp, r, "looking for written pages");
    }
    return 0;
}

/* One page is written, its neighbour is not. */
static int try_it(struct gw_ram_block *block, struct gw_error **errp)
{
    struct gw_write_scan scan;
    unsigned long dirty = 0;
    int r = gw_write_scan_open(&scan, errp);

    if (r < 0) {
        return r;
    }
    r = gw_write_scan_add(&scan, block, errp);
    if (r == 0) {
        *(volatile uint8_t *)(block->host + PAGE) = 1;
        r = gw_write_scan_sync(&scan, block, &dirty, 2, errp);
    }
    if (r == 0 && dirty != 2) {
        r = gw_error_set(errp, -ENOTSUP,
                         "the kernel reports written pages %#lx, expected 0x2",
                         dirty);
    }
    gw_write_scan_close(&scan);
    return r;
}

int gw_write_scan_probe(struct gw_error **errp)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "probe", .used_length = 2 * PAGE);
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_ram_block *block = NULL;
    int r = gw_ram_block_new(&attr, &block, &error);

    if (r == 0) {
        r = try_it(block, &error);
    }
    gw_ram_block_free(block);
    return r < 0 ? gw_error_set(errp, -ENOTSUP, "%s", gw_error_text(error)) : 0;
}

/*
 * Holes of guest memory: by SEEK_DATA and SEEK_HOLE for shared memory, from
 * the page tables for private memory.
 */
#include "ram/populated.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/util.h"
#include "ram/block.h"

#define PAGE ((uint64_t)GW_TARGET_PAGE_SIZE)

/* Pages of one question: a scan holds the lock of the address space. */
#define SCAN_PAGES ((uint64_t)1 << 18)

/* An entry of /proc/self/pagemap: the page is present, or swapped out. */
#define ENTRY_IS_POPULATED (UINT64_C(3) << 62)

/* Entries that are read at once: 4 KiB of stack. */
enum {
    N_ENTRIES = 512
};

/* What has a page that is not the kernel's zero page. */
static const struct gw_pagemap_query has_data = {
    .inverted = GW_PAGE_ZERO,
    .all_of = GW_PAGE_ZERO,
    .any_of = GW_PAGE_PRESENT | GW_PAGE_SWAPPED,
};

/*
 * Only tmpfs (memfds are of it) is asked: its answer comes from the same tree
 * of pages that the mapping uses, without write-back in between.
 */
static bool is_tmpfs(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static void init_seek(struct gw_populated *populated,
                      const struct gw_ram_block *block)
{
    char path[64];

    /* lseek moves the position, and a duplicate would share the embedder's. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", block->fd);
    populated->fd = open(path, O_RDONLY | O_CLOEXEC);
    populated->base = block->fd_offset;
    populated->source = GW_POPULATED_SEEK;
}

static void init_scan(struct gw_populated *populated,
                      const struct gw_ram_block *block)
{
    populated->fd = gw_pagemap_open(NULL);
    populated->base = (uint64_t)(uintptr_t)block->host;
    populated->source = GW_POPULATED_SCAN;
}

void gw_populated_init(struct gw_populated *populated,
                       const struct gw_ram_block *block)
{
    *populated = (struct gw_populated){.fd = -1};
    if (gw_ram_block_is_anonymous(block)) {
        init_scan(populated, block);
    } else if (block->fd >= 0 && (block->flags & GW_RAM_SHARED) &&
               is_tmpfs(block->fd)) {
        init_seek(populated, block);
    }
    if (populated->fd < 0) {
        populated->source = GW_POPULATED_UNKNOWN;
    }
}

void gw_populated_deinit(struct gw_populated *populated)
{
    if (populated->fd >= 0) {
        close(populated->fd);
    }
    populated->fd = -1;
    populated->source = GW_POPULATED_UNKNOWN;
}

/* Finds the whole run that begins at `first`; UINT64_MAX: to the end. */
static void seek_run(struct gw_populated *populated, uint64_t first)
{
    off_t from = (off_t)(populated->base + first * PAGE);
    off_t next = lseek(populated->fd, from, SEEK_DATA);
    uint64_t page = UINT64_MAX;

    populated->start = first;
    populated->is_hole = false;
    if (next < 0) {
        /* No data up to the end of the file; or no answer. */
        populated->is_hole = errno == ENXIO;
    } else if ((page = ((uint64_t)next - populated->base) / PAGE) > first) {
        /* Rounded down: a page of which a part is data is data. */
        populated->is_hole = true;
    } else {
        next = lseek(populated->fd, from, SEEK_HOLE);
        /* Rounded up, for the same reason. */
        page = next < 0
                   ? UINT64_MAX
                   : gw_align_up((uint64_t)next - populated->base, PAGE) / PAGE;
        page = gw_max_u64(page, first + 1);
    }
    populated->end = page;
}

/* Asks for the data from `first` on. */
static int scan(struct gw_populated *populated, uint64_t first, uint64_t end)
{
    uint64_t from = populated->base + first * PAGE;
    uint64_t to = from;
    int n = gw_pagemap_scan(populated->fd, &has_data, &to,
                            from + gw_min_u64(end - first, SCAN_PAGES) * PAGE,
                            populated->regions, GW_POPULATED_REGIONS);

    if (n < 0) {
        return n;
    }
    populated->n_regions = (unsigned int)n;
    populated->from = from;
    populated->to = to;
    return 0;
}

/* Finds the run that begins at `first` in what was kept. */
static bool find_kept(struct gw_populated *populated, uint64_t first)
{
    uint64_t at = populated->base + first * PAGE;
    uint64_t end = populated->to;
    bool is_hole = true;
    unsigned int i = 0;

    while (i < populated->n_regions && populated->regions[i].end <= at) {
        i++;
    }
    if (i < populated->n_regions && populated->regions[i].start <= at) {
        is_hole = false;
        end = populated->regions[i].end;
    } else if (at < populated->from || at >= populated->to) {
        return false;
    } else if (i < populated->n_regions) {
        end = populated->regions[i].start;
    }
    populated->start = first;
    populated->end = (end - populated->base) / PAGE;
    populated->is_hole = is_hole;
    return true;
}

static void scan_run(struct gw_populated *populated, uint64_t first,
                     uint64_t end)
{
    if (find_kept(populated, first)) {
        return;
    }
    if (scan(populated, first, end) < 0 || !find_kept(populated, first)) {
        populated->source = GW_POPULATED_ENTRIES;
        populated->end = 0;
    }
}

static bool is_populated(uint64_t entry)
{
    return (entry & ENTRY_IS_POPULATED) != 0;
}

/* How many entries from the first on are of one kind. */
static size_t count_alike(const uint64_t *entries, size_t n, bool populated)
{
    size_t i = 0;

    while (i < n && is_populated(entries[i]) == populated) {
        i++;
    }
    return i;
}

/* Reads the entries of pages [first, end), N_ENTRIES at most. */
static size_t read_entries(const struct gw_populated *populated, uint64_t first,
                           uint64_t end, uint64_t entries[N_ENTRIES])
{
    size_t size = (size_t)gw_min_u64(end - first, N_ENTRIES) * 8;
    uint64_t at = (populated->base / PAGE + first) * 8;
    ssize_t n = pread(populated->fd, entries, size, (off_t)at);

    return n < 0 ? 0 : (size_t)n / 8;
}

/*
 * Reads entries until one is of the other kind. They do not tell the kernel's
 * zero page from others.
 */
static void entries_run(struct gw_populated *populated, uint64_t first,
                        uint64_t end)
{
    uint64_t entries[N_ENTRIES];
    size_t n = read_entries(populated, first, end, entries);
    bool is_data = n == 0 || is_populated(entries[0]);
    size_t alike = count_alike(entries, n, is_data);
    uint64_t at = first + alike;

    while (n > 0 && alike == n && at < end) {
        n = read_entries(populated, at, end, entries);
        alike = count_alike(entries, n, is_data);
        at += alike;
    }
    populated->start = first;
    /* No answer at all: data, to the end. */
    populated->end = at > first ? at : end;
    populated->is_hole = !is_data;
}

static void find_run(struct gw_populated *populated, uint64_t first,
                     uint64_t end)
{
    if (populated->source == GW_POPULATED_SEEK) {
        seek_run(populated, first);
        return;
    }
    if (populated->source == GW_POPULATED_SCAN) {
        scan_run(populated, first, end);
    }
    if (populated->source == GW_POPULATED_ENTRIES) {
        entries_run(populated, first, end);
    }
}

uint64_t gw_populated_run(struct gw_populated *populated, uint64_t first,
                          uint64_t end, bool *ret_is_hole)
{
    if (populated->source == GW_POPULATED_UNKNOWN) {
        *ret_is_hole = false;
        return end;
    }
    if (first < populated->start || first >= populated->end) {
        find_run(populated, first, end);
    }
    *ret_is_hole = populated->is_hole;
    return gw_min_u64(populated->end, end);
}

static uint64_t seek_data(struct gw_populated *populated, uint64_t first,
                          uint64_t end)
{
    off_t from = (off_t)(populated->base + first * PAGE);
    off_t next = lseek(populated->fd, from, SEEK_DATA);

    if (next < 0) {
        return errno == ENXIO ? end : first;
    }
    return gw_min_u64(((uint64_t)next - populated->base) / PAGE, end);
}

uint64_t gw_populated_next_data(struct gw_populated *populated, uint64_t first,
                                uint64_t end)
{
    bool is_hole = true;

    if (populated->source == GW_POPULATED_SEEK && first < end) {
        return seek_data(populated, first, end);
    }
    gw_populated_forget_holes(populated);
    while (first < end && is_hole) {
        uint64_t next = gw_populated_run(populated, first, end, &is_hole);

        first = is_hole ? next : first;
    }
    return first;
}

void gw_populated_forget_holes(struct gw_populated *populated)
{
    if (populated->is_hole) {
        populated->start = 0;
        populated->end = 0;
    }
    populated->from = 0;
    populated->to = 0;
}

/*
 * Holes of shared guest memory, by SEEK_DATA and SEEK_HOLE.
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

/*
 * Only tmpfs (memfds are of it) is asked: its answer comes from the same tree
 * of pages that the mapping uses, without write-back in between.
 */
static bool is_tmpfs(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

void gw_populated_init(struct gw_populated *populated,
                       const struct gw_ram_block *block)
{
    char path[64];

    *populated = (struct gw_populated){.fd = -1, .offset = block->fd_offset};
    if (block->fd < 0 || !(block->flags & GW_RAM_SHARED) ||
        !is_tmpfs(block->fd)) {
        return;
    }
    /* lseek moves the position, and a duplicate would share the embedder's. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", block->fd);
    populated->fd = open(path, O_RDONLY | O_CLOEXEC);
}

void gw_populated_deinit(struct gw_populated *populated)
{
    if (populated->fd >= 0) {
        close(populated->fd);
    }
    populated->fd = -1;
}

/* Finds the whole run that begins at `first`; UINT64_MAX: to the end. */
static void find_run(struct gw_populated *populated, uint64_t first)
{
    off_t from = (off_t)(populated->offset + first * PAGE);
    off_t next = lseek(populated->fd, from, SEEK_DATA);
    uint64_t page = UINT64_MAX;

    populated->start = first;
    populated->is_hole = false;
    if (next < 0) {
        /* No data up to the end of the file; or no answer. */
        populated->is_hole = errno == ENXIO;
    } else if ((page = ((uint64_t)next - populated->offset) / PAGE) > first) {
        /* Rounded down: a page of which a part is data is data. */
        populated->is_hole = true;
    } else {
        next = lseek(populated->fd, from, SEEK_HOLE);
        /* Rounded up, for the same reason. */
        page =
            next < 0
                ? UINT64_MAX
                : gw_align_up((uint64_t)next - populated->offset, PAGE) / PAGE;
        page = gw_max_u64(page, first + 1);
    }
    populated->end = page;
}

uint64_t gw_populated_run(struct gw_populated *populated, uint64_t first,
                          uint64_t end, bool *ret_is_hole)
{
    if (populated->fd < 0) {
        *ret_is_hole = false;
        return end;
    }
    if (first < populated->start || first >= populated->end) {
        find_run(populated, first);
    }
    *ret_is_hole = populated->is_hole;
    return gw_min_u64(populated->end, end);
}

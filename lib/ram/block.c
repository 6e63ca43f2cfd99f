/*
 * RAM blocks: checking attributes, mapping, clearing.
 */
#include "ram/block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "ram/zero.h"

/* Longest name that a length byte can carry. */
enum {
    IDSTR_MAX = 255
};

static int check_name(const char *idstr, struct gw_error **errp)
{
    size_t len = idstr ? strlen(idstr) : 0;

    if (len == 0 || len > IDSTR_MAX) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block name has %zu bytes, expected 1 to %d",
                            len, IDSTR_MAX);
    }
    return 0;
}

static int check_lengths(const struct gw_ram_attr *attr, uint64_t max_length,
                         struct gw_error **errp)
{
    if (attr->used_length == 0 ||
        !gw_is_aligned(attr->used_length, GW_TARGET_PAGE_SIZE) ||
        !gw_is_aligned(max_length, GW_TARGET_PAGE_SIZE)) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block '%s': lengths %#llx and %#llx must be "
                            "positive multiples of the page size",
                            attr->idstr, (unsigned long long)attr->used_length,
                            (unsigned long long)max_length);
    }
    if (attr->used_length > max_length || max_length > INT64_MAX) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block '%s': used length %#llx is beyond the "
                            "maximum %#llx",
                            attr->idstr, (unsigned long long)attr->used_length,
                            (unsigned long long)max_length);
    }
    if (attr->used_length != max_length && !(attr->flags & GW_RAM_RESIZEABLE)) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block '%s': only a resizeable block may use "
                            "less than its maximum",
                            attr->idstr);
    }
    return 0;
}

static int check_memory(const struct gw_ram_attr *attr, struct gw_error **errp)
{
    if (!gw_is_aligned((uintptr_t)attr->host, GW_TARGET_PAGE_SIZE) ||
        !gw_is_aligned(attr->fd_offset, GW_TARGET_PAGE_SIZE)) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block '%s': memory and file offset must be "
                            "page aligned",
                            attr->idstr);
    }
    if ((attr->flags & GW_RAM_NAMED_FILE) && attr->fd < 0) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block '%s': a named file needs a descriptor",
                            attr->idstr);
    }
    if ((attr->flags & GW_RAM_ANONYMOUS) &&
        (attr->fd >= 0 || (attr->flags & GW_RAM_SHARED))) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block '%s': anonymous memory is private and "
                            "has no descriptor",
                            attr->idstr);
    }
    return 0;
}

static int map_memory(struct gw_ram_block *block, struct gw_error **errp)
{
    int flags = block->flags & GW_RAM_SHARED ? MAP_SHARED : MAP_PRIVATE;
    void *host;

    if (block->fd < 0) {
        flags |= MAP_ANONYMOUS;
    }
    host = mmap(NULL, block->max_length, PROT_READ | PROT_WRITE,
                flags | MAP_NORESERVE, block->fd, (off_t)block->fd_offset);
    if (host == MAP_FAILED) {
        return gw_error_set_errno(
            errp, -errno, "RAM block '%s': cannot map %#llx bytes",
            block->idstr, (unsigned long long)block->max_length);
    }
    block->host = host;
    block->is_mapped = true;
    block->is_pristine = block->fd < 0;
    return 0;
}

static int fill_in(struct gw_ram_block *block, const struct gw_ram_attr *attr,
                   struct gw_error **errp)
{
    block->max_length = attr->max_length ? attr->max_length : attr->used_length;
    block->used_length = attr->used_length;
    block->host_page_size =
        attr->host_page_size ? attr->host_page_size : GW_TARGET_PAGE_SIZE;
    block->host = attr->host;
    block->flags = attr->flags;
    block->fd_offset = attr->fd_offset;
    block->gpa = attr->gpa;
    block->resized = attr->resized;
    block->opaque = attr->opaque;
    block->is_pristine = attr->flags & GW_RAM_ZEROED;
    block->idstr = strdup(attr->idstr);
    if (!block->idstr) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    if (attr->fd >= 0) {
        block->fd = fcntl(attr->fd, F_DUPFD_CLOEXEC, 0);
        if (block->fd < 0) {
            return gw_error_set_errno(errp, -errno,
                                      "RAM block '%s': descriptor %d",
                                      attr->idstr, attr->fd);
        }
    }
    return block->host ? 0 : map_memory(block, errp);
}

int gw_ram_block_new(const struct gw_ram_attr *attr,
                     struct gw_ram_block **ret_block, struct gw_error **errp)
{
    uint64_t max_length =
        attr->max_length ? attr->max_length : attr->used_length;
    struct gw_ram_block *block;
    int r;

    if (attr->attr_size != sizeof(*attr)) {
        return gw_error_set(errp, -EINVAL,
                            "RAM attributes have %zu bytes, expected %zu",
                            attr->attr_size, sizeof(*attr));
    }
    if ((r = check_name(attr->idstr, errp)) < 0 ||
        (r = check_lengths(attr, max_length, errp)) < 0 ||
        (r = check_memory(attr, errp)) < 0) {
        return r;
    }
    block = calloc(1, sizeof(*block));
    if (!block) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    block->fd = -1;
    gw_written_init(&block->written, max_length / GW_TARGET_PAGE_SIZE);
    r = fill_in(block, attr, errp);
    if (r < 0) {
        gw_ram_block_free(block);
        return r;
    }
    *ret_block = block;
    return 0;
}

struct gw_ram_block *gw_ram_block_free(struct gw_ram_block *block)
{
    if (block) {
        if (block->is_mapped) {
            munmap(block->host, block->max_length);
        }
        if (block->fd >= 0) {
            close(block->fd);
        }
        gw_written_deinit(&block->written);
        free(block->idstr);
        free(block);
    }
    return NULL;
}

/* Gives the memory back to the host, if that leaves zeros. */
static bool discard(struct gw_ram_block *block)
{
    if (block->fd < 0) {
        /* Only for our own mapping is it known that nothing is behind. */
        return block->is_mapped && !(block->flags & GW_RAM_SHARED) &&
               madvise(block->host, block->max_length, MADV_DONTNEED) == 0;
    }
    return (block->flags & GW_RAM_SHARED) &&
           fallocate(block->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (off_t)block->fd_offset, (off_t)block->max_length) == 0;
}

void gw_ram_block_clear(struct gw_ram_block *block)
{
    uint64_t offset;

    if (block->is_pristine) {
        return;
    }
    if (!discard(block)) {
        for (offset = 0; offset < block->max_length;
             offset += GW_TARGET_PAGE_SIZE) {
            if (!gw_page_is_zero(block->host + offset)) {
                memset(block->host + offset, 0, GW_TARGET_PAGE_SIZE);
            }
        }
    }
    block->is_pristine = true;
}

void gw_ram_block_populate(struct gw_ram_block *block, uint64_t offset,
                           uint64_t size)
{
#ifdef MADV_POPULATE_WRITE
    madvise(block->host + offset, size, MADV_POPULATE_WRITE);
#else
    (void)block;
    (void)offset;
    (void)size;
#endif
}

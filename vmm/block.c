/*
 * Requests in steps: what the kernel did in part goes on, what does not suit
 * direct I/O goes through a buffer, what a file system cannot do is written.
 */
#include "block.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

/* Bytes of a step that goes through a buffer. */
#define BOUNCE_BYTES (256u << 10)
#define BOUNCE_ALIGN 4096u

static int find_size(struct vmm_block *block, const char *path,
                     struct gw_error **errp)
{
    struct stat st;

    if (fstat(block->fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot look at '%s'", path);
    }
    if (S_ISREG(st.st_mode)) {
        block->bytes = (uint64_t)st.st_size;
    } else if (!S_ISBLK(st.st_mode)) {
        return gw_error_set(errp, -EINVAL,
                            "'%s' is neither a file nor a block device", path);
    } else if (ioctl(block->fd, BLKGETSIZE64, &block->bytes) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot ask '%s' for its size",
                                  path);
    }
    if (block->bytes == 0 || block->bytes % VMM_SECTOR_BYTES) {
        return gw_error_set(
            errp, -EINVAL, "'%s' has %llu bytes, expected a multiple of %u",
            path, (unsigned long long)block->bytes, VMM_SECTOR_BYTES);
    }
    return 0;
}

/* What direct I/O demands; without it everything goes. */
static int find_alignment(struct vmm_block *block, const char *path,
                          struct gw_error **errp)
{
    struct statx st = {0};
    int sector = VMM_SECTOR_BYTES;

    block->align = VMM_SECTOR_BYTES;
    block->memory_align = 1;
    if (ioctl(block->fd, BLKSSZGET, &sector) == 0) {
        block->align = (uint32_t)sector;
    }
    if (!block->direct) {
        return 0;
    }
    block->memory_align = block->align;
#ifdef STATX_DIOALIGN
    if (statx(block->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
        (st.stx_mask & STATX_DIOALIGN) && st.stx_dio_offset_align) {
        block->align = st.stx_dio_offset_align;
        block->memory_align = st.stx_dio_mem_align;
    }
#endif
    if (block->align < VMM_SECTOR_BYTES) {
        block->align = VMM_SECTOR_BYTES;
    }
    if (block->align > BOUNCE_ALIGN || block->bytes % block->align) {
        return gw_error_set(errp, -EINVAL,
                            "direct I/O on '%s' is in units of %u bytes, the "
                            "size is %llu",
                            path, block->align,
                            (unsigned long long)block->bytes);
    }
    return 0;
}

#ifdef GW_HAVE_LIBURING

static int open_uring(struct vmm_block *block, struct gw_error **errp)
{
    block->engine_ops = &vmm_block_uring;
    return block->engine_ops->open(block, errp);
}

#else

static int open_uring(struct vmm_block *block, struct gw_error **errp)
{
    return gw_error_set(errp, -ENOTSUP, "this godwit has no io_uring");
}

#endif

/* io_uring may be forbidden; then a thread does it, if we may choose. */
static int open_engine(struct vmm_block *block, enum vmm_block_aio aio,
                       struct gw_error **errp)
{
    int r = -ENOTSUP;

    if (aio != VMM_BLOCK_AIO_THREADS) {
        r = open_uring(block, aio == VMM_BLOCK_AIO_URING ? errp : NULL);
    }
    if (r < 0 && aio != VMM_BLOCK_AIO_URING) {
        block->engine_ops = &vmm_block_threads;
        r = block->engine_ops->open(block, errp);
    }
    if (r < 0) {
        block->engine_ops = NULL;
    }
    return r;
}

static int open_image(struct vmm_block *block,
                      const struct vmm_block_config *config,
                      struct gw_error **errp)
{
    int flags = O_CLOEXEC | (config->readonly ? O_RDONLY : O_RDWR) |
                (config->direct ? O_DIRECT : 0);
    int r;

    block->fd = open(config->path, flags);
    if (block->fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open '%s'",
                                  config->path);
    }
    r = find_size(block, config->path, errp);
    if (r == 0) {
        r = find_alignment(block, config->path, errp);
    }
    return r < 0 ? r : open_engine(block, config->aio, errp);
}

int vmm_block_open(struct vmm_block *block,
                   const struct vmm_block_config *config,
                   struct gw_error **errp)
{
    int r;

    *block = (struct vmm_block){.fd = -1,
                                .event_fd = -1,
                                .readonly = config->readonly,
                                .direct = config->direct};
    r = open_image(block, config, errp);
    if (r < 0) {
        vmm_block_close(block);
    }
    return r;
}

void vmm_block_close(struct vmm_block *block)
{
    /* A zeroed object has no descriptors: 0 is somebody else's. */
    bool opened = block->engine_ops || block->event_fd < 0;

    if (block->engine_ops) {
        block->engine_ops->close(block);
        block->engine_ops = NULL;
    }
    if (opened && block->fd >= 0) {
        close(block->fd);
    }
    block->fd = -1;
}

static bool suits_direct(const struct vmm_block *block,
                         const struct vmm_block_request *request)
{
    for (unsigned int i = 0; i < request->n_iov; i++) {
        const struct iovec *part = &request->iov[i];

        if ((uintptr_t)part->iov_base % block->memory_align ||
            part->iov_len % block->align) {
            return false;
        }
    }
    return true;
}

static bool moves_data(const struct vmm_block_request *request)
{
    return request->op == VMM_BLOCK_READ || request->op == VMM_BLOCK_WRITE;
}

/* Copies between the bounce buffer and the parts, which go forward. */
static void copy_bounce(struct vmm_block_request *request, size_t bytes)
{
    size_t done = 0;

    while (done < bytes && request->iov_at < request->n_iov) {
        struct iovec *part = &request->iov[request->iov_at];
        uint8_t *host = (uint8_t *)part->iov_base + request->iov_skip;
        size_t n = part->iov_len - request->iov_skip;

        n = n < bytes - done ? n : bytes - done;
        if (request->op == VMM_BLOCK_READ) {
            memcpy(host, request->bounce + done, n);
        } else {
            memcpy(request->bounce + done, host, n);
        }
        done += n;
        request->iov_skip += n;
        if (request->iov_skip == part->iov_len) {
            request->iov_at++;
            request->iov_skip = 0;
        }
    }
}

static void prepare_bounce(struct vmm_block_request *request)
{
    uint64_t left = request->bytes - request->n_done;

    request->step_bytes = left < BOUNCE_BYTES ? (size_t)left : BOUNCE_BYTES;
    if (request->op == VMM_BLOCK_WRITE) {
        copy_bounce(request, request->step_bytes);
    }
    request->one_iov = (struct iovec){.iov_base = request->bounce,
                                      .iov_len = request->step_bytes};
    request->step_iov = &request->one_iov;
    request->step_n_iov = 1;
}

/* What the next step is. */
static void prepare_step(struct vmm_block_request *request)
{
    if (request->bounce) {
        prepare_bounce(request);
    } else if (moves_data(request)) {
        request->step_iov = request->iov + request->iov_at;
        request->step_n_iov = request->n_iov - request->iov_at;
        request->step_bytes = (size_t)(request->bytes - request->n_done);
    }
}

static int get_bounce(struct vmm_block_request *request)
{
    void *buffer = NULL;

    if (posix_memalign(&buffer, BOUNCE_ALIGN, BOUNCE_BYTES) != 0) {
        return -ENOMEM;
    }
    memset(buffer, 0, BOUNCE_BYTES);
    request->bounce = buffer;
    return 0;
}

void vmm_block_submit(struct vmm_block *block,
                      struct vmm_block_request *request)
{
    request->n_done = 0;
    request->iov_at = 0;
    request->iov_skip = 0;
    request->bounce = NULL;
    request->by_writing = false;
    block->n_requests++;
    block->dirty |=
        request->op != VMM_BLOCK_READ && request->op != VMM_BLOCK_FLUSH;
    if (block->direct && moves_data(request) && !suits_direct(block, request)) {
        /* A failure shows as a failed step. */
        (void)get_bounce(request);
    }
    prepare_step(request);
    block->engine_ops->submit(block, request);
}

void vmm_block_kick(struct vmm_block *block)
{
    block->engine_ops->kick(block);
}

/* A part that was cut at its begin is whole again. */
static void restore_part(struct vmm_block_request *request)
{
    if (request->iov_skip > 0) {
        struct iovec *part = &request->iov[request->iov_at];

        part->iov_base = (uint8_t *)part->iov_base - request->iov_skip;
        part->iov_len += request->iov_skip;
        request->iov_skip = 0;
    }
}

/* The parts go forward by what was moved; one may be cut for the next step. */
static void advance(struct vmm_block_request *request, size_t bytes)
{
    while (bytes > 0 && request->iov_at < request->n_iov) {
        struct iovec *part = &request->iov[request->iov_at];

        if (bytes < part->iov_len) {
            part->iov_base = (uint8_t *)part->iov_base + bytes;
            part->iov_len -= bytes;
            request->iov_skip += bytes;
            return;
        }
        bytes -= part->iov_len;
        restore_part(request);
        request->iov_at++;
    }
}

/* What the file system cannot do is no failure of the disk. */
static bool goes_by_writing(struct vmm_block_request *request, int64_t error)
{
    if ((error != -EOPNOTSUPP && error != -ENOSYS && error != -ENODEV) ||
        request->by_writing) {
        return false;
    }
    request->by_writing = true;
    return get_bounce(request) == 0;
}

/* What becomes of a request; negative: it failed. */
enum {
    STEP_DONE = 0,
    STEP_NEXT = 1,
    STEP_AGAIN = 2,
};

static int finish_data(struct vmm_block_request *request, int64_t result)
{
    if (result == 0) {
        return -EIO;
    }
    if (request->bounce && request->op == VMM_BLOCK_READ) {
        copy_bounce(request, (size_t)result);
    } else if (!request->bounce) {
        advance(request, (size_t)result);
    } else if ((size_t)result < request->step_bytes && !request->by_writing) {
        /* The parts have gone forward by the whole step already. */
        return -EIO;
    }
    request->n_done += (uint64_t)result;
    return request->n_done < request->bytes ? STEP_NEXT : STEP_DONE;
}

static int finish_step(struct vmm_block_request *request)
{
    int64_t result = request->step_result;

    if (result == -EINTR || result == -EAGAIN) {
        return STEP_AGAIN;
    }
    if (moves_data(request) || (request->by_writing && result >= 0)) {
        return result < 0 ? (int)result : finish_data(request, result);
    }
    if (result < 0 && request->op != VMM_BLOCK_FLUSH) {
        /* A discard is a hint. */
        if (request->op == VMM_BLOCK_DISCARD) {
            return result == -EOPNOTSUPP || result == -ENODEV ? 0 : (int)result;
        }
        return goes_by_writing(request, result) ? STEP_NEXT : (int)result;
    }
    return result < 0 ? (int)result : STEP_DONE;
}

struct vmm_block_request *vmm_block_reap(struct vmm_block *block)
{
    struct vmm_block_request *request;

    while ((request = block->engine_ops->reap(block))) {
        int r = finish_step(request);

        if (r == STEP_NEXT) {
            prepare_step(request);
        }
        if (r > 0) {
            block->engine_ops->submit(block, request);
            block->engine_ops->kick(block);
            continue;
        }
        if (!request->bounce) {
            restore_part(request);
        }
        free(request->bounce);
        request->bounce = NULL;
        request->result = r;
        block->n_requests--;
        return request;
    }
    return NULL;
}

int vmm_block_flush(struct vmm_block *block)
{
    if (!block->dirty) {
        return 0;
    }
    if (fdatasync(block->fd) < 0) {
        return -errno;
    }
    block->dirty = false;
    return 0;
}

int vmm_block_fallocate_mode(const struct vmm_block_request *request)
{
    if (request->by_writing) {
        return -1;
    }
    switch (request->op) {
    case VMM_BLOCK_DISCARD:
    case VMM_BLOCK_ZERO_UNMAP:
        return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    case VMM_BLOCK_ZERO:
        return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
    case VMM_BLOCK_READ:
    case VMM_BLOCK_WRITE:
    case VMM_BLOCK_FLUSH:
    default:
        return -1;
    }
}

int64_t vmm_block_step(struct vmm_block *block,
                       const struct vmm_block_request *request)
{
    off_t offset = (off_t)(request->offset + request->n_done);
    int mode = vmm_block_fallocate_mode(request);
    int flags = request->durable ? RWF_DSYNC : 0;
    int64_t n;

    if (mode >= 0) {
        n = fallocate(block->fd, mode, offset, (off_t)request->bytes);
    } else if (request->op == VMM_BLOCK_FLUSH) {
        n = fdatasync(block->fd);
    } else if (request->op == VMM_BLOCK_READ) {
        n = preadv(block->fd, request->step_iov, (int)request->step_n_iov,
                   offset);
    } else {
        n = pwritev2(block->fd, request->step_iov, (int)request->step_n_iov,
                     offset, flags);
    }
    return n < 0 ? -errno : n;
}

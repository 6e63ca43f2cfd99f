/*
 * A disk image on the host: a raw file or a block device, read and written
 * without waiting, by io_uring or, where that is not permitted, by a thread.
 *
 * One thread submits and reaps; requests belong to it again when done.
 */
#ifndef VMM_BLOCK_H
#define VMM_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/error.h>

#define VMM_SECTOR_BYTES 512u

enum vmm_block_op {
    VMM_BLOCK_READ,
    VMM_BLOCK_WRITE,
    /* What was written before is on the medium. */
    VMM_BLOCK_FLUSH,
    /* The range may be forgotten. */
    VMM_BLOCK_DISCARD,
    /* The range reads as zeros; with its space kept, or not. */
    VMM_BLOCK_ZERO,
    VMM_BLOCK_ZERO_UNMAP,
};

enum vmm_block_aio {
    VMM_BLOCK_AIO_AUTO,
    VMM_BLOCK_AIO_URING,
    VMM_BLOCK_AIO_THREADS,
};

struct vmm_block_config {
    const char *path;
    bool readonly;
    /* Past the host's page cache. */
    bool direct;
    enum vmm_block_aio aio;
};

struct vmm_block_request {
    /* --- set by whoever submits it --- */
    enum vmm_block_op op;
    /* Bytes, multiples of the block's `align`. */
    uint64_t offset;
    uint64_t bytes;
    /* Memory to read into or write from; as it was when it is done. */
    struct iovec *iov;
    unsigned int n_iov;
    /* A write is on the medium when it is done. */
    bool durable;

    /* --- while it is on its way --- */
    uint64_t n_done;
    /* Parts before this one are done; this many bytes of it, too. */
    unsigned int iov_at;
    size_t iov_skip;
    /* Where the parts do not suit direct I/O, or nothing is to be written. */
    uint8_t *bounce;
    /* The file system cannot punch holes or zero: done by writing. */
    bool by_writing;
    /* What is done next: its parts, at offset + n_done. */
    struct iovec *step_iov;
    unsigned int step_n_iov;
    size_t step_bytes;
    struct iovec one_iov;
    int64_t step_result;
    struct vmm_block_request *next;

    /* --- when it is done --- */
    /* 0 or a negative errno. */
    int result;
};

struct vmm_block_engine;
struct vmm_block;

/* How requests get to the kernel; every member is filled. */
struct vmm_block_engine_ops {
    const char *name;
    int (*open)(struct vmm_block *block, struct gw_error **errp);
    void (*close)(struct vmm_block *block);
    /* Starts the request's next step; does not wait for it. */
    void (*submit)(struct vmm_block *block, struct vmm_block_request *request);
    /* The steps since are started at the latest now. */
    void (*kick)(struct vmm_block *block);
    /* A request whose step has a result, or NULL. */
    struct vmm_block_request *(*reap)(struct vmm_block *block);
};

struct vmm_block {
    int fd;
    bool readonly;
    bool direct;
    /* Size of the medium, a multiple of 512. */
    uint64_t bytes;
    /* Unit of offsets and sizes; of memory addresses with direct I/O. */
    uint32_t align;
    uint32_t memory_align;
    /* Written to since the last flush. */
    bool dirty;
    /* Requests that were submitted and are not done. */
    unsigned int n_requests;
    const struct vmm_block_engine_ops *engine_ops;
    struct vmm_block_engine *engine;
    /* Readable when there may be something to reap. */
    int event_fd;
};

/* Opens an image; the object is closed with vmm_block_close, also if zero. */
int vmm_block_open(struct vmm_block *block,
                   const struct vmm_block_config *config,
                   struct gw_error **errp) GW_MUST_CHECK;
/* No request is on its way. */
void vmm_block_close(struct vmm_block *block);

/* Takes a request; kick after the last of several. */
void vmm_block_submit(struct vmm_block *block,
                      struct vmm_block_request *request);
void vmm_block_kick(struct vmm_block *block);
/* A request that is done, or NULL if there is none now. */
struct vmm_block_request *vmm_block_reap(struct vmm_block *block);
/* Everything that was written is on the medium; waits. */
int vmm_block_flush(struct vmm_block *block);

/* For engines: the step by a system call that waits; bytes or -errno. */
int64_t vmm_block_step(struct vmm_block *block,
                       const struct vmm_block_request *request);
/* The mode of fallocate for a request that is not done by writing; or -1. */
int vmm_block_fallocate_mode(const struct vmm_block_request *request);

extern const struct vmm_block_engine_ops vmm_block_threads;
extern const struct vmm_block_engine_ops vmm_block_uring;

#endif

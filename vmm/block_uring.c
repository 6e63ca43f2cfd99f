/*
 * Requests through io_uring. The ring's own descriptor tells of completions.
 */
#include "block.h"

#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>

#include "util.h"

#define RING_ENTRIES 256

struct vmm_block_engine {
    struct io_uring ring;
    /* Requests for which the ring had no room, in order. */
    struct vmm_block_request *first_waiting;
    struct vmm_block_request **last_waiting;
    /* Whose results were not reaped yet: at most what the ring holds. */
    unsigned int n_started;
};

/* Kernels before 5.6 lack some operations: a thread does them all then. */
static bool knows_operations(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool known = probe && io_uring_opcode_supported(probe, IORING_OP_READV) &&
                 io_uring_opcode_supported(probe, IORING_OP_WRITEV) &&
                 io_uring_opcode_supported(probe, IORING_OP_FSYNC) &&
                 io_uring_opcode_supported(probe, IORING_OP_FALLOCATE);

    io_uring_free_probe(probe);
    return known;
}

static int open_uring(struct vmm_block *block, struct gw_error **errp)
{
    struct vmm_block_engine *engine = calloc(1, sizeof(*engine));
    int r;

    if (!engine) {
        return gw_error_set_errno(errp, -ENOMEM, "disk");
    }
    r = io_uring_queue_init(RING_ENTRIES, &engine->ring, 0);
    if (r < 0) {
        free(engine);
        return gw_error_set_errno(errp, r, "io_uring");
    }
    if (!knows_operations(&engine->ring)) {
        io_uring_queue_exit(&engine->ring);
        free(engine);
        return gw_error_set(errp, -ENOTSUP,
                            "the kernel's io_uring lacks operations");
    }
    engine->last_waiting = &engine->first_waiting;
    block->engine = engine;
    block->event_fd = engine->ring.ring_fd;
    return 0;
}

static void close_uring(struct vmm_block *block)
{
    io_uring_queue_exit(&block->engine->ring);
    free(block->engine);
    block->engine = NULL;
    block->event_fd = -1;
}

static void fill_entry(struct vmm_block *block, struct io_uring_sqe *sqe,
                       struct vmm_block_request *request)
{
    uint64_t offset = request->offset + request->n_done;
    int mode = vmm_block_fallocate_mode(request);

    if (mode >= 0) {
        io_uring_prep_fallocate(sqe, block->fd, mode, (off_t)offset,
                                (off_t)request->bytes);
    } else if (request->op == VMM_BLOCK_FLUSH) {
        io_uring_prep_fsync(sqe, block->fd, IORING_FSYNC_DATASYNC);
    } else if (request->op == VMM_BLOCK_READ) {
        io_uring_prep_readv(sqe, block->fd, request->step_iov,
                            request->step_n_iov, offset);
    } else {
        io_uring_prep_writev2(sqe, block->fd, request->step_iov,
                              request->step_n_iov, offset,
                              request->durable ? RWF_DSYNC : 0);
    }
    io_uring_sqe_set_data(sqe, request);
}

/* Moves what waits into the ring; what is in it never overflows it. */
static void start_waiting(struct vmm_block *block)
{
    struct vmm_block_engine *engine = block->engine;

    while (engine->first_waiting && engine->n_started < RING_ENTRIES) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&engine->ring);
        struct vmm_block_request *request = engine->first_waiting;

        if (!sqe) {
            return;
        }
        engine->first_waiting = request->next;
        if (!engine->first_waiting) {
            engine->last_waiting = &engine->first_waiting;
        }
        fill_entry(block, sqe, request);
        engine->n_started++;
    }
}

static void submit(struct vmm_block *block, struct vmm_block_request *request)
{
    struct vmm_block_engine *engine = block->engine;

    request->next = NULL;
    *engine->last_waiting = request;
    engine->last_waiting = &request->next;
}

static void kick(struct vmm_block *block)
{
    int r;

    start_waiting(block);
    /* Memory may be short for a moment; a result must come of each. */
    do {
        r = io_uring_submit(&block->engine->ring);
    } while ((r == -EINTR || r == -EAGAIN) && sched_yield() == 0);
}

static struct vmm_block_request *reap(struct vmm_block *block)
{
    struct vmm_block_engine *engine = block->engine;
    struct vmm_block_request *request;
    struct io_uring_cqe *cqe = NULL;

    if (io_uring_peek_cqe(&engine->ring, &cqe) != 0) {
        if (engine->first_waiting || io_uring_sq_ready(&engine->ring) > 0) {
            kick(block);
        }
        return NULL;
    }
    request = io_uring_cqe_get_data(cqe);
    request->step_result = cqe->res;
    io_uring_cqe_seen(&engine->ring, cqe);
    engine->n_started--;
    return request;
}

const struct vmm_block_engine_ops vmm_block_uring = {
    .name = "io_uring",
    .open = open_uring,
    .close = close_uring,
    .submit = submit,
    .kick = kick,
    .reap = reap,
};

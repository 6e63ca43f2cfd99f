/*
 * The chunk queue.
 */
#include "ram/chunks.h"

#include <errno.h>
#include <pthread.h>

#include "base/pool.h"
#include "base/util.h"

struct chunks {
    /* constant during the run */
    const struct gw_page_set *sets;
    size_t n_sets;
    const struct gw_chunk_ops *ops;
    void *opaque;

    pthread_mutex_t lock;
    /* guarded by `lock`: what was not handed out yet */
    size_t set;
    uint64_t next;
    /* the first failure */
    int result;
    struct gw_error *error;
};

/* Called with the lock held. */
static bool take_locked(struct chunks *chunks, struct gw_chunk *ret)
{
    const struct gw_bitmap *pages;
    uint64_t first;

    for (; chunks->set < chunks->n_sets; chunks->set++, chunks->next = 0) {
        pages = chunks->sets[chunks->set].pages;
        first = gw_bitmap_find_next_set(pages, chunks->next);
        if (first < pages->n_bits) {
            ret->set = chunks->set;
            ret->first = first - first % GW_CHUNK_PAGES;
            ret->end = gw_min_u64(ret->first + GW_CHUNK_PAGES, pages->n_bits);
            chunks->next = ret->end;
            return true;
        }
    }
    return false;
}

static bool take(struct chunks *chunks, struct gw_chunk *ret)
{
    bool found;

    pthread_mutex_lock(&chunks->lock);
    found = chunks->result == 0 && take_locked(chunks, ret);
    pthread_mutex_unlock(&chunks->lock);
    return found;
}

/* Takes the error. */
static void fail(struct chunks *chunks, int result, struct gw_error *error)
{
    pthread_mutex_lock(&chunks->lock);
    if (chunks->result == 0) {
        chunks->result = result;
        chunks->error = error;
        error = NULL;
    }
    pthread_mutex_unlock(&chunks->lock);
    gw_error_free(error);
}

static void work(void *opaque, unsigned int worker)
{
    struct chunks *chunks = opaque;
    struct gw_error *error = NULL;
    struct gw_chunk chunk;
    int r = 0;

    while (r == 0 && take(chunks, &chunk)) {
        r = chunks->ops->chunk(chunks->opaque, worker, &chunk, &error);
    }
    if (r < 0) {
        fail(chunks, r, error);
        error = NULL;
    }
    r = chunks->ops->flush(chunks->opaque, worker, &error);
    if (r < 0) {
        fail(chunks, r, error);
    }
}

int gw_chunks_run(struct gw_pool *pool, const struct gw_page_set *sets,
                  size_t n_sets, const struct gw_chunk_ops *ops, void *opaque,
                  struct gw_error **errp)
{
    struct chunks chunks = {
        .sets = sets, .n_sets = n_sets, .ops = ops, .opaque = opaque};

    pthread_mutex_init(&chunks.lock, NULL);
    gw_pool_run(pool, work, &chunks);
    pthread_mutex_destroy(&chunks.lock);
    if (errp) {
        *errp = chunks.error;
    } else {
        gw_error_free(chunks.error);
    }
    return chunks.result;
}

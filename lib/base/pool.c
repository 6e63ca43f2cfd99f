/*
 * Worker pool.
 */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct worker {
    struct gw_pool *pool;
    unsigned int index;
    pthread_t thread;
};

struct gw_pool {
    /* constant after creation */
    unsigned int n; /* threads */

    pthread_mutex_t lock;
    /* guarded by `lock` */
    pthread_cond_t changed; /* a round begins or ends, or the pool does */
    uint64_t round;         /* counts up as rounds begin */
    unsigned int n_busy;    /* workers that have not ended the round */
    bool quit;
    gw_pool_fn fn; /* of the round */
    void *opaque;

    struct worker workers[];
};

/* Waits for a round other than `seen`; false at the end of the pool. */
static bool wait_round(struct gw_pool *pool, uint64_t *seen)
{
    bool goes_on;

    pthread_mutex_lock(&pool->lock);
    while (!pool->quit && pool->round == *seen) {
        pthread_cond_wait(&pool->changed, &pool->lock);
    }
    *seen = pool->round;
    goes_on = !pool->quit;
    pthread_mutex_unlock(&pool->lock);
    return goes_on;
}

static void *worker_main(void *opaque)
{
    struct worker *worker = opaque;
    struct gw_pool *pool = worker->pool;
    uint64_t seen = 0;

    while (wait_round(pool, &seen)) {
        /* Both stay as they are until the last worker is done. */
        pool->fn(pool->opaque, worker->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->n_busy == 0) {
            pthread_cond_broadcast(&pool->changed);
        }
        pthread_mutex_unlock(&pool->lock);
    }
    return NULL;
}

static int start_worker(struct gw_pool *pool, const char *name)
{
    struct worker *worker = &pool->workers[pool->n];
    char text[16];
    int r;

    worker->pool = pool;
    worker->index = pool->n;
    r = -pthread_create(&worker->thread, NULL, worker_main, worker);
    if (r == 0) {
        snprintf(text, sizeof(text), "%s %u", name, pool->n);
        pthread_setname_np(worker->thread, text);
        pool->n++;
    }
    return r;
}

/* Signals are the embedder's. */
static int start_workers(struct gw_pool *pool, unsigned int n, const char *name)
{
    sigset_t all, before;
    int r = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (r == 0 && pool->n < n) {
        r = start_worker(pool, name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int gw_pool_new(unsigned int n, const char *name, struct gw_pool **ret_pool,
                struct gw_error **errp)
{
    struct gw_pool *pool =
        calloc(1, sizeof(*pool) + n * sizeof(pool->workers[0]));
    int r;

    if (!pool) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    r = start_workers(pool, n, name);
    if (r < 0) {
        r = gw_error_set_errno(errp, r, "cannot start thread %u of %u",
                               pool->n + 1, n);
        gw_pool_free(pool);
        return r;
    }
    *ret_pool = pool;
    return 0;
}

struct gw_pool *gw_pool_free(struct gw_pool *pool)
{
    unsigned int i;

    if (pool) {
        pthread_mutex_lock(&pool->lock);
        pool->quit = true;
        pthread_cond_broadcast(&pool->changed);
        pthread_mutex_unlock(&pool->lock);
        for (i = 0; i < pool->n; i++) {
            pthread_join(pool->workers[i].thread, NULL);
        }
        pthread_cond_destroy(&pool->changed);
        pthread_mutex_destroy(&pool->lock);
        free(pool);
    }
    return NULL;
}

unsigned int gw_pool_n_workers(const struct gw_pool *pool)
{
    return pool->n ? pool->n : 1;
}

void gw_pool_run(struct gw_pool *pool, gw_pool_fn fn, void *opaque)
{
    if (pool->n == 0) {
        fn(opaque, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->opaque = opaque;
    pool->n_busy = pool->n;
    pool->round++;
    pthread_cond_broadcast(&pool->changed);
    while (pool->n_busy > 0) {
        pthread_cond_wait(&pool->changed, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}

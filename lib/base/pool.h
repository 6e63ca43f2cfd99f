/*
 * Worker pool: threads that all run one function, again and again.
 *
 * The threads live as long as the pool, so that a round costs a wake-up and
 * not a start. A pool of no threads runs the function on the caller's.
 * One owner; a round ends before the next one begins.
 */
#ifndef GW_BASE_POOL_H
#define GW_BASE_POOL_H

#include <stddef.h>

#include <godwit/error.h>

struct gw_pool;

/* What a worker does in a round; `index` counts from 0. */
typedef void (*gw_pool_fn)(void *opaque, unsigned int index);

/*
 * Starts n threads, named `name` and a number (15 bytes in all are shown).
 * All or none: if one cannot be started, those before it have ended again.
 */
int gw_pool_new(unsigned int n, const char *name, struct gw_pool **ret_pool,
                struct gw_error **errp) GW_MUST_CHECK;

/* Joins the threads; NULL is fine; returns NULL. No round may be running. */
struct gw_pool *gw_pool_free(struct gw_pool *pool);

/* Workers that take part in a round: the threads, or 1 for the caller's. */
unsigned int gw_pool_n_workers(const struct gw_pool *pool);

/* A round: fn runs once on each worker; returns when all have returned. */
void gw_pool_run(struct gw_pool *pool, gw_pool_fn fn, void *opaque);

#endif

/*
 * Marks of writes that somebody reported (gw_ram_block_wrote): one bit for
 * each page of a block, set by any thread without a lock, taken by the one
 * that syncs.
 *
 * The marks are allocated at the first start and stay until the block goes,
 * so a late caller never meets freed memory. Why no write is lost:
 *
 * 1. A writer stores to the page and then does a read-modify-write of
 *    `is_tracked`; a start does one, too, before any page is read. Whoever
 *    comes second sees what the first did: the writer sees the tracking and
 *    marks the page, or the reader sees the store.
 * 2. The same holds for the word of marks: a writer sets the bit after its
 *    store, a sync takes the word before the page is read.
 */
#ifndef GW_RAM_WRITTEN_H
#define GW_RAM_WRITTEN_H

#include <stdatomic.h>
#include <stdint.h>

struct gw_written {
    /* 1: writes are marked (a number, as C11 has no fetch for bool) */
    atomic_uint is_tracked;
    /* n_words words, NULL before the first start */
    _Atomic(atomic_ulong *) words;
    /* constant */
    uint64_t n_words;
};

/* No marks, for n_pages pages. */
void gw_written_init(struct gw_written *written, uint64_t n_pages);
void gw_written_deinit(struct gw_written *written);

/* Begins with no marks; -ENOMEM. One thread at a time. */
int gw_written_start(struct gw_written *written);
void gw_written_stop(struct gw_written *written);

/* Marks pages [first, end), which lie in the block. Any thread. */
void gw_written_mark(struct gw_written *written, uint64_t first, uint64_t end);

/* ORs the marks of the first n_words words into `dirty` and clears them. */
void gw_written_take(struct gw_written *written, unsigned long *dirty,
                     uint64_t n_words);

#endif

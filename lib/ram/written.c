/*
 * Marks of reported writes.
 */
#include "ram/written.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "ram/bitmap.h"

void gw_written_init(struct gw_written *written, uint64_t n_pages)
{
    atomic_init(&written->is_tracked, 0);
    atomic_init(&written->words, NULL);
    written->n_words =
        n_pages / GW_BITMAP_WORD_BITS + (n_pages % GW_BITMAP_WORD_BITS != 0);
}

void gw_written_deinit(struct gw_written *written)
{
    free(atomic_load(&written->words));
    atomic_store(&written->words, NULL);
}

int gw_written_start(struct gw_written *written)
{
    atomic_ulong *words = atomic_load(&written->words);
    uint64_t i;

    if (!words) {
        words = calloc(gw_max_u64(written->n_words, 1), sizeof(*words));
        if (!words) {
            return -ENOMEM;
        }
        atomic_store(&written->words, words);
    } else {
        for (i = 0; i < written->n_words; i++) {
            atomic_store(&words[i], 0);
        }
    }
    atomic_exchange(&written->is_tracked, 1);
    return 0;
}

void gw_written_stop(struct gw_written *written)
{
    atomic_exchange(&written->is_tracked, 0);
}

void gw_written_mark(struct gw_written *written, uint64_t first, uint64_t end)
{
    atomic_ulong *words;
    uint64_t i;

    /* A read-modify-write that changes nothing: see the header, 1. */
    if (first >= end || !atomic_fetch_or(&written->is_tracked, 0)) {
        return;
    }
    words = atomic_load(&written->words);
    for (i = first / GW_BITMAP_WORD_BITS; i <= (end - 1) / GW_BITMAP_WORD_BITS;
         i++) {
        atomic_fetch_or(&words[i], gw_bitmap_range_mask(i, first, end));
    }
}

void gw_written_take(struct gw_written *written, unsigned long *dirty,
                     uint64_t n_words)
{
    atomic_ulong *words = atomic_load(&written->words);
    uint64_t i;

    for (i = 0; words && i < gw_min_u64(n_words, written->n_words); i++) {
        /* Most words are empty: do not take their cache lines. */
        if (atomic_load_explicit(&words[i], memory_order_relaxed)) {
            dirty[i] |= atomic_exchange(&words[i], 0);
        }
    }
}

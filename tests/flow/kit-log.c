/*
 * The log: a bit for each page, set behind each write, by a read-modify-write
 * as `arm` clears it by one: either the write was before the arming, and is
 * in what is read after it, or its bit stays set.
 */
#include "kit-log.h"

#include <stdatomic.h>

#include <godwit/tracker.h>

#include "kit.h"

#define WORD_BITS 64u

struct block_log {
    atomic_ulong *written;
    unsigned long *reported; /* by the last sync */
    uint64_t n_words;
    uint64_t n_pages; /* in use when it was started */
};

struct kit_log {
    struct kit_machine *m;
    struct block_log blocks[KIT_MAX_BLOCKS];
    bool is_started;
};

static struct block_log *find(struct kit_log *log,
                              const struct gw_ram_block *block)
{
    size_t i = 0;

    KIT_CHECK(log->is_started, "the tracker was not started");
    while (log->m->blocks[i].block != block) {
        i++;
        KIT_CHECK(i < log->m->shape->n_blocks, "a foreign block");
    }
    return &log->blocks[i];
}

static int start(void *opaque, struct gw_error **errp)
{
    struct kit_log *log = opaque;
    uint64_t word;
    size_t i;

    KIT_CHECK(!log->is_started, "started twice");
    log->is_started = true;
    for (i = 0; i < log->m->shape->n_blocks; i++) {
        log->blocks[i].n_pages =
            gw_ram_block_used_length(log->m->blocks[i].block) / KIT_PAGE;
        for (word = 0; word < log->blocks[i].n_words; word++) {
            atomic_store(&log->blocks[i].written[word], ~0ul);
            log->blocks[i].reported[word] = ~0ul;
        }
    }
    return 0;
}

static void stop(void *opaque)
{
    struct kit_log *log = opaque;

    KIT_CHECK(log->is_started, "stopped twice");
    log->is_started = false;
}

static int sync_block(void *opaque, struct gw_ram_block *block,
                      unsigned long *dirty, uint64_t n_pages,
                      struct gw_error **errp)
{
    struct block_log *b = find(opaque, block);
    uint64_t word;

    for (word = 0; word * WORD_BITS < n_pages; word++) {
        b->reported[word] = atomic_load(&b->written[word]);
        dirty[word] |= b->reported[word];
    }
    return 0;
}

static int arm(void *opaque, struct gw_ram_block *block, uint64_t first,
               uint64_t n_pages, struct gw_error **errp)
{
    struct block_log *b = find(opaque, block);
    uint64_t end = (first + n_pages + WORD_BITS - 1) / WORD_BITS;
    uint64_t word;

    KIT_CHECK(first % WORD_BITS == 0, "not whole words are armed");
    KIT_CHECK(n_pages % WORD_BITS == 0 || first + n_pages == b->n_pages,
              "not whole words are armed");
    for (word = first / WORD_BITS; word < end; word++) {
        atomic_fetch_and(&b->written[word], ~b->reported[word]);
    }
    return 0;
}

static const struct gw_tracker_ops ops = {
    .name = "kit-log",
    .start = start,
    .stop = stop,
    .sync = sync_block,
    .arm = arm,
};

struct kit_log *kit_log_new(struct kit_machine *m)
{
    struct kit_log *log = calloc(1, sizeof(*log));
    size_t i;

    KIT_CHECK(log, "out of memory");
    log->m = m;
    for (i = 0; i < m->shape->n_blocks; i++) {
        struct block_log *b = &log->blocks[i];

        b->n_words = m->shape->blocks[i].max_pages / WORD_BITS + 1;
        b->written = calloc(b->n_words, sizeof(*b->written));
        b->reported = calloc(b->n_words, sizeof(*b->reported));
        KIT_CHECK(b->written && b->reported, "out of memory");
    }
    gw_machine_set_tracker(m->machine, &ops, log);
    return log;
}

struct kit_log *kit_log_free(struct kit_log *log)
{
    size_t i;

    for (i = 0; log && i < KIT_MAX_BLOCKS; i++) {
        free(log->blocks[i].written);
        free(log->blocks[i].reported);
    }
    free(log);
    return NULL;
}

void kit_log_mark(struct kit_log *log, size_t block, uint64_t page)
{
    if (log) {
        atomic_fetch_or(&log->blocks[block].written[page / WORD_BITS],
                        1ul << page % WORD_BITS);
    }
}

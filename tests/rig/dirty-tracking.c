/*
 * A migration in small, of a guest that runs: copies its memory while it
 * writes, then what the tracker reports, round by round; after the last
 * round, with the guest stopped, the copy must be the memory, page for page.
 * The arguments are those of `godwit run`.
 *
 * A tracker that reports everything would pass as well, so rounds are counted
 * in which less than half of what the guest has was dirty. One that forgets
 * is found by pages that are armed for the sake of their neighbours: arming
 * is done for 64 pages where one is dirty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <godwit/machine.h>
#include <godwit/ram.h>

#include "machine.h"
#include "machine/machine.h"
#include "machine/tracker.h"
#include "options.h"
#include "util.h"

#define PAGE ((uint64_t)GW_TARGET_PAGE_SIZE)
#define ROUNDS 25u
#define GROUP 64u
/* Between rounds, and between a sync and the first arming after it. */
#define PAUSE_US 80000
#define SYNC_PAUSE_US 20000

struct copy {
    struct gw_machine *machine;
    struct gw_ram_block *block;
    uint8_t *memory; /* sparse: zero where the block is */
    uint64_t n_pages;
    struct gw_bitmap dirty;
    uint64_t n_touched;    /* pages with data, after the first round */
    uint64_t n_dirty;      /* in all rounds */
    unsigned int n_sparse; /* rounds with less than half of the pages */
};

static void fail(const char *what, struct gw_error *error)
{
    fprintf(stderr, "dirty-tracking: %s: %s\n", what,
            error ? gw_error_text(error) : "failed");
    exit(1);
}

/*
 * Whoever copies memory that a guest writes races with it: the next round puts
 * it right. So ThreadSanitizer is not to look here.
 */
__attribute__((no_sanitize("thread"))) static void copy_page(struct copy *copy,
                                                             uint64_t page)
{
    const volatile uint64_t *from = gw_ram_block_host(copy->block);
    uint64_t *to = (uint64_t *)(void *)copy->memory;
    uint64_t end = (page + 1) * PAGE / sizeof(*to);

    for (uint64_t i = page * PAGE / sizeof(*to); i < end; i++) {
        uint64_t word = from[i];

        /* Zeros are not written: the copy stays as sparse as the guest. */
        if (word != to[i]) {
            to[i] = word;
        }
    }
}

static void arm(struct copy *copy, uint64_t page)
{
    uint64_t first = page / GROUP * GROUP;
    uint64_t left = copy->n_pages - first;
    struct gw_error *error = NULL;

    if (gw_machine_tracker_arm(copy->machine, copy->block, first,
                               left < GROUP ? left : GROUP, &error) < 0) {
        fail("arm", error);
    }
}

static void first_round(struct copy *copy)
{
    static const uint8_t zeros[GW_TARGET_PAGE_SIZE];

    for (uint64_t page = 0; page < copy->n_pages; page++) {
        if (page % GROUP == 0) {
            arm(copy, page);
        }
        copy_page(copy, page);
        copy->n_touched += memcmp(copy->memory + page * PAGE, zeros, PAGE) != 0;
    }
}

static void next_round(struct copy *copy)
{
    struct gw_error *error = NULL;
    uint64_t page, end = 0;
    uint64_t n_dirty, group = UINT64_MAX;

    if (gw_machine_tracker_sync(copy->machine, copy->block, &copy->dirty,
                                &error) < 0) {
        fail("sync", error);
    }
    /* What the guest writes now is armed, but not copied. */
    usleep(SYNC_PAUSE_US);
    n_dirty = gw_bitmap_count(&copy->dirty);
    copy->n_dirty += n_dirty;
    copy->n_sparse += n_dirty < copy->n_touched / 2;
    while (gw_bitmap_next_run(&copy->dirty, end, &page, &end)) {
        for (; page < end; page++) {
            if (page / GROUP != group) {
                group = page / GROUP;
                arm(copy, page);
            }
            copy_page(copy, page);
        }
    }
    gw_bitmap_clear_range(&copy->dirty, 0, copy->n_pages);
}

static uint64_t count_different(const struct copy *copy)
{
    const uint8_t *host = gw_ram_block_host(copy->block);
    uint64_t n = 0;

    for (uint64_t at = 0; at < copy->n_pages * PAGE; at += PAGE) {
        if (memcmp(host + at, copy->memory + at, PAGE) != 0) {
            n++;
            fprintf(stderr, "page %llu of %s differs\n",
                    (unsigned long long)(at / PAGE),
                    gw_ram_block_idstr(copy->block));
        }
    }
    return n;
}

static void init_copy(struct copy *copy, struct gw_machine *machine,
                      struct gw_ram_block *block)
{
    uint64_t bytes = gw_ram_block_used_length(block);

    *copy = (struct copy){
        .machine = machine, .block = block, .n_pages = bytes / PAGE};
    copy->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (copy->memory == MAP_FAILED ||
        gw_bitmap_init(&copy->dirty, copy->n_pages) < 0) {
        fail("memory", NULL);
    }
}

static unsigned int run_rounds(struct vmm_machine *vm, struct copy *copies,
                               unsigned int n)
{
    struct gw_error *error = NULL;
    uint64_t n_different = 0;

    for (unsigned int i = 0; i < n; i++) {
        first_round(&copies[i]);
    }
    for (unsigned int round = 0; round < ROUNDS; round++) {
        usleep(PAUSE_US);
        for (unsigned int i = 0; i < n; i++) {
            next_round(&copies[i]);
        }
    }
    if (gw_machine_stop(vm->gw, &error) < 0) {
        fail("stop", error);
    }
    for (unsigned int i = 0; i < n; i++) {
        next_round(&copies[i]);
        n_different += count_different(&copies[i]);
    }
    return (unsigned int)n_different;
}

/* Block 0 is guest RAM, in which beat works. */
static int judge(const struct copy *copies, unsigned int n,
                 unsigned int n_different, const char *name)
{
    const struct copy *ram = &copies[0];

    printf("dirty-tracking: %s, %u blocks: %llu pages with data, %llu dirty "
           "in %u rounds, %u of them sparse, %u pages differ\n",
           name, n, (unsigned long long)ram->n_touched,
           (unsigned long long)ram->n_dirty, ROUNDS + 1, ram->n_sparse,
           n_different);
    return n_different > 0 || ram->n_dirty < ROUNDS ||
           ram->n_sparse < ROUNDS / 2;
}

int main(int argc, char **argv)
{
    static struct vmm_machine vm;
    struct vmm_options options;
    struct gw_ram_block *block = NULL;
    struct gw_error *error = NULL;
    struct copy copies[2];
    unsigned int n = 0;
    int status;

    vmm_options_init(&options);
    if (vmm_options_parse(&options, argc, argv, &error) < 0 ||
        vmm_machine_init(&vm, &options, &error) < 0) {
        fail("machine", error);
    }
    if (!gw_machine_has_tracker(vm.gw)) {
        fail("tracker", NULL);
    }
    while ((block = gw_ram_block_next(vm.gw, block)) &&
           n < VMM_ARRAY_SIZE(copies)) {
        init_copy(&copies[n++], vm.gw, block);
    }
    if (gw_machine_cont(vm.gw, &error) < 0) {
        fail("cont", error);
    }
    /* The guest fills its memory first. */
    sleep(2);
    if (gw_machine_acquire(vm.gw, &error) < 0 ||
        gw_machine_tracker_start(vm.gw, &error) < 0) {
        fail("start", error);
    }
    status = judge(copies, n, run_rounds(&vm, copies, n),
                   gw_machine_tracker_name(vm.gw));
    gw_machine_tracker_stop(vm.gw);
    gw_machine_release(vm.gw);
    vmm_machine_deinit(&vm);
    vmm_options_deinit(&options);
    while (n > 0) {
        gw_bitmap_deinit(&copies[--n].dirty);
        munmap(copies[n].memory, copies[n].n_pages * PAGE);
    }
    return status;
}

/*
 * The writing guest.
 *
 * The migration reads what the guest writes, on purpose: what writes to guest
 * memory here is not instrumented by ThreadSanitizer, like a real guest.
 */
#include "kit-guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <godwit/tracker.h>

#include "kit-log.h"
#include "kit.h"

#define NO_TSAN __attribute__((no_sanitize("thread")))

enum {
    MAX_THREADS = 4,
    /* Writes between two looks at what is asked of it. */
    BURST = 32,
    /* Bursts until the next pattern has its turn. */
    TURN = 16,
    /* Words of a page that carry its stamp: the first and the last, too. */
    STAMPS = 8,
    STAMP_STRIDE = 73,
    HOT_PAGES = 8,
    N_PATTERNS = 6,
};

struct vcpu {
    struct kit_guest *guest;
    pthread_t thread;
    unsigned int index;
    struct kit_rng rng;
    uint64_t next;        /* of the sequential pattern */
    unsigned int n_turns; /* bursts so far */
};

/* All pages of the guest have a number, block after block. */
struct page {
    size_t block;
    uint64_t index;
    uint8_t *host;
};

struct kit_guest {
    /* constant after creation */
    struct kit_machine *m;
    struct kit_log *log;
    struct vcpu vcpus[MAX_THREADS];
    unsigned int n_vcpus;
    uint64_t n_pages;

    /* of the thread that owns the page, or anyone's while all are parked */
    uint32_t *generations; /* 0: the page is zero */

    atomic_uint patterns;
    atomic_uint rest_us;
    atomic_ullong n_writes;

    pthread_mutex_t lock;
    pthread_cond_t cond;
    /* guarded by `lock` */
    unsigned int n_parked;
    bool is_paused; /* by the machine */
    bool is_held;   /* by a test */
    bool ends;
};

static bool is_written_to(const struct kit_block_shape *shape)
{
    return !(shape->flags & GW_RAM_READONLY);
}

static struct page find_page(struct kit_machine *m, uint64_t number)
{
    size_t i;

    for (i = 0; i < m->shape->n_blocks; i++) {
        const struct kit_block_shape *shape = &m->shape->blocks[i];

        if (!is_written_to(shape)) {
            continue;
        }
        if (number < shape->used_pages) {
            uint8_t *host = gw_ram_block_host(m->blocks[i].block);

            return (struct page){i, number, host + number * KIT_PAGE};
        }
        number -= shape->used_pages;
    }
    abort();
}

static uint64_t count_pages(const struct kit_shape *shape)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < shape->n_blocks; i++) {
        n += is_written_to(&shape->blocks[i]) ? shape->blocks[i].used_pages : 0;
    }
    return n;
}

/* ---- Stamps ---- */

static uint64_t stamp(uint64_t number, uint32_t generation, unsigned int i)
{
    return generation
               ? ((number + 1) << 32 | generation) * (2 * (uint64_t)i + 1)
               : 0;
}

NO_TSAN static void write_stamps(uint8_t *host, uint64_t number,
                                 uint32_t generation)
{
    volatile uint64_t *words = (volatile uint64_t *)(void *)host;
    unsigned int i;

    for (i = 0; i < STAMPS; i++) {
        words[(size_t)i * STAMP_STRIDE] = stamp(number, generation, i);
    }
}

/* The generation that the page's first word tells, if it is its own. */
NO_TSAN static bool read_stamps(const uint8_t *host, uint64_t number,
                                uint32_t *ret_generation)
{
    const volatile uint64_t *words =
        (const volatile uint64_t *)(const void *)host;
    uint32_t generation = (uint32_t)words[0];
    unsigned int i;

    for (i = 0; i < STAMPS; i++) {
        if (words[(size_t)i * STAMP_STRIDE] != stamp(number, generation, i)) {
            return false;
        }
    }
    *ret_generation = generation;
    return true;
}

/* Generation of a page of a machine; ends the program if it is not whole. */
static uint32_t look(struct kit_machine *m, uint64_t number)
{
    struct page page = find_page(m, number);
    uint32_t generation = 0;

    KIT_CHECK(read_stamps(page.host, number, &generation),
              "page %llu of '%s' is torn or another: first word %#llx",
              (unsigned long long)page.index,
              m->shape->blocks[page.block].idstr,
              *(unsigned long long *)(void *)page.host);
    return generation;
}

static void check_page(struct kit_guest *guest, struct kit_machine *m,
                       uint64_t number)
{
    struct page page = find_page(m, number);
    uint32_t generation = look(m, number);

    KIT_CHECK(generation == guest->generations[number],
              "page %llu of '%s' has generation %u, expected %u",
              (unsigned long long)page.index,
              m->shape->blocks[page.block].idstr, generation,
              guest->generations[number]);
}

/* ---- What a thread does to a page ---- */

static void put(struct kit_guest *guest, uint64_t number, uint32_t generation)
{
    struct page page = find_page(guest->m, number);

    guest->generations[number] = generation;
    write_stamps(page.host, number, generation);
    kit_log_mark(guest->log, page.block, page.index);
    atomic_fetch_add(&guest->n_writes, 1);
}

/* Gives the page's memory back, which makes it zero. */
static void discard(struct kit_guest *guest, uint64_t number)
{
    struct page page = find_page(guest->m, number);
    const struct kit_block_shape *shape = &guest->m->shape->blocks[page.block];
    struct kit_block *b = &guest->m->blocks[page.block];
    int r;

    guest->generations[number] = 0;
    if (shape->flags & GW_RAM_SHARED) {
        r = fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)((shape->fd_offset + page.index) * KIT_PAGE),
                      (off_t)KIT_PAGE);
    } else {
        r = madvise(page.host, KIT_PAGE, MADV_DONTNEED);
    }
    KIT_CHECK(r == 0, "cannot give back a page of '%s'", shape->idstr);
    gw_ram_block_wrote(b->block, page.index * KIT_PAGE, KIT_PAGE);
    atomic_fetch_add(&guest->n_writes, 1);
}

/* The thread's next page of this pattern. */
static uint64_t choose(struct vcpu *vcpu, unsigned int pattern)
{
    struct kit_guest *guest = vcpu->guest;
    uint64_t n = guest->n_pages / guest->n_vcpus; /* of its own */
    uint64_t own;

    if (pattern == KIT_SEQUENTIAL) {
        own = vcpu->next++ % n;
    } else if (pattern == KIT_HOT) {
        own = kit_below(&vcpu->rng, HOT_PAGES) * 7 % n;
    } else {
        own = kit_below(&vcpu->rng, n);
    }
    return own * guest->n_vcpus + vcpu->index;
}

static void act(struct vcpu *vcpu, unsigned int pattern)
{
    struct kit_guest *guest = vcpu->guest;
    uint64_t number = choose(vcpu, pattern);

    check_page(guest, guest->m, number);
    if (pattern == KIT_DISCARDING) {
        discard(guest, number);
    } else if (pattern == KIT_ZEROING) {
        put(guest, number, 0);
    } else if (pattern != KIT_GROWING || guest->generations[number] == 0) {
        put(guest, number, guest->generations[number] + 1);
    }
}

static void burst(struct vcpu *vcpu)
{
    struct kit_guest *guest = vcpu->guest;
    unsigned int patterns = atomic_load(&guest->patterns);
    unsigned int turn = vcpu->n_turns++ / TURN + vcpu->index;
    unsigned int rest_us = atomic_load(&guest->rest_us);
    unsigned int i;

    if (patterns == KIT_IDLE) {
        usleep(200);
        return;
    }
    while (!(patterns & 1u << turn % N_PATTERNS)) {
        turn++;
    }
    for (i = 0; i < BURST; i++) {
        act(vcpu, 1u << turn % N_PATTERNS);
    }
    if (rest_us > 0) {
        usleep(rest_us);
    }
}

/* ---- Running and standing still ---- */

/* False at the end. */
static bool may_run(struct kit_guest *guest)
{
    bool ends;

    pthread_mutex_lock(&guest->lock);
    if (guest->is_paused || guest->is_held) {
        guest->n_parked++;
        pthread_cond_broadcast(&guest->cond);
        while ((guest->is_paused || guest->is_held) && !guest->ends) {
            pthread_cond_wait(&guest->cond, &guest->lock);
        }
        guest->n_parked--;
    }
    ends = guest->ends;
    pthread_mutex_unlock(&guest->lock);
    return !ends;
}

static void *vcpu_thread(void *opaque)
{
    struct vcpu *vcpu = opaque;

    while (may_run(vcpu->guest)) {
        burst(vcpu);
    }
    return NULL;
}

/* Returns when all stand still, if they shall. */
static void steer(struct kit_guest *guest, bool *flag, bool value)
{
    pthread_mutex_lock(&guest->lock);
    *flag = value;
    pthread_cond_broadcast(&guest->cond);
    while (value && guest->n_parked < guest->n_vcpus) {
        pthread_cond_wait(&guest->cond, &guest->lock);
    }
    pthread_mutex_unlock(&guest->lock);
}

void kit_guest_pause(struct kit_guest *guest)
{
    KIT_CHECK(!guest->is_paused, "paused twice");
    steer(guest, &guest->is_paused, true);
}

void kit_guest_resume(struct kit_guest *guest)
{
    KIT_CHECK(guest->is_paused, "resumed twice");
    steer(guest, &guest->is_paused, false);
}

void kit_guest_change(struct kit_guest *guest, unsigned int patterns)
{
    atomic_store(&guest->patterns, patterns);
    steer(guest, &guest->is_held, true);
    steer(guest, &guest->is_held, false);
}

void kit_guest_rest(struct kit_guest *guest, unsigned int rest_us)
{
    atomic_store(&guest->rest_us, rest_us);
}

void kit_guest_clear(struct kit_guest *guest)
{
    uint64_t number;

    steer(guest, &guest->is_held, true);
    for (number = 0; number < guest->n_pages; number++) {
        put(guest, number, 0);
    }
    steer(guest, &guest->is_held, false);
}

/* ---- Checks ---- */

uint64_t kit_guest_n_writes(struct kit_guest *guest)
{
    return atomic_load(&guest->n_writes);
}

void kit_guest_check_goes_on(struct kit_guest *guest)
{
    uint64_t before = kit_guest_n_writes(guest);
    unsigned int tries = 0;

    while (kit_guest_n_writes(guest) == before) {
        KIT_CHECK(tries++ < 50000, "the guest stands still");
        usleep(200);
    }
}

void kit_guest_check_in(struct kit_guest *guest, struct kit_machine *m)
{
    uint64_t number;

    steer(guest, &guest->is_held, true);
    for (number = 0; number < guest->n_pages; number++) {
        check_page(guest, m, number);
    }
    steer(guest, &guest->is_held, false);
}

void kit_guest_check(struct kit_guest *guest)
{
    kit_guest_check_in(guest, guest->m);
}

void kit_guest_check_any(struct kit_machine *m)
{
    uint64_t n = count_pages(m->shape);
    uint64_t number;

    for (number = 0; number < n; number++) {
        look(m, number);
    }
}

/* ---- Life ---- */

static void add_vcpu(struct kit_guest *guest, struct kit_rng *rng)
{
    struct vcpu *vcpu = &guest->vcpus[guest->n_vcpus];

    vcpu->guest = guest;
    vcpu->index = guest->n_vcpus++;
    vcpu->rng.state = kit_random(rng);
}

static void fill(struct kit_guest *guest, struct kit_rng *rng)
{
    uint64_t number;

    guest->generations = calloc(guest->n_pages, sizeof(*guest->generations));
    KIT_CHECK(guest->generations, "out of memory");
    for (number = 0; number < guest->n_pages; number++) {
        if (kit_chance(rng, 50)) {
            put(guest, number, 1);
        }
    }
}

struct kit_guest *kit_guest_new(struct kit_machine *m, unsigned int n_threads,
                                unsigned int patterns, struct kit_log *log,
                                struct kit_rng *rng)
{
    struct kit_guest *guest = calloc(1, sizeof(*guest));
    unsigned int i;

    KIT_CHECK(guest && n_threads <= MAX_THREADS, "out of memory");
    guest->m = m;
    guest->log = log;
    guest->n_pages = count_pages(m->shape);
    guest->is_paused = !gw_machine_is_running(m->machine);
    atomic_init(&guest->patterns, patterns);
    pthread_mutex_init(&guest->lock, NULL);
    pthread_cond_init(&guest->cond, NULL);
    fill(guest, rng);
    for (i = 0; i < n_threads; i++) {
        add_vcpu(guest, rng);
    }
    /* When all are counted: each knows which pages are its own. */
    for (i = 0; i < n_threads; i++) {
        KIT_CHECK(pthread_create(&guest->vcpus[i].thread, NULL, vcpu_thread,
                                 &guest->vcpus[i]) == 0,
                  "cannot start a thread");
    }
    m->guest = guest;
    return guest;
}

struct kit_guest *kit_guest_free(struct kit_guest *guest)
{
    unsigned int i;

    pthread_mutex_lock(&guest->lock);
    guest->ends = true;
    pthread_cond_broadcast(&guest->cond);
    pthread_mutex_unlock(&guest->lock);
    for (i = 0; i < guest->n_vcpus; i++) {
        pthread_join(guest->vcpus[i].thread, NULL);
    }
    guest->m->guest = NULL;
    pthread_mutex_destroy(&guest->lock);
    pthread_cond_destroy(&guest->cond);
    free(guest->generations);
    free(guest);
    return NULL;
}

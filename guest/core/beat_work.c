/*
 * What every CPU does with its slice of work memory: fill it, dirty it at its
 * share of the rate, check it all the while.
 *
 * Time is turned into credit: a page may be dirtied (or checked) for every
 * full second-page of credit. A CPU that was held up does not catch up for
 * more than a short while, so a stop does not cause a burst.
 */
#include "beat_state.h"

/* How long one step may work, and how many pages at the most. */
#define QUANTUM_NS UINT64_C(500000)
#define QUANTUM_PAGES 64u
/* Pages that are only looked at while filling, between looks at the clock. */
#define QUANTUM_SKIPS 256u
/* How often in a tick an idle CPU wakes up when there is work due. */
#define WAKES_PER_TICK 8u

static uint64_t tick_ns(const struct beat_run *run)
{
    return run->config.tick_ms * BEAT_NS_PER_MS;
}

/* This CPU's share of a rate. */
static uint64_t share(const struct beat_run *run, uint64_t rate)
{
    uint32_t n = run->config.n_cpus;

    return rate * (run->index + 1) / n - rate * run->index / n;
}

/* How much time may be made up for. */
static uint64_t backlog_ns(const struct beat_run *run)
{
    uint64_t ns = 2 * tick_ns(run);

    if (ns < 100 * BEAT_NS_PER_MS) {
        return 100 * BEAT_NS_PER_MS;
    }
    return ns > BEAT_NS_PER_S ? BEAT_NS_PER_S : ns;
}

static void add_credit(uint64_t *credit, uint64_t rate, uint64_t elapsed,
                       uint64_t backlog)
{
    /* Both products are below 2^60: rates and times are limited. */
    uint64_t max = rate * backlog + BEAT_NS_PER_S;
    uint64_t more = rate * (elapsed < backlog ? elapsed : backlog);

    *credit = *credit > max || more > max - *credit ? max : *credit + more;
}

/* A gap that no slow machine explains: it was stopped, or moved. */
static bool is_jump(const struct beat_run *run, uint64_t elapsed)
{
    return elapsed > BEAT_NS_PER_S && elapsed > 10 * tick_ns(run);
}

/* Reads the clock, and turns the time since the last step into credit. */
void beat_work_time(struct beat_run *run)
{
    struct beat_cpu *cpu = run->cpu;
    uint64_t last = cpu->last_ns;
    uint64_t elapsed;

    run->now = run->ops->now(run->ops->opaque);
    cpu->last_ns = run->now;
    if (last == 0) {
        return;
    }
    if (run->now < last) {
        struct beat_report report = {
            .kind = BEAT_REPORT_TIME, .expected = last, .found = run->now};

        beat_report_put(cpu, &report);
        return;
    }
    elapsed = run->now - last;
    add_credit(&cpu->credit, share(run, run->config.rate), elapsed,
               backlog_ns(run));
    add_credit(&cpu->check_credit, share(run, run->config.check_rate), elapsed,
               backlog_ns(run));
    if (run->index == 0 && is_jump(run, elapsed)) {
        __atomic_add_fetch(&run->state->sweep_wanted, 1, __ATOMIC_RELEASE);
    }
}

static bool time_is_up(const struct beat_run *run)
{
    return run->ops->now(run->ops->opaque) - run->now > QUANTUM_NS;
}

/* The filled pages are scattered, so that zero pages come in short runs. */
static bool is_filled(const struct beat_config *config, uint64_t page)
{
    uint64_t hash;

    if (config->fill_percent == 100) {
        return true;
    }
    hash = beat_mix(config->seed ^ (page + 1) << 20) >> 32;
    return hash * 100 >> 32 < config->fill_percent;
}

static int fill(struct beat_run *run)
{
    struct beat_cpu *cpu = run->cpu;
    uint64_t next = cpu->next;
    unsigned int written = 0;
    unsigned int skipped = 0;

    if (next > run->n_slice) {
        return BEAT_E_CURSOR;
    }
    while (next < run->n_slice && written < QUANTUM_PAGES) {
        uint64_t page = run->first + next;

        next++;
        if (is_filled(&run->config, page)) {
            beat_page_write(run, page, 1);
            *beat_generation_at(run, page) = 1;
            written++;
        } else if (++skipped % QUANTUM_SKIPS) {
            continue;
        }
        if (time_is_up(run)) {
            break;
        }
    }
    cpu->next = next;
    if (next == run->n_slice) {
        cpu->next = 0;
        beat_store32(&cpu->phase, BEAT_PHASE_RUN);
    }
    return BEAT_CONTINUE;
}

static uint64_t next_random(struct beat_cpu *cpu)
{
    uint64_t x = cpu->random ? cpu->random : 1;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    cpu->random = x;
    return x;
}

/* A page of the first `n` of the slice; below 2^32 pages, so no overflow. */
static uint64_t pick_random(struct beat_cpu *cpu, uint64_t n)
{
    return (next_random(cpu) >> 32) * n >> 32;
}

/* Nine writes of ten go to the first tenth. */
static uint64_t pick_hot(struct beat_cpu *cpu, uint64_t n_slice)
{
    uint64_t n_hot = (n_slice + 9) / 10;

    if (n_hot == n_slice || pick_random(cpu, 10) != 0) {
        return pick_random(cpu, n_hot);
    }
    return n_hot + pick_random(cpu, n_slice - n_hot);
}

/* The cursor's page, and on to the next one. */
static int advance(uint64_t *cursor, uint64_t n_slice, uint64_t *ret)
{
    uint64_t at = *cursor;

    if (at >= n_slice) {
        return BEAT_E_CURSOR;
    }
    *cursor = at + 1 == n_slice ? 0 : at + 1;
    *ret = at;
    return 0;
}

static int dirty_one(struct beat_run *run)
{
    struct beat_cpu *cpu = run->cpu;
    uint64_t at = 0;
    uint64_t page;
    uint32_t *generation;
    int r = 0;

    switch (run->config.pattern) {
    case BEAT_PATTERN_RANDOM:
        at = pick_random(cpu, run->n_slice);
        break;
    case BEAT_PATTERN_HOT:
        at = pick_hot(cpu, run->n_slice);
        break;
    default:
        r = advance(&cpu->next, run->n_slice, &at);
        break;
    }
    if (r < 0) {
        return r;
    }
    page = run->first + at;
    if (run->config.verify != BEAT_VERIFY_OFF) {
        beat_page_check(run, page);
    }
    generation = beat_generation_at(run, page);
    beat_page_write(run, page, *generation + 1);
    *generation += 1;
    beat_add64(&cpu->dirtied, 1);
    return 0;
}

static int check_one(struct beat_run *run)
{
    uint64_t at = 0;
    int r = advance(&run->cpu->check, run->n_slice, &at);

    if (r < 0) {
        return r;
    }
    beat_page_check(run, run->first + at);
    return 0;
}

/* A page of the whole check, if one is wanted: 1 if there was one. */
static int sweep_one(struct beat_run *run)
{
    struct beat_cpu *cpu = run->cpu;
    uint32_t wanted = beat_load32(&run->state->sweep_wanted);
    uint64_t at = cpu->sweep;

    if (cpu->swept == wanted) {
        return 0;
    }
    if (cpu->sweeping != wanted) {
        cpu->sweeping = wanted;
        at = 0;
    }
    if (at > run->n_slice) {
        return BEAT_E_CURSOR;
    }
    if (at == run->n_slice || run->config.verify == BEAT_VERIFY_OFF) {
        cpu->sweep = 0;
        beat_store32(&cpu->swept, wanted);
        return 0;
    }
    cpu->sweep = at + 1;
    beat_page_check(run, run->first + at);
    return 1;
}

/* Whether a page of this credit is due; takes it. */
static bool spend(const struct beat_run *run, uint64_t *credit)
{
    if (run->n_slice == 0 || *credit < BEAT_NS_PER_S) {
        return false;
    }
    *credit -= BEAT_NS_PER_S;
    return true;
}

/* One page of each kind of work that is due: 1 if there was any. */
static int work_once(struct beat_run *run)
{
    bool worked = false;
    int r = 0;

    if (spend(run, &run->cpu->credit)) {
        r = dirty_one(run);
        worked = true;
    }
    if (r == 0 && spend(run, &run->cpu->check_credit)) {
        r = check_one(run);
        worked = true;
    }
    if (r == 0) {
        r = sweep_one(run);
    }
    return r == 0 ? worked : r;
}

/* How long until there is enough credit for a page to be worth waking up. */
static uint64_t until_due(const struct beat_run *run, uint64_t credit,
                          uint64_t rate)
{
    uint64_t pace = tick_ns(run) / WAKES_PER_TICK;
    uint64_t due;

    if (rate == 0 || credit >= BEAT_NS_PER_S) {
        return rate == 0 ? tick_ns(run) : pace;
    }
    due = (BEAT_NS_PER_S - credit) / rate + 1;
    return due > pace ? due : pace;
}

static uint64_t idle_ns(const struct beat_run *run)
{
    const struct beat_cpu *cpu = run->cpu;
    uint64_t ns = tick_ns(run);
    uint64_t dirty = until_due(run, cpu->credit, share(run, run->config.rate));
    uint64_t check =
        until_due(run, cpu->check_credit, share(run, run->config.check_rate));

    ns = dirty < ns ? dirty : ns;
    ns = check < ns ? check : ns;
    if (run->index == 0) {
        uint64_t next_tick = run->state->next_tick_ns;

        if (next_tick > run->now && next_tick - run->now < ns) {
            ns = next_tick - run->now;
        }
    }
    return ns;
}

static int work(struct beat_run *run, uint64_t *ret_idle_ns)
{
    for (unsigned int i = 0; i < QUANTUM_PAGES; i++) {
        int r = work_once(run);

        if (r < 0) {
            return r;
        }
        if (r == 0) {
            *ret_idle_ns = idle_ns(run);
            return BEAT_IDLE;
        }
        if (time_is_up(run)) {
            break;
        }
    }
    return BEAT_CONTINUE;
}

int beat_work_step(struct beat_run *run, uint64_t *ret_idle_ns)
{
    switch (run->cpu->phase) {
    case BEAT_PHASE_FILL:
        return fill(run);
    case BEAT_PHASE_RUN:
        if (beat_load32(&run->state->said_filled)) {
            return work(run, ret_idle_ns);
        }
        *ret_idle_ns = tick_ns(run) / WAKES_PER_TICK;
        return BEAT_IDLE;
    default:
        return BEAT_E_PHASE;
    }
}

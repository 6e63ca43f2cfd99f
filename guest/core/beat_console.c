/*
 * What CPU 0 does besides its share of the work: it prints hello, the ticks,
 * everybody's errors and the end, and it answers what is typed.
 */
#include "beat_state.h"

static void put_pair(struct beat_text *text, const char *key, uint64_t value)
{
    beat_text_str(text, key);
    beat_text_u64(text, value);
}

static const char *pattern_name(uint32_t pattern)
{
    static const char *const names[] = {"seq", "random", "hot", "zero"};

    return names[pattern & 3];
}

static const char *verify_name(uint32_t verify)
{
    static const char *const names[] = {"off", "on", "filled"};

    return verify < 3 ? names[verify] : "?";
}

static void say_hello(const struct beat_run *run)
{
    const struct beat_config *config = &run->config;
    struct beat_text text = {0};

    put_pair(&text,
             "beat: hello mem=", config->n_pages * (BEAT_PAGE_SIZE / 1024));
    put_pair(&text, "K rate=", config->rate);
    beat_text_str(&text, " pattern=");
    beat_text_str(&text, pattern_name(config->pattern));
    beat_text_str(&text, " verify=");
    beat_text_str(&text, verify_name(config->verify));
    put_pair(&text, " check=", config->check_rate);
    put_pair(&text, " fill=", config->fill_percent);
    put_pair(&text, " tick-ms=", config->tick_ms);
    put_pair(&text, " ticks=", config->n_ticks);
    put_pair(&text, " seed=", config->seed);
    put_pair(&text, " cpus=", config->n_cpus);
    put_pair(&text, " ram=", config->ram_size / 1024);
    beat_text_str(&text, "K");
    if (run->ops->about) {
        beat_text_str(&text, " ");
        beat_text_str(&text, run->ops->about);
    }
    beat_text_flush(&text, run->ops);
}

/* The sum of one counter over all CPUs. */
static uint64_t total(const struct beat_run *run, size_t member)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < run->config.n_cpus; i++) {
        const uint8_t *cpu = (const uint8_t *)beat_cpu_at(run->ram, i);

        sum += beat_load64((const uint64_t *)(const void *)(cpu + member));
    }
    return sum;
}

uint64_t beat_total_errors(const struct beat_run *run)
{
    return total(run, offsetof(struct beat_cpu, errors));
}

static void put_counters(const struct beat_run *run, struct beat_text *text)
{
    put_pair(text, " dirty=", total(run, offsetof(struct beat_cpu, dirtied)));
    put_pair(text, " checked=", total(run, offsetof(struct beat_cpu, checked)));
    put_pair(text, " errors=", beat_total_errors(run));
}

static void say_tick(const struct beat_run *run)
{
    struct beat_text text = {0};

    put_pair(&text, "beat: tick ", run->state->tick);
    put_counters(run, &text);
    beat_text_flush(&text, run->ops);
}

static void say_status(const struct beat_run *run)
{
    struct beat_text text = {0};

    put_pair(&text, "beat: status tick=", run->state->tick);
    put_counters(run, &text);
    put_pair(&text, " pages=", run->config.n_pages);
    put_pair(&text, " rate=", run->config.rate);
    beat_text_str(&text, " pattern=");
    beat_text_str(&text, pattern_name(run->config.pattern));
    put_pair(&text, " cpus=", run->config.n_cpus);
    beat_text_flush(&text, run->ops);
}

static void say_done(const struct beat_run *run)
{
    struct beat_text text = {0};

    beat_text_str(&text, "beat: done");
    beat_text_flush(&text, run->ops);
    beat_store32(&run->state->done, 1);
}

static bool line_is(const struct beat_text *line, const char *word)
{
    size_t i = 0;

    while (i < line->len && word[i] && line->buf[i] == word[i]) {
        i++;
    }
    return i == line->len && !word[i];
}

static void answer(const struct beat_run *run, const struct beat_text *line)
{
    struct beat_text text = {0};

    beat_text_str(&text, "beat: input ");
    beat_text_bytes(&text, line->buf, line->len);
    beat_text_flush(&text, run->ops);
    if (line_is(line, "quit")) {
        say_done(run);
    } else if (line_is(line, "status")) {
        say_status(run);
    } else if (line_is(line, "check")) {
        __atomic_add_fetch(&run->state->sweep_wanted, 1, __ATOMIC_RELEASE);
    }
}

static int take_byte(const struct beat_run *run, struct beat_console *console,
                     unsigned char byte)
{
    uint32_t len = console->line_len;

    if (len > BEAT_LINE_MAX) {
        return BEAT_E_CONSOLE;
    }
    if (byte == '\r' || byte == '\n') {
        struct beat_text line = {0};

        beat_text_bytes(&line, console->line, len);
        console->line_len = 0;
        if (len > 0) {
            answer(run, &line);
        }
    } else if (len < BEAT_LINE_MAX) {
        console->line[len] = byte >= ' ' && byte <= '~' ? (char)byte : '?';
        console->line_len = len + 1;
    }
    return 0;
}

static int read_input(const struct beat_run *run)
{
    struct beat_console *console = beat_console_at(run->ram);
    uint32_t head = beat_load32(&console->head);
    uint32_t tail = console->tail;

    if (head - tail > BEAT_CONSOLE_RING) {
        return BEAT_E_CONSOLE;
    }
    while (tail != head && !run->state->done) {
        unsigned char byte = console->ring[tail % BEAT_CONSOLE_RING];
        int r = take_byte(run, console, byte);

        if (r < 0) {
            return r;
        }
        tail++;
        beat_store32(&console->tail, tail);
    }
    return 0;
}

static bool all_filled(const struct beat_run *run)
{
    for (uint32_t i = 0; i < run->config.n_cpus; i++) {
        if (beat_load32(&beat_cpu_at(run->ram, i)->phase) != BEAT_PHASE_RUN) {
            return false;
        }
    }
    return true;
}

static void say_filled(const struct beat_run *run)
{
    struct beat_text text = {0};

    put_pair(&text, "beat: filled pages=", run->config.n_pages);
    beat_text_flush(&text, run->ops);
    beat_store32(&run->state->said_filled, 1);
}

static bool all_swept(const struct beat_run *run, uint32_t wanted)
{
    for (uint32_t i = 0; i < run->config.n_cpus; i++) {
        if (beat_load32(&beat_cpu_at(run->ram, i)->swept) != wanted) {
            return false;
        }
    }
    return true;
}

/* The outcome of a check of all memory, once every CPU is through. */
static void say_swept(const struct beat_run *run)
{
    uint32_t wanted = beat_load32(&run->state->sweep_wanted);
    struct beat_text text = {0};

    if (run->state->sweep_said == wanted || !all_swept(run, wanted)) {
        return;
    }
    run->state->sweep_said = wanted;
    if (run->config.verify == BEAT_VERIFY_OFF) {
        return;
    }
    put_pair(&text, "beat: checked all pages=", run->config.n_pages);
    put_pair(&text, " errors=", beat_total_errors(run));
    beat_text_flush(&text, run->ops);
}

/* The tick is kept on two pages; one of them may have been lost. */
static void check_tick(const struct beat_run *run)
{
    struct beat_report report = {.kind = BEAT_REPORT_TICK,
                                 .expected = run->cpu->tick,
                                 .found = run->state->tick};

    if (report.expected != report.found) {
        run->cpu->tick = run->state->tick;
        beat_report_put(run->cpu, &report);
    }
}

static int do_tick(const struct beat_run *run)
{
    int r;

    check_tick(run);
    r = beat_report_print(run);
    if (r < 0) {
        return r;
    }
    beat_add64(&run->state->tick, 1);
    run->cpu->tick++;
    say_tick(run);
    if (run->config.n_ticks && run->state->tick >= run->config.n_ticks) {
        say_done(run);
    }
    return 0;
}

/* Prints the tick if it is due. Ticks that were missed are not made up for. */
static int tick(const struct beat_run *run)
{
    struct beat_state *state = run->state;
    uint64_t interval = run->config.tick_ms * BEAT_NS_PER_MS;

    if (state->next_tick_ns == 0 || state->next_tick_ns > run->now + interval) {
        /* the first one, or time is not what it was */
        state->next_tick_ns = run->now + interval;
    }
    if (run->now < state->next_tick_ns) {
        return 0;
    }
    state->next_tick_ns += interval;
    if (state->next_tick_ns <= run->now) {
        state->next_tick_ns = run->now + interval;
    }
    return do_tick(run);
}

int beat_console_step(struct beat_run *run)
{
    struct beat_state *state = run->state;
    int r;

    if (!state->said_hello) {
        say_hello(run);
        state->said_hello = 1;
    }
    r = beat_report_print(run);
    if (r < 0) {
        return r;
    }
    r = read_input(run);
    if (r < 0 || state->done) {
        return r;
    }
    if (!state->said_filled) {
        if (all_filled(run)) {
            say_filled(run);
        }
        return 0;
    }
    say_swept(run);
    return tick(run);
}

/*
 * The workload of the guest `beat`, on the host, with a clock of our own.
 */
#include "beat_core.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define RAM_SIZE (UINT64_C(4) << 20)
/* Where version 1 keeps things that the tests damage on purpose. */
#define STATE 0x200000
#define CONSOLE 0x201000
#define CPU0 0x202000
#define CPU_PHASE (CPU0 + 12)
#define CPU_TICK (CPU0 + 32)
#define CPU_NEXT (CPU0 + 48)
#define CPU_CHECK (CPU0 + 56)
#define CPU_SWEEP (CPU0 + 64)

/* A machine without CPUs: RAM, a clock that the steps move, a console. */
struct host {
    uint8_t *ram;       /* RAM_SIZE bytes */
    uint64_t ns;        /* the guest's time */
    uint64_t ns_a_look; /* how far each look at the clock moves it */
    char out[1 << 18];  /* what was printed */
    size_t len;         /* bytes in out */
    unsigned int ticks; /* calls of the tick hook */
    struct beat_ops ops;
};

static void host_write(void *opaque, const char *text, size_t len)
{
    struct host *host = opaque;

    assert_true(host->len + len < sizeof(host->out));
    memcpy(host->out + host->len, text, len);
    host->len += len;
    host->out[host->len] = '\0';
}

static uint64_t host_now(void *opaque)
{
    struct host *host = opaque;

    host->ns += host->ns_a_look;
    return host->ns;
}

static void host_tick(void *opaque, uint32_t cpu)
{
    struct host *host = opaque;

    (void)cpu;
    host->ticks++;
}

static struct host *host_new(void)
{
    struct host *host = calloc(1, sizeof(*host));

    assert_non_null(host);
    host->ram = aligned_alloc(4096, RAM_SIZE);
    assert_non_null(host->ram);
    memset(host->ram, 0, RAM_SIZE);
    host->ns = 1000;
    host->ns_a_look = 1000;
    host->ops = (struct beat_ops){.opaque = host,
                                  .write = host_write,
                                  .now = host_now,
                                  .tick = host_tick};
    return host;
}

static void host_free(struct host *host)
{
    free(host->ram);
    free(host);
}

static int step(struct host *host, uint32_t cpu)
{
    uint64_t idle = 0;
    int r = beat_core_step(host->ram, RAM_SIZE, cpu, &host->ops, &idle);

    assert_true(r == BEAT_IDLE || idle == 0);
    if (r == BEAT_IDLE && cpu == 0) {
        host->ns += idle;
    }
    return r;
}

/* Steps all CPUs in turn until the tick or the end; the last result. */
static int run_to_tick(struct host *host, uint32_t n_cpus, uint64_t tick)
{
    int r = BEAT_CONTINUE;

    for (int i = 0; i < 1000000; i++) {
        for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
            r = step(host, cpu);
            if (r < 0 || r == BEAT_DONE) {
                return r;
            }
        }
        if (beat_core_tick(host->ram, RAM_SIZE) >= tick) {
            return r;
        }
    }
    fail_msg("no tick %llu", (unsigned long long)tick);
    return r;
}

static struct host *host_start(const char *cmdline, uint32_t n_cpus)
{
    struct host *host = host_new();

    assert_int_equal(beat_core_init(host->ram, RAM_SIZE, cmdline, n_cpus), 0);
    return host;
}

static uint64_t get64(const struct host *host, uint64_t offset)
{
    uint64_t value;

    memcpy(&value, host->ram + offset, sizeof(value));
    return value;
}

static void put64(struct host *host, uint64_t offset, uint64_t value)
{
    memcpy(host->ram + offset, &value, sizeof(value));
}

static void put32(struct host *host, uint64_t offset, uint32_t value)
{
    memcpy(host->ram + offset, &value, sizeof(value));
}

static uint8_t *work_page(struct host *host, uint64_t page)
{
    return host->ram + get64(host, STATE + 32) + page * 4096;
}

static void assert_out(const struct host *host, const char *text)
{
    if (!strstr(host->out, text)) {
        fail_msg("'%s' was not printed, but:\n%s", text, host->out);
    }
}

static void assert_no_errors(const struct host *host)
{
    assert_null(strstr(host->out, "ERROR"));
    assert_int_equal(beat_core_errors(host->ram, RAM_SIZE), 0);
}

/* Every tick from `first` to `last` was printed once and in order. */
static void assert_ticks(const struct host *host, uint64_t first, uint64_t last)
{
    const char *at = host->out;

    for (uint64_t tick = first; tick <= last; tick++) {
        unsigned long long found = 0;

        at = strstr(at, "beat: tick ");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "beat: tick %llu dirty=", &found), 1);
        assert_int_equal(found, tick);
        at++;
    }
    assert_null(strstr(at, "beat: tick "));
}

static void test_beat__says_hello_ticks_and_done(void **state)
{
    struct host *host = host_start("mem=256K rate=100 ticks=5 seed=7", 1);

    (void)state;
    assert_int_equal(run_to_tick(host, 1, 99), BEAT_DONE);
    assert_int_equal(strncmp(host->out,
                             "beat: hello mem=256K rate=100 pattern=seq "
                             "verify=on check=100 fill=100 tick-ms=200 "
                             "ticks=5 seed=7 cpus=1 ram=4096K\n",
                             100),
                     0);
    assert_out(host, "beat: filled pages=64\n");
    assert_ticks(host, 1, 5);
    assert_string_equal(host->out + host->len - 11, "beat: done\n");
    assert_no_errors(host);
    assert_int_equal(step(host, 0), BEAT_DONE);
    assert_true(host->ticks >= 4 && host->ticks <= 8);
    host_free(host);
}

static void test_beat__keeps_its_rate(void **state)
{
    struct host *host = host_start("mem=256K rate=1000 tick-ms=100", 1);
    unsigned long long dirty = 0;
    unsigned long long checked = 0;
    const char *at;

    (void)state;
    run_to_tick(host, 1, 20);
    at = strstr(host->out, "beat: tick 20 ");
    assert_non_null(at);
    assert_int_equal(
        sscanf(at, "beat: tick 20 dirty=%llu checked=%llu", &dirty, &checked),
        2);
    /* 20 ticks of 100 ms; the clock also moves while pages are written */
    assert_in_range(dirty, 1900, 2100);
    /* each page before it is overwritten, and as many in the rolling check */
    assert_in_range(checked, 3800, 4200);
    assert_no_errors(host);
    host_free(host);
}

static void test_beat__every_pattern_with_one_and_three_cpus(void **state)
{
    static const char *const patterns[] = {"seq", "random", "hot", "zero"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (uint32_t n_cpus = 1; n_cpus <= 3; n_cpus += 2) {
            char cmdline[128];
            struct host *host;

            snprintf(cmdline, sizeof(cmdline),
                     "mem=400K rate=2000 fill=50 pattern=%s", patterns[i]);
            host = host_start(cmdline, n_cpus);
            run_to_tick(host, n_cpus, 10);
            assert_int_equal(beat_core_resumed(host->ram, RAM_SIZE), 0);
            run_to_tick(host, n_cpus, 14);
            assert_out(host, "beat: checked all pages=100 errors=0\n");
            assert_ticks(host, 1, 14);
            assert_no_errors(host);
            host_free(host);
        }
    }
}

static void test_beat__hot_pattern_is_hot(void **state)
{
    struct host *host =
        host_start("mem=400K rate=10000 pattern=hot verify=off", 1);
    uint64_t table = get64(host, STATE + 24);
    uint64_t hot = 0;
    uint64_t all = 0;

    (void)state;
    run_to_tick(host, 1, 20);
    for (uint64_t page = 0; page < 100; page++) {
        uint32_t generation;

        memcpy(&generation, host->ram + table + page * 4, 4);
        all += generation - 1;
        hot += page < 10 ? generation - 1 : 0;
    }
    assert_true(all > 30000);
    assert_in_range(hot * 1000 / all, 890, 910);
    host_free(host);
}

/* Counts work pages without a single bit set. */
static unsigned int count_zero_pages(struct host *host, uint64_t n_pages)
{
    static const uint8_t zero[4096];
    unsigned int n = 0;

    for (uint64_t page = 0; page < n_pages; page++) {
        n += memcmp(work_page(host, page), zero, 4096) == 0;
    }
    return n;
}

static void test_beat__fill_leaves_the_rest_zero(void **state)
{
    struct host *host = host_start("mem=1600K rate=0 fill=20", 1);

    (void)state;
    run_to_tick(host, 1, 1);
    assert_in_range(count_zero_pages(host, 400), 290, 350);
    assert_no_errors(host);
    host_free(host);
    host = host_start("mem=1600K rate=0 fill=0", 1);
    run_to_tick(host, 1, 1);
    assert_int_equal(count_zero_pages(host, 400), 400);
    host_free(host);
}

static void test_beat__words_of_a_page_differ(void **state)
{
    struct host *host = host_start("mem=8K rate=0", 1);
    uint64_t words[1024];

    (void)state;
    run_to_tick(host, 1, 1);
    memcpy(words, work_page(host, 0), sizeof(words));
    for (size_t i = 0; i < 1024; i++) {
        for (size_t j = i + 1; j < 1024; j++) {
            assert_int_not_equal(words[i], words[j]);
        }
    }
    host_free(host);
}

/* A copy of the RAM at another address goes on with the next tick. */
static void test_beat__goes_on_in_a_copy(void **state)
{
    struct host *host = host_start("mem=300K rate=1000 pattern=random", 2);
    struct host *next = NULL;
    uint64_t tick = 0;

    (void)state;
    for (int move = 0; move < 100; move++) {
        uint64_t first = tick + 1;

        for (int i = 0; i < 20 + move % 13; i++) {
            assert_true(step(host, (uint32_t)i & 1) >= 0);
        }
        tick = beat_core_tick(host->ram, RAM_SIZE);
        assert_ticks(host, first, tick);
        assert_no_errors(host);
        next = host_new();
        memcpy(next->ram, host->ram, RAM_SIZE);
        next->ns = host->ns;
        memset(host->ram, 0xa5, RAM_SIZE);
        host_free(host);
        host = next;
        assert_int_equal(beat_core_resumed(host->ram, RAM_SIZE), 0);
    }
    run_to_tick(host, 2, tick + 3);
    assert_ticks(host, tick + 1, tick + 3);
    assert_out(host, "beat: checked all pages=75 errors=0\n");
    assert_no_errors(host);
    host_free(host);
}

/* Runs until a whole check is through. */
static void sweep(struct host *host)
{
    assert_int_equal(beat_core_resumed(host->ram, RAM_SIZE), 0);
    run_to_tick(host, 1, beat_core_tick(host->ram, RAM_SIZE) + 2);
}

static void test_beat__reports_lost_and_stale_pages(void **state)
{
    struct host *host = host_start("mem=256K rate=1000 check=0", 1);
    uint8_t stale[4096];
    uint32_t generation = 0;
    char text[128];

    (void)state;
    run_to_tick(host, 1, 1);
    memcpy(stale, work_page(host, 9), sizeof(stale));
    memcpy(&generation, host->ram + get64(host, STATE + 24) + 9 * 4, 4);
    run_to_tick(host, 1, 3);
    memcpy(work_page(host, 9), stale, sizeof(stale));
    sweep(host);
    snprintf(text, sizeof(text), "beat: ERROR page 9 expected generation ");
    assert_out(host, text);
    snprintf(text, sizeof(text), " found generation %u\n", generation);
    assert_out(host, text);
    assert_int_equal(beat_core_errors(host->ram, RAM_SIZE), 1);
    assert_out(host, " errors=1\n");
    host_free(host);
}

static void test_beat__reports_what_it_found(void **state)
{
    struct host *host = host_start("mem=256K rate=0 fill=100", 1);

    (void)state;
    run_to_tick(host, 1, 1);
    memset(work_page(host, 5), 0, 4096);
    memcpy(work_page(host, 6), work_page(host, 7), 4096);
    put64(host, get64(host, STATE + 32) + 8 * 4096 + 4088, 0x1234);
    sweep(host);
    assert_out(host, "beat: ERROR page 5 expected generation 1 found zero\n");
    assert_out(host, "beat: ERROR page 6 expected generation 1 found page 7 "
                     "generation 1\n");
    assert_out(host, "beat: ERROR page 8 expected generation 1 found 0x1234 "
                     "at word 511\n");
    assert_out(host, "beat: checked all pages=64 errors=3\n");
    /* each is counted once */
    sweep(host);
    assert_int_equal(beat_core_errors(host->ram, RAM_SIZE), 3);
    host_free(host);
}

static void test_beat__reports_data_in_a_page_never_written(void **state)
{
    struct host *host = host_start("mem=256K rate=0 fill=0", 1);

    (void)state;
    run_to_tick(host, 1, 1);
    work_page(host, 63)[4095] = 1;
    sweep(host);
    assert_out(host, "beat: ERROR page 63 expected generation 0 found "
                     "0x100000000000000 at word 511\n");
    host_free(host);
    host = host_start("mem=256K rate=0 fill=0 verify=filled", 1);
    run_to_tick(host, 1, 1);
    work_page(host, 63)[4095] = 1;
    sweep(host);
    assert_no_errors(host);
    host_free(host);
}

static void test_beat__rolling_check_reaches_every_page(void **state)
{
    struct host *host = host_start("mem=256K rate=0 check=64", 1);

    (void)state;
    run_to_tick(host, 1, 1);
    for (uint64_t page = 0; page < 64; page++) {
        work_page(host, page)[page * 64] ^= 1;
    }
    run_to_tick(host, 1, 8);
    assert_int_equal(beat_core_errors(host->ram, RAM_SIZE), 64);
    host_free(host);
}

static void test_beat__counts_what_it_cannot_print(void **state)
{
    struct host *host = host_start("mem=800K rate=0 check=0", 1);

    (void)state;
    run_to_tick(host, 1, 1);
    host->ns_a_look = 0;
    memset(work_page(host, 0), 0, 200 * 4096);
    sweep(host);
    assert_out(host, "beat: ERROR and ");
    assert_out(host, " more on cpu 0\n");
    assert_int_equal(beat_core_errors(host->ram, RAM_SIZE), 200);
    host_free(host);
}

static void test_beat__errors_of_other_cpus_are_printed(void **state)
{
    struct host *host = host_start("mem=256K rate=0 check=1000", 2);

    (void)state;
    run_to_tick(host, 2, 1);
    memset(work_page(host, 50), 0, 4096);
    assert_int_equal(
        beat_core_report_register(host->ram, RAM_SIZE, 1, "xmm3", 0x11, 0x22),
        0);
    run_to_tick(host, 2, 4);
    assert_out(host, "beat: ERROR register xmm3 of cpu 1 expected 0x11 found "
                     "0x22\n");
    assert_out(host, "beat: ERROR page 50 expected generation 1 found zero\n");
    assert_out(host, " errors=2\n");
    host_free(host);
}

static void test_beat__time_must_not_go_backwards(void **state)
{
    struct host *host = host_start("mem=256K rate=100", 1);

    (void)state;
    run_to_tick(host, 1, 3);
    host->ns -= 500 * 1000 * 1000;
    run_to_tick(host, 1, 6);
    assert_out(host, "beat: ERROR time went backwards on cpu 0 from ");
    assert_ticks(host, 1, 6);
    host_free(host);
}

static void test_beat__a_jump_of_time_checks_all_memory(void **state)
{
    struct host *host = host_start("mem=256K rate=100 check=0", 1);

    (void)state;
    run_to_tick(host, 1, 3);
    assert_null(strstr(host->out, "checked all"));
    host->ns += UINT64_C(60) * 1000 * 1000 * 1000;
    run_to_tick(host, 1, 6);
    assert_out(host, "beat: checked all pages=64 errors=0\n");
    /* no burst of ticks for the time that was lost */
    assert_ticks(host, 1, 6);
    host_free(host);
}

static void test_beat__tick_pages_must_agree(void **state)
{
    struct host *host = host_start("mem=256K rate=100", 1);

    (void)state;
    run_to_tick(host, 1, 3);
    put64(host, CPU_TICK, 2);
    run_to_tick(host, 1, 4);
    assert_out(host, "beat: ERROR tick of the state page is 3 and that of "
                     "the cpu page is 2\n");
    host_free(host);
}

static void input(struct host *host, const char *text)
{
    assert_int_equal(beat_core_input(host->ram, RAM_SIZE, text, strlen(text)),
                     strlen(text));
}

static void test_beat__answers_input(void **state)
{
    struct host *host = host_start("mem=256K rate=10", 1);

    (void)state;
    run_to_tick(host, 1, 1);
    input(host, "hel");
    run_to_tick(host, 1, 2);
    input(host, "lo\r\nsta\001tus\nstatus\ncheck\n\n");
    run_to_tick(host, 1, 4);
    assert_out(host, "beat: input hello\n");
    assert_out(host, "beat: input sta?tus\n");
    assert_out(host, "beat: input status\nbeat: status tick=2 dirty=");
    assert_out(host, "beat: checked all pages=64 errors=0\n");
    input(host, "quit\n");
    assert_int_equal(run_to_tick(host, 1, 99), BEAT_DONE);
    assert_out(host, "beat: input quit\nbeat: done\n");
    host_free(host);
}

static void test_beat__long_input_is_cut_and_dropped(void **state)
{
    struct host *host = host_start("mem=256K rate=10", 1);
    char text[2000];
    char expected[160] = "beat: input ";

    (void)state;
    memset(text, 'x', sizeof(text));
    text[200] = '\n';
    assert_int_equal(beat_core_input(host->ram, RAM_SIZE, text, 2000), 1024);
    assert_int_equal(beat_core_input(host->ram, RAM_SIZE, text, 1), 0);
    run_to_tick(host, 1, 1);
    memset(expected + 12, 'x', 127);
    expected[12 + 127] = '\n';
    assert_out(host, expected);
    host_free(host);
}

static void test_beat__wrong_options_are_named(void **state)
{
    static const struct {
        const char *cmdline;
        int result;
    } cases[] = {
        {"mem=", BEAT_E_OPT_MEM},
        {"mem=12Q", BEAT_E_OPT_MEM},
        {"mem=4095", BEAT_E_OPT_MEM},
        {"mem=4M", BEAT_E_OPT_MEM},
        {"mem=99999999999999999999", BEAT_E_OPT_MEM},
        {"mem=17179869184G", BEAT_E_OPT_MEM},
        {"rate=-1", BEAT_E_OPT_RATE},
        {"rate=1000000001", BEAT_E_OPT_RATE},
        {"check=x", BEAT_E_OPT_CHECK},
        {"pattern=se", BEAT_E_OPT_PATTERN},
        {"pattern=seqq", BEAT_E_OPT_PATTERN},
        {"verify=yes", BEAT_E_OPT_VERIFY},
        {"fill=101", BEAT_E_OPT_FILL},
        {"tick-ms=0", BEAT_E_OPT_TICK_MS},
        {"ticks=1e3", BEAT_E_OPT_TICKS},
        {"seed=", BEAT_E_OPT_SEED},
    };
    struct host *host = host_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = beat_core_strerror(cases[i].result);
        size_t n = (size_t)(strchr(cases[i].cmdline, '=') - cases[i].cmdline);

        assert_int_equal(
            beat_core_init(host->ram, RAM_SIZE, cases[i].cmdline, 1),
            cases[i].result);
        assert_int_equal(strncmp(text + 6, cases[i].cmdline, n + 1), 0);
    }
    /* nothing was laid out, and other people's words do no harm */
    assert_int_equal(beat_core_check(host->ram, RAM_SIZE), BEAT_E_MAGIC);
    assert_int_equal(
        beat_core_init(host->ram, RAM_SIZE, "console=ttyS0 quiet  mem=1M\n", 1),
        0);
    host_free(host);
}

static void test_beat__small_ram_and_many_cpus_are_refused(void **state)
{
    struct host *host = host_new();

    (void)state;
    assert_int_equal(beat_core_init(host->ram, 0x204fff, "", 1),
                     BEAT_E_RAM_SIZE);
    assert_int_equal(beat_core_init(host->ram, 0x205000, "", 1), 0);
    assert_int_equal(beat_core_check(host->ram, 0x205000), 0);
    assert_int_equal(beat_core_check(host->ram, 0x206000), BEAT_E_LAYOUT);
    assert_int_equal(beat_core_check(host->ram, 100), BEAT_E_RAM_SIZE);
    assert_int_equal(beat_core_init(host->ram, RAM_SIZE, "", 0), BEAT_E_CPUS);
    assert_int_equal(beat_core_init(host->ram, RAM_SIZE, "", 65), BEAT_E_CPUS);
    assert_int_equal(beat_core_init(host->ram, RAM_SIZE, "", 64), 0);
    assert_int_equal(beat_core_n_cpus(host->ram, RAM_SIZE), 64);
    host_free(host);
}

static void test_beat__more_cpus_than_pages(void **state)
{
    struct host *host = host_start("mem=4K rate=1000 pattern=random", 3);

    (void)state;
    run_to_tick(host, 3, 5);
    assert_int_equal(beat_core_resumed(host->ram, RAM_SIZE), 0);
    run_to_tick(host, 3, 8);
    assert_out(host, "beat: checked all pages=1 errors=0\n");
    assert_no_errors(host);
    host_free(host);
}

/* A machine that is reset starts in RAM that is full of its former life. */
static void test_beat__starts_again_after_a_reset(void **state)
{
    struct host *host = host_start("mem=1M rate=1000", 1);

    (void)state;
    run_to_tick(host, 1, 5);
    assert_int_equal(beat_core_init(host->ram, RAM_SIZE, "mem=512K fill=50", 1),
                     0);
    host->len = 0;
    run_to_tick(host, 1, 3);
    sweep(host);
    assert_ticks(host, 1, 5);
    assert_no_errors(host);
    host_free(host);
}

/* One damaged place and the error that must come of it. */
struct damage {
    uint64_t offset; /* of a 32 bit word */
    uint32_t value;  /* put there */
    int result;      /* of the steps that follow */
};

static void test_beat__a_damaged_state_is_a_named_error(void **state)
{
    static const struct damage cases[] = {
        {STATE, 0, BEAT_E_MAGIC},
        {STATE + 8, 2, BEAT_E_VERSION},
        {STATE + 12, 63, BEAT_E_SUM},
        {STATE + 28, 1, BEAT_E_SUM},
        {STATE + 40, 0xffffffff, BEAT_E_SUM},
        {STATE + 48, 123, BEAT_E_SUM},
        {STATE + 96, 99, BEAT_E_SUM},
        {CPU0, 0, BEAT_E_CPU_MAGIC},
        {CPU0 + 8, 1, BEAT_E_CPU_MAGIC},
        {CPU_PHASE, 3, BEAT_E_PHASE},
        {CPU_NEXT, 64, BEAT_E_CURSOR},
        {CPU_NEXT + 4, 0x80000000, BEAT_E_CURSOR},
        {CPU_CHECK + 4, 1, BEAT_E_CURSOR},
        {CPU_SWEEP, 65, BEAT_E_CURSOR},
        {CPU0 + 128, 1000, BEAT_E_REPORTS},
        {CONSOLE, 1025, BEAT_E_CONSOLE},
        {CONSOLE + 8, 128, BEAT_E_CONSOLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct host *host = host_start("mem=256K rate=1000", 1);
        int r;

        run_to_tick(host, 1, 2);
        assert_int_equal(beat_core_resumed(host->ram, RAM_SIZE), 0);
        step(host, 0);
        put32(host, cases[i].offset, cases[i].value);
        if (cases[i].offset == CONSOLE + 8) {
            input(host, "x");
        }
        r = run_to_tick(host, 1, 99);
        if (r != cases[i].result) {
            fail_msg("case %zu: %d (%s)", i, r, beat_core_strerror(r));
        }
        assert_string_not_equal(beat_core_strerror(r), "beat: no error");
        host_free(host);
    }
}

/* Seals a configuration as an attacker would who knows the sum. */
static void forge(struct host *host, uint64_t offset, uint32_t value)
{
    uint64_t sum = UINT64_C(0x45524f4354414542);

    put32(host, offset, value);
    for (uint64_t i = 0; i < 96; i += 8) {
        uint64_t x = sum + get64(host, STATE + i);

        x ^= x >> 30;
        x *= UINT64_C(0xbf58476d1ce4e5b9);
        x ^= x >> 27;
        x *= UINT64_C(0x94d049bb133111eb);
        sum = x ^ x >> 31;
    }
    put64(host, STATE + 96, sum);
}

static void test_beat__a_forged_state_is_a_named_error(void **state)
{
    static const struct damage cases[] = {
        {STATE + 12, 0, BEAT_E_CPUS},     {STATE + 12, 65, BEAT_E_CPUS},
        {STATE + 12, 2, BEAT_E_LAYOUT},   {STATE + 16, 1, BEAT_E_LAYOUT},
        {STATE + 24, 0, BEAT_E_LAYOUT},   {STATE + 32, 0, BEAT_E_LAYOUT},
        {STATE + 40, 0, BEAT_E_LAYOUT},   {STATE + 40, 5000, BEAT_E_LAYOUT},
        {STATE + 44, 1, BEAT_E_LAYOUT},   {STATE + 60, 1, BEAT_E_CONFIG},
        {STATE + 68, 1, BEAT_E_CONFIG},   {STATE + 80, 0, BEAT_E_CONFIG},
        {STATE + 84, 4, BEAT_E_CONFIG},   {STATE + 88, 3, BEAT_E_CONFIG},
        {STATE + 92, 101, BEAT_E_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct host *host = host_start("mem=256K rate=1000", 1);
        int r;

        forge(host, cases[i].offset, cases[i].value);
        r = step(host, 0);
        if (r != cases[i].result) {
            fail_msg("case %zu: %d (%s)", i, r, beat_core_strerror(r));
        }
        assert_int_equal(beat_core_check(host->ram, RAM_SIZE), r);
        assert_int_equal(beat_core_tick(host->ram, RAM_SIZE), 0);
        assert_int_equal(beat_core_input(host->ram, RAM_SIZE, "x", 1), r);
        host_free(host);
    }
}

/* Random damage to the state pages: an error or not, but nothing worse. */
static void test_beat__random_damage_does_no_harm(void **state)
{
    struct host *good = host_start("mem=256K rate=1000 pattern=hot", 2);
    struct host *host = host_new();
    uint64_t random = 1;

    (void)state;
    run_to_tick(good, 2, 2);
    for (int round = 0; round < 200; round++) {
        /* what the workload uses: its state, and 256 KiB of work memory */
        memcpy(host->ram + STATE, good->ram + STATE, 0x50000);
        host->ns = good->ns;
        host->len = 0;
        for (int i = 0; i < 4; i++) {
            random = random * UINT64_C(6364136223846793005) + 1;
            put32(host, STATE + 104 + (random >> 33) % 0x3f00,
                  (uint32_t)(random >> 20));
        }
        for (uint32_t i = 0; i < 12; i++) {
            uint64_t idle;

            beat_core_step(host->ram, RAM_SIZE, i & 1, &host->ops, &idle);
            host->ns += 20 * 1000 * 1000;
        }
    }
    host_free(host);
    host_free(good);
}

static void test_beat__a_step_stays_short(void **state)
{
    struct host *host = host_start("mem=1M rate=1000000000", 1);

    (void)state;
    host->ns_a_look = 20000;
    for (int i = 0; i < 400; i++) {
        uint64_t before = host->ns;
        uint64_t idle;

        assert_true(beat_core_step(host->ram, RAM_SIZE, 0, &host->ops, &idle) >=
                    0);
        assert_true(host->ns - before < 1000 * 1000);
    }
    /* and the ticks come all the same */
    assert_true(beat_core_tick(host->ram, RAM_SIZE) >= 1);
    assert_no_errors(host);
    host_free(host);
}

static void test_beat__an_unknown_cpu_is_refused(void **state)
{
    struct host *host = host_start("mem=1M", 2);

    (void)state;
    assert_int_equal(step(host, 2), BEAT_E_CPU_INDEX);
    assert_int_equal(step(host, UINT32_MAX), BEAT_E_CPU_INDEX);
    host_free(host);
}

static uint64_t real_now(void *opaque)
{
    struct timespec now;

    (void)opaque;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One CPU on a thread of its own. */
struct cpu_thread {
    struct host *host;
    uint32_t cpu;
    int result;
};

static void *run_cpu(void *opaque)
{
    struct cpu_thread *self = opaque;
    struct beat_ops ops = self->host->ops;

    ops.now = real_now;
    ops.tick = NULL;
    do {
        uint64_t idle;

        self->result =
            beat_core_step(self->host->ram, RAM_SIZE, self->cpu, &ops, &idle);
        if (self->result == BEAT_IDLE) {
            struct timespec rest = {.tv_nsec = 1000000};

            nanosleep(&rest, NULL);
        }
    } while (self->result == BEAT_CONTINUE || self->result == BEAT_IDLE);
    return NULL;
}

/* For the thread sanitizer above all. */
static void test_beat__runs_on_threads(void **state)
{
    struct host *host =
        host_start("mem=256K rate=2000 tick-ms=10 ticks=20 pattern=random", 3);
    struct cpu_thread cpus[3];
    pthread_t threads[3];

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        cpus[i] = (struct cpu_thread){.host = host, .cpu = i};
        assert_int_equal(pthread_create(&threads[i], NULL, run_cpu, &cpus[i]),
                         0);
    }
    input(host, "status\n");
    assert_int_equal(beat_core_resumed(host->ram, RAM_SIZE), 0);
    while (beat_core_tick(host->ram, RAM_SIZE) < 20) {
        assert_int_equal(beat_core_check(host->ram, RAM_SIZE), 0);
        assert_int_equal(beat_core_errors(host->ram, RAM_SIZE), 0);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    for (uint32_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(cpus[i].result, BEAT_DONE);
    }
    assert_ticks(host, 1, 20);
    assert_out(host, "beat: checked all pages=64 errors=0\n");
    assert_out(host, "beat: input status\n");
    assert_no_errors(host);
    host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beat__says_hello_ticks_and_done),
        cmocka_unit_test(test_beat__keeps_its_rate),
        cmocka_unit_test(test_beat__every_pattern_with_one_and_three_cpus),
        cmocka_unit_test(test_beat__hot_pattern_is_hot),
        cmocka_unit_test(test_beat__fill_leaves_the_rest_zero),
        cmocka_unit_test(test_beat__words_of_a_page_differ),
        cmocka_unit_test(test_beat__goes_on_in_a_copy),
        cmocka_unit_test(test_beat__reports_lost_and_stale_pages),
        cmocka_unit_test(test_beat__reports_what_it_found),
        cmocka_unit_test(test_beat__reports_data_in_a_page_never_written),
        cmocka_unit_test(test_beat__rolling_check_reaches_every_page),
        cmocka_unit_test(test_beat__counts_what_it_cannot_print),
        cmocka_unit_test(test_beat__errors_of_other_cpus_are_printed),
        cmocka_unit_test(test_beat__time_must_not_go_backwards),
        cmocka_unit_test(test_beat__a_jump_of_time_checks_all_memory),
        cmocka_unit_test(test_beat__tick_pages_must_agree),
        cmocka_unit_test(test_beat__answers_input),
        cmocka_unit_test(test_beat__long_input_is_cut_and_dropped),
        cmocka_unit_test(test_beat__wrong_options_are_named),
        cmocka_unit_test(test_beat__small_ram_and_many_cpus_are_refused),
        cmocka_unit_test(test_beat__more_cpus_than_pages),
        cmocka_unit_test(test_beat__starts_again_after_a_reset),
        cmocka_unit_test(test_beat__a_damaged_state_is_a_named_error),
        cmocka_unit_test(test_beat__a_forged_state_is_a_named_error),
        cmocka_unit_test(test_beat__random_damage_does_no_harm),
        cmocka_unit_test(test_beat__a_step_stays_short),
        cmocka_unit_test(test_beat__an_unknown_cpu_is_refused),
        cmocka_unit_test(test_beat__runs_on_threads),
    };

    return cmocka_run_group_tests_name("beat-core", tests, NULL, NULL);
}

/*
 * The layout of the workload's state in guest RAM, version 1, and the helpers
 * that the files of the core share. Nothing here is for its callers.
 *
 * All numbers are little endian and naturally aligned, all offsets count from
 * the start of guest RAM. Each group of members says who writes it: what is
 * constant is covered by a sum, what one CPU writes and another reads is
 * accessed atomically.
 */
#ifndef GW_GUEST_BEAT_STATE_H
#define GW_GUEST_BEAT_STATE_H

#include "beat_core.h"

#include <stdbool.h>

#define BEAT_MAGIC UINT64_C(0x45524f4354414542)     /* "BEATCORE" */
#define BEAT_CPU_MAGIC UINT64_C(0x2155504354414542) /* "BEATCPU!" */
#define BEAT_VERSION 1u
#define BEAT_NS_PER_S UINT64_C(1000000000)
#define BEAT_NS_PER_MS UINT64_C(1000000)

#define BEAT_CONSOLE_OFFSET (BEAT_STATE_OFFSET + BEAT_PAGE_SIZE)
#define BEAT_CPUS_OFFSET (BEAT_STATE_OFFSET + 2 * BEAT_PAGE_SIZE)

/* Limits of the options, checked when parsed and when read back. */
#define BEAT_PAGES_MAX UINT64_C(0xffffffff)
#define BEAT_RATE_MAX BEAT_NS_PER_S
#define BEAT_TICK_MS_MAX 3600000u

enum beat_pattern {
    BEAT_PATTERN_SEQ = 0,
    BEAT_PATTERN_RANDOM = 1,
    BEAT_PATTERN_HOT = 2,
    BEAT_PATTERN_ZERO = 3,
};

enum beat_verify {
    BEAT_VERIFY_OFF = 0,
    BEAT_VERIFY_ON = 1,
    BEAT_VERIFY_FILLED = 2, /* leaves pages alone that were never written */
};

enum beat_phase {
    BEAT_PHASE_FILL = 1,
    BEAT_PHASE_RUN = 2,
};

/* What was asked for and where it lies; constant after beat_core_init(). */
struct beat_config {
    uint64_t magic;        /* BEAT_MAGIC */
    uint32_t version;      /* BEAT_VERSION */
    uint32_t n_cpus;       /* 1..BEAT_MAX_CPUS */
    uint64_t ram_size;     /* bytes of guest RAM */
    uint64_t table_offset; /* u32 generation of each work page */
    uint64_t work_offset;  /* the first work page */
    uint64_t n_pages;      /* work pages, 1..BEAT_PAGES_MAX */
    uint64_t seed;         /* of content, fill and random order */
    uint64_t rate;         /* pages per second to dirty, all CPUs */
    uint64_t check_rate;   /* pages per second to check, all CPUs */
    uint64_t n_ticks;      /* stop after so many; 0 = never */
    uint32_t tick_ms;      /* between two ticks */
    uint32_t pattern;      /* enum beat_pattern */
    uint32_t verify;       /* enum beat_verify */
    uint32_t fill_percent; /* share of pages filled at the start */
    uint64_t sum;          /* over all of the above */
};

/* The state page. */
struct beat_state {
    struct beat_config config;
    /* written by CPU 0 */
    uint64_t tick;         /* the last one printed; also in CPU 0's page */
    uint64_t next_tick_ns; /* when the next one is due */
    uint32_t said_hello;   /* the hello line is out */
    uint32_t said_filled;  /* the filled line is out, ticks may begin */
    /* written by CPU 0, read by all */
    uint32_t done; /* the end: CPUs do no more work */
    uint32_t pad;  /* 0 */
    /* written by beat_core_resumed() and by CPU 0, read by all */
    uint32_t sweep_wanted; /* counts requests to check all memory */
    uint32_t sweep_said;   /* the last request whose end was printed */
};

/* The console page. */
struct beat_console {
    uint32_t head;                /* bytes ever put in, by input */
    uint32_t tail;                /* bytes ever taken out, by CPU 0 */
    uint32_t line_len;            /* bytes in `line`, by CPU 0 */
    uint32_t pad;                 /* 0 */
    char line[BEAT_LINE_MAX + 1]; /* the line so far, by CPU 0 */
    unsigned char ring[1024];     /* at head % 1024 */
};

#define BEAT_CONSOLE_RING 1024u

enum beat_report_kind {
    BEAT_REPORT_PAGE = 1,
    BEAT_REPORT_REGISTER = 2,
    BEAT_REPORT_TIME = 3,
    BEAT_REPORT_TICK = 4,
};

/* How a page differs from what it must be. */
enum beat_found {
    BEAT_FOUND_GENERATION = 1, /* the whole page, of another generation */
    BEAT_FOUND_ZERO = 2,       /* nothing but zeroes */
    BEAT_FOUND_PAGE = 3,       /* begins as another page would */
    BEAT_FOUND_WORD = 4,       /* one word or more is wrong */
};

/* One error, kept until CPU 0 has printed it. */
struct beat_report {
    uint32_t kind;       /* enum beat_report_kind */
    uint32_t found_kind; /* enum beat_found, for pages */
    uint64_t index;      /* the page */
    uint64_t expected;   /* generation, register value, time, tick */
    uint64_t found;      /* the same, as found */
    uint64_t where;      /* page of that content, or word within the page */
    char name[16];       /* the register */
};

#define BEAT_REPORTS 32u

/* One CPU's page. Written by that CPU but for what says otherwise. */
struct beat_cpu {
    uint64_t magic;        /* BEAT_CPU_MAGIC */
    uint32_t index;        /* which CPU */
    uint32_t phase;        /* enum beat_phase; read by CPU 0 */
    uint64_t last_ns;      /* time of the last step */
    uint64_t tick_ns;      /* when ops->tick is due */
    uint64_t tick;         /* CPU 0: the tick again, on another page */
    uint64_t random;       /* state of the random order, not 0 */
    uint64_t next;         /* fill, then order `seq`: next page of the slice */
    uint64_t check;        /* rolling check: next page of the slice */
    uint64_t sweep;        /* whole check: next page of the slice */
    uint64_t credit;       /* dirtying that is due, in pages times ns per s */
    uint64_t check_credit; /* checking that is due, likewise */
    /* read by CPU 0 */
    uint64_t dirtied;    /* pages written so far */
    uint64_t checked;    /* pages checked so far */
    uint64_t errors;     /* errors found so far */
    uint64_t unreported; /* of which no report could be kept */
    uint32_t swept;      /* the last request of a whole check that is done */
    uint32_t sweeping;   /* the request that `sweep` works at */
    uint32_t head;       /* reports ever put in */
    uint32_t tail;       /* reports ever printed; written by CPU 0 */
    uint64_t told;       /* of `unreported`, told of; written by CPU 0 */
    struct beat_report reports[BEAT_REPORTS]; /* at head % BEAT_REPORTS */
};

_Static_assert(sizeof(struct beat_config) == 104, "layout of version 1");
_Static_assert(sizeof(struct beat_state) == 144, "layout of version 1");
_Static_assert(sizeof(struct beat_report) == 56, "layout of version 1");
_Static_assert(sizeof(struct beat_cpu) <= BEAT_PAGE_SIZE, "one page");
_Static_assert(sizeof(struct beat_console) <= BEAT_PAGE_SIZE, "one page");
_Static_assert(sizeof(struct beat_state) <= BEAT_PAGE_SIZE, "one page");

/* What one step works with: checked copies and pointers into the RAM. */
struct beat_run {
    uint8_t *ram;               /* the start of guest RAM */
    struct beat_config config;  /* a checked copy */
    struct beat_state *state;   /* in guest RAM */
    struct beat_cpu *cpu;       /* in guest RAM */
    const struct beat_ops *ops; /* of the caller */
    uint32_t index;             /* which CPU */
    uint64_t first;             /* the first work page of its slice */
    uint64_t n_slice;           /* pages of its slice, may be 0 */
    uint64_t now;               /* time at the start of the step */
};

/* One CPU writes, another may read. */
static inline uint64_t beat_load64(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static inline void beat_add64(uint64_t *at, uint64_t n)
{
    __atomic_store_n(at, *at + n, __ATOMIC_RELAXED);
}

static inline uint32_t beat_load32(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void beat_store32(uint32_t *at, uint32_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* beat_options.c */
int beat_options_parse(struct beat_config *config, const char *cmdline);

/* beat_state.c */
uint64_t beat_config_sum(const struct beat_config *config);
int beat_config_read(const void *ram, uint64_t size, struct beat_config *ret);
int beat_run_open(struct beat_run *run, void *ram, uint64_t size,
                  uint32_t index);
struct beat_cpu *beat_cpu_at(void *ram, uint32_t index);
struct beat_console *beat_console_at(void *ram);
uint32_t *beat_generation_at(const struct beat_run *run, uint64_t page);

/* beat_page.c: pages are numbered over all work memory */
uint64_t beat_mix(uint64_t x);
bool beat_page_is_data(const struct beat_config *config, uint32_t generation);
void beat_page_write(const struct beat_run *run, uint64_t page,
                     uint32_t generation);
void beat_page_check(const struct beat_run *run, uint64_t page);

/* beat_work.c: what each CPU does with its slice */
void beat_work_time(struct beat_run *run);
int beat_work_step(struct beat_run *run, uint64_t *ret_idle_ns);

/* beat_report.c */
void beat_report_put(struct beat_cpu *cpu, const struct beat_report *report);
int beat_report_print(const struct beat_run *run);

/* beat_console.c: what CPU 0 does besides */
int beat_console_step(struct beat_run *run);
uint64_t beat_total_errors(const struct beat_run *run);

/* beat_text.c: one line of output */
struct beat_text {
    size_t len;    /* bytes in buf */
    char buf[256]; /* not terminated */
};

void beat_text_str(struct beat_text *text, const char *str);
void beat_text_bytes(struct beat_text *text, const char *bytes, size_t n);
void beat_text_u64(struct beat_text *text, uint64_t value);
void beat_text_hex(struct beat_text *text, uint64_t value);
void beat_text_flush(struct beat_text *text, const struct beat_ops *ops);

#endif

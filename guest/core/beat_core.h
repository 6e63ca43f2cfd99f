/*
 * beat_core: the workload of the guest `beat`, as plain C over a pointer to
 * guest RAM.
 *
 * It dirties memory at a rate and in a pattern, checks every page against the
 * generation that it must have, and prints a rising tick. Two hosts run it:
 * the freestanding ELF (guest/beat/), on real or virtual CPUs, and any program
 * that wants the same workload on threads (`godwit run --accel thread`).
 *
 * All of its state lies in guest RAM, as offsets and never as pointers:
 * whoever saves RAM saves the workload, and whoever restores RAM, at whatever
 * address, goes on with the next tick. Nothing else is kept between two calls.
 *
 * Layout of guest RAM (offsets into the RAM block; details: beat_state.h)
 *
 *   0x000000  not touched by the core (firmware tables, AP trampoline)
 *   0x100000  not touched by the core (the ELF: code, data, stacks, tables)
 *   0x200000  state page: magic, version, options, tick
 *   0x201000  console page: bytes that were typed and not yet read
 *   0x202000  one page per CPU: cursors, counters, reports
 *     ...     table: one u32 per page of work memory, its generation
 *     ...     work memory: the pages that are dirtied and checked
 *
 * In a machine with more than 3 GiB the offsets go on at 4 GiB without a gap,
 * as in the RAM block `microvm.ram`.
 *
 * What the host form promises: every number that is read back from guest RAM
 * is checked before it is used, since a restored file may be hostile. A state
 * that is not right gives a named error, never an access outside the RAM.
 *
 * Threads: beat_core_step() may run for different CPUs on different threads
 * at the same time, but for one CPU only on one thread at a time.
 * beat_core_input() may be called by one other thread, beat_core_resumed(),
 * beat_core_check() and beat_core_tick() by any. beat_core_init() runs alone.
 */
#ifndef GW_GUEST_BEAT_CORE_H
#define GW_GUEST_BEAT_CORE_H

#include <stddef.h>
#include <stdint.h>

/* Where the state begins; what lies below is not touched. */
#define BEAT_STATE_OFFSET UINT64_C(0x200000)
/* The unit of dirtying and checking. */
#define BEAT_PAGE_SIZE UINT64_C(4096)
/* The most CPUs that can share the work. */
#define BEAT_MAX_CPUS 64u
/* The longest input line that is echoed whole. */
#define BEAT_LINE_MAX 127u

/* What a step says. Everything negative is an error (beat_core_strerror). */
enum beat_result {
    /* Step again at once. */
    BEAT_CONTINUE = 0,
    /* Nothing to do for *ret_idle_ns; an earlier step does no harm. */
    BEAT_IDLE = 1,
    /* The work has ended (`ticks=N` or `quit`); every further step says so. */
    BEAT_DONE = 2,

    BEAT_E_RAM_SIZE = -1,  /* the RAM is too small for state and work */
    BEAT_E_CPUS = -2,      /* no CPU, or more than BEAT_MAX_CPUS */
    BEAT_E_MAGIC = -3,     /* the state page does not begin with the magic */
    BEAT_E_VERSION = -4,   /* a state of another version */
    BEAT_E_SUM = -5,       /* the constant part of the state was changed */
    BEAT_E_LAYOUT = -6,    /* offsets that do not fit the RAM or each other */
    BEAT_E_CONFIG = -7,    /* an option outside its range */
    BEAT_E_CPU_INDEX = -8, /* this state has no such CPU */
    BEAT_E_CPU_MAGIC = -9, /* a CPU page does not begin with its magic */
    BEAT_E_PHASE = -10,    /* a CPU in an unknown phase */
    BEAT_E_CURSOR = -11,   /* a cursor outside the slice of its CPU */
    BEAT_E_REPORTS = -12,  /* more reports waiting than the ring can hold */
    BEAT_E_CONSOLE = -13,  /* more input waiting than the ring can hold */
    /* Options with a value that is wrong: mem=, rate=, ... */
    BEAT_E_OPT_MEM = -32,
    BEAT_E_OPT_RATE = -33,
    BEAT_E_OPT_PATTERN = -34,
    BEAT_E_OPT_VERIFY = -35,
    BEAT_E_OPT_FILL = -36,
    BEAT_E_OPT_TICK_MS = -37,
    BEAT_E_OPT_TICKS = -38,
    BEAT_E_OPT_SEED = -39,
    BEAT_E_OPT_CHECK = -40,
};

/*
 * What the core needs of its host. Called only from within beat_core_step(),
 * on the thread of that call.
 */
struct beat_ops {
    /* Handed to each of the functions below. */
    void *opaque;
    /* A few words about the host for the hello line; may be NULL. */
    const char *about;
    /* Prints `len` bytes, whole lines with "\n". Only for CPU 0. */
    void (*write)(void *opaque, const char *text, size_t len);
    /*
     * The guest's time in nanoseconds. It must not go backwards in the
     * guest's life, and so must be saved and restored with it (QEMU's
     * section `timer` carries such a clock); if it does, the guest reports
     * an error. A jump forward of seconds starts a check of all memory.
     */
    uint64_t (*now)(void *opaque);
    /*
     * Called about once per tick by each CPU, for checks of the host's own
     * (it may call beat_core_report_register); may be NULL.
     */
    void (*tick)(void *opaque, uint32_t cpu);
};

/*
 * Lays out a fresh state in `ram` of `size` bytes for `n_cpus` CPUs and the
 * options of `cmdline` (guest/README.md; words it does not know are left
 * alone). The RAM must be all zero from BEAT_STATE_OFFSET on. Writes only the
 * state pages. 0 or a negative beat_result.
 */
int beat_core_init(void *ram, uint64_t size, const char *cmdline,
                   uint32_t n_cpus);

/*
 * Does at most about half a millisecond of CPU `cpu`'s work (one page at the
 * least, however slow the machine is). The caller may stop the machine
 * between any two steps. Returns a beat_result; sets *ret_idle_ns always, to
 * 0 unless BEAT_IDLE is returned. After an error the state is left alone; the
 * same step will fail again.
 */
int beat_core_step(void *ram, uint64_t size, uint32_t cpu,
                   const struct beat_ops *ops, uint64_t *ret_idle_ns);

/* Whether `ram` holds a sound state: 0 or the error a step would give. */
int beat_core_check(const void *ram, uint64_t size);

/* How many CPUs the state was made for, or a negative beat_result. */
int beat_core_n_cpus(const void *ram, uint64_t size);

/* The last tick that was printed; 0 when there is none or no sound state. */
uint64_t beat_core_tick(const void *ram, uint64_t size);

/* The errors found so far by all CPUs; 0 when there is no sound state. */
uint64_t beat_core_errors(const void *ram, uint64_t size);

/*
 * Tells the workload that its machine was restored: all memory is checked
 * from the beginning, as fast as it goes, and the outcome printed. 0 or a
 * negative beat_result.
 */
int beat_core_resumed(void *ram, uint64_t size);

/*
 * Typed bytes for the console of the workload. What does not fit is dropped,
 * as a UART would. Returns how many were taken, or a negative beat_result.
 * CPU 0 reads them in its next step, so wake it up.
 */
int beat_core_input(void *ram, uint64_t size, const void *bytes, size_t n);

/*
 * For the host's own checks, from `ops->tick`: CPU `cpu` found `found` in
 * `name` (up to 15 characters) where `expected` had been loaded. Counted and
 * printed as an error of the guest. 0 or a negative beat_result.
 */
int beat_core_report_register(void *ram, uint64_t size, uint32_t cpu,
                              const char *name, uint64_t expected,
                              uint64_t found);

/* The text for a negative beat_result; never NULL. */
const char *beat_core_strerror(int result);

#endif

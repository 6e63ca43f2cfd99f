/*
 * The doors of the workload: laying out the state, one step of one CPU, and
 * what the host asks and tells.
 */
#include "beat_core.h"

#include "beat_state.h"

static void clear(void *at, uint64_t n)
{
    uint64_t *words = at;

    for (uint64_t i = 0; i < n / sizeof(uint64_t); i++) {
        words[i] = 0;
    }
}

static void set_defaults(struct beat_config *config, uint64_t size,
                         uint32_t n_cpus)
{
    clear(config, sizeof(*config));
    config->magic = BEAT_MAGIC;
    config->version = BEAT_VERSION;
    config->n_cpus = n_cpus;
    config->ram_size = size;
    config->rate = 1000;
    config->check_rate = UINT64_MAX;
    config->seed = 1;
    config->tick_ms = 200;
    config->pattern = BEAT_PATTERN_SEQ;
    config->verify = BEAT_VERIFY_ON;
    config->fill_percent = 100;
}

/* What the options left open, and where everything lies. */
static int set_layout(struct beat_config *config)
{
    uint64_t table = BEAT_CPUS_OFFSET + config->n_cpus * BEAT_PAGE_SIZE;
    uint64_t n_free;
    uint64_t table_bytes;

    if (config->ram_size < table + 2 * BEAT_PAGE_SIZE) {
        return BEAT_E_RAM_SIZE;
    }
    n_free = (config->ram_size - table) / BEAT_PAGE_SIZE;
    if (config->n_pages == 0) {
        config->n_pages = n_free / 2;
    }
    if (config->n_pages > BEAT_PAGES_MAX) {
        config->n_pages = BEAT_PAGES_MAX;
    }
    table_bytes = config->n_pages * sizeof(uint32_t);
    table_bytes = (table_bytes + BEAT_PAGE_SIZE - 1) & ~(BEAT_PAGE_SIZE - 1);
    config->table_offset = table;
    config->work_offset = table + table_bytes;
    if (config->n_pages + table_bytes / BEAT_PAGE_SIZE > n_free) {
        return BEAT_E_OPT_MEM;
    }
    if (config->check_rate == UINT64_MAX) {
        /* as much as is dirtied, and not nothing when nothing is */
        config->check_rate = config->rate > 8 ? config->rate : 8;
    }
    if (config->verify == BEAT_VERIFY_OFF) {
        config->check_rate = 0;
    }
    config->sum = beat_config_sum(config);
    return 0;
}

static void init_cpu(struct beat_cpu *cpu, const struct beat_config *config,
                     uint32_t index)
{
    clear(cpu, sizeof(*cpu));
    cpu->magic = BEAT_CPU_MAGIC;
    cpu->index = index;
    cpu->phase = BEAT_PHASE_FILL;
    cpu->random = beat_mix(config->seed + index + 1) | 1;
}

int beat_core_init(void *ram, uint64_t size, const char *cmdline,
                   uint32_t n_cpus)
{
    uint8_t *at = ram;
    struct beat_state *state =
        (struct beat_state *)(void *)(at + BEAT_STATE_OFFSET);
    struct beat_config config;
    int r;

    if (n_cpus == 0 || n_cpus > BEAT_MAX_CPUS) {
        return BEAT_E_CPUS;
    }
    set_defaults(&config, size, n_cpus);
    r = beat_options_parse(&config, cmdline);
    if (r == 0) {
        r = set_layout(&config);
    }
    if (r < 0) {
        return r;
    }
    if (state->config.magic == BEAT_MAGIC) {
        /* a machine that was reset still holds its former life */
        clear(at + BEAT_STATE_OFFSET, (size - BEAT_STATE_OFFSET) & ~7ull);
    }
    for (uint32_t i = 0; i < n_cpus; i++) {
        init_cpu(beat_cpu_at(ram, i), &config, i);
    }
    state->config = config;
    return 0;
}

/* The host's own checks, once a tick. */
static void host_tick(struct beat_run *run)
{
    uint64_t interval = run->config.tick_ms * BEAT_NS_PER_MS;
    uint64_t due = run->cpu->tick_ns;

    if (!run->ops->tick || (run->now < due && due - run->now <= interval)) {
        return;
    }
    run->cpu->tick_ns = run->now + interval;
    run->ops->tick(run->ops->opaque, run->index);
}

int beat_core_step(void *ram, uint64_t size, uint32_t cpu,
                   const struct beat_ops *ops, uint64_t *ret_idle_ns)
{
    struct beat_run run;
    int r = beat_run_open(&run, ram, size, cpu);

    *ret_idle_ns = 0;
    if (r < 0) {
        return r;
    }
    if (beat_load32(&run.state->done)) {
        return BEAT_DONE;
    }
    run.ops = ops;
    beat_work_time(&run);
    host_tick(&run);
    if (cpu == 0) {
        r = beat_console_step(&run);
        if (r < 0) {
            return r;
        }
        if (beat_load32(&run.state->done)) {
            return BEAT_DONE;
        }
    }
    return beat_work_step(&run, ret_idle_ns);
}

int beat_core_n_cpus(const void *ram, uint64_t size)
{
    struct beat_config config;
    int r = beat_config_read(ram, size, &config);

    return r < 0 ? r : (int)config.n_cpus;
}

uint64_t beat_core_tick(const void *ram, uint64_t size)
{
    const uint8_t *at = (const uint8_t *)ram + BEAT_STATE_OFFSET;
    struct beat_config config;

    if (beat_config_read(ram, size, &config) < 0) {
        return 0;
    }
    return beat_load64(&((const struct beat_state *)(const void *)at)->tick);
}

uint64_t beat_core_errors(const void *ram, uint64_t size)
{
    struct beat_config config;
    uint64_t errors = 0;

    if (beat_config_read(ram, size, &config) < 0) {
        return 0;
    }
    for (uint32_t i = 0; i < config.n_cpus; i++) {
        const uint8_t *at =
            (const uint8_t *)ram + BEAT_CPUS_OFFSET + i * BEAT_PAGE_SIZE;

        errors +=
            beat_load64(&((const struct beat_cpu *)(const void *)at)->errors);
    }
    return errors;
}

int beat_core_resumed(void *ram, uint64_t size)
{
    struct beat_run run;
    int r = beat_run_open(&run, ram, size, 0);

    if (r < 0) {
        return r;
    }
    __atomic_add_fetch(&run.state->sweep_wanted, 1, __ATOMIC_RELEASE);
    return 0;
}

int beat_core_input(void *ram, uint64_t size, const void *bytes, size_t n)
{
    const unsigned char *from = bytes;
    struct beat_console *console;
    struct beat_config config;
    uint32_t head;
    uint32_t n_free;
    int r = beat_config_read(ram, size, &config);

    if (r < 0) {
        return r;
    }
    console = beat_console_at(ram);
    head = console->head;
    n_free = BEAT_CONSOLE_RING - (head - beat_load32(&console->tail));
    if (n_free > BEAT_CONSOLE_RING) {
        return BEAT_E_CONSOLE;
    }
    n = n < n_free ? n : n_free;
    for (size_t i = 0; i < n; i++) {
        console->ring[(head + (uint32_t)i) % BEAT_CONSOLE_RING] = from[i];
    }
    beat_store32(&console->head, head + (uint32_t)n);
    return (int)n;
}

int beat_core_report_register(void *ram, uint64_t size, uint32_t cpu,
                              const char *name, uint64_t expected,
                              uint64_t found)
{
    struct beat_report report = {
        .kind = BEAT_REPORT_REGISTER, .expected = expected, .found = found};
    struct beat_run run;
    int r = beat_run_open(&run, ram, size, cpu);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < sizeof(report.name) - 1 && name[i]; i++) {
        report.name[i] = name[i];
    }
    beat_report_put(run.cpu, &report);
    return 0;
}

const char *beat_core_strerror(int result)
{
    switch (result) {
    case BEAT_E_RAM_SIZE:
        return "beat: the RAM is too small for its state";
    case BEAT_E_CPUS:
        return "beat: the number of CPUs is 0 or too large";
    case BEAT_E_MAGIC:
        return "beat: no state in this RAM (wrong magic)";
    case BEAT_E_VERSION:
        return "beat: the state is of another version";
    case BEAT_E_SUM:
        return "beat: the constant part of the state was changed";
    case BEAT_E_LAYOUT:
        return "beat: the state does not fit RAM of this size";
    case BEAT_E_CONFIG:
        return "beat: the state has an option out of range";
    case BEAT_E_CPU_INDEX:
        return "beat: the state has fewer CPUs than the machine";
    case BEAT_E_CPU_MAGIC:
        return "beat: the page of a CPU is damaged (wrong magic or index)";
    case BEAT_E_PHASE:
        return "beat: a CPU is in an unknown phase";
    case BEAT_E_CURSOR:
        return "beat: a cursor lies outside the slice of its CPU";
    case BEAT_E_REPORTS:
        return "beat: more reports are waiting than fit";
    case BEAT_E_CONSOLE:
        return "beat: more input is waiting than fits";
    case BEAT_E_OPT_MEM:
        return "beat: mem= is no size or does not fit the RAM";
    case BEAT_E_OPT_RATE:
        return "beat: rate= is not a number of pages per second";
    case BEAT_E_OPT_PATTERN:
        return "beat: pattern= is not seq, random, hot or zero";
    case BEAT_E_OPT_VERIFY:
        return "beat: verify= is not on, off or filled";
    case BEAT_E_OPT_FILL:
        return "beat: fill= is neither dense nor a percentage";
    case BEAT_E_OPT_TICK_MS:
        return "beat: tick-ms= is not a number from 1 to 3600000";
    case BEAT_E_OPT_TICKS:
        return "beat: ticks= is not a number";
    case BEAT_E_OPT_SEED:
        return "beat: seed= is not a number";
    case BEAT_E_OPT_CHECK:
        return "beat: check= is not a number of pages per second";
    default:
        return "beat: no error";
    }
}

/*
 * The state in guest RAM: how it is found, and what must be true of it before
 * anything is used. Whatever is read back is copied first and checked after,
 * so that what was checked is what is used.
 */
#include "beat_state.h"

struct beat_cpu *beat_cpu_at(void *ram, uint32_t index)
{
    uint8_t *at = (uint8_t *)ram + BEAT_CPUS_OFFSET + index * BEAT_PAGE_SIZE;

    return (struct beat_cpu *)(void *)at;
}

struct beat_console *beat_console_at(void *ram)
{
    return (struct beat_console *)(void *)((uint8_t *)ram +
                                           BEAT_CONSOLE_OFFSET);
}

uint32_t *beat_generation_at(const struct beat_run *run, uint64_t page)
{
    return (uint32_t *)(void *)(run->ram + run->config.table_offset) + page;
}

uint64_t beat_config_sum(const struct beat_config *config)
{
    const uint64_t *words = (const uint64_t *)(const void *)config;
    uint64_t sum = BEAT_MAGIC;

    for (size_t i = 0; i < offsetof(struct beat_config, sum) / 8; i++) {
        sum = beat_mix(sum + words[i]);
    }
    return sum;
}

/* The offsets are a function of the counts; nothing else is accepted. */
static int check_layout(const struct beat_config *config, uint64_t size)
{
    uint64_t table = BEAT_CPUS_OFFSET + config->n_cpus * BEAT_PAGE_SIZE;
    uint64_t table_bytes;

    if (config->ram_size != size || config->n_pages == 0 ||
        config->n_pages > BEAT_PAGES_MAX) {
        return BEAT_E_LAYOUT;
    }
    table_bytes = config->n_pages * sizeof(uint32_t);
    table_bytes = (table_bytes + BEAT_PAGE_SIZE - 1) & ~(BEAT_PAGE_SIZE - 1);
    if (config->table_offset != table ||
        config->work_offset != table + table_bytes ||
        config->work_offset > size ||
        config->n_pages > (size - config->work_offset) / BEAT_PAGE_SIZE) {
        return BEAT_E_LAYOUT;
    }
    return 0;
}

static int check_options(const struct beat_config *config)
{
    if (config->rate > BEAT_RATE_MAX || config->check_rate > BEAT_RATE_MAX ||
        config->tick_ms == 0 || config->tick_ms > BEAT_TICK_MS_MAX ||
        config->pattern > BEAT_PATTERN_ZERO ||
        config->verify > BEAT_VERIFY_FILLED || config->fill_percent > 100) {
        return BEAT_E_CONFIG;
    }
    return 0;
}

static int check_config(const struct beat_config *config, uint64_t size)
{
    int r;

    if (config->magic != BEAT_MAGIC) {
        return BEAT_E_MAGIC;
    }
    if (config->version != BEAT_VERSION) {
        return BEAT_E_VERSION;
    }
    if (config->sum != beat_config_sum(config)) {
        return BEAT_E_SUM;
    }
    if (config->n_cpus == 0 || config->n_cpus > BEAT_MAX_CPUS) {
        return BEAT_E_CPUS;
    }
    r = check_layout(config, size);
    return r < 0 ? r : check_options(config);
}

/* Copies the options out of guest RAM; 0 if they are sound. */
int beat_config_read(const void *ram, uint64_t size, struct beat_config *ret)
{
    const uint8_t *at = (const uint8_t *)ram + BEAT_STATE_OFFSET;
    const struct beat_state *state =
        (const struct beat_state *)(const void *)at;
    struct beat_config config;
    int r;

    if (size < BEAT_CPUS_OFFSET + BEAT_PAGE_SIZE) {
        return BEAT_E_RAM_SIZE;
    }
    config = state->config;
    r = check_config(&config, size);
    if (r < 0) {
        return r;
    }
    *ret = config;
    return 0;
}

static int check_cpu(const struct beat_cpu *cpu, uint32_t index)
{
    if (cpu->magic != BEAT_CPU_MAGIC || cpu->index != index) {
        return BEAT_E_CPU_MAGIC;
    }
    return 0;
}

/* Everything a step of CPU `index` needs but `ops` and `now`. */
int beat_run_open(struct beat_run *run, void *ram, uint64_t size,
                  uint32_t index)
{
    uint64_t n_pages;
    int r = beat_config_read(ram, size, &run->config);

    if (r < 0) {
        return r;
    }
    if (index >= run->config.n_cpus) {
        return BEAT_E_CPU_INDEX;
    }
    run->ram = ram;
    run->state = (struct beat_state *)(void *)(run->ram + BEAT_STATE_OFFSET);
    run->cpu = beat_cpu_at(ram, index);
    run->index = index;
    n_pages = run->config.n_pages;
    run->first = n_pages * index / run->config.n_cpus;
    run->n_slice = n_pages * (index + 1) / run->config.n_cpus - run->first;
    return check_cpu(run->cpu, index);
}

int beat_core_check(const void *ram, uint64_t size)
{
    struct beat_config config;
    int r = beat_config_read(ram, size, &config);

    for (uint32_t i = 0; r == 0 && i < config.n_cpus; i++) {
        const uint8_t *at =
            (const uint8_t *)ram + BEAT_CPUS_OFFSET + i * BEAT_PAGE_SIZE;

        r = check_cpu((const struct beat_cpu *)(const void *)at, i);
    }
    return r;
}

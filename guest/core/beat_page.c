/*
 * The content of a page of work memory.
 *
 * It is a function of seed, page and generation: word i holds
 * (page << 32 | generation) ^ key(seed) + i * STEP, so that every word of a
 * page differs, a page of another place or generation differs in every word,
 * and word 0 tells which page and generation it was. Generation 0 was never
 * written and is all zero; with pattern=zero so is every even generation.
 */
#include "beat_state.h"

#define WORDS (BEAT_PAGE_SIZE / sizeof(uint64_t))
/* Odd, so that i * STEP is different for each i. */
#define STEP UINT64_C(0x9e3779b97f4a7c15)

/* A bijection that spreads every input bit over all output bits. */
uint64_t beat_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t key(const struct beat_config *config)
{
    return beat_mix(config->seed + STEP);
}

static uint64_t first_word(const struct beat_config *config, uint64_t page,
                           uint32_t generation)
{
    return (page << 32 | generation) ^ key(config);
}

bool beat_page_is_data(const struct beat_config *config, uint32_t generation)
{
    if (generation == 0) {
        return false;
    }
    return config->pattern != BEAT_PATTERN_ZERO || (generation & 1);
}

static uint64_t *words_of(const struct beat_run *run, uint64_t page)
{
    uint8_t *at = run->ram + run->config.work_offset + page * BEAT_PAGE_SIZE;

    return (uint64_t *)(void *)at;
}

void beat_page_write(const struct beat_run *run, uint64_t page,
                     uint32_t generation)
{
    uint64_t *words = words_of(run, page);
    bool data = beat_page_is_data(&run->config, generation);
    uint64_t step = data ? STEP : 0;
    uint64_t word = data ? first_word(&run->config, page, generation) : 0;

    /* Eight at a time: the loop is most of what a slow machine executes. */
    for (size_t i = 0; i < WORDS; i += 8) {
        words[i] = word;
        words[i + 1] = word + step;
        words[i + 2] = word + 2 * step;
        words[i + 3] = word + 3 * step;
        words[i + 4] = word + 4 * step;
        words[i + 5] = word + 5 * step;
        words[i + 6] = word + 6 * step;
        words[i + 7] = word + 7 * step;
        word += 8 * step;
    }
}

/* Whether the page is word, word + step, word + 2 * step, ... */
static bool is_content(const uint64_t *words, uint64_t word, uint64_t step)
{
    uint64_t differs = 0;

    for (size_t i = 0; i < WORDS; i += 8) {
        differs |= words[i] ^ word;
        differs |= words[i + 1] ^ (word + step);
        differs |= words[i + 2] ^ (word + 2 * step);
        differs |= words[i + 3] ^ (word + 3 * step);
        differs |= words[i + 4] ^ (word + 4 * step);
        differs |= words[i + 5] ^ (word + 5 * step);
        differs |= words[i + 6] ^ (word + 6 * step);
        differs |= words[i + 7] ^ (word + 7 * step);
        word += 8 * step;
    }
    return differs == 0;
}

/* Says what the page holds, since it is not what it must. */
static void describe(const struct beat_run *run, const uint64_t *words,
                     uint64_t word, uint64_t step, struct beat_report *report)
{
    uint64_t origin = words[0] ^ key(&run->config);

    report->found = (uint32_t)origin;
    report->where = origin >> 32;
    if (is_content(words, 0, 0)) {
        report->found_kind = BEAT_FOUND_ZERO;
    } else if (is_content(words, words[0], STEP) &&
               report->where < run->config.n_pages) {
        report->found_kind = report->where == report->index
                                 ? BEAT_FOUND_GENERATION
                                 : BEAT_FOUND_PAGE;
    } else {
        size_t i = 0;

        /* Bounded for its own sake: the memory may change as we look. */
        while (i < WORDS - 1 && words[i] == word + i * step) {
            i++;
        }
        report->found_kind = BEAT_FOUND_WORD;
        report->found = words[i];
        report->where = i;
    }
}

/*
 * Checks one page. A wrong one is reported, and then made right, so that it
 * is counted once.
 */
void beat_page_check(const struct beat_run *run, uint64_t page)
{
    const uint64_t *words = words_of(run, page);
    uint32_t generation = *beat_generation_at(run, page);
    bool data = beat_page_is_data(&run->config, generation);
    uint64_t word = data ? first_word(&run->config, page, generation) : 0;
    uint64_t step = data ? STEP : 0;
    struct beat_report report = {
        .kind = BEAT_REPORT_PAGE, .index = page, .expected = generation};

    if (generation == 0 && run->config.verify == BEAT_VERIFY_FILLED) {
        return;
    }
    beat_add64(&run->cpu->checked, 1);
    if (is_content(words, word, step)) {
        return;
    }
    describe(run, words, word, step, &report);
    beat_report_put(run->cpu, &report);
    beat_page_write(run, page, generation);
}

/*
 * The options on the command line: `key=value`, separated by blanks. Words
 * with an unknown key are somebody else's and are left alone; a known key
 * with a wrong value is an error.
 */
#include "beat_state.h"

struct option {
    const char *key; /* with the equals sign */
    int error;       /* what a wrong value gives */
    /* Parses the value [at, end); false if it is wrong. */
    bool (*parse)(struct beat_config *config, const char *at, const char *end);
};

/* A number in decimal, no sign, no blanks. */
static bool parse_number(const char *at, const char *end, uint64_t max,
                         uint64_t *ret)
{
    uint64_t value = 0;

    if (at == end) {
        return false;
    }
    for (; at < end; at++) {
        unsigned int digit = (unsigned int)(*at - '0');

        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (value > max) {
        return false;
    }
    *ret = value;
    return true;
}

static unsigned int suffix_shift(char c)
{
    switch (c | 0x20) {
    case 'k':
        return 10;
    case 'm':
        return 20;
    case 'g':
        return 30;
    case 't':
        return 40;
    default:
        return 0;
    }
}

static bool parse_size(const char *at, const char *end, uint64_t *ret)
{
    unsigned int shift = at == end ? 0 : suffix_shift(end[-1]);
    uint64_t value;

    if (!parse_number(at, shift ? end - 1 : end, UINT64_MAX >> shift, &value)) {
        return false;
    }
    *ret = value << shift;
    return true;
}

/* Which of `words` (ended by NULL) the value is; -1 for none. */
static int parse_word(const char *at, const char *end, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        const char *word = words[i];
        const char *c = at;

        while (c < end && *word && *c == *word) {
            c++;
            word++;
        }
        if (c == end && !*word) {
            return i;
        }
    }
    return -1;
}

static bool opt_mem(struct beat_config *config, const char *at, const char *end)
{
    uint64_t bytes;

    if (!parse_size(at, end, &bytes)) {
        return false;
    }
    config->n_pages = bytes / BEAT_PAGE_SIZE;
    return config->n_pages > 0 && config->n_pages <= BEAT_PAGES_MAX;
}

static bool opt_rate(struct beat_config *config, const char *at,
                     const char *end)
{
    return parse_number(at, end, BEAT_RATE_MAX, &config->rate);
}

static bool opt_check(struct beat_config *config, const char *at,
                      const char *end)
{
    return parse_number(at, end, BEAT_RATE_MAX, &config->check_rate);
}

/* The order of the words is that of enum beat_pattern. */
static bool opt_pattern(struct beat_config *config, const char *at,
                        const char *end)
{
    static const char *const words[] = {"seq", "random", "hot", "zero", NULL};
    int word = parse_word(at, end, words);

    config->pattern = (uint32_t)word;
    return word >= 0;
}

/* The order of the words is that of enum beat_verify. */
static bool opt_verify(struct beat_config *config, const char *at,
                       const char *end)
{
    static const char *const words[] = {"off", "on", "filled", NULL};
    int word = parse_word(at, end, words);

    config->verify = (uint32_t)word;
    return word >= 0;
}

static bool opt_fill(struct beat_config *config, const char *at,
                     const char *end)
{
    static const char *const words[] = {"dense", NULL};
    uint64_t percent = 100;

    if (parse_word(at, end, words) < 0 &&
        !parse_number(at, end, 100, &percent)) {
        return false;
    }
    config->fill_percent = (uint32_t)percent;
    return true;
}

static bool opt_tick_ms(struct beat_config *config, const char *at,
                        const char *end)
{
    uint64_t ms;

    if (!parse_number(at, end, BEAT_TICK_MS_MAX, &ms) || ms == 0) {
        return false;
    }
    config->tick_ms = (uint32_t)ms;
    return true;
}

static bool opt_ticks(struct beat_config *config, const char *at,
                      const char *end)
{
    return parse_number(at, end, UINT64_MAX, &config->n_ticks);
}

static bool opt_seed(struct beat_config *config, const char *at,
                     const char *end)
{
    return parse_number(at, end, UINT64_MAX, &config->seed);
}

static const struct option options[] = {
    {"mem=", BEAT_E_OPT_MEM, opt_mem},
    {"rate=", BEAT_E_OPT_RATE, opt_rate},
    {"check=", BEAT_E_OPT_CHECK, opt_check},
    {"pattern=", BEAT_E_OPT_PATTERN, opt_pattern},
    {"verify=", BEAT_E_OPT_VERIFY, opt_verify},
    {"fill=", BEAT_E_OPT_FILL, opt_fill},
    {"tick-ms=", BEAT_E_OPT_TICK_MS, opt_tick_ms},
    {"ticks=", BEAT_E_OPT_TICKS, opt_ticks},
    {"seed=", BEAT_E_OPT_SEED, opt_seed},
};

/* The value if the word [at, end) has this key, NULL otherwise. */
static const char *match_key(const char *at, const char *end, const char *key)
{
    while (*key) {
        if (at == end || *at != *key) {
            return NULL;
        }
        at++;
        key++;
    }
    return at;
}

static int parse_option(struct beat_config *config, const char *at,
                        const char *end)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *value = match_key(at, end, options[i].key);

        if (value) {
            return options[i].parse(config, value, end) ? 0 : options[i].error;
        }
    }
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Members without an option on the line are left as they are. */
int beat_options_parse(struct beat_config *config, const char *cmdline)
{
    const char *at = cmdline;

    while (*at) {
        const char *end = at;
        int r;

        while (*end && !is_blank(*end)) {
            end++;
        }
        r = parse_option(config, at, end);
        if (r < 0) {
            return r;
        }
        at = *end ? end + 1 : end;
    }
    return 0;
}

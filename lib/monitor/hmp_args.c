/*
 * The words of an HMP command line.
 */
#include "monitor/hmp_args.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool gw_hmp_at_end(const char **at)
{
    while (isspace((unsigned char)**at)) {
        (*at)++;
    }
    return !**at;
}

static int take_escape(const char **at, struct gw_buffer *word,
                       struct gw_buffer *complaint)
{
    static const char codes[] = "nr\\'\"";
    static const char meanings[] = "\n\r\\'\"";
    const char *code = strchr(codes, **at);

    if (!**at || !code) {
        gw_buffer_printf(complaint, "unsupported escape code: '\\%.1s'\n", *at);
        return -EINVAL;
    }
    gw_buffer_put_u8(word, (uint8_t)meanings[code - codes]);
    (*at)++;
    return 0;
}

static int take_quoted(const char **at, struct gw_buffer *word,
                       struct gw_buffer *complaint)
{
    (*at)++;
    while (**at && **at != '"') {
        if (**at == '\\') {
            (*at)++;
            if (take_escape(at, word, complaint) < 0) {
                return -EINVAL;
            }
        } else {
            gw_buffer_put_u8(word, (uint8_t) * (*at)++);
        }
    }
    if (**at != '"') {
        gw_buffer_printf(complaint, "unterminated string\n");
        return -EINVAL;
    }
    (*at)++;
    return 0;
}

int gw_hmp_next_word(const char **at, struct gw_buffer *word,
                     struct gw_buffer *complaint)
{
    word->size = 0;
    if (gw_hmp_at_end(at)) {
        gw_buffer_put_u8(word, '\0');
        return gw_buffer_ok(word) ? 0 : -EINVAL;
    }
    if (**at == '"') {
        if (take_quoted(at, word, complaint) < 0) {
            return -EINVAL;
        }
    } else {
        while (**at && !isspace((unsigned char)**at)) {
            gw_buffer_put_u8(word, (uint8_t) * (*at)++);
        }
    }
    gw_buffer_put_u8(word, '\0');
    return gw_buffer_ok(word) ? 1 : -EINVAL;
}

int gw_hmp_next_number(const char **at, int64_t *ret,
                       struct gw_buffer *complaint)
{
    bool is_negative = false;
    unsigned long long number;
    char *end;

    if (!gw_hmp_at_end(at) && (**at == '-' || **at == '+')) {
        is_negative = *(*at)++ == '-';
    }
    if (gw_hmp_at_end(at)) {
        gw_buffer_printf(complaint, "unexpected end of expression\n");
        return -EINVAL;
    }
    if (!isdigit((unsigned char)**at)) {
        gw_buffer_printf(complaint, "invalid char '%c' in expression\n", **at);
        return -EINVAL;
    }
    errno = 0;
    number = strtoull(*at, &end, 0);
    if (errno == ERANGE || number > INT64_MAX) {
        gw_buffer_printf(complaint, "number too large\n");
        return -EINVAL;
    }
    *at = end;
    *ret = is_negative ? -(int64_t)number : (int64_t)number;
    return 0;
}

int gw_hmp_parse_bool(const char *text, bool *ret)
{
    static const char *const on[] = {"on", "yes", "true", "y"};
    static const char *const off[] = {"off", "no", "false", "n"};
    size_t i;

    for (i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
        if (strcmp(text, on[i]) == 0) {
            *ret = true;
            return 0;
        }
        if (strcmp(text, off[i]) == 0) {
            *ret = false;
            return 0;
        }
    }
    return -EINVAL;
}

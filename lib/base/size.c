/*
 * Sizes as people write them.
 *
 * Neither strtod nor strtoull will do: the one knows about locales, "inf" and
 * exponents, the other takes a sign and wraps.
 */
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A number as it was read, before its suffix is applied. */
struct number {
    uint64_t whole;  /* before the point */
    double fraction; /* after the point, below 1 */
    bool inexact;    /* a digit after the point is not 0 */
    bool overflow;   /* `whole` is beyond 64 bits */
};

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* Reads digits of the base, returns how many. */
static size_t read_whole(const char **at, unsigned int base, struct number *n)
{
    const char *start = *at;

    while ((unsigned int)digit_value(**at) < base) {
        uint64_t digit = (uint64_t)digit_value(**at);

        if (__builtin_mul_overflow(n->whole, base, &n->whole) ||
            __builtin_add_overflow(n->whole, digit, &n->whole)) {
            n->overflow = true;
        }
        (*at)++;
    }
    return (size_t)(*at - start);
}

static size_t read_fraction(const char **at, struct number *n)
{
    const char *start = *at;
    double weight = 0.1;

    while (isdigit((unsigned char)**at)) {
        n->fraction += weight * digit_value(**at);
        n->inexact = n->inexact || **at != '0';
        weight /= 10;
        (*at)++;
    }
    return (size_t)(*at - start);
}

/* The bytes that a suffix stands for; 0 if there is none such. */
static uint64_t suffix_unit(char suffix)
{
    static const char suffixes[] = "BKMGTPE";
    const char *found = strchr(suffixes, toupper((unsigned char)suffix));

    return suffix && found ? UINT64_C(1) << (10 * (found - suffixes)) : 0;
}

static int parse_hex(const char *at, bool negative, uint64_t *ret)
{
    struct number n = {0};

    if (!read_whole(&at, 16, &n) || *at || negative) {
        return -EINVAL;
    }
    if (n.overflow) {
        return -ERANGE;
    }
    *ret = n.whole;
    return 0;
}

static int scale(const struct number *n, bool negative, uint64_t unit,
                 uint64_t *ret)
{
    uint64_t bytes;

    if (n->inexact && unit == 1) {
        return -EINVAL;
    }
    if (negative || n->overflow ||
        __builtin_mul_overflow(n->whole, unit, &bytes) ||
        __builtin_add_overflow(bytes, (uint64_t)(n->fraction * (double)unit),
                               &bytes)) {
        return -ERANGE;
    }
    *ret = bytes;
    return 0;
}

int gw_size_parse(const char *text, uint64_t unit, uint64_t *ret)
{
    struct number n = {0};
    bool negative;
    size_t n_digits;

    while (isspace((unsigned char)*text)) {
        text++;
    }
    negative = *text == '-';
    if (*text == '-' || *text == '+') {
        text++;
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return parse_hex(text + 2, negative, ret);
    }
    n_digits = read_whole(&text, 10, &n);
    if (*text == '.') {
        text++;
        n_digits += read_fraction(&text, &n);
    }
    if (n_digits && suffix_unit(*text)) {
        unit = suffix_unit(*text);
        text++;
    }
    if (!n_digits || *text) {
        return -EINVAL;
    }
    return scale(&n, negative, unit, ret);
}

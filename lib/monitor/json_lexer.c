/*
 * Bytes to tokens.
 *
 * After stray bytes QEMU skips everything up to the next mark, except control
 * bytes, which are stray again: that is how clients bring a parser back to a
 * known state. Observed with 10.0.2.
 */
#include "monitor/json_lexer.h"

#include <ctype.h>
#include <string.h>

static bool is_blank(unsigned char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_mark(unsigned char byte)
{
    return byte && strchr("{}[]:,", byte);
}

/* Bytes that UTF-8 never uses, and control bytes that are not blanks. */
static bool is_never_good(unsigned char byte)
{
    return byte >= 0xfe || (byte < 0x20 && !is_blank(byte));
}

static bool is_lower(unsigned char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && isdigit((unsigned char)*at)) {
        at++;
    }
    return at;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_number(const char *at, size_t size)
{
    const char *end = at + size;
    const char *digits;

    at += *at == '-';
    digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at > digits + 1)) {
        return false;
    }
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits) {
            return false;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        if (at == digits) {
            return false;
        }
    }
    return at == end;
}

static enum gw_json_token_type stray(struct gw_json_lexer *lexer)
{
    lexer->state = GW_JSON_RECOVERING;
    return GW_JSON_STRAY;
}

static enum gw_json_token_type begin(struct gw_json_lexer *lexer,
                                     unsigned char byte, bool *ret_skip)
{
    if (is_blank(byte)) {
        *ret_skip = true;
    } else if (is_mark(byte)) {
        return GW_JSON_MARK;
    } else if (byte == '"' || byte == '\'') {
        lexer->state = GW_JSON_IN_STRING;
        lexer->quote = (char)byte;
    } else if (byte == '-' || isdigit(byte)) {
        lexer->state = GW_JSON_IN_NUMBER;
    } else if (is_lower(byte)) {
        lexer->state = GW_JSON_IN_KEYWORD;
    } else {
        return stray(lexer);
    }
    return GW_JSON_NONE;
}

static enum gw_json_token_type step_string(struct gw_json_lexer *lexer,
                                           unsigned char byte)
{
    if (byte < 0x20 || byte >= 0xfe) {
        return stray(lexer);
    }
    if (lexer->state == GW_JSON_IN_ESCAPE) {
        lexer->state = GW_JSON_IN_STRING;
    } else if (byte == '\\') {
        lexer->state = GW_JSON_IN_ESCAPE;
    } else if (byte == (unsigned char)lexer->quote) {
        lexer->state = GW_JSON_AT_START;
        return GW_JSON_STRING;
    }
    return GW_JSON_NONE;
}

static enum gw_json_token_type recover(struct gw_json_lexer *lexer,
                                       unsigned char byte, bool *ret_skip)
{
    if (is_never_good(byte)) {
        return GW_JSON_STRAY;
    }
    if (is_mark(byte)) {
        lexer->state = GW_JSON_AT_START;
        return GW_JSON_MARK;
    }
    *ret_skip = true;
    return GW_JSON_NONE;
}

enum gw_json_token_type gw_json_lexer_step(struct gw_json_lexer *lexer,
                                           const char *text, size_t size,
                                           unsigned char byte, bool *ret_take,
                                           bool *ret_skip)
{
    *ret_take = true;
    *ret_skip = false;
    switch (lexer->state) {
    case GW_JSON_AT_START:
        return begin(lexer, byte, ret_skip);
    case GW_JSON_IN_STRING:
    case GW_JSON_IN_ESCAPE:
        return step_string(lexer, byte);
    case GW_JSON_IN_NUMBER:
        if (isdigit(byte) || (byte && strchr("+-.eE", byte))) {
            return GW_JSON_NONE;
        }
        *ret_take = false;
        lexer->state = GW_JSON_AT_START;
        return is_number(text, size) ? GW_JSON_NUMBER : stray(lexer);
    case GW_JSON_IN_KEYWORD:
        if (is_lower(byte)) {
            return GW_JSON_NONE;
        }
        *ret_take = false;
        lexer->state = GW_JSON_AT_START;
        return GW_JSON_KEYWORD;
    case GW_JSON_RECOVERING:
        break;
    }
    return recover(lexer, byte, ret_skip);
}

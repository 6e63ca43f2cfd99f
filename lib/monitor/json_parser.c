/*
 * Tokens to values.
 */
#include "monitor/json_parser.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"

struct parser {
    const char *text;                   /* of the message */
    const struct gw_json_token *tokens; /* of the message */
    size_t n_tokens;                    /* of them */
    size_t pos;                         /* next token */
    unsigned int depth;                 /* of objects around */
    bool is_wrapping;                   /* large integers wrap here */
    struct gw_error **errp;             /* where errors go */
};

static json_t *parse_value(struct parser *p);

static void cleanup_json(json_t **value)
{
    json_decref(*value);
}
#define AUTO_JSON GW_CLEANUP(cleanup_json)

static json_t *fail(struct parser *p, const char *what)
{
    gw_error_set(p->errp, -EINVAL, "JSON parse error, %s", what);
    return NULL;
}

/* The next token, or NULL and an error. */
static const struct gw_json_token *next(struct parser *p)
{
    if (p->pos == p->n_tokens) {
        fail(p, "premature EOI");
        return NULL;
    }
    return &p->tokens[p->pos++];
}

/* Moves past the mark if it comes next. */
static bool accept(struct parser *p, char mark)
{
    const struct gw_json_token *token = &p->tokens[p->pos];

    if (p->pos == p->n_tokens || token->type != GW_JSON_MARK ||
        p->text[token->offset] != mark) {
        return false;
    }
    p->pos++;
    return true;
}

/* Reads four hexadecimal digits; -1 if these are not. */
static long read_hex4(const char *at, const char *end)
{
    static const char digits[] = "0123456789abcdef";
    long value = 0;
    int i;

    if (end - at < 4) {
        return -1;
    }
    for (i = 0; i < 4; i++) {
        const char *digit = strchr(digits, tolower((unsigned char)at[i]));

        if (!at[i] || !digit) {
            return -1;
        }
        value = value << 4 | (digit - digits);
    }
    return value;
}

static void put_utf8(struct gw_buffer *out, unsigned long c)
{
    if (c < 0x80) {
        gw_buffer_put_u8(out, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        gw_buffer_put_u8(out, (uint8_t)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            gw_buffer_put_u8(out, (uint8_t)(0xe0 | c >> 12));
        } else {
            gw_buffer_put_u8(out, (uint8_t)(0xf0 | c >> 18));
            gw_buffer_put_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        }
        gw_buffer_put_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    }
    gw_buffer_put_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/*
 * Decodes what follows "\u"; a high surrogate needs a low one after it.
 * Returns the number of characters read, 0 after an error.
 */
static size_t decode_unicode(struct parser *p, const char *at, const char *end,
                             struct gw_buffer *out)
{
    long c = read_hex4(at, end);
    long low;

    if (c < 0) {
        fail(p, "invalid escape sequence in string");
        return 0;
    }
    if (c >= 0xd800 && c < 0xdc00 && end - at >= 10 && at[4] == '\\' &&
        at[5] == 'u') {
        low = read_hex4(at + 6, end);
        if (low >= 0xdc00 && low < 0xe000) {
            put_utf8(out, 0x10000ul + ((unsigned long)(c - 0xd800) << 10) +
                              (unsigned long)(low - 0xdc00));
            return 10;
        }
    }
    /* A NUL would end the string for everybody who reads it. */
    if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
        gw_error_set(p->errp, -EINVAL,
                     "JSON parse error, \\u%.4s is not a valid Unicode "
                     "character",
                     at);
        return 0;
    }
    put_utf8(out, (unsigned long)c);
    return 4;
}

/* Decodes the escape that starts after the backslash at `at`. */
static size_t decode_escape(struct parser *p, const char *at, const char *end,
                            struct gw_buffer *out)
{
    static const char codes[] = "\"'\\/bfnrt";
    static const char meanings[] = "\"'\\/\b\f\n\r\t";
    const char *code = strchr(codes, *at);
    size_t n;

    if (*at == 'u') {
        n = decode_unicode(p, at + 1, end, out);
        return n ? n + 1 : 0;
    }
    if (!*at || !code) {
        fail(p, "invalid escape sequence in string");
        return 0;
    }
    gw_buffer_put_u8(out, (uint8_t)meanings[code - codes]);
    return 1;
}

static json_t *parse_string(struct parser *p, const struct gw_json_token *token)
{
    GW_AUTO_BUFFER struct gw_buffer out = {0};
    const char *at = p->text + token->offset + 1;
    const char *end = at + token->size - 2;
    json_t *string;

    while (at < end) {
        if (*at != '\\') {
            gw_buffer_put_u8(&out, (uint8_t)*at++);
            continue;
        }
        size_t n = decode_escape(p, at + 1, end, &out);

        if (n == 0) {
            return NULL;
        }
        at += n + 1;
    }
    if (!gw_buffer_ok(&out)) {
        return fail(p, "out of memory");
    }
    string = json_stringn(out.data ? (char *)out.data : "", out.size);
    return string ? string : fail(p, "invalid UTF-8 sequence in string");
}

static json_t *parse_number(struct parser *p, const struct gw_json_token *token)
{
    GW_AUTO_FREE char *text = strndup(p->text + token->offset, token->size);
    json_t *number;
    long long value;

    if (!text) {
        return fail(p, "out of memory");
    }
    if (!strpbrk(text, ".eE")) {
        errno = 0;
        value = strtoll(text, NULL, 10);
        if (errno && p->is_wrapping && *text != '-') {
            errno = 0;
            value = (long long)strtoull(text, NULL, 10);
        }
        if (!errno) {
            return json_integer(value);
        }
        /* Too large for jansson's integers: the nearest real. */
        char *real = realloc(text, token->size + sizeof("e0"));

        if (!real) {
            return fail(p, "out of memory");
        }
        text = real;
        memcpy(text + token->size, "e0", sizeof("e0"));
    }
    /* jansson knows how to do this in any locale. */
    number = json_loads(text, JSON_DECODE_ANY, NULL);
    return number ? number : fail(p, "number is out of range");
}

static json_t *parse_keyword(struct parser *p,
                             const struct gw_json_token *token)
{
    const char *text = p->text + token->offset;

    if (token->size == 4 && memcmp(text, "true", 4) == 0) {
        return json_true();
    }
    if (token->size == 5 && memcmp(text, "false", 5) == 0) {
        return json_false();
    }
    if (token->size == 4 && memcmp(text, "null", 4) == 0) {
        return json_null();
    }
    gw_error_set(p->errp, -EINVAL, "JSON parse error, invalid keyword '%.*s'",
                 (int)token->size, text);
    return NULL;
}

static json_t *parse_array(struct parser *p)
{
    AUTO_JSON json_t *array = json_array();

    if (accept(p, ']')) {
        return gw_take(&array);
    }
    do {
        json_t *value = parse_value(p);

        if (!value) {
            return NULL;
        }
        if (json_array_append_new(array, value) < 0) {
            return fail(p, "out of memory");
        }
    } while (accept(p, ','));
    if (!accept(p, ']')) {
        return fail(p, "expected separator in list");
    }
    return gw_take(&array);
}

/* Reads `"key": value` into the object; NULL after an error. */
static json_t *parse_pair(struct parser *p, json_t *object)
{
    AUTO_JSON json_t *key = parse_value(p);
    json_t *value;
    bool was_wrapping = p->is_wrapping;

    if (!key) {
        return NULL;
    }
    if (!json_is_string(key)) {
        return fail(p, "key is not a string in object");
    }
    if (!accept(p, ':')) {
        return fail(p, "missing : in object pair");
    }
    p->is_wrapping =
        was_wrapping ||
        (p->depth == 1 && strcmp(json_string_value(key), "arguments") == 0);
    value = parse_value(p);
    p->is_wrapping = was_wrapping;
    if (!value) {
        return NULL;
    }
    if (json_object_get(object, json_string_value(key))) {
        json_decref(value);
        return fail(p, "duplicate key");
    }
    if (json_object_set_new(object, json_string_value(key), value) < 0) {
        return fail(p, "out of memory");
    }
    return object;
}

static json_t *parse_object(struct parser *p)
{
    AUTO_JSON json_t *object = json_object();

    if (accept(p, '}')) {
        return gw_take(&object);
    }
    do {
        if (!parse_pair(p, object)) {
            return NULL;
        }
    } while (accept(p, ','));
    if (!accept(p, '}')) {
        return fail(p, "expected separator in dict");
    }
    return gw_take(&object);
}

static json_t *parse_value(struct parser *p)
{
    const struct gw_json_token *token = next(p);
    json_t *value;

    if (!token) {
        return NULL;
    }
    switch (token->type) {
    case GW_JSON_STRING:
        return parse_string(p, token);
    case GW_JSON_NUMBER:
        return parse_number(p, token);
    case GW_JSON_KEYWORD:
        return parse_keyword(p, token);
    case GW_JSON_MARK:
        if (p->text[token->offset] == '[') {
            return parse_array(p);
        }
        if (p->text[token->offset] == '{') {
            p->depth++;
            value = parse_object(p);
            p->depth--;
            return value;
        }
        break;
    case GW_JSON_NONE:
    case GW_JSON_STRAY:
        break;
    }
    return fail(p, "expecting value");
}

json_t *gw_json_parse(const char *text, const struct gw_json_token *tokens,
                      size_t n_tokens, struct gw_error **errp)
{
    struct parser parser = {
        .text = text,
        .tokens = tokens,
        .n_tokens = n_tokens,
        .errp = errp,
    };

    return parse_value(&parser);
}

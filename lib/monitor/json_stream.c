/*
 * Messages out of a stream of bytes.
 */
#include "monitor/json_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    /* Of stray bytes in an error. */
    STRAY_SIZE_MAX = 128
};

static void forget_message(struct gw_json_stream *stream)
{
    stream->text.size = 0;
    stream->tokens.size = 0;
    stream->token_start = 0;
    stream->n_tokens = 0;
    stream->n_braces = 0;
    stream->n_brackets = 0;
}

void gw_json_stream_deinit(struct gw_json_stream *stream)
{
    gw_buffer_deinit(&stream->text);
    gw_buffer_deinit(&stream->tokens);
}

/* The stray bytes as text: what is not ASCII becomes U+FFFD. */
static void describe_stray(const struct gw_json_stream *stream,
                           struct gw_error **errp)
{
    GW_AUTO_BUFFER struct gw_buffer text = {0};
    size_t i;

    for (i = stream->token_start;
         i < stream->text.size && text.size < STRAY_SIZE_MAX; i++) {
        if (stream->text.data[i] == 0 || stream->text.data[i] >= 0x80) {
            gw_buffer_printf(&text, "\xef\xbf\xbd");
        } else {
            gw_buffer_put_u8(&text, stream->text.data[i]);
        }
    }
    gw_error_set(errp, -EINVAL, "JSON parse error, stray '%.*s'",
                 (int)text.size, text.data ? (char *)text.data : "");
}

static bool report(struct gw_json_stream *stream, struct gw_error *error,
                   gw_json_message_fn fn, void *opaque)
{
    bool go_on = fn(opaque, NULL, error);

    gw_error_free(error);
    forget_message(stream);
    return go_on;
}

static bool report_stray(struct gw_json_stream *stream, gw_json_message_fn fn,
                         void *opaque)
{
    struct gw_error *error = NULL;

    describe_stray(stream, &error);
    return report(stream, error, fn, opaque);
}

static bool report_limit(struct gw_json_stream *stream, const char *what,
                         gw_json_message_fn fn, void *opaque)
{
    struct gw_error *error = NULL;

    gw_error_set(&error, -EOVERFLOW, "JSON %s limit exceeded", what);
    return report(stream, error, fn, opaque);
}

static bool deliver(struct gw_json_stream *stream, gw_json_message_fn fn,
                    void *opaque)
{
    struct gw_error *error = NULL;
    json_t *value;
    bool go_on;

    value = gw_json_parse(
        (const char *)stream->text.data,
        (const struct gw_json_token *)(const void *)stream->tokens.data,
        stream->n_tokens, &error);
    if (!value) {
        return report(stream, error, fn, opaque);
    }
    forget_message(stream);
    go_on = fn(opaque, value, NULL);
    json_decref(value);
    return go_on;
}

static void count_mark(struct gw_json_stream *stream, char mark)
{
    stream->n_braces += (mark == '{') - (mark == '}');
    stream->n_brackets += (mark == '[') - (mark == ']');
}

static bool is_complete(const struct gw_json_stream *stream)
{
    return stream->n_braces < 0 || stream->n_brackets < 0 ||
           (stream->n_braces == 0 && stream->n_brackets == 0);
}

/* A token of the type has ended with the text so far. */
static bool end_token(struct gw_json_stream *stream,
                      enum gw_json_token_type type, gw_json_message_fn fn,
                      void *opaque)
{
    struct gw_json_token token = {
        .type = type,
        .offset = (uint32_t)stream->token_start,
        .size = (uint32_t)(stream->text.size - stream->token_start),
    };

    if (type == GW_JSON_STRAY) {
        return report_stray(stream, fn, opaque);
    }
    gw_buffer_put_bytes(&stream->tokens, &token, sizeof(token));
    stream->n_tokens++;
    stream->token_start = stream->text.size;
    if (type == GW_JSON_MARK) {
        count_mark(stream, (char)stream->text.data[token.offset]);
    }
    if (is_complete(stream)) {
        return deliver(stream, fn, opaque);
    }
    if (stream->n_braces + stream->n_brackets > GW_JSON_DEPTH_MAX) {
        return report_limit(stream, "nesting depth", fn, opaque);
    }
    if (stream->n_tokens > GW_JSON_TOKENS_MAX) {
        return report_limit(stream, "token count", fn, opaque);
    }
    return true;
}

/* Takes one byte; *ret_taken is false if it must be given again. */
static bool feed_byte(struct gw_json_stream *stream, uint8_t byte,
                      bool *ret_taken, gw_json_message_fn fn, void *opaque)
{
    const char *token_text =
        stream->text.data
            ? (const char *)stream->text.data + stream->token_start
            : "";
    enum gw_json_token_type type;
    bool skip;

    type = gw_json_lexer_step(&stream->lexer, token_text,
                              stream->text.size - stream->token_start, byte,
                              ret_taken, &skip);
    if (*ret_taken && !skip) {
        gw_buffer_put_u8(&stream->text, byte);
    }
    if (stream->text.failed || stream->tokens.failed ||
        stream->text.size > GW_JSON_SIZE_MAX) {
        gw_json_stream_deinit(stream);
        stream->lexer.state = GW_JSON_RECOVERING;
        return report_limit(stream, "token size", fn, opaque);
    }
    return type == GW_JSON_NONE || end_token(stream, type, fn, opaque);
}

void gw_json_stream_feed(struct gw_json_stream *stream, const void *data,
                         size_t size, gw_json_message_fn fn, void *opaque)
{
    const uint8_t *bytes = data;
    bool taken;
    size_t i = 0;

    while (i < size && feed_byte(stream, bytes[i], &taken, fn, opaque)) {
        i += taken;
    }
}

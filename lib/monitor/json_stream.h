/*
 * QMP's JSON as a stream: messages out of bytes that come in pieces.
 *
 * A message ends with its last closing bracket; no terminator is needed, and
 * several may stand in a row. A control byte resets the parser.
 */
#ifndef GW_MONITOR_JSON_STREAM_H
#define GW_MONITOR_JSON_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <godwit/error.h>

#include "base/buffer.h"
#include "monitor/json_lexer.h"
#include "monitor/json_parser.h"

enum {
    GW_JSON_DEPTH_MAX = 1024,       /* as QEMU */
    GW_JSON_SIZE_MAX = 1024 * 1024, /* bytes of a message; QEMU: 64 MiB */
    GW_JSON_TOKENS_MAX = 64 * 1024, /* of a message; QEMU: 2 Mi */
};

/*
 * Called for each message: a value, lent, or NULL and an error. Returns false
 * to stop feeding (the rest of the bytes is dropped).
 */
typedef bool (*gw_json_message_fn)(void *opaque, json_t *value,
                                   const struct gw_error *error);

/* Initialise with {0}. */
struct gw_json_stream {
    struct gw_json_lexer lexer;
    struct gw_buffer text;   /* of the message so far, without blanks */
    struct gw_buffer tokens; /* struct gw_json_token */
    size_t token_start;      /* where the current token starts in `text` */
    size_t n_tokens;         /* ended ones */
    int n_braces;            /* open ones, less closed ones */
    int n_brackets;          /* " */
};

/* Takes the next bytes and calls `fn` for what they complete. */
void gw_json_stream_feed(struct gw_json_stream *stream, const void *data,
                         size_t size, gw_json_message_fn fn, void *opaque);

void gw_json_stream_deinit(struct gw_json_stream *stream);

#endif

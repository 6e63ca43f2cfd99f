/*
 * QMP's JSON, first step: bytes to tokens.
 *
 * It is JSON with strings in single quotes as well. Input comes in pieces of
 * any size; a token may be spread over them.
 */
#ifndef GW_MONITOR_JSON_LEXER_H
#define GW_MONITOR_JSON_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum gw_json_token_type {
    GW_JSON_NONE,    /* no token ended here */
    GW_JSON_STRAY,   /* these bytes are no token */
    GW_JSON_MARK,    /* one of {}[]:, */
    GW_JSON_STRING,  /* with its quotes and escapes */
    GW_JSON_NUMBER,  /* well formed */
    GW_JSON_KEYWORD, /* lower-case letters */
};

enum gw_json_lexer_state {
    GW_JSON_AT_START,   /* between tokens */
    GW_JSON_IN_STRING,  /* quote seen */
    GW_JSON_IN_ESCAPE,  /* backslash seen */
    GW_JSON_IN_NUMBER,  /* digit or minus seen */
    GW_JSON_IN_KEYWORD, /* letter seen */
    GW_JSON_RECOVERING, /* after stray bytes: up to the next mark */
};

struct gw_json_lexer {
    enum gw_json_lexer_state state;
    char quote; /* what ends the string */
};

/*
 * Looks at one byte while `text` holds the `size` bytes of the token so far,
 * and says what token ended. *ret_take: the byte was used; if not, the token
 * ended before it, and it must be given again. *ret_skip: it is no part of
 * any token.
 */
enum gw_json_token_type gw_json_lexer_step(struct gw_json_lexer *lexer,
                                           const char *text, size_t size,
                                           unsigned char byte, bool *ret_take,
                                           bool *ret_skip);

#endif

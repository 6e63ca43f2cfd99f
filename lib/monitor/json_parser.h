/*
 * QMP's JSON, second step: the tokens of one message to a value.
 */
#ifndef GW_MONITOR_JSON_PARSER_H
#define GW_MONITOR_JSON_PARSER_H

#include <jansson.h>
#include <stdint.h>

#include <godwit/error.h>

#include "monitor/json_lexer.h"

struct gw_json_token {
    enum gw_json_token_type type; /* MARK, STRING, NUMBER or KEYWORD */
    uint32_t offset;              /* into the text of the message */
    uint32_t size;                /* bytes */
};

/*
 * Makes a value of the tokens. Texts of errors are QEMU's. Integers above
 * 2^63 wrap to negative ones inside "arguments", where the types of members
 * tell them apart, and become floating-point numbers elsewhere. The nesting
 * must have been limited by the caller: this recurses.
 */
json_t *gw_json_parse(const char *text, const struct gw_json_token *tokens,
                      size_t n_tokens, struct gw_error **errp);

#endif

/*
 * Writes JSON to a stream as it goes, indented. Commas and nesting are its
 * business. Unlike a document model it has all of 64 bits for integers.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli_json {
    FILE *to;
    unsigned int depth; /* open objects and arrays */
    bool need_comma;    /* the innermost has a member */
    bool after_key;     /* a value is due on this line */
};

/* A key within an object; a value or an opening must follow. */
void cli_json_key(struct cli_json *json, const char *key);

void cli_json_begin_object(struct cli_json *json);
void cli_json_end_object(struct cli_json *json);
void cli_json_begin_array(struct cli_json *json);
void cli_json_end_array(struct cli_json *json);

void cli_json_string(struct cli_json *json, const char *text);
void cli_json_uint(struct cli_json *json, uint64_t value);
void cli_json_int(struct cli_json *json, int64_t value);
void cli_json_bool(struct cli_json *json, bool value);
/* The bytes as a string of hexadecimal digits. */
void cli_json_hex(struct cli_json *json, const uint8_t *data, size_t size);

/* A key and its value. */
void cli_json_member_string(struct cli_json *json, const char *key,
                            const char *text);
void cli_json_member_uint(struct cli_json *json, const char *key,
                          uint64_t value);

#endif

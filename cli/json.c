/*
 * Writes JSON.
 */
#include "json.h"

#include <inttypes.h>
#include <string.h>

static void begin_value(struct cli_json *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->need_comma) {
        fputc(',', json->to);
    }
    if (json->depth > 0) {
        fprintf(json->to, "\n%*s", (int)(2 * json->depth), "");
    }
}

static void end_value(struct cli_json *json)
{
    json->need_comma = true;
}

/*
 * Bytes of the UTF-8 sequence at `text`, or 0 if it is none. Overlong forms
 * and surrogates are not told apart; parsers that mind replace them.
 */
static size_t utf8_size(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    size_t size = first >= 0xf0 && first < 0xf5   ? 4
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xc2 && first < 0xe0 ? 2
                                                  : 0;
    size_t i;

    for (i = 1; i < size; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return size;
}

/* One character; returns the bytes that it took. */
static size_t put_char(FILE *to, const char *text)
{
    unsigned char byte = (unsigned char)text[0];
    size_t size;

    if (byte == '"' || byte == '\\') {
        fprintf(to, "\\%c", byte);
        return 1;
    }
    if (byte < 0x20 || byte == 0x7f) {
        fprintf(to, "\\u%04x", byte);
        return 1;
    }
    if (byte < 0x80) {
        fputc(byte, to);
        return 1;
    }
    size = utf8_size(text);
    if (size == 0) {
        fputs("\\ufffd", to);
        return 1;
    }
    fwrite(text, 1, size, to);
    return size;
}

static void put_string(FILE *to, const char *text)
{
    fputc('"', to);
    while (*text) {
        text += put_char(to, text);
    }
    fputc('"', to);
}

void cli_json_key(struct cli_json *json, const char *key)
{
    begin_value(json);
    put_string(json->to, key);
    fputs(": ", json->to);
    json->after_key = true;
}

static void open_bracket(struct cli_json *json, char bracket)
{
    begin_value(json);
    fputc(bracket, json->to);
    json->depth++;
    json->need_comma = false;
}

static void close_bracket(struct cli_json *json, char bracket)
{
    json->depth--;
    if (json->need_comma) {
        fprintf(json->to, "\n%*s", (int)(2 * json->depth), "");
    }
    fputc(bracket, json->to);
    if (json->depth == 0) {
        fputc('\n', json->to);
    }
    end_value(json);
}

void cli_json_begin_object(struct cli_json *json)
{
    open_bracket(json, '{');
}

void cli_json_end_object(struct cli_json *json)
{
    close_bracket(json, '}');
}

void cli_json_begin_array(struct cli_json *json)
{
    open_bracket(json, '[');
}

void cli_json_end_array(struct cli_json *json)
{
    close_bracket(json, ']');
}

void cli_json_string(struct cli_json *json, const char *text)
{
    begin_value(json);
    put_string(json->to, text);
    end_value(json);
}

void cli_json_uint(struct cli_json *json, uint64_t value)
{
    begin_value(json);
    fprintf(json->to, "%" PRIu64, value);
    end_value(json);
}

void cli_json_int(struct cli_json *json, int64_t value)
{
    begin_value(json);
    fprintf(json->to, "%" PRId64, value);
    end_value(json);
}

void cli_json_bool(struct cli_json *json, bool value)
{
    begin_value(json);
    fputs(value ? "true" : "false", json->to);
    end_value(json);
}

void cli_json_hex(struct cli_json *json, const uint8_t *data, size_t size)
{
    size_t i;

    begin_value(json);
    fputc('"', json->to);
    for (i = 0; i < size; i++) {
        fprintf(json->to, "%02x", data[i]);
    }
    fputc('"', json->to);
    end_value(json);
}

void cli_json_member_string(struct cli_json *json, const char *key,
                            const char *text)
{
    cli_json_key(json, key);
    cli_json_string(json, text);
}

void cli_json_member_uint(struct cli_json *json, const char *key,
                          uint64_t value)
{
    cli_json_key(json, key);
    cli_json_uint(json, value);
}

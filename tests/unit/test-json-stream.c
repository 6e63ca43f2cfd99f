/*
 * QMP's JSON: framing, quotes, limits, and the texts of errors, which were
 * observed with QEMU 10.0 unless stated.
 */
#include "monitor/json_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What came out: one line per message. */
struct log {
    struct gw_buffer text;
    unsigned int n_messages;
};

static bool on_message(void *opaque, json_t *value,
                       const struct gw_error *error)
{
    struct log *log = opaque;
    char *text;

    log->n_messages++;
    if (!value) {
        gw_buffer_printf(&log->text, "error: %s\n", gw_error_text(error));
        return true;
    }
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    gw_buffer_printf(&log->text, "%s\n", text);
    free(text);
    return true;
}

/* Feeds the input in pieces of `piece` bytes and compares what comes out. */
static void expect_pieces(const char *input, size_t size, size_t piece,
                          const char *expected)
{
    struct gw_json_stream stream = {0};
    struct log log = {0};
    size_t at;

    for (at = 0; at < size; at += piece) {
        gw_json_stream_feed(&stream, input + at,
                            size - at < piece ? size - at : piece, on_message,
                            &log);
    }
    gw_buffer_put_u8(&log.text, '\0');
    assert_string_equal((char *)log.text.data, expected);
    gw_buffer_deinit(&log.text);
    gw_json_stream_deinit(&stream);
}

static void expect(const char *input, const char *expected)
{
    expect_pieces(input, strlen(input), strlen(input), expected);
    expect_pieces(input, strlen(input), 1, expected);
}

static void expect_parse_error(const char *input, const char *what)
{
    struct gw_buffer text = {0};

    gw_buffer_printf(&text, "error: JSON parse error, %s\n", what);
    gw_buffer_put_u8(&text, '\0');
    expect(input, (char *)text.data);
    gw_buffer_deinit(&text);
}

static void test_json__objects_in_a_row(void **state)
{
    (void)state;
    expect("{\"a\":1}{\"b\":[true,false,null]} {}", "{\"a\":1}\n"
                                                    "{\"b\":[true,false,null]}"
                                                    "\n{}\n");
    expect("5 \"x\"", "5\n\"x\"\n");
    expect("{\"a\"\n:\r\n\t{ } }", "{\"a\":{}}\n");
    expect("{\"a\":", "");
}

static void test_json__single_quotes(void **state)
{
    (void)state;
    expect("{'a':'b\"c\\'d'}", "{\"a\":\"b\\\"c'd\"}\n");
    expect("{\"a\":\"it's\"}", "{\"a\":\"it's\"}\n");
    expect("['}{']", "[\"}{\"]\n");
}

static void test_json__escapes(void **state)
{
    (void)state;
    expect("[\"\\b\\f\\n\\r\\t\\/\\\\\"]", "[\"\\b\\f\\n\\r\\t/\\\\\"]\n");
    expect("[\"\\u00e9\\u20AC\\ud83d\\ude00\"]",
           "[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]\n");
    expect_parse_error("[\"\\x\"]", "invalid escape sequence in string");
    expect_parse_error("[\"\\u12\"]", "invalid escape sequence in string");
    expect_parse_error("[\"\\u0x12\"]", "invalid escape sequence in string");
    expect_parse_error("[\"\\ud800\"]",
                       "\\ud800 is not a valid Unicode character");
    expect_parse_error("[\"\\ud800\\u0041\"]",
                       "\\ud800 is not a valid Unicode character");
    /* QEMU takes a NUL and encodes it as two bytes. */
    expect_parse_error("[\"\\u0000\"]",
                       "\\u0000 is not a valid Unicode character");
    expect_parse_error("[\"\xc3(\"]", "invalid UTF-8 sequence in string");
}

static void test_json__numbers(void **state)
{
    (void)state;
    expect("[0,-1,9223372036854775807,-9223372036854775808]",
           "[0,-1,9223372036854775807,-9223372036854775808]\n");
    expect("[1.5,1e2]", "[1.5,100.0]\n");
    expect("[18446744073709551615]", "[1.8446744073709552e19]\n");
    /* Inside the arguments of a command these are unsigned. */
    expect("{\"arguments\":{\"a\":18446744073709551615}}",
           "{\"arguments\":{\"a\":-1}}\n");
    expect("{\"x\":{\"arguments\":18446744073709551615}}",
           "{\"x\":{\"arguments\":1.8446744073709552e19}}\n");
    expect_parse_error("-01 ", "stray '-01'");
    expect_parse_error("1e ", "stray '1e'");
    expect_parse_error("1.}", "stray '1.'\nerror: JSON parse error, "
                              "expecting value");
    expect_parse_error("[1e999]", "number is out of range");
}

static void test_json__malformed(void **state)
{
    (void)state;
    expect_parse_error("{]", "expecting value");
    expect_parse_error("}", "expecting value");
    expect_parse_error("{\"a\":]", "expecting value");
    expect_parse_error("{\"a\":}", "expecting value");
    expect_parse_error("{\"a\":1,}", "expecting value");
    expect_parse_error("{\"a\"}", "missing : in object pair");
    expect_parse_error("{\"a\" 1}", "missing : in object pair");
    expect_parse_error("{1:2}", "key is not a string in object");
    expect_parse_error("{\"a\":1 \"b\":2}", "expected separator in dict");
    expect_parse_error("[1 2]", "expected separator in list");
    expect_parse_error("{\"a\":1,\"a\":2}", "duplicate key");
    expect_parse_error("[nonsense]", "invalid keyword 'nonsense'");
    expect_parse_error("{[}]", "expecting value");
}

static void test_json__stray_bytes_reset_the_parser(void **state)
{
    (void)state;
    expect("{\"a\":[\x01{\"b\":1}",
           "error: JSON parse error, stray '\x01'\n{\"b\":1}\n");
    expect("\"unterminated\x01{}",
           "error: JSON parse error, stray '\"unterminated\x01'\n{}\n");
    expect("% skipped \x01 abc {}", "error: JSON parse error, stray '%'\n"
                                    "error: JSON parse error, stray '\x01'\n"
                                    "{}\n");
    expect("\xff{}", "error: JSON parse error, stray '\xef\xbf\xbd'\n{}\n");
    expect("X{}", "error: JSON parse error, stray 'X'\n{}\n");
}

static void test_json__nesting_limit(void **state)
{
    struct gw_buffer deep = {0};
    struct gw_buffer expected = {0};
    size_t i;

    (void)state;
    for (i = 0; i < 2 * GW_JSON_DEPTH_MAX; i++) {
        uint8_t mark = i < GW_JSON_DEPTH_MAX ? '[' : ']';

        gw_buffer_put_u8(&deep, mark);
        gw_buffer_put_u8(&expected, mark);
    }
    gw_buffer_printf(&expected, "\n%c", 0);
    expect_pieces((char *)deep.data, deep.size, 100, (char *)expected.data);
    deep.size = 0;
    for (i = 0; i < GW_JSON_DEPTH_MAX + 1; i++) {
        gw_buffer_put_u8(&deep, '[');
    }
    expect_pieces((char *)deep.data, deep.size, 100,
                  "error: JSON nesting depth limit exceeded\n");
    gw_buffer_deinit(&deep);
    gw_buffer_deinit(&expected);
}

static void test_json__size_limit(void **state)
{
    struct gw_buffer big = {0};

    (void)state;
    gw_buffer_put_u8(&big, '"');
    memset(gw_buffer_extend(&big, GW_JSON_SIZE_MAX), 'x', GW_JSON_SIZE_MAX);
    gw_buffer_printf(&big, "\"[1]");
    expect_pieces((char *)big.data, big.size, 4096,
                  "error: JSON token size limit exceeded\n[1]\n");
    gw_buffer_deinit(&big);
}

static void test_json__token_limit(void **state)
{
    struct gw_buffer many = {0};
    size_t i;

    (void)state;
    gw_buffer_put_u8(&many, '[');
    for (i = 0; i < GW_JSON_TOKENS_MAX / 2; i++) {
        gw_buffer_printf(&many, "1,");
    }
    gw_buffer_printf(&many, "\x01{}");
    expect_pieces((char *)many.data, many.size, 4096,
                  "error: JSON token count limit exceeded\n"
                  "error: JSON parse error, stray '\x01'\n{}\n");
    gw_buffer_deinit(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__objects_in_a_row),
        cmocka_unit_test(test_json__single_quotes),
        cmocka_unit_test(test_json__escapes),
        cmocka_unit_test(test_json__numbers),
        cmocka_unit_test(test_json__malformed),
        cmocka_unit_test(test_json__stray_bytes_reset_the_parser),
        cmocka_unit_test(test_json__nesting_limit),
        cmocka_unit_test(test_json__size_limit),
        cmocka_unit_test(test_json__token_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

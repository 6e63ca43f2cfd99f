/*
 * The JSON writer: its text, and that a parser reads it back.
 */
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

/* A writer into memory. */
struct sink {
    struct cli_json json;
    char *text;
    size_t size;
};

static void sink_open(struct sink *sink)
{
    memset(sink, 0, sizeof(*sink));
    sink->json.to = open_memstream(&sink->text, &sink->size);
    assert_non_null(sink->json.to);
}

static void sink_close(struct sink *sink)
{
    fclose(sink->json.to);
}

static void test_json__layout(void **state)
{
    struct sink sink;

    (void)state;
    sink_open(&sink);
    cli_json_begin_object(&sink.json);
    cli_json_member_uint(&sink.json, "a", 1);
    cli_json_key(&sink.json, "b");
    cli_json_begin_array(&sink.json);
    cli_json_bool(&sink.json, true);
    cli_json_begin_object(&sink.json);
    cli_json_end_object(&sink.json);
    cli_json_end_array(&sink.json);
    cli_json_key(&sink.json, "c");
    cli_json_begin_array(&sink.json);
    cli_json_end_array(&sink.json);
    cli_json_end_object(&sink.json);
    sink_close(&sink);
    assert_string_equal(sink.text, "{\n"
                                   "  \"a\": 1,\n"
                                   "  \"b\": [\n"
                                   "    true,\n"
                                   "    {}\n"
                                   "  ],\n"
                                   "  \"c\": []\n"
                                   "}\n");
    free(sink.text);
}

static void test_json__numbers_have_64_bits(void **state)
{
    struct sink sink;

    (void)state;
    sink_open(&sink);
    cli_json_begin_array(&sink.json);
    cli_json_uint(&sink.json, UINT64_MAX);
    cli_json_int(&sink.json, INT64_MIN);
    cli_json_end_array(&sink.json);
    sink_close(&sink);
    assert_string_equal(sink.text, "[\n  18446744073709551615,\n"
                                   "  -9223372036854775808\n]\n");
    free(sink.text);
}

static void test_json__hex(void **state)
{
    struct sink sink;

    (void)state;
    sink_open(&sink);
    cli_json_hex(&sink.json, (const uint8_t *)"\x00\x7f\xff", 3);
    sink_close(&sink);
    assert_string_equal(sink.text, "\"007fff\"");
    free(sink.text);
}

/* Writes `text`, parses the result, and compares with `expected`. */
static void check_string(const char *text, const char *expected)
{
    struct sink sink;
    json_t *value;

    sink_open(&sink);
    cli_json_begin_array(&sink.json);
    cli_json_string(&sink.json, text);
    cli_json_end_array(&sink.json);
    sink_close(&sink);
    value = json_loads(sink.text, 0, NULL);
    assert_non_null(value);
    assert_string_equal(json_string_value(json_array_get(value, 0)), expected);
    json_decref(value);
    free(sink.text);
}

static void test_json__strings(void **state)
{
    char all[256];
    size_t i;

    (void)state;
    check_string("", "");
    check_string("\"\\/", "\"\\/");
    check_string("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa6",
                 "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa6");
    for (i = 1; i < 128; i++) {
        all[i - 1] = (char)i;
    }
    all[127] = '\0';
    check_string(all, all);
}

/* What is not UTF-8 must not make the output something else than JSON. */
static void test_json__bad_utf8_is_replaced(void **state)
{
    (void)state;
    check_string("a\xff"
                 "b",
                 "a\xef\xbf\xbd"
                 "b");
    check_string("\xc3", "\xef\xbf\xbd");
    check_string("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");
    check_string("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__layout),
        cmocka_unit_test(test_json__numbers_have_64_bits),
        cmocka_unit_test(test_json__hex),
        cmocka_unit_test(test_json__strings),
        cmocka_unit_test(test_json__bad_utf8_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Sizes, arguments, names of unknown origin, values of fields.
 */
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "field_value.h"

static void check_size(uint64_t bytes, const char *expected)
{
    char text[CLI_SIZE_TEXT];

    assert_string_equal(cli_size_text(bytes, text), expected);
}

static void test_text__sizes(void **state)
{
    (void)state;
    check_size(0, "0 bytes");
    check_size(1, "1 byte");
    check_size(1023, "1023 bytes");
    check_size(1024, "1.0 KiB");
    check_size(1536, "1.5 KiB");
    check_size(UINT64_C(1) << 30, "1.0 GiB");
    check_size(UINT64_MAX, "16.0 EiB");
}

static void check_parse(const char *text, uint64_t expected)
{
    uint64_t bytes = 7;

    assert_true(cli_parse_bytes(text, &bytes));
    assert_int_equal(bytes, expected);
}

static void test_text__parses_bytes(void **state)
{
    (void)state;
    check_parse("0", 0);
    check_parse("5000", 5000);
    check_parse("0x140a", 0x140a);
    check_parse("4k", 4096);
    check_parse("1M", 1 << 20);
    check_parse("3g", UINT64_C(3) << 30);
    check_parse("1T", UINT64_C(1) << 40);
    check_parse("010", 10);
    check_parse("18446744073709551615", UINT64_MAX);
}

static void test_text__refuses_what_is_no_size(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "x",
                                      "1x",
                                      "1kk",
                                      "1kB",
                                      "0x",
                                      "0xg",
                                      "1.5M",
                                      "18446744073709551616",
                                      "18446744073709551615k",
                                      "16777216T"};
    uint64_t bytes = 7;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (cli_parse_bytes(bad[i], &bytes)) {
            fail_msg("'%s' was taken for %llu", bad[i],
                     (unsigned long long)bytes);
        }
    }
    assert_int_equal(bytes, 7);
}

static void test_text__safe(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    (void)state;
    cli_put_safe(to, "a b~\x1b[31m\xc3\\");
    fclose(to);
    assert_string_equal(text, "a b~\\x1b[31m\\xc3\\x5c");
    assert_int_equal(cli_safe_width("a b~\x1b[31m\xc3\\"), strlen(text));
    free(text);
}

static struct cli_value value_of(const char *type, const char *data,
                                 uint64_t size)
{
    struct gw_image_field field = {
        .type = type, .size = size, .data = (const uint8_t *)data};

    return cli_field_value(&field);
}

static void check_number(const char *type, const char *data, uint64_t size,
                         enum cli_value_kind kind, uint64_t number)
{
    struct cli_value value = value_of(type, data, size);

    assert_int_equal(value.kind, kind);
    assert_int_equal(value.number, number);
}

static void test_value__numbers(void **state)
{
    (void)state;
    check_number("uint8", "\xfe", 1, CLI_VALUE_UINT, 0xfe);
    check_number("int8", "\xfe", 1, CLI_VALUE_INT, (uint64_t)-2);
    check_number("int16", "\x7f\xff", 2, CLI_VALUE_INT, 0x7fff);
    check_number("int32 le", "\0\0\1\2", 4, CLI_VALUE_INT, 0x102);
    check_number("uint32 equal", "\xff\0\0\1", 4, CLI_VALUE_UINT, 0xff000001);
    check_number("int64", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, CLI_VALUE_INT,
                 UINT64_MAX);
    check_number("int64 equal", "\xff\xff\xff\xff\xff\xff\xff\xff", 8,
                 CLI_VALUE_UINT, UINT64_MAX);
    check_number("timer", "\0\0\0\0\0\0\0\1", 8, CLI_VALUE_UINT, 1);
    check_number("bool", "\2", 1, CLI_VALUE_BOOL, 2);
}

/* Another size than the type has, and types that are no numbers. */
static void test_value__bytes(void **state)
{
    (void)state;
    assert_int_equal(value_of("uint32", "\0\0", 2).kind, CLI_VALUE_BYTES);
    assert_int_equal(value_of("uint8", "", 0).kind, CLI_VALUE_BYTES);
    assert_int_equal(value_of("buffer", "\0\0\0\0", 4).kind, CLI_VALUE_BYTES);
    assert_int_equal(value_of("uint128", "\0", 1).kind, CLI_VALUE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__sizes),
        cmocka_unit_test(test_text__parses_bytes),
        cmocka_unit_test(test_text__refuses_what_is_no_size),
        cmocka_unit_test(test_text__safe),
        cmocka_unit_test(test_value__numbers),
        cmocka_unit_test(test_value__bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

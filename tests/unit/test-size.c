/*
 * Sizes as people write them. The cases were tried on QEMU 10.0.
 */
#include "base/size.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_size(const char *text, uint64_t unit, uint64_t expected)
{
    uint64_t size = 42;

    if (gw_size_parse(text, unit, &size) != 0 || size != expected) {
        fail_msg("'%s' gives %llu", text, (unsigned long long)size);
    }
}

static void expect_failure(const char *text, int code)
{
    uint64_t size = 42;
    int r = gw_size_parse(text, 1, &size);

    if (r != code || size != 42) {
        fail_msg("'%s' gives %d, %llu", text, r, (unsigned long long)size);
    }
}

static void test_size__decimal_with_suffixes(void **state)
{
    (void)state;
    expect_size("0", 1, 0);
    expect_size("010", 1, 10);
    expect_size(" 4096", 1, 4096);
    expect_size("\t5", 1, 5);
    expect_size("+1", 1, 1);
    expect_size("1b", 1, 1);
    expect_size("1k", 1, 1024);
    expect_size("2M", 1, 2097152);
    expect_size("1g", 1, 1073741824);
    expect_size("1t", 1, UINT64_C(1) << 40);
    expect_size("1P", 1, UINT64_C(1) << 50);
    expect_size("8E", 1, UINT64_C(1) << 63);
    expect_size("18446744073709551615", 1, UINT64_MAX);
}

static void test_size__fractions(void **state)
{
    (void)state;
    expect_size("1.5k", 1, 1536);
    expect_size(".5k", 1, 512);
    expect_size("0.1k", 1, 102);
    expect_size("1.", 1, 1);
    expect_size("1.0", 1, 1);
    expect_size("0.5", 1048576, 524288);
    expect_failure("1.5", -EINVAL);
    expect_failure("1.5B", -EINVAL);
    expect_failure("1.5.5k", -EINVAL);
    expect_failure(".", -EINVAL);
    expect_failure(".k", -EINVAL);
}

static void test_size__hexadecimal_takes_no_suffix_and_no_unit(void **state)
{
    (void)state;
    expect_size("0x1000", 1, 4096);
    expect_size(" 0X10", 1048576, 16);
    expect_size("0x1b", 1, 27);
    expect_failure("0x", -EINVAL);
    expect_failure("0x10k", -EINVAL);
    expect_failure("0x1.8", -EINVAL);
    expect_failure("-0x1", -EINVAL);
    expect_failure("0x10000000000000000", -ERANGE);
}

static void test_size__bare_numbers_count_units(void **state)
{
    (void)state;
    expect_size("64", 1048576, 67108864);
    expect_size("64k", 1048576, 65536);
}

static void test_size__malformed(void **state)
{
    (void)state;
    expect_failure("", -EINVAL);
    expect_failure("k", -EINVAL);
    expect_failure("x", -EINVAL);
    expect_failure("-", -EINVAL);
    expect_failure("--1", -EINVAL);
    expect_failure("- 1", -EINVAL);
    expect_failure("-1x", -EINVAL);
    expect_failure("4096 ", -EINVAL);
    expect_failure("1 k", -EINVAL);
    expect_failure("1KB", -EINVAL);
    expect_failure("1e3", -EINVAL);
    expect_failure("inf", -EINVAL);
    expect_failure("nan", -EINVAL);
}

static void test_size__out_of_range(void **state)
{
    (void)state;
    expect_failure("-1", -ERANGE);
    expect_failure("-0", -ERANGE);
    expect_failure("16E", -ERANGE);
    expect_failure("18446744073709551616", -ERANGE);
    expect_failure("99999999999999999999999999", -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size__decimal_with_suffixes),
        cmocka_unit_test(test_size__fractions),
        cmocka_unit_test(test_size__hexadecimal_takes_no_suffix_and_no_unit),
        cmocka_unit_test(test_size__bare_numbers_count_units),
        cmocka_unit_test(test_size__malformed),
        cmocka_unit_test(test_size__out_of_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

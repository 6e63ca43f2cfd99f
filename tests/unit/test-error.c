/*
 * Error objects.
 */
#include <godwit/error.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_error__set_returns_code_and_text(void **state)
{
    struct gw_error *error = NULL;

    (void)state;
    assert_int_equal(gw_error_set(&error, -EBADMSG, "page %d", 7), -EBADMSG);
    assert_int_equal(gw_error_code(error), -EBADMSG);
    assert_string_equal(gw_error_text(error), "page 7");
    assert_null(gw_error_free(error));
}

static void test_error__null_errp_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(gw_error_set(NULL, -EIO, "x"), -EIO);
    assert_int_equal(gw_error_prefix(NULL, -EIO, "x"), -EIO);
    assert_int_equal(gw_error_set_errno(NULL, -EIO, "x"), -EIO);
}

static void test_error__prefix_reads_outside_in(void **state)
{
    struct gw_error *error = NULL;

    (void)state;
    gw_error_set_errno(&error, -ENOENT, "cannot open '%s'", "a");
    gw_error_prefix(&error, -ENOENT, "section '%s'", "ram");
    assert_string_equal(gw_error_text(error), "section 'ram': cannot open 'a': "
                                              "No such file or directory");
    gw_error_free(error);
}

static void test_error__dup_is_independent(void **state)
{
    struct gw_error *error = NULL;
    struct gw_error *copy;

    (void)state;
    gw_error_set_class(&error, GW_ERROR_COMMAND_NOT_FOUND, -ENOENT, "no x");
    copy = gw_error_dup(error);
    gw_error_free(error);
    assert_string_equal(gw_error_text(copy), "no x");
    assert_int_equal(gw_error_class_of(copy), GW_ERROR_COMMAND_NOT_FOUND);
    gw_error_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__set_returns_code_and_text),
        cmocka_unit_test(test_error__null_errp_is_allowed),
        cmocka_unit_test(test_error__prefix_reads_outside_in),
        cmocka_unit_test(test_error__dup_is_independent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The walk over a stream: what the handler sees of a good one, and that
 * a cut one is refused wherever the cut is.
 */
#include "stream/reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stream-recorder.h"

/* Runs a good stream and compares what the handler saw. */
static uint64_t check_log(struct gw_buffer *stream, const char *expected)
{
    struct recorder rec = {.read_bitmaps = true};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    uint64_t trailing = 99;
    int rc = run_recorder(&rec, stream->data, stream->size, &trailing, &error);

    assert_string_equal(gw_error_text(error), "");
    assert_int_equal(rc, 0);
    gw_buffer_put_u8(&rec.log, '\0');
    assert_string_equal((const char *)rec.log.data, expected);
    gw_buffer_deinit(&rec.log);
    return trailing;
}

#define START_LOG                  \
    "config 1 'm'\n"               \
    "begin 1 1 'ram' 0 v4 at 14\n" \
    "block 0 'a' 0x3000\nblock 1 'b' 0x1000\ntable end\nend 36\n"

static void test_reader__plain_stream(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    put_start(&b);
    sb_more(&b, SB_PART, 1);
    sb_page(&b, "a", 0x1000, 0xaa);
    sb_word(&b, 0x2000 | 0x22); /* zero, continued */
    gw_buffer_put_u8(&b, 0);
    sb_word(&b, 0x200);
    sb_word(&b, 0x10);
    sb_footer(&b, 1);
    sb_command(&b, 11, 0);
    sb_more(&b, SB_END, 1);
    sb_word(&b, 0x0 | 0x28); /* page, continued across the section's end */
    sb_fill(&b, 0xbb, SB_PAGE);
    sb_zero_page(&b, "b", 0);
    sb_word(&b, 0x7000 | 0x30); /* end with stray bits */
    sb_footer(&b, 1);
    sb_named(&b, SB_FULL, 0, "dev3", 2, 7);
    gw_buffer_put_zeros(&b, 3);
    sb_footer(&b, 0);
    sb_eof(&b);
    sb_description(&b, "{}");
    assert_int_equal(
        check_log(&b, START_LOG
                  "begin 2 1 'ram' 0 v4 at 72\n"
                  "page 'a' 0x1000 = aa\nzero 'a' 0x2000\nend 4131\n"
                  "command 11 (0)\n"
                  "begin 3 1 'ram' 0 v4 at 4218\n"
                  "page 'a' 0x0 = bb\nzero 'b' 0x0\nend 4123\n"
                  "begin 4 0 'dev3' 2 v7 at 8351\ndevice 'dev3'\nend 3\n"
                  "eof\n"
                  "description 2 {}\n"),
        0);
}

static void test_reader__no_configuration(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    sb_header(&b);
    sb_eof(&b);
    check_log(&b, "config 0 ''\neof\n");
}

static void test_reader__ignore_shared_has_addresses(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    sb_header(&b);
    sb_config(&b, "m");
    sb_capability(&b, "x-ignore-shared");
    sb_named(&b, SB_START, 1, "ram", 0, 4);
    sb_word(&b, 0x1000 | 0x04);
    sb_block(&b, "pc.bios", 0x1000);
    gw_buffer_put_be64(&b, 0xfffe0000);
    sb_word(&b, 0x10);
    sb_footer(&b, 1);
    put_tail(&b);
    check_log(&b, "config 1 'm' ignore-shared\n"
                  "begin 1 1 'ram' 0 v4 at 66\n"
                  "block 0 'pc.bios' 0x1000 at 0xfffe0000\ntable end\nend 40\n"
                  "begin 3 1 'ram' 0 v4 at 128\nend 8\neof\n");
}

static void test_reader__iterative_device(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    sb_header(&b);
    sb_config(&b, "m");
    sb_named(&b, SB_START, 9, "bitmap1", 0, 1);
    gw_buffer_put_u8(&b, 1);
    sb_footer(&b, 9);
    sb_more(&b, SB_PART, 9);
    gw_buffer_put_u8(&b, 1);
    sb_footer(&b, 9);
    sb_more(&b, SB_END, 9);
    gw_buffer_put_u8(&b, 1);
    sb_footer(&b, 9);
    sb_eof(&b);
    check_log(&b, "config 1 'm'\n"
                  "begin 1 9 'bitmap1' 0 v1 at 14\ndevice 'bitmap1'\nend 1\n"
                  "begin 2 9 'bitmap1' 0 v1 at 41\ndevice 'bitmap1'\nend 1\n"
                  "begin 3 9 'bitmap1' 0 v1 at 52\ndevice 'bitmap1'\nend 1\n"
                  "eof\n");
}

static void test_reader__return_path_commands_pass(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    sb_header(&b);
    sb_config(&b, "m");
    sb_command(&b, 1, 0);
    sb_command(&b, 2, 4);
    sb_eof(&b);
    check_log(&b, "config 1 'm'\ncommand 1 (0)\ncommand 2 (4)\neof\n");
}

#define EMPTY_LOG "config 1 'm'\neof\n"

static void put_minimum(struct gw_buffer *b)
{
    sb_header(b);
    sb_config(b, "m");
    sb_eof(b);
}

static void test_reader__garbage_behind_the_end_is_counted(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    put_minimum(&b);
    sb_fill(&b, 0x41, 10);
    assert_int_equal(check_log(&b, EMPTY_LOG), 10);
}

static void test_reader__garbage_behind_the_description_is_counted(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    put_minimum(&b);
    sb_description(&b, "{}");
    sb_fill(&b, 0x41, 10);
    assert_int_equal(check_log(&b, EMPTY_LOG "description 2 {}\n"), 10);
}

static void test_reader__description_longer_than_data_is_garbage(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    size_t end;

    (void)state;
    put_minimum(&b);
    end = b.size;
    sb_description(&b, "{\"a\":1}");
    for (; b.size > end; b.size--) {
        /* Cut at every byte: not one of these is a description. */
        if (b.size < end + 12) {
            assert_int_equal(check_log(&b, EMPTY_LOG), b.size - end);
        }
    }
}

static void test_reader__mapped_stream(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    put_mapped(&b, &mapped_good);
    check_log(&b, "config 1 'm' mapped-ram\n"
                  "begin 1 1 'ram' 0 v4 at 61\n"
                  "block 0 'a' 0x3000 bitmap 8 at 0x7c pages at 0x1000\n"
                  "block 1 'b' 0x1000 bitmap 8 at 0x4026 pages at 0x5000\n"
                  "table end\nend 24506\n"
                  "begin 2 1 'ram' 0 v4 at 24589\nend 8\n"
                  "begin 3 1 'ram' 0 v4 at 24607\nend 8\n"
                  "eof\n");
}

/* Cut anywhere before its end mark, a stream is refused; never a crash. */
static void check_every_truncation(const struct gw_buffer *whole, size_t step)
{
    size_t size;

    for (size = 0; size < whole->size; size += step) {
        struct recorder rec = {.read_bitmaps = true};
        GW_AUTO_ERROR struct gw_error *error = NULL;
        /* Its own memory, so that a sanitizer sees reads beyond the cut. */
        GW_AUTO_FREE uint8_t *copy = malloc(size + 1);
        int rc;

        assert_non_null(copy);
        memcpy(copy, whole->data, size);
        rc = run_recorder(&rec, copy, size, NULL, &error);
        gw_buffer_deinit(&rec.log);
        assert_true(rc == -ENODATA || rc == -EBADMSG);
        assert_int_equal(gw_error_code(error), rc);
    }
}

static void test_reader__truncated_plain(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    put_start(&b);
    sb_command(&b, 2, 4);
    sb_named(&b, SB_FULL, 0, "dev3", 2, 7);
    gw_buffer_put_zeros(&b, 3);
    sb_footer(&b, 0);
    sb_more(&b, SB_END, 1);
    sb_zero_page(&b, "b", 0);
    sb_word(&b, 0x10);
    sb_footer(&b, 1);
    sb_eof(&b);
    check_every_truncation(&b, 1);
}

static void test_reader__truncated_mapped(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    (void)state;
    put_mapped(&b, &mapped_good);
    check_every_truncation(&b, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader__plain_stream),
        cmocka_unit_test(test_reader__no_configuration),
        cmocka_unit_test(test_reader__ignore_shared_has_addresses),
        cmocka_unit_test(test_reader__iterative_device),
        cmocka_unit_test(test_reader__return_path_commands_pass),
        cmocka_unit_test(test_reader__garbage_behind_the_end_is_counted),
        cmocka_unit_test(
            test_reader__garbage_behind_the_description_is_counted),
        cmocka_unit_test(test_reader__description_longer_than_data_is_garbage),
        cmocka_unit_test(test_reader__mapped_stream),
        cmocka_unit_test(test_reader__truncated_plain),
        cmocka_unit_test(test_reader__truncated_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

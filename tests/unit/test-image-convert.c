/*
 * Images rewritten: every format into every other, and what must not happen
 * to files when it fails.
 */
#include "image-files.h"

static void convert_good(const char *in, const char *out,
                         enum gw_image_format format,
                         const struct gw_convert_options *options)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int rc = gw_image_convert(in, out, format, options, &error);

    assert_string_equal(gw_error_text(error), "");
    assert_int_equal(rc, 0);
}

/* Makes "in" in the folder, and lends its path. */
static const char *make_input(const struct folder *folder,
                              enum gw_image_format format, size_t leading)
{
    const char *path = in_folder(folder, "in");
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    if (format == GW_IMAGE_PLAIN) {
        put_plain_image(&b);
    } else {
        put_mapped_image(&b, leading);
    }
    write_buffer(path, &b);
    return path;
}

static void check_filled(const char *path, const uint8_t *bytes, size_t n)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    size_t i;

    read_file(path, &b);
    assert_int_equal(b.size, n * SB_PAGE);
    for (i = 0; i < b.size; i++) {
        if (b.data[i] != bytes[i / SB_PAGE]) {
            fail_msg("%s: byte %zu is 0x%02x", path, i, b.data[i]);
        }
    }
}

/*
 * The image at `path` is that of all tests here: its sections are right, and
 * its memory, which is made into raw files beside it.
 */
static void check_image(const struct folder *folder, const char *path,
                        enum gw_image_format format, uint64_t offset)
{
    struct gw_convert_options options = {.in_offset = offset};
    char dir[80];
    char file[96];
    const uint8_t bb = 0xbb;
    struct gw_image *image;

    assert_int_equal(gw_image_open(path, offset, &image, NULL), 0);
    assert_int_equal(gw_image_info(image)->format, format);
    assert_string_equal(gw_image_info(image)->machine_name, "m");
    assert_true(gw_image_info(image)->has_description);
    assert_int_equal(gw_image_info(image)->n_sections, 5);
    assert_string_equal(gw_image_section(image, 4)->idstr, "dev");
    gw_image_free(image);
    snprintf(dir, sizeof(dir), "%s/check", folder->path);
    convert_good(path, dir, GW_IMAGE_RAW, &options);
    assert_int_equal(count_files(dir, false), 2);
    snprintf(file, sizeof(file), "%s/a", dir);
    check_filled(file, a_bytes, A_PAGES);
    snprintf(file, sizeof(file), "%s/b_x", dir);
    check_filled(file, &bb, 1);
    count_files(dir, true);
    rmdir(dir);
}

static void test_convert__plain_to_mapped(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_PLAIN, 0);
    const char *out = in_folder(*state, "out");
    const struct gw_image_block *block;
    struct gw_image *image;

    convert_good(in, out, GW_IMAGE_MAPPED, NULL);
    check_image(*state, out, GW_IMAGE_MAPPED, 0);
    assert_int_equal(gw_image_open(out, 0, &image, NULL), 0);
    assert_string_equal(gw_image_info(image)->capabilities[0], "mapped-ram");
    block = gw_image_block(image, 0);
    /* The PAGE of zeros is known for what it is; nothing is stale. */
    assert_int_equal(block->normal_pages, 3);
    assert_int_equal(block->stale_pages, 0);
    assert_int_equal(block->pages_offset, 0x100000);
    assert_int_equal(gw_image_block(image, 1)->pages_offset, 0x200000);
    gw_image_free(image);
}

static void test_convert__mapped_to_plain(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_MAPPED, 0);
    const char *out = in_folder(*state, "out");
    struct gw_image *image;

    convert_good(in, out, GW_IMAGE_PLAIN, NULL);
    check_image(*state, out, GW_IMAGE_PLAIN, 0);
    assert_int_equal(gw_image_open(out, 0, &image, NULL), 0);
    assert_null(gw_image_info(image)->capabilities[0]);
    /* A record for each page. */
    assert_int_equal(gw_image_block(image, 0)->normal_pages, 3);
    assert_int_equal(gw_image_block(image, 0)->zero_pages, 5);
    assert_int_equal(gw_image_block(image, 0)->absent_pages, 0);
    gw_image_free(image);
}

/* The bytes, to the last: names once, CONTINUE after. */
static void test_convert__plain_bytes(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_MAPPED, 0);
    const char *out = in_folder(*state, "out");
    GW_AUTO_BUFFER struct gw_buffer want = {0};
    GW_AUTO_BUFFER struct gw_buffer have = {0};
    unsigned int page;

    convert_good(in, out, GW_IMAGE_PLAIN, NULL);
    read_file(out, &have);
    sb_header(&want);
    sb_config(&want, "m");
    put_image_start(&want);
    sb_block(&want, "a", A_PAGES * SB_PAGE);
    sb_block(&want, "b/x", SB_PAGE);
    sb_word(&want, 0x10);
    sb_footer(&want, 1);
    sb_more(&want, SB_PART, 1);
    sb_page(&want, "a", 0, 0x10);
    for (page = 1; page < A_PAGES; page++) {
        sb_word(&want, page * SB_PAGE | (a_bytes[page] ? 0x28 : 0x22));
        sb_fill(&want, a_bytes[page], a_bytes[page] ? SB_PAGE : 1);
    }
    sb_page(&want, "b/x", 0, 0xbb);
    sb_word(&want, 0x10);
    sb_footer(&want, 1);
    put_image_tail(&want);
    assert_int_equal(have.size, want.size);
    assert_memory_equal(have.data, want.data, want.size);
}

static void test_convert__there_and_back(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_MAPPED, 0);
    const char *plain = in_folder(*state, "plain");
    const char *mapped = in_folder(*state, "mapped");
    const char *again = in_folder(*state, "again");
    GW_AUTO_BUFFER struct gw_buffer one = {0};
    GW_AUTO_BUFFER struct gw_buffer two = {0};

    convert_good(in, plain, GW_IMAGE_PLAIN, NULL);
    convert_good(plain, mapped, GW_IMAGE_MAPPED, NULL);
    convert_good(mapped, again, GW_IMAGE_PLAIN, NULL);
    read_file(plain, &one);
    read_file(again, &two);
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
}

/* Rewriting drops what a live save left behind. */
static void test_convert__mapped_to_mapped_is_compact(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_MAPPED, 0);
    struct gw_image *image;

    convert_good(in, in, GW_IMAGE_MAPPED, NULL); /* onto itself */
    check_image(*state, in, GW_IMAGE_MAPPED, 0);
    assert_int_equal(gw_image_open(in, 0, &image, NULL), 0);
    assert_int_equal(gw_image_block(image, 0)->stale_pages, 0);
    gw_image_free(image);
}

/* One record for each page that has any; absent ones stay absent. */
static void test_convert__plain_to_plain_is_compact(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_PLAIN, 0);
    const char *out = in_folder(*state, "out");
    struct gw_image *image;

    convert_good(in, out, GW_IMAGE_PLAIN, NULL);
    check_image(*state, out, GW_IMAGE_PLAIN, 0);
    assert_int_equal(gw_image_open(out, 0, &image, NULL), 0);
    assert_int_equal(gw_image_info(image)->account.ram_page_bytes, 4 * SB_PAGE);
    assert_int_equal(gw_image_block(image, 0)->zero_pages, 3);
    assert_int_equal(gw_image_block(image, 0)->absent_pages, 2);
    gw_image_free(image);
}

static void test_convert__offsets(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_MAPPED, 5000);
    const char *out = in_folder(*state, "out");
    struct gw_convert_options options = {.in_offset = 5000,
                                         .out_offset = 0x100001};
    GW_AUTO_BUFFER struct gw_buffer before = {0};
    GW_AUTO_BUFFER struct gw_buffer after = {0};
    struct gw_image *image;

    sb_fill(&before, 0xcc, 0x180000); /* longer than the offset */
    write_buffer(out, &before);
    convert_good(in, out, GW_IMAGE_MAPPED, &options);
    read_file(out, &after);
    assert_memory_equal(after.data, before.data, 0x100001);
    check_image(*state, out, GW_IMAGE_MAPPED, 0x100001);
    assert_int_equal(gw_image_open(out, 0x100001, &image, NULL), 0);
    /* Areas are aligned in the file, not in the stream. */
    assert_int_equal(gw_image_block(image, 0)->pages_offset, 0x200000);
    assert_int_equal(gw_image_block(image, 0)->stale_pages, 0);
    gw_image_free(image);
}

static void check_failure(const char *in, const char *out,
                          enum gw_image_format format,
                          const struct gw_convert_options *options, int code,
                          const char *text)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int rc = gw_image_convert(in, out, format, options, &error);

    if (!strstr(gw_error_text(error), text)) {
        fail_msg("found \"%s\", expected in it \"%s\"", gw_error_text(error),
                 text);
    }
    assert_int_equal(rc, code);
}

static void test_convert__refuses_in_place_onto_input(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_MAPPED, 0);
    struct gw_convert_options options = {.out_offset = 4096};
    GW_AUTO_BUFFER struct gw_buffer before = {0};
    GW_AUTO_BUFFER struct gw_buffer after = {0};

    read_file(in, &before);
    check_failure(in, in, GW_IMAGE_MAPPED, &options, -EINVAL,
                  "is the input too");
    read_file(in, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
}

/* A progress that ends it at the n-th call. */
static int cancel_at(void *opaque, uint64_t done, uint64_t total)
{
    int *left = opaque;

    assert_true(done <= total);
    return --*left == 0;
}

static void test_convert__cancelled_leaves_no_debris(void **state)
{
    static const enum gw_image_format formats[] = {
        GW_IMAGE_PLAIN, GW_IMAGE_MAPPED, GW_IMAGE_RAW};
    const struct folder *folder = *state;
    const char *in = make_input(folder, GW_IMAGE_MAPPED, 0);
    const char *out = in_folder(folder, "out");
    size_t i;

    for (i = 0; i < 3; i++) {
        int left = 1;
        struct gw_convert_options options = {.progress = cancel_at,
                                             .opaque = &left};

        check_failure(in, out, formats[i], &options, -ECANCELED, "cancelled");
        assert_int_equal(count_files(folder->path, false), 1);
    }
}

static void test_convert__failure_keeps_the_old_file(void **state)
{
    const struct folder *folder = *state;
    const char *in = in_folder(folder, "in");
    const char *out = in_folder(folder, "out");
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    GW_AUTO_BUFFER struct gw_buffer after = {0};

    /* No configuration: mapped-ram has nowhere to be listed. */
    sb_header(&b);
    sb_eof(&b);
    write_buffer(in, &b);
    write_file(out, "old", 3);
    check_failure(in, out, GW_IMAGE_MAPPED, NULL, -ENOTSUP,
                  "the input has no configuration section");
    read_file(out, &after);
    assert_int_equal(after.size, 3);
    assert_memory_equal(after.data, "old", 3);
    assert_int_equal(count_files(folder->path, false), 2);
}

static void put_shared_image(struct gw_buffer *b)
{
    sb_header(b);
    sb_config(b, "m");
    sb_capability(b, "x-ignore-shared");
    sb_named(b, SB_START, 1, "ram", 0, 4);
    sb_word(b, 0x1000 | 0x04);
    sb_block(b, "a", SB_PAGE);
    gw_buffer_put_be64(b, 0xfffe0000);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    sb_empty(b, SB_END, 1);
    sb_eof(b);
}

/* A block of one page, and no END. */
static void put_unended(struct gw_buffer *b, bool has_part)
{
    sb_header(b);
    sb_config(b, "m");
    sb_named(b, SB_START, 1, "ram", 0, 4);
    sb_word(b, 0x1000 | 0x04);
    sb_block(b, "a", SB_PAGE);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    if (has_part) {
        sb_more(b, SB_PART, 1);
        sb_page(b, "a", 0, 0x77);
        sb_word(b, 0x10);
        sb_footer(b, 1);
    }
    sb_eof(b);
}

/* What has no END, as a background snapshot, gets one. */
static void test_convert__ram_without_end(void **state)
{
    const char *in = in_folder(*state, "in");
    const char *out = in_folder(*state, "out");
    struct gw_image *image;
    uint64_t has_part;

    for (has_part = 0; has_part < 2; has_part++) {
        GW_AUTO_BUFFER struct gw_buffer b = {0};

        put_unended(&b, has_part);
        write_buffer(in, &b);
        convert_good(in, out, GW_IMAGE_MAPPED, NULL);
        assert_int_equal(gw_image_open(out, 0, &image, NULL), 0);
        assert_int_equal(gw_image_block(image, 0)->normal_pages, has_part);
        assert_int_equal(gw_image_info(image)->n_sections, 2 + has_part);
        assert_int_equal(gw_image_section(image, 1 + has_part)->kind,
                         GW_IMAGE_SECTION_END);
        gw_image_free(image);
    }
}

/* mapped-ram's bitmaps are written in the END. */
static void test_convert__mapped_without_end(void **state)
{
    const char *in = in_folder(*state, "in");
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const uint8_t page = 0x77;

    sb_header(&b);
    sb_config(&b, "m");
    sb_capability(&b, "mapped-ram");
    sb_named(&b, SB_START, 1, "ram", 0, 4);
    sb_word(&b, 0x1000 | 0x04);
    put_mapped_area(&b, "a", 1, 0x00, &page);
    sb_word(&b, 0x10);
    sb_footer(&b, 1);
    sb_empty(&b, SB_PART, 1);
    sb_eof(&b);
    write_buffer(in, &b);
    check_failure(in, in_folder(*state, "out"), GW_IMAGE_PLAIN, NULL, -EPROTO,
                  "bitmaps were never written");
}

static void test_convert__ignore_shared(void **state)
{
    const char *in = in_folder(*state, "in");
    const char *out = in_folder(*state, "out");
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    GW_AUTO_BUFFER struct gw_buffer after = {0};

    put_shared_image(&b);
    write_buffer(in, &b);
    check_failure(in, out, GW_IMAGE_MAPPED, NULL, -ENOTSUP,
                  "does not go together with mapped-ram");
    /* Plain keeps the capability and the addresses. */
    convert_good(in, out, GW_IMAGE_PLAIN, NULL);
    read_file(out, &after);
    assert_int_equal(after.size, b.size);
    assert_memory_equal(after.data, b.data, b.size);
}

static void test_convert__raw_names_stay_inside_and_apart(void **state)
{
    static const char *const names[] = {"../evil", "x/y", "x_y", ".."};
    static const char *const files[] = {"_._evil", "x_y", "x_y.2", "_."};
    const char *in = in_folder(*state, "in");
    const char *out = in_folder(*state, "raw");
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    size_t i;

    sb_header(&b);
    sb_named(&b, SB_START, 1, "ram", 0, 4);
    sb_word(&b, 0x4000 | 0x04);
    for (i = 0; i < 4; i++) {
        sb_block(&b, names[i], SB_PAGE);
    }
    sb_word(&b, 0x10);
    sb_footer(&b, 1);
    sb_empty(&b, SB_END, 1);
    sb_eof(&b);
    write_buffer(in, &b);
    convert_good(in, out, GW_IMAGE_RAW, NULL);
    assert_int_equal(count_files(out, false), 4);
    for (i = 0; i < 4; i++) {
        char path[128];
        uint8_t zero = 0;

        snprintf(path, sizeof(path), "%s/%s", out, files[i]);
        check_filled(path, &zero, 1);
    }
}

static void test_convert__raw_is_sparse(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_PLAIN, 0);
    const char *out = in_folder(*state, "raw");
    char path[128];
    struct stat st;

    convert_good(in, out, GW_IMAGE_RAW, NULL);
    snprintf(path, sizeof(path), "%s/a", out);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, A_PAGES * SB_PAGE);
    assert_true(st.st_blocks * 512 <= 4 * SB_PAGE);
}

static void test_convert__raw_onto_a_file(void **state)
{
    const char *in = make_input(*state, GW_IMAGE_PLAIN, 0);

    check_failure(in, in, GW_IMAGE_RAW, NULL, -ENOTDIR, "is no directory");
}

#define CONVERT_TEST(name)                                             \
    cmocka_unit_test_setup_teardown(test_convert__##name, make_folder, \
                                    remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONVERT_TEST(plain_to_mapped),
        CONVERT_TEST(mapped_to_plain),
        CONVERT_TEST(plain_bytes),
        CONVERT_TEST(there_and_back),
        CONVERT_TEST(mapped_to_mapped_is_compact),
        CONVERT_TEST(plain_to_plain_is_compact),
        CONVERT_TEST(offsets),
        CONVERT_TEST(refuses_in_place_onto_input),
        CONVERT_TEST(cancelled_leaves_no_debris),
        CONVERT_TEST(failure_keeps_the_old_file),
        CONVERT_TEST(ram_without_end),
        CONVERT_TEST(mapped_without_end),
        CONVERT_TEST(ignore_shared),
        CONVERT_TEST(raw_names_stay_inside_and_apart),
        CONVERT_TEST(raw_is_sparse),
        CONVERT_TEST(raw_onto_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

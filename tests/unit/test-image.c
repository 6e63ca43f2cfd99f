/*
 * Images: what gw_image_open finds in a file, and what it refuses.
 */
#include "image-files.h"

static struct gw_image *open_good(const char *path, uint64_t offset)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_image *image = NULL;
    int rc = gw_image_open(path, offset, &image, &error);

    assert_string_equal(gw_error_text(error), "");
    assert_int_equal(rc, 0);
    return image;
}

static struct gw_image *open_buffer(const struct folder *folder,
                                    const struct gw_buffer *b, uint64_t offset)
{
    const char *path = in_folder(folder, "image");
    struct gw_image *image;

    write_buffer(path, b);
    image = open_good(path, offset);
    assert_int_equal(gw_image_info(image)->account.file_bytes, b->size);
    assert_int_equal(account_sum(&gw_image_info(image)->account), b->size);
    return image;
}

static void test_image__plain_info(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const struct gw_image_info *info;
    struct gw_image *image;

    put_plain_image(&b);
    image = open_buffer(*state, &b, 0);
    info = gw_image_info(image);
    assert_int_equal(info->format, GW_IMAGE_PLAIN);
    assert_int_equal(info->stream_version, 3);
    assert_string_equal(info->machine_name, "m");
    assert_false(info->has_uuid);
    assert_null(info->capabilities[0]);
    assert_int_equal(info->n_blocks, 2);
    assert_int_equal(info->n_sections, 6);
    assert_true(info->has_description);
    gw_image_free(image);
}

static void test_image__plain_account(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const struct gw_image_account *account;
    struct gw_image *image;

    put_plain_image(&b);
    image = open_buffer(*state, &b, 0);
    account = &gw_image_info(image)->account;
    assert_int_equal(account->leading_bytes, 0);
    assert_int_equal(account->header_bytes, 8 + 6);
    assert_int_equal(account->ram_page_bytes, 7 * SB_PAGE);
    assert_int_equal(account->ram_bitmap_bytes, 0);
    assert_int_equal(account->ram_unused_bytes, 0);
    /* START 17 + 8 + 10 + 12 + 8 + 5; two PARTs 18 and END 18; 9 records. */
    assert_int_equal(account->ram_control_bytes,
                     60 + 3 * 18 + 6 * 10 + 12 + 2 * 11);
    assert_int_equal(account->device_bytes, 17 + 5 + 5);
    assert_int_equal(account->command_bytes, 5 + 1);
    assert_int_equal(account->description_bytes, 5 + strlen(DEVICE_JSON));
    assert_int_equal(account->trailing_bytes, 0);
    gw_image_free(image);
}

/* The last record of a page counts. */
static void test_image__plain_pages(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const struct gw_image_block *block;
    struct gw_image *image;

    put_plain_image(&b);
    image = open_buffer(*state, &b, 0);
    block = gw_image_block(image, 0);
    assert_string_equal(block->idstr, "a");
    assert_int_equal(block->used_length, A_PAGES * SB_PAGE);
    assert_int_equal(block->n_pages, 8);
    assert_int_equal(block->normal_pages, 4); /* 0, 2, 4, 7 */
    assert_int_equal(block->zero_pages, 2);   /* 1, 3 */
    assert_int_equal(block->absent_pages, 2); /* 5, 6 */
    block = gw_image_block(image, 1);
    assert_string_equal(block->idstr, "b/x");
    assert_int_equal(block->normal_pages, 1);
    assert_null(gw_image_block(image, 2));
    gw_image_free(image);
}

static void test_image__sections(void **state)
{
    static const struct {
        int kind;
        const char *idstr;
        uint64_t data_size;
    } expected[] = {
        {1, "ram", 8 + 10 + 12 + 8},
        {2, "ram", 4 * (10 + SB_PAGE) + 2 + 11 + 8},
        {2, "ram", 3 * (10 + SB_PAGE) + 11 + 8},
        {8, "switchover-start", 0},
        {3, "ram", 8},
        {4, "dev", 5},
    };
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const struct gw_image_section *section;
    struct gw_image *image;
    uint64_t offset = 14;
    size_t i;

    put_plain_image(&b);
    image = open_buffer(*state, &b, 0);
    for (i = 0; i < GW_ARRAY_SIZE(expected); i++) {
        section = gw_image_section(image, i);
        assert_int_equal(section->kind, expected[i].kind);
        assert_string_equal(section->idstr, expected[i].idstr);
        assert_int_equal(section->offset, offset);
        assert_int_equal(section->data_size, expected[i].data_size);
        offset = section->data_offset + section->data_size +
                 (section->kind == GW_IMAGE_COMMAND ? 0 : 5);
    }
    assert_int_equal(section->version, 3);
    assert_int_equal(section->data_offset - section->offset, 17);
    assert_null(gw_image_section(image, i));
    gw_image_free(image);
}

static void test_image__mapped(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const struct gw_image_account *account;
    const struct gw_image_block *block;
    struct gw_image *image;

    put_mapped_image(&b, 0);
    image = open_buffer(*state, &b, 0);
    assert_int_equal(gw_image_info(image)->format, GW_IMAGE_MAPPED);
    assert_string_equal(gw_image_info(image)->capabilities[0], "mapped-ram");
    assert_null(gw_image_info(image)->capabilities[1]);
    block = gw_image_block(image, 0);
    assert_int_equal(block->normal_pages, 4);
    assert_int_equal(block->zero_pages, 0);
    assert_int_equal(block->absent_pages, 4);
    assert_int_equal(block->stale_pages, 2);
    assert_int_equal(block->bitmap_offset, 61 + 17 + 8 + 10 + 28);
    assert_int_equal(block->pages_offset, SB_PAGE);
    assert_int_equal(gw_image_block(image, 1)->stale_pages, 0);
    account = &gw_image_info(image)->account;
    assert_int_equal(account->header_bytes, 61);
    assert_int_equal(account->ram_page_bytes, 5 * SB_PAGE);
    assert_int_equal(account->ram_bitmap_bytes, 2 * 8);
    /* Four pages of "a" and the padding before both areas. */
    assert_int_equal(account->ram_unused_bytes,
                     4 * SB_PAGE + (SB_PAGE - 61 - 17 - 8 - 10 - 28 - 8) +
                         (SB_PAGE - 12 - 28 - 8));
    gw_image_free(image);
}

/* A hole is not read, and is not stale. */
static void test_image__mapped_holes(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const char *path = in_folder(*state, "image");
    struct gw_image *image;
    int fd;

    put_mapped_image(&b, 0);
    write_buffer(path, &b);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    /* Pages 3 to 6: of these 3 and 5 had bytes. */
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * SB_PAGE,
                  2 * SB_PAGE) == 0) {
        image = open_good(path, 0);
        assert_int_equal(gw_image_block(image, 0)->stale_pages, 1);
        gw_image_free(image);
    }
    close(fd);
}

static void test_image__offset_and_trailing(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    const struct gw_image_info *info;
    struct gw_image *image;

    put_mapped_image(&b, 5000);
    sb_fill(&b, 0x06, 100); /* garbage that looks like descriptions */
    image = open_buffer(*state, &b, 5000);
    info = gw_image_info(image);
    assert_int_equal(info->stream_offset, 5000);
    assert_int_equal(info->account.leading_bytes, 5000);
    assert_int_equal(info->account.trailing_bytes, 100);
    assert_true(info->has_description);
    gw_image_free(image);
}

/* Fields as text, one after the other. */
static int note_field(void *opaque, const struct gw_image_field *field)
{
    struct gw_buffer *text = opaque;

    gw_buffer_printf(text, "%s %s %u at %u = %02x;", field->name, field->type,
                     (unsigned int)field->size, (unsigned int)field->offset,
                     field->data[0]);
    return 0;
}

static int stop_at_field(void *opaque, const struct gw_image_field *field)
{
    (void)opaque;
    (void)field;
    return 7;
}

static void test_image__fields(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer text = {0};
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    struct gw_image *image;
    char expected[128];
    unsigned int at;

    put_plain_image(&b);
    image = open_buffer(*state, &b, 0);
    at = (unsigned int)gw_image_section(image, 5)->data_offset;
    snprintf(expected, sizeof(expected),
             "counter uint32 4 at %u = 01;on bool 1 at %u = 01;", at, at + 4);
    assert_int_equal(gw_image_fields(image, 5, note_field, &text, NULL), 0);
    gw_buffer_put_u8(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    assert_int_equal(gw_image_fields(image, 5, stop_at_field, NULL, NULL), 7);
    assert_int_equal(gw_image_fields(image, 0, stop_at_field, NULL, NULL), 0);
    assert_int_equal(gw_image_fields(image, 6, stop_at_field, NULL, NULL),
                     -EINVAL);
    gw_image_free(image);
}

static void check_refused(const struct folder *folder,
                          const struct gw_buffer *b, uint64_t offset, int code,
                          const char *text)
{
    const char *path = in_folder(folder, "image");
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_image *image = NULL;
    int rc;

    write_buffer(path, b);
    rc = gw_image_open(path, offset, &image, &error);
    assert_null(image);
    if (!strstr(gw_error_text(error), text)) {
        fail_msg("found \"%s\", expected in it \"%s\"", gw_error_text(error),
                 text);
    }
    assert_non_null(strstr(gw_error_text(error), path));
    assert_int_equal(rc, code);
}

static void test_image__refuses_wrong_offset(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    put_mapped_image(&b, 5000);
    check_refused(*state, &b, 0, -EBADMSG, "magic 0xeeeeeeee");
    check_refused(*state, &b, 4999, -EBADMSG, "magic 0xee514556");
}

static void test_image__refuses_empty_file(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    check_refused(*state, &b, 0, -ENODATA, "the data ends after 0 bytes");
}

static void put_one_device(struct gw_buffer *b, const char *name)
{
    sb_header(b);
    sb_config(b, "m");
    sb_named(b, SB_FULL, 0, name, 0, 3);
    gw_buffer_put_zeros(b, 5);
    sb_footer(b, 0);
    sb_eof(b);
}

static void test_image__refuses_device_without_description(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    put_one_device(&b, "dev");
    gw_buffer_put_u8(&b, 0x41); /* the end mark is not the last byte */
    check_refused(*state, &b, 0, -ENOTSUP,
                  "section 'dev' instance 0 (full) at offset 0xe: its length "
                  "is not known: the file has no VM description, and footers "
                  "do not lead to its end");
}

static void put_device(struct gw_buffer *b, uint32_t id, const char *name,
                       const void *data, size_t size)
{
    sb_named(b, SB_FULL, id, name, 0, 1);
    gw_buffer_put_bytes(b, data, size);
    sb_footer(b, id);
}

/* Sections cut at their footers, not at what only looks like one. */
static void test_image__devices_without_description(void **state)
{
    static const uint8_t footer[] = {0x7e, 0, 0, 0, 2};
    GW_AUTO_BUFFER struct gw_buffer decoy = {0};
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    struct gw_image *image;
    uint64_t sizes[4] = {0};
    size_t i;

    /* A footer, an end mark, a footer and a section that never ends. */
    gw_buffer_put_bytes(&decoy, footer, sizeof(footer));
    gw_buffer_put_u8(&decoy, 0);
    gw_buffer_put_bytes(&decoy, footer, sizeof(footer));
    sb_named(&decoy, SB_FULL, 99, "decoy", 0, 1);
    gw_buffer_put_bytes(&decoy, footer, sizeof(footer));
    gw_buffer_put_u8(&decoy, 0x7e);
    sb_header(&b);
    sb_config(&b, "m");
    put_device(&b, 0, "one", "abc", 3);
    put_device(&b, 2, "two", decoy.data, decoy.size);
    sb_command(&b, 2, 4);
    put_device(&b, 3, "three", "", 0);
    sb_eof(&b);
    image = open_buffer(*state, &b, 0);
    assert_int_equal(gw_image_info(image)->n_sections, 4);
    for (i = 0; i < 4; i++) {
        sizes[i] = gw_image_section(image, i)->data_size;
    }
    assert_int_equal(sizes[0], 3);
    assert_int_equal(sizes[1], decoy.size);
    assert_int_equal(sizes[2], 4);
    assert_int_equal(sizes[3], 0);
    assert_int_equal(gw_image_fields(image, 0, stop_at_field, NULL, NULL), 0);
    gw_image_free(image);
}

/* Many sections, each with candidates that lead nowhere: no explosion. */
static void test_image__hostile_footers(void **state)
{
    static const uint8_t footer[] = {0x7e, 0, 0, 0, 1};
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    int i;

    sb_header(&b);
    sb_config(&b, "m");
    for (i = 0; i < 1000; i++) {
        sb_named(&b, SB_FULL, 1, "d", 0, 1);
        gw_buffer_put_bytes(&b, footer, sizeof(footer));
    }
    gw_buffer_put_u8(&b, 0x41);
    check_refused(*state, &b, 0, -ENOTSUP, "footers do not lead to its end");
}

static void test_image__refuses_device_not_described(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    put_one_device(&b, "other");
    sb_description(&b, DEVICE_JSON);
    check_refused(*state, &b, 0, -ENOTSUP, "does not list it");
}

static void test_image__refuses_iterative_device(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    sb_header(&b);
    sb_config(&b, "m");
    sb_named(&b, SB_START, 0, "dirty-bitmap", 0, 1);
    gw_buffer_put_u8(&b, 1);
    sb_footer(&b, 0);
    sb_eof(&b);
    check_refused(*state, &b, 0, -ENOTSUP,
                  "a VM description does not cover iterative sections");
}

static void test_image__refuses_description_that_does_not_fit(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    sb_header(&b);
    sb_config(&b, "m");
    sb_named(&b, SB_FULL, 0, "dev", 0, 3);
    gw_buffer_put_zeros(&b, 6); /* one too many */
    sb_footer(&b, 0);
    sb_eof(&b);
    sb_description(&b, DEVICE_JSON);
    check_refused(*state, &b, 0, -EBADMSG, "expected a footer (0x7e)");
}

/* As QEMU writes a background snapshot: devices behind the last PART. */
static void test_image__ram_without_end(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    struct gw_image *image;

    sb_header(&b);
    sb_config(&b, "m");
    sb_named(&b, SB_START, 1, "ram", 0, 4);
    sb_word(&b, 0x1000 | 0x04);
    sb_block(&b, "a", SB_PAGE);
    sb_word(&b, 0x10);
    sb_footer(&b, 1);
    sb_empty(&b, SB_PART, 1);
    sb_eof(&b);
    image = open_buffer(*state, &b, 0);
    assert_false(gw_image_info(image)->has_ram_end);
    gw_image_free(image);
    b.size = 0;
    put_plain_image(&b);
    image = open_buffer(*state, &b, 0);
    assert_true(gw_image_info(image)->has_ram_end);
    gw_image_free(image);
}

/* Of another stream, behind the end of this one. */
static void test_image__refuses_foreign_description(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    put_one_device(&b, "dev");
    gw_buffer_put_be16(&b, 0);
    sb_description(&b, DEVICE_JSON);
    check_refused(*state, &b, 0, -EBADMSG,
                  "expected the VM description behind the end mark at offset "
                  "0x29, found one at offset 0x2c");
}

/* RAM alone needs no description. */
static void test_image__ram_without_description(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    struct gw_image *image;

    sb_header(&b);
    sb_config(&b, "m");
    sb_named(&b, SB_START, 1, "ram", 0, 4);
    sb_word(&b, 0x1000 | 0x04);
    sb_block(&b, "a", SB_PAGE);
    sb_word(&b, 0x10);
    sb_footer(&b, 1);
    sb_empty(&b, SB_END, 1);
    sb_eof(&b);
    image = open_buffer(*state, &b, 0);
    assert_false(gw_image_info(image)->has_description);
    assert_int_equal(gw_image_block(image, 0)->absent_pages, 1);
    gw_image_free(image);
}

static void test_image__huge_block_of_a_tiny_file(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};

    sb_header(&b);
    sb_config(&b, "m");
    sb_named(&b, SB_START, 1, "ram", 0, 4);
    sb_word(&b, 0x7ffffffffffff000 | 0x04);
    sb_block(&b, "a", 0x7ffffffffffff000);
    sb_word(&b, 0x10);
    check_refused(*state, &b, 0, -EOVERFLOW, "pages, expected at most");
}

static void test_image__no_such_file(void **state)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_image *image;

    assert_int_equal(
        gw_image_open(in_folder(*state, "none"), 0, &image, &error), -ENOENT);
    assert_non_null(strstr(gw_error_text(error), "none"));
}

/* Cut at any byte: an error, never a crash, and nothing is leaked. */
static void test_image__truncated(void **state)
{
    const char *path = in_folder(*state, "image");
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    size_t end;
    size_t size;

    put_mapped_image(&b, 0);
    end = b.size - strlen(DEVICE_JSON) - 5;
    write_buffer(path, &b);
    for (size = b.size; size-- > 0;) {
        GW_AUTO_ERROR struct gw_error *error = NULL;
        struct gw_image *image = NULL;

        /* Whole, but for the description: the footers tell. */
        if (size == end) {
            continue;
        }
        /* Within padding and pages only now and then. */
        if (size > 200 && size < end - 100 && size % 1003) {
            continue;
        }
        assert_int_equal(truncate(path, (off_t)size), 0);
        assert_true(gw_image_open(path, 0, &image, &error) < 0);
        assert_null(image);
    }
}

#define IMAGE_TEST(name)                                             \
    cmocka_unit_test_setup_teardown(test_image__##name, make_folder, \
                                    remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IMAGE_TEST(plain_info),
        IMAGE_TEST(plain_account),
        IMAGE_TEST(plain_pages),
        IMAGE_TEST(sections),
        IMAGE_TEST(mapped),
        IMAGE_TEST(mapped_holes),
        IMAGE_TEST(offset_and_trailing),
        IMAGE_TEST(fields),
        IMAGE_TEST(refuses_wrong_offset),
        IMAGE_TEST(refuses_empty_file),
        IMAGE_TEST(refuses_device_without_description),
        IMAGE_TEST(devices_without_description),
        IMAGE_TEST(hostile_footers),
        IMAGE_TEST(refuses_device_not_described),
        IMAGE_TEST(refuses_iterative_device),
        IMAGE_TEST(refuses_description_that_does_not_fit),
        IMAGE_TEST(ram_without_end),
        IMAGE_TEST(refuses_foreign_description),
        IMAGE_TEST(ram_without_description),
        IMAGE_TEST(huge_block_of_a_tiny_file),
        IMAGE_TEST(no_such_file),
        IMAGE_TEST(truncated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

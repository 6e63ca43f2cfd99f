/*
 * Codecs of the RAM section: records, block table, mapped-ram headers, page
 * bitmaps. Vectors are from the stream spec 3.2 and 4.1.
 */
#include <errno.h>

#include "wire-check.h"
#include "wire/mapped.h"
#include "wire/mapped_bitmap.h"
#include "wire/ram.h"

WIRE_CODEC(ram_record, struct gw_ram_record);
WIRE_CODEC(mapped_header, struct gw_mapped_header);

static void test_record__zero_page(void **state)
{
    struct gw_ram_record record;

    (void)state;
    wire_check(&ram_record_codec, BYTES("\0\0\0\0\0\0\0\2\x0bmicrovm.ram\0"),
               &record);
    assert_int_equal(record.kind, GW_RAM_RECORD_ZERO);
    assert_int_equal(record.offset, 0);
    assert_false(record.same_block);
    assert_string_equal(record.idstr, "microvm.ram");
}

static void test_record__zero_page_continued(void **state)
{
    struct gw_ram_record record;

    (void)state;
    wire_check(&ram_record_codec, BYTES("\0\0\0\0\0\0\x10\x22\0"), &record);
    assert_int_equal(record.kind, GW_RAM_RECORD_ZERO);
    assert_int_equal(record.offset, 0x1000);
    assert_true(record.same_block);
}

static void test_record__page(void **state)
{
    struct gw_ram_record record;

    (void)state;
    wire_check(&ram_record_codec, BYTES("\0\0\0\1\0\0\x20\x08\1m"), &record);
    assert_int_equal(record.kind, GW_RAM_RECORD_PAGE);
    assert_int_equal(record.offset, 0x100002000);
    wire_check(&ram_record_codec, BYTES("\xff\xff\xff\xff\xff\xff\xf0\x28"),
               &record);
    assert_int_equal(record.offset, 0xfffffffffffff000);
    assert_true(record.same_block);
}

/* Pages of a run, and the record after it; `at`: where that is. */
static size_t put_run(uint8_t *data, size_t size, unsigned int n_pages,
                      uint64_t offset, uint64_t last_word, size_t *ret_at)
{
    struct gw_writer w = gw_writer_of(data, size);
    unsigned int i;

    for (i = 1; i < n_pages; i++) {
        w.pos += 4096;
        gw_writer_put_be64(&w, (offset + i * 4096) | 0x28);
    }
    w.pos += 4096;
    *ret_at = (size_t)(w.pos - data);
    gw_writer_put_be64(&w, last_word);
    assert_true(gw_writer_ok(&w));
    return (size_t)(w.pos - data);
}

/* Only what continues the block with the page behind belongs to a run. */
static void test_run__ends(void **state)
{
    static const uint64_t words[] = {
        0x5000028, /* a page further */
        0x5000022, /* zero */
        0x5003008, /* a block's name follows */
        0x5003022, /* zero, at the right place */
        0x5002028, /* the page before */
        0x10,      /* the end of the section */
        0x500306a, /* no record */
    };
    static uint8_t data[4 * 4104];
    struct gw_reader r;
    size_t i, at, size;

    (void)state;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size = put_run(data, sizeof(data), 3, 0x5000000, words[i], &at);
        r = gw_reader_of(data, size);
        assert_int_equal(gw_ram_count_run(&r, 0x5000000), 3);
        assert_ptr_equal(r.pos, data);
    }
    size = put_run(data, sizeof(data), 3, 0x5000000, 0x5003028, &at);
    r = gw_reader_of(data, size);
    assert_int_equal(gw_ram_count_run(&r, 0x5000000), 4);
}

/* As many as there are records for. */
static void test_run__is_cut_off(void **state)
{
    static uint8_t data[4 * 4104];
    struct gw_reader r;
    size_t at, size;

    (void)state;
    put_run(data, sizeof(data), 3, 0xfffffffffffff000, 0x10, &at);
    for (size = 0; size <= at; size++) {
        r = gw_reader_of(data, size);
        assert_int_equal(gw_ram_count_run(&r, 0xfffffffffffff000),
                         1 + size / 4104);
    }
}

static void test_record__block_table(void **state)
{
    struct gw_ram_record record;

    (void)state;
    wire_check(&ram_record_codec, BYTES("\0\0\0\0\x01\x02\x30\x04"), &record);
    assert_int_equal(record.kind, GW_RAM_RECORD_MEM_SIZE);
    assert_int_equal(record.offset, 0x1023000);
}

static void test_record__end_ignores_stray_bits(void **state)
{
    struct gw_ram_record record;

    (void)state;
    wire_check(&ram_record_codec, BYTES("\0\0\0\0\0\0\0\x10"), &record);
    assert_int_equal(record.kind, GW_RAM_RECORD_EOS);
    wire_check_decode(&ram_record_codec, BYTES("\0\0\0\0\0\0\x70\x30"),
                      &record);
    assert_int_equal(record.kind, GW_RAM_RECORD_EOS);
    wire_check_decode(&ram_record_codec, BYTES("\0\0\0\0\0\0\x72\x20"),
                      &record);
    assert_int_equal(record.kind, GW_RAM_RECORD_MULTIFD_FLUSH);
}

static int decode_flags(uint32_t flags)
{
    uint8_t data[] = {0, 0,   0, 0, 0, 0, (uint8_t)(flags >> 8), (uint8_t)flags,
                      1, 'm', 0};
    struct gw_ram_record record;
    size_t used;

    return wire_decode(&ram_record_codec, data, sizeof(data), &record, &used);
}

/* Of all 4096 combinations exactly these are taken. */
static void test_record__every_flag_combination(void **state)
{
    static const uint32_t good[] = {0x002, 0x004, 0x008, 0x010, 0x022,
                                    0x028, 0x030, 0x200, 0x220};
    static const uint32_t unsupported[] = {0x001, 0x021, 0x040, 0x060,
                                           0x080, 0x0a0, 0x100, 0x120};
    uint32_t flags;
    size_t i;

    (void)state;
    for (flags = 0; flags < 0x1000; flags++) {
        int expected = -EBADMSG;

        for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
            expected = flags == good[i] ? 0 : expected;
        }
        for (i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++) {
            expected = flags == unsupported[i] ? -ENOTSUP : expected;
        }
        /* With CONTINUE the name is left over, and its first byte, 1, is
         * what a zero page is filled with. */
        if (flags == 0x022) {
            expected = -EBADMSG;
        }
        assert_int_equal(decode_flags(flags), expected);
    }
}

static void test_record__zero_page_fill(void **state)
{
    struct gw_ram_record record;
    size_t used;

    (void)state;
    assert_int_equal(wire_decode(&ram_record_codec,
                                 BYTES("\0\0\0\0\0\0\x10\x22\1"), &record,
                                 &used),
                     -EBADMSG);
}

static void test_record__empty_block_name(void **state)
{
    struct gw_ram_record record;
    size_t used;

    (void)state;
    assert_int_equal(wire_decode(&ram_record_codec,
                                 BYTES("\0\0\0\0\0\0\x10\x02\0\0"), &record,
                                 &used),
                     -EBADMSG);
}

static void test_record__unaligned_offset_is_not_encoded(void **state)
{
    struct gw_ram_record record = {
        .kind = GW_RAM_RECORD_ZERO, .same_block = true, .offset = 0x1001};
    uint8_t out[GW_RAM_RECORD_MAX];
    struct gw_writer w = gw_writer_of(out, sizeof(out));

    (void)state;
    gw_ram_record_encode(&w, &record);
    assert_false(gw_writer_ok(&w));
}

static void test_record__names(void **state)
{
    (void)state;
    assert_string_equal(gw_ram_record_name(GW_RAM_RECORD_ZERO), "zero page");
    assert_string_equal(gw_ram_record_name(GW_RAM_RECORD_MEM_SIZE),
                        "block table");
}

/* Entries, by layout. */
static void check_entry(const struct gw_ram_block_layout *layout,
                        const char *data, size_t size,
                        struct gw_ram_block_entry *ret)
{
    uint8_t out[GW_RAM_BLOCK_ENTRY_MAX];
    struct gw_writer w = gw_writer_of(out, size);
    struct gw_reader r;
    size_t cut;

    for (cut = 0; cut < size; cut++) {
        r = gw_reader_of(data, cut);
        assert_int_equal(gw_ram_block_entry_decode(&r, layout, ret, NULL),
                         GW_SHORT);
        assert_ptr_equal(r.pos, data);
    }
    r = gw_reader_of(data, size);
    assert_int_equal(gw_ram_block_entry_decode(&r, layout, ret, NULL), 0);
    assert_int_equal(gw_reader_left(&r), 0);
    gw_ram_block_entry_encode(&w, layout, ret);
    assert_true(gw_writer_ok(&w));
    assert_memory_equal(out, data, size);
}

static void test_entry__plain(void **state)
{
    struct gw_ram_block_layout layout = {0};
    struct gw_ram_block_entry entry;

    (void)state;
    check_entry(&layout, BYTES("\x14/rom@etc/acpi/tables\0\0\0\0\0\0\x10\0"),
                &entry);
    assert_string_equal(entry.idstr, "/rom@etc/acpi/tables");
    assert_int_equal(entry.used_length, 0x1000);
    assert_int_equal(entry.page_size, 0);
    assert_int_equal(entry.address, 0);
}

static void test_entry__huge_pages(void **state)
{
    struct gw_ram_block_layout layout = {.page_size = true};
    struct gw_ram_block_entry entry;

    (void)state;
    check_entry(&layout, BYTES("\1m\0\0\0\0\1\0\0\0\0\0\0\0\0\x20\0\0"),
                &entry);
    assert_int_equal(entry.used_length, 0x1000000);
    assert_int_equal(entry.page_size, 0x200000);
}

static void test_entry__address(void **state)
{
    struct gw_ram_block_layout layout = {.address = true};
    struct gw_ram_block_entry entry;

    (void)state;
    check_entry(&layout, BYTES("\7pc.bios\0\0\0\0\0\2\0\0\0\0\0\0\xff\xfe\0\0"),
                &entry);
    assert_int_equal(entry.address, 0xfffe0000);
}

static int decode_entry(const char *data, size_t size)
{
    struct gw_ram_block_layout layout = {0};
    struct gw_reader r = gw_reader_of(data, size);
    struct gw_ram_block_entry entry;

    return gw_ram_block_entry_decode(&r, &layout, &entry, NULL);
}

static void test_entry__refuses(void **state)
{
    (void)state;
    assert_int_equal(decode_entry(BYTES("\0\0\0\0\0\0\0\x10\0")), -EBADMSG);
    assert_int_equal(decode_entry(BYTES("\1m\0\0\0\0\0\0\x0f\xff")), -EBADMSG);
    assert_int_equal(decode_entry(BYTES("\1m\0\0\0\0\0\0\x10\x00")), 0);
    assert_int_equal(decode_entry(BYTES("\1m\0\0\0\0\0\0\x10\x01")), -EBADMSG);
}

#define MAPPED(version, page, bitmap, pages) version page bitmap pages
#define V1 "\0\0\0\1"
#define P4K "\0\0\0\0\0\0\x10\0"
#define AT_82 "\0\0\0\0\0\0\0\x82"
#define AT_1M "\0\0\0\0\0\x10\0\0"

static void test_mapped__vector(void **state)
{
    struct gw_mapped_header header;

    (void)state;
    wire_check(&mapped_header_codec, BYTES(MAPPED(V1, P4K, AT_82, AT_1M)),
               &header);
    assert_int_equal(header.version, 1);
    assert_int_equal(header.page_size, 4096);
    assert_int_equal(header.bitmap_offset, 0x82);
    assert_int_equal(header.pages_offset, 0x100000);
}

static int decode_mapped(const char *data, size_t size)
{
    struct gw_mapped_header header;
    size_t used;

    return wire_decode(&mapped_header_codec, data, size, &header, &used);
}

static void test_mapped__refuses(void **state)
{
    (void)state;
    assert_int_equal(
        decode_mapped(BYTES(MAPPED("\0\0\0\0", P4K, AT_82, AT_1M))), -ENOTSUP);
    assert_int_equal(
        decode_mapped(BYTES(MAPPED("\0\0\0\2", P4K, AT_82, AT_1M))), -ENOTSUP);
    assert_int_equal(
        decode_mapped(BYTES(MAPPED(V1, "\0\0\0\0\0\0\0\0", AT_82, AT_1M))),
        -EBADMSG);
    assert_int_equal(
        decode_mapped(BYTES(MAPPED(V1, "\0\0\0\0\0\0\x0f\xff", AT_82, AT_1M))),
        -EBADMSG);
    assert_int_equal(
        decode_mapped(BYTES(MAPPED(V1, "\0\0\0\0\0\0\x10\x01", AT_82, AT_1M))),
        -EBADMSG);
    assert_int_equal(
        decode_mapped(BYTES(MAPPED(V1, P4K, AT_82, "\0\0\0\0\0\x10\x02\0"))),
        -EBADMSG);
    assert_int_equal(
        decode_mapped(BYTES(MAPPED(V1, P4K, AT_82, "\0\0\0\0\0\x10\x10\0"))),
        0);
}

static void test_mapped__bitmap_size(void **state)
{
    (void)state;
    assert_int_equal(gw_mapped_bitmap_size(0), 0);
    assert_int_equal(gw_mapped_bitmap_size(1), 8);
    assert_int_equal(gw_mapped_bitmap_size(63), 8);
    assert_int_equal(gw_mapped_bitmap_size(64), 8);
    assert_int_equal(gw_mapped_bitmap_size(65), 16);
    assert_int_equal(gw_mapped_bitmap_size(4096), 512);
    assert_int_equal(gw_mapped_bitmap_size(UINT64_MAX),
                     UINT64_C(0x400000000000000) * 8);
}

/* The example of the spec 4.1: two blocks of a microvm. */
static void test_mapped__plan(void **state)
{
    struct gw_mapped_layout layout;

    (void)state;
    assert_int_equal(gw_mapped_layout_plan(0x82, 0x1000000,
                                           GW_MAPPED_PAGES_ALIGNMENT, &layout),
                     0);
    assert_int_equal(layout.bitmap_offset, 0x82);
    assert_int_equal(layout.bitmap_size, 512);
    assert_int_equal(layout.pages_offset, 0x100000);
    assert_int_equal(layout.next, 0x1100000);
    assert_int_equal(gw_mapped_layout_plan(0x1100039, 0x1000,
                                           GW_MAPPED_PAGES_ALIGNMENT, &layout),
                     0);
    assert_int_equal(layout.bitmap_offset, 0x1100039);
    assert_int_equal(layout.pages_offset, 0x1200000);
    assert_int_equal(layout.next, 0x1201000);
}

/* With offset=5000 the header reads 0x140a and 0x100000 (spec 4.6). */
static void test_mapped__plan_is_absolute(void **state)
{
    struct gw_mapped_layout layout;

    (void)state;
    assert_int_equal(gw_mapped_layout_plan(5000 + 0x82, 0x1000000,
                                           GW_MAPPED_PAGES_ALIGNMENT, &layout),
                     0);
    assert_int_equal(layout.bitmap_offset, 0x140a);
    assert_int_equal(layout.pages_offset, 0x100000);
}

static void test_mapped__plan_limits(void **state)
{
    const uint64_t last = (uint64_t)INT64_MAX - 4095; /* page aligned */
    struct gw_mapped_layout layout;

    (void)state;
    assert_int_equal(
        gw_mapped_layout_plan(0, last - 0x1000 - 0x1000, 4096, &layout),
        -EOVERFLOW);
    assert_int_equal(
        gw_mapped_layout_plan(last - 0x2000, 0x1000, 4096, &layout), 0);
    assert_int_equal(layout.next, last);
    assert_int_equal(
        gw_mapped_layout_plan(last - 0x1000, 0x1000, 4096, &layout),
        -EOVERFLOW);
    assert_int_equal(gw_mapped_layout_plan(UINT64_MAX, 0x1000, 4096, &layout),
                     -EOVERFLOW);
    assert_int_equal(gw_mapped_layout_plan(0, UINT64_MAX - 4095, 4096, &layout),
                     -EOVERFLOW);
}

/* A block of one page whose header ends at 100, in a file of 12288 bytes. */
static int check_layout(uint64_t bitmap, uint64_t pages, uint64_t file_size)
{
    struct gw_mapped_header header = {.version = 1,
                                      .page_size = 4096,
                                      .bitmap_offset = bitmap,
                                      .pages_offset = pages};
    struct gw_wire_fault fault = {""};
    struct gw_mapped_layout layout;
    int rc =
        gw_mapped_layout_check(&header, 100, 4096, file_size, &layout, &fault);

    if (rc == 0) {
        assert_int_equal(layout.bitmap_size, 8);
        assert_int_equal(layout.next, pages + 4096);
    } else {
        assert_string_not_equal(fault.text, "");
    }
    return rc;
}

static void test_mapped__check(void **state)
{
    (void)state;
    assert_int_equal(check_layout(99, 4096, 12288), -EBADMSG);
    assert_int_equal(check_layout(100, 4096, 12288), 0);
    assert_int_equal(check_layout(4088, 4096, 12288), 0);
    assert_int_equal(check_layout(4089, 4096, 12288), -EBADMSG);
    assert_int_equal(check_layout(100, 8192, 12288), 0);
    assert_int_equal(check_layout(100, 8192, 12287), -EBADMSG);
    assert_int_equal(check_layout(12280, 12288, 0), 0);
    assert_int_equal(check_layout(12281, 16384, 12288), -EBADMSG);
    assert_int_equal(check_layout(UINT64_MAX - 7, 4096, 12288), -EBADMSG);
    assert_int_equal(check_layout(UINT64_MAX, 4096, 0), -EBADMSG);
    assert_int_equal(check_layout(UINT64_MAX - 8, 4096, UINT64_MAX), -EBADMSG);
    assert_int_equal(check_layout(100, UINT64_MAX - 4095, 0), -EBADMSG);
    assert_int_equal(check_layout(100, (uint64_t)INT64_MAX - 4095, 0),
                     -EBADMSG);
    assert_int_equal(check_layout(100, (uint64_t)INT64_MAX - 8191, 0), 0);
}

static void test_bitmap__find_and_count(void **state)
{
    uint8_t bits[16] = {0};

    (void)state;
    gw_mapped_bitmap_set(bits, 0);
    gw_mapped_bitmap_set(bits, 9);
    gw_mapped_bitmap_set(bits, 127);
    assert_int_equal(bits[0], 0x01);
    assert_int_equal(bits[1], 0x02);
    assert_int_equal(bits[15], 0x80);
    assert_int_equal(gw_mapped_bitmap_find(bits, 128, 0, true), 0);
    assert_int_equal(gw_mapped_bitmap_find(bits, 128, 1, true), 9);
    assert_int_equal(gw_mapped_bitmap_find(bits, 128, 10, true), 127);
    assert_int_equal(gw_mapped_bitmap_find(bits, 127, 10, true), 127);
    assert_int_equal(gw_mapped_bitmap_find(bits, 128, 0, false), 1);
    assert_int_equal(gw_mapped_bitmap_find(bits, 128, 127, false), 128);
    assert_int_equal(gw_mapped_bitmap_find(bits, 128, 200, true), 128);
    assert_int_equal(gw_mapped_bitmap_count(bits, 128), 3);
    assert_int_equal(gw_mapped_bitmap_count(bits, 127), 2);
    assert_int_equal(gw_mapped_bitmap_count(bits, 9), 1);
    gw_mapped_bitmap_clear(bits, 9);
    assert_false(gw_mapped_bitmap_test(bits, 9));
    assert_int_equal(gw_mapped_bitmap_count(bits, 128), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record__zero_page),
        cmocka_unit_test(test_record__zero_page_continued),
        cmocka_unit_test(test_record__page),
        cmocka_unit_test(test_run__ends),
        cmocka_unit_test(test_run__is_cut_off),
        cmocka_unit_test(test_record__block_table),
        cmocka_unit_test(test_record__end_ignores_stray_bits),
        cmocka_unit_test(test_record__every_flag_combination),
        cmocka_unit_test(test_record__zero_page_fill),
        cmocka_unit_test(test_record__empty_block_name),
        cmocka_unit_test(test_record__unaligned_offset_is_not_encoded),
        cmocka_unit_test(test_record__names),
        cmocka_unit_test(test_entry__plain),
        cmocka_unit_test(test_entry__huge_pages),
        cmocka_unit_test(test_entry__address),
        cmocka_unit_test(test_entry__refuses),
        cmocka_unit_test(test_mapped__vector),
        cmocka_unit_test(test_mapped__refuses),
        cmocka_unit_test(test_mapped__bitmap_size),
        cmocka_unit_test(test_mapped__plan),
        cmocka_unit_test(test_mapped__plan_is_absolute),
        cmocka_unit_test(test_mapped__plan_limits),
        cmocka_unit_test(test_mapped__check),
        cmocka_unit_test(test_bitmap__find_and_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

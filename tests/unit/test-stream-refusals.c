/*
 * Streams that the reader refuses, with which code and words: the list of
 * the stream spec 7.1, and what follows from the order of things.
 */
#include "stream/reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "stream-recorder.h"

/* What is refused. */
struct refusal {
    const char *name;
    void (*build)(struct gw_buffer *b);
    int code;
    const char *text; /* part of the error's */
};

static void build_empty(struct gw_buffer *b)
{
    (void)b;
}

static void build_magic(struct gw_buffer *b)
{
    gw_buffer_put_bytes(b, "QEVN\0\0\0\3", 8);
}

static void build_version_2(struct gw_buffer *b)
{
    gw_buffer_put_bytes(b, "QEVM\0\0\0\2", 8);
}

static void build_version_4(struct gw_buffer *b)
{
    gw_buffer_put_bytes(b, "QEVM\0\0\0\4", 8);
}

static void build_header_cut(struct gw_buffer *b)
{
    gw_buffer_put_bytes(b, "QEVM\0\0\0", 7);
}

static void put_config_head(struct gw_buffer *b)
{
    sb_header(b);
    sb_config(b, "m");
}

static void build_machine_name_4g(struct gw_buffer *b)
{
    sb_header(b);
    gw_buffer_put_u8(b, 0x07);
    gw_buffer_put_be32(b, 0xffffffff);
    sb_fill(b, 'x', 5000);
}

static void build_machine_name_256(struct gw_buffer *b)
{
    sb_header(b);
    gw_buffer_put_u8(b, 0x07);
    gw_buffer_put_be32(b, 256);
    sb_fill(b, 'x', 256);
    sb_eof(b);
}

static void build_machine_name_nul(struct gw_buffer *b)
{
    sb_header(b);
    gw_buffer_put_u8(b, 0x07);
    gw_buffer_put_be32(b, 2);
    gw_buffer_put_bytes(b, "m\0", 2);
    sb_eof(b);
}

static void build_unknown_capability(struct gw_buffer *b)
{
    put_config_head(b);
    sb_capability(b, "teleport");
    sb_eof(b);
}

static void build_capabilities_version_0(struct gw_buffer *b)
{
    put_config_head(b);
    sb_subsection(b, "configuration/capabilities", 0);
    gw_buffer_put_be32(b, 0);
    sb_eof(b);
}

static void build_capabilities_version_2(struct gw_buffer *b)
{
    put_config_head(b);
    sb_subsection(b, "configuration/capabilities", 2);
    gw_buffer_put_be32(b, 0);
    sb_eof(b);
}

static void build_capabilities_many(struct gw_buffer *b)
{
    put_config_head(b);
    sb_subsection(b, "configuration/capabilities", 1);
    gw_buffer_put_be32(b, 0xffffffff);
    sb_eof(b);
}

static void build_page_bits(struct gw_buffer *b)
{
    put_config_head(b);
    sb_subsection(b, "configuration/target-page-bits", 1);
    gw_buffer_put_be32(b, 16);
    sb_eof(b);
}

static void build_unknown_subsection(struct gw_buffer *b)
{
    put_config_head(b);
    sb_subsection(b, "configuration/x", 1);
    sb_eof(b);
}

static void build_subsection_twice(struct gw_buffer *b)
{
    put_config_head(b);
    sb_capability(b, "mapped-ram");
    sb_capability(b, "mapped-ram");
    sb_eof(b);
}

static void build_mapped_ignore_shared(struct gw_buffer *b)
{
    put_config_head(b);
    sb_subsection(b, "configuration/capabilities", 1);
    gw_buffer_put_be32(b, 2);
    sb_name(b, "x-ignore-shared");
    sb_name(b, "mapped-ram");
    sb_eof(b);
}

static void build_subsection_at_top(struct gw_buffer *b)
{
    put_config_head(b);
    sb_subsection(b, "elsewhere/x", 1);
    sb_eof(b);
}

static void build_unknown_type(struct gw_buffer *b)
{
    put_config_head(b);
    gw_buffer_put_u8(b, 0x09);
}

static void build_description_before_eof(struct gw_buffer *b)
{
    put_config_head(b);
    sb_description(b, "{}");
    sb_eof(b);
}

static void build_second_configuration(struct gw_buffer *b)
{
    put_config_head(b);
    sb_config(b, "m");
    sb_eof(b);
}

static void build_no_eof(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 5);
}

static void build_empty_idstr(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "", 0, 1);
    sb_footer(b, 5);
}

static void build_footer_missing(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_eof(b);
    sb_fill(b, 0, 10);
}

static void build_footer_id(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 6);
    sb_eof(b);
}

static void build_data_short(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev2", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 5);
    sb_eof(b);
    sb_fill(b, 0, 10);
}

static void build_data_long(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_be16(b, 0);
    sb_footer(b, 5);
    sb_eof(b);
    sb_fill(b, 0, 10);
}

static void build_foreign_subsection(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_subsection(b, "other/x", 1);
    sb_footer(b, 5);
    sb_eof(b);
}

static void build_part_of_id_0(struct gw_buffer *b)
{
    put_config_head(b);
    sb_empty(b, SB_PART, 0);
    sb_eof(b);
}

static void build_end_of_unknown_id(struct gw_buffer *b)
{
    put_start(b);
    sb_empty(b, SB_END, 77);
    sb_eof(b);
}

static void build_part_after_end(struct gw_buffer *b)
{
    put_start(b);
    sb_empty(b, SB_END, 1);
    sb_empty(b, SB_PART, 1);
    sb_eof(b);
}

static void build_part_of_full(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 5);
    sb_empty(b, SB_PART, 5);
    sb_eof(b);
}

static void build_section_twice(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 5);
    sb_named(b, SB_FULL, 6, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 6);
    sb_eof(b);
}

static void build_section_id_twice(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 5, "dev1", 0, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 5);
    sb_named(b, SB_FULL, 5, "dev1", 1, 1);
    gw_buffer_put_u8(b, 0);
    sb_footer(b, 5);
    sb_eof(b);
}

static void put_ram_head(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_START, 1, "ram", 0, 4);
}

static void build_ram_version(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_START, 1, "ram", 0, 3);
}

static void build_ram_instance(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_START, 1, "ram", 1, 4);
}

static void build_ram_full(struct gw_buffer *b)
{
    put_config_head(b);
    sb_named(b, SB_FULL, 1, "ram", 0, 4);
}

static void build_ram_twice(struct gw_buffer *b)
{
    put_start(b);
    sb_named(b, SB_START, 2, "ram", 0, 4);
}

static void build_ram_end_missing(struct gw_buffer *b)
{
    put_start(b);
    sb_empty(b, SB_PART, 1);
    sb_eof(b);
}

static void build_table_missing(struct gw_buffer *b)
{
    put_ram_head(b);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    put_tail(b);
}

static void build_table_overshoots(struct gw_buffer *b)
{
    put_ram_head(b);
    sb_word(b, 0x2000 | 0x04);
    sb_block(b, "a", 0x1000);
    sb_block(b, "b", 0x2000);
    sb_word(b, 0x10);
}

static void build_table_undershoots(struct gw_buffer *b)
{
    put_ram_head(b);
    sb_word(b, 0x2000 | 0x04);
    sb_block(b, "a", 0x1000);
    sb_word(b, 0x10);
}

static void build_table_unaligned(struct gw_buffer *b)
{
    put_ram_head(b);
    sb_word(b, 0x2000 | 0x04);
    sb_block(b, "a", 0x1800);
    sb_block(b, "b", 0x0800);
}

static void build_table_block_twice(struct gw_buffer *b)
{
    put_ram_head(b);
    sb_word(b, 0x2000 | 0x04);
    sb_block(b, "a", 0x1000);
    sb_block(b, "a", 0x1000);
}

static void build_table_again(struct gw_buffer *b)
{
    put_start(b);
    sb_more(b, SB_PART, 1);
    sb_word(b, 0x1000 | 0x04);
    sb_block(b, "a", 0x1000);
}

static void build_page_before_table(struct gw_buffer *b)
{
    put_ram_head(b);
    sb_zero_page(b, "a", 0);
    sb_word(b, 0x1000 | 0x04);
    sb_block(b, "a", 0x1000);
}

static void put_part(struct gw_buffer *b)
{
    put_start(b);
    sb_more(b, SB_PART, 1);
}

static void build_continue_first(struct gw_buffer *b)
{
    put_part(b);
    sb_word(b, 0x22);
    gw_buffer_put_u8(b, 0);
}

static void build_unknown_block(struct gw_buffer *b)
{
    put_part(b);
    sb_zero_page(b, "c", 0);
}

static void build_block_name_prefix(struct gw_buffer *b)
{
    put_part(b);
    sb_zero_page(b, "aa", 0);
}

static void build_offset_at_end(struct gw_buffer *b)
{
    put_part(b);
    sb_zero_page(b, "a", 0x3000);
}

static void build_offset_huge(struct gw_buffer *b)
{
    put_part(b);
    sb_zero_page(b, "a", 0xfffffffffffff000);
}

static void build_zero_page_fill(struct gw_buffer *b)
{
    put_part(b);
    sb_word(b, 0x02);
    sb_name(b, "a");
    gw_buffer_put_u8(b, 1);
}

static void build_page_cut(struct gw_buffer *b)
{
    put_part(b);
    sb_word(b, 0x1008);
    sb_name(b, "a");
    sb_fill(b, 1, SB_PAGE - 1);
}

/* A record with these flags in a PART. */
static void put_flags(struct gw_buffer *b, uint64_t flags)
{
    put_part(b);
    sb_word(b, flags);
    sb_name(b, "a");
    sb_fill(b, 0, 2 * SB_PAGE);
}

#define FLAGS_CASE(flags)                                \
    static void build_flags_##flags(struct gw_buffer *b) \
    {                                                    \
        put_flags(b, 0x##flags);                         \
    }

FLAGS_CASE(000)
FLAGS_CASE(001)
FLAGS_CASE(00a)
FLAGS_CASE(024)
FLAGS_CASE(040)
FLAGS_CASE(080)
FLAGS_CASE(100)
FLAGS_CASE(102)
FLAGS_CASE(402)

static void build_mapped_with(struct gw_buffer *b,
                              void (*change)(struct mapped_case *c))
{
    struct mapped_case c = mapped_good;

    change(&c);
    put_mapped(b, &c);
}

#define MAPPED_CASE(name, change)                        \
    static void change_##name(struct mapped_case *c)     \
    {                                                    \
        change;                                          \
    }                                                    \
    static void build_mapped_##name(struct gw_buffer *b) \
    {                                                    \
        build_mapped_with(b, change_##name);             \
    }

MAPPED_CASE(version_0, c->version = 0)
MAPPED_CASE(version_2, c->version = 2)
MAPPED_CASE(page_size_0, c->page_size = 0)
MAPPED_CASE(page_size_8192, c->page_size = 8192)
MAPPED_CASE(pages_unaligned, c->pages_shift = 512)
MAPPED_CASE(bitmap_before_header, c->bitmap_shift = -1)
MAPPED_CASE(bitmap_beyond_file, c->bitmap_shift = 0x100000)
MAPPED_CASE(bitmap_wraps, c->bitmap_shift = INT64_MAX)
MAPPED_CASE(pages_overlap, c->pages_shift = -SB_PAGE)
MAPPED_CASE(pages_beyond_file, c->pages_shift = 0x100000)
MAPPED_CASE(pages_wrap, c->set_page = 0xfffffffffffff000)
MAPPED_CASE(bits_beyond_block, c->bits = 0x0f)
MAPPED_CASE(last_bit_beyond_block, c->bits = 0x80)
MAPPED_CASE(tail_cut, c->cut = 1)
MAPPED_CASE(pages_cut, c->cut = 60)

static void build_mapped_page_record(struct gw_buffer *b)
{
    put_mapped(b, &mapped_good);
    b->size -= 19; /* END and the end mark */
    sb_more(b, SB_PART, 1);
    sb_zero_page(b, "a", 0);
}

static void build_mapped_flush(struct gw_buffer *b)
{
    put_mapped(b, &mapped_good);
    b->size -= 19;
    sb_more(b, SB_PART, 1);
    sb_word(b, 0x200);
}

/* A command with `size` bytes of data. */
static void put_command(struct gw_buffer *b, uint16_t command, uint16_t size)
{
    put_config_head(b);
    sb_command(b, command, size);
    sb_eof(b);
}

static void build_command_0(struct gw_buffer *b)
{
    put_command(b, 0, 0);
}

static void build_command_12(struct gw_buffer *b)
{
    put_command(b, 12, 0);
}

static void build_command_size(struct gw_buffer *b)
{
    put_command(b, 2, 5);
}

static void build_command_cut(struct gw_buffer *b)
{
    put_command(b, 2, 4);
    b->size -= 2;
}

static void build_command_advise(struct gw_buffer *b)
{
    put_command(b, 3, 16);
}

static void build_command_listen(struct gw_buffer *b)
{
    put_command(b, 4, 0);
}

static void build_command_run(struct gw_buffer *b)
{
    put_command(b, 5, 0);
}

static void build_command_discard(struct gw_buffer *b)
{
    put_command(b, 6, 20);
}

static void build_command_packaged(struct gw_buffer *b)
{
    put_command(b, 7, 4);
}

static void build_command_colo(struct gw_buffer *b)
{
    put_command(b, 8, 0);
}

static void build_command_resume(struct gw_buffer *b)
{
    put_command(b, 9, 0);
}

static void build_command_recv_bitmap(struct gw_buffer *b)
{
    put_command(b, 10, 2);
}

#define REFUSAL(name, code, text)                               \
    {                                                           \
        "test_reader__refuses_" #name, build_##name, code, text \
    }

static struct refusal refusals[] = {
    REFUSAL(empty, -ENODATA, "file header at offset 0x0: the data ends"),
    REFUSAL(magic, -EBADMSG, "magic 0x5145564e, expected 0x5145564d"),
    REFUSAL(version_2, -ENOTSUP, "obsolete stream version 2, expected 3"),
    REFUSAL(version_4, -ENOTSUP, "unknown stream version 4, expected 3"),
    REFUSAL(header_cut, -ENODATA, "the data ends after 7 bytes of it"),
    REFUSAL(machine_name_4g, -EOVERFLOW,
            "a name of 4294967295 bytes, expected at most 255"),
    REFUSAL(machine_name_256, -EOVERFLOW, "a name of 256 bytes"),
    REFUSAL(machine_name_nul, -EBADMSG, "control character 0x00 at byte 1"),
    REFUSAL(unknown_capability, -ENOTSUP, "unknown capability 'teleport'"),
    REFUSAL(capabilities_version_0, -ENOTSUP,
            "'configuration/capabilities' version 0, expected 1"),
    REFUSAL(capabilities_version_2, -ENOTSUP,
            "'configuration/capabilities' version 2, expected 1"),
    REFUSAL(capabilities_many, -EOVERFLOW, "4294967295 capabilities"),
    REFUSAL(page_bits, -ENOTSUP, "target pages of 2^16 bytes, expected 4096"),
    REFUSAL(unknown_subsection, -ENOENT,
            "unknown subsection 'configuration/x'"),
    REFUSAL(subsection_twice, -EPROTO,
            "subsection 'configuration/capabilities' twice"),
    REFUSAL(mapped_ignore_shared, -ENOTSUP,
            "mapped-ram together with x-ignore-shared"),
    REFUSAL(subsection_at_top, -EBADMSG,
            "type byte 0x05 (subsection) at offset 0xe"),
    REFUSAL(unknown_type, -EBADMSG, "unknown section type 0x09 at offset 0xe"),
    REFUSAL(description_before_eof, -EBADMSG, "type byte 0x06 (description)"),
    REFUSAL(second_configuration, -EBADMSG, "type byte 0x07 (configuration)"),
    REFUSAL(no_eof, -ENODATA, "without its end mark"),
    REFUSAL(empty_idstr, -EBADMSG, "section 5 has an empty name"),
    REFUSAL(footer_missing, -EBADMSG,
            "section 'dev1' instance 0 (full) at offset 0xe: section footer "
            "at offset 0x21: expected a footer (0x7e), found 0x00"),
    REFUSAL(footer_id, -EBADMSG, "section id 6, expected 5"),
    REFUSAL(data_short, -EBADMSG, "expected a footer (0x7e), found 0x00"),
    REFUSAL(data_long, -EBADMSG, "expected a footer (0x7e), found 0x00"),
    REFUSAL(foreign_subsection, -EBADMSG,
            "expected a footer (0x7e), found 0x05"),
    REFUSAL(part_of_id_0, -EPROTO, "section id 0 was not started before"),
    REFUSAL(end_of_unknown_id, -EPROTO, "section id 77 was not started before"),
    REFUSAL(part_after_end, -EPROTO, "section 'ram' has ended already"),
    REFUSAL(part_of_full, -EPROTO, "section 'dev1' has ended already"),
    REFUSAL(section_twice, -EPROTO, "it comes twice, first at offset 0xe"),
    REFUSAL(section_id_twice, -EPROTO, "section id 5 is that of section"),
    REFUSAL(ram_version, -ENOTSUP, "RAM version 3, expected 4"),
    REFUSAL(ram_instance, -EPROTO, "RAM instance 1, expected 0"),
    REFUSAL(ram_full, -EPROTO, "RAM in a full section"),
    REFUSAL(ram_twice, -EPROTO, "it comes twice"),
    REFUSAL(ram_end_missing, -EPROTO, "section 'ram' has no end"),
    REFUSAL(table_missing, -EPROTO, "has no block table"),
    REFUSAL(table_overshoots, -EBADMSG,
            "RAM block 'b' at offset 0x31: length 8192 is beyond the RAM "
            "table's total, of which 4096 is left"),
    REFUSAL(table_undershoots, -EBADMSG,
            "4096 bytes of the RAM table's total are still to be listed"),
    REFUSAL(table_unaligned, -EBADMSG,
            "length 0x1800 is not a multiple of the page size"),
    REFUSAL(table_block_twice, -EPROTO, "the block is listed twice"),
    REFUSAL(table_again, -EPROTO, "a second RAM block table"),
    REFUSAL(page_before_table, -EPROTO, "a page before the RAM block table"),
    REFUSAL(continue_first, -EPROTO, "none was named before"),
    REFUSAL(unknown_block, -EPROTO,
            "RAM block 'c', which the table does not list"),
    REFUSAL(block_name_prefix, -EPROTO, "RAM block 'aa', which the table"),
    REFUSAL(offset_at_end, -EBADMSG,
            "a page at offset 0x3000 of RAM block 'a', which has 0x3000"),
    REFUSAL(offset_huge, -EBADMSG, "a page at offset 0xfffffffffffff000"),
    REFUSAL(zero_page_fill, -EBADMSG, "is filled with 0x01, expected 0x00"),
    REFUSAL(page_cut, -ENODATA, "page at offset 0x1000 of RAM block 'a'"),
    REFUSAL(flags_000, -EBADMSG, "unknown RAM record flags 0x000"),
    REFUSAL(flags_001, -ENOTSUP, "is obsolete"),
    REFUSAL(flags_00a, -EBADMSG, "unknown RAM record flags 0x00a"),
    REFUSAL(flags_024, -EBADMSG, "unknown RAM record flags 0x024"),
    REFUSAL(flags_040, -ENOTSUP, "XBZRLE page (flag 0x040) is not supported"),
    REFUSAL(flags_080, -ENOTSUP, "RDMA hook (flag 0x080) is not supported"),
    REFUSAL(flags_100, -ENOTSUP,
            "compressed page (flag 0x100) is not supported"),
    REFUSAL(flags_102, -EBADMSG, "unknown RAM record flags 0x102"),
    REFUSAL(flags_402, -EBADMSG, "unknown RAM record flags 0x402"),
    REFUSAL(mapped_version_0, -ENOTSUP, "header version 0, expected 1"),
    REFUSAL(mapped_version_2, -ENOTSUP, "header version 2, expected 1"),
    REFUSAL(mapped_page_size_0, -EBADMSG, "page size 0, expected 4096"),
    REFUSAL(mapped_page_size_8192, -EBADMSG, "page size 8192, expected 4096"),
    REFUSAL(mapped_pages_unaligned, -EBADMSG,
            "pages at 0x1200, expected a multiple of 4096"),
    REFUSAL(mapped_bitmap_before_header, -EBADMSG,
            "bitmap at 0x7b, expected behind its header at 0x7c"),
    REFUSAL(mapped_bitmap_beyond_file, -EBADMSG,
            "bitmap of 8 bytes at 0x10007c is beyond the file's end"),
    REFUSAL(mapped_bitmap_wraps, -EBADMSG, "is beyond the file's end"),
    REFUSAL(mapped_pages_overlap, -EBADMSG,
            "pages at 0x0 overlap what is before them"),
    REFUSAL(mapped_pages_beyond_file, -EBADMSG,
            "pages of 12288 bytes at 0x101000 are beyond the file's end"),
    REFUSAL(mapped_pages_wrap, -EBADMSG, "are beyond the file's end"),
    REFUSAL(mapped_bits_beyond_block, -EBADMSG,
            "bit 3 of its bitmap is beyond its 3 pages"),
    REFUSAL(mapped_last_bit_beyond_block, -EBADMSG,
            "bit 7 of its bitmap is beyond its 3 pages"),
    REFUSAL(mapped_tail_cut, -ENODATA, "without its end mark"),
    REFUSAL(mapped_pages_cut, -EBADMSG,
            "pages of 4096 bytes at 0x5000 are beyond the file's end"),
    REFUSAL(mapped_page_record, -EPROTO, "page record in a mapped-ram stream"),
    REFUSAL(mapped_flush, -EPROTO, "multifd flush in a mapped-ram stream"),
    REFUSAL(command_0, -EBADMSG, "unknown command 0"),
    REFUSAL(command_12, -EBADMSG, "unknown command 12"),
    REFUSAL(command_size, -ERANGE,
            "command ping with 5 bytes of data, expected 4"),
    REFUSAL(command_cut, -ENODATA, "command ping at offset 0xe"),
    REFUSAL(command_advise, -ENOTSUP, "command postcopy-advise at offset"),
    REFUSAL(command_listen, -ENOTSUP, "command postcopy-listen at offset"),
    REFUSAL(command_run, -ENOTSUP, "command postcopy-run at offset"),
    REFUSAL(command_discard, -ENOTSUP, "command postcopy-ram-discard"),
    REFUSAL(command_packaged, -ENOTSUP, "command packaged at offset"),
    REFUSAL(command_colo, -ENOTSUP, "command enable-colo at offset"),
    REFUSAL(command_resume, -ENOTSUP, "command postcopy-resume at offset"),
    REFUSAL(command_recv_bitmap, -ENOTSUP, "command recv-bitmap at offset"),
};

static void test_reader__refuses(void **state)
{
    const struct refusal *refusal = *state;
    struct recorder rec = {.read_bitmaps = true};
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int rc;

    refusal->build(&b);
    assert_true(gw_buffer_ok(&b));
    rc = run_recorder(&rec, b.data, b.size, NULL, &error);
    gw_buffer_deinit(&rec.log);
    if (!strstr(gw_error_text(error), refusal->text)) {
        fail_msg("found \"%s\", expected in it \"%s\"", gw_error_text(error),
                 refusal->text);
    }
    assert_int_equal(rc, refusal->code);
}

int main(void)
{
    struct CMUnitTest tests[GW_ARRAY_SIZE(refusals)];
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(refusals); i++) {
        tests[i] = (struct CMUnitTest){.name = refusals[i].name,
                                       .test_func = test_reader__refuses,
                                       .initial_state = &refusals[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

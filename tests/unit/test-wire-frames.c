/*
 * Codecs of what frames a stream: file header, sections, commands,
 * description, and names. Vectors are from the stream spec.
 */
#include <errno.h>

#include "wire-check.h"
#include "wire/command.h"
#include "wire/description.h"
#include "wire/header.h"
#include "wire/section.h"

WIRE_CODEC(file_header, struct gw_file_header);
WIRE_CODEC(section_header, struct gw_section_header);
WIRE_CODEC(section_footer, struct gw_section_footer);
WIRE_CODEC(command_header, struct gw_command_header);
WIRE_CODEC(description_header, struct gw_description_header);

static void test_header__vector(void **state)
{
    struct gw_file_header header;

    (void)state;
    wire_check(&file_header_codec, BYTES("QEVM\0\0\0\3"), &header);
    assert_int_equal(header.version, 3);
}

static int decode_header(const char *data, size_t size)
{
    struct gw_file_header header;
    size_t used;

    return wire_decode(&file_header_codec, data, size, &header, &used);
}

static void test_header__refuses_others(void **state)
{
    (void)state;
    assert_int_equal(decode_header(BYTES("QEVN\0\0\0\3")), -EBADMSG);
    assert_int_equal(decode_header(BYTES("\x11\x22\x33\x44\0\0\0\1")),
                     -EBADMSG);
    assert_int_equal(decode_header(BYTES("QEVM\0\0\0\2")), -ENOTSUP);
    assert_int_equal(decode_header(BYTES("QEVM\0\0\0\4")), -ENOTSUP);
    assert_int_equal(decode_header(BYTES("QEVM\3\0\0\0")), -ENOTSUP);
}

static void test_section__start_of_ram(void **state)
{
    struct gw_section_header header;

    (void)state;
    wire_check(&section_header_codec, BYTES("\1\0\0\0\1\3ram\0\0\0\0\0\0\0\4"),
               &header);
    assert_int_equal(header.kind, GW_SECTION_START);
    assert_int_equal(header.section_id, 1);
    assert_string_equal(header.idstr, "ram");
    assert_int_equal(header.instance_id, 0);
    assert_int_equal(header.version, 4);
}

static void test_section__full(void **state)
{
    struct gw_section_header header;

    (void)state;
    wire_check(&section_header_codec,
               BYTES("\4\0\0\0\3\6fw_cfg\0\0\0\1\0\0\0\2"), &header);
    assert_int_equal(header.kind, GW_SECTION_FULL);
    assert_string_equal(header.idstr, "fw_cfg");
    assert_int_equal(header.instance_id, 1);
    assert_int_equal(header.version, 2);
}

static void test_section__part_and_end_have_no_name(void **state)
{
    struct gw_section_header header;

    (void)state;
    wire_check(&section_header_codec, BYTES("\2\0\0\0\1"), &header);
    assert_int_equal(header.kind, GW_SECTION_PART);
    wire_check(&section_header_codec, BYTES("\3\xff\xff\xff\xff"), &header);
    assert_int_equal(header.kind, GW_SECTION_END);
    assert_int_equal(header.section_id, 0xffffffff);
    assert_string_equal(header.idstr, "");
}

static void test_section__longest_name(void **state)
{
    struct gw_section_header header = {.kind = GW_SECTION_FULL};
    struct gw_section_header again;
    uint8_t out[GW_SECTION_HEADER_MAX];
    struct gw_writer w = gw_writer_of(out, sizeof(out));

    (void)state;
    memset(header.idstr, 'n', GW_NAME_MAX);
    gw_section_header_encode(&w, &header);
    assert_true(gw_writer_ok(&w));
    assert_int_equal(w.pos - out, GW_SECTION_HEADER_MAX);
    wire_check(&section_header_codec, out, (size_t)(w.pos - out), &again);
    assert_string_equal(again.idstr, header.idstr);
}

static int decode_section(const char *data, size_t size)
{
    struct gw_section_header header;
    size_t used;

    return wire_decode(&section_header_codec, data, size, &header, &used);
}

static void test_section__refuses(void **state)
{
    char data[] = "\4\0\0\0\3\1n\0\0\0\0\0\0\0\0";
    int type;

    (void)state;
    for (type = 0; type < 256; type++) {
        data[0] = (char)type;
        assert_int_equal(decode_section(data, sizeof(data) - 1),
                         type >= 1 && type <= 4 ? 0 : -EBADMSG);
    }
    assert_int_equal(decode_section(BYTES("\4\0\0\0\3\0\0\0\0\0\0\0\0\0")),
                     -EBADMSG);
    assert_int_equal(decode_section(BYTES("\4\0\0\0\3\2n\0\0\0\0\0\0\0\0\0")),
                     -EBADMSG);
    assert_int_equal(decode_section(BYTES("\4\0\0\0\3\2n\x1b\0\0\0\0\0\0\0\0")),
                     -EBADMSG);
}

static void test_footer__vector(void **state)
{
    struct gw_section_footer footer;
    size_t used;

    (void)state;
    wire_check(&section_footer_codec, BYTES("\x7e\0\0\0\3"), &footer);
    assert_int_equal(footer.section_id, 3);
    assert_int_equal(wire_decode(&section_footer_codec, BYTES("\x7d\0\0\0\3"),
                                 &footer, &used),
                     -EBADMSG);
}

static void test_types__have_names(void **state)
{
    (void)state;
    assert_string_equal(gw_stream_type_name(0x00), "end of stream");
    assert_string_equal(gw_stream_type_name(0x03), "end");
    assert_string_equal(gw_stream_type_name(0x7e), "footer");
    assert_null(gw_stream_type_name(0x09));
}

static void test_command__switchover_start(void **state)
{
    struct gw_command_header header;

    (void)state;
    wire_check(&command_header_codec, BYTES("\x08\0\x0b\0\0"), &header);
    assert_int_equal(header.command, GW_COMMAND_SWITCHOVER_START);
    assert_int_equal(header.size, 0);
    assert_string_equal(gw_command_name(11), "switchover-start");
}

static int decode_command(uint16_t command, uint16_t size)
{
    uint8_t data[GW_COMMAND_HEADER_SIZE];
    struct gw_writer w = gw_writer_of(data, sizeof(data));
    struct gw_command_header header = {command, size};
    size_t used;

    gw_command_header_encode(&w, &header);
    return wire_decode(&command_header_codec, data, sizeof(data), &header,
                       &used);
}

static void test_command__numbers(void **state)
{
    struct gw_command_header header;
    size_t used;

    (void)state;
    assert_int_equal(decode_command(0, 0), -EBADMSG);
    assert_int_equal(decode_command(1, 0), 0);
    assert_int_equal(decode_command(11, 0), 0);
    assert_int_equal(decode_command(12, 0), -EBADMSG);
    assert_int_equal(decode_command(0xffff, 0), -EBADMSG);
    assert_null(gw_command_name(0));
    assert_null(gw_command_name(12));
    assert_int_equal(wire_decode(&command_header_codec, BYTES("\x07\0\x0b\0\0"),
                                 &header, &used),
                     -EBADMSG);
}

static void test_command__sizes(void **state)
{
    static const struct {
        uint16_t command, min, max;
    } limits[] = {{1, 0, 0}, {2, 4, 4},    {3, 0, 16},      {4, 0, 0},
                  {5, 0, 0}, {7, 4, 4},    {6, 19, 0xffff}, {8, 0, 0},
                  {9, 0, 0}, {10, 1, 256}, {11, 0, 0}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        assert_int_equal(decode_command(limits[i].command, limits[i].min), 0);
        assert_int_equal(decode_command(limits[i].command, limits[i].max), 0);
        if (limits[i].min > 0) {
            assert_int_equal(decode_command(limits[i].command,
                                            (uint16_t)(limits[i].min - 1)),
                             -ERANGE);
        }
        if (limits[i].max < 0xffff) {
            assert_int_equal(decode_command(limits[i].command,
                                            (uint16_t)(limits[i].max + 1)),
                             -ERANGE);
        }
    }
}

static void test_description__frame(void **state)
{
    struct gw_description_header header;
    size_t used;

    (void)state;
    wire_check(&description_header_codec, BYTES("\6\0\0\x12\x34"), &header);
    assert_int_equal(header.size, 0x1234);
    assert_int_equal(wire_decode(&description_header_codec, BYTES("\5\0\0\0\0"),
                                 &header, &used),
                     -EBADMSG);
}

static void test_name__limits(void **state)
{
    char name[GW_STREAM_NAME_SIZE];
    char data[GW_NAME_MAX + 1];
    struct gw_reader r = gw_reader_of(data, sizeof(data));

    (void)state;
    memset(data, 'x', sizeof(data));
    assert_int_equal(gw_name_take(&r, 0, name, NULL), 0);
    assert_string_equal(name, "");
    assert_int_equal(gw_name_take(&r, GW_NAME_MAX, name, NULL), 0);
    assert_int_equal(strlen(name), GW_NAME_MAX);
    assert_int_equal(gw_reader_left(&r), 1);
    assert_int_equal(gw_name_take(&r, 2, name, NULL), GW_SHORT);
    assert_int_equal(gw_name_take(&r, GW_NAME_MAX + 1, name, NULL), -EOVERFLOW);
    assert_int_equal(gw_name_take(&r, 0xffffffff, name, NULL), -EOVERFLOW);
}

static void test_name__control_characters(void **state)
{
    char name[GW_STREAM_NAME_SIZE];
    int byte;

    (void)state;
    for (byte = 0; byte < 256; byte++) {
        char data[2] = {1, (char)byte};
        struct gw_reader r = gw_reader_of(data, sizeof(data));
        int expected = byte < 0x20 || byte == 0x7f ? -EBADMSG : 0;

        assert_int_equal(gw_name_decode(&r, name, NULL), expected);
    }
}

static void test_name__too_long_to_encode(void **state)
{
    char name[GW_NAME_MAX + 2];
    uint8_t out[512];
    struct gw_writer w = gw_writer_of(out, sizeof(out));

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    gw_name_encode(&w, name);
    assert_false(gw_writer_ok(&w));
}

static void test_fault__cuts_long_text(void **state)
{
    struct gw_wire_fault fault;
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(gw_wire_fault_set(&fault, -EIO, "%s", text), -EIO);
    assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
    assert_int_equal(gw_wire_fault_set(NULL, -EIO, "x"), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header__vector),
        cmocka_unit_test(test_header__refuses_others),
        cmocka_unit_test(test_section__start_of_ram),
        cmocka_unit_test(test_section__full),
        cmocka_unit_test(test_section__part_and_end_have_no_name),
        cmocka_unit_test(test_section__longest_name),
        cmocka_unit_test(test_section__refuses),
        cmocka_unit_test(test_footer__vector),
        cmocka_unit_test(test_types__have_names),
        cmocka_unit_test(test_command__switchover_start),
        cmocka_unit_test(test_command__numbers),
        cmocka_unit_test(test_command__sizes),
        cmocka_unit_test(test_description__frame),
        cmocka_unit_test(test_name__limits),
        cmocka_unit_test(test_name__control_characters),
        cmocka_unit_test(test_name__too_long_to_encode),
        cmocka_unit_test(test_fault__cuts_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

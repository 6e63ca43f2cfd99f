/*
 * VM descriptions, parsed: sizes of sections, walks over their fields, and
 * texts that are refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/util.h"
#include "vmstate/layout.h"

static struct gw_layout *parse(const char *text)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_layout *layout = NULL;

    if (gw_layout_parse(text, strlen(text), &layout, &error) < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    return layout;
}

static void expect_refused(const char *text, size_t size, int code,
                           const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_layout *layout = NULL;

    assert_int_equal(gw_layout_parse(text, size, &layout, &error), code);
    assert_null(layout);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
}

/* A description with one device "d" with these members after the name. */
#define DEVICE(members)                                                   \
    "{\"page_size\":4096,\"devices\":[{\"name\":\"d\",\"instance_id\":0," \
    "\"vmsd_name\":\"d\",\"version\":1," members "}]}"
#define FIELDS(fields) DEVICE("\"fields\":[" fields "]")
#define FIELD(name, rest) \
    "{\"name\":\"" name "\",\"type\":\"uint8\"," rest "\"size\":1}"

/*
 * ---- What QEMU wrote ----
 */

static char *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 20);

    assert_non_null(file);
    assert_non_null(text);
    *ret_size = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

static void test_layout__qemu_sections_have_their_sizes(void **state)
{
    /* As measured on captures of QEMU 10.0 (reference of microvm). */
    static const struct {
        const char *idstr;
        uint32_t instance_id;
        uint64_t size;
    } expected[] = {
        {"timer", 0, 24},        {"fw_cfg", 0, 74},       {"cpu_common", 0, 8},
        {"kvm-tpr-opt", 0, 144}, {"apic", 0, 181},        {"ioapic", 0, 206},
        {"ioapic", 1, 206},      {"i8259", 1, 16},        {"i8254", 0, 108},
        {"acpi-ged", 0, 28},     {"globalstate", 0, 104},
    };
    GW_AUTO_FREE char *text = NULL;
    struct gw_layout *layout = NULL;
    const struct gw_layout_device *device;
    size_t size, i;

    (void)state;
    text = read_file(GW_TEST_DATA "/description-microvm-10.0.2.json", &size);
    assert_int_equal(gw_layout_parse(text, size, &layout, NULL), 0);
    assert_int_equal(layout->page_size, 4096);
    for (i = 0; i < GW_ARRAY_SIZE(expected); i++) {
        device =
            gw_layout_find(layout, expected[i].idstr, expected[i].instance_id);
        assert_non_null(device);
        assert_int_equal(device->vmstate.size, expected[i].size);
    }
    assert_null(gw_layout_find(layout, "timer", 1));
    assert_null(gw_layout_find(layout, "ram", 0));
    gw_layout_free(layout);
}

/*
 * ---- Walks ----
 */

/* One line for each field: depth, name, index, type, offset, size, byte. */
static int note_field(void *opaque, const struct gw_image_field *field)
{
    gw_buffer_printf(opaque, "%u %s %d %s%s%s %d %d", field->depth, field->name,
                     (int)field->index, field->type,
                     field->is_struct ? " S" : "",
                     field->is_subsection ? " SUB" : "", (int)field->offset,
                     (int)field->size);
    if (field->data && field->size > 0) {
        gw_buffer_printf(opaque, " =%02x", field->data[0]);
    }
    gw_buffer_printf(opaque, "\n");
    return 0;
}

static void expect_walk(const char *text, const void *data, size_t size,
                        const char *expected)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    GW_AUTO_BUFFER struct gw_buffer notes = {0};
    struct gw_layout *layout = parse(text);

    if (gw_layout_walk(&layout->devices[0], data, size, 100, note_field, &notes,
                       &error) != 0) {
        fail_msg("%s", gw_error_text(error));
    }
    gw_buffer_put_u8(&notes, 0);
    assert_string_equal((const char *)notes.data, expected);
    gw_layout_free(layout);
}

static void test_walk__arrays_structs_and_subsections(void **state)
{
    static const char text[] = DEVICE(
        "\"fields\":["
        "{\"name\":\"a\",\"array_len\":2,\"type\":\"uint8\",\"size\":1},"
        "{\"name\":\"s\",\"array_len\":2,\"type\":\"struct\",\"struct\":"
        "{\"vmsd_name\":\"in\",\"version\":1,\"fields\":["
        "{\"name\":\"x\",\"type\":\"uint16\",\"size\":2}]},\"size\":2}],"
        "\"subsections\":[{\"vmsd_name\":\"d/z\",\"version\":3,\"fields\":["
        "{\"name\":\"y\",\"type\":\"bool\",\"size\":1}]}]");
    static const char data[] = "\1\2\3\4\5\6\5\3d/z\0\0\0\3\7";

    (void)state;
    expect_walk(text, data, sizeof(data) - 1,
                "0 a 0 uint8 100 1 =01\n"
                "0 a 1 uint8 101 1 =02\n"
                "0 s 0 struct S 102 2\n"
                "1 x -1 uint16 102 2 =03\n"
                "0 s 1 struct S 104 2\n"
                "1 x -1 uint16 104 2 =05\n"
                "0 d/z -1 subsection SUB 106 10\n"
                "1 y -1 bool 115 1 =07\n");
}

static void test_walk__elements_described_one_by_one(void **state)
{
    static const char text[] = FIELDS(FIELD("e", "\"index\":0,") "," FIELD(
        "e", "\"index\":1,") "," FIELD("e", "") "," FIELD("f", ""));

    (void)state;
    expect_walk(text, "\1\2\3\4", 4,
                "0 e 0 uint8 100 1 =01\n"
                "0 e 1 uint8 101 1 =02\n"
                "0 e 2 uint8 102 1 =03\n"
                "0 f -1 uint8 103 1 =04\n");
}

static void test_walk__wrappers_are_opened_if_they_add_up(void **state)
{
    /* A temporary struct: 1 byte; a list of two: the last one is seen. */
    static const char text[] = FIELDS(
        "{\"name\":\"t\",\"type\":\"tmp\",\"vmsd_name\":\"t\",\"version\":1,"
        "\"fields\":[{\"name\":\"x\",\"type\":\"uint8\",\"size\":1}],"
        "\"size\":1},"
        "{\"name\":\"q\",\"type\":\"qtailq\","
        "\"vmsd_name\":\"e\",\"version\":1,"
        "\"fields\":[{\"name\":\"x\",\"type\":\"uint8\",\"size\":1}],"
        "\"vmsd_name\":\"e\",\"version\":1,"
        "\"fields\":[{\"name\":\"x\",\"type\":\"uint8\",\"size\":1}],"
        "\"size\":5}");

    (void)state;
    expect_walk(text, "\1\1\2\1\3\0", 6,
                "0 t -1 tmp S 100 1\n"
                "1 x -1 uint8 100 1 =01\n"
                "0 q -1 qtailq 101 5 =01\n");
}

static void test_walk__old_style_device(void **state)
{
    static const char text[] =
        "{\"devices\":[{\"name\":\"o\",\"instance_id\":1,\"size\":3,"
        "\"fields\":[{\"name\":\"data\",\"size\":3,\"type\":\"buffer\"}]}]}";

    (void)state;
    expect_walk(text, "\1\2\3", 3, "0 data -1 buffer 100 3 =01\n");
}

static void test_walk__elements_without_size_end(void **state)
{
    static const char text[] =
        FIELDS("{\"name\":\"z\",\"array_len\":9223372036854775807,"
               "\"type\":\"buffer\",\"size\":0}");

    (void)state;
    expect_walk(text, "", 0, "0 z -1 buffer 100 0\n");
}

static void expect_no_walk(const char *text, const void *data, size_t size,
                           const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    GW_AUTO_BUFFER struct gw_buffer notes = {0};
    struct gw_layout *layout = parse(text);

    assert_int_equal(gw_layout_walk(&layout->devices[0], data, size, 0x100,
                                    note_field, &notes, &error),
                     -EBADMSG);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
    gw_layout_free(layout);
}

static void test_walk__other_data_is_refused(void **state)
{
    static const char text[] =
        DEVICE("\"fields\":[],\"subsections\":[{\"vmsd_name\":\"d/z\","
               "\"version\":3,\"fields\":[]}]");

    (void)state;
    expect_no_walk(text, "\5\3d/z\0\0\0\3x", 10,
                   "'d' at offset 0x100: 9 bytes described, found 10");
    expect_no_walk(text, "\5\3d/z\0\0\0\4", 9, "found other data");
    expect_no_walk(text, "\5\3d/y\0\0\0\3", 9,
                   "offset 0x100: expected subsection 'd/z' version 3");
    expect_no_walk(text, "\6\3d/z\0\0\0\3", 9, "found other data");
    expect_no_walk(text, "\5\2d/z\0\0\0\3", 9, "found other data");
}

static int stop_at_once(void *opaque, const struct gw_image_field *field)
{
    (void)opaque;
    (void)field;
    return 42;
}

static void test_walk__callback_ends_it(void **state)
{
    struct gw_layout *layout = parse(FIELDS(FIELD("a", "")));

    (void)state;
    assert_int_equal(gw_layout_walk(&layout->devices[0], (const uint8_t *)"x",
                                    1, 0, stop_at_once, NULL, NULL),
                     42);
    gw_layout_free(layout);
}

/*
 * ---- Texts that are refused ----
 */

static void test_layout__malformed_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "not a JSON object"},
        {"[]", "another value"},
        {"{", "not a JSON object"},
        {"{}", "devices: not an array"},
        {"{\"devices\":{}}", "devices: not an array"},
        {"{\"devices\":[7]}", "device: no string 'name'"},
        {"{\"page_size\":-1,\"devices\":[]}", "'page_size' is not a number"},
        {"{\"devices\":[{\"name\":\"d\"}]}", "'instance_id' is not a number"},
        {"{\"devices\":[{\"name\":\"d\",\"instance_id\":4294967296}]}",
         "'instance_id' is not a number from 0 to 4294967295"},
        {DEVICE("\"fields\":7"), "no array of fields"},
        {DEVICE("\"fields\":[],\"subsections\":7"), "of subsections"},
        {FIELDS("7"), "device 'd': VM description: d: no string 'name'"},
        {FIELDS("{\"name\":\"f\",\"type\":\"x\"}"), "f: 'size' is not"},
        {FIELDS("{\"name\":\"f\",\"size\":1}"), "f: no string 'type'"},
        {FIELDS(FIELD("f", "\"array_len\":0,")), "without elements"},
        {FIELDS(FIELD("f", "\"array_len\":-1,")), "'array_len' is not"},
        {FIELDS(FIELD("f", "\"index\":\"x\",")), "'index' is not"},
        {FIELDS("{\"name\":\"f\",\"type\":\"x\",\"struct\":{},\"size\":1}"),
         "vmstate: no string 'vmsd_name'"},
        {FIELDS("{\"name\":\"f\",\"type\":\"x\",\"size\":1.5}"),
         "'size' is not a number"},
        {FIELDS("{\"name\":\"f\",\"type\":\"x\",\"array_len\":4,"
                "\"size\":9223372036854775807}"),
         "do not fit in 64 bits"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < GW_ARRAY_SIZE(cases); i++) {
        expect_refused(cases[i].text, strlen(cases[i].text), -EBADMSG,
                       cases[i].part);
    }
}

static void test_layout__every_truncation_is_refused(void **state)
{
    static const char text[] = FIELDS(FIELD("a", ""));
    size_t size;

    (void)state;
    for (size = 0; size < sizeof(text) - 1; size++) {
        expect_refused(text, size, -EBADMSG, "not a JSON object");
    }
}

static void test_layout__subsection_name_limit(void **state)
{
    static const char format[] =
        DEVICE("\"fields\":[],\"subsections\":[{\"vmsd_name\":\"%0*d\","
               "\"version\":3,\"fields\":[]}]");
    GW_AUTO_FREE char *text = NULL;
    struct gw_layout *layout;

    (void)state;
    assert_true(asprintf(&text, format, 255, 0) > 0);
    layout = parse(text);
    assert_int_equal(layout->devices[0].vmstate.size, 1 + 1 + 255 + 4);
    gw_layout_free(layout);
    free(gw_take(&text));
    assert_true(asprintf(&text, format, 256, 0) > 0);
    expect_refused(text, strlen(text), -EBADMSG, "name is too long");
}

/* An array nested so deep, as the list of devices. */
static char *nested(size_t depth)
{
    struct gw_buffer text = {0};
    size_t i;

    gw_buffer_printf(&text, "{\"page_size\":0,\"devices\":");
    for (i = 1; i < depth; i++) {
        gw_buffer_put_u8(&text, '[');
    }
    for (i = 1; i < depth; i++) {
        gw_buffer_put_u8(&text, ']');
    }
    gw_buffer_printf(&text, "}");
    gw_buffer_put_u8(&text, 0);
    return (char *)text.data;
}

static void test_layout__depth_limit(void **state)
{
    GW_AUTO_FREE char *fits = nested(GW_LAYOUT_DEPTH_MAX);
    GW_AUTO_FREE char *deep = nested(GW_LAYOUT_DEPTH_MAX + 1);

    (void)state;
    /* Nested as deep as allowed, but not a device. */
    expect_refused(fits, strlen(fits), -EBADMSG, "device");
    expect_refused(deep, strlen(deep), -EOVERFLOW, "256 levels");
}

static void test_layout__size_limits(void **state)
{
    GW_AUTO_FREE char *text = malloc(GW_LAYOUT_TEXT_MAX + 1);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', GW_LAYOUT_TEXT_MAX + 1);
    expect_refused(text, GW_LAYOUT_TEXT_MAX + 1, -EOVERFLOW, "16777217 bytes");
    memcpy(text, "{\"devices\":[]}", 14);
    {
        struct gw_layout *layout = NULL;

        assert_int_equal(
            gw_layout_parse(text, GW_LAYOUT_TEXT_MAX, &layout, NULL), 0);
        assert_int_equal(layout->n_devices, 0);
        gw_layout_free(layout);
    }
    memset(text, ',', GW_LAYOUT_VALUES_MAX + 1);
    expect_refused(text, GW_LAYOUT_VALUES_MAX + 1, -EOVERFLOW, "values");
    expect_refused(text, GW_LAYOUT_VALUES_MAX, -EBADMSG, "not a JSON object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout__qemu_sections_have_their_sizes),
        cmocka_unit_test(test_walk__arrays_structs_and_subsections),
        cmocka_unit_test(test_walk__elements_described_one_by_one),
        cmocka_unit_test(test_walk__wrappers_are_opened_if_they_add_up),
        cmocka_unit_test(test_walk__old_style_device),
        cmocka_unit_test(test_walk__elements_without_size_end),
        cmocka_unit_test(test_walk__other_data_is_refused),
        cmocka_unit_test(test_walk__callback_ends_it),
        cmocka_unit_test(test_layout__malformed_is_refused),
        cmocka_unit_test(test_layout__every_truncation_is_refused),
        cmocka_unit_test(test_layout__subsection_name_limit),
        cmocka_unit_test(test_layout__depth_limit),
        cmocka_unit_test(test_layout__size_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

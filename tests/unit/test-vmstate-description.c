/*
 * The VM description that saving builds: its text, and that it adds up.
 */
#include "vmstate-helpers.h"

#include "base/util.h"
#include "vmstate/description.h"
#include "vmstate/layout.h"

struct part {
    uint16_t x;
    uint8_t n;
    uint8_t items[3];
    struct gw_list_link link;
};

static const struct gw_field plain_fields[] = {
    GW_FIELD_U16(struct part, x),
    GW_FIELD_END,
};
static const struct gw_vmstate plain = {
    .name = "plain",
    .version = 1,
    .size = sizeof(struct part),
    .fields = plain_fields,
};
static const struct gw_field counted_fields[] = {
    GW_FIELD_U8(struct part, n),
    GW_FIELD_VARRAY(struct part, items, U8, n),
    GW_FIELD_END,
};
static const struct gw_vmstate counted = {
    .name = "counted",
    .version = 1,
    .size = sizeof(struct part),
    .fields = counted_fields,
};

static bool part_is_odd(const void *state)
{
    return ((const struct part *)state)->x % 2 == 1;
}

static const struct gw_vmstate extra = {
    .name = "with_sub/extra",
    .version = 4,
    .fields = counted_fields,
    .needed = part_is_odd,
};
static const struct gw_vmstate *const with_sub_subsections[] = {&extra, NULL};
static const struct gw_vmstate with_sub = {
    .name = "with_sub",
    .version = 1,
    .size = sizeof(struct part),
    .fields = plain_fields,
    .subsections = with_sub_subsections,
};

struct whole {
    bool b;
    uint8_t bytes[6];
    uint16_t halves[2];
    struct part one;
    struct part two[2];
    struct part *pointers[4];
    uint16_t *numbers[3];
    struct gw_list list;
    uint64_t bits[2];
    uint8_t n;
    uint8_t zero;
};

#define S struct whole
#define P struct part

/* Saves a device and gives back the whole description as text. */
static char *describe(const struct gw_vmstate *vmstate, void *state,
                      struct gw_buffer *data)
{
    GW_AUTO_DESCRIPTION struct gw_description description = {0};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    const char *text;
    size_t size;
    char *copy;

    gw_description_begin(&description);
    gw_description_page_size(&description, 4096);
    gw_description_device_begin(&description, "dev", 7);
    if (gw_vmstate_save(vmstate, state, data, &description, &error) < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    gw_description_device_end(&description);
    assert_int_equal(gw_description_end(&description, &text, &size, NULL), 0);
    copy = strndup(text, size);
    assert_non_null(copy);
    return copy;
}

#define HEAD                                                       \
    "{\"page_size\": 4096, \"devices\": [{\"name\": \"dev\", "     \
    "\"instance_id\": 7, \"vmsd_name\": \"top\", \"version\": 3, " \
    "\"fields\": ["
#define TAIL "]}]}"

/* One table "top" is described so; and what it says adds up. */
static void expect_described(const struct gw_field *fields, struct whole *whole,
                             const char *expected)
{
    const struct gw_vmstate top = {
        .name = "top",
        .version = 3,
        .size = sizeof(S),
        .fields = fields,
    };
    GW_AUTO_BUFFER struct gw_buffer data = {0};
    GW_AUTO_FREE char *text = describe(&top, whole, &data);
    struct gw_layout *layout = NULL;

    expect_sound(&top);
    assert_int_equal(strncmp(text, HEAD, strlen(HEAD)), 0);
    assert_int_equal(gw_layout_parse(text, strlen(text), &layout, NULL), 0);
    assert_int_equal(layout->devices[0].vmstate.size, data.size);
    gw_layout_free(layout);
    assert_string_equal(text + strlen(text) - strlen(TAIL), TAIL);
    text[strlen(text) - strlen(TAIL)] = '\0';
    assert_string_equal(text + strlen(HEAD), expected);
}

static void test_description__values_and_arrays(void **state)
{
    static const struct gw_field fields[] = {
        GW_FIELD_BOOL(S, b),
        GW_FIELD_U16_ARRAY(S, halves),
        GW_FIELD_BUFFER(S, bytes),
        GW_FIELD_UNUSED(3),
        GW_FIELD_BITMAP(S, bits, 100),
        GW_FIELD_U8(S, n),
        GW_FIELD_END,
    };
    struct whole whole = {.n = 0};

    (void)state;
    expect_described(
        fields, &whole,
        "{\"name\": \"b\", \"type\": \"bool\", \"size\": 1}, "
        "{\"name\": \"halves\", \"array_len\": 2, \"type\": \"uint16\", "
        "\"size\": 2}, "
        "{\"name\": \"bytes\", \"type\": \"buffer\", \"size\": 6}, "
        "{\"name\": \"unused\", \"type\": \"unused_buffer\", \"size\": 3}, "
        "{\"name\": \"bits\", \"type\": \"bitmap\", \"size\": 16}, "
        "{\"name\": \"n\", \"type\": \"uint8\", \"size\": 1}");
}

static bool never(const void *state, uint32_t version)
{
    (void)state;
    (void)version;
    return false;
}

static bool always(const void *state, uint32_t version)
{
    (void)state;
    (void)version;
    return true;
}

static void test_description__equal_names_are_numbered(void **state)
{
    static const struct gw_field fields[] = {
        GW_FIELD_U8_TEST(S, n, never),
        GW_FIELD_UNUSED(1),
        GW_FIELD_U8(S, n),
        GW_FIELD_UNUSED(2),
        GW_FIELD_END,
    };
    struct whole whole = {.n = 0};

    (void)state;
    /* Fields that are not there count, as with QEMU's "cur_offset[1]". */
    expect_described(
        fields, &whole,
        "{\"name\": \"unused[0]\", \"type\": \"unused_buffer\", \"size\": 1}, "
        "{\"name\": \"n[1]\", \"type\": \"uint8\", \"size\": 1}, "
        "{\"name\": \"unused[1]\", \"type\": \"unused_buffer\", \"size\": 2}");
}

#define PLAIN_STRUCT                                                        \
    "\"type\": \"struct\", \"struct\": {\"vmsd_name\": \"plain\", "         \
    "\"version\": 1, \"fields\": [{\"name\": \"x\", \"type\": \"uint16\", " \
    "\"size\": 2}]}, \"size\": 2}"

static void test_description__structs(void **state)
{
    static const struct gw_field fields[] = {
        GW_FIELD_STRUCT(S, one, plain, P),
        GW_FIELD_STRUCT_ARRAY(S, two, plain, P),
        GW_FIELD_VSTRUCT(S, one, plain, P, 1),
        GW_FIELD_END,
    };
    struct whole whole = {.n = 0};

    (void)state;
    expect_described(fields, &whole,
                     "{\"name\": \"one[0]\", " PLAIN_STRUCT
                     ", {\"name\": \"two\", \"array_len\": 2, " PLAIN_STRUCT
                     ", {\"name\": \"one[1]\", \"type\": \"vstruct\", "
                     "\"vmsd_name\": \"plain\", \"version\": 1, \"fields\": "
                     "[{\"name\": \"x\", \"type\": \"uint16\", \"size\": 2}], "
                     "\"size\": 2}");
}

static void test_description__elements_that_differ_stand_alone(void **state)
{
    static const struct gw_field fields[] = {
        GW_FIELD_STRUCT_ARRAY(S, two, with_sub, P),
        GW_FIELD_STRUCT_VARRAY_IF(S, two, counted, P, n, 0, NULL),
        GW_FIELD_ARRAY_IF(S, halves, U16, 0, always),
        GW_FIELD_END,
    };
    struct whole whole = {.n = 2, .two = {{.x = 2}, {.x = 3, .n = 3}}};

    (void)state;
    expect_described(
        fields, &whole,
        "{\"name\": \"two[0]\", \"index\": 0, \"type\": \"struct\", "
        "\"struct\": {\"vmsd_name\": \"with_sub\", \"version\": 1, "
        "\"fields\": [{\"name\": \"x\", \"type\": \"uint16\", \"size\": 2}]}, "
        "\"size\": 2}, "
        "{\"name\": \"two[0]\", \"type\": \"struct\", "
        "\"struct\": {\"vmsd_name\": \"with_sub\", \"version\": 1, "
        "\"fields\": [{\"name\": \"x\", \"type\": \"uint16\", \"size\": 2}], "
        "\"subsections\": [{\"vmsd_name\": \"with_sub/extra\", "
        "\"version\": 4, \"fields\": ["
        "{\"name\": \"n\", \"type\": \"uint8\", \"size\": 1}, "
        "{\"name\": \"items\", \"array_len\": 3, \"type\": \"uint8\", "
        "\"size\": 1}]}]}, \"size\": 26}, "
        "{\"name\": \"two[1]\", \"index\": 0, \"type\": \"struct\", "
        "\"struct\": {\"vmsd_name\": \"counted\", \"version\": 1, "
        "\"fields\": [{\"name\": \"n\", \"type\": \"uint8\", \"size\": 1}]}, "
        "\"size\": 1}, "
        "{\"name\": \"two[1]\", \"type\": \"struct\", "
        "\"struct\": {\"vmsd_name\": \"counted\", \"version\": 1, "
        "\"fields\": [{\"name\": \"n\", \"type\": \"uint8\", \"size\": 1}, "
        "{\"name\": \"items\", \"array_len\": 3, \"type\": \"uint8\", "
        "\"size\": 1}]}, \"size\": 4}, "
        "{\"name\": \"halves\", \"index\": 0, \"type\": \"uint16\", "
        "\"size\": 2}, "
        "{\"name\": \"halves\", \"type\": \"uint16\", \"size\": 2}");
}

static void test_description__runs_of_null_pointers(void **state)
{
    static const struct gw_field fields[] = {
        GW_FIELD_STRUCT_PTR_ARRAY(S, pointers, plain, P),
        GW_FIELD_PTR_ARRAY(S, numbers, U16),
        GW_FIELD_END,
    };
    uint16_t number = 5;
    struct part part = {.x = 1};
    struct whole whole = {
        .pointers = {&part, NULL, NULL, &part},
        .numbers = {&number, &number, NULL},
    };

    (void)state;
    expect_described(
        fields, &whole,
        "{\"name\": \"pointers\", " PLAIN_STRUCT
        ", {\"name\": \"pointers\", \"array_len\": 2, \"type\": \"nullptr\", "
        "\"size\": 1}, {\"name\": \"pointers\", " PLAIN_STRUCT
        ", {\"name\": \"numbers\", \"array_len\": 2, \"type\": \"uint16\", "
        "\"size\": 2}, {\"name\": \"numbers\", \"type\": \"nullptr\", "
        "\"size\": 1}");
}

static void test_description__nothing_and_lists(void **state)
{
    static const struct gw_field fields[] = {
        GW_FIELD_VARRAY(S, bytes, U8, zero),
        GW_FIELD_VBUFFER(S, bytes, zero),
        GW_FIELD_VALIDATE("fine", always),
        GW_FIELD_LIST(S, list, plain, P, link, 4, 0),
        GW_FIELD_END,
    };
    struct part part = {.x = 1};
    struct whole whole = {.n = 0};

    (void)state;
    gw_list_append(&whole.list, &part.link);
    /* No elements, no field; no bytes, a field of none. */
    expect_described(
        fields, &whole,
        "{\"name\": \"bytes[1]\", \"type\": \"buffer\", \"size\": 0}, "
        "{\"name\": \"list\", \"type\": \"qtailq\", \"size\": 4}");
}

/*
 * ---- The configuration, against what QEMU wrote ----
 */

static void test_description__configuration(void **state)
{
    static const char *const capabilities[] = {"x-ignore-shared", "mapped-ram",
                                               NULL};
    const struct gw_description_config config = {
        .machine_name = "microvm",
        .capabilities = capabilities,
        .has_page_bits = true,
        .has_uuid = true,
    };
    GW_AUTO_DESCRIPTION struct gw_description description = {0};
    const char *text;
    size_t size;

    (void)state;
    gw_description_begin(&description);
    gw_description_configuration(&description, &config);
    gw_description_page_size(&description, 4096);
    assert_int_equal(gw_description_end(&description, &text, &size, NULL), 0);
    gw_buffer_put_u8(&description.text, 0);
    assert_string_equal(
        (const char *)description.text.data,
        "{\"configuration\": {\"vmsd_name\": \"configuration\", "
        "\"version\": 1, \"fields\": [{\"name\": \"len\", "
        "\"type\": \"uint32\", \"size\": 4}, {\"name\": \"name\", "
        "\"type\": \"buffer\", \"size\": 7}], \"subsections\": ["
        "{\"vmsd_name\": \"configuration/target-page-bits\", \"version\": 1, "
        "\"fields\": [{\"name\": \"target_page_bits\", \"type\": \"uint32\", "
        "\"size\": 4}]}, "
        "{\"vmsd_name\": \"configuration/capabilities\", \"version\": 1, "
        "\"fields\": [{\"name\": \"caps_count\", \"type\": \"uint32\", "
        "\"size\": 4}, {\"name\": \"capabilities\", \"index\": 0, "
        "\"type\": \"capability\", \"size\": 16}, {\"name\": "
        "\"capabilities\", \"type\": \"capability\", \"size\": 11}]}, "
        "{\"vmsd_name\": \"configuration/uuid\", \"version\": 1, \"fields\": "
        "[{\"name\": \"uuid.data\", \"array_len\": 16, \"type\": \"uint8\", "
        "\"size\": 1}]}]}, \"page_size\": 4096, \"devices\": []}");
}

/* As QEMU's text begins, with the one capability that it can describe. */
static void test_description__begins_as_qemu_does(void **state)
{
    const struct gw_description_config config = {.machine_name = "microvm"};
    GW_AUTO_DESCRIPTION struct gw_description description = {0};
    static const char expected[] =
        "{\"configuration\": {\"vmsd_name\": \"configuration\", "
        "\"version\": 1, \"fields\": [{\"name\": \"len\", \"type\": "
        "\"uint32\", \"size\": 4}, {\"name\": \"name\", \"type\": \"buffer\", "
        "\"size\": 7}]}, \"page_size\": 4096, \"devices\": [";

    (void)state;
    gw_description_begin(&description);
    gw_description_configuration(&description, &config);
    gw_description_page_size(&description, 4096);
    assert_int_equal(description.text.size, sizeof(expected) - 1);
    assert_memory_equal(description.text.data, expected, sizeof(expected) - 1);
}

static void test_description__strings_are_escaped(void **state)
{
    GW_AUTO_DESCRIPTION struct gw_description description = {0};
    const char *text;
    size_t size;

    (void)state;
    gw_description_begin(&description);
    gw_description_page_size(&description, 4096);
    gw_description_device_begin(&description, "a\"\\\n", 0);
    gw_description_device_end(&description);
    assert_int_equal(gw_description_end(&description, &text, &size, NULL), 0);
    assert_int_equal(size, strlen("{\"page_size\": 4096, \"devices\": "
                                  "[{\"name\": \"a\\\"\\\\\\u000a\", "
                                  "\"instance_id\": 0}]}"));
    assert_memory_equal(text + 41, "\"a\\\"\\\\\\u000a\"", 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_description__values_and_arrays),
        cmocka_unit_test(test_description__equal_names_are_numbered),
        cmocka_unit_test(test_description__structs),
        cmocka_unit_test(test_description__elements_that_differ_stand_alone),
        cmocka_unit_test(test_description__runs_of_null_pointers),
        cmocka_unit_test(test_description__nothing_and_lists),
        cmocka_unit_test(test_description__configuration),
        cmocka_unit_test(test_description__begins_as_qemu_does),
        cmocka_unit_test(test_description__strings_are_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

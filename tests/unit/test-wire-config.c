/*
 * The configuration section. Vectors are from the stream spec 1.2.
 */
#include <errno.h>

#include "base/buffer.h"
#include "stream-builder.h"
#include "wire-check.h"
#include "wire/config.h"

WIRE_CODEC(config, struct gw_stream_config);

/* The section of the spec's example; what follows starts with 0x01. */
#define EXAMPLE                          \
    "\x07\0\0\0\x07microvm"              \
    "\x05\x1a"                           \
    "configuration/capabilities\0\0\0\1" \
    "\0\0\0\1\x0fx-ignore-shared"        \
    "\x05\x12"                           \
    "configuration/uuid\0\0\0\1"         \
    "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"

/* All bytes but the last, which says where the section ends. */
static void check_config(const char *data, size_t size,
                         struct gw_stream_config *ret)
{
    size_t used;
    size_t cut;

    for (cut = 0; cut < size; cut++) {
        assert_int_equal(wire_decode(&config_codec, data, cut, ret, &used),
                         GW_SHORT);
    }
    assert_int_equal(wire_decode(&config_codec, data, size, ret, &used), 0);
    assert_int_equal(used, size - 1);
    wire_check_encode(&config_codec, ret, data, size - 1);
}

static void test_config__example(void **state)
{
    struct gw_stream_config config;

    (void)state;
    check_config(BYTES(EXAMPLE "\1"), &config);
    assert_true(config.present);
    assert_string_equal(config.machine_name, "microvm");
    assert_true(config.ignore_shared);
    assert_false(config.mapped_ram);
    assert_int_equal(config.page_bits, 0);
    assert_true(config.has_uuid);
    assert_memory_equal(config.uuid,
                        "\x00\x11\x22\x33\x44\x55\x66\x77"
                        "\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
                        16);
}

static void test_config__name_only(void **state)
{
    struct gw_stream_config config;

    (void)state;
    check_config(BYTES("\x07\0\0\0\x0bpc-q35-10.0\0"), &config);
    assert_string_equal(config.machine_name, "pc-q35-10.0");
    assert_false(config.has_uuid);
}

static void test_config__page_bits_and_both_capabilities(void **state)
{
    struct gw_stream_config config;

    (void)state;
    check_config(BYTES("\x07\0\0\0\1m"
                       "\x05\x1e"
                       "configuration/target-page-bits\0\0\0\1\0\0\0\x0c"
                       "\x05\x1a"
                       "configuration/capabilities\0\0\0\1"
                       "\0\0\0\2\x0fx-ignore-shared\x0amapped-ram"
                       "\2"),
                 &config);
    assert_int_equal(config.page_bits, 12);
    assert_true(config.ignore_shared);
    assert_true(config.mapped_ram);
}

/* A 0x05 that introduces something else ends the section. */
static void test_config__ends_at_foreign_subsection(void **state)
{
    struct gw_stream_config config;
    size_t used;

    (void)state;
    assert_int_equal(wire_decode(&config_codec,
                                 BYTES("\x07\0\0\0\1m\x05\x10other/subsection"),
                                 &config, &used),
                     0);
    assert_int_equal(used, 6);
    assert_int_equal(wire_decode(&config_codec, BYTES("\x07\0\0\0\1m\x05\x0d"),
                                 &config, &used),
                     0);
    assert_int_equal(used, 6);
    assert_int_equal(wire_decode(&config_codec, BYTES("\x07\0\0\0\1m\x05\x0e"),
                                 &config, &used),
                     GW_SHORT);
}

static void test_config__not_present_is_not_encoded(void **state)
{
    struct gw_stream_config config = {.machine_name = "m"};

    (void)state;
    wire_check_encode(&config_codec, &config, "", 0);
}

static int decode_buffer(const struct gw_buffer *b,
                         struct gw_stream_config *ret)
{
    size_t used;

    assert_true(gw_buffer_ok(b));
    return wire_decode(&config_codec, b->data, b->size, ret, &used);
}

static void test_config__machine_name_limit(void **state)
{
    static const uint32_t sizes[] = {254, 255, 256};
    struct gw_stream_config config;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        GW_AUTO_BUFFER struct gw_buffer b = {0};

        gw_buffer_put_u8(&b, 0x07);
        gw_buffer_put_be32(&b, sizes[i]);
        sb_fill(&b, 'x', sizes[i]);
        gw_buffer_put_u8(&b, 0);
        assert_int_equal(decode_buffer(&b, &config),
                         sizes[i] > 255 ? -EOVERFLOW : 0);
    }
}

static void test_config__page_bits_limits(void **state)
{
    static const struct {
        uint32_t bits;
        int rc;
    } cases[] = {{0, -EBADMSG}, {1, 0}, {63, 0}, {64, -EBADMSG}};
    struct gw_stream_config config;
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        GW_AUTO_BUFFER struct gw_buffer b = {0};

        sb_config(&b, "m");
        sb_subsection(&b, "configuration/target-page-bits", 1);
        gw_buffer_put_be32(&b, cases[i].bits);
        gw_buffer_put_u8(&b, 0);
        assert_int_equal(decode_buffer(&b, &config), cases[i].rc);
    }
}

/* A known capability that is not validated is ignored. */
static void test_config__other_capabilities(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    struct gw_stream_config config;

    (void)state;
    sb_config(&b, "m");
    sb_capability(&b, "events");
    gw_buffer_put_u8(&b, 0);
    assert_int_equal(decode_buffer(&b, &config), 0);
    assert_false(config.mapped_ram);
    assert_false(config.ignore_shared);
}

static void test_config__capability_count_limit(void **state)
{
    static const struct {
        uint32_t count;
        int rc;
    } cases[] = {{0, 0}, {21, 0}, {22, 0}, {23, -EOVERFLOW}};
    struct gw_stream_config config;
    uint32_t k;
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        GW_AUTO_BUFFER struct gw_buffer b = {0};

        sb_config(&b, "m");
        sb_subsection(&b, "configuration/capabilities", 1);
        gw_buffer_put_be32(&b, cases[i].count);
        for (k = 0; k < cases[i].count; k++) {
            sb_name(&b, "events");
        }
        gw_buffer_put_u8(&b, 0);
        assert_int_equal(decode_buffer(&b, &config), cases[i].rc);
    }
}

static void test_config__refuses(void **state)
{
    static const struct {
        const char *name;
        uint32_t version;
        int rc;
    } cases[] = {
        {"configuration/capabilities", 0, -ENOTSUP},
        {"configuration/capabilities", 2, -ENOTSUP},
        {"configuration/uuid", 2, -ENOTSUP},
        {"configuration/x", 1, -ENOENT},
        {"configurationx", 1, -ENOENT},
    };
    struct gw_stream_config config;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        GW_AUTO_BUFFER struct gw_buffer b = {0};

        sb_config(&b, "m");
        sb_subsection(&b, cases[i].name, cases[i].version);
        sb_fill(&b, 0, 17);
        assert_int_equal(decode_buffer(&b, &config), cases[i].rc);
    }
}

static void test_config__unknown_capability(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer b = {0};
    struct gw_stream_config config;

    (void)state;
    sb_config(&b, "m");
    sb_capability(&b, "mapped-rom");
    gw_buffer_put_u8(&b, 0);
    assert_int_equal(decode_buffer(&b, &config), -ENOTSUP);
}

static void test_config__other_type_byte(void **state)
{
    struct gw_stream_config config;
    size_t used;

    (void)state;
    assert_int_equal(
        wire_decode(&config_codec, BYTES("\x06\0\0\0\1m\0"), &config, &used),
        -EBADMSG);
}

static void test_config__largest_fits_its_limit(void **state)
{
    struct gw_stream_config config = {.present = true,
                                      .mapped_ram = true,
                                      .ignore_shared = true,
                                      .has_uuid = true,
                                      .page_bits = 12};
    uint8_t out[GW_CONFIG_MAX];
    struct gw_writer w = gw_writer_of(out, sizeof(out));

    (void)state;
    memset(config.machine_name, 'm', GW_NAME_MAX);
    gw_config_encode(&w, &config);
    assert_true(gw_writer_ok(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config__example),
        cmocka_unit_test(test_config__name_only),
        cmocka_unit_test(test_config__page_bits_and_both_capabilities),
        cmocka_unit_test(test_config__ends_at_foreign_subsection),
        cmocka_unit_test(test_config__not_present_is_not_encoded),
        cmocka_unit_test(test_config__machine_name_limit),
        cmocka_unit_test(test_config__page_bits_limits),
        cmocka_unit_test(test_config__other_capabilities),
        cmocka_unit_test(test_config__capability_count_limit),
        cmocka_unit_test(test_config__refuses),
        cmocka_unit_test(test_config__unknown_capability),
        cmocka_unit_test(test_config__other_type_byte),
        cmocka_unit_test(test_config__largest_fits_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

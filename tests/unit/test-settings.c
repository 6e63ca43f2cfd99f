/*
 * Capabilities and parameters. Names, order, defaults, ranges and texts are
 * those of QEMU 10.0.
 */
#include "migrate/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const capability_names[] = {
    "xbzrle",
    "rdma-pin-all",
    "auto-converge",
    "zero-blocks",
    "events",
    "postcopy-ram",
    "x-colo",
    "release-ram",
    "return-path",
    "pause-before-switchover",
    "multifd",
    "dirty-bitmaps",
    "postcopy-blocktime",
    "late-block-activate",
    "x-ignore-shared",
    "validate-uuid",
    "background-snapshot",
    "zero-copy-send",
    "postcopy-preempt",
    "switchover-ack",
    "dirty-limit",
    "mapped-ram",
};

static int set_up(void **state)
{
    static struct gw_settings settings;

    *state = &settings;
    return gw_settings_init(&settings);
}

static int tear_down(void **state)
{
    gw_settings_deinit(*state);
    return 0;
}

static void expect_text(struct gw_error *error, const char *text)
{
    assert_string_equal(gw_error_text(error), text);
    gw_error_free(error);
}

static void test_capabilities__names_in_order(void **state)
{
    enum gw_capability found = GW_CAP_COUNT;
    unsigned int i;

    (void)state;
    assert_int_equal(GW_CAP_COUNT, 22);
    for (i = 0; i < GW_CAP_COUNT; i++) {
        assert_string_equal(gw_capability_name((enum gw_capability)i),
                            capability_names[i]);
        assert_int_equal(gw_capability_parse(capability_names[i], &found), 0);
        assert_int_equal(found, i);
    }
    assert_null(gw_capability_name(GW_CAP_COUNT));
    assert_int_equal(gw_capability_parse("nosuch", &found), -ENOENT);
}

static void test_capabilities__built_ones_switch_on_and_off(void **state)
{
    static const enum gw_capability built[] = {
        GW_CAP_EVENTS, GW_CAP_VALIDATE_UUID, GW_CAP_MAPPED_RAM};
    struct gw_settings *settings = *state;
    size_t i;

    for (i = 0; i < 3; i++) {
        assert_false(settings->capabilities[built[i]]);
        assert_int_equal(
            gw_settings_set_capability(settings, built[i], true, NULL), 0);
        assert_true(settings->capabilities[built[i]]);
        assert_int_equal(
            gw_settings_set_capability(settings, built[i], false, NULL), 0);
        assert_false(settings->capabilities[built[i]]);
    }
}

static void test_capabilities__unbuilt_ones_are_refused_by_name(void **state)
{
    struct gw_settings *settings = *state;
    struct gw_error *error = NULL;

    assert_int_equal(
        gw_settings_set_capability(settings, GW_CAP_XBZRLE, true, &error),
        -ENOTSUP);
    expect_text(error, "capability 'xbzrle' is not supported yet");
    assert_false(settings->capabilities[GW_CAP_XBZRLE]);
    assert_int_equal(
        gw_settings_set_capability(settings, GW_CAP_XBZRLE, false, NULL), 0);
}

static void expect_conflict(const char *a, const char *b, const char *text)
{
    bool on[GW_CAP_COUNT] = {false};
    struct gw_error *error = NULL;
    enum gw_capability capability;

    assert_int_equal(gw_capability_parse(a, &capability), 0);
    on[capability] = true;
    if (b) {
        assert_int_equal(gw_capability_parse(b, &capability), 0);
        on[capability] = true;
    }
    assert_int_equal(gw_capabilities_check_conflicts(on, &error), -EINVAL);
    expect_text(error, text);
}

static void test_capabilities__conflicts(void **state)
{
    bool all_off[GW_CAP_COUNT] = {false};

    (void)state;
    assert_int_equal(gw_capabilities_check_conflicts(all_off, NULL), 0);
    expect_conflict("postcopy-ram", "x-ignore-shared",
                    "Postcopy is not compatible with ignore-shared");
    expect_conflict("multifd", "postcopy-ram",
                    "Postcopy is not yet compatible with multifd");
    expect_conflict("multifd", "xbzrle",
                    "Multifd is not compatible with xbzrle");
    expect_conflict("background-snapshot", "multifd",
                    "Background-snapshot is not compatible with multifd");
    expect_conflict("zero-copy-send", NULL,
                    "Zero copy only available for non-compressed non-TLS "
                    "multifd migration");
    expect_conflict("postcopy-preempt", NULL,
                    "Postcopy preempt requires postcopy-ram");
    expect_conflict("switchover-ack", NULL,
                    "Capability 'switchover-ack' requires capability "
                    "'return-path'");
    expect_conflict("dirty-limit", "auto-converge",
                    "dirty-limit conflicts with auto-converge either of then "
                    "available currently");
    expect_conflict("mapped-ram", "xbzrle",
                    "Mapped-ram migration is incompatible with xbzrle");
    expect_conflict("mapped-ram", "postcopy-ram",
                    "Mapped-ram migration is incompatible with postcopy");
}

static void test_parameters__defaults(void **state)
{
    static const struct {
        const char *name;
        uint64_t value;
    } defaults[] = {
        {"announce-initial", 50},
        {"announce-max", 550},
        {"announce-rounds", 5},
        {"announce-step", 100},
        {"throttle-trigger-threshold", 50},
        {"cpu-throttle-initial", 20},
        {"cpu-throttle-increment", 10},
        {"cpu-throttle-tailslow", 0},
        {"max-cpu-throttle", 99},
        {"max-bandwidth", 134217728},
        {"avail-switchover-bandwidth", 0},
        {"downtime-limit", 300},
        {"x-checkpoint-delay", 20000},
        {"multifd-channels", 2},
        {"multifd-zlib-level", 1},
        {"multifd-zstd-level", 1},
        {"multifd-qatzip-level", 1},
        {"xbzrle-cache-size", 67108864},
        {"max-postcopy-bandwidth", 0},
        {"x-vcpu-dirty-limit-period", 1000},
        {"vcpu-dirty-limit", 1},
        {"direct-io", 0},
    };
    const struct gw_settings *settings = *state;
    size_t i;

    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        const struct gw_parameter_info *info =
            gw_parameter_info_find(defaults[i].name);

        assert_non_null(info);
        assert_string_equal(info->name, defaults[i].name);
        assert_int_equal(gw_settings_get_uint(settings, info),
                         defaults[i].value);
    }
    assert_string_equal(settings->tls_creds, "");
    assert_string_equal(
        gw_settings_get_string(settings, gw_parameter_info_find("mode")),
        "normal");
    assert_string_equal(
        gw_settings_get_string(settings,
                               gw_parameter_info_find("multifd-compression")),
        "none");
    assert_string_equal(
        gw_settings_get_string(settings,
                               gw_parameter_info_find("zero-page-detection")),
        "multifd");
}

static void test_parameters__28_of_them_found_by_both_spellings(void **state)
{
    unsigned int n = 0;

    (void)state;
    while (gw_parameter_info_at(n)) {
        n++;
    }
    assert_int_equal(n, 28);
    assert_ptr_equal(gw_parameter_info_find("max_bandwidth"),
                     gw_parameter_info_find("max-bandwidth"));
    assert_null(gw_parameter_info_find("max-bandwidt"));
    assert_null(gw_parameter_info_find("max-bandwidthh"));
    assert_null(gw_parameter_info_find(""));
}

/* Tries a value that its range does not allow. */
static void expect_range(struct gw_settings *settings, const char *name,
                         uint64_t value, const char *text)
{
    const struct gw_parameter_info *info = gw_parameter_info_find(name);
    uint64_t before = gw_settings_get_uint(settings, info);
    struct gw_error *error = NULL;

    assert_int_equal(gw_settings_set_uint(settings, info, value, &error),
                     -EINVAL);
    expect_text(error, text);
    assert_int_equal(gw_settings_get_uint(settings, info), before);
}

static void test_parameters__ranges(void **state)
{
    static const struct {
        const char *name;
        uint64_t value;
        const char *text;
    } cases[] = {
        {"announce-initial", 100001,
         "Parameter 'announce_initial' expects a value between 0 and 100000"},
        {"announce-max", 100001,
         "Parameter 'announce_max' expects a value between 0 and 100000"},
        {"announce-rounds", 1001,
         "Parameter 'announce_rounds' expects a value between 0 and 1000"},
        {"announce-step", 0,
         "Parameter 'announce_step' expects a value between 0 and 10000"},
        {"announce-step", 10001,
         "Parameter 'announce_step' expects a value between 0 and 10000"},
        {"throttle-trigger-threshold", 0,
         "Parameter 'throttle_trigger_threshold' expects an integer in the "
         "range of 1 to 100"},
        {"throttle-trigger-threshold", 101,
         "Parameter 'throttle_trigger_threshold' expects an integer in the "
         "range of 1 to 100"},
        {"cpu-throttle-initial", 100,
         "Parameter 'cpu_throttle_initial' expects an integer in the range of "
         "1 to 99"},
        {"cpu-throttle-increment", 0,
         "Parameter 'cpu_throttle_increment' expects an integer in the range "
         "of 1 to 99"},
        {"max-cpu-throttle", 19,
         "Parameter 'max_cpu_throttle' expects an integer in the range of "
         "cpu_throttle_initial to 99"},
        {"max-cpu-throttle", 100,
         "Parameter 'max_cpu_throttle' expects an integer in the range of "
         "cpu_throttle_initial to 99"},
        {"downtime-limit", 2000001,
         "Parameter 'downtime_limit' expects an integer in the range of 0 to "
         "(2000 * 1000) ms"},
        {"multifd-channels", 0,
         "Parameter 'multifd_channels' expects a value between 1 and 255"},
        {"multifd-channels", 256,
         "Parameter 'multifd-channels' expects uint8_t"},
        {"multifd-zlib-level", 10,
         "Parameter 'multifd_zlib_level' expects a value between 0 and 9"},
        {"multifd-zstd-level", 21,
         "Parameter 'multifd_zstd_level' expects a value between 0 and 20"},
        {"multifd-qatzip-level", 0,
         "Parameter 'multifd_qatzip_level' expects a value between 1 and 9"},
        {"x-checkpoint-delay", UINT64_C(1) << 32,
         "Parameter 'x-checkpoint-delay' expects uint32_t"},
        {"xbzrle-cache-size", 2048,
         "Parameter 'xbzrle_cache_size' expects a power of two no less than "
         "the target page size"},
        {"xbzrle-cache-size", 5000,
         "Parameter 'xbzrle_cache_size' expects a power of two no less than "
         "the target page size"},
        {"x-vcpu-dirty-limit-period", 1001,
         "Parameter 'x-vcpu-dirty-limit-period' expects a value between 1 and "
         "1000"},
        {"vcpu-dirty-limit", 0,
         "Parameter 'vcpu_dirty_limit' must be greater than 1 MB/s"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_range(*state, cases[i].name, cases[i].value, cases[i].text);
    }
}

static void test_parameters__built_ones_are_taken(void **state)
{
    struct gw_settings *settings = *state;
    const struct gw_parameter_info *info =
        gw_parameter_info_find("max-bandwidth");

    assert_int_equal(gw_settings_set_uint(settings, info, UINT64_MAX, NULL), 0);
    assert_true(settings->max_bandwidth == UINT64_MAX);
    info = gw_parameter_info_find("downtime-limit");
    assert_int_equal(gw_settings_set_uint(settings, info, 2000000, NULL), 0);
    assert_int_equal(settings->downtime_limit, 2000000);
    assert_int_equal(gw_settings_set_uint(settings, info, 0, NULL), 0);
}

static void test_parameters__unbuilt_ones_keep_their_default(void **state)
{
    struct gw_settings *settings = *state;
    const struct gw_parameter_info *info =
        gw_parameter_info_find("cpu-throttle-initial");
    struct gw_error *error = NULL;

    assert_int_equal(gw_settings_set_uint(settings, info, 20, NULL), 0);
    assert_int_equal(gw_settings_set_uint(settings, info, 21, &error),
                     -ENOTSUP);
    expect_text(error, "parameter 'cpu-throttle-initial' is not supported yet "
                       "and can only be left at its default");
    assert_int_equal(settings->cpu_throttle_initial, 20);
    info = gw_parameter_info_find("tls-creds");
    assert_int_equal(gw_settings_set_string(settings, info, "", NULL), 0);
    assert_int_equal(gw_settings_set_string(settings, info, "x", NULL),
                     -ENOTSUP);
    assert_string_equal(settings->tls_creds, "");
}

static void test_parameters__enums_by_name(void **state)
{
    struct gw_settings *settings = *state;
    const struct gw_parameter_info *info = gw_parameter_info_find("mode");
    struct gw_error *error = NULL;

    assert_int_equal(gw_settings_set_string(settings, info, "normal", NULL), 0);
    assert_int_equal(gw_settings_set_string(settings, info, "cpr-reboot", NULL),
                     -ENOTSUP);
    assert_int_equal(gw_settings_set_string(settings, info, "cpr-exec", &error),
                     -EINVAL);
    expect_text(error, "Parameter 'mode' does not accept value 'cpr-exec'");
    assert_int_equal(gw_settings_set_uint(settings, info, 3, NULL), -EINVAL);
}

static void
test_parameters__compression_does_not_go_with_mapped_ram(void **state)
{
    struct gw_settings *settings = *state;
    struct gw_error *error = NULL;

    settings->capabilities[GW_CAP_MAPPED_RAM] = true;
    settings->multifd_compression = GW_COMPRESSION_ZLIB;
    assert_int_equal(gw_parameters_check(settings, &error), -EINVAL);
    expect_text(error, "Mapped-ram only available for non-compressed non-TLS "
                       "multifd migration");
}

static void test_settings__copy_is_deep(void **state)
{
    struct gw_settings *settings = *state;
    struct gw_settings copy;

    settings->downtime_limit = 7;
    assert_int_equal(gw_settings_copy(&copy, settings), 0);
    assert_ptr_not_equal(copy.tls_creds, settings->tls_creds);
    assert_string_equal(copy.tls_creds, "");
    assert_int_equal(copy.downtime_limit, 7);
    gw_settings_deinit(&copy);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_capabilities__names_in_order),
        TEST(test_capabilities__built_ones_switch_on_and_off),
        TEST(test_capabilities__unbuilt_ones_are_refused_by_name),
        TEST(test_capabilities__conflicts),
        TEST(test_parameters__defaults),
        TEST(test_parameters__28_of_them_found_by_both_spellings),
        TEST(test_parameters__ranges),
        TEST(test_parameters__built_ones_are_taken),
        TEST(test_parameters__unbuilt_ones_keep_their_default),
        TEST(test_parameters__enums_by_name),
        TEST(test_parameters__compression_does_not_go_with_mapped_ram),
        TEST(test_settings__copy_is_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Subsections, versions and hooks of vmstate tables (stream spec 2.5 to 2.7).
 */
#include "vmstate-helpers.h"

/*
 * ---- QEMU's fw_cfg and kvmclock ----
 */

struct fw_cfg {
    uint16_t cur_entry;
    uint32_t cur_offset;
    uint64_t dma_addr;
    uint64_t sizes[3];
    bool has_sizes;
};

static bool fw_cfg_has_sizes(const void *state)
{
    return ((const struct fw_cfg *)state)->has_sizes;
}

static const struct gw_field fw_cfg_dma_fields[] = {
    GW_FIELD_U64(struct fw_cfg, dma_addr),
    GW_FIELD_END,
};
static const struct gw_vmstate fw_cfg_dma = {
    .name = "fw_cfg/dma",
    .size = sizeof(struct fw_cfg),
    .fields = fw_cfg_dma_fields,
};
static const struct gw_field fw_cfg_acpi_fields[] = {
    GW_FIELD_U64_ARRAY(struct fw_cfg, sizes),
    GW_FIELD_END,
};
static const struct gw_vmstate fw_cfg_acpi = {
    .name = "fw_cfg/acpi_mr",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct fw_cfg),
    .fields = fw_cfg_acpi_fields,
    .needed = fw_cfg_has_sizes,
};
static const struct gw_field fw_cfg_fields[] = {
    GW_FIELD_U16(struct fw_cfg, cur_entry),
    GW_FIELD_U32(struct fw_cfg, cur_offset),
    GW_FIELD_END,
};
static const struct gw_vmstate *const fw_cfg_subsections[] = {
    &fw_cfg_dma,
    &fw_cfg_acpi,
    NULL,
};
static const struct gw_vmstate fw_cfg = {
    .name = "fw_cfg",
    .version = 2,
    .min_version = 1,
    .size = sizeof(struct fw_cfg),
    .fields = fw_cfg_fields,
    .subsections = fw_cfg_subsections,
};

/* The example of the stream spec, 2.5: its data, 74 bytes. */
#define FW_CFG_HEAD "\0\0\0\0\0\0"
#define FW_CFG_DMA \
    "\x05\x0a"     \
    "fw_cfg/dma"   \
    "\0\0\0\0\0\0\0\0\0\0\0\0"
#define FW_CFG_ACPI        \
    "\x05\x0e"             \
    "fw_cfg/acpi_mr"       \
    "\0\0\0\1"             \
    "\0\0\0\0\0\0\x02\xae" \
    "\0\0\0\0\0\0\x06\x80" \
    "\0\0\0\0\0\0\0\x24"
#define FW_CFG_ALL FW_CFG_HEAD FW_CFG_DMA FW_CFG_ACPI

static void test_subsection__fw_cfg_is_as_qemu_writes_it(void **state)
{
    struct fw_cfg from = {.sizes = {0x2ae, 0x680, 0x24}, .has_sizes = true};
    struct fw_cfg to = {.cur_entry = 9};

    (void)state;
    expect_sound(&fw_cfg);
    assert_int_equal(sizeof(FW_CFG_ALL) - 1, 74);
    expect_saved(&fw_cfg, &from, BYTES(FW_CFG_ALL));
    expect_loaded(&fw_cfg, &to, 2, BYTES(FW_CFG_ALL));
    assert_int_equal(to.cur_entry, 0);
    assert_memory_equal(to.sizes, from.sizes, sizeof(to.sizes));
}

static void test_subsection__truncated_is_enodata(void **state)
{
    struct fw_cfg to = {0};
    size_t sizes[] = {
        sizeof(FW_CFG_HEAD) - 1,
        sizeof(FW_CFG_HEAD FW_CFG_DMA) - 1,
        sizeof(FW_CFG_ALL) - 1,
    };
    size_t cut, i;
    int r;

    (void)state;
    for (cut = 0; cut <= sizes[2]; cut++) {
        int expected = -ENODATA;

        for (i = 0; i < 3; i++) {
            expected = cut == sizes[i] ? 0 : expected;
        }
        r = load_some(&fw_cfg, &to, 2, FW_CFG_ALL, cut, NULL, NULL);
        assert_int_equal(r, expected);
    }
}

static void test_subsection__needed_decides(void **state)
{
    struct fw_cfg from = {.sizes = {1, 2, 3}, .has_sizes = false};

    (void)state;
    expect_saved(&fw_cfg, &from, BYTES(FW_CFG_HEAD FW_CFG_DMA));
}

static void test_subsection__order_is_free_and_twice_is_read(void **state)
{
    struct fw_cfg to = {0};

    (void)state;
    expect_loaded(&fw_cfg, &to, 2,
                  BYTES(FW_CFG_HEAD FW_CFG_ACPI FW_CFG_DMA FW_CFG_DMA));
    assert_int_equal(to.sizes[0], 0x2ae);
}

static void test_subsection__unknown_is_refused(void **state)
{
    struct fw_cfg to = {0};

    (void)state;
    expect_refused(&fw_cfg, &to, 2,
                   BYTES(FW_CFG_HEAD "\x05\x07"
                                     "fw_cfgx\0\0\0\0"),
                   -EPROTO, "unknown subsection 'fw_cfgx' at offset 0x6");
}

static void test_subsection__other_prefix_stays(void **state)
{
    static const char data[] = FW_CFG_HEAD "\x05\x08"
                                           "fw_abc/x\0\0\0\0";
    /* Not longer than the parent's name. */
    static const char same[] = FW_CFG_HEAD "\x05\x06"
                                           "fw_cfg\0\0\0\0";
    struct fw_cfg to = {0};
    size_t used;

    (void)state;
    assert_int_equal(load_some(&fw_cfg, &to, 2, BYTES(data), &used, NULL), 0);
    assert_int_equal(used, 6);
    assert_int_equal(load_some(&fw_cfg, &to, 2, BYTES(same), &used, NULL), 0);
    assert_int_equal(used, 6);
}

static void test_subsection__name_with_nul_is_refused(void **state)
{
    struct fw_cfg to = {0};

    (void)state;
    expect_refused(&fw_cfg, &to, 2,
                   BYTES(FW_CFG_HEAD "\x05\x0a"
                                     "fw_cfg/\0ma"
                                     "\0\0\0\0"),
                   -EBADMSG, "NUL");
}

static void test_subsection__its_version_is_checked(void **state)
{
    struct fw_cfg to = {0};

    (void)state;
    expect_refused(&fw_cfg, &to, 2,
                   BYTES(FW_CFG_HEAD "\x05\x0a"
                                     "fw_cfg/dma"
                                     "\0\0\0\1"
                                     "\0\0\0\0\0\0\0\0"),
                   -EPROTO, "fw_cfg/dma: version 1");
    expect_refused(&fw_cfg, &to, 2,
                   BYTES(FW_CFG_HEAD "\x05\x0e"
                                     "fw_cfg/acpi_mr"
                                     "\0\0\0\0"),
                   -EPROTO, "fw_cfg/acpi_mr: version 0");
}

static void test_subsection__version_limits(void **state)
{
    struct fw_cfg to = {0};

    (void)state;
    expect_refused(&fw_cfg, &to, 0, BYTES(FW_CFG_HEAD), -EPROTO,
                   "too old, expected at least 1");
    expect_loaded(&fw_cfg, &to, 1, BYTES(FW_CFG_HEAD));
    expect_loaded(&fw_cfg, &to, 2, BYTES(FW_CFG_HEAD));
    expect_refused(&fw_cfg, &to, 3, BYTES(FW_CFG_HEAD), -EPROTO,
                   "too new, expected at most 2");
}

struct kvmclock {
    uint64_t clock;
    bool is_reliable;
};

static const struct gw_field reliable_fields[] = {
    GW_FIELD_BOOL(struct kvmclock, is_reliable),
    GW_FIELD_END,
};
static const struct gw_vmstate reliable = {
    .name = "kvmclock/clock_is_reliable",
    .version = 1,
    .min_version = 1,
    .fields = reliable_fields,
};
static const struct gw_vmstate *const kvmclock_subsections[] = {
    &reliable,
    NULL,
};
static const struct gw_field kvmclock_fields[] = {
    GW_FIELD_U64(struct kvmclock, clock),
    GW_FIELD_END,
};
static const struct gw_vmstate kvmclock = {
    .name = "kvmclock",
    .version = 1,
    .min_version = 1,
    .fields = kvmclock_fields,
    .subsections = kvmclock_subsections,
};

static void test_subsection__kvmclock_is_as_qemu_writes_it(void **state)
{
    static const char data[] = "\x00\x00\x00\x0e\x68\x01\x82\xba\x05\x1a"
                               "kvmclock/clock_is_reliable"
                               "\0\0\0\1\1";
    struct kvmclock from = {61874471610, true};
    struct kvmclock to = {0};

    (void)state;
    expect_sound(&kvmclock);
    assert_int_equal(sizeof(data) - 1, 41);
    expect_saved(&kvmclock, &from, BYTES(data));
    expect_loaded(&kvmclock, &to, 1, BYTES(data));
    assert_int_equal(to.clock, 61874471610);
    assert_true(to.is_reliable);
}

/*
 * ---- A nested vmstate with subsections: virtio's extra_state ----
 */

struct virtio {
    uint8_t status;
    uint32_t features;
    bool started;
};

static const struct gw_field transport_state_fields[] = {
    GW_FIELD_U32(struct virtio, features),
    GW_FIELD_END,
};
static const struct gw_vmstate transport_state = {
    .name = "virtio_mmio/state",
    .version = 1,
    .fields = transport_state_fields,
};
static const struct gw_vmstate *const transport_subsections[] = {
    &transport_state,
    NULL,
};
static const struct gw_field no_fields[] = {GW_FIELD_END};
static const struct gw_vmstate transport = {
    .name = "virtio_mmio",
    .fields = no_fields,
    .subsections = transport_subsections,
};
static const struct gw_field extra_fields[] = {
    GW_FIELD_SELF(struct virtio, "transport", transport),
    GW_FIELD_END,
};
static const struct gw_vmstate extra = {
    .name = "virtio/extra_state",
    .version = 1,
    .fields = extra_fields,
};
static const struct gw_field started_fields[] = {
    GW_FIELD_BOOL(struct virtio, started),
    GW_FIELD_END,
};
static const struct gw_vmstate started = {
    .name = "virtio/started",
    .version = 1,
    .fields = started_fields,
};
static const struct gw_vmstate *const virtio_subsections[] = {
    &extra,
    &started,
    NULL,
};
static const struct gw_field core_fields[] = {
    GW_FIELD_U8(struct virtio, status),
    GW_FIELD_END,
};
static const struct gw_vmstate virtio_core = {
    .name = "virtio",
    .version = 1,
    .fields = core_fields,
    .subsections = virtio_subsections,
};
static const struct gw_field rng_fields[] = {
    GW_FIELD_SELF(struct virtio, "virtio", virtio_core),
    GW_FIELD_END,
};
static const struct gw_vmstate rng = {
    .name = "virtio-rng",
    .version = 1,
    .min_version = 1,
    .fields = rng_fields,
};

#define RNG_DATA         \
    "\x0f"               \
    "\x05\x12"           \
    "virtio/extra_state" \
    "\0\0\0\1"           \
    "\x05\x11"           \
    "virtio_mmio/state"  \
    "\0\0\0\1"           \
    "\x12\x34\x56\x78"   \
    "\x05\x0e"           \
    "virtio/started"     \
    "\0\0\0\1"           \
    "\1"

static void test_subsection__nested_end_where_prefixes_end(void **state)
{
    struct virtio from = {15, 0x12345678, true};
    struct virtio to = {0};

    (void)state;
    expect_sound(&rng);
    expect_saved(&rng, &from, BYTES(RNG_DATA));
    expect_loaded(&rng, &to, 1, BYTES(RNG_DATA));
    assert_int_equal(to.status, 15);
    assert_int_equal(to.features, 0x12345678);
    assert_true(to.started);
}

static void test_subsection__path_of_nested_is_named(void **state)
{
    struct virtio to = {0};

    (void)state;
    expect_refused(&rng, &to, 1, RNG_DATA, sizeof(RNG_DATA) - 2, -ENODATA,
                   "virtio-rng/virtio:virtio/started/started: the data ends");
}

/* 0x05 as the value of a field behind a nested vmstate, and as the last. */
struct behind {
    struct kvmclock clock;
    uint8_t five;
};

static const struct gw_field behind_fields[] = {
    GW_FIELD_STRUCT(struct behind, clock, kvmclock, struct kvmclock),
    GW_FIELD_U8(struct behind, five),
    GW_FIELD_END,
};
static const struct gw_vmstate behind = {
    .name = "behind",
    .fields = behind_fields,
};

static void test_subsection__mark_as_value_is_a_value(void **state)
{
    struct behind to = {.five = 0};

    (void)state;
    expect_loaded(&behind, &to, 0, BYTES("\0\0\0\0\0\0\0\1\5"));
    assert_int_equal(to.five, 5);
    /* Looks like a head that the data is too short for. */
    to.five = 0;
    assert_int_equal(load_some(&behind, &to, 0,
                               BYTES("\0\0\0\0\0\0\0\1\5\x7e\0\0"), NULL, NULL),
                     0);
    assert_int_equal(to.five, 5);
    /* A name that begins as it has to is one that was cut. */
    expect_refused(&behind, &to, 0, BYTES("\0\0\0\0\0\0\0\1\5\x1akvmcl"),
                   -ENODATA, "within the head of a subsection at offset 0x8");
}

/*
 * ---- Hooks ----
 */

struct hooked {
    uint8_t value;
    char log[64];
    int fail_at; /* number of the call that fails, from 1 */
    int n_calls;
};

static int note(void *state, const char *what, struct gw_error **errp)
{
    struct hooked *hooked = state;

    strcat(hooked->log, what);
    if (++hooked->n_calls == hooked->fail_at) {
        return gw_error_set(errp, -EIO, "refused by %s", what);
    }
    return 0;
}

static int outer_pre_save(void *state, struct gw_error **errp)
{
    return note(state, "A", errp);
}

static void outer_post_save(void *state)
{
    note(state, "B", NULL);
}

static int outer_pre_load(void *state, struct gw_error **errp)
{
    return note(state, "C", errp);
}

static int outer_post_load(void *state, uint32_t version,
                           struct gw_error **errp)
{
    return note(state, version == 3 ? "D3" : "D?", errp);
}

static int sub_pre_save(void *state, struct gw_error **errp)
{
    return note(state, "a", errp);
}

static void sub_post_save(void *state)
{
    note(state, "b", NULL);
}

static int sub_pre_load(void *state, struct gw_error **errp)
{
    return note(state, "c", errp);
}

static int sub_post_load(void *state, uint32_t version, struct gw_error **errp)
{
    return note(state, version == 7 ? "d7" : "d?", errp);
}

static const struct gw_field hooked_fields[] = {
    GW_FIELD_U8(struct hooked, value),
    GW_FIELD_END,
};
static const struct gw_vmstate hooked_sub = {
    .name = "hooked/sub",
    .version = 7,
    .fields = hooked_fields,
    .pre_save = sub_pre_save,
    .post_save = sub_post_save,
    .pre_load = sub_pre_load,
    .post_load = sub_post_load,
};
static const struct gw_vmstate *const hooked_subsections[] = {
    &hooked_sub,
    NULL,
};
static const struct gw_vmstate hooked = {
    .name = "hooked",
    .version = 3,
    .fields = hooked_fields,
    .subsections = hooked_subsections,
    .pre_save = outer_pre_save,
    .post_save = outer_post_save,
    .pre_load = outer_pre_load,
    .post_load = outer_post_load,
};

#define HOOKED_DATA \
    "\1\5\x0a"      \
    "hooked/sub"    \
    "\0\0\0\7\1"

static void test_hooks__run_in_order(void **state)
{
    struct hooked hook = {.value = 1};

    (void)state;
    expect_saved(&hooked, &hook, BYTES(HOOKED_DATA));
    assert_string_equal(hook.log, "AabB");
    hook.log[0] = '\0';
    expect_loaded(&hooked, &hook, 3, BYTES(HOOKED_DATA));
    assert_string_equal(hook.log, "Ccd7D3");
}

static void test_hooks__failing_save_runs_post_save(void **state)
{
    struct hooked hook = {.fail_at = 2};

    (void)state;
    expect_not_saved(&hooked, &hook, -EIO,
                     "hooked/sub: pre_save: refused by a");
    /* The subsection's own was not prepared; the outer one is undone. */
    assert_string_equal(hook.log, "AaB");
}

static void test_hooks__failing_load_stops(void **state)
{
    static const char *const logs[] = {"C", "Cc", "Ccd7", "Ccd7D3"};
    static const char *const texts[] = {
        "hooked: pre_load: refused by C",
        "hooked/sub: pre_load: refused by c",
        "hooked/sub: post_load: refused by d7",
        "hooked: post_load: refused by D3",
    };
    int i;

    (void)state;
    for (i = 0; i < 4; i++) {
        struct hooked hook = {.fail_at = i + 1};

        expect_refused(&hooked, &hook, 3, BYTES(HOOKED_DATA), -EIO, texts[i]);
        assert_string_equal(hook.log, logs[i]);
    }
}

static int fail_silently(void *state, struct gw_error **errp)
{
    (void)state;
    (void)errp;
    return -EPERM;
}

static void test_hooks__silent_failure_gets_a_text(void **state)
{
    static const struct gw_vmstate silent = {
        .name = "silent",
        .fields = hooked_fields,
        .pre_save = fail_silently,
    };
    struct hooked hook = {0};

    (void)state;
    expect_not_saved(&silent, &hook, -EPERM, "silent: pre_save: failed");
    /* Without a place for the error, too. */
    GW_AUTO_BUFFER struct gw_buffer out = {0};
    assert_int_equal(gw_vmstate_save(&silent, &hook, &out, NULL, NULL), -EPERM);
}

static bool always_false(const void *state)
{
    (void)state;
    return false;
}

static void test_needed__of_a_device(void **state)
{
    static const struct gw_vmstate unneeded = {
        .name = "unneeded",
        .fields = hooked_fields,
        .needed = always_false,
    };
    struct hooked hook = {0};

    (void)state;
    assert_true(gw_vmstate_is_needed(&hooked, &hook));
    assert_false(gw_vmstate_is_needed(&unneeded, &hook));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subsection__fw_cfg_is_as_qemu_writes_it),
        cmocka_unit_test(test_subsection__truncated_is_enodata),
        cmocka_unit_test(test_subsection__needed_decides),
        cmocka_unit_test(test_subsection__order_is_free_and_twice_is_read),
        cmocka_unit_test(test_subsection__unknown_is_refused),
        cmocka_unit_test(test_subsection__other_prefix_stays),
        cmocka_unit_test(test_subsection__name_with_nul_is_refused),
        cmocka_unit_test(test_subsection__its_version_is_checked),
        cmocka_unit_test(test_subsection__version_limits),
        cmocka_unit_test(test_subsection__kvmclock_is_as_qemu_writes_it),
        cmocka_unit_test(test_subsection__nested_end_where_prefixes_end),
        cmocka_unit_test(test_subsection__path_of_nested_is_named),
        cmocka_unit_test(test_subsection__mark_as_value_is_a_value),
        cmocka_unit_test(test_hooks__run_in_order),
        cmocka_unit_test(test_hooks__failing_save_runs_post_save),
        cmocka_unit_test(test_hooks__failing_load_stops),
        cmocka_unit_test(test_hooks__silent_failure_gets_a_text),
        cmocka_unit_test(test_needed__of_a_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

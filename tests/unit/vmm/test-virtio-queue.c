/*
 * Split rings: what a device takes from them, and each way in which a guest
 * can make them senseless.
 */
#include "virtio-driver.h"

#define ENTRIES 8

/* A queue without a device. */
struct bench {
    struct driver driver;
    struct vmm_virtio_queue queue;
    struct vmm_virtio_guest guest;
    struct vmm_virtio_chain chain;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    driver_init(&bench->driver, false);
    bench->driver.num = ENTRIES;
    bench->guest.memory = &bench->driver.guest_memory;
    bench->guest.features = VMM_VIRTIO_BIT(VMM_VIRTIO_F_INDIRECT);
    bench->queue = (struct vmm_virtio_queue){.num = ENTRIES,
                                             .default_num = ENTRIES,
                                             .desc = RING_AT(0),
                                             .avail = AVAIL_AT(0),
                                             .used = USED_AT(0)};
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    driver_deinit(&bench->driver);
    free(bench);
    return 0;
}

static void set_avail(struct bench *bench, uint16_t idx, uint16_t head)
{
    uint8_t *ring = ram(&bench->driver, bench->queue.avail);

    vmm_put_le16(ring + 4 + 2 * ((uint16_t)(idx - 1) % ENTRIES), head);
    vmm_put_le16(ring + 2, idx);
}

static int pop(struct bench *bench, struct gw_error **errp)
{
    return vmm_virtio_queue_pop(&bench->queue, &bench->guest, &bench->chain,
                                errp);
}

static void expect_refusal(struct bench *bench, const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    uint16_t last_avail = bench->queue.last_avail;

    assert_int_equal(pop(bench, &error), -EBADMSG);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
    assert_int_equal(bench->queue.last_avail, last_avail);
    assert_int_equal(bench->queue.n_in_flight, 0);
}

static void test_queue__chain_is_taken_and_given_back(void **state)
{
    struct bench *bench = *state;
    struct driver *driver = &bench->driver;
    char text[8] = "";

    assert_int_equal(pop(bench, NULL), 0);
    memcpy(ram(driver, DATA_AT), "abcdef", 6);
    put(driver, 0, 3, DATA_AT, 4, DESC_F_NEXT, 5);
    put(driver, 0, 5, DATA_AT + 4, 2, DESC_F_NEXT, 1);
    put(driver, 0, 1, DATA_AT + 0x1000, 100, DESC_F_WRITE, 0);
    set_avail(bench, 1, 3);
    assert_int_equal(pop(bench, NULL), 1);
    assert_int_equal(bench->chain.head, 3);
    assert_int_equal(bench->chain.n_out, 2);
    assert_int_equal(bench->chain.out_bytes, 6);
    assert_int_equal(bench->chain.n_in, 1);
    assert_int_equal(bench->chain.in_bytes, 100);
    assert_int_equal(vmm_virtio_chain_read(&bench->chain, 3, text, 8), 3);
    assert_string_equal(text, "def");
    assert_int_equal(vmm_virtio_chain_write(
                         &bench->chain, &driver->guest_memory, 98, "xyz", 3),
                     2);
    assert_memory_equal(ram(driver, DATA_AT + 0x1000 + 98), "xy", 3);
    assert_int_equal(bench->queue.n_in_flight, 1);
    assert_int_equal(pop(bench, NULL), 0);

    assert_int_equal(
        vmm_virtio_queue_push(&bench->queue, &bench->guest, 3, 77, NULL), 0);
    assert_int_equal(vmm_get_le16(ram(driver, USED_AT(0) + 2)), 1);
    assert_int_equal(vmm_get_le32(ram(driver, USED_AT(0) + 4)), 3);
    assert_int_equal(vmm_get_le32(ram(driver, USED_AT(0) + 8)), 77);
    assert_int_equal(bench->queue.n_in_flight, 0);
}

static void test_queue__indexes_wrap_around(void **state)
{
    struct bench *bench = *state;

    bench->queue.last_avail = 0xffff;
    bench->queue.used_idx = 0xffff;
    put(&bench->driver, 0, 2, DATA_AT, 16, 0, 0);
    set_avail(bench, 0, 2);
    assert_int_equal(pop(bench, NULL), 1);
    assert_int_equal(bench->queue.last_avail, 0);
    assert_int_equal(
        vmm_virtio_queue_push(&bench->queue, &bench->guest, 2, 0, NULL), 0);
    assert_int_equal(bench->queue.used_idx, 0);
    /* Entry 65535 of 8 is the last one. */
    assert_int_equal(vmm_get_le32(ram(&bench->driver, USED_AT(0) + 4 + 56)), 2);
}

static void test_queue__indirect_table(void **state)
{
    struct bench *bench = *state;
    struct driver *driver = &bench->driver;

    put_desc(driver, DATA_AT, 0, DATA_AT + 0x1000, 16, DESC_F_NEXT, 2);
    put_desc(driver, DATA_AT, 2, DATA_AT + 0x2000, 32, DESC_F_WRITE, 0);
    /* Parts of the ring's own table may stand before it. */
    put(driver, 0, 0, DATA_AT + 0x3000, 8, DESC_F_NEXT, 1);
    put(driver, 0, 1, DATA_AT, 48, DESC_F_INDIRECT, 0);
    set_avail(bench, 1, 0);
    assert_int_equal(pop(bench, NULL), 1);
    assert_int_equal(bench->chain.out_bytes, 24);
    assert_int_equal(bench->chain.in_bytes, 32);
}

static void test_queue__malformed_descriptors(void **state)
{
    struct bench *bench = *state;
    struct driver *driver = &bench->driver;

    set_avail(bench, 1, ENTRIES);
    expect_refusal(bench, "descriptor 8 of a table of 8");
    set_avail(bench, 1, 0);
    put(driver, 0, 0, DATA_AT, 16, DESC_F_NEXT, ENTRIES);
    expect_refusal(bench, "descriptor 8 of a table of 8");
    put(driver, 0, 0, DATA_AT, 16, DESC_F_NEXT, 1);
    put(driver, 0, 1, DATA_AT, 16, DESC_F_NEXT, 0);
    expect_refusal(bench, "loop");
    put(driver, 0, 0, RAM_BYTES, 1, 0, 0);
    expect_refusal(bench, "not in guest RAM");
    put(driver, 0, 0, RAM_BYTES - 16, 17, 0, 0);
    expect_refusal(bench, "not in guest RAM");
    put(driver, 0, 0, UINT64_MAX - 7, 16, 0, 0);
    expect_refusal(bench, "not in guest RAM");
    put(driver, 0, 0, DATA_AT, 0, 0, 0);
    expect_refusal(bench, "0 bytes");
    put(driver, 0, 0, DATA_AT, 16, DESC_F_NEXT | DESC_F_WRITE, 1);
    put(driver, 0, 1, DATA_AT, 16, 0, 0);
    expect_refusal(bench, "behind one to write");
    put(driver, 0, 0, RAM_BYTES - 16, 16, 0, 0);
    assert_int_equal(pop(bench, NULL), 1);
}

static void test_queue__malformed_indirect_tables(void **state)
{
    struct bench *bench = *state;
    struct driver *driver = &bench->driver;

    set_avail(bench, 1, 0);
    put_desc(driver, DATA_AT, 0, DATA_AT, 16, DESC_F_INDIRECT, 0);
    put(driver, 0, 0, DATA_AT, 16, DESC_F_INDIRECT, 0);
    expect_refusal(bench, "indirect descriptor where none may be");
    put_desc(driver, DATA_AT, 0, DATA_AT, 16, 0, 0);
    put(driver, 0, 0, DATA_AT, 16, DESC_F_INDIRECT | DESC_F_NEXT, 1);
    expect_refusal(bench, "indirect descriptor where none may be");
    put(driver, 0, 0, DATA_AT, 17, DESC_F_INDIRECT, 0);
    expect_refusal(bench, "indirect table of 17 bytes");
    put(driver, 0, 0, DATA_AT, 0, DESC_F_INDIRECT, 0);
    expect_refusal(bench, "indirect table of 0 bytes");
    put(driver, 0, 0, RAM_BYTES - 16, 32, DESC_F_INDIRECT, 0);
    expect_refusal(bench, "is not in guest RAM");
    put_desc(driver, DATA_AT, 0, DATA_AT, 16, DESC_F_NEXT, 1);
    put(driver, 0, 0, DATA_AT, 16, DESC_F_INDIRECT, 0);
    expect_refusal(bench, "descriptor 1 of a table of 1");
    put_desc(driver, DATA_AT, 0, DATA_AT, 16, DESC_F_NEXT, 0);
    expect_refusal(bench, "loop");
    bench->guest.features = 0;
    put_desc(driver, DATA_AT, 0, DATA_AT, 16, 0, 0);
    expect_refusal(bench, "indirect descriptor where none may be");
    bench->guest.features = VMM_VIRTIO_BIT(VMM_VIRTIO_F_INDIRECT);
    assert_int_equal(pop(bench, NULL), 1);
}

/* 1024 parts are what one chain may have, 4 GiB what it may be long. */
static void test_queue__chain_limits(void **state)
{
    struct bench *bench = *state;
    struct driver *driver = &bench->driver;
    uint64_t table = 0x200000;

    for (uint32_t i = 0; i < 1025; i++) {
        put_desc(driver, table, i, DATA_AT, 16, DESC_F_NEXT, (uint16_t)(i + 1));
    }
    put_desc(driver, table, 1024, DATA_AT, 16, 0, 0);
    put(driver, 0, 0, table, 16 * 1025, DESC_F_INDIRECT, 0);
    set_avail(bench, 1, 0);
    expect_refusal(bench, "more than 1024 parts");
    for (uint32_t i = 0; i < 1024; i++) {
        put_desc(driver, table, i, 0, RAM_BYTES, DESC_F_NEXT,
                 (uint16_t)(i + 1));
    }
    expect_refusal(bench, "a chain of 4294967296 bytes");
    for (uint32_t i = 0; i < 1024; i++) {
        put_desc(driver, table, i, 0, 16, i < 1023 ? DESC_F_NEXT : 0,
                 (uint16_t)(i + 1));
    }
    assert_int_equal(pop(bench, NULL), 1);
    assert_int_equal(bench->chain.n_out, 1024);
}

static void test_queue__available_index_jumps(void **state)
{
    struct bench *bench = *state;

    put(&bench->driver, 0, 0, DATA_AT, 16, 0, 0);
    set_avail(bench, ENTRIES + 1, 0);
    expect_refusal(bench, "from 0 to 9 in a ring of 8");
    set_avail(bench, 0xffff, 0);
    expect_refusal(bench, "from 0 to 65535");
    set_avail(bench, ENTRIES, 0);
    for (int i = 0; i < ENTRIES; i++) {
        assert_int_equal(pop(bench, NULL), 1);
    }
    /* The same entries again, while none was given back. */
    set_avail(bench, ENTRIES + 1, 0);
    assert_int_equal(pop(bench, NULL), -EBADMSG);
}

static void test_queue__rings_outside_of_memory(void **state)
{
    struct bench *bench = *state;

    set_avail(bench, 1, 0);
    put(&bench->driver, 0, 0, DATA_AT, 16, 0, 0);
    bench->queue.desc = RAM_BYTES - 16;
    expect_refusal(bench, "descriptors at 0x3ffff0");
    bench->queue.desc = RING_AT(0) + 8;
    expect_refusal(bench, "descriptors");
    bench->queue.desc = RING_AT(0);
    /* 4 bytes and 8 entries of 2: one byte too far. */
    bench->queue.avail = RAM_BYTES - 18;
    expect_refusal(bench, "available ring");
    bench->queue.avail = UINT64_MAX - 1;
    expect_refusal(bench, "available ring");
    bench->queue.avail = AVAIL_AT(0);
    assert_int_equal(pop(bench, NULL), 1);
    bench->queue.used = RAM_BYTES - 64;
    assert_int_equal(
        vmm_virtio_queue_push(&bench->queue, &bench->guest, 0, 0, NULL),
        -EBADMSG);
}

static void give(struct bench *bench)
{
    assert_int_equal(
        vmm_virtio_queue_push(&bench->queue, &bench->guest, 0, 0, NULL), 0);
}

static void test_queue__interrupts(void **state)
{
    struct bench *bench = *state;
    uint8_t *ring = ram(&bench->driver, bench->queue.avail);

    give(bench);
    assert_true(vmm_virtio_queue_wants_interrupt(&bench->queue, &bench->guest));
    vmm_put_le16(ring, 1);
    assert_false(
        vmm_virtio_queue_wants_interrupt(&bench->queue, &bench->guest));
    /* With the event index the flag means nothing. */
    bench->guest.features |= VMM_VIRTIO_BIT(VMM_VIRTIO_F_EVENT_IDX);
    assert_true(vmm_virtio_queue_wants_interrupt(&bench->queue, &bench->guest));
    vmm_put_le16(ring + 4 + 2 * ENTRIES, 2);
    give(bench);
    assert_false(
        vmm_virtio_queue_wants_interrupt(&bench->queue, &bench->guest));
    give(bench);
    assert_true(vmm_virtio_queue_wants_interrupt(&bench->queue, &bench->guest));
}

static void test_queue__notifications(void **state)
{
    struct bench *bench = *state;
    uint8_t *ring = ram(&bench->driver, bench->queue.used);

    assert_false(
        vmm_virtio_queue_set_notify(&bench->queue, &bench->guest, false));
    assert_int_equal(vmm_get_le16(ring), 1);
    put(&bench->driver, 0, 0, DATA_AT, 16, 0, 0);
    set_avail(bench, 1, 0);
    assert_true(
        vmm_virtio_queue_set_notify(&bench->queue, &bench->guest, true));
    assert_int_equal(vmm_get_le16(ring), 0);
    bench->guest.features |= VMM_VIRTIO_BIT(VMM_VIRTIO_F_EVENT_IDX);
    assert_int_equal(pop(bench, NULL), 1);
    assert_false(
        vmm_virtio_queue_set_notify(&bench->queue, &bench->guest, true));
    assert_int_equal(vmm_get_le16(ring + 4 + 8 * ENTRIES), 1);
}

/* What QEMU demands of a queue that it loads. */
static void test_queue__restore(void **state)
{
    struct bench *bench = *state;

    set_avail(bench, 9, 0);
    vmm_put_le16(ram(&bench->driver, USED_AT(0) + 2), 3);
    bench->queue.last_avail = 5;
    assert_int_equal(
        vmm_virtio_queue_restore(&bench->queue, &bench->guest, NULL), 0);
    assert_int_equal(bench->queue.used_idx, 3);
    assert_int_equal(bench->queue.n_in_flight, 2);
    bench->queue.last_avail = 0;
    assert_int_equal(
        vmm_virtio_queue_restore(&bench->queue, &bench->guest, NULL), -EBADMSG);
    /* Nothing is put back of a ring that makes no sense. */
    assert_int_equal(bench->queue.n_in_flight, 0);
    bench->queue.last_avail = 9;
    vmm_put_le16(ram(&bench->driver, USED_AT(0) + 2), 0);
    assert_int_equal(
        vmm_virtio_queue_restore(&bench->queue, &bench->guest, NULL), -EBADMSG);
    assert_int_equal(bench->queue.n_in_flight, 0);
}

/* VIRTIO 1.2, 2.7.2: the layout that legacy drivers use. */
static void test_queue__legacy_layout(void **state)
{
    struct vmm_virtio_queue queue = {.num = 256, .align = 4096};

    vmm_virtio_queue_set_legacy(&queue, 0x10000);
    assert_int_equal(queue.avail, 0x11000);
    assert_int_equal(queue.used, 0x12000);
    queue.num = 1024;
    vmm_virtio_queue_set_legacy(&queue, 0x10000);
    assert_int_equal(queue.avail, 0x14000);
    assert_int_equal(queue.used, 0x15000);
    vmm_virtio_queue_set_legacy(&queue, 0);
    assert_false(vmm_virtio_queue_is_ready(&queue));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_queue__chain_is_taken_and_given_back),
        TEST(test_queue__indexes_wrap_around),
        TEST(test_queue__indirect_table),
        TEST(test_queue__malformed_descriptors),
        TEST(test_queue__malformed_indirect_tables),
        TEST(test_queue__chain_limits),
        TEST(test_queue__available_index_jumps),
        TEST(test_queue__rings_outside_of_memory),
        TEST(test_queue__interrupts),
        TEST(test_queue__notifications),
        TEST(test_queue__restore),
        TEST(test_queue__legacy_layout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

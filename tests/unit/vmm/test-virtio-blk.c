/*
 * virtio-blk, driven through registers and rings: data, errors, pausing, and
 * hostile requests. With each way of doing the I/O.
 */
#include "virtio_blk.h"

#include <fcntl.h>
#include <unistd.h>

#include "virtio-driver.h"

#define DISK_BYTES (1u << 20)
#define HEADER_AT DATA_AT
#define RANGE_AT (DATA_AT + 0x100)
#define STATUS_AT (DATA_AT + 0x200)
#define BUFFER_AT (DATA_AT + 0x1000)
#define MODERN_FEATURES (VMM_VIRTIO_BIT(32) | 1u << 9 | 1u << 11)

struct bench {
    struct driver driver;
    struct vmm_virtio_blk blk;
    char path[64];
};

static void open_with(struct bench *bench, bool legacy,
                      struct vmm_block_config image)
{
    struct vmm_virtio_blk_config config = {
        .image = image, .n_queues = 1, .serial = "disk-7"};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int fd;

    strcpy(bench->path, "/tmp/test-virtio-blk-XXXXXX");
    fd = mkstemp(bench->path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
    close(fd);
    config.image.path = bench->path;
    config.virtio = driver_init(&bench->driver, legacy);
    if (vmm_virtio_blk_init(&bench->blk, &config, &error) < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    bench->driver.device = &bench->blk.device;
    vmm_virtio_resume(&bench->blk.device);
}

static struct bench *new_bench(bool legacy, struct vmm_block_config image)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    open_with(bench, legacy, image);
    driver_start(&bench->driver, legacy ? 1u << 9 : MODERN_FEATURES, 16);
    return bench;
}

static void free_bench(struct bench *bench)
{
    vmm_virtio_blk_deinit(&bench->blk);
    driver_deinit(&bench->driver);
    unlink(bench->path);
    free(bench);
}

static void put_header(struct bench *bench, uint32_t type, uint64_t sector)
{
    uint8_t *header = ram(&bench->driver, HEADER_AT);

    vmm_put_le32(header, type);
    vmm_put_le32(header + 4, 0);
    vmm_put_le64(header + 8, sector);
    put(&bench->driver, 0, 0, HEADER_AT, 16, DESC_F_NEXT, 1);
}

/* A request with one part of data, or none; the status comes back. */
static uint8_t request(struct bench *bench, uint32_t type, uint64_t sector,
                       uint64_t data, uint32_t bytes)
{
    struct driver *driver = &bench->driver;
    uint16_t n = used_idx(driver, 0);
    uint8_t *status = ram(driver, STATUS_AT);
    bool reads = type == 0 || type == 8;

    put_header(bench, type, sector);
    if (bytes > 0) {
        put(driver, 0, 1, data, bytes,
            (uint16_t)(DESC_F_NEXT | (reads ? DESC_F_WRITE : 0)), 2);
    }
    put(driver, 0, bytes > 0 ? 2 : 1, STATUS_AT, 1, DESC_F_WRITE, 0);
    *status = 0xee;
    offer(driver, 0, 0);
    run(driver, 0, (uint16_t)(n + 1));
    return *status;
}

static void fill(struct bench *bench, uint64_t at, size_t bytes, uint8_t seed)
{
    uint8_t *data = ram(&bench->driver, at);

    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)(seed + i * 7 + i / 251);
    }
}

static void expect_file(struct bench *bench, off_t offset, const void *data,
                        size_t bytes)
{
    GW_AUTO_FREE uint8_t *found = malloc(bytes);
    GW_AUTO_FD int fd = open(bench->path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(pread(fd, found, bytes, offset), bytes);
    assert_memory_equal(found, data, bytes);
}

static void check_data(struct bench *bench)
{
    static const uint8_t zeros[8192];
    struct driver *driver = &bench->driver;

    fill(bench, BUFFER_AT, 8192, 1);
    assert_int_equal(request(bench, 1, 8, BUFFER_AT, 8192), 0);
    assert_int_equal(used_len(driver, 0, 0, NULL), 1);
    expect_file(bench, 4096, ram(driver, BUFFER_AT), 8192);
    assert_int_equal(request(bench, 0, 8, BUFFER_AT + 0x10000, 8192), 0);
    assert_int_equal(used_len(driver, 0, 1, NULL), 8193);
    assert_memory_equal(ram(driver, BUFFER_AT),
                        ram(driver, BUFFER_AT + 0x10000), 8192);
    assert_int_equal(request(bench, 4, 0, 0, 0), 0);

    /* Zeroes, then a discard; both read as zeros in a file. */
    vmm_put_le64(ram(driver, RANGE_AT), 8);
    vmm_put_le32(ram(driver, RANGE_AT + 8), 8);
    vmm_put_le32(ram(driver, RANGE_AT + 12), 0);
    assert_int_equal(request(bench, 13, 0, RANGE_AT, 16), 0);
    expect_file(bench, 4096, zeros, 4096);
    expect_file(bench, 8192, (uint8_t *)ram(driver, BUFFER_AT) + 4096, 4096);
    vmm_put_le64(ram(driver, RANGE_AT), 16);
    assert_int_equal(request(bench, 11, 0, RANGE_AT, 16), 0);
    expect_file(bench, 8192, zeros, 4096);
    assert_true(driver->n_messages > 0);
    assert_false(driver->device->broken);
}

static void test_blk__data_by_io_uring(void **state)
{
    struct bench *bench;
    struct vmm_block probe = {0};
    GW_AUTO_ERROR struct gw_error *error = NULL;

    if (vmm_block_uring.open(&probe, &error) < 0) {
        print_message("# %s\n", gw_error_text(error));
        skip();
    }
    vmm_block_uring.close(&probe);
    bench =
        new_bench(false, (struct vmm_block_config){.aio = VMM_BLOCK_AIO_URING});
    check_data(bench);
    free_bench(bench);
}

static void test_blk__data_by_a_thread(void **state)
{
    struct bench *bench = new_bench(
        true, (struct vmm_block_config){.aio = VMM_BLOCK_AIO_THREADS});

    check_data(bench);
    free_bench(bench);
}

/* Parts that do not suit direct I/O go through a buffer, in steps. */
static void test_blk__direct(void **state)
{
    struct bench *bench =
        new_bench(false, (struct vmm_block_config){.direct = true});
    struct driver *driver = &bench->driver;

    check_data(bench);
    fill(bench, BUFFER_AT + 3, 600u << 10, 9);
    assert_int_equal(request(bench, 1, 0, BUFFER_AT + 3, 600u << 10), 0);
    expect_file(bench, 0, ram(driver, BUFFER_AT + 3), 600u << 10);
    assert_int_equal(request(bench, 0, 0, BUFFER_AT + 0x100005, 600u << 10), 0);
    assert_memory_equal(ram(driver, BUFFER_AT + 3),
                        ram(driver, BUFFER_AT + 0x100005), 600u << 10);
    free_bench(bench);
}

static void test_blk__id_and_config(void **state)
{
    struct bench *bench = new_bench(false, (struct vmm_block_config){0});
    struct driver *driver = &bench->driver;

    assert_int_equal(request(bench, 8, 0, BUFFER_AT, 20), 0);
    assert_string_equal(ram(driver, BUFFER_AT), "disk-7");
    assert_int_equal(get_reg(driver, 0x00), 0x74726976);
    assert_int_equal(get_reg(driver, 0x04), 2);
    assert_int_equal(get_reg(driver, 0x08), 2);
    assert_int_equal(get_reg(driver, 0x34), 1024);
    assert_int_equal(get_reg(driver, 0x100), DISK_BYTES / 512);
    assert_int_equal(get_reg(driver, 0x104), 0);
    assert_int_equal(get_reg(driver, 0x10c), 254);
    assert_int_equal(vmm_virtio_bus_ops.read(driver->device, 0x120, 1), 1);
    /* Past the end. */
    assert_int_equal(get_reg(driver, 0x138), 0xffffffff);
    vmm_virtio_bus_ops.write(driver->device, 0x120, 1, 0);
    assert_false(bench->blk.write_back);
    fill(bench, BUFFER_AT, 512, 5);
    assert_int_equal(request(bench, 1, 0, BUFFER_AT, 512), 0);
    free_bench(bench);
}

static void test_blk__requests_off_the_disk(void **state)
{
    struct bench *bench = new_bench(false, (struct vmm_block_config){0});
    struct driver *driver = &bench->driver;
    const uint64_t sectors = DISK_BYTES / 512;

    assert_int_equal(request(bench, 0, sectors - 1, BUFFER_AT, 512), 0);
    assert_int_equal(request(bench, 0, sectors, BUFFER_AT, 512), 1);
    assert_int_equal(request(bench, 0, sectors - 1, BUFFER_AT, 1024), 1);
    assert_int_equal(request(bench, 1, UINT64_MAX, BUFFER_AT, 512), 1);
    assert_int_equal(request(bench, 1, UINT64_MAX / 512 + 1, BUFFER_AT, 512),
                     1);
    assert_int_equal(request(bench, 1, 0, BUFFER_AT, 511), 1);
    assert_int_equal(request(bench, 99, 0, BUFFER_AT, 512), 2);
    vmm_put_le64(ram(driver, RANGE_AT), sectors - 7);
    vmm_put_le32(ram(driver, RANGE_AT + 8), 8);
    vmm_put_le32(ram(driver, RANGE_AT + 12), 0);
    assert_int_equal(request(bench, 11, 0, RANGE_AT, 16), 1);
    vmm_put_le32(ram(driver, RANGE_AT + 12), 1);
    assert_int_equal(request(bench, 11, 0, RANGE_AT, 16), 2);
    assert_int_equal(request(bench, 13, 0, RANGE_AT, 15), 1);
    assert_false(driver->device->broken);
    free_bench(bench);
}

static void test_blk__read_only(void **state)
{
    struct bench *bench =
        new_bench(false, (struct vmm_block_config){.readonly = true});

    assert_true(bench->blk.device.host_features & 1u << 5);
    assert_int_equal(request(bench, 1, 0, BUFFER_AT, 512), 1);
    assert_int_equal(request(bench, 0, 0, BUFFER_AT, 512), 0);
    free_bench(bench);
}

/* The file has become shorter than the disk. */
static void test_blk__errors_of_the_file(void **state)
{
    struct bench *bench = new_bench(false, (struct vmm_block_config){0});

    assert_int_equal(truncate(bench->path, 4096), 0);
    assert_int_equal(request(bench, 0, 0, BUFFER_AT, 4096), 0);
    assert_int_equal(request(bench, 0, 8, BUFFER_AT, 4096), 1);
    assert_int_equal(request(bench, 0, 4, BUFFER_AT, 4096), 1);
    free_bench(bench);
}

static void test_blk__malformed_requests_break_it(void **state)
{
    struct bench *bench = new_bench(false, (struct vmm_block_config){0});
    struct driver *driver = &bench->driver;

    put(driver, 0, 0, HEADER_AT, 15, DESC_F_NEXT, 1);
    put(driver, 0, 1, STATUS_AT, 1, DESC_F_WRITE, 0);
    offer(driver, 0, 0);
    expect_broken(driver, 0);
    assert_int_equal(get_reg(driver, 0x70), 0x4f);
    assert_int_equal(get_reg(driver, 0x60), 3);
    /* A reset helps; then one without a place for the status. */
    memset(ram(driver, AVAIL_AT(0)), 0, 4);
    memset(ram(driver, USED_AT(0)), 0, 4);
    driver_start(driver, MODERN_FEATURES, 16);
    assert_int_equal(request(bench, 0, 0, BUFFER_AT, 512), 0);
    put(driver, 0, 0, HEADER_AT, 16, 0, 0);
    offer(driver, 0, 0);
    expect_broken(driver, 0);
    free_bench(bench);
}

static void test_blk__features_that_are_not_offered(void **state)
{
    struct bench *bench = new_bench(false, (struct vmm_block_config){0});
    struct driver *driver = &bench->driver;

    set_reg(driver, 0x70, 0);
    set_reg(driver, 0x70, 3);
    set_reg(driver, 0x24, 1);
    set_reg(driver, 0x20, 1u << 31 | 1);
    set_reg(driver, 0x70, 0xb);
    assert_int_equal(get_reg(driver, 0x70), 3);
    free_bench(bench);
}

/* Pausing does what the guest told of, and waits for it. */
static void test_blk__pause_waits_for_requests(void **state)
{
    struct bench *bench = new_bench(false, (struct vmm_block_config){0});
    struct driver *driver = &bench->driver;

    /* The worker may take a chain as soon as it is offered. */
    vmm_put_le32(ram(driver, HEADER_AT), 1);
    vmm_put_le64(ram(driver, HEADER_AT + 8), 0);
    assert_int_equal(vmm_virtio_start(driver->device, NULL), 0);
    for (uint16_t i = 0; i < 5; i++) {
        put(driver, 0, (uint32_t)(3 * i), HEADER_AT, 16, DESC_F_NEXT,
            (uint16_t)(3 * i + 1));
        put(driver, 0, (uint32_t)(3 * i + 1), BUFFER_AT, 0x40000, DESC_F_NEXT,
            (uint16_t)(3 * i + 2));
        put(driver, 0, (uint32_t)(3 * i + 2), STATUS_AT + i, 1, DESC_F_WRITE,
            0);
        offer(driver, 0, (uint16_t)(3 * i));
    }
    set_reg(driver, 0x50, 0);
    vmm_virtio_pause(driver->device);
    assert_int_equal(bench->blk.image.n_requests, 0);
    assert_int_equal(driver->device->queues[0].n_in_flight, 0);
    assert_int_equal(used_idx(driver, 0), driver->device->queues[0].last_avail);
    assert_int_equal(used_idx(driver, 0), 5);
    free_bench(bench);
}

static void reset_for_load(void *state)
{
}

static void check_section(bool legacy)
{
    struct bench *bench = new_bench(legacy, (struct vmm_block_config){0});
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct vmm_virtio *device = &bench->blk.device;

    assert_int_equal(request(bench, 0, 0, BUFFER_AT, 512), 0);
    vmm_virtio_pause(device);
    expect_sound(&vmm_virtio_blk_vmstate);
    assert_int_equal(gw_vmstate_save(&vmm_virtio_blk_vmstate, &bench->blk,
                                     &saved, NULL, NULL),
                     0);
    set_reg(&bench->driver, 0x70, 0);
    assert_int_equal(device->queues[0].last_avail, 0);
    expect_loaded(&vmm_virtio_blk_vmstate, &bench->blk, 2, saved.data,
                  saved.size);
    assert_int_equal(device->queues[0].last_avail, 1);
    assert_int_equal(device->queues[0].used_idx, 1);
    assert_int_equal(device->isr, 1);
    expect_saved(&vmm_virtio_blk_vmstate, &bench->blk, saved.data, saved.size);
    vmm_virtio_resume(device);
    assert_int_equal(request(bench, 0, 0, BUFFER_AT, 512), 0);
    if (legacy) {
        expect_truncations(&vmm_virtio_blk_vmstate, &bench->blk, reset_for_load,
                           2, saved.data, 12 + 4 + 4 + 4 + 57 + 4 + 18 + 1);
    }
    free_bench(bench);
}

static void test_blk__section(void **state)
{
    check_section(true);
    check_section(false);
}

/* A guest that knows of a larger disk, or of one that it may write to. */
static void test_blk__disks_of_another_kind(void **state)
{
    struct bench *from = new_bench(false, (struct vmm_block_config){0});
    struct bench *to = new_bench(false, (struct vmm_block_config){0});
    struct bench *readonly =
        new_bench(false, (struct vmm_block_config){.readonly = true});
    GW_AUTO_BUFFER struct gw_buffer saved = {0};

    get_reg(&from->driver, 0x100);
    vmm_virtio_pause(from->driver.device);
    assert_int_equal(gw_vmstate_save(&vmm_virtio_blk_vmstate, &from->blk,
                                     &saved, NULL, NULL),
                     0);
    vmm_virtio_pause(to->driver.device);
    expect_loaded(&vmm_virtio_blk_vmstate, &to->blk, 2, saved.data, saved.size);
    to->blk.image.bytes -= VMM_SECTOR_BYTES;
    expect_refused(&vmm_virtio_blk_vmstate, &to->blk, 2, saved.data, saved.size,
                   -EPROTO, "the guest's disk has 2048 sectors, this one 2047");
    vmm_virtio_pause(readonly->driver.device);
    expect_refused(&vmm_virtio_blk_vmstate, &readonly->blk, 2, saved.data,
                   saved.size, -EPROTO, "this one is read-only");
    free_bench(from);
    free_bench(to);
    free_bench(readonly);
}

/* A request that was on its way in QEMU is done again. */
static void test_blk__saved_request(void **state)
{
    struct bench *bench = new_bench(true, (struct vmm_block_config){0});
    struct driver *driver = &bench->driver;
    struct vmm_virtio *device = driver->device;
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    GW_AUTO_FREE uint8_t *stream = NULL;
    /* Transport 12, common 12 + 57 + 4 + 18 + ...: see the reference. */
    const size_t list_at = 12 + 4 + 4 + 4 + 57 + 4 + 18;

    vmm_virtio_pause(device);
    put_header(bench, 1, 3);
    fill(bench, BUFFER_AT, 512, 42);
    put(driver, 0, 1, BUFFER_AT, 512, DESC_F_NEXT, 2);
    put(driver, 0, 2, STATUS_AT, 1, DESC_F_WRITE, 0);
    offer(driver, 0, 0);
    device->queues[0].last_avail = 1;
    assert_int_equal(gw_vmstate_save(&vmm_virtio_blk_vmstate, &bench->blk,
                                     &saved, NULL, NULL),
                     0);
    expect_refused(&vmm_virtio_blk_vmstate, &bench->blk, 2, saved.data,
                   saved.size, -EBADMSG, "0 requests of queue 0, expected 1");
    stream = calloc(1, saved.size + 1 + VMM_VIRTIO_ELEMENT_BYTES);
    memcpy(stream, saved.data, list_at);
    stream[list_at] = 1;
    memcpy(stream + list_at + 1 + VMM_VIRTIO_ELEMENT_BYTES,
           saved.data + list_at, saved.size - list_at);
    expect_loaded(&vmm_virtio_blk_vmstate, &bench->blk, 2, stream,
                  saved.size + 1 + VMM_VIRTIO_ELEMENT_BYTES);
    vmm_virtio_resume(device);
    run(driver, 0, 1);
    expect_file(bench, 3 * 512, ram(driver, BUFFER_AT), 512);
    free_bench(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blk__data_by_io_uring),
        cmocka_unit_test(test_blk__data_by_a_thread),
        cmocka_unit_test(test_blk__direct),
        cmocka_unit_test(test_blk__id_and_config),
        cmocka_unit_test(test_blk__requests_off_the_disk),
        cmocka_unit_test(test_blk__read_only),
        cmocka_unit_test(test_blk__errors_of_the_file),
        cmocka_unit_test(test_blk__malformed_requests_break_it),
        cmocka_unit_test(test_blk__features_that_are_not_offered),
        cmocka_unit_test(test_blk__pause_waits_for_requests),
        cmocka_unit_test(test_blk__section),
        cmocka_unit_test(test_blk__disks_of_another_kind),
        cmocka_unit_test(test_blk__saved_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The small devices: random numbers, console, balloon.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio-driver.h"
#include "virtio_balloon.h"
#include "virtio_console.h"
#include "virtio_rng.h"
#include "virtio_set.h"

#define BUFFER_AT (DATA_AT + 0x1000)
#define MODERN VMM_VIRTIO_BIT(32)

static bool is_filled(const uint8_t *bytes, size_t n)
{
    size_t n_zeros = 0;

    for (size_t i = 0; i < n; i++) {
        n_zeros += bytes[i] == 0;
    }
    return n_zeros < n / 4;
}

static void test_rng__fills_buffers(void **state)
{
    struct driver driver;
    struct vmm_virtio_config config = driver_init(&driver, false);
    struct vmm_virtio_rng *rng = calloc(1, sizeof(*rng));

    assert_int_equal(vmm_virtio_rng_init(rng, &config, NULL), 0);
    driver.device = &rng->device;
    vmm_virtio_resume(&rng->device);
    driver_start(&driver, MODERN, 8);
    put(&driver, 0, 0, BUFFER_AT, 100, DESC_F_WRITE | DESC_F_NEXT, 1);
    put(&driver, 0, 1, BUFFER_AT + 200, 100, DESC_F_WRITE, 0);
    offer(&driver, 0, 0);
    run(&driver, 0, 1);
    assert_int_equal(used_len(&driver, 0, 0, NULL), 200);
    assert_true(is_filled(ram(&driver, BUFFER_AT), 100));
    assert_true(is_filled(ram(&driver, BUFFER_AT + 200), 100));
    assert_int_equal(*(uint8_t *)ram(&driver, BUFFER_AT + 300), 0);
    /* A huge buffer gets less than it has room for. */
    put(&driver, 0, 0, BUFFER_AT, 1u << 20, DESC_F_WRITE, 0);
    offer(&driver, 0, 0);
    run(&driver, 0, 2);
    assert_int_equal(used_len(&driver, 0, 1, NULL), 4096);
    assert_int_equal(get_reg(&driver, 0x60), 1);
    set_reg(&driver, 0x64, 1);
    assert_int_equal(get_reg(&driver, 0x60), 0);
    vmm_virtio_rng_deinit(rng);
    free(rng);
    driver_deinit(&driver);
}

/* A console on a socket whose other end is ours. */
struct console_bench {
    struct driver driver;
    struct vmm_virtio_console console;
    char folder[64];
    struct sockaddr_un address;
    int peer;
};

static struct console_bench *new_console(void)
{
    struct console_bench *bench = calloc(1, sizeof(*bench));
    struct vmm_virtio_console_config config = {
        .chardev = {.kind = VMM_CHARDEV_UNIX}};

    assert_non_null(bench);
    strcpy(bench->folder, "/tmp/test-console-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    bench->address.sun_family = AF_UNIX;
    snprintf(bench->address.sun_path, sizeof(bench->address.sun_path),
             "%s/socket", bench->folder);
    config.chardev.path = bench->address.sun_path;
    config.virtio = driver_init(&bench->driver, false);
    assert_int_equal(vmm_virtio_console_init(&bench->console, &config, NULL),
                     0);
    bench->peer = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(
        connect(bench->peer, (void *)&bench->address, sizeof(bench->address)),
        0);
    fcntl(bench->peer, F_SETFL, O_NONBLOCK);
    bench->driver.device = &bench->console.device;
    vmm_virtio_resume(&bench->console.device);
    driver_start(&bench->driver, MODERN | 1u << 1, 16);
    vmm_virtio_work(&bench->console.device, 10);
    return bench;
}

static void free_console(struct console_bench *bench)
{
    close(bench->peer);
    vmm_virtio_console_deinit(&bench->console);
    driver_deinit(&bench->driver);
    rmdir(bench->folder);
    free(bench);
}

static void send_control(struct console_bench *bench, uint16_t event,
                         uint16_t value, uint16_t n)
{
    uint8_t *message = ram(&bench->driver, DATA_AT);

    vmm_put_le32(message, 0);
    vmm_put_le16(message + 4, event);
    vmm_put_le16(message + 6, value);
    put(&bench->driver, 3, 0, DATA_AT, 8, 0, 0);
    offer(&bench->driver, 3, 0);
    run(&bench->driver, 3, n);
}

static void expect_control(struct console_bench *bench, uint16_t index,
                           uint16_t event)
{
    const uint8_t *message =
        ram(&bench->driver, DATA_AT + 0x100 + 0x10u * index);

    assert_true(used_idx(&bench->driver, 2) > index);
    assert_int_equal(used_len(&bench->driver, 2, index, NULL), 8);
    assert_int_equal(vmm_get_le16(message + 4), event);
    assert_int_equal(vmm_get_le16(message + 6), 1);
}

static void open_port(struct console_bench *bench)
{
    for (uint16_t i = 0; i < 4; i++) {
        put(&bench->driver, 2, i, DATA_AT + 0x100 + 0x10u * i, 8, DESC_F_WRITE,
            0);
        offer(&bench->driver, 2, i);
    }
    send_control(bench, 0, 1, 1);
    expect_control(bench, 0, 1);
    send_control(bench, 3, 1, 2);
    expect_control(bench, 1, 4);
    expect_control(bench, 2, 6);
    send_control(bench, 6, 1, 3);
    assert_int_equal(bench->console.guest_connected, 1);
}

static void test_console__talks_both_ways(void **state)
{
    struct console_bench *bench = new_console();
    struct driver *driver = &bench->driver;
    char text[16] = "";

    open_port(bench);
    memcpy(ram(driver, BUFFER_AT), "hello", 5);
    put(driver, 1, 0, BUFFER_AT, 5, 0, 0);
    offer(driver, 1, 0);
    run(driver, 1, 1);
    assert_int_equal(read(bench->peer, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");

    assert_int_equal(write(bench->peer, "input", 5), 5);
    vmm_virtio_work(driver->device, 0);
    assert_int_equal(used_idx(driver, 0), 0);
    put(driver, 0, 0, BUFFER_AT + 0x100, 3, DESC_F_WRITE, 0);
    put(driver, 0, 1, BUFFER_AT + 0x200, 64, DESC_F_WRITE, 0);
    offer(driver, 0, 0);
    offer(driver, 0, 1);
    run(driver, 0, 2);
    assert_memory_equal(ram(driver, BUFFER_AT + 0x100), "inp", 3);
    assert_memory_equal(ram(driver, BUFFER_AT + 0x200), "ut", 2);
    assert_int_equal(used_len(driver, 0, 1, NULL), 2);
    free_console(bench);
}

static size_t read_all(struct console_bench *bench, uint8_t *bytes, size_t room)
{
    size_t n = 0;
    ssize_t got;

    while (n < room && (got = read(bench->peer, bytes + n, room - n)) > 0) {
        n += (size_t)got;
    }
    return n;
}

/* Output that the peer does not take moves with the state, to the byte. */
static void test_console__output_that_is_stuck(void **state)
{
    struct console_bench *bench = new_console();
    struct driver *driver = &bench->driver;
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    const uint32_t bytes = 1u << 20;
    GW_AUTO_FREE uint8_t *read_back = malloc(bytes);
    uint8_t *sent = ram(driver, BUFFER_AT);
    size_t n = 0;

    open_port(bench);
    for (uint32_t i = 0; i < bytes; i++) {
        sent[i] = (uint8_t)(i * 31 + i / 253);
    }
    put(driver, 1, 0, BUFFER_AT, bytes / 2, DESC_F_NEXT, 1);
    put(driver, 1, 1, BUFFER_AT + bytes / 2, bytes / 2, 0, 0);
    offer(driver, 1, 0);
    set_reg(driver, 0x50, 1);
    vmm_virtio_work(driver->device, 0);
    assert_int_equal(bench->console.has_pending, 1);
    vmm_virtio_pause(driver->device);
    assert_int_equal(gw_vmstate_save(&vmm_virtio_console_vmstate,
                                     &bench->console, &saved, NULL, NULL),
                     0);
    bench->console.has_pending = 0;
    bench->console.pending_done = 0;
    expect_loaded(&vmm_virtio_console_vmstate, &bench->console, 3, saved.data,
                  saved.size);
    expect_saved(&vmm_virtio_console_vmstate, &bench->console, saved.data,
                 saved.size);
    vmm_virtio_resume(driver->device);
    for (int i = 0; i < 10000 && used_idx(driver, 1) == 0; i++) {
        n += read_all(bench, read_back + n, bytes - n);
        vmm_virtio_work(driver->device, 1);
    }
    n += read_all(bench, read_back + n, bytes - n);
    assert_int_equal(n, bytes);
    assert_memory_equal(read_back, sent, bytes);
    assert_int_equal(used_idx(driver, 1), 1);
    free_console(bench);
}

static struct vmm_virtio_balloon *new_balloon(struct driver *driver)
{
    struct vmm_virtio_balloon *balloon = calloc(1, sizeof(*balloon));
    struct vmm_virtio_balloon_config config = {
        .virtio = driver_init(driver, false), .reporting = true};

    assert_non_null(balloon);
    assert_int_equal(vmm_virtio_balloon_init(balloon, &config, NULL), 0);
    driver->device = &balloon->device;
    vmm_virtio_resume(&balloon->device);
    return balloon;
}

static void free_balloon(struct vmm_virtio_balloon *balloon,
                         struct driver *driver)
{
    vmm_virtio_balloon_deinit(balloon);
    free(balloon);
    driver_deinit(driver);
}

static void test_balloon__pages_go_to_the_host(void **state)
{
    struct driver driver;
    struct vmm_virtio_balloon *balloon = new_balloon(&driver);
    uint8_t *pages = ram(&driver, 0x200000);

    driver_start(&driver, MODERN | 1u << 5, 16);
    memset(pages, 0xaa, 0x10000);
    vmm_put_le32(ram(&driver, DATA_AT), 0x201);
    vmm_put_le32(ram(&driver, DATA_AT + 4), 0x203);
    /* One that is not there, and half a number. */
    vmm_put_le32(ram(&driver, DATA_AT + 8), 0xffffffff);
    put(&driver, 0, 0, DATA_AT, 14, 0, 0);
    offer(&driver, 0, 0);
    run(&driver, 0, 1);
    assert_int_equal(pages[0xfff], 0xaa);
    assert_int_equal(pages[0x1000], 0);
    assert_int_equal(pages[0x1fff], 0);
    assert_int_equal(pages[0x2000], 0xaa);
    assert_int_equal(pages[0x3000], 0);

    /* A report: whole pages only. */
    put(&driver, 3, 0, 0x204800, 0x2000, DESC_F_WRITE, 0);
    offer(&driver, 3, 0);
    run(&driver, 3, 1);
    assert_int_equal(pages[0x4fff], 0xaa);
    assert_int_equal(pages[0x5000], 0);
    assert_int_equal(pages[0x6000], 0xaa);
    free_balloon(balloon, &driver);
}

static void test_balloon__poisoned_pages_stay(void **state)
{
    struct driver driver;
    struct vmm_virtio_balloon *balloon = new_balloon(&driver);
    uint8_t *pages = ram(&driver, 0x200000);

    driver_start(&driver, MODERN | 1u << 5 | 1u << 4, 16);
    set_reg(&driver, 0x10c, 0xaaaaaaaa);
    memset(pages, 0xaa, 0x2000);
    put(&driver, 3, 0, 0x200000, 0x2000, DESC_F_WRITE, 0);
    offer(&driver, 3, 0);
    run(&driver, 3, 1);
    assert_int_equal(pages[0x1000], 0xaa);
    free_balloon(balloon, &driver);
}

static void test_balloon__target(void **state)
{
    struct driver driver;
    struct vmm_virtio_balloon *balloon = new_balloon(&driver);

    driver_start(&driver, MODERN, 16);
    vmm_virtio_balloon_set_target(balloon, 100);
    assert_int_equal(get_reg(&driver, 0x100), 100);
    assert_int_equal(get_reg(&driver, 0x60), 3);
    assert_int_equal(get_reg(&driver, 0xfc), 1);
    set_reg(&driver, 0x104, 60);
    assert_int_equal(balloon->actual, 60);
    free_balloon(balloon, &driver);
}

/* The first device has the highest slot; empty ones say what they are. */
static void test_set__slots(void **state)
{
    struct driver driver;
    struct vmm_virtio_config config = driver_init(&driver, true);
    struct vmm_virtio_options options = {0};
    struct vmm_virtio_place place = {
        .memory = config.memory, .ioapic = config.ioapic, .first_pin = 5};
    struct vmm_virtio_set *set = calloc(1, sizeof(*set));

    assert_int_equal(vmm_virtio_options_add(&options, VMM_VIRTIO_RNG, "", NULL),
                     0);
    assert_int_equal(
        vmm_virtio_options_add(&options, VMM_VIRTIO_BALLOON, "", NULL), 0);
    options.devices[1].slot = 2;
    assert_int_equal(vmm_virtio_options_add(&options, VMM_VIRTIO_RNG, "", NULL),
                     0);
    assert_int_equal(vmm_virtio_set_init(set, &options, &place, NULL), 0);
    assert_int_equal(vmm_virtio_set_slots(set), 1u << 7 | 1u << 2 | 1u << 6);
    assert_int_equal(set->members[1].device->pin, 7);
    assert_int_equal(vmm_virtio_set_bus_ops.read(set, 7 * 0x200 + 8, 4), 4);
    assert_int_equal(vmm_virtio_set_bus_ops.read(set, 2 * 0x200 + 8, 4), 5);
    assert_int_equal(vmm_virtio_set_bus_ops.read(set, 5 * 0x200, 4),
                     0x74726976);
    assert_int_equal(vmm_virtio_set_bus_ops.read(set, 5 * 0x200 + 4, 4), 1);
    assert_int_equal(vmm_virtio_set_bus_ops.read(set, 5 * 0x200 + 8, 4), 0);
    vmm_virtio_set_bus_ops.write(set, 5 * 0x200 + 0x70, 4, 1);
    vmm_virtio_set_deinit(set);

    options.devices[2].slot = 2;
    assert_int_equal(vmm_virtio_set_init(set, &options, &place, NULL), -EINVAL);
    vmm_virtio_options_deinit(&options);
    free(set);
    driver_deinit(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng__fills_buffers),
        cmocka_unit_test(test_console__talks_both_ways),
        cmocka_unit_test(test_console__output_that_is_stuck),
        cmocka_unit_test(test_balloon__pages_go_to_the_host),
        cmocka_unit_test(test_balloon__poisoned_pages_stay),
        cmocka_unit_test(test_balloon__target),
        cmocka_unit_test(test_set__slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Sections that a real QEMU wrote in states that a guest is seldom caught in:
 * requests that wait for a disk, bytes in the UART on their way in and out.
 * Our tables read them to the last byte and write them again byte for byte,
 * and what was under way is done. tests/peer/rare-states made them.
 */
#include "section-file.h"

#include <unistd.h>

#include "cpu_state.h"
#include "serial.h"
#include "virtio-driver.h"
#include "virtio_blk.h"

#define SECTOR 512u
#define DISK_BYTES (64u * SECTOR)

static size_t read_section(const char *capture, const char *name)
{
    return read_section_of(VMM_TEST_DATA "/qemu-10.0-rare.sections", capture,
                           name);
}

/* --- The disk --- */

/* Where QEMU's guest had rings, headers, statuses and data. */
#define QEMU_ENTRIES 8u
#define QEMU_RING_AT(queue) (0x10000u + 0x2000u * (queue))
#define QEMU_AVAIL_AT(queue) (QEMU_RING_AT(queue) + 16u * QEMU_ENTRIES)
#define QEMU_USED_AT(queue) (QEMU_RING_AT(queue) + 0x1000u)
#define QEMU_HEADERS_AT 0x40000u
#define QEMU_STATUS_AT 0x41000u
#define QEMU_DATA_AT 0x50000u
/* Its requests: a sector to write, then one to read. */
#define WRITTEN 5u
#define READ 7u

struct bench {
    struct driver driver;
    struct vmm_virtio_blk blk;
    char path[64];
    FILE *disk;
};

/* Each sector holds its number. */
static struct bench *new_bench(bool legacy, unsigned int n_queues)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct vmm_virtio_blk_config config = {.n_queues = n_queues};
    int fd;

    assert_non_null(bench);
    strcpy(bench->path, "/tmp/test-rare-sections-XXXXXX");
    fd = mkstemp(bench->path);
    assert_true(fd >= 0);
    bench->disk = fdopen(fd, "r+");
    assert_non_null(bench->disk);
    for (unsigned int i = 0; i < DISK_BYTES; i++) {
        fputc((int)(i / SECTOR), bench->disk);
    }
    fflush(bench->disk);
    config.image.path = bench->path;
    config.virtio = driver_init(&bench->driver, legacy);
    assert_int_equal(vmm_virtio_blk_init(&bench->blk, &config, NULL), 0);
    bench->driver.device = &bench->blk.device;
    bench->driver.num = QEMU_ENTRIES;
    return bench;
}

static void free_bench(struct bench *bench)
{
    vmm_virtio_blk_deinit(&bench->blk);
    driver_deinit(&bench->driver);
    fclose(bench->disk);
    unlink(bench->path);
    free(bench);
}

static void put_request(struct driver *driver, unsigned int queue,
                        unsigned int index, uint32_t type, uint64_t sector)
{
    uint32_t head = 3 * index;
    uint64_t table = QEMU_RING_AT(queue);
    uint8_t *header = ram(driver, QEMU_HEADERS_AT + 16 * index);
    uint8_t *available = ram(driver, QEMU_AVAIL_AT(queue));

    vmm_put_le32(header, type);
    vmm_put_le64(header + 8, sector);
    put_desc(driver, table, head, QEMU_HEADERS_AT + 16 * index, 16, DESC_F_NEXT,
             (uint16_t)(head + 1));
    put_desc(driver, table, head + 1, QEMU_DATA_AT + SECTOR * index, SECTOR,
             (uint16_t)(DESC_F_NEXT | (type == 0 ? DESC_F_WRITE : 0)),
             (uint16_t)(head + 2));
    put_desc(driver, table, head + 2, QEMU_STATUS_AT + index, 1, DESC_F_WRITE,
             0);
    memset(ram(driver, QEMU_STATUS_AT + index), 0xff, 1);
    memset(ram(driver, QEMU_DATA_AT + SECTOR * index), 0xa5, SECTOR);
    vmm_put_le16(available + 4 + 2 * index, (uint16_t)head);
    vmm_put_le16(available + 2, (uint16_t)(index + 1));
}

static void expect_done(struct bench *bench, unsigned int queue)
{
    struct driver *driver = &bench->driver;
    const uint8_t *used = ram(driver, QEMU_USED_AT(queue));
    const uint8_t *status = ram(driver, QEMU_STATUS_AT);
    const uint8_t *data = ram(driver, QEMU_DATA_AT + SECTOR);
    uint8_t written[SECTOR];

    for (int i = 0; i < 1000 && vmm_get_le16(used + 2) != 2; i++) {
        vmm_virtio_work(driver->device, 10);
    }
    assert_int_equal(vmm_get_le16(used + 2), 2);
    assert_int_equal(status[0], 0);
    assert_int_equal(status[1], 0);
    assert_int_equal(data[0], READ);
    assert_int_equal(data[SECTOR - 1], READ);
    fseek(bench->disk, WRITTEN * SECTOR, SEEK_SET);
    assert_int_equal(fread(written, 1, SECTOR, bench->disk), SECTOR);
    assert_int_equal(written[0], 0xa5);
    assert_int_equal(written[SECTOR - 1], 0xa5);
    assert_int_equal(driver->device->isr & 1, 1);
}

static void check_disk(const char *capture, bool legacy, unsigned int n_queues)
{
    struct bench *bench = new_bench(legacy, n_queues);
    size_t size = read_section(capture, "virtio-blk");
    const struct gw_vmstate *vmstate = &vmm_virtio_blk_vmstate;

    put_request(&bench->driver, n_queues - 1, 0, 1, WRITTEN);
    put_request(&bench->driver, n_queues - 1, 1, 0, READ);
    expect_loaded(vmstate, &bench->blk, vmstate->version, section, size);
    expect_saved(vmstate, &bench->blk, section, size);
    vmm_virtio_resume(&bench->blk.device);
    expect_done(bench, n_queues - 1);
    free_bench(bench);
}

static void test_rare__requests_of_a_disk(void **state)
{
    check_disk("disk-legacy-1", true, 1);
    check_disk("disk-modern-1", false, 1);
}

static void test_rare__requests_of_a_disk_with_queues(void **state)
{
    check_disk("disk-legacy-2", true, 2);
    check_disk("disk-modern-2", false, 2);
}

/* The elements' own layout: what ours says of the same chain. */
static void test_rare__elements(void **state)
{
    const size_t first = 12 + 4 + 4 + 4 + 57 + 4 + 18 + 1;
    struct bench *bench = new_bench(true, 1);
    struct vmm_virtio *device = &bench->blk.device;
    uint8_t element[VMM_VIRTIO_ELEMENT_BYTES];

    put_request(&bench->driver, 0, 0, 1, WRITTEN);
    put_request(&bench->driver, 0, 1, 0, READ);
    expect_loaded(&vmm_virtio_blk_vmstate, &bench->blk, 2, section,
                  read_section("disk-legacy-1", "virtio-blk"));
    /* The one that failed last is the first of the list. */
    for (uint16_t i = 0; i < 2; i++) {
        assert_int_equal(vmm_virtio_queue_read_chain(&device->queues[0],
                                                     &device->guest, 3 * i,
                                                     &device->chain, NULL),
                         0);
        vmm_virtio_element_encode(&device->chain, &bench->driver.guest_memory,
                                  element);
        assert_memory_equal(element,
                            section + first + (1u - i) * (1 + sizeof(element)),
                            sizeof(element));
    }
    free_bench(bench);
}

/* --- The UART --- */

struct port {
    struct vmm_serial serial;
    char output[64];
    size_t n_output;
    bool irq;
};

static bool take(void *opaque, uint8_t byte)
{
    struct port *port = opaque;

    port->output[port->n_output++] = (char)byte;
    return true;
}

static void room(void *opaque)
{
}

static void set_irq(void *opaque, bool high)
{
    struct port *port = opaque;

    port->irq = high;
}

static const struct vmm_serial_ops ops = {
    .put = take, .room = room, .set_irq = set_irq};

static uint8_t in(struct port *port, unsigned int reg)
{
    return (uint8_t)vmm_serial_bus_ops.read(&port->serial, reg, 1);
}

/* Loads it, writes the same again, and goes on. */
static void init_port(struct port *port, const char *capture)
{
    size_t size = read_section(capture, "serial");

    memset(port, 0, sizeof(*port));
    vmm_serial_init(&port->serial, &ops, port);
    expect_loaded(&vmm_serial_vmstate, &port->serial, 3, section, size);
    expect_saved(&vmm_serial_vmstate, &port->serial, section, size);
    vmm_serial_start(&port->serial);
}

static void check_input(const char *capture)
{
    struct port port;

    init_port(&port, capture);
    assert_true(port.irq);
    assert_int_equal(in(&port, VMM_SERIAL_IIR), 0xcc);
    assert_int_equal(in(&port, VMM_SERIAL_DATA), 'a');
    assert_int_equal(in(&port, VMM_SERIAL_DATA), 'b');
    assert_int_equal(in(&port, VMM_SERIAL_DATA), 'c');
    assert_int_equal(in(&port, VMM_SERIAL_LSR), 0x60);
    assert_false(port.irq);
    vmm_serial_deinit(&port.serial);
}

/* Its timeout has passed; its timeout, a timer in QEMU, is to come. */
static void test_rare__unread_input(void **state)
{
    check_input("serial-input");
    check_input("serial-timeout");
}

static void test_rare__two_interrupts(void **state)
{
    struct port port;

    init_port(&port, "serial-two-interrupts");
    assert_int_equal(in(&port, VMM_SERIAL_IIR), 0xcc);
    assert_int_equal(in(&port, VMM_SERIAL_DATA), 'x');
    assert_true(port.irq);
    assert_int_equal(in(&port, VMM_SERIAL_IIR), 0xc2);
    assert_false(port.irq);
    vmm_serial_deinit(&port.serial);
}

static void check_output(const char *capture, const char *expected)
{
    struct port port;

    init_port(&port, capture);
    assert_int_equal(port.n_output, strlen(expected));
    assert_memory_equal(port.output, expected, strlen(expected));
    assert_int_equal(in(&port, VMM_SERIAL_LSR), 0x60);
    vmm_serial_deinit(&port.serial);
}

/*
 * In the shift register; in the FIFO behind it; more than both hold, of which
 * the FIFO's oldest are lost; and without FIFOs.
 */
static void test_rare__blocked_output(void **state)
{
    check_output("serial-output-one", "A");
    check_output("serial-output-fifo", "ABCDEF");
    check_output("serial-output-full", "AEFGHIJKLMNOPQRST");
    check_output("serial-output-plain", "AB");
}

/* We have no modem lines to poll: that part is read and forgotten. */
static void test_rare__polled_modem_lines(void **state)
{
    struct port port = {0};
    size_t size = read_section("serial-poll", "serial");

    vmm_serial_init(&port.serial, &ops, &port);
    expect_loaded(&vmm_serial_vmstate, &port.serial, 3, section, size);
    expect_saved(&vmm_serial_vmstate, &port.serial, section, 11);
    vmm_serial_deinit(&port.serial);
}

/* QEMU's own APIC waits for SIPI in a subsection; KVM's has an MP state. */
static void test_rare__apic_of_emulation(void **state)
{
    struct vmm_apic apic = {0};
    size_t size = read_section("apic-sipi", "apic");

    expect_refused(&vmm_apic_vmstate, &apic, 3, section, size, -EPROTO,
                   "apic_sipi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rare__requests_of_a_disk),
        cmocka_unit_test(test_rare__requests_of_a_disk_with_queues),
        cmocka_unit_test(test_rare__elements),
        cmocka_unit_test(test_rare__unread_input),
        cmocka_unit_test(test_rare__two_interrupts),
        cmocka_unit_test(test_rare__blocked_output),
        cmocka_unit_test(test_rare__polled_modem_lines),
        cmocka_unit_test(test_rare__apic_of_emulation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

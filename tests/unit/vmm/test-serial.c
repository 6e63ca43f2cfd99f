/*
 * The UART: output, input, interrupts, a blocked backend, its section.
 */
#include "serial.h"

#include "vmstate-helpers.h"

struct backend {
    char output[64];
    size_t n_output;
    /* Bytes it still takes. */
    size_t room;
    bool irq;
    unsigned int n_room_calls;
};

static bool put(void *opaque, uint8_t byte)
{
    struct backend *backend = opaque;

    if (backend->room == 0) {
        return false;
    }
    backend->room--;
    backend->output[backend->n_output++] = (char)byte;
    return true;
}

static void room(void *opaque)
{
    struct backend *backend = opaque;

    backend->n_room_calls++;
}

static void set_irq(void *opaque, bool high)
{
    struct backend *backend = opaque;

    backend->irq = high;
}

static const struct vmm_serial_ops ops = {
    .put = put, .room = room, .set_irq = set_irq};

static void init(struct vmm_serial *serial, struct backend *backend)
{
    *backend = (struct backend){.room = sizeof(backend->output)};
    vmm_serial_init(serial, &ops, backend);
    vmm_serial_start(serial);
}

static void out(struct vmm_serial *serial, unsigned int reg, uint8_t value)
{
    vmm_serial_bus_ops.write(serial, reg, 1, value);
}

static uint8_t in(struct vmm_serial *serial, unsigned int reg)
{
    return (uint8_t)vmm_serial_bus_ops.read(serial, reg, 1);
}

static void test_serial__reset_values(void **state)
{
    struct vmm_serial serial;
    struct backend backend;

    init(&serial, &backend);
    assert_int_equal(in(&serial, VMM_SERIAL_IIR), 0x01);
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0x60);
    assert_int_equal(in(&serial, VMM_SERIAL_MSR), 0xb0);
    assert_int_equal(in(&serial, VMM_SERIAL_MCR), 0x08);
    out(&serial, VMM_SERIAL_LCR, 0x80);
    assert_int_equal(in(&serial, VMM_SERIAL_DATA), 12);
    assert_int_equal(in(&serial, VMM_SERIAL_IER), 0);
    vmm_serial_deinit(&serial);
}

static void test_serial__output_and_its_interrupt(void **state)
{
    struct vmm_serial serial;
    struct backend backend;

    init(&serial, &backend);
    out(&serial, VMM_SERIAL_IER, VMM_IER_THRI);
    assert_true(backend.irq);
    assert_int_equal(in(&serial, VMM_SERIAL_IIR), VMM_IIR_THRI);
    /* Reading IIR acknowledges it. */
    assert_false(backend.irq);
    out(&serial, VMM_SERIAL_DATA, 'x');
    assert_true(backend.irq);
    assert_int_equal(backend.n_output, 1);
    assert_int_equal(backend.output[0], 'x');
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0x60);
    vmm_serial_deinit(&serial);
}

static void test_serial__blocked_output_goes_on(void **state)
{
    struct vmm_serial serial;
    struct backend backend;

    init(&serial, &backend);
    out(&serial, VMM_SERIAL_IIR, VMM_FCR_ENABLE);
    backend.room = 1;
    out(&serial, VMM_SERIAL_DATA, 'a');
    out(&serial, VMM_SERIAL_DATA, 'b');
    /* 'b' waits in the shift register. */
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), VMM_LSR_THRE);
    out(&serial, VMM_SERIAL_DATA, 'c');
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0);
    assert_int_equal(serial.state.tsr_retry, 1);
    backend.room = 10;
    vmm_serial_writable(&serial);
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0x60);
    assert_int_equal(backend.n_output, 3);
    assert_memory_equal(backend.output, "abc", 3);
    vmm_serial_deinit(&serial);
}

static void test_serial__input_through_the_fifo(void **state)
{
    struct vmm_serial serial;
    struct backend backend;

    init(&serial, &backend);
    assert_int_equal(vmm_serial_room(&serial), 1);
    out(&serial, VMM_SERIAL_IIR, VMM_FCR_ENABLE | 0x40); /* trigger: 4 */
    out(&serial, VMM_SERIAL_IER, VMM_IER_RDI);
    assert_int_equal(vmm_serial_room(&serial), 16);
    vmm_serial_receive(&serial, (const uint8_t *)"ab", 2);
    assert_int_equal(vmm_serial_room(&serial), 14);
    assert_true(backend.irq);
    assert_int_equal(in(&serial, VMM_SERIAL_IIR), 0xcc);
    vmm_serial_receive(&serial, (const uint8_t *)"cd", 2);
    assert_int_equal(in(&serial, VMM_SERIAL_DATA), 'a');
    assert_int_equal(in(&serial, VMM_SERIAL_DATA), 'b');
    assert_int_equal(in(&serial, VMM_SERIAL_DATA), 'c');
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0x61);
    assert_int_equal(in(&serial, VMM_SERIAL_DATA), 'd');
    assert_false(backend.irq);
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0x60);
    vmm_serial_deinit(&serial);
}

static void test_serial__overrun(void **state)
{
    struct vmm_serial serial;
    struct backend backend;

    init(&serial, &backend);
    vmm_serial_receive(&serial, (const uint8_t *)"ab", 2);
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0x63);
    assert_int_equal(in(&serial, VMM_SERIAL_LSR), 0x61);
    assert_int_equal(in(&serial, VMM_SERIAL_DATA), 'b');
    vmm_serial_deinit(&serial);
}

static void test_serial__loopback(void **state)
{
    struct vmm_serial serial;
    struct backend backend;

    init(&serial, &backend);
    out(&serial, VMM_SERIAL_MCR, VMM_MCR_LOOP | 0x0f);
    out(&serial, VMM_SERIAL_DATA, 'x');
    assert_int_equal(backend.n_output, 0);
    assert_int_equal(in(&serial, VMM_SERIAL_DATA), 'x');
    assert_int_equal(in(&serial, VMM_SERIAL_MSR), 0xf0);
    vmm_serial_deinit(&serial);
}

static void test_serial__nothing_changes_while_stopped(void **state)
{
    struct vmm_serial serial;
    struct backend backend;

    init(&serial, &backend);
    backend.room = 0;
    out(&serial, VMM_SERIAL_DATA, 'a');
    vmm_serial_stop(&serial);
    assert_int_equal(vmm_serial_room(&serial), 0);
    backend.room = 5;
    vmm_serial_writable(&serial);
    assert_int_equal(backend.n_output, 0);
    vmm_serial_start(&serial);
    assert_int_equal(backend.n_output, 1);
    vmm_serial_deinit(&serial);
}

/* An idle Linux console, 3.15 of the machine's description. */
static void test_serial__section_is_as_in_the_reference(void **state)
{
    static const uint8_t idle[] = {0,    12,   0,    5,    0xc1, 0x13,
                                   0x0b, 0x60, 0xb0, 0x00, 0x81};
    struct vmm_serial_state s;
    struct vmm_serial_state again;

    expect_sound(&vmm_serial_vmstate);
    memset(&s, 0x55, sizeof(s));
    expect_loaded(&vmm_serial_vmstate, &s, 3, idle, sizeof(idle));
    assert_int_equal(s.divider, 12);
    assert_int_equal(s.fcr, 0x81);
    assert_int_equal(s.thr_ipending, 0);
    assert_int_equal(s.recv_fifo.count, 0);
    again = s;
    expect_saved(&vmm_serial_vmstate, &again, idle, sizeof(idle));
}

#define BUSY_TSR \
    "\x05\x0a"   \
    "serial/tsr" \
    "\0\0\0\1\0\0\0\1ab"
#define BUSY_RECV                            \
    "\x05\x10"                               \
    "serial/recv_fifo"                       \
    "\0\0\0\1xy\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0\0\0\0\0\2"
#define BUSY_TIMEOUT          \
    "\x05\x17"                \
    "serial/timeout_ipending" \
    "\0\0\0\1\0\0\0\1"
#define BUSY_HEAD "\0\x0c\0\x05\xcc\x13\x0b\x21\xb0\0\x81"

static void test_serial__busy_port_round_trip(void **state)
{
    static const char busy[] = BUSY_HEAD BUSY_TSR BUSY_RECV BUSY_TIMEOUT;
    struct vmm_serial_state s;

    memset(&s, 0, sizeof(s));
    expect_loaded(&vmm_serial_vmstate, &s, 3, BYTES(busy));
    assert_int_equal(s.tsr_retry, 1);
    assert_int_equal(s.thr, 'a');
    assert_int_equal(s.tsr, 'b');
    assert_int_equal(s.recv_fifo.count, 2);
    assert_int_equal(s.recv_fifo.data[1], 'y');
    assert_int_equal(s.timeout_ipending, 1);
    expect_saved(&vmm_serial_vmstate, &s, BYTES(busy));
}

static void test_serial__inconsistent_sections_are_refused(void **state)
{
    static const char transmitting[] = BUSY_HEAD;
    char fifo[] = BUSY_HEAD BUSY_TSR BUSY_RECV;
    struct vmm_serial_state s = {0};

    expect_refused(&vmm_serial_vmstate, &s, 3, BYTES(transmitting), -EBADMSG,
                   "line status 0x21");
    fifo[sizeof(fifo) - 2] = 17;
    expect_refused(&vmm_serial_vmstate, &s, 3, BYTES(fifo), -EPROTO,
                   "head and count");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serial__reset_values),
        cmocka_unit_test(test_serial__output_and_its_interrupt),
        cmocka_unit_test(test_serial__blocked_output_goes_on),
        cmocka_unit_test(test_serial__input_through_the_fifo),
        cmocka_unit_test(test_serial__overrun),
        cmocka_unit_test(test_serial__loopback),
        cmocka_unit_test(test_serial__nothing_changes_while_stopped),
        cmocka_unit_test(test_serial__section_is_as_in_the_reference),
        cmocka_unit_test(test_serial__busy_port_round_trip),
        cmocka_unit_test(test_serial__inconsistent_sections_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

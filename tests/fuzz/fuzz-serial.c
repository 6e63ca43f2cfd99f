/*
 * A hostile guest, a hostile stream and a slow backend at the serial port.
 *
 * The first byte, if odd: the input begins with a section. Then steps of 4
 * bytes: what to do, and three bytes for it.
 */
#include "serial.h"

#include "fuzz-section.h"

#define STEP_BYTES 4u

static struct {
    struct vmm_serial serial;
    struct vmm_bus bus;
    /* The backend takes bytes. */
    bool takes;
    /* The interrupt line. */
    bool high;
} machine;

static bool put(void *opaque, uint8_t byte)
{
    return machine.takes;
}

static void room(void *opaque)
{
}

static void set_irq(void *opaque, bool high)
{
    machine.high = high;
}

static const struct vmm_serial_ops ops = {
    .put = put, .room = room, .set_irq = set_irq};

static const struct fuzz_section section = {&vmm_serial_vmstate,
                                            &machine.serial.state};

static void set_up(void)
{
    memset(&machine, 0, sizeof(machine));
    machine.takes = true;
    vmm_serial_init(&machine.serial, &ops, NULL);
    vmm_bus_init(&machine.bus);
    vmm_bus_add(&machine.bus.ports, VMM_SERIAL_PORT, VMM_SERIAL_PORTS,
                &vmm_serial_bus_ops, &machine.serial);
}

static void check(void)
{
    const struct vmm_serial_state *s = &machine.serial.state;

    FUZZ_ASSERT(s->recv_fifo.count <= VMM_SERIAL_FIFO &&
                s->recv_fifo.head < VMM_SERIAL_FIFO);
    FUZZ_ASSERT(s->xmit_fifo.count <= VMM_SERIAL_FIFO &&
                s->xmit_fifo.head < VMM_SERIAL_FIFO);
    FUZZ_ASSERT(vmm_serial_room(&machine.serial) <= VMM_SERIAL_FIFO);
    /* The line is high as long as there is a reason for it. */
    FUZZ_ASSERT(machine.high == !(s->iir & VMM_IIR_NONE));
}

static void access_port(const uint8_t *in)
{
    const uint16_t port =
        (uint16_t)(VMM_SERIAL_PORT + in[1] % VMM_SERIAL_PORTS);

    if (in[1] & 0x80) {
        uint8_t byte;

        vmm_bus_read(&machine.bus.ports, port, &byte, 1);
    } else {
        vmm_bus_write(&machine.bus.ports, port, in + 2, 1);
    }
}

static void move(bool is_reset)
{
    vmm_serial_stop(&machine.serial);
    if (is_reset) {
        vmm_serial_reset(&machine.serial);
    }
    fuzz_save_and_load(&section);
    vmm_serial_start(&machine.serial);
}

static void step(const uint8_t *in)
{
    static const uint8_t input[2 * VMM_SERIAL_FIFO];

    switch (in[0] & 7) {
    case 0:
        vmm_serial_receive(&machine.serial, input, in[1] % sizeof(input));
        break;
    case 1:
        machine.takes = in[1] & 1;
        if (machine.takes) {
            vmm_serial_writable(&machine.serial);
        }
        break;
    case 2:
        move(in[1] & 1);
        break;
    default:
        access_port(in);
        break;
    }
    check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at;

    set_up();
    at = fuzz_load_first(&section, 1, data, size);
    if (at > 0) {
        vmm_serial_start(&machine.serial);
        for (; at + STEP_BYTES <= size; at += STEP_BYTES) {
            step(data + at);
        }
    }
    vmm_serial_deinit(&machine.serial);
    return 0;
}

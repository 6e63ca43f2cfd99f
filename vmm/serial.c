/*
 * The UART's registers and interrupts.
 */
#include "serial.h"

#include <string.h>

#include <godwit/vmstate.h>

static void fifo_push(struct vmm_serial_fifo *fifo, uint8_t byte)
{
    fifo->data[(fifo->head + fifo->count) % VMM_SERIAL_FIFO] = byte;
    fifo->count++;
}

static uint8_t fifo_pop(struct vmm_serial_fifo *fifo)
{
    uint8_t byte = fifo->data[fifo->head];

    fifo->head = (fifo->head + 1) % VMM_SERIAL_FIFO;
    fifo->count--;
    return byte;
}

static void fifo_clear(struct vmm_serial_fifo *fifo)
{
    fifo->head = 0;
    fifo->count = 0;
}

static bool has_fifos(const struct vmm_serial_state *s)
{
    return s->fcr & VMM_FCR_ENABLE;
}

static uint32_t trigger_level(const struct vmm_serial_state *s)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return levels[s->fcr >> 6];
}

/* The most urgent interrupt that is enabled and pending. */
static uint8_t pending_interrupt(const struct vmm_serial_state *s)
{
    if ((s->ier & VMM_IER_RLSI) && (s->lsr & VMM_LSR_ERRORS)) {
        return VMM_IIR_RLSI;
    }
    if ((s->ier & VMM_IER_RDI) && s->timeout_ipending) {
        return VMM_IIR_TIMEOUT;
    }
    if ((s->ier & VMM_IER_RDI) && (s->lsr & VMM_LSR_DR) &&
        (!has_fifos(s) || s->recv_fifo.count >= trigger_level(s))) {
        return VMM_IIR_RDI;
    }
    if ((s->ier & VMM_IER_THRI) && s->thr_ipending) {
        return VMM_IIR_THRI;
    }
    if ((s->ier & VMM_IER_MSI) && (s->msr & VMM_MSR_DELTAS)) {
        return VMM_IIR_MSI;
    }
    return VMM_IIR_NONE;
}

static void update_irq(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;
    uint8_t pending = pending_interrupt(s);

    s->iir = (uint8_t)(pending | (s->iir & 0xf0));
    serial->ops->set_irq(serial->opaque, pending != VMM_IIR_NONE);
}

static size_t room(const struct vmm_serial *serial)
{
    const struct vmm_serial_state *s = &serial->state;

    if (serial->stopped || (s->mcr & VMM_MCR_LOOP)) {
        return 0;
    }
    if (has_fifos(s)) {
        return VMM_SERIAL_FIFO - s->recv_fifo.count;
    }
    return (s->lsr & VMM_LSR_DR) ? 0 : 1;
}

static void receive(struct vmm_serial *serial, uint8_t byte)
{
    struct vmm_serial_state *s = &serial->state;

    if (!has_fifos(s)) {
        if (s->lsr & VMM_LSR_DR) {
            s->lsr |= VMM_LSR_OE;
        }
        s->rbr = byte;
    } else if (s->recv_fifo.count == VMM_SERIAL_FIFO) {
        s->lsr |= VMM_LSR_OE;
    } else {
        fifo_push(&s->recv_fifo, byte);
    }
    s->lsr |= VMM_LSR_DR;
    /*
     * Below the trigger level hardware waits four character times before it
     * interrupts. We do not wait: nobody gains from the delay, and no timer
     * runs that would have to be saved.
     */
    if (has_fifos(s) && s->recv_fifo.count < trigger_level(s)) {
        s->timeout_ipending = 1;
    }
}

/* The next byte to send moves into the shift register. */
static void load_tsr(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;

    if (has_fifos(s) && s->xmit_fifo.count > 0) {
        s->tsr = fifo_pop(&s->xmit_fifo);
    } else {
        s->tsr = s->thr;
    }
    if (!has_fifos(s) || s->xmit_fifo.count == 0) {
        s->lsr |= VMM_LSR_THRE;
        s->thr_ipending = 1;
    }
}

static bool send_tsr(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;

    if (s->mcr & VMM_MCR_LOOP) {
        receive(serial, s->tsr);
        return true;
    }
    return serial->ops->put(serial->opaque, s->tsr);
}

/* Sends until nothing is left or the backend does not take more. */
static void transmit(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;

    for (;;) {
        if (s->tsr_retry == 0) {
            if (s->lsr & VMM_LSR_THRE) {
                s->lsr |= VMM_LSR_TEMT;
                return;
            }
            load_tsr(serial);
        }
        if (!send_tsr(serial)) {
            s->tsr_retry = 1;
            return;
        }
        s->tsr_retry = 0;
    }
}

static void write_data(struct vmm_serial *serial, uint8_t value)
{
    struct vmm_serial_state *s = &serial->state;

    s->thr = value;
    if (has_fifos(s)) {
        if (s->xmit_fifo.count == VMM_SERIAL_FIFO) {
            fifo_pop(&s->xmit_fifo);
        }
        fifo_push(&s->xmit_fifo, value);
    }
    s->lsr &= (uint8_t) ~(VMM_LSR_THRE | VMM_LSR_TEMT);
    s->thr_ipending = 0;
    update_irq(serial);
    if (s->tsr_retry == 0) {
        transmit(serial);
    }
    update_irq(serial);
}

static void write_ier(struct vmm_serial *serial, uint8_t value)
{
    struct vmm_serial_state *s = &serial->state;
    uint8_t changed = (s->ier ^ value) & 0x0f;

    s->ier = value & 0x0f;
    if (changed & VMM_IER_THRI) {
        s->thr_ipending =
            (s->ier & VMM_IER_THRI) && (s->lsr & VMM_LSR_THRE) ? 1 : 0;
    }
    if (changed) {
        update_irq(serial);
    }
}

static void write_fcr(struct vmm_serial *serial, uint8_t value)
{
    struct vmm_serial_state *s = &serial->state;

    if ((value ^ s->fcr) & VMM_FCR_ENABLE) {
        value |= VMM_FCR_CLEAR_RECV | VMM_FCR_CLEAR_XMIT;
    }
    if (value & VMM_FCR_CLEAR_RECV) {
        s->lsr &= (uint8_t) ~(VMM_LSR_DR | VMM_LSR_BI);
        s->timeout_ipending = 0;
        fifo_clear(&s->recv_fifo);
    }
    if (value & VMM_FCR_CLEAR_XMIT) {
        s->lsr |= VMM_LSR_THRE;
        s->thr_ipending = 1;
        fifo_clear(&s->xmit_fifo);
    }
    s->fcr = value & VMM_FCR_KEPT;
    s->iir &= (uint8_t)~VMM_IIR_FIFOS;
    s->iir |= has_fifos(s) ? (uint8_t)VMM_IIR_FIFOS : 0;
    update_irq(serial);
    serial->ops->room(serial->opaque);
}

static uint8_t read_data(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;
    uint8_t value = s->rbr;

    if (has_fifos(s)) {
        value = s->recv_fifo.count > 0 ? fifo_pop(&s->recv_fifo) : 0;
        s->timeout_ipending =
            s->recv_fifo.count > 0 && s->recv_fifo.count < trigger_level(s);
    }
    if (!has_fifos(s) || s->recv_fifo.count == 0) {
        s->lsr &= (uint8_t) ~(VMM_LSR_DR | VMM_LSR_BI);
    }
    update_irq(serial);
    serial->ops->room(serial->opaque);
    return value;
}

static uint8_t read_iir(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;
    uint8_t value = s->iir;

    if ((value & VMM_IIR_ID) == VMM_IIR_THRI) {
        s->thr_ipending = 0;
        update_irq(serial);
    }
    return value;
}

static uint8_t read_lsr(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;
    uint8_t value = s->lsr;

    if (value & (VMM_LSR_BI | VMM_LSR_OE)) {
        s->lsr &= (uint8_t) ~(VMM_LSR_BI | VMM_LSR_OE);
        update_irq(serial);
    }
    return value;
}

/* In loopback the outputs of MCR appear as the inputs of MSR. */
static uint8_t read_msr(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;
    uint8_t value = s->msr;

    if (s->mcr & VMM_MCR_LOOP) {
        return (uint8_t)((s->mcr & 0x0c) << 4 | (s->mcr & 0x02) << 3 |
                         (s->mcr & 0x01) << 5);
    }
    if (value & VMM_MSR_DELTAS) {
        s->msr &= (uint8_t)~VMM_MSR_DELTAS;
        update_irq(serial);
    }
    return value;
}

static uint8_t read_register(struct vmm_serial *serial, uint64_t offset)
{
    struct vmm_serial_state *s = &serial->state;
    bool dlab = s->lcr & VMM_LCR_DLAB;

    switch (offset) {
    case VMM_SERIAL_DATA:
        return dlab ? (uint8_t)s->divider : read_data(serial);
    case VMM_SERIAL_IER:
        return dlab ? (uint8_t)(s->divider >> 8) : s->ier;
    case VMM_SERIAL_IIR:
        return read_iir(serial);
    case VMM_SERIAL_LCR:
        return s->lcr;
    case VMM_SERIAL_MCR:
        return s->mcr;
    case VMM_SERIAL_LSR:
        return read_lsr(serial);
    case VMM_SERIAL_MSR:
        return read_msr(serial);
    default:
        return s->scr;
    }
}

static void write_register(struct vmm_serial *serial, uint64_t offset,
                           uint8_t value)
{
    struct vmm_serial_state *s = &serial->state;
    bool dlab = s->lcr & VMM_LCR_DLAB;

    switch (offset) {
    case VMM_SERIAL_DATA:
        if (dlab) {
            s->divider = (uint16_t)((s->divider & 0xff00) | value);
        } else {
            write_data(serial, value);
        }
        break;
    case VMM_SERIAL_IER:
        if (dlab) {
            s->divider = (uint16_t)((s->divider & 0x00ff) | value << 8);
        } else {
            write_ier(serial, value);
        }
        break;
    case VMM_SERIAL_IIR:
        write_fcr(serial, value);
        break;
    case VMM_SERIAL_LCR:
        s->lcr = value;
        break;
    case VMM_SERIAL_MCR:
        s->mcr = value & 0x1f;
        serial->ops->room(serial->opaque);
        break;
    case VMM_SERIAL_SCR:
        s->scr = value;
        break;
    default: /* LSR and MSR are read only */
        break;
    }
}

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_serial *serial = opaque;
    uint64_t value = 0;

    pthread_mutex_lock(&serial->lock);
    for (unsigned int i = 0; i < size; i++) {
        value |= (uint64_t)read_register(serial, offset + i) << (8 * i);
    }
    pthread_mutex_unlock(&serial->lock);
    return value;
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_serial *serial = opaque;

    pthread_mutex_lock(&serial->lock);
    for (unsigned int i = 0; i < size; i++) {
        write_register(serial, offset + i, (uint8_t)(value >> (8 * i)));
    }
    pthread_mutex_unlock(&serial->lock);
}

const struct vmm_bus_ops vmm_serial_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};

static void set_reset_values(struct vmm_serial_state *s)
{
    *s = (struct vmm_serial_state){0};
    s->divider = 12; /* 9600 baud */
    s->iir = VMM_IIR_NONE;
    s->mcr = VMM_MCR_OUT2;
    s->lsr = VMM_LSR_TEMT | VMM_LSR_THRE;
    s->msr = VMM_MSR_DCD | VMM_MSR_DSR | VMM_MSR_CTS;
    s->fifo_timeout_timer = GW_TIMER_NOT_ARMED;
    s->modem_poll_timer = GW_TIMER_NOT_ARMED;
    s->poll_msl = -1;
}

void vmm_serial_init(struct vmm_serial *serial,
                     const struct vmm_serial_ops *ops, void *opaque)
{
    memset(serial, 0, sizeof(*serial));
    pthread_mutex_init(&serial->lock, NULL);
    serial->ops = ops;
    serial->opaque = opaque;
    serial->stopped = true;
    set_reset_values(&serial->state);
}

void vmm_serial_reset(struct vmm_serial *serial)
{
    pthread_mutex_lock(&serial->lock);
    set_reset_values(&serial->state);
    update_irq(serial);
    pthread_mutex_unlock(&serial->lock);
}

void vmm_serial_deinit(struct vmm_serial *serial)
{
    pthread_mutex_destroy(&serial->lock);
}

size_t vmm_serial_room(struct vmm_serial *serial)
{
    size_t n;

    pthread_mutex_lock(&serial->lock);
    n = room(serial);
    pthread_mutex_unlock(&serial->lock);
    return n;
}

void vmm_serial_receive(struct vmm_serial *serial, const uint8_t *bytes,
                        size_t n)
{
    pthread_mutex_lock(&serial->lock);
    for (size_t i = 0; i < n; i++) {
        receive(serial, bytes[i]);
    }
    update_irq(serial);
    pthread_mutex_unlock(&serial->lock);
}

void vmm_serial_writable(struct vmm_serial *serial)
{
    pthread_mutex_lock(&serial->lock);
    if (!serial->stopped && serial->state.tsr_retry > 0) {
        transmit(serial);
        update_irq(serial);
    }
    pthread_mutex_unlock(&serial->lock);
}

void vmm_serial_stop(struct vmm_serial *serial)
{
    pthread_mutex_lock(&serial->lock);
    serial->stopped = true;
    pthread_mutex_unlock(&serial->lock);
}

/* A receive timeout that was running where we come from is due now. */
void vmm_serial_start(struct vmm_serial *serial)
{
    struct vmm_serial_state *s = &serial->state;

    pthread_mutex_lock(&serial->lock);
    serial->stopped = false;
    if (s->fifo_timeout_timer != GW_TIMER_NOT_ARMED) {
        s->fifo_timeout_timer = GW_TIMER_NOT_ARMED;
        s->timeout_ipending = s->recv_fifo.count > 0;
    }
    if (s->tsr_retry > 0) {
        transmit(serial);
    }
    update_irq(serial);
    serial->ops->room(serial->opaque);
    pthread_mutex_unlock(&serial->lock);
}

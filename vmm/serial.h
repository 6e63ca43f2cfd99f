/*
 * A 16550A at port 0x3f8, IRQ 4: FIFOs, interrupts, loopback.
 *
 * Bytes leave as soon as the backend takes them; when it does not, the
 * transmitter stays busy (the retry state that QEMU saves as `serial/tsr`).
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus.h"

struct gw_vmstate;

#define VMM_SERIAL_PORT 0x3f8u
#define VMM_SERIAL_PORTS 8u
#define VMM_SERIAL_IRQ 4u
#define VMM_SERIAL_FIFO 16u

/* Registers, by offset from the first port. */
enum vmm_serial_register {
    VMM_SERIAL_DATA = 0, /* with DLAB: divider, low half */
    VMM_SERIAL_IER = 1,  /* with DLAB: divider, high half */
    VMM_SERIAL_IIR = 2,  /* written: FCR */
    VMM_SERIAL_LCR = 3,
    VMM_SERIAL_MCR = 4,
    VMM_SERIAL_LSR = 5,
    VMM_SERIAL_MSR = 6,
    VMM_SERIAL_SCR = 7,
};

/* Interrupt enables. */
#define VMM_IER_RDI 0x01u
#define VMM_IER_THRI 0x02u
#define VMM_IER_RLSI 0x04u
#define VMM_IER_MSI 0x08u
/* Interrupt identification. */
#define VMM_IIR_NONE 0x01u
#define VMM_IIR_ID 0x06u
#define VMM_IIR_MSI 0x00u
#define VMM_IIR_THRI 0x02u
#define VMM_IIR_RDI 0x04u
#define VMM_IIR_RLSI 0x06u
#define VMM_IIR_TIMEOUT 0x0cu
#define VMM_IIR_FIFOS 0xc0u
/* FIFO control. */
#define VMM_FCR_ENABLE 0x01u
#define VMM_FCR_CLEAR_RECV 0x02u
#define VMM_FCR_CLEAR_XMIT 0x04u
#define VMM_FCR_KEPT 0xc9u
/* Line control, modem control. */
#define VMM_LCR_DLAB 0x80u
#define VMM_MCR_OUT2 0x08u
#define VMM_MCR_LOOP 0x10u
/* Line status. */
#define VMM_LSR_DR 0x01u
#define VMM_LSR_OE 0x02u
#define VMM_LSR_BI 0x10u
#define VMM_LSR_ERRORS 0x1eu
#define VMM_LSR_THRE 0x20u
#define VMM_LSR_TEMT 0x40u
/* Modem status: changes, and the lines. */
#define VMM_MSR_DELTAS 0x0fu
#define VMM_MSR_CTS 0x10u
#define VMM_MSR_DSR 0x20u
#define VMM_MSR_DCD 0x80u

/* What the port needs from outside; called with its lock held. */
struct vmm_serial_ops {
    /* Takes a byte; false: not now, call vmm_serial_writable later. */
    bool (*put)(void *opaque, uint8_t byte);
    /* There is room for input again. */
    void (*room)(void *opaque);
    /* The interrupt line. */
    void (*set_irq)(void *opaque, bool high);
};

/* A ring of 16 bytes. */
struct vmm_serial_fifo {
    uint8_t data[VMM_SERIAL_FIFO];
    /* Index of the oldest byte. */
    uint32_t head;
    uint32_t count;
};

/* What moves; see docs/spec/machine.md, 2.11. */
struct vmm_serial_state {
    uint16_t divider;
    uint8_t rbr;
    uint8_t ier;
    uint8_t iir;
    uint8_t lcr;
    uint8_t mcr;
    uint8_t lsr;
    uint8_t msr;
    uint8_t scr;
    uint8_t fcr;
    /* Latch of the transmitter-empty interrupt; -1 while loading. */
    int32_t thr_ipending;
    /* > 0: the byte in tsr waits for the backend. */
    uint32_t tsr_retry;
    uint8_t thr;
    uint8_t tsr;
    struct vmm_serial_fifo recv_fifo;
    struct vmm_serial_fifo xmit_fifo;
    /* Expiry of the receive timeout; we fire it at once and never save it. */
    int64_t fifo_timeout_timer;
    int32_t timeout_ipending;
    /* Modem line polling of QEMU with a real port; accepted, not used. */
    int32_t poll_msl;
    int64_t modem_poll_timer;
};

struct vmm_serial {
    /* First member: the pointer the vmstate knows. */
    struct vmm_serial_state state;
    /* Guards everything. */
    pthread_mutex_t lock;
    /* The machine is paused: nothing may change. */
    bool stopped;
    const struct vmm_serial_ops *ops;
    void *opaque;
};

extern const struct gw_vmstate vmm_serial_vmstate;
extern const struct vmm_bus_ops vmm_serial_bus_ops;

/* A port after reset; stopped. */
void vmm_serial_init(struct vmm_serial *serial,
                     const struct vmm_serial_ops *ops, void *opaque);
/* As after power-on; nothing that was to be sent is left. */
void vmm_serial_reset(struct vmm_serial *serial);
void vmm_serial_deinit(struct vmm_serial *serial);

/* How many bytes of input it takes now. */
size_t vmm_serial_room(struct vmm_serial *serial);

/* Input; bytes beyond the room are dropped as an overrun. */
void vmm_serial_receive(struct vmm_serial *serial, const uint8_t *bytes,
                        size_t n);

/* The backend takes output again. */
void vmm_serial_writable(struct vmm_serial *serial);

/* The machine pauses; the machine goes on (maybe with loaded state). */
void vmm_serial_stop(struct vmm_serial *serial);
void vmm_serial_start(struct vmm_serial *serial);

#endif

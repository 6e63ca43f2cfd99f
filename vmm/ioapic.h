/*
 * The I/O APIC: 24 pins at 0xfec00000, version 0x20 (with an EOI register),
 * in user space; the local APICs are the accelerator's.
 */
#ifndef VMM_IOAPIC_H
#define VMM_IOAPIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "bus.h"

struct gw_vmstate;
struct vmm_i8259;

#define VMM_IOAPIC_BASE 0xfec00000ull
#define VMM_IOAPIC_BYTES 0x1000u
#define VMM_IOAPIC_PINS 24
/* Lines that lead to 8259s too, and where the first of them leads to here. */
#define VMM_IOAPIC_ISA_LINES 16
#define VMM_IOAPIC_LINE0_PIN 2

/* Bits of a redirection entry, and delivery mode 7 (from an 8259). */
#define VMM_RTE_VECTOR 0xffull
#define VMM_RTE_DELIVERY (7ull << 8)
#define VMM_RTE_EXTINT (7ull << 8)
#define VMM_RTE_LOGICAL (1ull << 11)
#define VMM_RTE_BUSY (1ull << 12)
#define VMM_RTE_REMOTE_IRR (1ull << 14)
#define VMM_RTE_LEVEL (1ull << 15)
#define VMM_RTE_MASKED (1ull << 16)

/* An interrupt message as the local APICs take it. */
struct vmm_msi {
    uint64_t address;
    uint32_t data;
};

/* What the I/O APIC does to the accelerator; called with its lock held. */
struct vmm_ioapic_ops {
    /*
     * The messages of pins changed: the accelerator must report the end of
     * level interrupts of these vectors (vmm_ioapic_eoi).
     */
    void (*routes_changed)(void *opaque,
                           const struct vmm_msi routes[VMM_IOAPIC_PINS]);
    /* Deliver a message. */
    void (*send)(void *opaque, const struct vmm_msi *msi);
};

/* What moves; see docs/spec/machine.md, 2.5. */
struct vmm_ioapic_state {
    uint8_t id;
    uint8_t select;
    /* Pins that wait for delivery. */
    uint32_t irr;
    uint64_t entries[VMM_IOAPIC_PINS];
    /* The entries as they are sent: ExtINT ones made harmless. */
    uint64_t sent_entries[VMM_IOAPIC_PINS];
    /* Not sent: the machine has 8259s, ExtINT entries are sent as they are. */
    bool has_pics;
};

struct vmm_ioapic {
    /* First member: the pointer the vmstate knows. */
    struct vmm_ioapic_state state;
    /* Guards everything below and state while the guest runs. */
    pthread_mutex_t lock;
    /* Lines that devices hold high; not part of the saved state. */
    uint32_t lines;
    struct vmm_msi routes[VMM_IOAPIC_PINS];
    const struct vmm_ioapic_ops *ops;
    void *opaque;
    /* The machine's 8259s or NULL; constant after init, not called locked. */
    struct vmm_i8259 *pics;
};

extern const struct gw_vmstate vmm_ioapic_vmstate;
extern const struct vmm_bus_ops vmm_ioapic_bus_ops;

void vmm_ioapic_init(struct vmm_ioapic *ioapic,
                     const struct vmm_ioapic_ops *ops, void *opaque);
/* As after power-on: all pins masked. Lines stay where devices hold them. */
void vmm_ioapic_reset(struct vmm_ioapic *ioapic);
void vmm_ioapic_deinit(struct vmm_ioapic *ioapic);

/* The machine has 8259s: the lines that they have lead to both. */
void vmm_ioapic_connect_pics(struct vmm_ioapic *ioapic, struct vmm_i8259 *pics);

/* Sets the level of an interrupt line: that of a pin, but for line 0. */
void vmm_ioapic_set_line(struct vmm_ioapic *ioapic, unsigned int line,
                         bool high);

/* A local APIC ended a level interrupt of that vector. */
void vmm_ioapic_eoi(struct vmm_ioapic *ioapic, uint8_t vector);

/* State was loaded: gives the routes to the accelerator. */
void vmm_ioapic_restart(struct vmm_ioapic *ioapic);

/* The message that an entry sends. */
struct vmm_msi vmm_ioapic_message(uint64_t entry);

#endif

/*
 * Redirection: lines in, messages out.
 */
#include "ioapic.h"

#include <string.h>

#include "i8259.h"

/* Registers of the memory window. */
#define WINDOW_SELECT 0x00
#define WINDOW_DATA 0x10
#define WINDOW_EOI 0x40
/* Indirect registers. */
#define REG_ID 0x00
#define REG_VERSION 0x01
#define REG_ARBITRATION 0x02
#define REG_ENTRIES 0x10
#define VERSION_VALUE 0x00170020u

#define MSI_BASE 0xfee00000ull

/*
 * Masked, or the vector is to come from an 8259: KVM takes that only through
 * the local APIC's own line.
 */
static bool is_silent(uint64_t entry)
{
    return (entry & VMM_RTE_MASKED) ||
           (entry & VMM_RTE_DELIVERY) == VMM_RTE_EXTINT;
}

struct vmm_msi vmm_ioapic_message(uint64_t entry)
{
    struct vmm_msi msi;

    /* Destination to address bits 12..19 and above, mode to bit 2. */
    msi.address = MSI_BASE | (entry >> 48) << 4 |
                  ((entry & VMM_RTE_LOGICAL) ? 1u << 2 : 0);
    msi.data = (uint32_t)(entry & (VMM_RTE_VECTOR | VMM_RTE_DELIVERY)) |
               ((entry & VMM_RTE_LEVEL) ? 1u << 15 : 0);
    return msi;
}

/* Masked pins keep their last route. */
static void update_routes(struct vmm_ioapic *ioapic)
{
    for (unsigned int pin = 0; pin < VMM_IOAPIC_PINS; pin++) {
        uint64_t entry = ioapic->state.entries[pin];

        if (!is_silent(entry)) {
            ioapic->routes[pin] = vmm_ioapic_message(entry);
        }
    }
    ioapic->ops->routes_changed(ioapic->opaque, ioapic->routes);
}

/* Delivers what pends on a pin, if its entry allows. */
static void service_pin(struct vmm_ioapic *ioapic, unsigned int pin)
{
    uint64_t *entry = &ioapic->state.entries[pin];
    struct vmm_msi msi;

    if (!(ioapic->state.irr & 1u << pin) || is_silent(*entry)) {
        return;
    }
    if (*entry & VMM_RTE_LEVEL) {
        if (*entry & VMM_RTE_REMOTE_IRR) {
            return;
        }
        *entry |= VMM_RTE_REMOTE_IRR;
    } else {
        ioapic->state.irr &= ~(1u << pin);
    }
    msi = vmm_ioapic_message(*entry);
    ioapic->ops->send(ioapic->opaque, &msi);
}

static void service(struct vmm_ioapic *ioapic)
{
    for (unsigned int pin = 0; pin < VMM_IOAPIC_PINS; pin++) {
        service_pin(ioapic, pin);
    }
}

static void set_line(struct vmm_ioapic *ioapic, unsigned int pin, bool high)
{
    uint32_t bit = 1u << pin;
    bool was_high = ioapic->lines & bit;

    ioapic->lines = high ? ioapic->lines | bit : ioapic->lines & ~bit;
    if (ioapic->state.entries[pin] & VMM_RTE_LEVEL) {
        ioapic->state.irr =
            high ? ioapic->state.irr | bit : ioapic->state.irr & ~bit;
    } else if (high && !was_high) {
        /* An edge on a masked pin is lost, as in hardware. */
        if (!(ioapic->state.entries[pin] & VMM_RTE_MASKED)) {
            ioapic->state.irr |= bit;
        }
    }
    service_pin(ioapic, pin);
}

void vmm_ioapic_connect_pics(struct vmm_ioapic *ioapic, struct vmm_i8259 *pics)
{
    ioapic->pics = pics;
    ioapic->state.has_pics = pics != NULL;
}

void vmm_ioapic_set_line(struct vmm_ioapic *ioapic, unsigned int line,
                         bool high)
{
    unsigned int pin = line == 0 ? VMM_IOAPIC_LINE0_PIN : line;

    if (ioapic->pics && line < VMM_IOAPIC_ISA_LINES) {
        vmm_i8259_set_line(ioapic->pics, line, high);
    }
    pthread_mutex_lock(&ioapic->lock);
    set_line(ioapic, pin, high);
    pthread_mutex_unlock(&ioapic->lock);
}

static void end_of_interrupt(struct vmm_ioapic *ioapic, uint8_t vector)
{
    for (unsigned int pin = 0; pin < VMM_IOAPIC_PINS; pin++) {
        uint64_t *entry = &ioapic->state.entries[pin];

        if ((*entry & VMM_RTE_VECTOR) == vector && (*entry & VMM_RTE_LEVEL) &&
            (*entry & VMM_RTE_REMOTE_IRR)) {
            *entry &= ~VMM_RTE_REMOTE_IRR;
            service_pin(ioapic, pin);
        }
    }
}

void vmm_ioapic_eoi(struct vmm_ioapic *ioapic, uint8_t vector)
{
    pthread_mutex_lock(&ioapic->lock);
    end_of_interrupt(ioapic, vector);
    pthread_mutex_unlock(&ioapic->lock);
}

void vmm_ioapic_restart(struct vmm_ioapic *ioapic)
{
    pthread_mutex_lock(&ioapic->lock);
    update_routes(ioapic);
    service(ioapic);
    pthread_mutex_unlock(&ioapic->lock);
}

static uint32_t read_register(const struct vmm_ioapic *ioapic)
{
    uint8_t reg = ioapic->state.select;
    unsigned int pin;

    switch (reg) {
    case REG_ID:
    case REG_ARBITRATION:
        return (uint32_t)ioapic->state.id << 24;
    case REG_VERSION:
        return VERSION_VALUE;
    default:
        pin = (unsigned int)(reg - REG_ENTRIES) / 2;
        if (reg < REG_ENTRIES || pin >= VMM_IOAPIC_PINS) {
            return 0;
        }
        return (uint32_t)(ioapic->state.entries[pin] >> (reg & 1 ? 32 : 0));
    }
}

/* Status bits are the chip's; remote IRR means nothing to an edge pin. */
static void write_entry(struct vmm_ioapic *ioapic, unsigned int pin,
                        bool high_half, uint32_t value)
{
    const uint64_t read_only = VMM_RTE_BUSY | VMM_RTE_REMOTE_IRR;
    uint64_t *entry = &ioapic->state.entries[pin];
    uint64_t kept = *entry & read_only;

    if (high_half) {
        *entry = (*entry & UINT32_MAX) | (uint64_t)value << 32;
    } else {
        *entry = (*entry & ~(uint64_t)UINT32_MAX) | (value & ~read_only) | kept;
    }
    if (!(*entry & VMM_RTE_LEVEL)) {
        *entry &= ~VMM_RTE_REMOTE_IRR;
    } else if (ioapic->lines & 1u << pin) {
        ioapic->state.irr |= 1u << pin;
    }
    update_routes(ioapic);
    service_pin(ioapic, pin);
}

static void write_register(struct vmm_ioapic *ioapic, uint32_t value)
{
    uint8_t reg = ioapic->state.select;
    unsigned int pin = (unsigned int)(reg - REG_ENTRIES) / 2;

    if (reg == REG_ID) {
        ioapic->state.id = (value >> 24) & 0xf;
    } else if (reg >= REG_ENTRIES && pin < VMM_IOAPIC_PINS) {
        write_entry(ioapic, pin, reg & 1, value);
    }
}

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_ioapic *ioapic = opaque;
    uint64_t value = 0;

    if (size != 4) {
        return 0;
    }
    pthread_mutex_lock(&ioapic->lock);
    if (offset == WINDOW_SELECT) {
        value = ioapic->state.select;
    } else if (offset == WINDOW_DATA) {
        value = read_register(ioapic);
    }
    pthread_mutex_unlock(&ioapic->lock);
    return value;
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_ioapic *ioapic = opaque;

    pthread_mutex_lock(&ioapic->lock);
    if (offset == WINDOW_SELECT) {
        ioapic->state.select = (uint8_t)value;
    } else if (offset == WINDOW_DATA && size == 4) {
        write_register(ioapic, (uint32_t)value);
    } else if (offset == WINDOW_EOI) {
        end_of_interrupt(ioapic, (uint8_t)value);
    }
    pthread_mutex_unlock(&ioapic->lock);
}

const struct vmm_bus_ops vmm_ioapic_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};

static void set_reset_values(struct vmm_ioapic *ioapic)
{
    ioapic->state = (struct vmm_ioapic_state){.has_pics = ioapic->pics != NULL};
    for (unsigned int pin = 0; pin < VMM_IOAPIC_PINS; pin++) {
        ioapic->state.entries[pin] = VMM_RTE_MASKED;
        ioapic->routes[pin] = vmm_ioapic_message(VMM_RTE_MASKED);
    }
}

void vmm_ioapic_init(struct vmm_ioapic *ioapic,
                     const struct vmm_ioapic_ops *ops, void *opaque)
{
    memset(ioapic, 0, sizeof(*ioapic));
    pthread_mutex_init(&ioapic->lock, NULL);
    ioapic->ops = ops;
    ioapic->opaque = opaque;
    set_reset_values(ioapic);
}

void vmm_ioapic_reset(struct vmm_ioapic *ioapic)
{
    pthread_mutex_lock(&ioapic->lock);
    set_reset_values(ioapic);
    pthread_mutex_unlock(&ioapic->lock);
}

void vmm_ioapic_deinit(struct vmm_ioapic *ioapic)
{
    pthread_mutex_destroy(&ioapic->lock);
}

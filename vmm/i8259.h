/*
 * The pair of 8259A interrupt controllers of a PC: 15 lines, the second chip's
 * output on line 2 of the first. The first one's output, INTR, goes to the
 * first CPU, which asks for a vector when it takes the interrupt.
 */
#ifndef VMM_I8259_H
#define VMM_I8259_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct gw_vmstate;

#define VMM_I8259_PORT 0x20u
#define VMM_I8259_SLAVE_PORT 0xa0u
#define VMM_I8259_PORTS 2u
/* Which lines are level triggered: a register of 8 bits for each chip. */
#define VMM_I8259_ELCR_PORT 0x4d0u
#define VMM_I8259_LINES 16u
#define VMM_I8259_CHIPS 2

/* What moves, for each chip; see docs/spec/machine.md, 2.8. */
struct vmm_i8259_state {
    /* Lines that were high when last seen; requests; masked; in service. */
    uint8_t last_irr;
    uint8_t irr;
    uint8_t imr;
    uint8_t isr;
    /* The line with the highest priority. */
    uint8_t priority_add;
    /* Vector of line 0. */
    uint8_t irq_base;
    /* A read gives isr, not irr; or acknowledges, and gives the line. */
    uint8_t read_reg_select;
    uint8_t poll;
    uint8_t special_mask;
    /* Which initialisation word comes next, 0: none. */
    uint8_t init_state;
    uint8_t auto_eoi;
    uint8_t rotate_on_auto_eoi;
    uint8_t special_fully_nested_mode;
    /* What the first initialisation word said: a fourth comes; one chip. */
    uint8_t init4;
    uint8_t single_mode;
    /* Lines that are level triggered. */
    uint8_t elcr;
    /* All are, by the first initialisation word. */
    uint8_t ltim;
};

/* INTR rose; any thread, with the chips' lock held. */
struct vmm_i8259_ops {
    void (*raised)(void *opaque);
};

struct vmm_i8259 {
    /* Guarded by lock while the guest runs. The second is the slave. */
    struct vmm_i8259_state chips[VMM_I8259_CHIPS];
    pthread_mutex_t lock;
    /* INTR; written with the lock held. */
    atomic_bool intr;
    const struct vmm_i8259_ops *ops;
    void *opaque;
};

/* An object is a struct vmm_i8259_state. */
extern const struct gw_vmstate vmm_i8259_vmstate;
/* opaque is the struct vmm_i8259. */
extern const struct vmm_bus_ops vmm_i8259_bus_ops;
extern const struct vmm_bus_ops vmm_i8259_slave_bus_ops;
extern const struct vmm_bus_ops vmm_i8259_elcr_bus_ops;

void vmm_i8259_init(struct vmm_i8259 *pics, const struct vmm_i8259_ops *ops,
                    void *opaque);
void vmm_i8259_deinit(struct vmm_i8259 *pics);

/* As after power-on; the machine is paused. */
void vmm_i8259_reset(struct vmm_i8259 *pics);

/*
 * A kernel is started without firmware: vectors as a PC's firmware has them,
 * and masked as Linux's 16-bit code, which does not run then, leaves them.
 */
void vmm_i8259_set_up(struct vmm_i8259 *pics);

/* Sets the level of a line, 0 to 15; any thread. */
void vmm_i8259_set_line(struct vmm_i8259 *pics, unsigned int line, bool high);

/* Whether INTR is high. */
bool vmm_i8259_intr(const struct vmm_i8259 *pics);

/* The CPU takes the interrupt: its vector, a spurious one if it is gone. */
uint8_t vmm_i8259_acknowledge(struct vmm_i8259 *pics);

/* State was loaded: INTR follows. */
void vmm_i8259_restart(struct vmm_i8259 *pics);

#endif

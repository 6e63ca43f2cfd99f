/*
 * Requests, priorities and the command words, after the data sheet of the
 * 8259A; what it leaves open is as QEMU has it. The mode for 8080 processors,
 * buffered mode and chips that stand alone are not there.
 */
#include "i8259.h"

#include <string.h>

/* The line of the first chip on which the second one is. */
#define CASCADE_LINE 2u
/* What get_line gives for no line. */
#define NO_LINE 8u
#define SPURIOUS_LINE 7u

/* First initialisation word: is one; level triggered; one chip; fourth word. */
#define ICW1 0x10u
#define ICW1_LEVEL 0x08u
#define ICW1_SINGLE 0x02u
#define ICW1_FOURTH 0x01u
#define ICW4_8086 0x01u
#define ICW4_NESTED 0x10u
#define ICW4_AUTO_EOI 0x02u
/* Operation words: which, and their bits. */
#define OCW3 0x08u
#define OCW3_POLL 0x04u
#define OCW3_READ 0x02u
#define OCW3_READ_ISR 0x01u
#define OCW3_SET_MASK_MODE 0x40u
#define OCW3_MASK_MODE 0x20u
#define OCW2_ROTATE 0x80u
#define OCW2_SPECIFIC 0x40u
#define OCW2_EOI 0x20u
/* What a poll gives with the line. */
#define POLL_FOUND 0x80u

/* Vectors of the chips' first lines in real mode. */
#define BIOS_VECTORS 0x08u
#define BIOS_SLAVE_VECTORS 0x70u

enum init_step {
    INIT_DONE = 0,
    INIT_VECTORS = 1,
    INIT_CASCADE = 2,
    INIT_MODE = 3,
    N_INIT_STEPS,
};

/* Lines that may be made level triggered: not the PC's own. */
static const uint8_t elcr_masks[VMM_I8259_CHIPS] = {0xf8, 0xde};

static bool is_level(const struct vmm_i8259_state *chip, unsigned int line)
{
    return chip->ltim || (chip->elcr & 1u << line);
}

/* How far a set's first line is from the one with the highest priority. */
static unsigned int first_of(const struct vmm_i8259_state *chip, uint8_t lines)
{
    unsigned int distance = 0;

    if (lines == 0) {
        return NO_LINE;
    }
    while (!(lines & 1u << ((chip->priority_add + distance) & 7))) {
        distance++;
    }
    return distance;
}

/* The line that interrupts: before all that are in service. */
static unsigned int get_line(const struct vmm_i8259 *pics, unsigned int index)
{
    const struct vmm_i8259_state *chip = &pics->chips[index];
    unsigned int first = first_of(chip, chip->irr & (uint8_t)~chip->imr);
    uint8_t served = chip->isr;

    if (first == NO_LINE) {
        return NO_LINE;
    }
    if (chip->special_mask) {
        served &= (uint8_t)~chip->imr;
    }
    if (chip->special_fully_nested_mode && index == 0) {
        served &= (uint8_t) ~(1u << CASCADE_LINE);
    }
    return first < first_of(chip, served) ? (chip->priority_add + first) & 7
                                          : NO_LINE;
}

static void update_intr(struct vmm_i8259 *pics)
{
    bool intr = get_line(pics, 0) != NO_LINE;

    if (atomic_exchange(&pics->intr, intr) != intr && intr) {
        pics->ops->raised(pics->opaque);
    }
}

static void set_chip_line(struct vmm_i8259_state *chip, unsigned int line,
                          bool high)
{
    uint8_t bit = (uint8_t)(1u << line);
    bool was_high = chip->last_irr & bit;

    chip->last_irr =
        high ? chip->last_irr | bit : chip->last_irr & (uint8_t)~bit;
    if (is_level(chip, line)) {
        chip->irr = high ? chip->irr | bit : chip->irr & (uint8_t)~bit;
    } else if (high && !was_high) {
        chip->irr |= bit;
    }
}

/* A chip changed, and its output with it. */
static void update(struct vmm_i8259 *pics, unsigned int index)
{
    if (index == 1) {
        set_chip_line(&pics->chips[0], CASCADE_LINE,
                      get_line(pics, 1) != NO_LINE);
    }
    update_intr(pics);
}

static void take(struct vmm_i8259 *pics, unsigned int index, unsigned int line)
{
    struct vmm_i8259_state *chip = &pics->chips[index];

    if (!chip->auto_eoi) {
        chip->isr |= (uint8_t)(1u << line);
    } else if (chip->rotate_on_auto_eoi) {
        chip->priority_add = (line + 1) & 7;
    }
    if (!is_level(chip, line)) {
        chip->irr &= (uint8_t) ~(1u << line);
    }
}

static uint8_t acknowledge_slave(struct vmm_i8259 *pics)
{
    unsigned int line = get_line(pics, 1);

    if (line == NO_LINE) {
        line = SPURIOUS_LINE;
    } else {
        take(pics, 1, line);
        set_chip_line(&pics->chips[0], CASCADE_LINE,
                      get_line(pics, 1) != NO_LINE);
    }
    return (uint8_t)(pics->chips[1].irq_base + line);
}

static uint8_t acknowledge(struct vmm_i8259 *pics)
{
    unsigned int line = get_line(pics, 0);
    uint8_t vector;

    if (line == NO_LINE) {
        return (uint8_t)(pics->chips[0].irq_base + SPURIOUS_LINE);
    }
    vector = line == CASCADE_LINE ? acknowledge_slave(pics)
                                  : (uint8_t)(pics->chips[0].irq_base + line);
    take(pics, 0, line);
    update_intr(pics);
    return vector;
}

uint8_t vmm_i8259_acknowledge(struct vmm_i8259 *pics)
{
    uint8_t vector;

    pthread_mutex_lock(&pics->lock);
    vector = acknowledge(pics);
    pthread_mutex_unlock(&pics->lock);
    return vector;
}

bool vmm_i8259_intr(const struct vmm_i8259 *pics)
{
    return atomic_load(&pics->intr);
}

void vmm_i8259_set_line(struct vmm_i8259 *pics, unsigned int line, bool high)
{
    pthread_mutex_lock(&pics->lock);
    set_chip_line(&pics->chips[line / 8], line % 8, high);
    update(pics, line / 8);
    pthread_mutex_unlock(&pics->lock);
}

void vmm_i8259_restart(struct vmm_i8259 *pics)
{
    pthread_mutex_lock(&pics->lock);
    update_intr(pics);
    pthread_mutex_unlock(&pics->lock);
}

/* The registers of triggering survive, and requests of level lines with them.
 */
static void begin_init(struct vmm_i8259_state *chip, uint8_t word)
{
    *chip = (struct vmm_i8259_state){
        .irr = chip->irr & chip->elcr,
        .elcr = chip->elcr,
        .ltim = word & ICW1_LEVEL,
        .single_mode = word & ICW1_SINGLE,
        .init4 = word & ICW1_FOURTH,
        .init_state = INIT_VECTORS,
    };
}

static void write_ocw3(struct vmm_i8259_state *chip, uint8_t word)
{
    if (word & OCW3_POLL) {
        chip->poll = 1;
    }
    if (word & OCW3_READ) {
        chip->read_reg_select = word & OCW3_READ_ISR;
    }
    if (word & OCW3_SET_MASK_MODE) {
        chip->special_mask = (word & OCW3_MASK_MODE) != 0;
    }
}

/* The end of the named interrupt, or of the one with the highest priority. */
static void end_interrupt(struct vmm_i8259_state *chip, uint8_t word)
{
    unsigned int first = first_of(chip, chip->isr);
    unsigned int line = word & 7;

    if (!(word & OCW2_SPECIFIC)) {
        if (first == NO_LINE) {
            return;
        }
        line = (chip->priority_add + first) & 7;
    }
    chip->isr &= (uint8_t) ~(1u << line);
    if (word & OCW2_ROTATE) {
        chip->priority_add = (line + 1) & 7;
    }
}

static void write_ocw2(struct vmm_i8259_state *chip, uint8_t word)
{
    if (word & OCW2_EOI) {
        end_interrupt(chip, word);
    } else if (!(word & OCW2_SPECIFIC)) {
        chip->rotate_on_auto_eoi = (word & OCW2_ROTATE) != 0;
    } else if (word & OCW2_ROTATE) {
        chip->priority_add = ((word & 7) + 1) & 7;
    }
}

static void write_command(struct vmm_i8259_state *chip, uint8_t word)
{
    if (word & ICW1) {
        begin_init(chip, word);
    } else if (word & OCW3) {
        write_ocw3(chip, word);
    } else {
        write_ocw2(chip, word);
    }
}

static void write_data(struct vmm_i8259_state *chip, uint8_t word)
{
    uint8_t last = chip->init4 ? INIT_MODE : INIT_DONE;

    switch (chip->init_state) {
    case INIT_DONE:
        chip->imr = word;
        break;
    case INIT_VECTORS:
        chip->irq_base = word & 0xf8;
        chip->init_state = chip->single_mode ? last : INIT_CASCADE;
        break;
    case INIT_CASCADE:
        chip->init_state = last;
        break;
    default:
        chip->special_fully_nested_mode = (word & ICW4_NESTED) != 0;
        chip->auto_eoi = (word & ICW4_AUTO_EOI) != 0;
        chip->init_state = INIT_DONE;
        break;
    }
}

static uint8_t poll_line(struct vmm_i8259 *pics, unsigned int index)
{
    unsigned int line = get_line(pics, index);

    pics->chips[index].poll = 0;
    if (line == NO_LINE) {
        return 0;
    }
    take(pics, index, line);
    update(pics, index);
    return (uint8_t)(line | POLL_FOUND);
}

static uint8_t read_chip(struct vmm_i8259 *pics, unsigned int index,
                         uint64_t offset)
{
    const struct vmm_i8259_state *chip = &pics->chips[index];

    if (chip->poll) {
        return poll_line(pics, index);
    }
    if (offset == 1) {
        return chip->imr;
    }
    return chip->read_reg_select ? chip->isr : chip->irr;
}

static uint64_t read_bytes(struct vmm_i8259 *pics, unsigned int index,
                           uint64_t offset, unsigned int size)
{
    uint64_t value = 0;

    pthread_mutex_lock(&pics->lock);
    for (unsigned int i = 0; i < size; i++) {
        value |= (uint64_t)read_chip(pics, index, offset + i) << (8 * i);
    }
    pthread_mutex_unlock(&pics->lock);
    return value;
}

static void write_bytes(struct vmm_i8259 *pics, unsigned int index,
                        uint64_t offset, unsigned int size, uint64_t value)
{
    pthread_mutex_lock(&pics->lock);
    for (unsigned int i = 0; i < size; i++) {
        if (offset + i == 0) {
            write_command(&pics->chips[index], (uint8_t)value);
        } else {
            write_data(&pics->chips[index], (uint8_t)(value >> (8 * i)));
        }
    }
    update(pics, index);
    pthread_mutex_unlock(&pics->lock);
}

static uint64_t master_read(void *opaque, uint64_t offset, unsigned int size)
{
    return read_bytes(opaque, 0, offset, size);
}

static void master_write(void *opaque, uint64_t offset, unsigned int size,
                         uint64_t value)
{
    write_bytes(opaque, 0, offset, size, value);
}

static uint64_t slave_read(void *opaque, uint64_t offset, unsigned int size)
{
    return read_bytes(opaque, 1, offset, size);
}

static void slave_write(void *opaque, uint64_t offset, unsigned int size,
                        uint64_t value)
{
    write_bytes(opaque, 1, offset, size, value);
}

/* Both registers: a word has the second one's in its upper half. */
static uint64_t elcr_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_i8259 *pics = opaque;
    uint64_t value;

    pthread_mutex_lock(&pics->lock);
    value = pics->chips[offset].elcr;
    if (size > 1) {
        value |= (uint64_t)pics->chips[1].elcr << 8;
    }
    pthread_mutex_unlock(&pics->lock);
    return value;
}

static void elcr_write(void *opaque, uint64_t offset, unsigned int size,
                       uint64_t value)
{
    struct vmm_i8259 *pics = opaque;

    pthread_mutex_lock(&pics->lock);
    for (unsigned int i = 0; i < size; i++) {
        pics->chips[offset + i].elcr =
            (uint8_t)(value >> (8 * i)) & elcr_masks[offset + i];
    }
    pthread_mutex_unlock(&pics->lock);
}

const struct vmm_bus_ops vmm_i8259_bus_ops = {
    .read = master_read,
    .write = master_write,
};

const struct vmm_bus_ops vmm_i8259_slave_bus_ops = {
    .read = slave_read,
    .write = slave_write,
};

const struct vmm_bus_ops vmm_i8259_elcr_bus_ops = {
    .read = elcr_read,
    .write = elcr_write,
};

void vmm_i8259_init(struct vmm_i8259 *pics, const struct vmm_i8259_ops *ops,
                    void *opaque)
{
    memset(pics, 0, sizeof(*pics));
    pthread_mutex_init(&pics->lock, NULL);
    pics->ops = ops;
    pics->opaque = opaque;
}

void vmm_i8259_reset(struct vmm_i8259 *pics)
{
    pthread_mutex_lock(&pics->lock);
    memset(pics->chips, 0, sizeof(pics->chips));
    update_intr(pics);
    pthread_mutex_unlock(&pics->lock);
}

static void set_up_chip(struct vmm_i8259_state *chip, uint8_t vectors,
                        uint8_t cascade, uint8_t mask)
{
    write_command(chip, ICW1 | ICW1_FOURTH);
    write_data(chip, vectors);
    write_data(chip, cascade);
    write_data(chip, ICW4_8086);
    write_data(chip, mask);
}

void vmm_i8259_set_up(struct vmm_i8259 *pics)
{
    pthread_mutex_lock(&pics->lock);
    set_up_chip(&pics->chips[0], BIOS_VECTORS, 1u << CASCADE_LINE,
                (uint8_t) ~(1u << CASCADE_LINE));
    set_up_chip(&pics->chips[1], BIOS_SLAVE_VECTORS, CASCADE_LINE, UINT8_MAX);
    update_intr(pics);
    pthread_mutex_unlock(&pics->lock);
}

void vmm_i8259_deinit(struct vmm_i8259 *pics)
{
    pthread_mutex_destroy(&pics->lock);
}

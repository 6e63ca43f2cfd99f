/*
 * Counting, latching and the output of channel 0, after the data sheet of the
 * 8254; what it leaves open is as QEMU has it. Counts are binary, a count takes
 * effect at once, and no gate ever changes.
 */
#include "i8254.h"

#include <string.h>

#include <godwit/vmstate.h>

#include "util.h"

#define NS_PER_S 1000000000
#define PORT_CONTROL 3
#define FULL_COUNT 0x10000

/* The control word. */
#define CONTROL_CHANNEL_SHIFT 6
#define CONTROL_READ_BACK 3u
#define CONTROL_ACCESS_SHIFT 4
#define CONTROL_MODE_SHIFT 1
#define CONTROL_BCD 0x01u
/* Read back: what is not wanted; channel i is bit i + 1. */
#define READ_BACK_NO_COUNT 0x20u
#define READ_BACK_NO_STATUS 0x10u
#define STATUS_OUTPUT 0x80u

/*
 * A periodic timer that is later than this does not make up for what it missed:
 * the guest could not tell one interrupt from the next.
 */
#define LATE_NS 100000000

/* Ticks since the count was loaded; a clock that ran backwards is none. */
static int64_t ticks(const struct vmm_i8254_channel *channel, int64_t now)
{
    int64_t t = vmm_scale(vmm_wrapping_sub(now, channel->count_load_time),
                          VMM_I8254_HZ, NS_PER_S);

    return t > 0 ? t : 0;
}

/* The highest bit of modes 2 and 3 does not matter. */
static unsigned int mode_of(const struct vmm_i8254_channel *channel)
{
    return channel->mode >= 6 ? channel->mode & 3u : channel->mode;
}

static uint16_t get_count(const struct vmm_i8254_channel *channel, int64_t now)
{
    int64_t t = ticks(channel, now);

    switch (mode_of(channel)) {
    case 0:
    case 1:
    case 4:
    case 5:
        return (uint16_t)(channel->count - t);
    case 3:
        /* Twice as fast. */
        return (uint16_t)(channel->count -
                          (2 * (t % channel->count)) % channel->count);
    default:
        return (uint16_t)(channel->count - t % channel->count);
    }
}

/* Ticks after which the output of mode 3 falls. */
static int64_t high_half(const struct vmm_i8254_channel *channel)
{
    return (channel->count + 1) >> 1;
}

static bool get_output(const struct vmm_i8254_channel *channel, int64_t now)
{
    int64_t t = ticks(channel, now);

    switch (mode_of(channel)) {
    case 0:
    case 1:
        return t >= channel->count;
    case 2:
        /* Inverted, as QEMU's: the pulse of one tick is high. */
        return t != 0 && t % channel->count == 0;
    case 3:
        return t % channel->count < high_half(channel);
    default:
        return t == channel->count;
    }
}

/* The tick of the next change behind tick t, or -1. */
static int64_t next_change(const struct vmm_i8254_channel *channel, int64_t t)
{
    int64_t count = channel->count;
    int64_t phase = t % count;

    switch (mode_of(channel)) {
    case 0:
    case 1:
        return t < count ? count : -1;
    case 2:
        /*
         * QEMU's, whose times are rounded down: where the pulse begins, and
         * just before the next one. The line is high in between.
         */
        return phase == 0 && t != 0 ? t + count : t - phase + count + 1;
    case 3:
        return t - phase +
               (phase < high_half(channel) ? high_half(channel) : count);
    default:
        return t < count ? count : t == count ? t + 1 : -1;
    }
}

/* When that is; always later than now, so that time goes on. */
static int64_t next_transition(const struct vmm_i8254_channel *channel,
                               int64_t now)
{
    int64_t change = next_change(channel, ticks(channel, now));
    int64_t at;

    if (change < 0) {
        return GW_TIMER_NOT_ARMED;
    }
    at = vmm_wrapping_add(channel->count_load_time,
                          vmm_scale(change, NS_PER_S, VMM_I8254_HZ));
    if (at <= now) {
        at = vmm_wrapping_add(now, 1);
    }
    /* There is no time before the clock's start. */
    return at < 0 ? GW_TIMER_NOT_ARMED : at;
}

/* The output of channel 0 at that time, and when it changes next. */
static void update_output(struct vmm_i8254 *pit, int64_t now)
{
    struct vmm_i8254_channel *channel = &pit->state.channels[0];

    if (pit->state.irq_disabled) {
        return;
    }
    pit->ops->set_irq(pit->opaque, get_output(channel, now));
    channel->next_transition_time = next_transition(channel, now);
    pit->ops->set_timer(pit->opaque, channel->next_transition_time);
}

static void load_count(struct vmm_i8254 *pit, unsigned int index,
                       unsigned int count)
{
    struct vmm_i8254_channel *channel = &pit->state.channels[index];

    channel->count = count ? (int32_t)count : FULL_COUNT;
    channel->count_load_time = pit->ops->now(pit->opaque);
    if (index == 0) {
        update_output(pit, channel->count_load_time);
    }
}

static void latch_count(struct vmm_i8254 *pit,
                        struct vmm_i8254_channel *channel)
{
    if (!channel->count_latched) {
        channel->latched_count = get_count(channel, pit->ops->now(pit->opaque));
        channel->count_latched = channel->rw_mode;
    }
}

static void latch_status(struct vmm_i8254 *pit,
                         struct vmm_i8254_channel *channel)
{
    bool output = get_output(channel, pit->ops->now(pit->opaque));

    if (!channel->status_latched) {
        channel->status =
            (uint8_t)((output ? STATUS_OUTPUT : 0) |
                      channel->rw_mode << CONTROL_ACCESS_SHIFT |
                      channel->mode << CONTROL_MODE_SHIFT | channel->bcd);
        channel->status_latched = 1;
    }
}

static void read_back(struct vmm_i8254 *pit, uint8_t word)
{
    for (unsigned int i = 0; i < VMM_I8254_CHANNELS; i++) {
        if (!(word & 2u << i)) {
            continue;
        }
        if (!(word & READ_BACK_NO_COUNT)) {
            latch_count(pit, &pit->state.channels[i]);
        }
        if (!(word & READ_BACK_NO_STATUS)) {
            latch_status(pit, &pit->state.channels[i]);
        }
    }
}

static void write_control(struct vmm_i8254 *pit, uint8_t word)
{
    unsigned int index = word >> CONTROL_CHANNEL_SHIFT;
    uint8_t access = (word >> CONTROL_ACCESS_SHIFT) & 3;
    struct vmm_i8254_channel *channel;

    if (index == CONTROL_READ_BACK) {
        read_back(pit, word);
        return;
    }
    channel = &pit->state.channels[index];
    if (access == VMM_I8254_NONE) {
        latch_count(pit, channel);
        return;
    }
    channel->rw_mode = access;
    channel->read_state = access;
    channel->write_state = access;
    channel->mode = (word >> CONTROL_MODE_SHIFT) & 7;
    channel->bcd = word & CONTROL_BCD;
}

static void write_count(struct vmm_i8254 *pit, unsigned int index,
                        uint8_t value)
{
    struct vmm_i8254_channel *channel = &pit->state.channels[index];

    switch (channel->write_state) {
    case VMM_I8254_HIGH:
        load_count(pit, index, (unsigned int)value << 8);
        break;
    case VMM_I8254_FIRST:
        channel->write_latch = value;
        channel->write_state = VMM_I8254_SECOND;
        break;
    case VMM_I8254_SECOND:
        load_count(pit, index, channel->write_latch | (unsigned int)value << 8);
        channel->write_state = VMM_I8254_FIRST;
        break;
    default:
        load_count(pit, index, value);
        break;
    }
}

static uint8_t read_latch(struct vmm_i8254_channel *channel)
{
    uint8_t which = channel->count_latched;

    channel->count_latched =
        which == VMM_I8254_FIRST ? VMM_I8254_HIGH : VMM_I8254_NONE;
    return (uint8_t)(channel->latched_count >>
                     (which == VMM_I8254_HIGH ? 8 : 0));
}

static uint8_t read_count(struct vmm_i8254 *pit,
                          struct vmm_i8254_channel *channel)
{
    uint16_t count = get_count(channel, pit->ops->now(pit->opaque));

    switch (channel->read_state) {
    case VMM_I8254_HIGH:
        return (uint8_t)(count >> 8);
    case VMM_I8254_FIRST:
        channel->read_state = VMM_I8254_SECOND;
        return (uint8_t)count;
    case VMM_I8254_SECOND:
        channel->read_state = VMM_I8254_FIRST;
        return (uint8_t)(count >> 8);
    default:
        return (uint8_t)count;
    }
}

static uint8_t read_port(struct vmm_i8254 *pit, uint64_t offset)
{
    struct vmm_i8254_channel *channel;

    if (offset == PORT_CONTROL) {
        return 0;
    }
    channel = &pit->state.channels[offset];
    if (channel->status_latched) {
        channel->status_latched = 0;
        return channel->status;
    }
    return channel->count_latched ? read_latch(channel)
                                  : read_count(pit, channel);
}

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_i8254 *pit = opaque;
    uint64_t value = 0;

    pthread_mutex_lock(&pit->lock);
    for (unsigned int i = 0; i < size; i++) {
        value |= (uint64_t)read_port(pit, offset + i) << (8 * i);
    }
    pthread_mutex_unlock(&pit->lock);
    return value;
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_i8254 *pit = opaque;

    pthread_mutex_lock(&pit->lock);
    for (unsigned int i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        if (offset + i == PORT_CONTROL) {
            write_control(pit, byte);
        } else {
            write_count(pit, (unsigned int)offset + i, byte);
        }
    }
    pthread_mutex_unlock(&pit->lock);
}

const struct vmm_bus_ops vmm_i8254_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};

static void set_reset_values(struct vmm_i8254 *pit)
{
    struct vmm_i8254_channel *first = &pit->state.channels[0];

    pit->state = (struct vmm_i8254_state){0};
    for (unsigned int i = 0; i < VMM_I8254_CHANNELS; i++) {
        struct vmm_i8254_channel *channel = &pit->state.channels[i];

        channel->mode = 3;
        channel->gate = i != 2;
        channel->count = FULL_COUNT;
        channel->count_load_time = pit->ops->now(pit->opaque);
    }
    first->next_transition_time =
        next_transition(first, first->count_load_time);
}

void vmm_i8254_init(struct vmm_i8254 *pit, const struct vmm_i8254_ops *ops,
                    void *opaque)
{
    memset(pit, 0, sizeof(*pit));
    pthread_mutex_init(&pit->lock, NULL);
    pit->ops = ops;
    pit->opaque = opaque;
    set_reset_values(pit);
}

void vmm_i8254_reset(struct vmm_i8254 *pit)
{
    pthread_mutex_lock(&pit->lock);
    set_reset_values(pit);
    pit->ops->set_irq(pit->opaque, false);
    pthread_mutex_unlock(&pit->lock);
}

void vmm_i8254_deinit(struct vmm_i8254 *pit)
{
    pthread_mutex_destroy(&pit->lock);
}

static bool is_periodic(const struct vmm_i8254_channel *channel)
{
    return mode_of(channel) == 2 || mode_of(channel) == 3;
}

/* One interrupt for all that were missed, and on from now. */
static void skip_missed(struct vmm_i8254 *pit, int64_t now)
{
    if (pit->state.irq_disabled) {
        return;
    }
    pit->ops->set_irq(pit->opaque, false);
    pit->ops->set_irq(pit->opaque, true);
    update_output(pit, now);
}

/*
 * The output is looked at as of when it was to change, not as of now: a pulse
 * would be over.
 */
void vmm_i8254_expired(struct vmm_i8254 *pit)
{
    const struct vmm_i8254_channel *channel = &pit->state.channels[0];
    int64_t due, now;

    pthread_mutex_lock(&pit->lock);
    due = channel->next_transition_time;
    now = pit->ops->now(pit->opaque);
    if (due != GW_TIMER_NOT_ARMED && due <= now) {
        if (is_periodic(channel) && vmm_wrapping_sub(now, due) > LATE_NS) {
            skip_missed(pit, now);
        } else {
            update_output(pit, due);
        }
    }
    pthread_mutex_unlock(&pit->lock);
}

void vmm_i8254_start(struct vmm_i8254 *pit)
{
    const struct vmm_i8254_state *s = &pit->state;

    pthread_mutex_lock(&pit->lock);
    pit->ops->set_timer(pit->opaque, s->irq_disabled
                                         ? GW_TIMER_NOT_ARMED
                                         : s->channels[0].next_transition_time);
    pthread_mutex_unlock(&pit->lock);
}

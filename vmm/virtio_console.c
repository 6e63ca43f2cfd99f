/*
 * Input, output and control messages (VIRTIO 1.2, 5.3). The device has room
 * for 31 ports, as QEMU's has, and one of them is there.
 */
#include "virtio_console.h"

#include <errno.h>
#include <string.h>

#include "util.h"

#define F_MULTIPORT 1
#define F_EMERG_WRITE 2

#define QUEUE_INPUT 0
#define QUEUE_OUTPUT 1
#define QUEUE_CONTROL_IN 2
#define QUEUE_CONTROL_OUT 3
#define PORTS_MAX 31
#define PORT_ENTRIES 128
#define CONTROL_ENTRIES 32

#define CONFIG_MAX_PORTS 4
#define CONFIG_EMERG_WRITE 8
#define CONFIG_BYTES 12

/* Output is written in pieces of this size. */
#define PIECE_BYTES 4096

/* A control message: port, event, value. */
#define CONTROL_BYTES 8
#define EVENT_DEVICE_READY 0
#define EVENT_PORT_ADD 1
#define EVENT_PORT_READY 3
#define EVENT_CONSOLE_PORT 4
#define EVENT_PORT_OPEN 6

static void get_config(void *opaque, uint8_t *config)
{
    memset(config, 0, CONFIG_BYTES);
    vmm_put_le32(config + CONFIG_MAX_PORTS, PORTS_MAX);
}

/* A character from a guest that has no driver yet; lost if it would block. */
static void set_config(void *opaque, const uint8_t *config)
{
    struct vmm_virtio_console *console = opaque;

    if (config[CONFIG_EMERG_WRITE]) {
        vmm_console_put(&console->backend, config[CONFIG_EMERG_WRITE]);
    }
    get_config(console, console->device.config);
}

static void reset(void *opaque)
{
    struct vmm_virtio_console *console = opaque;

    console->guest_connected = 0;
    console->has_pending = 0;
}

/* Dropped if the guest has no buffer for it, as in QEMU. */
static void send_control(struct vmm_virtio_console *console, uint16_t event,
                         uint16_t value)
{
    struct vmm_virtio *device = &console->device;
    uint8_t message[CONTROL_BYTES] = {0};
    size_t n;

    vmm_put_le16(message + 4, event);
    vmm_put_le16(message + 6, value);
    if (!vmm_virtio_pop(device, QUEUE_CONTROL_IN, &device->chain)) {
        return;
    }
    n = vmm_virtio_chain_write(&device->chain, device->guest.memory, 0, message,
                               sizeof(message));
    vmm_virtio_push(device, QUEUE_CONTROL_IN, device->chain.head, (uint32_t)n);
    vmm_virtio_interrupt(device, QUEUE_CONTROL_IN);
}

static void take_control(struct vmm_virtio_console *console,
                         const uint8_t message[CONTROL_BYTES])
{
    uint16_t event = vmm_get_le16(message + 4);
    uint16_t value = vmm_get_le16(message + 6);

    if (event == EVENT_DEVICE_READY) {
        if (value) {
            send_control(console, EVENT_PORT_ADD, 1);
        }
        return;
    }
    if (vmm_get_le32(message) != 0) {
        return;
    }
    if (event == EVENT_PORT_READY && value) {
        send_control(console, EVENT_CONSOLE_PORT, 1);
        send_control(console, EVENT_PORT_OPEN, 1);
    } else if (event == EVENT_PORT_OPEN) {
        console->guest_connected = value != 0;
    }
}

static void process_control(struct vmm_virtio_console *console)
{
    struct vmm_virtio *device = &console->device;
    unsigned int n_done = 0;

    while (vmm_virtio_next(device, QUEUE_CONTROL_OUT, &n_done)) {
        uint8_t message[CONTROL_BYTES];
        size_t n =
            vmm_virtio_chain_read(&device->chain, 0, message, sizeof(message));

        vmm_virtio_push(device, QUEUE_CONTROL_OUT, device->chain.head, 0);
        if (n == sizeof(message)) {
            take_control(console, message);
        }
    }
    vmm_virtio_interrupt(device, QUEUE_CONTROL_OUT);
}

/* False if the backend takes no more now. */
static bool write_pending(struct vmm_virtio_console *console)
{
    uint8_t bytes[PIECE_BYTES];
    size_t n;

    while ((n = vmm_virtio_chain_read(&console->pending, console->pending_done,
                                      bytes, sizeof(bytes))) > 0) {
        size_t done = vmm_console_write(&console->backend, bytes, n);

        console->pending_done += done;
        if (done < n) {
            return false;
        }
    }
    console->has_pending = 0;
    vmm_virtio_push(&console->device, QUEUE_OUTPUT, console->pending.head, 0);
    return true;
}

static void process_output(struct vmm_virtio_console *console)
{
    struct vmm_virtio *device = &console->device;
    unsigned int n_done = 0;

    if (!vmm_virtio_is_live(device) ||
        (console->has_pending && !write_pending(console))) {
        return;
    }
    while (vmm_virtio_next(device, QUEUE_OUTPUT, &n_done)) {
        console->pending = device->chain;
        console->pending_done = 0;
        console->has_pending = 1;
        if (!write_pending(console)) {
            break;
        }
    }
    vmm_virtio_interrupt(device, QUEUE_OUTPUT);
}

static void process(void *opaque, unsigned int queue)
{
    struct vmm_virtio_console *console = opaque;

    if (queue == QUEUE_OUTPUT) {
        process_output(console);
    } else if (queue == QUEUE_CONTROL_OUT) {
        process_control(console);
    }
}

/* Bytes of the guest's next buffer; it stays where it is. */
static size_t backend_room(void *opaque)
{
    struct vmm_virtio_console *console = opaque;
    struct vmm_virtio *device = &console->device;

    if ((vmm_virtio_has(device, F_MULTIPORT) && !console->guest_connected) ||
        !vmm_virtio_pop(device, QUEUE_INPUT, &device->chain)) {
        return 0;
    }
    vmm_virtio_queue_unpop(&device->queues[QUEUE_INPUT]);
    return device->chain.in_bytes;
}

static void backend_input(void *opaque, const uint8_t *bytes, size_t n)
{
    struct vmm_virtio_console *console = opaque;
    struct vmm_virtio *device = &console->device;
    size_t written;

    if (!vmm_virtio_pop(device, QUEUE_INPUT, &device->chain)) {
        return;
    }
    written = vmm_virtio_chain_write(&device->chain, device->guest.memory, 0,
                                     bytes, n);
    vmm_virtio_push(device, QUEUE_INPUT, device->chain.head, (uint32_t)written);
    vmm_virtio_interrupt(device, QUEUE_INPUT);
}

static void backend_writable(void *opaque)
{
    process_output(opaque);
}

static const struct vmm_console_ops backend_ops = {
    .room = backend_room,
    .input = backend_input,
    .writable = backend_writable,
};

_Static_assert(VMM_CONSOLE_POLLS <= VMM_VIRTIO_POLLS, "polls of a backend");

static void prepare(void *opaque, bool running,
                    struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_console *console = opaque;

    if (running) {
        vmm_console_prepare(&console->backend, polls);
    }
}

static void dispatch(void *opaque, bool running,
                     const struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_console *console = opaque;

    if (running) {
        vmm_console_dispatch(&console->backend, polls);
    }
}

static const struct vmm_virtio_ops ops = {
    .id = VMM_VIRTIO_ID_CONSOLE,
    .name = "virtio-console",
    .get_config = get_config,
    .set_config = set_config,
    .set_features = vmm_virtio_no_op,
    .reset = reset,
    .process = process,
    .prepare = prepare,
    .dispatch = dispatch,
    .n_on_the_way = vmm_virtio_none_on_the_way,
    .paused = vmm_virtio_no_op,
    .resumed = vmm_virtio_no_op,
};

static void add_queues(struct vmm_virtio *device)
{
    vmm_virtio_add_queue(device, PORT_ENTRIES);
    vmm_virtio_add_queue(device, PORT_ENTRIES);
    vmm_virtio_add_queue(device, CONTROL_ENTRIES);
    vmm_virtio_add_queue(device, CONTROL_ENTRIES);
    for (unsigned int i = 1; i < PORTS_MAX; i++) {
        vmm_virtio_add_queue(device, PORT_ENTRIES);
        vmm_virtio_add_queue(device, PORT_ENTRIES);
    }
}

int vmm_virtio_console_init(struct vmm_virtio_console *console,
                            const struct vmm_virtio_console_config *config,
                            struct gw_error **errp)
{
    struct vmm_virtio_config virtio = config->virtio;
    int r;

    memset(console, 0, sizeof(*console));
    virtio.features = VMM_VIRTIO_BIT(VMM_VIRTIO_F_ANY_LAYOUT) |
                      VMM_VIRTIO_BIT(F_MULTIPORT) |
                      VMM_VIRTIO_BIT(F_EMERG_WRITE);
    virtio.config_bytes = CONFIG_BYTES;
    r = vmm_virtio_init(&console->device, &ops, console, &virtio, errp);
    if (r == 0) {
        r = vmm_console_init(&console->backend, &config->chardev, &backend_ops,
                             console, errp);
    }
    if (r < 0) {
        vmm_virtio_deinit(&console->device);
        return r;
    }
    add_queues(&console->device);
    console->port_map = 1;
    console->n_ports = 1;
    return 0;
}

void vmm_virtio_console_deinit(struct vmm_virtio_console *console)
{
    vmm_virtio_deinit(&console->device);
    vmm_console_deinit(&console->backend);
}

/* --- The section --- */

static bool has_pending(const void *state, uint32_t version)
{
    const struct vmm_virtio_console *console = state;

    return console->has_pending != 0;
}

static const struct gw_field fields[] = {
    VMM_VIRTIO_FIELD_HEAD(struct vmm_virtio_console, device),
    GW_FIELD_U16(struct vmm_virtio_console, cols),
    GW_FIELD_U16(struct vmm_virtio_console, rows),
    GW_FIELD_U32(struct vmm_virtio_console, max_ports),
    GW_FIELD_U32_EQUAL(struct vmm_virtio_console, port_map),
    GW_FIELD_U32_EQUAL(struct vmm_virtio_console, n_ports),
    GW_FIELD_U32_EQUAL(struct vmm_virtio_console, port_id),
    GW_FIELD_U8(struct vmm_virtio_console, guest_connected),
    GW_FIELD_U8(struct vmm_virtio_console, host_connected),
    GW_FIELD_U32(struct vmm_virtio_console, has_pending),
    GW_FIELD_U32_TEST(struct vmm_virtio_console, sent_part, has_pending),
    GW_FIELD_U64_TEST(struct vmm_virtio_console, sent_offset, has_pending),
    GW_FIELD_BUFFER_TEST(struct vmm_virtio_console, sent_element, has_pending),
    VMM_VIRTIO_FIELD_TAIL(struct vmm_virtio_console, device),
    GW_FIELD_END,
};

/* How far the output is, as a part and an offset in it. */
static void encode_pending(struct vmm_virtio_console *console)
{
    const struct vmm_virtio_chain *chain = &console->pending;
    size_t left = console->pending_done;
    uint32_t part = 0;

    while (part < chain->n_out && left >= chain->iov[part].iov_len) {
        left -= chain->iov[part++].iov_len;
    }
    console->sent_part = part;
    console->sent_offset = left;
    vmm_virtio_element_encode(chain, console->device.guest.memory,
                              console->sent_element);
}

static int pre_save(void *state, struct gw_error **errp)
{
    struct vmm_virtio_console *console = state;

    vmm_virtio_pre_save(&console->device);
    console->cols = console->rows = 0;
    console->max_ports = PORTS_MAX;
    console->host_connected = 1;
    if (console->has_pending) {
        encode_pending(console);
    }
    return 0;
}

static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_virtio_console *console = state;

    vmm_virtio_pre_load(&console->device);
    return 0;
}

static int decode_pending(struct vmm_virtio_console *console,
                          struct gw_error **errp)
{
    struct vmm_virtio *device = &console->device;
    const struct vmm_virtio_queue *queue = &device->queues[QUEUE_OUTPUT];
    uint16_t head = vmm_virtio_element_head(console->sent_element);
    int r;

    if (queue->n_in_flight != 1) {
        return gw_error_set(errp, -EBADMSG,
                            "one output is pending, and %u are in flight",
                            queue->n_in_flight);
    }
    r = vmm_virtio_queue_read_chain(queue, &device->guest, head,
                                    &console->pending, errp);
    if (r < 0) {
        return r;
    }
    console->pending_done = console->sent_offset;
    for (uint32_t i = 0; i < console->sent_part && i < console->pending.n_out;
         i++) {
        console->pending_done += console->pending.iov[i].iov_len;
    }
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    struct vmm_virtio_console *console = state;
    struct vmm_virtio *device = &console->device;
    int r = vmm_virtio_post_load(device, errp);

    if (r < 0) {
        return r;
    }
    if (device->broken) {
        console->has_pending = 0;
    }
    if (console->has_pending) {
        r = decode_pending(console, errp);
        /* That one stays taken. */
        device->queues[QUEUE_OUTPUT].n_in_flight = 0;
    }
    vmm_virtio_rewind(device);
    device->queues[QUEUE_OUTPUT].n_in_flight = console->has_pending ? 1 : 0;
    return r;
}

const struct gw_vmstate vmm_virtio_console_vmstate = {
    .name = "virtio-console",
    .version = 3,
    .min_version = 3,
    .size = sizeof(struct vmm_virtio_console),
    .fields = fields,
    .pre_save = pre_save,
    .pre_load = pre_load,
    .post_load = post_load,
};

/*
 * Making devices from options, and finding them by address.
 */
#include "virtio_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <godwit/machine.h>

#include "util.h"
#include "virtio_balloon.h"
#include "virtio_blk.h"
#include "virtio_console.h"
#include "virtio_net.h"
#include "virtio_rng.h"
#include "virtio_vsock.h"

/* What an empty slot answers. */
#define REG_MAGIC 0x0
#define REG_VERSION 0x4
#define REG_VENDOR_ID 0xc
#define MAGIC 0x74726976u
#define VENDOR 0x554d4551u

static uint64_t read_empty(const struct vmm_virtio_set *set, uint64_t offset,
                           unsigned int size)
{
    switch (size == 4 ? offset : UINT64_MAX) {
    case REG_MAGIC:
        return MAGIC;
    case REG_VERSION:
        return set->legacy ? 1 : 2;
    case REG_VENDOR_ID:
        return VENDOR;
    default:
        return 0;
    }
}

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_virtio_set *set = opaque;
    struct vmm_virtio *device = set->slots[offset / VMM_VIRTIO_BYTES];

    offset %= VMM_VIRTIO_BYTES;
    return device ? vmm_virtio_bus_ops.read(device, offset, size)
                  : read_empty(set, offset, size);
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_virtio_set *set = opaque;
    struct vmm_virtio *device = set->slots[offset / VMM_VIRTIO_BYTES];

    if (device) {
        vmm_virtio_bus_ops.write(device, offset % VMM_VIRTIO_BYTES, size,
                                 value);
    }
}

const struct vmm_bus_ops vmm_virtio_set_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};

/* For the table of kinds: each has an object of its own type. */
#define DEFINE_DEINIT(kind)                 \
    static void deinit_##kind(void *object) \
    {                                       \
        vmm_virtio_##kind##_deinit(object); \
    }

DEFINE_DEINIT(blk)
DEFINE_DEINIT(net)
DEFINE_DEINIT(rng)
DEFINE_DEINIT(console)
DEFINE_DEINIT(balloon)
DEFINE_DEINIT(vsock)

static int init_blk(void *object, const struct vmm_virtio_option *option,
                    const struct vmm_virtio_config *virtio,
                    struct gw_error **errp)
{
    struct vmm_virtio_blk_config config = {
        .virtio = *virtio,
        .image = {.path = option->file,
                  .readonly = option->readonly,
                  .direct = option->direct,
                  .aio = option->aio},
        .n_queues = option->queues,
        .serial = option->serial,
    };

    return vmm_virtio_blk_init(object, &config, errp);
}

static int init_net(void *object, const struct vmm_virtio_option *option,
                    const struct vmm_virtio_config *virtio,
                    struct gw_error **errp)
{
    struct vmm_virtio_net_config config = {.virtio = *virtio,
                                           .net = option->net};

    return vmm_virtio_net_init(object, &config, errp);
}

static int init_rng(void *object, const struct vmm_virtio_option *option,
                    const struct vmm_virtio_config *virtio,
                    struct gw_error **errp)
{
    return vmm_virtio_rng_init(object, virtio, errp);
}

static int init_console(void *object, const struct vmm_virtio_option *option,
                        const struct vmm_virtio_config *virtio,
                        struct gw_error **errp)
{
    struct vmm_virtio_console_config config = {.virtio = *virtio,
                                               .chardev = option->chardev};

    return vmm_virtio_console_init(object, &config, errp);
}

static int init_balloon(void *object, const struct vmm_virtio_option *option,
                        const struct vmm_virtio_config *virtio,
                        struct gw_error **errp)
{
    struct vmm_virtio_balloon_config config = {
        .virtio = *virtio, .reporting = !option->no_reporting};

    return vmm_virtio_balloon_init(object, &config, errp);
}

static int init_vsock(void *object, const struct vmm_virtio_option *option,
                      const struct vmm_virtio_config *virtio,
                      struct gw_error **errp)
{
    struct vmm_virtio_vsock_config config = {
        .virtio = *virtio, .cid = option->cid, .path = option->file};

    return vmm_virtio_vsock_init(object, &config, errp);
}

/* By enum vmm_virtio_kind. The common part is the first member of each. */
static const struct kind {
    size_t bytes;
    int (*init)(void *object, const struct vmm_virtio_option *option,
                const struct vmm_virtio_config *virtio, struct gw_error **errp);
    void (*deinit)(void *object);
    const struct gw_vmstate *vmstate;
} kinds[] = {
    [VMM_VIRTIO_DISK] = {sizeof(struct vmm_virtio_blk), init_blk, deinit_blk,
                         &vmm_virtio_blk_vmstate},
    [VMM_VIRTIO_NET] = {sizeof(struct vmm_virtio_net), init_net, deinit_net,
                        &vmm_virtio_net_vmstate},
    [VMM_VIRTIO_RNG] = {sizeof(struct vmm_virtio_rng), init_rng, deinit_rng,
                        &vmm_virtio_rng_vmstate},
    [VMM_VIRTIO_CONSOLE] = {sizeof(struct vmm_virtio_console), init_console,
                            deinit_console, &vmm_virtio_console_vmstate},
    [VMM_VIRTIO_BALLOON] = {sizeof(struct vmm_virtio_balloon), init_balloon,
                            deinit_balloon, &vmm_virtio_balloon_vmstate},
    [VMM_VIRTIO_VSOCK] = {sizeof(struct vmm_virtio_vsock), init_vsock,
                          deinit_vsock, &vmm_virtio_vsock_vmstate},
};

static int make_member(struct vmm_virtio_member *member,
                       const struct vmm_virtio_option *option,
                       const struct vmm_virtio_config *virtio,
                       struct gw_error **errp)
{
    const struct kind *kind = &kinds[option->kind];
    VMM_AUTO_FREE void *object = calloc(1, kind->bytes);
    int r;

    if (!object) {
        return gw_error_set_errno(errp, -ENOMEM, "device");
    }
    r = kind->init(object, option, virtio, errp);
    if (r < 0) {
        return r;
    }
    *member = (struct vmm_virtio_member){.device = object,
                                         .object = object,
                                         .vmstate = kind->vmstate,
                                         .deinit = kind->deinit};
    object = NULL;
    return 0;
}

static int choose_slot(const struct vmm_virtio_set *set,
                       const struct vmm_virtio_option *option,
                       unsigned int *ret_slot, struct gw_error **errp)
{
    if (option->slot >= 0) {
        if (set->slots[option->slot]) {
            return gw_error_set(errp, -EINVAL, "slot %d is taken",
                                option->slot);
        }
        *ret_slot = (unsigned int)option->slot;
        return 0;
    }
    for (unsigned int slot = VMM_VIRTIO_SLOTS; slot-- > 0;) {
        if (!set->slots[slot]) {
            *ret_slot = slot;
            return 0;
        }
    }
    return gw_error_set(errp, -EINVAL, "no slot is free");
}

static int add_member(struct vmm_virtio_set *set,
                      const struct vmm_virtio_option *option,
                      const struct vmm_virtio_place *place,
                      struct gw_error **errp)
{
    struct vmm_virtio_member *member = &set->members[set->n_members];
    struct vmm_virtio_config virtio = {.memory = place->memory,
                                       .ioapic = place->ioapic,
                                       .legacy = set->legacy};
    unsigned int slot = 0;
    int r;

    r = choose_slot(set, option, &slot, errp);
    if (r < 0) {
        return r;
    }
    virtio.pin = place->first_pin + slot;
    r = make_member(member, option, &virtio, errp);
    if (r < 0) {
        return r;
    }
    member->slot = slot;
    set->slots[slot] = member->device;
    set->n_members++;
    return vmm_virtio_start(member->device, errp);
}

int vmm_virtio_set_init(struct vmm_virtio_set *set,
                        const struct vmm_virtio_options *options,
                        const struct vmm_virtio_place *place,
                        struct gw_error **errp)
{
    *set = (struct vmm_virtio_set){.legacy = !options->modern};
    for (unsigned int i = 0; i < options->n_devices; i++) {
        int r = add_member(set, &options->devices[i], place, errp);

        if (r < 0) {
            vmm_virtio_set_deinit(set);
            return gw_error_prefix(errp, r, "virtio device %u", i + 1);
        }
    }
    return 0;
}

void vmm_virtio_set_deinit(struct vmm_virtio_set *set)
{
    for (unsigned int i = 0; i < set->n_members; i++) {
        struct vmm_virtio_member *member = &set->members[i];

        vmm_virtio_stop(member->device);
        member->deinit(member->object);
        free(member->object);
    }
    *set = (struct vmm_virtio_set){0};
}

/*
 * What has to fit of features: those of one transport or the other are told
 * by the transport.
 */
#define TRANSPORT_FEATURES                    \
    (VMM_VIRTIO_BIT(VMM_VIRTIO_F_VERSION_1) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_F_ANY_LAYOUT) | VMM_VIRTIO_BIT(7))

static int set_traits(const struct vmm_virtio_member *member,
                      struct gw_machine *machine, struct gw_device *device,
                      struct gw_error **errp)
{
    const struct vmm_virtio *virtio = member->device;
    struct gw_trait traits[] = {
        {"version of the registers", GW_TRAIT_SAME, virtio->legacy ? 1 : 2},
        {"number of queues", GW_TRAIT_SAME, virtio->n_queues},
        {"features", GW_TRAIT_ALL_BITS,
         virtio->host_features & ~TRANSPORT_FEATURES},
        /* Of disks. */
        {"read-only", GW_TRAIT_SAME, 0},
        {"number of sectors", GW_TRAIT_AT_LEAST, 0},
    };
    size_t n = VMM_ARRAY_SIZE(traits);

    if (member->vmstate == &vmm_virtio_blk_vmstate) {
        const struct vmm_virtio_blk *blk = member->object;

        traits[n - 2].value = blk->image.readonly;
        traits[n - 1].value = blk->image.bytes / VMM_SECTOR_BYTES;
    } else {
        n -= 2;
    }
    return gw_device_set_traits(machine, device, traits, n, errp);
}

int vmm_virtio_set_add_devices(struct vmm_virtio_set *set,
                               struct gw_machine *machine,
                               struct gw_error **errp)
{
    for (unsigned int i = 0; i < set->n_members; i++) {
        const struct vmm_virtio_member *member = &set->members[i];
        struct gw_device *device = NULL;
        char path[40];
        int r;

        snprintf(path, sizeof(path), "virtio-mmio@%016x",
                 VMM_VIRTIO_BASE + member->slot * VMM_VIRTIO_BYTES);
        r = gw_machine_add_device(machine, member->vmstate, path, 0,
                                  member->object, &device, errp);
        if (r == 0) {
            r = set_traits(member, machine, device, errp);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

struct vmm_virtio_balloon *
vmm_virtio_set_balloon(const struct vmm_virtio_set *set)
{
    for (unsigned int i = 0; i < set->n_members; i++) {
        if (set->members[i].device->ops->id == VMM_VIRTIO_ID_BALLOON) {
            return set->members[i].object;
        }
    }
    return NULL;
}

static int notify_member(const struct vmm_virtio_member *member,
                         int (*add)(void *opaque, uint64_t gpa, uint32_t value,
                                    int fd),
                         void *opaque, struct gw_error **errp)
{
    uint64_t gpa = VMM_VIRTIO_BASE + member->slot * VMM_VIRTIO_BYTES +
                   VMM_VIRTIO_NOTIFY_OFFSET;

    for (uint32_t i = 0;
         i < member->device->n_queues && i < VMM_VIRTIO_NOTIFIERS; i++) {
        int fd = -1;
        int r = vmm_virtio_notify_open(member->device, i, &fd, errp);

        if (r < 0) {
            return r;
        }
        if (add(opaque, gpa, i, fd) < 0) {
            vmm_virtio_notify_close(member->device, i);
        }
    }
    return 0;
}

int vmm_virtio_set_notify(struct vmm_virtio_set *set,
                          int (*add)(void *opaque, uint64_t gpa, uint32_t value,
                                     int fd),
                          void *opaque, struct gw_error **errp)
{
    int r = 0;

    for (unsigned int i = 0; i < set->n_members && r == 0; i++) {
        r = notify_member(&set->members[i], add, opaque, errp);
    }
    return r;
}

uint32_t vmm_virtio_set_slots(const struct vmm_virtio_set *set)
{
    uint32_t slots = 0;

    for (unsigned int i = 0; i < set->n_members; i++) {
        slots |= 1u << set->members[i].slot;
    }
    return slots;
}

void vmm_virtio_set_reset(struct vmm_virtio_set *set)
{
    for (unsigned int i = 0; i < set->n_members; i++) {
        vmm_virtio_power_on(set->members[i].device);
    }
}

void vmm_virtio_set_pause(struct vmm_virtio_set *set)
{
    for (unsigned int i = 0; i < set->n_members; i++) {
        vmm_virtio_pause(set->members[i].device);
    }
}

void vmm_virtio_set_resume(struct vmm_virtio_set *set)
{
    for (unsigned int i = 0; i < set->n_members; i++) {
        vmm_virtio_resume(set->members[i].device);
    }
}

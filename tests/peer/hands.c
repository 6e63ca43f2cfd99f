/*
 * godwit with the guest of hands.py: in place of KVM an accelerator whose
 * vCPUs keep what was loaded into them and run one program, which waits at a
 * mailbox in guest RAM and makes an access to a device for each message.
 *
 * So the whole of godwit, but for KVM, loads what a QEMU without KVM saved,
 * goes on with it under a test's eyes, and gives it back.
 */
#include "accel.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <godwit/machine.h>
#include <godwit/vmstate.h>

#include "cpu_state.h"
#include "machine.h"
#include "util.h"

/* The mailbox; words, as in hands.py. */
#define MAILBOX 0x1000u
#define MESSAGE 0
#define ANSWER 1
#define OPERATION 2
#define ADDRESS 3
#define VALUE 4
#define N_WORDS 5

enum operation {
    STORE,
    LOAD,
    OUTPUT,
    INPUT,
};

struct hands {
    struct vmm_accel base;
    struct vmm_machine *machine;
    atomic_bool stop;
    struct vmm_cpu cpus[];
};

static struct hands *hands_of(void *accel)
{
    return accel;
}

static int create(struct vmm_machine *machine, struct vmm_accel **ret_accel,
                  struct gw_error **errp)
{
    struct hands *hands =
        calloc(1, sizeof(*hands) + machine->n_cpus * sizeof(hands->cpus[0]));

    if (!hands) {
        return gw_error_set_errno(errp, -ENOMEM, "accelerator");
    }
    hands->base.ops = &vmm_accel_kvm;
    hands->machine = machine;
    for (unsigned int i = 0; i < machine->n_cpus; i++) {
        vmm_cpu_init(&hands->cpus[i]);
    }
    *ret_accel = &hands->base;
    return 0;
}

static void destroy(struct vmm_accel *accel)
{
    free(accel);
}

static int add_cpus(struct vmm_accel *accel, struct gw_error **errp)
{
    struct hands *hands = hands_of(accel);
    struct gw_machine *gw = hands->machine->gw;
    int r = 0;

    for (uint32_t i = 0; i < hands->machine->n_cpus && r == 0; i++) {
        struct vmm_cpu *cpu = &hands->cpus[i];

        r = gw_machine_add_device(gw, &vmm_cpu_common_vmstate, NULL, i, cpu,
                                  NULL, errp);
        if (r == 0) {
            r = gw_machine_add_device(gw, &vmm_cpu_vmstate, NULL, i, cpu, NULL,
                                      errp);
        }
        if (r == 0) {
            r = gw_machine_add_device(gw, &vmm_apic_vmstate, NULL, i,
                                      &cpu->apic, NULL, errp);
        }
    }
    return r;
}

/* Neither does a QEMU without KVM have the section `kvmclock`. */
static int nothing(struct vmm_accel *accel, struct gw_error **errp)
{
    return 0;
}

static int no_tracker(struct vmm_accel *accel, struct gw_error **errp)
{
    return gw_error_set(errp, -ENOTSUP, "the guest of the test is not tracked");
}

static int boot(struct vmm_accel *accel, const struct vmm_options *options,
                struct gw_error **errp)
{
    return 0;
}

static void answer(struct vmm_machine *machine, uint32_t *mailbox)
{
    uint32_t address = mailbox[ADDRESS];

    switch (mailbox[OPERATION]) {
    case STORE:
        vmm_bus_write(&machine->bus.mmio, address, &mailbox[VALUE], 4);
        break;
    case LOAD:
        vmm_bus_read(&machine->bus.mmio, address, &mailbox[VALUE], 4);
        break;
    case OUTPUT:
        vmm_bus_write(&machine->bus.ports, address, &mailbox[VALUE], 1);
        break;
    default:
        mailbox[VALUE] = 0;
        vmm_bus_read(&machine->bus.ports, address, &mailbox[VALUE], 1);
        break;
    }
}

static void arm(void *opaque, unsigned int index)
{
    struct hands *hands = hands_of(opaque);

    atomic_store(&hands->stop, false);
}

static void run(void *opaque, unsigned int index)
{
    struct hands *hands = hands_of(opaque);
    uint32_t *mailbox =
        vmm_memory_at(&hands->machine->memory, MAILBOX, 4 * N_WORDS);

    while (!atomic_load(&hands->stop)) {
        uint32_t message = __atomic_load_n(&mailbox[MESSAGE], __ATOMIC_ACQUIRE);

        if (message == mailbox[ANSWER]) {
            usleep(100);
            continue;
        }
        answer(hands->machine, mailbox);
        __atomic_store_n(&mailbox[ANSWER], message, __ATOMIC_RELEASE);
    }
}

static void kick(void *opaque, unsigned int index)
{
    struct hands *hands = hands_of(opaque);

    atomic_store(&hands->stop, true);
}

static void park(void *opaque, unsigned int index)
{
}

static void routes_changed(void *opaque,
                           const struct vmm_msi routes[VMM_IOAPIC_PINS])
{
}

static void send_message(void *opaque, const struct vmm_msi *message)
{
}

/* Under the name that the program looks for. */
static void reset(struct vmm_accel *accel)
{
    struct hands *hands = hands_of(accel);

    for (unsigned int i = 0; i < hands->machine->n_cpus; i++) {
        vmm_cpu_init(&hands->cpus[i]);
    }
}

/* The hands write to the bus. */
static int no_notify(struct vmm_accel *accel, uint64_t gpa, unsigned int bytes,
                     uint64_t value, int fd)
{
    return -ENOTSUP;
}

const struct vmm_accel_ops vmm_accel_kvm = {
    .name = "kvm",
    .is_pc = true,
    .create = create,
    .attach = nothing,
    .destroy = destroy,
    .add_cpus = add_cpus,
    .add_clock = nothing,
    .add_tracker = no_tracker,
    .reset = reset,
    .boot = boot,
    .add_notify = no_notify,
    .check = nothing,
    .start = nothing,
    .stop = nothing,
    .vcpu = {.arm = arm, .run = run, .kick = kick, .park = park},
    .ioapic = {.routes_changed = routes_changed, .send = send_message},
};

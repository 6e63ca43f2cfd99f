/*
 * The accelerator `kvm`: the VM, its memory and interrupts, and how its state
 * follows pause and resume.
 */
#include "accel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <godwit/vmstate.h>

#include "kvm.h"
#include "machine.h"
#include "util.h"

/* A capability without which we cannot run or save a guest. */
struct required_cap {
    int cap;
    const char *name;
};

static const struct required_cap required_caps[] = {
    {KVM_CAP_USER_MEMORY, "user memory"},
    {KVM_CAP_SET_TSS_ADDR, "TSS address"},
    {KVM_CAP_SPLIT_IRQCHIP, "split irqchip"},
    {KVM_CAP_IRQ_ROUTING, "interrupt routing"},
    {KVM_CAP_SIGNAL_MSI, "message interrupts"},
    {KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
    {KVM_CAP_MP_STATE, "multiprocessing state"},
    {KVM_CAP_VCPU_EVENTS, "vCPU events"},
    {KVM_CAP_DEBUGREGS, "debug registers"},
    {KVM_CAP_XSAVE, "XSAVE"},
    {KVM_CAP_XCRS, "XCRs"},
    {KVM_CAP_ADJUST_CLOCK, "clock"},
    {KVM_CAP_EXT_CPUID, "CPUID"},
};

static struct vmm_kvm *kvm_of(struct vmm_accel *accel)
{
    return (struct vmm_kvm *)(void *)accel;
}

static bool has_cap(const struct vmm_kvm *kvm, int cap)
{
    return ioctl(kvm->kvm_fd, KVM_CHECK_EXTENSION, cap) > 0;
}

static int open_kvm(struct vmm_kvm *kvm, struct gw_error **errp)
{
    int version;

    kvm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm->kvm_fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open /dev/kvm");
    }
    version = ioctl(kvm->kvm_fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        return gw_error_set(errp, -ENOTSUP,
                            "/dev/kvm has API version %d, expected %d", version,
                            KVM_API_VERSION);
    }
    for (size_t i = 0; i < VMM_ARRAY_SIZE(required_caps); i++) {
        if (!has_cap(kvm, required_caps[i].cap)) {
            return gw_error_set(errp, -ENOTSUP, "/dev/kvm lacks %s",
                                required_caps[i].name);
        }
    }
    kvm->has_tsc_khz = has_cap(kvm, KVM_CAP_GET_TSC_KHZ);
    kvm->has_sregs2 = has_cap(kvm, KVM_CAP_SREGS2);
    kvm->has_xsave2 = has_cap(kvm, KVM_CAP_XSAVE2);
    return 0;
}

static int create_vm(struct vmm_kvm *kvm, struct gw_error **errp)
{
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP,
                                   .args = {VMM_IOAPIC_PINS}};
    struct kvm_enable_cap triple = {.cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT,
                                    .args = {1}};
    uint64_t identity_map = VMM_KVM_IDENTITY_MAP;

    kvm->vm_fd = ioctl(kvm->kvm_fd, KVM_CREATE_VM, 0);
    if (kvm->vm_fd < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_CREATE_VM");
    }
    if (ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
        ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, VMM_KVM_TSS) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot place KVM's pages");
    }
    if (ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &split) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM's split irqchip");
    }
    kvm->has_triple_fault = has_cap(kvm, KVM_CAP_X86_TRIPLE_FAULT_EVENT) &&
                            ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &triple) == 0;
    return 0;
}

/* What KVM has after a reset is what a stream may leave out. */
static int read_reset_state(struct vmm_kvm *kvm, struct gw_error **errp)
{
    int r = vmm_kvm_read_state(kvm, errp);

    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        kvm->vcpus[i].after_reset = kvm->vcpus[i].cpu;
    }
    return r;
}

static int create_vcpus(struct vmm_kvm *kvm, struct gw_error **errp)
{
    for (unsigned int i = 0; i < kvm->machine->n_cpus; i++) {
        int r = vmm_kvm_vcpu_init(kvm, i, errp);

        if (r < 0) {
            return r;
        }
    }
    return read_reset_state(kvm, errp);
}

typedef int (*create_fn)(struct vmm_kvm *kvm, struct gw_error **errp);

static int create_steps(struct vmm_kvm *kvm, struct gw_error **errp)
{
    static const create_fn steps[] = {
        open_kvm,  vmm_kvm_init_cpuid, vmm_kvm_init_msrs,
        create_vm, vmm_kvm_init_dirty,
    };

    for (size_t i = 0; i < VMM_ARRAY_SIZE(steps); i++) {
        int r = steps[i](kvm, errp);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void destroy(struct vmm_accel *accel)
{
    struct vmm_kvm *kvm = kvm_of(accel);

    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        vmm_kvm_vcpu_deinit(&kvm->vcpus[i]);
    }
    vmm_kvm_deinit_ring(kvm);
    if (kvm->vm_fd >= 0) {
        close(kvm->vm_fd);
    }
    if (kvm->kvm_fd >= 0) {
        close(kvm->kvm_fd);
    }
    free(kvm->cpuid);
    free(kvm->msr_list);
    free(kvm);
}

static int create(struct vmm_machine *machine, struct vmm_accel **ret_accel,
                  struct gw_error **errp)
{
    struct vmm_kvm *kvm = calloc(1, sizeof(*kvm));
    int r;

    if (!kvm) {
        return gw_error_set_errno(errp, -ENOMEM, "accelerator");
    }
    kvm->base.ops = &vmm_accel_kvm;
    kvm->machine = machine;
    kvm->kvm_fd = -1;
    kvm->vm_fd = -1;
    kvm->dirty = true;
    r = create_steps(kvm, errp);
    if (r < 0) {
        destroy(&kvm->base);
        return r;
    }
    *ret_accel = &kvm->base;
    return 0;
}

static int attach(struct vmm_accel *accel, struct gw_error **errp)
{
    struct vmm_kvm *kvm = kvm_of(accel);
    int r = vmm_kvm_map_memory(kvm, errp);

    return r < 0 ? r : create_vcpus(kvm, errp);
}

static int add_cpus(struct vmm_accel *accel, struct gw_error **errp)
{
    struct vmm_kvm *kvm = kvm_of(accel);
    struct gw_machine *gw = kvm->machine->gw;

    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        struct vmm_cpu *cpu = &kvm->vcpus[i].cpu;
        int r;

        r = gw_machine_add_device(gw, &vmm_cpu_common_vmstate, NULL, i, cpu,
                                  NULL, errp);
        if (r < 0) {
            return r;
        }
        r = gw_machine_add_device(gw, &vmm_cpu_vmstate, NULL, i, cpu, NULL,
                                  errp);
        if (r < 0) {
            return r;
        }
        r = gw_machine_add_device(gw, &vmm_apic_vmstate, NULL, i, &cpu->apic,
                                  NULL, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int add_clock(struct vmm_accel *accel, struct gw_error **errp)
{
    struct vmm_kvm *kvm = kvm_of(accel);

    return gw_machine_add_device(kvm->machine->gw, &vmm_kvmclock_vmstate, NULL,
                                 0, &kvm->clock, NULL, errp);
}

static int check(struct vmm_accel *accel, struct gw_error **errp)
{
    return vmm_kvm_try_state(kvm_of(accel), errp);
}

static int start(struct vmm_accel *accel, struct gw_error **errp)
{
    struct vmm_kvm *kvm = kvm_of(accel);

    if (kvm->dirty) {
        int r = vmm_kvm_write_state(kvm, errp);

        if (r < 0) {
            return gw_error_prefix(errp, r, "cannot give KVM its state");
        }
        kvm->dirty = false;
    }
    return vmm_kvm_put_clock(kvm, errp);
}

static int stop(struct vmm_accel *accel, struct gw_error **errp)
{
    return vmm_kvm_read_state(kvm_of(accel), errp);
}

static int add_notify(struct vmm_accel *accel, uint64_t gpa, unsigned int bytes,
                      uint64_t value, int fd)
{
    struct kvm_ioeventfd notify = {.datamatch = value,
                                   .addr = gpa,
                                   .len = bytes,
                                   .fd = fd,
                                   .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};

    if (!has_cap(kvm_of(accel), KVM_CAP_IOEVENTFD) ||
        ioctl(kvm_of(accel)->vm_fd, KVM_IOEVENTFD, &notify) < 0) {
        return -ENOTSUP;
    }
    return 0;
}

/* The routes make KVM report the end of level interrupts. */
static void routes_changed(void *opaque,
                           const struct vmm_msi routes[VMM_IOAPIC_PINS])
{
    struct vmm_kvm *kvm = opaque;
    struct {
        struct kvm_irq_routing header;
        struct kvm_irq_routing_entry entries[VMM_IOAPIC_PINS];
    } table = {.header.nr = VMM_IOAPIC_PINS};

    for (uint32_t i = 0; i < VMM_IOAPIC_PINS; i++) {
        table.entries[i].gsi = i;
        table.entries[i].type = KVM_IRQ_ROUTING_MSI;
        table.entries[i].u.msi.address_lo = (uint32_t)routes[i].address;
        table.entries[i].u.msi.address_hi = (uint32_t)(routes[i].address >> 32);
        table.entries[i].u.msi.data = routes[i].data;
    }
    if (ioctl(kvm->vm_fd, KVM_SET_GSI_ROUTING, &table) < 0) {
        fprintf(stderr, "godwit run: KVM_SET_GSI_ROUTING: errno %d\n", errno);
    }
}

static void send_message(void *opaque, const struct vmm_msi *message)
{
    struct vmm_kvm *kvm = opaque;
    struct kvm_msi msi = {.address_lo = (uint32_t)message->address,
                          .address_hi = (uint32_t)(message->address >> 32),
                          .data = message->data};

    /* 0: no vCPU took it (its APIC is off), as on hardware. */
    if (ioctl(kvm->vm_fd, KVM_SIGNAL_MSI, &msi) < 0) {
        fprintf(stderr, "godwit run: KVM_SIGNAL_MSI: errno %d\n", errno);
    }
}

const struct vmm_accel_ops vmm_accel_kvm = {
    .name = "kvm",
    .is_pc = true,
    .create = create,
    .attach = attach,
    .destroy = destroy,
    .add_cpus = add_cpus,
    .add_clock = add_clock,
    .add_tracker = vmm_kvm_add_tracker,
    .reset = vmm_kvm_reset,
    .boot = vmm_kvm_boot,
    .add_notify = add_notify,
    .check = check,
    .start = start,
    .stop = stop,
    .vcpu =
        {
            .arm = vmm_kvm_vcpu_arm,
            .run = vmm_kvm_vcpu_run,
            .kick = vmm_kvm_vcpu_kick,
            .park = vmm_kvm_vcpu_park,
        },
    .ioapic =
        {
            .routes_changed = routes_changed,
            .send = send_message,
        },
    .pic =
        {
            .raised = vmm_kvm_pic_raised,
        },
};

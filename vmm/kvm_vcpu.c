/*
 * One virtual CPU of KVM: creation, the run loop, exits.
 */
#include "kvm.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

/* Triple faults that are told of. */
#define MAX_TRIPLE_FAULTS 10u

/* A machine check setup that the guest sees as QEMU's. */
static void setup_mce(struct vmm_kvm_vcpu *vcpu)
{
    uint64_t supported = 0;
    uint64_t cap;

    if (ioctl(vcpu->kvm->kvm_fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &supported) <
        0) {
        return;
    }
    cap = VMM_MCG_CAP & (supported | 0xff);
    if (ioctl(vcpu->fd, KVM_X86_SETUP_MCE, &cap) == 0) {
        vcpu->kvm->has_mce = true;
        vcpu->cpu.mcg_cap = cap;
    }
}

static int map_run(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    int size = ioctl(vcpu->kvm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    void *run;

    if (size < (int)sizeof(struct kvm_run)) {
        return gw_error_set(errp, -EIO,
                            "KVM gives %d bytes for struct "
                            "kvm_run, expected at least %zu",
                            size, sizeof(struct kvm_run));
    }
    run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
               0);
    if (run == MAP_FAILED) {
        return gw_error_set_errno(errp, -errno, "cannot map vCPU %u",
                                  vcpu->index);
    }
    vcpu->run = run;
    vcpu->run_size = (size_t)size;
    return 0;
}

int vmm_kvm_vcpu_init(struct vmm_kvm *kvm, unsigned int index,
                      struct gw_error **errp)
{
    struct vmm_kvm_vcpu *vcpu = &kvm->vcpus[index];
    int r;

    vcpu->kvm = kvm;
    vcpu->index = index;
    vmm_cpu_init(&vcpu->cpu);
    vcpu->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, index);
    if (vcpu->fd < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_CREATE_VCPU %u", index);
    }
    kvm->n_vcpus = index + 1;
    r = map_run(vcpu, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_kvm_map_ring(vcpu, errp);
    if (r < 0) {
        return r;
    }
    setup_mce(vcpu);
    return vmm_kvm_set_cpuid(vcpu, errp);
}

void vmm_kvm_vcpu_deinit(struct vmm_kvm_vcpu *vcpu)
{
    vmm_kvm_unmap_ring(vcpu);
    if (vcpu->run) {
        munmap(vcpu->run, vcpu->run_size);
    }
    if (vcpu->fd >= 0) {
        close(vcpu->fd);
    }
    vcpu->run = NULL;
    vcpu->fd = -1;
}

static void handle_port(struct vmm_kvm_vcpu *vcpu)
{
    const struct vmm_bus_space *ports = &vcpu->kvm->machine->bus.ports;
    struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++) {
        if (run->io.direction == KVM_EXIT_IO_IN) {
            vmm_bus_read(ports, run->io.port, data, run->io.size);
        } else {
            vmm_bus_write(ports, run->io.port, data, run->io.size);
        }
        data += run->io.size;
    }
}

static void handle_mmio(struct vmm_kvm_vcpu *vcpu)
{
    const struct vmm_bus_space *mmio = &vcpu->kvm->machine->bus.mmio;
    struct kvm_run *run = vcpu->run;

    if (run->mmio.is_write) {
        vmm_bus_write(mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
    } else {
        vmm_bus_read(mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
    }
}

static void fail(struct vmm_kvm_vcpu *vcpu)
{
    vmm_kvm_report(vcpu);
    vmm_machine_request_end(vcpu->kvm->machine, VMM_END_ERROR);
}

static void fail_exit(struct vmm_kvm_vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
        fprintf(stderr,
                "godwit run: vCPU %u: KVM internal error, suberror %u\n",
                vcpu->index, run->internal.suberror);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        fprintf(
            stderr,
            "godwit run: vCPU %u: KVM cannot enter the guest, hardware "
            "reason 0x%llx\n",
            vcpu->index,
            (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
        break;
    default:
        fprintf(stderr, "godwit run: vCPU %u: unexpected KVM exit %u\n",
                vcpu->index, run->exit_reason);
        break;
    }
    fail(vcpu);
}

static void make_room(struct vmm_kvm_vcpu *vcpu)
{
    int r = vmm_kvm_ring_full(vcpu->kvm);

    if (r < 0) {
        fprintf(stderr,
                "godwit run: vCPU %u: KVM_RESET_DIRTY_RINGS: errno %d\n",
                vcpu->index, -r);
        fail(vcpu);
    }
}

/* A guest that does nothing else must not fill the host's log. */
static void report_triple_fault(struct vmm_kvm_vcpu *vcpu)
{
    unsigned int n =
        __atomic_add_fetch(&vcpu->kvm->n_triple_faults, 1, __ATOMIC_RELAXED);

    if (n > MAX_TRIPLE_FAULTS) {
        return;
    }
    fprintf(stderr, "godwit run: vCPU %u: triple fault, the guest resets%s\n",
            vcpu->index,
            n == MAX_TRIPLE_FAULTS ? "; further ones are not reported" : "");
    vmm_kvm_report(vcpu);
}

static void handle_exit(struct vmm_kvm_vcpu *vcpu)
{
    struct vmm_machine *machine = vcpu->kvm->machine;
    struct kvm_run *run = vcpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        handle_port(vcpu);
        break;
    case KVM_EXIT_MMIO:
        handle_mmio(vcpu);
        break;
    case KVM_EXIT_IOAPIC_EOI:
        vmm_ioapic_eoi(&machine->ioapic, run->eoi.vector);
        break;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_HLT:
        break;
    case KVM_EXIT_DIRTY_RING_FULL:
        make_room(vcpu);
        break;
    case KVM_EXIT_SHUTDOWN:
        report_triple_fault(vcpu);
        vmm_machine_request_end(machine, VMM_END_RESET);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        vmm_machine_request_end(machine, run->system_event.type ==
                                                 KVM_SYSTEM_EVENT_SHUTDOWN
                                             ? VMM_END_POWER_OFF
                                             : VMM_END_RESET);
        break;
    default:
        fail_exit(vcpu);
        break;
    }
}

void vmm_kvm_vcpu_arm(void *opaque, unsigned int index)
{
    struct vmm_kvm *kvm = opaque;

    __atomic_store_n(&kvm->vcpus[index].run->immediate_exit, 0,
                     __ATOMIC_SEQ_CST);
}

/*
 * Every exit is followed by another KVM_RUN, which first completes what the
 * exit began; so when a kick has ended the loop, nothing is half done.
 */
void vmm_kvm_vcpu_run(void *opaque, unsigned int index)
{
    struct vmm_kvm *kvm = opaque;
    struct vmm_kvm_vcpu *vcpu = &kvm->vcpus[index];

    for (;;) {
        int r;

        vmm_kvm_offer_extint(vcpu);
        r = ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;

        if (r == -EINTR) {
            return;
        }
        if (r == 0) {
            handle_exit(vcpu);
        } else if (r != -EAGAIN) {
            fprintf(stderr, "godwit run: vCPU %u: KVM_RUN: errno %d\n", index,
                    -r);
            fail(vcpu);
            return;
        }
    }
}

void vmm_kvm_vcpu_kick(void *opaque, unsigned int index)
{
    struct vmm_kvm *kvm = opaque;

    __atomic_store_n(&kvm->vcpus[index].run->immediate_exit, 1,
                     __ATOMIC_SEQ_CST);
    vmm_vcpus_signal(&kvm->machine->vcpus, index);
}

void vmm_kvm_vcpu_park(void *opaque, unsigned int index)
{
    struct vmm_kvm *kvm = opaque;

    vmm_kvm_settle_extint(&kvm->vcpus[index]);
}

/*
 * The smallest proof that KVM works here: make a VM with one page of memory,
 * run four instructions on a vCPU, and see their result.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define PORT 0x80

/* mov $40, %al; add $2, %al; out %al, $0x80; hlt */
static const uint8_t code[] = {0xb0, 40, 0x04, 2, 0xe6, PORT, 0xf4};

static int fail(const char *what)
{
    fprintf(stderr, "kvm-hello: %s: %s\n", what, strerror(errno));
    return 1;
}

static int enter(int vcpu)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = 0, .rflags = 2};

    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0) {
        return fail("KVM_GET_SREGS");
    }
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0) {
        return fail("KVM_SET_SREGS");
    }
    if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0) {
        return fail("KVM_SET_REGS");
    }
    return 0;
}

static int run(int kvm, int vcpu)
{
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *state;
    uint8_t value;

    state =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (state == MAP_FAILED) {
        return fail("mmap of the vCPU");
    }
    if (ioctl(vcpu, KVM_RUN, 0) < 0) {
        return fail("KVM_RUN");
    }
    value = *((uint8_t *)state + state->io.data_offset);
    if (state->exit_reason != KVM_EXIT_IO || state->io.port != PORT ||
        value != 42) {
        fprintf(stderr, "kvm-hello: exit %u, value %u\n", state->exit_reason,
                value);
        return 1;
    }
    printf("kvm-hello: the guest computed 40 + 2 = %u\n", value);
    return 0;
}

int main(void)
{
    struct kvm_userspace_memory_region region = {.memory_size = PAGE_BYTES};
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    void *page;
    int vm;
    int vcpu;

    if (kvm < 0) {
        return fail("/dev/kvm");
    }
    printf("kvm-hello: API version %d\n", ioctl(kvm, KVM_GET_API_VERSION, 0));
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0) {
        return fail("KVM_CREATE_VM");
    }
    page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return fail("mmap");
    }
    memcpy(page, code, sizeof(code));
    region.userspace_addr = (uintptr_t)page;
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        return fail("KVM_SET_USER_MEMORY_REGION");
    }
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu < 0) {
        return fail("KVM_CREATE_VCPU");
    }
    return enter(vcpu) || run(kvm, vcpu);
}

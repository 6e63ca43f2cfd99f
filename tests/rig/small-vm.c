#include "small-vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int fail(const char *program, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
    return -1;
}

static int add_memory(int vm, const char *program, const uint8_t *code,
                      size_t size)
{
    struct kvm_userspace_memory_region region = {.memory_size = SMALL_VM_BYTES};
    void *page = mmap(NULL, SMALL_VM_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return fail(program, "mmap");
    }
    memcpy(page, code, size);
    region.userspace_addr = (uintptr_t)page;
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        return fail(program, "KVM_SET_USER_MEMORY_REGION");
    }
    return 0;
}

static int enter(int vcpu, const char *program)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = 0, .rflags = 2};

    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0) {
        return fail(program, "KVM_GET_SREGS");
    }
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0) {
        return fail(program, "KVM_SET_SREGS");
    }
    if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0) {
        return fail(program, "KVM_SET_REGS");
    }
    return 0;
}

static int add_vcpu(struct small_vm *small, int kvm, int vm,
                    const char *program)
{
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

    small->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (size < 0 || small->vcpu < 0) {
        return fail(program, "KVM_CREATE_VCPU");
    }
    small->state = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED,
                        small->vcpu, 0);
    if (small->state == MAP_FAILED) {
        return fail(program, "mmap of the vCPU");
    }
    return enter(small->vcpu, program);
}

int small_vm_make(struct small_vm *small, const char *program,
                  const uint8_t *code, size_t size)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm;

    if (kvm < 0) {
        return fail(program, "/dev/kvm");
    }
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0) {
        return fail(program, "KVM_CREATE_VM");
    }
    if (add_memory(vm, program, code, size) < 0) {
        return -1;
    }
    return add_vcpu(small, kvm, vm, program);
}

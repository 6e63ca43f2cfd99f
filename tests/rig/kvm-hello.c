/*
 * The smallest proof that KVM works here: make a VM with one page of memory,
 * run four instructions on a vCPU, and see their result.
 */
#include "small-vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define PORT 0x80

/* mov $40, %al; add $2, %al; out %al, $0x80; hlt */
static const uint8_t code[] = {0xb0, 40, 0x04, 2, 0xe6, PORT, 0xf4};

int main(void)
{
    struct small_vm vm;
    uint8_t value;

    if (small_vm_make(&vm, "kvm-hello", code, sizeof(code)) < 0) {
        return 1;
    }
    if (ioctl(vm.vcpu, KVM_RUN, 0) < 0) {
        fprintf(stderr, "kvm-hello: KVM_RUN: %s\n", strerror(errno));
        return 1;
    }
    value = *((uint8_t *)vm.state + vm.state->io.data_offset);
    if (vm.state->exit_reason != KVM_EXIT_IO || vm.state->io.port != PORT ||
        value != 42) {
        fprintf(stderr, "kvm-hello: exit %u, value %u\n", vm.state->exit_reason,
                value);
        return 1;
    }
    printf("kvm-hello: the guest computed 40 + 2 = %u\n", value);
    return 0;
}

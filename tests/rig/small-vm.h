/*
 * A VM with one page of memory at address 0 and one vCPU in real mode there.
 */
#ifndef RIG_SMALL_VM_H
#define RIG_SMALL_VM_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#define SMALL_VM_BYTES 4096

struct small_vm {
    int vcpu;
    /* Shared with the kernel. */
    struct kvm_run *state;
};

/*
 * Makes it, with `code` at address 0, where the vCPU will start. It lives as
 * long as the process. 0, or -1 after a message that begins with `program`.
 */
int small_vm_make(struct small_vm *vm, const char *program, const uint8_t *code,
                  size_t size);

#endif

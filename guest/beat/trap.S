/*
 * Entries of exceptions and interrupts, and the one place where CPUs halt.
 */
#include "layout.h"

    .text
    .code64

/* Every stub takes 16 bytes; an error code or 0, then the vector. */
    .macro stub vector, has_error
    .balign 16
    .if !\has_error
    pushq $0
    .endif
    pushq $\vector
    jmp trap
    .endm

    .balign 16
    .globl beat_exception_stubs
beat_exception_stubs:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    stub \n, 0
    .endr
    stub 8, 1
    stub 9, 0
    .irp n, 10, 11, 12, 13, 14
    stub \n, 1
    .endr
    .irp n, 15, 16
    stub \n, 0
    .endr
    stub 17, 1
    .irp n, 18, 19, 20
    stub \n, 0
    .endr
    stub 21, 1
    .irp n, 22, 23, 24, 25, 26, 27, 28
    stub \n, 0
    .endr
    stub 29, 1
    stub 30, 1
    stub 31, 0

    .globl beat_timer_stub, beat_uart_stub, beat_spurious_stub
    .balign 16
beat_timer_stub:
    stub BEAT_VECTOR_TIMER, 0
    .balign 16
beat_uart_stub:
    stub BEAT_VECTOR_UART, 0
    .balign 16
beat_spurious_stub:
    stub BEAT_VECTOR_SPURIOUS, 0

trap:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    cld
    call beat_trap
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

/*
 * Waits for an interrupt. Called with interrupts off; STI takes effect after
 * HLT, so that none is missed between the two. A migration stream does not
 * carry that: an interrupt may come at beat_halt_insn after all. beat_trap()
 * then steps over the HLT.
 */
    .globl beat_halt, beat_halt_insn
beat_halt:
    sti
beat_halt_insn:
    hlt
    cli
    ret

    .section .note.GNU-stack, "", @progbits

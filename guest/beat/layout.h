/*
 * Numbers that C and assembly share.
 */
#ifndef GW_GUEST_BEAT_LAYOUT_H
#define GW_GUEST_BEAT_LAYOUT_H

/* As BEAT_MAX_CPUS of the core. */
#define BEAT_CPUS_MAX 64
#define BEAT_STACK_SIZE 8192

/* Where the other CPUs start in real mode: a page below 1 MiB. */
#define BEAT_TRAMPOLINE 0x8000

/* Segment selectors of the boot GDT and of the final one. */
#define BEAT_CODE64 0x08
#define BEAT_DATA 0x10
#define BEAT_CODE32 0x18
#define BEAT_TSS 0x20
#define BEAT_BOOT_GDT_SIZE 32

/* Interrupt vectors. */
#define BEAT_VECTOR_TIMER 0x40
#define BEAT_VECTOR_UART 0x41
#define BEAT_VECTOR_SPURIOUS 0xff

#endif

/*
 * From what the loader or the BIOS hands over to 64 bit C.
 *
 * The first CPU comes in 32 bit protected mode without paging, as the PVH
 * boot protocol says, EBX = struct hvm_start_info. The others come in real
 * mode at the trampoline, which the first one copied below 1 MiB. Both end up
 * in long mode with the same tables: 4 GiB mapped one to one in 2 MiB pages,
 * the last of them uncached for the devices there.
 */
#include "layout.h"

#define CR0_PE_PG 0x80000001
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

#define PTE_TABLE 0x3   /* present, writable */
#define PTE_LARGE 0x83  /* and a 2 MiB page */
#define PTE_DEVICE 0x9b /* and uncached */

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18 /* sizes of name and content; 18 = 32 bit entry */
    .asciz "Xen"
    .quad beat_entry

    .text
    .code32
    .globl beat_entry
beat_entry:
    cli
    cld
    movl $beat_bss_start, %edi
    movl $beat_bss_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl
    movl %ebx, beat_start_info
    movl $beat_stacks + BEAT_STACK_SIZE, %esp
    call make_tables
    jmp enter_long_mode

/* PML4 and PDPT with one entry and four, and the four page directories. */
make_tables:
    movl $beat_pml4, %edi
    movl $(3 * 4096 / 4), %ecx
    xorl %eax, %eax
    rep stosl
    movl $beat_pdpt + PTE_TABLE, beat_pml4
    movl $beat_pdpt_window + PTE_TABLE, beat_pml4 + 8
    movl $beat_pds + PTE_TABLE, %eax
    movl $beat_pdpt, %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 1b
    movl $beat_pds, %edi
    movl $PTE_LARGE, %eax
    movl $(3 * 512), %ecx
    call fill_directory
    movl $0xc0000000 + PTE_DEVICE, %eax
    movl $512, %ecx
fill_directory:
1:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    ret

enter_long_mode:
    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $beat_pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_PE_PG, %eax
    movl %eax, %cr0
    lgdt beat_boot_gdt_pointer
    ljmp $BEAT_CODE64, $start64

    .code64
start64:
    movl $BEAT_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    /* The stack of CPU n ends at beat_stacks + (n + 1) * size. */
    movl beat_starting_cpu(%rip), %edi
    leal 1(%rdi), %eax
    imull $BEAT_STACK_SIZE, %eax, %eax
    leaq beat_stacks(%rax), %rsp
    xorl %ebp, %ebp
    call beat_cpu_main
1:  cli
    hlt
    jmp 1b

/* Copied to BEAT_TRAMPOLINE; CS is that paragraph, nothing else is known. */
    .code16
    .globl beat_trampoline
    .globl beat_trampoline_end
beat_trampoline:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdt - beat_trampoline
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $BEAT_CODE32, $ap_start32
    .balign 4
trampoline_gdt:
    .word BEAT_BOOT_GDT_SIZE - 1
    .long beat_boot_gdt
beat_trampoline_end:

    .code32
ap_start32:
    movl $BEAT_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    jmp enter_long_mode

    .section .rodata
    .balign 8
beat_boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* BEAT_CODE64 */
    .quad 0x00cf93000000ffff /* BEAT_DATA */
    .quad 0x00cf9b000000ffff /* BEAT_CODE32 */
beat_boot_gdt_pointer:
    .word BEAT_BOOT_GDT_SIZE - 1
    .long beat_boot_gdt
    .long 0

    .section .bss.noinit, "aw", @nobits
    .balign 4096
    .globl beat_pml4, beat_pdpt, beat_pdpt_window, beat_pds, beat_stacks
beat_pml4:
    .skip 4096
beat_pdpt:
    .skip 4096
beat_pdpt_window:
    .skip 4096
beat_pds:
    .skip 4 * 4096
beat_stacks:
    .skip BEAT_CPUS_MAX * BEAT_STACK_SIZE

    .section .note.GNU-stack, "", @progbits

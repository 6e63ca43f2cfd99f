/*
 * An option ROM that starts the Linux kernel of fw_cfg, for a firmware that
 * knows nothing of that: SeaBIOS copies it from the fw_cfg directory, finds
 * it to be bootable, and calls `boot`. fw_cfg's DMA brings every part to where
 * the machine wants it, above 1 MiB too, so nothing leaves real mode.
 *
 * ROM header and PnP expansion header: Plug and Play BIOS Specification 1.0A,
 * BIOS Boot Specification 1.01. Entering the kernel: Linux,
 * Documentation/arch/x86/boot.rst, "Running the Kernel". Keys, ports and
 * descriptor of fw_cfg: docs/spec/machine.md. seal.py fills in the checksums.
 */
#define KEY_KERNEL_ADDR 0x07
#define KEY_KERNEL_SIZE 0x08
#define KEY_INITRD_ADDR 0x0a
#define KEY_INITRD_SIZE 0x0b
#define KEY_KERNEL_DATA 0x11
#define KEY_INITRD_DATA 0x12
#define KEY_CMDLINE_ADDR 0x13
#define KEY_CMDLINE_SIZE 0x14
#define KEY_CMDLINE_DATA 0x15
#define KEY_SETUP_ADDR 0x16
#define KEY_SETUP_SIZE 0x17
#define KEY_SETUP_DATA 0x18

#define PORT_DMA_HIGH 0x514
#define PORT_DMA_LOW 0x518
#define DMA_ERROR 1
#define DMA_READ 2
#define DMA_SELECT 8

/* Low memory that is free while a boot sector would be loaded. */
#define DESCRIPTOR 0x7000
#define NUMBER 0x7010
#define STACK 0x7c00

/* The kernel is entered one sector behind its setup code. */
#define ENTRY_PARAGRAPHS 0x20
#define STACK_GAP 16
/* Of its header. */
#define HDR_RAMDISK_IMAGE 0x218

    .code16
    .text
    .globl rom
rom:
    .byte 0x55, 0xaa
    .byte (rom_end - rom + 512) / 512 /* with a byte for the checksum */
    /* Nothing to prepare. */
    lret
    .org rom + 0x18
    .word 0                     /* no PCI data */
    .word pnp - rom

pnp:
    .ascii "$PnP"
    .byte 1                     /* version */
    .byte (pnp_end - pnp) / 16
    .word 0                     /* no further header */
    .byte 0
    .byte 0                     /* checksum */
    .long 0                     /* device */
    .word vendor - rom
    .word product - rom
    .byte 0, 0, 0               /* type */
    .byte 0
    .word 0                     /* boot connection vector */
    .word 0                     /* disconnect vector */
    .word boot - rom            /* bootstrap entry vector */
    .word 0
    .word 0                     /* static resources */
pnp_end:

vendor:
    .asciz "godwit"
product:
    .asciz "Linux of fw_cfg"

/* Address, size and data of the parts that lie where the machine says. */
parts:
    .word KEY_CMDLINE_ADDR, KEY_CMDLINE_SIZE, KEY_CMDLINE_DATA
    .word KEY_KERNEL_ADDR, KEY_KERNEL_SIZE, KEY_KERNEL_DATA
    .word KEY_SETUP_ADDR, KEY_SETUP_SIZE, KEY_SETUP_DATA
parts_end:

/* Reads ECX bytes of item AX to address EBX; changes EAX, EBX, ECX, DX. */
transfer:
    shll $16, %eax
    orl $DMA_SELECT | DMA_READ, %eax
    bswapl %eax
    bswapl %ebx
    bswapl %ecx
    movl %eax, DESCRIPTOR
    movl %ecx, DESCRIPTOR + 4
    movl $0, DESCRIPTOR + 8
    movl %ebx, DESCRIPTOR + 12
    xorl %eax, %eax
    movw $PORT_DMA_HIGH, %dx
    outl %eax, %dx
    movl $DESCRIPTOR, %eax
    bswapl %eax
    movw $PORT_DMA_LOW, %dx
    outl %eax, %dx
1:  movl DESCRIPTOR, %eax
    testl %eax, %eax
    jz 2f
    bswapl %eax
    testl $DMA_ERROR, %eax
    jz 1b
    jmp failed
2:  ret

/* The number under key AX, in EAX; changes what `transfer` does. */
number:
    movl $4, %ecx
    movl $NUMBER, %ebx
    call transfer
    movl NUMBER, %eax
    ret

/* Where RAM ends for the firmware, in EAX: INT 15h, AX=E801h. Its tables are
 * behind that. Changes EBX, ECX, EDX. */
ram_end:
    xorl %ecx, %ecx
    xorl %edx, %edx
    movw $0xe801, %ax
    int $0x15
    jc failed
    testw %dx, %dx
    jz 1f
    /* Blocks of 64 KiB behind 16 MiB. */
    movzwl %dx, %eax
    shll $16, %eax
    addl $0x1000000, %eax
    ret
1:  /* KiB behind 1 MiB. */
    movzwl %cx, %eax
    shll $10, %eax
    addl $0x100000, %eax
    ret

boot:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $STACK, %sp

    movw $(parts - rom), %si
next_part:
    movw %cs:(%si), %ax
    call number
    movl %eax, %edi
    movw %cs:2(%si), %ax
    call number
    movl %eax, %ecx
    movw %cs:4(%si), %ax
    movl %edi, %ebx
    call transfer
    addw $6, %si
    cmpw $(parts_end - rom), %si
    jne next_part
    /* EDI is where setup is. */
    movl %edi, %esi
    shrl $4, %esi
    movw %si, %es

    movw $KEY_INITRD_SIZE, %ax
    call number
    testl %eax, %eax
    jz enter
    movl %eax, %ebp
    /* Where the machine says, or lower, so that the tables stay whole. */
    call ram_end
    subl %ebp, %eax
    andl $-4096, %eax
    pushl %eax
    movw $KEY_INITRD_ADDR, %ax
    call number
    popl %ebx
    cmpl %eax, %ebx
    jb 1f
    movl %eax, %ebx
1:  movl %ebx, %es:HDR_RAMDISK_IMAGE
    movl %ebp, %ecx
    movw $KEY_INITRD_DATA, %ax
    call transfer

enter:
    /* The heap and the stack of setup end at the command line. */
    movw $KEY_CMDLINE_ADDR, %ax
    call number
    subl %edi, %eax
    subl $STACK_GAP, %eax
    movw %si, %ds
    movw %si, %fs
    movw %si, %gs
    movw %si, %ss
    movl %eax, %esp
    addw $ENTRY_PARAGRAPHS, %si
    pushw %si
    pushw $0
    lret

/* The firmware tries what it has besides; the machine says what is wrong. */
failed:
    int $0x18

rom_end:

    .section .note.GNU-stack, "", @progbits

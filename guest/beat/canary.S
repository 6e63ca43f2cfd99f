/*
 * Upper halves of the YMM registers, which FXSAVE does not know. 16 of 16
 * bytes each, at %rdi.
 */
    .text
    .code64
    .globl beat_ymm_load, beat_ymm_store

    .macro load n
    vinsertf128 $1, 16*\n(%rdi), %ymm\n, %ymm\n
    .endm
    .macro store n
    vextractf128 $1, %ymm\n, 16*\n(%rdi)
    .endm

beat_ymm_load:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    load \n
    .endr
    ret

beat_ymm_store:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    store \n
    .endr
    ret

    .section .note.GNU-stack, "", @progbits

/*
 * The guest `beat` as an ELF image (guest/beat/), embedded into the program.
 */
#ifndef GW_GUEST_BEAT_ELF_H
#define GW_GUEST_BEAT_ELF_H

#include <stddef.h>

/* The bytes of beat.elf. */
extern const unsigned char gw_beat_elf[];
/* How many there are. */
extern const size_t gw_beat_elf_size;

#endif

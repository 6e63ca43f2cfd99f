/*
 * The option ROM that starts a kernel of fw_cfg (guest/linuxboot/), embedded
 * into the program.
 */
#ifndef GW_GUEST_LINUXBOOT_ROM_H
#define GW_GUEST_LINUXBOOT_ROM_H

#include <stddef.h>

/* The bytes of the ROM, whole blocks of 512. */
extern const unsigned char gw_linuxboot_rom[];
/* How many there are. */
extern const size_t gw_linuxboot_rom_size;

#endif

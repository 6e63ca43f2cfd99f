/*
 * The script of `etc/table-loader`: commands of 128 bytes, little endian.
 */
#ifndef VMM_ACPI_LOADER_H
#define VMM_ACPI_LOADER_H

#include <stdint.h>

#define VMM_LOADER_ENTRY_BYTES 128u
#define VMM_LOADER_FILE_LEN 56u

#define VMM_LOADER_ALLOCATE 1u
#define VMM_LOADER_ADD_POINTER 2u
#define VMM_LOADER_ADD_CHECKSUM 3u

/* Where a file may go: anywhere high, or where the root pointer is sought. */
#define VMM_LOADER_ZONE_HIGH 1u
#define VMM_LOADER_ZONE_FSEG 2u

/* Offsets within a command; the command itself is at 0. */
#define VMM_LOADER_FILE 4u
#define VMM_LOADER_ALIGN 60u
#define VMM_LOADER_ZONE 64u
#define VMM_LOADER_SOURCE 60u
#define VMM_LOADER_POINTER_OFFSET 116u
#define VMM_LOADER_POINTER_BYTES 120u
#define VMM_LOADER_SUM_OFFSET 60u
#define VMM_LOADER_SUM_START 64u
#define VMM_LOADER_SUM_BYTES 68u

#endif

/*
 * Sizes as people write them: "4096", "0x1000", "1.5k", "64M".
 */
#ifndef GW_BASE_SIZE_H
#define GW_BASE_SIZE_H

#include <stdint.h>

/*
 * Parses a size: decimal with an optional fraction and suffix (B, K, M, G, T,
 * P, E, either case, powers of 1024), or hexadecimal without suffix. A bare
 * decimal number counts units of `unit` bytes. Leading blanks are skipped,
 * trailing ones are not. A fraction of a byte is an error only if the unit
 * is one byte. Hexadecimal numbers are bytes.
 *
 * -EINVAL: not a size; -ERANGE: negative, or beyond 2^64 - 1. *ret is
 * written on success only.
 */
int gw_size_parse(const char *text, uint64_t unit, uint64_t *ret);

#endif

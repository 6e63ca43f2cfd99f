/*
 * Text for people: sizes, names of unknown origin, arguments.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Room for any size as text. */
#define CLI_SIZE_TEXT 32

/* "512 bytes", "4.0 KiB", "1.5 GiB" in `text`, which is returned. */
const char *cli_size_text(uint64_t bytes, char text[CLI_SIZE_TEXT]);

/*
 * Prints what a file says, which may be anything: other bytes than printable
 * ASCII appear as \xNN, so that a terminal stays what it is.
 */
void cli_put_safe(FILE *to, const char *text);

/* Columns that cli_put_safe takes. */
size_t cli_safe_width(const char *text);

/*
 * A number of bytes: decimal, or hexadecimal after 0x, with an optional k, M,
 * G or T (powers of 1024). False if it is not one.
 */
bool cli_parse_bytes(const char *text, uint64_t *ret);

#endif

/*
 * The words of an HMP command line.
 */
#ifndef GW_MONITOR_HMP_ARGS_H
#define GW_MONITOR_HMP_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * Takes the next word into `word` (NUL terminated): up to a blank, or a
 * string in double quotes with the escapes \n \r \\ \' \". Returns 1, 0 at
 * the end of the line, or -EINVAL with a line about it in `complaint`.
 */
int gw_hmp_next_word(const char **at, struct gw_buffer *word,
                     struct gw_buffer *complaint);

/* Moves past blanks; true if nothing is left. */
bool gw_hmp_at_end(const char **at);

/*
 * Takes a number: decimal, hexadecimal after 0x or octal after 0, with or
 * without a sign. -EINVAL with a line about it in `complaint`.
 */
int gw_hmp_next_number(const char **at, int64_t *ret,
                       struct gw_buffer *complaint);

/* on/yes/true/y or off/no/false/n; -EINVAL otherwise. */
int gw_hmp_parse_bool(const char *text, bool *ret);

#endif

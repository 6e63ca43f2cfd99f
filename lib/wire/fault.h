/*
 * Why a decoder refused something, in words, for the caller's error. Lives
 * on the caller's stack, so that codecs allocate nothing.
 */
#ifndef GW_WIRE_FAULT_H
#define GW_WIRE_FAULT_H

#include <godwit/macros.h>

struct gw_wire_fault {
    char text[400]; /* one phrase: what was expected and what was found */
};

/*
 * Words the fault (which may be NULL) and returns `code`, a negative errno.
 * Text that does not fit is cut.
 */
int gw_wire_fault_set(struct gw_wire_fault *fault, int code, const char *fmt,
                      ...) GW_PRINTF(3, 4);

#endif

/*
 * Words for what a decoder refused.
 */
#include "wire/fault.h"

#include <stdarg.h>
#include <stdio.h>

int gw_wire_fault_set(struct gw_wire_fault *fault, int code, const char *fmt,
                      ...)
{
    va_list args;

    if (fault) {
        va_start(args, fmt);
        vsnprintf(fault->text, sizeof(fault->text), fmt, args);
        va_end(args);
    }
    return code;
}

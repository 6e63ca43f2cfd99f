/*
 * What all fuzz targets share.
 */
#ifndef GW_TESTS_FUZZ_FUZZ_H
#define GW_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The target: returns 0, or finds something and dies. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Dies if the condition does not hold, in every kind of build. */
#define FUZZ_ASSERT(condition)                                              \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

#endif

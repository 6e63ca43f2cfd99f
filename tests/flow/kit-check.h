/*
 * A check that ends the program, so that fuzz targets and child processes can
 * use it as well as cmocka tests.
 */
#ifndef GW_TESTS_FLOW_KIT_CHECK_H
#define GW_TESTS_FLOW_KIT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define KIT_CHECK(condition, ...)                                           \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fputc('\n', stderr);                                            \
            abort();                                                        \
        }                                                                   \
    } while (0)

#endif

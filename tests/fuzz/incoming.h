/*
 * The machine that fuzz-incoming loads into, and that its seeds are of.
 */
#ifndef GW_TESTS_FUZZ_INCOMING_H
#define GW_TESTS_FUZZ_INCOMING_H

#include "../flow/kit.h"

/* Bit of an input's first byte: mapped-ram is on. The stream follows. */
#define INCOMING_MAPPED 1u

static inline void incoming_shape(struct kit_shape *shape)
{
    *shape = (struct kit_shape){
        .blocks = {{.idstr = "ram",
                    .backing = KIT_OWN,
                    .used_pages = 3,
                    .other_pages = 3,
                    .max_pages = 3},
                   {.idstr = "/rom@etc/tables",
                    .backing = KIT_OWN,
                    .used_pages = 2,
                    .other_pages = 1,
                    .max_pages = 4,
                    .flags = GW_RAM_RESIZEABLE}},
        .n_blocks = 2,
        .devices = (1u << KIT_DEVICE_COUNT) - 1,
        .running = true,
    };
}

#endif

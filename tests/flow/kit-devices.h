/*
 * Devices for the flow tests: together they use every kind of field.
 */
#ifndef GW_TESTS_FLOW_KIT_DEVICES_H
#define GW_TESTS_FLOW_KIT_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/machine.h>
#include <godwit/vmstate.h>

#include "kit-rng.h"

/* Kinds of devices; bits in kit_shape.devices. */
enum kit_device {
    KIT_SCALARS, /* twice, as instances 0 and 7 */
    KIT_ARRAYS,  /* early: sent before RAM */
    KIT_COUNTED, /* with a path */
    KIT_NESTED,
    KIT_LIST,
    KIT_OPTIONAL, /* subsections */
    KIT_DEVICE_COUNT,
};

struct kit_scalars {
    bool flag;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    double real;
    int64_t timer;
    uint32_t revision; /* the same on both sides */
    uint16_t since_2;
    uint64_t since_3;
};

struct kit_arrays {
    bool flags[5];
    uint8_t bytes[33];
    uint16_t u16s[7];
    uint32_t u32s[3][2];
    int64_t i64s[4];
    uint32_t some[8]; /* elements 2 to 4 are sent */
    uint64_t bits[2]; /* 100 bits */
};

struct kit_counted {
    uint8_t n_inside;
    uint32_t inside[16];
    uint16_t n_u16s;
    uint16_t *u16s; /* owned */
    uint32_t n_bytes;
    uint8_t *bytes; /* owned */
    int32_t n_bits;
    uint64_t bits[4];
};

struct kit_inner {
    uint32_t a;
    uint8_t b;
};

struct kit_nested {
    struct kit_inner one;
    struct kit_inner fixed[3];
    uint8_t n_counted;
    struct kit_inner counted[6];
    uint32_t n_allocated;
    struct kit_inner *allocated; /* owned */
    struct kit_inner *pointed;   /* to `target` */
    struct kit_inner *maybe[4];  /* odd ones NULL, others to `targets` */
    struct kit_inner target;
    struct kit_inner targets[4];
};

struct kit_element {
    uint64_t value;
    struct gw_list_link link;
};

struct kit_list {
    uint8_t before;
    struct gw_list elements; /* owned */
    uint8_t after;
};

struct kit_optional {
    uint32_t always;
    uint32_t level; /* 0: no subsection; 1: one; 2: and one in it */
    uint64_t first;
    uint16_t second;
    uint8_t other; /* 0: its subsection is not sent */
    uint32_t loaded_version;
};

struct kit_devices {
    struct kit_scalars scalars[2];
    struct kit_arrays arrays;
    struct kit_counted counted;
    struct kit_nested nested;
    struct kit_list list;
    struct kit_optional optional;
};

/* Sets what has to be there before anything is saved or loaded. */
void kit_devices_init(struct kit_devices *devices);
void kit_devices_deinit(struct kit_devices *devices);

/* Adds those of `kinds` to a machine; ends the program on failure. */
void kit_devices_add(struct kit_devices *devices, unsigned int kinds,
                     struct gw_machine *machine);

void kit_devices_fill(struct kit_devices *devices, struct kit_rng *rng);

/* The name of the first of `kinds` that differs, or NULL. */
const char *kit_devices_compare(const struct kit_devices *a,
                                const struct kit_devices *b,
                                unsigned int kinds);

#endif

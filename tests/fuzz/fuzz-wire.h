/*
 * What every fuzz target of a codec does: whatever decodes must encode, and
 * decode again to what encodes to the same bytes.
 */
#ifndef GW_TESTS_FUZZ_FUZZ_WIRE_H
#define GW_TESTS_FUZZ_FUZZ_WIRE_H

#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "wire/fault.h"

/* Room for anything that a codec here encodes. */
#define FUZZ_WIRE_MAX 1024u

/* A codec with its structure as a plain pointer. */
typedef int (*fuzz_decode_fn)(struct gw_reader *r, void *ret,
                              struct gw_wire_fault *fault);
typedef void (*fuzz_encode_fn)(struct gw_writer *w, const void *value);

/* Decodes; checks the cursor and the fault. Returns what the codec did. */
static inline int fuzz_decode(fuzz_decode_fn decode, const uint8_t *data,
                              size_t size, void *ret)
{
    struct gw_wire_fault fault = {""};
    struct gw_reader r = gw_reader_of(data, size);
    int rc = decode(&r, ret, &fault);

    FUZZ_ASSERT(rc <= GW_SHORT);
    FUZZ_ASSERT(gw_reader_left(&r) <= size);
    FUZZ_ASSERT(rc == 0 || gw_reader_left(&r) == size);
    FUZZ_ASSERT((rc < 0) == (fault.text[0] != '\0'));
    FUZZ_ASSERT(memchr(fault.text, '\0', sizeof(fault.text)));
    return rc;
}

static inline size_t fuzz_encode(fuzz_encode_fn encode, const void *value,
                                 uint8_t *data)
{
    struct gw_writer w = gw_writer_of(data, FUZZ_WIRE_MAX);

    encode(&w, value);
    FUZZ_ASSERT(gw_writer_ok(&w));
    return (size_t)(w.pos - data);
}

/* `value` has room for the structure. */
static inline void fuzz_codec(fuzz_decode_fn decode, fuzz_encode_fn encode,
                              const uint8_t *data, size_t size, void *value)
{
    uint8_t first[FUZZ_WIRE_MAX];
    uint8_t second[FUZZ_WIRE_MAX];
    size_t first_size;

    if (fuzz_decode(decode, data, size, value)) {
        return;
    }
    first_size = fuzz_encode(encode, value, first);
    /* One more byte: some end only where something else begins. */
    first[first_size] = 0;
    FUZZ_ASSERT(fuzz_decode(decode, first, first_size + 1, value) == 0);
    FUZZ_ASSERT(fuzz_encode(encode, value, second) == first_size);
    FUZZ_ASSERT(memcmp(first, second, first_size) == 0);
}

/* A target of the codec gw_NAME_decode, gw_NAME_encode, of TYPE. */
#define FUZZ_WIRE_CODEC(name, type)                                   \
    static int decode_##name(struct gw_reader *r, void *ret,          \
                             struct gw_wire_fault *fault)             \
    {                                                                 \
        return gw_##name##_decode(r, ret, fault);                     \
    }                                                                 \
    static void encode_##name(struct gw_writer *w, const void *value) \
    {                                                                 \
        gw_##name##_encode(w, value);                                 \
    }                                                                 \
    static void fuzz_##name(const uint8_t *data, size_t size)         \
    {                                                                 \
        type value;                                                   \
                                                                      \
        fuzz_codec(decode_##name, encode_##name, data, size, &value); \
    }

#endif

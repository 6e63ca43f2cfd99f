/*
 * What every codec of lib/wire is held to.
 */
#ifndef GW_TESTS_WIRE_CHECK_H
#define GW_TESTS_WIRE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/fault.h"

/* A codec with its structure as a plain pointer. */
typedef int (*wire_decode_fn)(struct gw_reader *r, void *ret,
                              struct gw_wire_fault *fault);
typedef void (*wire_encode_fn)(struct gw_writer *w, const void *value);

struct wire_codec {
    wire_decode_fn decode;
    wire_encode_fn encode;
    size_t size; /* of the structure */
};

#define WIRE_CODEC(name, type)                                             \
    static int wire_decode_##name(struct gw_reader *r, void *ret,          \
                                  struct gw_wire_fault *fault)             \
    {                                                                      \
        return gw_##name##_decode(r, ret, fault);                          \
    }                                                                      \
    static void wire_encode_##name(struct gw_writer *w, const void *value) \
    {                                                                      \
        gw_##name##_encode(w, value);                                      \
    }                                                                      \
    static const struct wire_codec name##_codec = {                        \
        wire_decode_##name, wire_encode_##name, sizeof(type)}

/*
 * Decodes a copy of its own, so that a sanitizer sees reads beyond it. The
 * cursor must move on success only, and the result be left alone otherwise.
 */
static inline int wire_decode(const struct wire_codec *codec, const void *data,
                              size_t size, void *ret, size_t *ret_used)
{
    struct gw_wire_fault fault = {"unset"};
    uint8_t *copy = malloc(size + 1);
    uint8_t *before = malloc(codec->size);
    struct gw_reader r;
    int rc;

    assert_non_null(copy);
    assert_non_null(before);
    if (size) {
        memcpy(copy, data, size);
    }
    memset(before, 0xa5, codec->size);
    memset(ret, 0xa5, codec->size);
    copy = realloc(copy, size ? size : 1);
    assert_non_null(copy);
    r = gw_reader_of(copy, size);
    rc = codec->decode(&r, ret, &fault);
    *ret_used = size - gw_reader_left(&r);
    if (rc) {
        assert_int_equal(*ret_used, 0);
        assert_memory_equal(ret, before, codec->size);
    }
    if (rc < 0) {
        assert_string_not_equal(fault.text, "unset");
    }
    free(before);
    free(copy);
    return rc;
}

/* The bytes decode into *ret, whole, and nothing shorter does. */
static inline void wire_check_decode(const struct wire_codec *codec,
                                     const void *data, size_t size, void *ret)
{
    size_t used;
    size_t cut;

    for (cut = 0; cut < size; cut++) {
        assert_int_equal(wire_decode(codec, data, cut, ret, &used), GW_SHORT);
    }
    assert_int_equal(wire_decode(codec, data, size, ret, &used), 0);
    assert_int_equal(used, size);
}

/* The structure encodes to these bytes, and fits in no less. */
static inline void wire_check_encode(const struct wire_codec *codec,
                                     const void *value, const void *data,
                                     size_t size)
{
    uint8_t out[1024];
    struct gw_writer w;
    size_t room;

    for (room = 0; room < size; room++) {
        w = gw_writer_of(out, room);
        codec->encode(&w, value);
        assert_false(gw_writer_ok(&w));
    }
    w = gw_writer_of(out, size);
    codec->encode(&w, value);
    assert_true(gw_writer_ok(&w));
    assert_int_equal(w.pos - out, size);
    assert_memory_equal(out, data, size);
}

/* Both ways: for bytes that the writer would write the same. */
static inline void wire_check(const struct wire_codec *codec, const void *data,
                              size_t size, void *ret)
{
    wire_check_decode(codec, data, size, ret);
    wire_check_encode(codec, ret, data, size);
}

/* A string literal with embedded NULs as data and size. */
#define BYTES(literal) literal, sizeof(literal) - 1

#endif

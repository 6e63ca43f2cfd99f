/*
 * Single values, arrays of them, bytes and bits in vmstate tables: the exact
 * bytes, loading them back, every truncation (stream spec 2.1).
 */
#include "vmstate-helpers.h"

#define TABLE(name_, S, ...)                                        \
    static const struct gw_field name_##_fields[] = {__VA_ARGS__,   \
                                                     GW_FIELD_END}; \
    static const struct gw_vmstate name_ = {                        \
        .name = #name_,                                             \
        .version = 2,                                               \
        .size = sizeof(S),                                          \
        .fields = name_##_fields,                                   \
    }

/*
 * Saves `from`, expects the bytes, loads them into `to`, expects both equal,
 * and tries every truncation.
 */
static void expect_both_ways(const struct gw_vmstate *vmstate, void *from,
                             void *to, size_t state_size, const void *data,
                             size_t size)
{
    expect_sound(vmstate);
    expect_saved(vmstate, from, data, size);
    expect_loaded(vmstate, to, vmstate->version, data, size);
    assert_memory_equal(to, from, state_size);
    expect_truncations(vmstate, to, NULL, vmstate->version, data, size);
}

/*
 * ---- Values ----
 */

struct values {
    uint64_t u64;
    int64_t i64;
    uint32_t u32;
    int32_t i32;
    uint16_t u16;
    int16_t i16;
    uint8_t u8;
    int8_t i8;
    bool b;
    bool pad[1];
};

TABLE(values, struct values, GW_FIELD_BOOL(struct values, b),
      GW_FIELD_U8(struct values, u8), GW_FIELD_U16(struct values, u16),
      GW_FIELD_U32(struct values, u32), GW_FIELD_U64(struct values, u64),
      GW_FIELD_I8(struct values, i8), GW_FIELD_I16(struct values, i16),
      GW_FIELD_I32(struct values, i32), GW_FIELD_I64(struct values, i64));

static void test_values__are_big_endian(void **state)
{
    struct values from, to;

    (void)state;
    memset(&from, 0, sizeof(from));
    memset(&to, 0, sizeof(to));
    from.b = true;
    from.u8 = 0x12;
    from.u16 = 0x1234;
    from.u32 = 0x12345678;
    from.u64 = 0x123456789abcdef0;
    from.i8 = -2;
    from.i16 = -2;
    from.i32 = -2;
    from.i64 = -2;
    expect_both_ways(&values, &from, &to, sizeof(to),
                     BYTES("\x01\x12\x12\x34\x12\x34\x56\x78"
                           "\x12\x34\x56\x78\x9a\xbc\xde\xf0"
                           "\xfe\xff\xfe\xff\xff\xff\xfe"
                           "\xff\xff\xff\xff\xff\xff\xff\xfe"));
}

TABLE(only_bool, struct values, GW_FIELD_BOOL(struct values, b));

static void test_values__any_other_byte_is_true(void **state)
{
    struct values to = {.b = false};

    (void)state;
    expect_loaded(&only_bool, &to, 2, BYTES("\x80"));
    assert_true(to.b);
    expect_saved(&only_bool, &to, BYTES("\x01"));
    expect_loaded(&only_bool, &to, 2, BYTES("\0"));
    assert_false(to.b);
}

/*
 * ---- Presence ----
 */

static bool is_u8_set(const void *state, uint32_t version)
{
    (void)version;
    return ((const struct values *)state)->u8 != 0;
}

static bool is_version_1(const void *state, uint32_t version)
{
    (void)state;
    return version == 1;
}

TABLE(presence, struct values, GW_FIELD_U8(struct values, u8),
      GW_FIELD_I8_V(struct values, i8, 2),
      GW_FIELD_U16_TEST(struct values, u16, is_u8_set),
      GW_FIELD_VALUE_IF(struct values, b, BOOL, 99, is_version_1));

static void test_presence__since_counts_the_streams_version(void **state)
{
    struct values to = {.i8 = 9};

    (void)state;
    expect_sound(&presence);
    expect_loaded(&presence, &to, 2, BYTES("\0\1"));
    assert_int_equal(to.i8, 1);
    to.i8 = 9;
    /* The test decides even though `since` is 99. */
    expect_loaded(&presence, &to, 1, BYTES("\0\1"));
    assert_int_equal(to.i8, 9);
    assert_true(to.b);
}

static void test_presence__test_decides_both_ways(void **state)
{
    struct values from = {.u8 = 1, .i8 = 2, .u16 = 3};
    struct values to = {.u16 = 7};

    (void)state;
    expect_saved(&presence, &from, BYTES("\1\2\0\3"));
    expect_loaded(&presence, &to, 2, BYTES("\1\2\0\3"));
    assert_int_equal(to.u16, 3);
    from.u8 = 0;
    expect_saved(&presence, &from, BYTES("\0\2"));
    expect_loaded(&presence, &to, 2, BYTES("\0\2"));
    assert_int_equal(to.u16, 3);
}

/*
 * ---- Checked values ----
 */

TABLE(u8_equal, struct values, GW_FIELD_U8_EQUAL(struct values, u8));
TABLE(u16_equal, struct values, GW_FIELD_U16_EQUAL(struct values, u16));
TABLE(u32_equal, struct values, GW_FIELD_U32_EQUAL(struct values, u32));
TABLE(u64_equal, struct values, GW_FIELD_U64_EQUAL(struct values, u64));
TABLE(i32_equal, struct values, GW_FIELD_I32_EQUAL(struct values, i32));
TABLE(i32_le, struct values, GW_FIELD_I32_LE(struct values, i32));

static void test_equal__other_value_is_refused(void **state)
{
    struct values v = {.u8 = 5, .u16 = 5, .u32 = 5, .u64 = 5, .i32 = -5};
    static const struct gw_vmstate *const tables[] = {
        &u8_equal, &u16_equal, &u32_equal, &u64_equal, &i32_equal,
    };
    static const size_t sizes[] = {1, 2, 4, 8, 4};
    uint8_t data[8];
    size_t i;

    (void)state;
    for (i = 0; i < 5; i++) {
        memset(data, i == 4 ? 0xff : 0, sizeof(data));
        data[sizes[i] - 1] = i == 4 ? 0xfb : 5;
        expect_saved(tables[i], &v, data, sizes[i]);
        expect_loaded(tables[i], &v, 2, data, sizes[i]);
        data[sizes[i] - 1]++;
        expect_refused(tables[i], &v, 2, data, sizes[i], -EPROTO,
                       "at offset 0: expected 0x");
        expect_truncations(tables[i], &v, NULL, 2, data, sizes[i]);
    }
    expect_refused(&u16_equal, &v, 2, BYTES("\x07\x05"), -EPROTO,
                   "u16_equal/u16: at offset 0: expected 0x5, found 0x705");
}

static void test_le__replaces_up_to_the_limit(void **state)
{
    struct values v = {.i32 = 5};

    (void)state;
    expect_loaded(&i32_le, &v, 2, BYTES("\0\0\0\5"));
    expect_refused(&i32_le, &v, 2, BYTES("\0\0\0\6"), -EPROTO,
                   "expected 0 to 5, found 6");
    expect_refused(&i32_le, &v, 2, BYTES("\xff\xff\xff\xff"), -EPROTO,
                   "expected 0 to 5, found -1");
    expect_loaded(&i32_le, &v, 2, BYTES("\0\0\0\4"));
    assert_int_equal(v.i32, 4);
    expect_refused(&i32_le, &v, 2, BYTES("\0\0\0\5"), -EPROTO, "found 5");
    expect_loaded(&i32_le, &v, 2, BYTES("\0\0\0\0"));
}

static bool u8_below_10(const void *state, uint32_t version)
{
    (void)version;
    return ((const struct values *)state)->u8 < 10;
}

TABLE(validated, struct values, GW_FIELD_U8(struct values, u8),
      GW_FIELD_VALIDATE("u8 below 10", u8_below_10),
      GW_FIELD_I8(struct values, i8));

static void test_validate__takes_no_bytes_and_holds(void **state)
{
    struct values v = {.u8 = 9, .i8 = 1};

    (void)state;
    expect_sound(&validated);
    expect_saved(&validated, &v, BYTES("\x09\x01"));
    expect_loaded(&validated, &v, 2, BYTES("\x09\x02"));
    expect_refused(&validated, &v, 2, BYTES("\x0a\x03"), -EPROTO,
                   "not valid: u8 below 10");
    /* Refused before what follows was read; and not written either. */
    assert_int_equal(v.i8, 2);
    expect_not_saved(&validated, &v, -EINVAL, "not valid: u8 below 10");
}

/*
 * ---- Doubles and timers ----
 */

struct others {
    double d;
    int64_t signed_timer;
    uint64_t timer;
};

TABLE(others, struct others, GW_FIELD_DOUBLE(struct others, d),
      GW_FIELD_TIMER(struct others, signed_timer),
      GW_FIELD_TIMER(struct others, timer));

static void test_values__double_and_timers(void **state)
{
    struct others from = {-2.5, GW_TIMER_NOT_ARMED, 0x1234};
    struct others to = {0, 0, 0};

    (void)state;
    /* -2.5 = -1.25 * 2^1: sign, exponent 1024, fraction 0.25. */
    expect_both_ways(&others, &from, &to, sizeof(to),
                     BYTES("\xc0\x04\0\0\0\0\0\0"
                           "\xff\xff\xff\xff\xff\xff\xff\xff"
                           "\0\0\0\0\0\0\x12\x34"));
    assert_true(to.signed_timer == GW_TIMER_NOT_ARMED);
}

/*
 * ---- Fixed arrays, bytes ----
 */

struct arrays {
    uint16_t flat[3];
    int8_t rows[2][3];
    uint32_t part[4];
    uint8_t raw[5];
    uint8_t pad[3]; /* so that all bytes compare */
};

TABLE(arrays, struct arrays, GW_FIELD_U16_ARRAY(struct arrays, flat),
      GW_FIELD_I8_ARRAY(struct arrays, rows), GW_FIELD_UNUSED(3),
      GW_FIELD_U32_SUB_ARRAY(struct arrays, part, 1, 2),
      GW_FIELD_BUFFER(struct arrays, raw));

static void test_arrays__are_flat(void **state)
{
    struct arrays from = {
        {1, 2, 3}, {{1, 2, 3}, {4, 5, -1}}, {9, 1, 2, 9}, "raw!"};
    struct arrays to = {.part = {9, 0, 0, 9}};

    (void)state;
    expect_both_ways(&arrays, &from, &to, sizeof(to),
                     BYTES("\0\1\0\2\0\3\1\2\3\4\5\xff\0\0\0"
                           "\0\0\0\1\0\0\0\2raw!\0"));
    /* What is unused may be anything. */
    expect_loaded(&arrays, &to, 2,
                  BYTES("\0\1\0\2\0\3\1\2\3\4\5\xff\7\7\7"
                        "\0\0\0\1\0\0\0\2raw!\0"));
    assert_memory_equal(&to, &from, sizeof(to));
}

static void test_arrays__error_names_the_element(void **state)
{
    struct arrays to = {0};

    (void)state;
    expect_refused(&arrays, &to, 2, BYTES("\0\1\0\2\0"), -ENODATA,
                   "arrays/flat[2]: the data ends");
}

/*
 * ---- Counted arrays ----
 */

struct counted {
    uint32_t u32;
    int32_t i32;
    uint16_t u16;
    uint8_t u8;
    uint8_t items[4];
    uint16_t *room;
    uint8_t *bytes;
};

TABLE(by_u8, struct counted, GW_FIELD_U8(struct counted, u8),
      GW_FIELD_VARRAY(struct counted, items, U8, u8));
TABLE(by_u16, struct counted, GW_FIELD_U16(struct counted, u16),
      GW_FIELD_VARRAY(struct counted, items, U8, u16));
TABLE(by_u32, struct counted, GW_FIELD_U32(struct counted, u32),
      GW_FIELD_VARRAY(struct counted, items, U8, u32));
TABLE(by_i32, struct counted, GW_FIELD_I32(struct counted, i32),
      GW_FIELD_VARRAY(struct counted, items, U8, i32));

static void test_varray__count_of_each_type(void **state)
{
    static const struct {
        const struct gw_vmstate *table;
        size_t width;
    } cases[] = {{&by_u8, 1}, {&by_u16, 2}, {&by_u32, 4}, {&by_i32, 4}};
    struct counted from = {4, 4, 4, 4, {1, 2, 3, 4}, NULL, NULL};
    size_t i, n;

    (void)state;
    for (i = 0; i < 4; i++) {
        uint8_t data[8] = {0};

        data[cases[i].width - 1] = 4;
        memcpy(data + cases[i].width, "\1\2\3\4", 4);
        expect_sound(cases[i].table);
        expect_saved(cases[i].table, &from, data, cases[i].width + 4);
        for (n = 3; n <= 4; n++) {
            struct counted to = {0};

            data[cases[i].width - 1] = (uint8_t)n;
            expect_loaded(cases[i].table, &to, 2, data, cases[i].width + n);
            assert_memory_equal(to.items, "\1\2\3\4", n);
            expect_truncations(cases[i].table, &to, NULL, 2, data,
                               cases[i].width + n);
        }
        data[cases[i].width - 1] = 5;
        expect_refused(cases[i].table, &(struct counted){0}, 2, data,
                       sizeof(data), -EOVERFLOW,
                       "items: count 5 times 1 is not in 0 to 4");
    }
}

static void test_varray__count_is_bounded_when_saving(void **state)
{
    struct counted from = {.u32 = 5, .i32 = -1};

    (void)state;
    expect_not_saved(&by_u32, &from, -EOVERFLOW, "by_u32/items: count 5");
    expect_not_saved(&by_i32, &from, -EOVERFLOW, "by_i32/items: count -1");
}

static void test_varray__negative_and_huge_counts(void **state)
{
    struct counted to = {0};

    (void)state;
    expect_refused(&by_i32, &to, 2, BYTES("\xff\xff\xff\xff\1\2\3\4"),
                   -EOVERFLOW, "count -1");
    expect_refused(&by_u32, &to, 2, BYTES("\xff\xff\xff\xff\1\2\3\4"),
                   -EOVERFLOW, "count 4294967295");
}

TABLE(by_pointer, struct counted, GW_FIELD_U8(struct counted, u8),
      GW_FIELD_VARRAY_PTR_IF(struct counted, room, U16, u8, 2, 6, 0, NULL));

static void test_varray__pointer_with_multiplier(void **state)
{
    uint16_t from_room[6] = {1, 2, 3, 4, 5, 6}, to_room[7] = {0};
    struct counted from = {.u8 = 3, .room = from_room};
    struct counted to = {.room = to_room};
    static const char data[] = "\3\0\1\0\2\0\3\0\4\0\5\0\6";

    (void)state;
    expect_sound(&by_pointer);
    expect_saved(&by_pointer, &from, BYTES(data));
    expect_loaded(&by_pointer, &to, 2, BYTES(data));
    assert_memory_equal(to_room, from_room, sizeof(from_room));
    expect_truncations(&by_pointer, &to, NULL, 2, BYTES(data));
    expect_refused(&by_pointer, &to, 2,
                   BYTES("\4\0\1\0\2\0\3\0\4\0\5\0\6\0\7"
                         "\0\7"),
                   -EOVERFLOW, "count 4 times 2 is not in 0 to 6");
    assert_int_equal(to_room[6], 0);
}

static void test_varray__null_pointer_is_refused(void **state)
{
    struct counted v = {.u8 = 1};

    (void)state;
    expect_not_saved(&by_pointer, &v, -EINVAL, "room: the pointer is NULL");
    expect_refused(&by_pointer, &v, 2, BYTES("\1\0\1\0\2"), -EINVAL,
                   "room: the pointer is NULL");
    /* Nothing to point to is fine. */
    expect_loaded(&by_pointer, &v, 2, BYTES("\0"));
    expect_saved(&by_pointer, &v, BYTES("\0"));
}

TABLE(allocating, struct counted, GW_FIELD_U16(struct counted, u16),
      GW_FIELD_VARRAY_ALLOC(struct counted, room, U16, u16, 300));

static void test_varray__allocates_what_is_counted(void **state)
{
    struct counted to = {0};

    (void)state;
    expect_sound(&allocating);
    expect_loaded(&allocating, &to, 2, BYTES("\0\2\0\1\0\2"));
    assert_int_equal(to.room[1], 2);
    /* A second load replaces the first. */
    expect_loaded(&allocating, &to, 2, BYTES("\0\1\0\7"));
    assert_int_equal(to.room[0], 7);
    expect_truncations(&allocating, &to, NULL, 2, BYTES("\0\2\0\1\0\2"));
    expect_refused(&allocating, &to, 2, BYTES("\x01\x2d\0\1"), -EOVERFLOW,
                   "count 301 times 1 is not in 0 to 300");
    expect_loaded(&allocating, &to, 2, BYTES("\0\0"));
    assert_null(to.room);
}

TABLE(embedded_bytes, struct counted, GW_FIELD_U32(struct counted, u32),
      GW_FIELD_VBUFFER(struct counted, items, u32));
TABLE(pointed_bytes, struct counted, GW_FIELD_U8(struct counted, u8),
      GW_FIELD_VBUFFER_PTR_IF(struct counted, bytes, u8, 2, 4, 0, NULL));
TABLE(allocated_bytes, struct counted, GW_FIELD_I32(struct counted, i32),
      GW_FIELD_VBUFFER_ALLOC(struct counted, bytes, i32, 4));

static void test_vbuffer__embedded(void **state)
{
    struct counted from = {.u32 = 3, .items = {'a', 'b', 'c', 'd'}};
    struct counted to = {0};

    (void)state;
    expect_sound(&embedded_bytes);
    expect_saved(&embedded_bytes, &from, BYTES("\0\0\0\3abc"));
    expect_loaded(&embedded_bytes, &to, 2, BYTES("\0\0\0\4abcd"));
    assert_memory_equal(to.items, "abcd", 4);
    expect_truncations(&embedded_bytes, &to, NULL, 2, BYTES("\0\0\0\4abcd"));
    expect_refused(&embedded_bytes, &to, 2, BYTES("\0\0\0\5abcde"), -EOVERFLOW,
                   "count 5");
}

static void test_vbuffer__pointer_and_multiplier(void **state)
{
    uint8_t room[4] = "abcd";
    struct counted v = {.u8 = 2, .bytes = room};

    (void)state;
    expect_sound(&pointed_bytes);
    expect_saved(&pointed_bytes, &v, BYTES("\2abcd"));
    expect_loaded(&pointed_bytes, &v, 2, BYTES("\1xy"));
    assert_memory_equal(room, "xycd", 4);
    expect_truncations(&pointed_bytes, &v, NULL, 2, BYTES("\2abcd"));
    expect_refused(&pointed_bytes, &v, 2, BYTES("\3abcdef"), -EOVERFLOW,
                   "count 3 times 2");
    /* No bytes need no pointer. */
    v.bytes = NULL;
    expect_loaded(&pointed_bytes, &v, 2, BYTES("\0"));
    expect_saved(&pointed_bytes, &v, BYTES("\0"));
}

static void test_vbuffer__allocates(void **state)
{
    struct counted to = {0};

    (void)state;
    expect_sound(&allocated_bytes);
    expect_loaded(&allocated_bytes, &to, 2, BYTES("\0\0\0\4abcd"));
    assert_memory_equal(to.bytes, "abcd", 4);
    expect_saved(&allocated_bytes, &to, BYTES("\0\0\0\4abcd"));
    expect_truncations(&allocated_bytes, &to, NULL, 2, BYTES("\0\0\0\4abcd"));
    expect_refused(&allocated_bytes, &to, 2, BYTES("\0\0\0\5abcde"), -EOVERFLOW,
                   "count 5");
    expect_refused(&allocated_bytes, &to, 2, BYTES("\x80\0\0\0abcd"),
                   -EOVERFLOW, "count -2147483648");
    expect_loaded(&allocated_bytes, &to, 2, BYTES("\0\0\0\0"));
    assert_null(to.bytes);
}

/*
 * ---- Bitmaps ----
 */

struct bits {
    uint64_t fixed[2];
    uint64_t counted[2];
    uint64_t *pointed;
    uint32_t n;
};

TABLE(fixed_bits, struct bits, GW_FIELD_BITMAP(struct bits, fixed, 65));
TABLE(counted_bits, struct bits, GW_FIELD_U32(struct bits, n),
      GW_FIELD_VBITMAP(struct bits, counted, n));
TABLE(pointed_bits, struct bits, GW_FIELD_U32(struct bits, n),
      GW_FIELD_VBITMAP_PTR(struct bits, pointed, n, 65));

static void test_bitmap__words_of_64_bits(void **state)
{
    struct bits from = {.fixed = {0x8000000000000001, 1}};
    struct bits to = {.fixed = {7, 7}};
    static const char data[] = "\x80\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1";

    (void)state;
    expect_both_ways(&fixed_bits, &from, &to, sizeof(to), BYTES(data));
    /* Bits past the end are not part of it. */
    from.fixed[1] = 3;
    expect_saved(&fixed_bits, &from, BYTES(data));
    expect_loaded(&fixed_bits, &to, 2,
                  BYTES("\x80\0\0\0\0\0\0\1\x80\0\0\0\0\0\0\3"));
    assert_true(to.fixed[1] == 1);
}

static void test_bitmap__counted_limits(void **state)
{
    struct bits to = {0};

    (void)state;
    expect_sound(&counted_bits);
    expect_loaded(&counted_bits, &to, 2, BYTES("\0\0\0\0"));
    expect_loaded(&counted_bits, &to, 2, BYTES("\0\0\0\x40\0\0\0\0\0\0\0\x09"));
    assert_true(to.counted[0] == 9);
    expect_saved(&counted_bits, &to, BYTES("\0\0\0\x40\0\0\0\0\0\0\0\x09"));
    expect_loaded(&counted_bits, &to, 2,
                  BYTES("\0\0\0\x80\0\0\0\0\0\0\0\1\xff\0\0\0\0\0\0\0"));
    assert_true(to.counted[1] == 0xff00000000000000);
    expect_truncations(&counted_bits, &to, NULL, 2,
                       BYTES("\0\0\0\x80\0\0\0\0\0\0\0\1\xff\0\0\0\0\0\0\0"));
    expect_refused(&counted_bits, &to, 2, BYTES("\0\0\0\x81"), -EOVERFLOW,
                   "counted: count 129 times 1 is not in 0 to 128");
}

static void test_bitmap__pointed_limits(void **state)
{
    uint64_t words[3] = {0, 0, 7};
    struct bits to = {.pointed = words};

    (void)state;
    expect_sound(&pointed_bits);
    expect_loaded(&pointed_bits, &to, 2,
                  BYTES("\0\0\0\x41\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"));
    assert_true(words[0] == 1 && words[1] == 1 && words[2] == 7);
    expect_refused(&pointed_bits, &to, 2, BYTES("\0\0\0\x42"), -EOVERFLOW,
                   "count 66");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values__are_big_endian),
        cmocka_unit_test(test_values__any_other_byte_is_true),
        cmocka_unit_test(test_presence__since_counts_the_streams_version),
        cmocka_unit_test(test_presence__test_decides_both_ways),
        cmocka_unit_test(test_equal__other_value_is_refused),
        cmocka_unit_test(test_le__replaces_up_to_the_limit),
        cmocka_unit_test(test_validate__takes_no_bytes_and_holds),
        cmocka_unit_test(test_values__double_and_timers),
        cmocka_unit_test(test_arrays__are_flat),
        cmocka_unit_test(test_arrays__error_names_the_element),
        cmocka_unit_test(test_varray__count_of_each_type),
        cmocka_unit_test(test_varray__count_is_bounded_when_saving),
        cmocka_unit_test(test_varray__negative_and_huge_counts),
        cmocka_unit_test(test_varray__pointer_with_multiplier),
        cmocka_unit_test(test_varray__null_pointer_is_refused),
        cmocka_unit_test(test_varray__allocates_what_is_counted),
        cmocka_unit_test(test_vbuffer__embedded),
        cmocka_unit_test(test_vbuffer__pointer_and_multiplier),
        cmocka_unit_test(test_vbuffer__allocates),
        cmocka_unit_test(test_bitmap__words_of_64_bits),
        cmocka_unit_test(test_bitmap__counted_limits),
        cmocka_unit_test(test_bitmap__pointed_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

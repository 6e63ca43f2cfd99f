/*
 * Every macro of <godwit/vmstate.h> once, for C11 and C++17; with -DBAD=FIELD
 * one more field, which the compiler must refuse.
 */
#include <godwit/vmstate.h>

struct inner {
    uint16_t a;
    struct gw_list_link link;
};

typedef struct {
    bool b;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    double d;
    uint32_t row[4];
    uint64_t rows[2][3];
    uint8_t bytes[16];
    uint8_t *byte_pointer;
    uint32_t *word_pointer;
    uint64_t bits[2];
    uint64_t *bit_pointer;
    struct inner in;
    struct inner ins[3];
    struct inner *in_pointer;
    struct inner *in_pointers[4];
    uint16_t *pointers[2];
    struct gw_list list;
} S;

static bool exists(const void *state, uint32_t version)
{
    return state && version > 1;
}

static const struct gw_field inner_fields[] = {
    GW_FIELD_U16(struct inner, a),
    GW_FIELD_END,
};

static const struct gw_vmstate inner = {
    "inner", 1,    0,    sizeof(struct inner), inner_fields, NULL, NULL, NULL,
    NULL,    NULL, NULL, GW_PRIORITY_DEFAULT,  false,
};

extern const struct gw_field fields[];
const struct gw_field fields[] = {
    GW_FIELD_BOOL(S, b),
    GW_FIELD_U8(S, u8),
    GW_FIELD_U16_V(S, u16, 2),
    GW_FIELD_U32_TEST(S, u32, exists),
    GW_FIELD_U64(S, u64),
    GW_FIELD_I8(S, i8),
    GW_FIELD_I16(S, i16),
    GW_FIELD_I32(S, i32),
    GW_FIELD_I64(S, i64),
    GW_FIELD_U16(S, in.a),
    GW_FIELD_U32_ARRAY(S, row),
    GW_FIELD_U64_ARRAY(S, rows),
    GW_FIELD_U32_SUB_ARRAY(S, row, 1, 3),
    GW_FIELD_VARRAY(S, row, U32, u8),
    GW_FIELD_VARRAY_PTR(S, word_pointer, U32, u16, 77),
    GW_FIELD_VARRAY_ALLOC(S, word_pointer, U32, i32, 77),
    GW_FIELD_PTR_ARRAY(S, pointers, U16),
    GW_FIELD_U8_EQUAL(S, u8),
    GW_FIELD_U16_EQUAL(S, u16),
    GW_FIELD_U32_EQUAL(S, u32),
    GW_FIELD_U64_EQUAL(S, u64),
    GW_FIELD_I32_EQUAL(S, i32),
    GW_FIELD_I32_LE(S, i32),
    GW_FIELD_VALIDATE("valid", exists),
    GW_FIELD_DOUBLE(S, d),
    GW_FIELD_TIMER(S, i64),
    GW_FIELD_TIMER(S, u64),
    GW_FIELD_BUFFER(S, bytes),
    GW_FIELD_VBUFFER(S, bytes, u32),
    GW_FIELD_VBUFFER_PTR(S, byte_pointer, i32, 99),
    GW_FIELD_VBUFFER_ALLOC(S, byte_pointer, u8, 99),
    GW_FIELD_UNUSED(7),
    GW_FIELD_BITMAP(S, bits, 128),
    GW_FIELD_VBITMAP(S, bits, u32),
    GW_FIELD_VBITMAP_PTR(S, bit_pointer, u32, 1000),
    GW_FIELD_STRUCT(S, in, inner, struct inner),
    GW_FIELD_VSTRUCT(S, in, inner, struct inner, 1),
    GW_FIELD_SELF(S, "self", inner),
    GW_FIELD_STRUCT_ARRAY(S, ins, inner, struct inner),
    GW_FIELD_STRUCT_SUB_ARRAY(S, ins, inner, struct inner, 1, 2),
    GW_FIELD_STRUCT_VARRAY(S, ins, inner, struct inner, u32),
    GW_FIELD_STRUCT_VARRAY_PTR(S, in_pointer, inner, struct inner, u32, 9),
    GW_FIELD_STRUCT_VARRAY_ALLOC(S, in_pointer, inner, struct inner, u32, 9),
    GW_FIELD_STRUCT_PTR(S, in_pointer, inner, struct inner),
    GW_FIELD_STRUCT_PTR_NULLABLE(S, in_pointer, inner, struct inner),
    GW_FIELD_STRUCT_PTR_ARRAY(S, in_pointers, inner, struct inner),
    GW_FIELD_LIST(S, list, inner, struct inner, link, 10, 1),
#ifdef BAD
    BAD,
#endif
    GW_FIELD_END,
};

#ifdef __cplusplus
/* Counts are told apart by the other branch of the header. */
static_assert(GW_COUNT_KIND_(S, u8) == GW_COUNT_U8, "");
static_assert(GW_COUNT_KIND_(S, u16) == GW_COUNT_U16, "");
static_assert(GW_COUNT_KIND_(S, u32) == GW_COUNT_U32, "");
static_assert(GW_COUNT_KIND_(S, i32) == GW_COUNT_I32, "");
#endif

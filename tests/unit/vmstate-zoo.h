/*
 * A vmstate table with every kind of field, for tests that want a bit of
 * everything: the random round trip and the fuzz target.
 */
#ifndef GW_TESTS_UNIT_VMSTATE_ZOO_H
#define GW_TESTS_UNIT_VMSTATE_ZOO_H

#include <stdlib.h>
#include <string.h>

#include <godwit/vmstate.h>

enum {
    ZOO_ITEMS = 8,
    ZOO_LIST_MAX = 20,
    ZOO_BYTES_MAX = 300,
};

/* Lives in arrays, behind pointers and in the list. */
struct zoo_animal {
    uint8_t kind;
    uint16_t legs;
    bool has_name;
    uint8_t name_len;
    uint8_t name[5];
    uint32_t age;
    struct gw_list_link link;
};

struct zoo {
    bool is_open;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    double d;
    int64_t timer;
    uint32_t fixed;  /* the same on both sides */
    int32_t at_most; /* 100 on the reader's side */
    uint16_t grid[2][3];
    uint8_t raw[7];
    uint8_t n_items;
    uint32_t items[ZOO_ITEMS];
    int32_t n_bytes;
    uint8_t *bytes; /* allocated */
    uint16_t n_numbers;
    uint16_t *numbers; /* allocated */
    uint32_t n_bits;
    uint64_t bits[3];
    struct zoo_animal first;
    struct zoo_animal pair[2];
    uint32_t n_herd;
    struct zoo_animal *herd;     /* allocated */
    struct zoo_animal *maybe[3]; /* NULL, spare, NULL */
    struct zoo_animal spare;
    struct gw_list list;
};

static bool zoo_animal_has_name(const void *state)
{
    return ((const struct zoo_animal *)state)->has_name;
}

static const struct gw_field zoo_name_fields[] = {
    GW_FIELD_U8(struct zoo_animal, name_len),
    GW_FIELD_VBUFFER(struct zoo_animal, name, name_len),
    GW_FIELD_END,
};
static const struct gw_vmstate zoo_name = {
    .name = "animal/name",
    .version = 1,
    .fields = zoo_name_fields,
    .needed = zoo_animal_has_name,
};
static const struct gw_vmstate *const zoo_animal_subsections[] = {
    &zoo_name,
    NULL,
};
static const struct gw_field zoo_animal_fields[] = {
    GW_FIELD_U8(struct zoo_animal, kind),
    GW_FIELD_U16(struct zoo_animal, legs),
    GW_FIELD_BOOL(struct zoo_animal, has_name),
    GW_FIELD_U32_V(struct zoo_animal, age, 2),
    GW_FIELD_END,
};
static const struct gw_vmstate zoo_animal = {
    .name = "animal",
    .version = 2,
    .min_version = 1,
    .size = sizeof(struct zoo_animal),
    .fields = zoo_animal_fields,
    .subsections = zoo_animal_subsections,
};

static bool zoo_is_open(const void *state)
{
    return ((const struct zoo *)state)->is_open;
}

static bool zoo_is_open_field(const void *state, uint32_t version)
{
    (void)version;
    return ((const struct zoo *)state)->is_open;
}

static bool zoo_raw_is_valid(const void *state, uint32_t version)
{
    (void)version;
    return ((const struct zoo *)state)->raw[0] != 0xff;
}

static const struct gw_field zoo_counted_fields[] = {
    GW_FIELD_U8(struct zoo, n_items),
    GW_FIELD_VARRAY(struct zoo, items, U32, n_items),
    GW_FIELD_I32(struct zoo, n_bytes),
    GW_FIELD_VBUFFER_ALLOC(struct zoo, bytes, n_bytes, ZOO_BYTES_MAX),
    GW_FIELD_U16(struct zoo, n_numbers),
    GW_FIELD_VARRAY_ALLOC_IF(struct zoo, numbers, U16, n_numbers, 2, 30, 0,
                             NULL),
    GW_FIELD_U32(struct zoo, n_bits),
    GW_FIELD_VBITMAP(struct zoo, bits, n_bits),
    GW_FIELD_END,
};
static const struct gw_vmstate zoo_counted = {
    .name = "zoo/counted",
    .version = 3,
    .min_version = 3,
    .size = sizeof(struct zoo),
    .fields = zoo_counted_fields,
};
static const struct gw_field zoo_herd_fields[] = {
    GW_FIELD_U32(struct zoo, n_herd),
    GW_FIELD_STRUCT_VARRAY_ALLOC(struct zoo, herd, zoo_animal,
                                 struct zoo_animal, n_herd, 9),
    GW_FIELD_LIST(struct zoo, list, zoo_animal, struct zoo_animal, link,
                  ZOO_LIST_MAX, 0),
    GW_FIELD_END,
};
static const struct gw_vmstate zoo_herd = {
    .name = "zoo/herd",
    .fields = zoo_herd_fields,
    .needed = zoo_is_open,
};
static const struct gw_vmstate *const zoo_subsections[] = {
    &zoo_counted,
    &zoo_herd,
    NULL,
};
static const struct gw_field zoo_fields[] = {
    GW_FIELD_BOOL(struct zoo, is_open),
    GW_FIELD_U8(struct zoo, u8),
    GW_FIELD_U16(struct zoo, u16),
    GW_FIELD_U32_V(struct zoo, u32, 2),
    GW_FIELD_U64_TEST(struct zoo, u64, zoo_is_open_field),
    GW_FIELD_I8(struct zoo, i8),
    GW_FIELD_I16(struct zoo, i16),
    GW_FIELD_I32(struct zoo, i32),
    GW_FIELD_I64(struct zoo, i64),
    GW_FIELD_DOUBLE(struct zoo, d),
    GW_FIELD_TIMER(struct zoo, timer),
    GW_FIELD_U32_EQUAL(struct zoo, fixed),
    GW_FIELD_I32_LE(struct zoo, at_most),
    GW_FIELD_U16_ARRAY(struct zoo, grid),
    GW_FIELD_BUFFER(struct zoo, raw),
    GW_FIELD_VALIDATE("raw does not begin with 0xff", zoo_raw_is_valid),
    GW_FIELD_UNUSED_V(3, 2),
    GW_FIELD_STRUCT(struct zoo, first, zoo_animal, struct zoo_animal),
    GW_FIELD_VSTRUCT(struct zoo, first, zoo_animal, struct zoo_animal, 1),
    GW_FIELD_STRUCT_ARRAY(struct zoo, pair, zoo_animal, struct zoo_animal),
    GW_FIELD_STRUCT_PTR_ARRAY(struct zoo, maybe, zoo_animal, struct zoo_animal),
    GW_FIELD_END,
};
static const struct gw_vmstate zoo_vmstate = {
    .name = "zoo",
    .version = 3,
    .min_version = 1,
    .size = sizeof(struct zoo),
    .fields = zoo_fields,
    .subsections = zoo_subsections,
};

/* A zoo that can be loaded into. */
static inline void zoo_init(struct zoo *zoo)
{
    memset(zoo, 0, sizeof(*zoo));
    zoo->fixed = 0x5a5a5a5a;
    zoo->at_most = 100;
    zoo->maybe[1] = &zoo->spare;
}

static inline void zoo_deinit(struct zoo *zoo)
{
    while (zoo->list.first) {
        struct gw_list_link *link = zoo->list.first;

        gw_list_remove(&zoo->list, link);
        free(GW_LIST_ENTRY(link, struct zoo_animal, link));
    }
    free(zoo->bytes);
    free(zoo->numbers);
    free(zoo->herd);
}

#endif

/*
 * Fields of vmstate tables.
 */
#include "vmstate/field.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/util.h"

/* Names and widths of the encodings; names as QEMU's descriptions have them. */
static const struct encoding {
    const char *type;   /* in descriptions */
    uint8_t value_size; /* of single values, bytes; else 0 */
} encodings[GW_KIND_COUNT] = {
    [GW_KIND_BOOL] = {"bool", 1},
    [GW_KIND_U8] = {"uint8", 1},
    [GW_KIND_U16] = {"uint16", 2},
    [GW_KIND_U32] = {"uint32", 4},
    [GW_KIND_U64] = {"uint64", 8},
    [GW_KIND_I8] = {"int8", 1},
    [GW_KIND_I16] = {"int16", 2},
    [GW_KIND_I32] = {"int32", 4},
    [GW_KIND_I64] = {"int64", 8},
    [GW_KIND_U8_EQUAL] = {"uint8 equal", 1},
    [GW_KIND_U16_EQUAL] = {"uint16 equal", 2},
    [GW_KIND_U32_EQUAL] = {"uint32 equal", 4},
    /* Not a slip: this is what QEMU calls the unsigned one. */
    [GW_KIND_U64_EQUAL] = {"int64 equal", 8},
    [GW_KIND_I32_EQUAL] = {"int32 equal", 4},
    [GW_KIND_I32_LE] = {"int32 le", 4},
    [GW_KIND_DOUBLE] = {"CPU_Double_U", 8},
    [GW_KIND_TIMER] = {"timer", 8},
    [GW_KIND_BUFFER] = {"buffer", 0},
    [GW_KIND_UNUSED] = {"unused_buffer", 0},
    [GW_KIND_BITMAP] = {"bitmap", 0},
    [GW_KIND_STRUCT] = {"struct", 0},
    [GW_KIND_VSTRUCT] = {"vstruct", 0},
    [GW_KIND_LIST] = {"qtailq", 0},
};

const char *gw_field_type(const struct gw_field *field)
{
    return encodings[field->kind].type;
}

size_t gw_field_value_size(enum gw_field_kind kind)
{
    return encodings[kind].value_size;
}

bool gw_field_is_present(const struct gw_field *field, const void *state,
                         uint32_t version)
{
    if (field->exists) {
        return field->exists(state, version);
    }
    return field->since <= version;
}

bool gw_field_is_bulk(const struct gw_field *field)
{
    return field->kind == GW_KIND_BUFFER || field->kind == GW_KIND_UNUSED ||
           field->kind == GW_KIND_BITMAP;
}

bool gw_field_has_inner(const struct gw_field *field)
{
    return field->kind == GW_KIND_STRUCT || field->kind == GW_KIND_VSTRUCT ||
           field->kind == GW_KIND_LIST;
}

static int64_t count_member(const struct gw_field *field, const void *state)
{
    const uint8_t *at = (const uint8_t *)state + field->count_offset;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    int32_t i32;

    switch (field->count_kind) {
    case GW_COUNT_U8:
        memcpy(&u8, at, sizeof(u8));
        return u8;
    case GW_COUNT_U16:
        memcpy(&u16, at, sizeof(u16));
        return u16;
    case GW_COUNT_U32:
        memcpy(&u32, at, sizeof(u32));
        return u32;
    case GW_COUNT_I32:
        memcpy(&i32, at, sizeof(i32));
        return i32;
    case GW_COUNT_FIXED:
        break;
    }
    return -1;
}

int gw_field_count(const struct gw_field *field, const void *state,
                   const struct gw_path *path, size_t *ret_count,
                   struct gw_error **errp)
{
    int64_t count;

    if (field->count_kind == GW_COUNT_FIXED) {
        *ret_count = field->kind == GW_KIND_LIST ? 1 : field->n;
        return 0;
    }
    count = count_member(field, state);
    /* At most 32 bits times 32 bits: the product cannot overflow. */
    if (count < 0 || (uint64_t)count * field->multiplier > field->n) {
        return gw_path_error(path, errp, -EOVERFLOW,
                             "count %" PRId64 " times %" PRIu32
                             " is not in 0 to %zu",
                             count, field->multiplier, field->n);
    }
    *ret_count = (size_t)count * field->multiplier;
    return 0;
}

int gw_field_elements(const struct gw_field *field, void *state, size_t count,
                      const struct gw_path *path, struct gw_elements *ret,
                      struct gw_error **errp)
{
    uint8_t *member = (uint8_t *)state + field->offset;
    uint8_t *data = member;

    if (field->flags & GW_FLAG_POINTER) {
        memcpy(&data, member, sizeof(data));
        if (!data && count > 0) {
            return gw_path_error(path, errp, -EINVAL,
                                 "the pointer is NULL, expected %zu elements",
                                 count);
        }
    }
    ret->data = data;
    ret->n = gw_field_is_bulk(field) ? 1 : count;
    ret->stride =
        field->flags & GW_FLAG_POINTERS ? sizeof(void *) : field->size;
    ret->amount = count;
    return 0;
}

void *gw_field_element(const struct gw_field *field,
                       const struct gw_elements *elements, size_t i)
{
    uint8_t *at = elements->data;
    void *target;

    if (i > 0) {
        at += i * elements->stride;
    }
    if (!(field->flags & GW_FLAG_POINTERS)) {
        return at;
    }
    memcpy(&target, at, sizeof(target));
    return target;
}

uint64_t gw_field_value_get(enum gw_field_kind kind, const void *data)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (gw_field_value_size(kind)) {
    case 1:
        memcpy(&u8, data, sizeof(u8));
        return kind == GW_KIND_BOOL ? u8 != 0 : u8;
    case 2:
        memcpy(&u16, data, sizeof(u16));
        return u16;
    case 4:
        memcpy(&u32, data, sizeof(u32));
        return u32;
    default:
        memcpy(&u64, data, sizeof(u64));
        return u64;
    }
}

void gw_field_value_set(enum gw_field_kind kind, void *data, uint64_t value)
{
    uint8_t u8 = (uint8_t)(kind == GW_KIND_BOOL ? value != 0 : value);
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;

    switch (gw_field_value_size(kind)) {
    case 1:
        memcpy(data, &u8, sizeof(u8));
        break;
    case 2:
        memcpy(data, &u16, sizeof(u16));
        break;
    case 4:
        memcpy(data, &u32, sizeof(u32));
        break;
    default:
        memcpy(data, &value, sizeof(value));
        break;
    }
}

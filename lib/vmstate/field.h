/*
 * What saving, loading, describing and checking share about fields: presence,
 * counts, where the elements lie, and the encodings of single values.
 */
#ifndef GW_VMSTATE_FIELD_H
#define GW_VMSTATE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/vmstate.h>

#include "vmstate/path.h"

/* Structs nested deeper than this are refused, when saving and loading. */
#define GW_VMSTATE_DEPTH_MAX 32

/* The byte that stands for a NULL pointer (stream spec 2.1). */
#define GW_NULL_MARK 0x30

/* The byte that opens a subsection (stream spec 2.5). */
#define GW_SUBSECTION_MARK 0x05

/* Longest name of a vmstate: its length is one byte. */
#define GW_VMSTATE_NAME_MAX 255

/* The elements of a field in one struct. */
struct gw_elements {
    uint8_t *data; /* the first; for pointers, the first pointer */
    size_t n;      /* elements on the wire */
    size_t stride; /* bytes in memory from one to the next */
    /*
     * Buffers and unused: bytes; bitmaps: bits. These count as one element.
     */
    size_t amount;
};

/* True if the field is in a stream of this version. */
bool gw_field_is_present(const struct gw_field *field, const void *state,
                         uint32_t version);

/* True for kinds whose count is of bytes or bits, not of elements. */
bool gw_field_is_bulk(const struct gw_field *field);

/* True for struct, vstruct and list. */
bool gw_field_has_inner(const struct gw_field *field);

/*
 * Number of elements, bytes or bits of a field; -EOVERFLOW beyond the stated
 * maximum or if the count is negative.
 */
int gw_field_count(const struct gw_field *field, const void *state,
                   const struct gw_path *path, size_t *ret_count,
                   struct gw_error **errp);

/*
 * Where the `count` elements are. -EINVAL if a pointer is NULL though there
 * are elements.
 */
int gw_field_elements(const struct gw_field *field, void *state, size_t count,
                      const struct gw_path *path, struct gw_elements *ret,
                      struct gw_error **errp);

/* Element number i; NULL only for a NULL of an array of pointers. */
void *gw_field_element(const struct gw_field *field,
                       const struct gw_elements *elements, size_t i);

/* The encoder's name in descriptions: "uint32", "struct", ... */
const char *gw_field_type(const struct gw_field *field);

/*
 * Single values (BOOL to TIMER). Their size on the wire is 1, 2, 4 or 8
 * bytes, big-endian, and 0 for other kinds.
 */
size_t gw_field_value_size(enum gw_field_kind kind);

/* The value in memory as the wire has it: zero-extended bits. */
uint64_t gw_field_value_get(enum gw_field_kind kind, const void *data);

/* Sets the value in memory. */
void gw_field_value_set(enum gw_field_kind kind, void *data, uint64_t value);

/* Words that a bitmap of so many bits takes. */
static inline size_t gw_bitmap_words(size_t bits)
{
    return bits / 64 + (bits % 64 != 0);
}

/* The bits of word `word` that belong to a bitmap of `bits` bits. */
static inline uint64_t gw_bitmap_mask(size_t bits, size_t word)
{
    size_t left = bits - word * 64;

    return left >= 64 ? UINT64_MAX : ((uint64_t)1 << left) - 1;
}

#endif

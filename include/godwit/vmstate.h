/*
 * Device state as tables: what a device sends, in which order, how wide.
 *
 * A `struct gw_vmstate` describes one C struct: a list of fields, built with
 * the GW_FIELD macros below, a list of optional subsections, versions and
 * hooks. The library saves and loads the struct from the table alone; the
 * bytes are those of QEMU's VMState (stream spec 2). The macros check type
 * and size of every member when the table is compiled (in C++: the size).
 *
 *     struct clock { uint64_t ns; bool reliable; uint32_t regs[4]; };
 *
 *     static const struct gw_field clock_fields[] = {
 *         GW_FIELD_U64(struct clock, ns),
 *         GW_FIELD_BOOL_V(struct clock, reliable, 2),
 *         GW_FIELD_U32_ARRAY(struct clock, regs),
 *         GW_FIELD_END,
 *     };
 *     static const struct gw_vmstate clock_vmstate = {
 *         .name = "clock", .version = 2, .min_version = 1,
 *         .size = sizeof(struct clock), .fields = clock_fields,
 *     };
 *
 * Tables are constant and outlive every machine that uses them. Check a table
 * once in a test with gw_vmstate_check; gw_machine_add_device does it too.
 *
 * Macro arguments: S is the struct type, m the member, `since` the version
 * that a field appeared in, `exists` a gw_field_exists_fn. A field is in the
 * stream if `since` <= the stream's version; a field with an `exists`
 * function ignores `since` and is there if the function says so, both when
 * saving and when loading.
 */
#ifndef GW_GODWIT_VMSTATE_H
#define GW_GODWIT_VMSTATE_H

#include <godwit/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_vmstate;

/*
 * Whether a field is in a stream of this version, or, for GW_FIELD_VALIDATE,
 * whether what was loaded so far is valid. `state` is the struct that the
 * field belongs to; members of earlier fields are loaded already.
 */
typedef bool (*gw_field_exists_fn)(const void *state, uint32_t version);

/* The encodings. Used through the macros. */
enum gw_field_kind {
    GW_KIND_END = 0,
    GW_KIND_BOOL,
    GW_KIND_U8,
    GW_KIND_U16,
    GW_KIND_U32,
    GW_KIND_U64,
    GW_KIND_I8,
    GW_KIND_I16,
    GW_KIND_I32,
    GW_KIND_I64,
    GW_KIND_U8_EQUAL,
    GW_KIND_U16_EQUAL,
    GW_KIND_U32_EQUAL,
    GW_KIND_U64_EQUAL,
    GW_KIND_I32_EQUAL,
    GW_KIND_I32_LE,
    GW_KIND_DOUBLE,
    GW_KIND_TIMER,
    GW_KIND_BUFFER,
    GW_KIND_UNUSED,
    GW_KIND_BITMAP,
    GW_KIND_STRUCT,
    GW_KIND_VSTRUCT,
    GW_KIND_LIST,
    GW_KIND_VALIDATE,
    GW_KIND_COUNT,
};

/* Where the number of elements (bytes, bits) comes from. */
enum gw_count_kind {
    GW_COUNT_FIXED = 0, /* gw_field.n */
    GW_COUNT_U8,        /* a member of this type, at gw_field.count_offset */
    GW_COUNT_U16,
    GW_COUNT_U32,
    GW_COUNT_I32,
};

enum gw_field_flags {
    GW_FLAG_POINTER = 1,  /* the member points to the data */
    GW_FLAG_ALLOC = 2,    /* ... which loading allocates (malloc) */
    GW_FLAG_POINTERS = 4, /* an array of pointers, each may be NULL */
};

/* One field. Made by the macros only; members may be added. */
struct gw_field {
    const char *name;               /* of the member, for descriptions */
    enum gw_field_kind kind;        /* encoding */
    uint32_t flags;                 /* enum gw_field_flags */
    uint32_t since;                 /* version that it appeared in */
    gw_field_exists_fn exists;      /* NULL: `since` decides */
    size_t offset;                  /* of the member, bytes */
    size_t size;                    /* of one element in memory, bytes */
    size_t n;                       /* elements, or their maximum */
    enum gw_count_kind count_kind;  /* of the member with the count */
    size_t count_offset;            /* of that member */
    uint32_t multiplier;            /* count times this are there */
    const struct gw_vmstate *inner; /* of structs and lists */
    uint32_t inner_version;         /* of a vstruct */
    size_t link_offset;             /* list: of the link in an element */
};

/* Order of the sections at the end of a stream: higher ones first. */
enum gw_vmstate_priority {
    GW_PRIORITY_DEFAULT = 0,
    GW_PRIORITY_IOMMU = 1,
    GW_PRIORITY_PCI_BUS = 2,
    GW_PRIORITY_VIRTIO_MEM = 3,
    GW_PRIORITY_GICV3_ITS = 4,
    GW_PRIORITY_GICV3 = 5,
};

/*
 * A vmstate description. Hooks may be NULL. A hook that fails returns a
 * negative errno and sets *errp. Hooks run on the migration's thread while
 * the guest is stopped.
 *
 * Saving: pre_save, fields, subsections, post_save (also after a failure of
 * one of them, but not if pre_save failed). Loading: pre_load, fields,
 * subsections, post_load. A subsection's post_load runs before its parent's.
 */
struct gw_vmstate {
    /* 1 to 255 bytes; a subsection's begins with its parent's name. */
    const char *name;
    uint32_t version;     /* written; the newest that can be read */
    uint32_t min_version; /* the oldest that can be read */
    size_t size;          /* sizeof the struct described; 0: not checked */
    const struct gw_field *fields; /* up to GW_FIELD_END; not NULL */
    const struct gw_vmstate *const *subsections; /* NULL-terminated, or NULL */
    /*
     * A subsection, or a device's whole section, is written only if this
     * returns true. NULL: always.
     */
    bool (*needed)(const void *state);
    /* Brings the struct up to date; may fail the migration. */
    int (*pre_save)(void *state, struct gw_error **errp);
    /* Undoes what pre_save prepared. */
    void (*post_save)(void *state);
    /* Sets what a field or subsection that is not sent shall mean. */
    int (*pre_load)(void *state, struct gw_error **errp);
    /* Checks what was loaded and acts on it; gets the received version. */
    int (*post_load)(void *state, uint32_t version, struct gw_error **errp);
    enum gw_vmstate_priority priority; /* of a device */
    /*
     * A device only: sent in the setup pass, before any RAM, instead of at
     * the end. It must depend neither on RAM nor on other devices.
     */
    bool early;
};

/*
 * Checks a table and all tables that it refers to: names, the prefix rules of
 * subsections, versions, counts, sizes of nested structs. -EINVAL with a text
 * that names the vmstate and the field. Since 0.1.
 */
GW_API int gw_vmstate_check(const struct gw_vmstate *vmstate,
                            struct gw_error **errp) GW_MUST_CHECK;

/*
 * An intrusive list, for GW_FIELD_LIST: elements embed a link. A list of
 * zero bytes is empty.
 */
struct gw_list_link {
    struct gw_list_link *next; /* NULL: the last */
    struct gw_list_link *prev; /* NULL: the first */
};

struct gw_list {
    struct gw_list_link *first; /* NULL: empty */
    struct gw_list_link *last;
};

/* Adds an element that is in no list at the end. */
static inline void gw_list_append(struct gw_list *list,
                                  struct gw_list_link *link)
{
    link->next = NULL;
    link->prev = list->last;
    if (list->last) {
        list->last->next = link;
    } else {
        list->first = link;
    }
    list->last = link;
}

/* Takes an element out of the list that it is in. */
static inline void gw_list_remove(struct gw_list *list,
                                  struct gw_list_link *link)
{
    if (link->prev) {
        link->prev->next = link->next;
    } else {
        list->first = link->next;
    }
    if (link->next) {
        link->next->prev = link->prev;
    } else {
        list->last = link->prev;
    }
    link->next = link->prev = NULL;
}

/* The element of type T whose member `member` is the link `link`. */
#define GW_LIST_ENTRY(link, T, member) \
    ((T *)(void *)((char *)(link)-offsetof(T, member)))

/*
 * ---- Internals of the macros: checks that yield 0, offsets, counts ----
 */
#ifdef __cplusplus
#define GW_ASSERT_(condition) (0 * sizeof(char[(condition) ? 1 : -1]))
#define GW_SAME_(S, m, T) GW_ASSERT_(sizeof(((S *)0)->m) == sizeof(T))
#define GW_SAME2_(S, m, T, U) GW_SAME_(S, m, T)
#define GW_SAME_ARRAY_(S, m, T)                        \
    GW_ASSERT_(sizeof(((S *)0)->m) % sizeof(T) == 0 && \
               sizeof(((S *)0)->m[0]) % sizeof(T) == 0)
#define GW_COUNT_KIND_(S, m)                                     \
    (sizeof(((S *)0)->m) == 1                     ? GW_COUNT_U8  \
     : sizeof(((S *)0)->m) == 2                   ? GW_COUNT_U16 \
     : static_cast<decltype(((S *)0)->m)>(-1) < 1 ? GW_COUNT_I32 \
                                                  : GW_COUNT_U32)
#define GW_COUNT_OFFSET_(S, m) \
    (offsetof(S, m) + GW_ASSERT_(sizeof(((S *)0)->m) <= 4))
#else
#define GW_ASSERT_(condition) (0 * sizeof(char[(condition) ? 1 : -1]))
#define GW_SAME_(S, m, T) (0 * sizeof(_Generic(&((S *)0)->m, T * : 1)))
#define GW_SAME2_(S, m, T, U) \
    (0 * sizeof(_Generic(&((S *)0)->m, T * : 1, U * : 1)))
#define GW_SAME_ARRAY_(S, m, T)                                               \
    (0 *                                                                      \
     sizeof(_Generic(&((S *)0)->m, T(*)[sizeof(((S *)0)->m) / sizeof(T)] : 1, \
                     T(*)[sizeof(((S *)0)->m) / sizeof(((S *)0)->m[0])]       \
                         [sizeof(((S *)0)->m[0]) / sizeof(T)] : 1)))
#define GW_COUNT_KIND_(S, m)            \
    _Generic(&((S *)0)->m, uint8_t *    \
             : GW_COUNT_U8, uint16_t *  \
             : GW_COUNT_U16, uint32_t * \
             : GW_COUNT_U32, int32_t *  \
             : GW_COUNT_I32)
#define GW_COUNT_OFFSET_(S, m) offsetof(S, m)
#endif

/* Offset of a member that is a T; of one that is an array of T. */
#define GW_OFFSET_(S, m, T) (offsetof(S, m) + GW_SAME_(S, m, T))
#define GW_OFFSET_ARRAY_(S, m, T) (offsetof(S, m) + GW_SAME_ARRAY_(S, m, T))
/* Elements of type T in an array member, rows flattened. */
#define GW_LENGTH_(S, m, T) (sizeof(((S *)0)->m) / sizeof(T))
/* Checks that elements start to start + n - 1 lie in an array member. */
#define GW_WITHIN_(S, m, T, start, n) \
    GW_ASSERT_((size_t)(start) + (n) <= GW_LENGTH_(S, m, T))

/* C types of the plain encodings. */
#define GW_TYPE_BOOL bool
#define GW_TYPE_U8 uint8_t
#define GW_TYPE_U16 uint16_t
#define GW_TYPE_U32 uint32_t
#define GW_TYPE_U64 uint64_t
#define GW_TYPE_I8 int8_t
#define GW_TYPE_I16 int16_t
#define GW_TYPE_I32 int32_t
#define GW_TYPE_I64 int64_t

/* Every field goes through this: members in order, so that C++ takes it. */
#define GW_FIELD_INIT_(name, kind, flags, since, exists, offset, size, n, \
                       count_kind, count_offset, multiplier, inner,       \
                       inner_version, link_offset)                        \
    {                                                                     \
        name, kind, flags, since, exists, offset, size, n, count_kind,    \
            count_offset, multiplier, inner, inner_version, link_offset   \
    }
/* One element, or a fixed number of them. */
#define GW_FIELD_FIXED_(name, kind, flags, since, exists, offset, size, n, \
                        inner)                                             \
    GW_FIELD_INIT_(name, kind, flags, since, exists, offset, size, n,      \
                   GW_COUNT_FIXED, 0, 1, inner, 0, 0)
/* A number of elements that is the value of member `count` of S. */
#define GW_FIELD_COUNTED_(S, name, kind, flags, since, exists, offset, size, \
                          max, count, multiplier, inner)                     \
    GW_FIELD_INIT_(name, kind, flags, since, exists, offset, size, max,      \
                   GW_COUNT_KIND_(S, count), GW_COUNT_OFFSET_(S, count),     \
                   multiplier, inner, 0, 0)
#define GW_FIELD_ONE_(S, m, T, kind, since, exists)                  \
    GW_FIELD_FIXED_(#m, kind, 0, since, exists, GW_OFFSET_(S, m, T), \
                    sizeof(T), 1, NULL)

/* Ends a list of fields. */
#define GW_FIELD_END \
    GW_FIELD_FIXED_(NULL, GW_KIND_END, 0, 0, NULL, 0, 0, 0, NULL)

/*
 * ---- Generic forms: `type` is BOOL U8 U16 U32 U64 I8 I16 I32 I64 ----
 *
 * Forms ending in _IF take `since` and `exists` (one of them; give 0 or
 * NULL for the other).
 */

/* One value. */
#define GW_FIELD_VALUE_IF(S, m, type, since, exists) \
    GW_FIELD_ONE_(S, m, GW_TYPE_##type, GW_KIND_##type, since, exists)

/* All elements of an array member, with one or two dimensions. */
#define GW_FIELD_ARRAY_IF(S, m, type, since, exists)                          \
    GW_FIELD_FIXED_(#m, GW_KIND_##type, 0, since, exists,                     \
                    GW_OFFSET_ARRAY_(S, m, GW_TYPE_##type),                   \
                    sizeof(GW_TYPE_##type), GW_LENGTH_(S, m, GW_TYPE_##type), \
                    NULL)

/* `count` elements of an array member from `start` on. */
#define GW_FIELD_SUB_ARRAY_IF(S, m, type, start, count, since, exists)  \
    GW_FIELD_FIXED_(#m, GW_KIND_##type, 0, since, exists,               \
                    GW_OFFSET_ARRAY_(S, m, GW_TYPE_##type) +            \
                        (start) * sizeof(GW_TYPE_##type) +              \
                        GW_WITHIN_(S, m, GW_TYPE_##type, start, count), \
                    sizeof(GW_TYPE_##type), count, NULL)

/*
 * As many elements as member `count` (uint8_t, uint16_t, uint32_t or int32_t,
 * a field before this one or equal on both sides) says, times `multiplier`.
 * The plain form: of an array member, which is the maximum. _PTR: member m
 * points to room for `max` elements. _ALLOC: loading frees what m points to
 * and sets it to a new allocation of exactly so many, or NULL for none.
 */
#define GW_FIELD_VARRAY_IF(S, m, type, count, multiplier, since, exists) \
    GW_FIELD_COUNTED_(                                                   \
        S, #m, GW_KIND_##type, 0, since, exists,                         \
        GW_OFFSET_ARRAY_(S, m, GW_TYPE_##type), sizeof(GW_TYPE_##type),  \
        GW_LENGTH_(S, m, GW_TYPE_##type), count, multiplier, NULL)
#define GW_FIELD_VARRAY(S, m, type, count) \
    GW_FIELD_VARRAY_IF(S, m, type, count, 1, 0, NULL)

#define GW_FIELD_VARRAY_PTR_IF(S, m, type, count, multiplier, max, since,    \
                               exists)                                       \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_##type, GW_FLAG_POINTER, since, exists, \
                      GW_OFFSET_(S, m, GW_TYPE_##type *),                    \
                      sizeof(GW_TYPE_##type), max, count, multiplier, NULL)
#define GW_FIELD_VARRAY_PTR(S, m, type, count, max) \
    GW_FIELD_VARRAY_PTR_IF(S, m, type, count, 1, max, 0, NULL)

#define GW_FIELD_VARRAY_ALLOC_IF(S, m, type, count, multiplier, max, since,   \
                                 exists)                                      \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_##type, GW_FLAG_POINTER | GW_FLAG_ALLOC, \
                      since, exists, GW_OFFSET_(S, m, GW_TYPE_##type *),      \
                      sizeof(GW_TYPE_##type), max, count, multiplier, NULL)
#define GW_FIELD_VARRAY_ALLOC(S, m, type, count, max) \
    GW_FIELD_VARRAY_ALLOC_IF(S, m, type, count, 1, max, 0, NULL)

/* An array of pointers to values; a NULL one is sent as one byte. */
#define GW_FIELD_PTR_ARRAY_IF(S, m, type, since, exists)                 \
    GW_FIELD_FIXED_(#m, GW_KIND_##type, GW_FLAG_POINTERS, since, exists, \
                    GW_OFFSET_ARRAY_(S, m, GW_TYPE_##type *),            \
                    sizeof(GW_TYPE_##type),                              \
                    GW_LENGTH_(S, m, GW_TYPE_##type *), NULL)
#define GW_FIELD_PTR_ARRAY(S, m, type) \
    GW_FIELD_PTR_ARRAY_IF(S, m, type, 0, NULL)

/*
 * ---- Values and arrays of the plain types ----
 */
#define GW_FIELD_BOOL(S, m) GW_FIELD_VALUE_IF(S, m, BOOL, 0, NULL)
#define GW_FIELD_U8(S, m) GW_FIELD_VALUE_IF(S, m, U8, 0, NULL)
#define GW_FIELD_U16(S, m) GW_FIELD_VALUE_IF(S, m, U16, 0, NULL)
#define GW_FIELD_U32(S, m) GW_FIELD_VALUE_IF(S, m, U32, 0, NULL)
#define GW_FIELD_U64(S, m) GW_FIELD_VALUE_IF(S, m, U64, 0, NULL)
#define GW_FIELD_I8(S, m) GW_FIELD_VALUE_IF(S, m, I8, 0, NULL)
#define GW_FIELD_I16(S, m) GW_FIELD_VALUE_IF(S, m, I16, 0, NULL)
#define GW_FIELD_I32(S, m) GW_FIELD_VALUE_IF(S, m, I32, 0, NULL)
#define GW_FIELD_I64(S, m) GW_FIELD_VALUE_IF(S, m, I64, 0, NULL)

#define GW_FIELD_BOOL_V(S, m, since) GW_FIELD_VALUE_IF(S, m, BOOL, since, NULL)
#define GW_FIELD_U8_V(S, m, since) GW_FIELD_VALUE_IF(S, m, U8, since, NULL)
#define GW_FIELD_U16_V(S, m, since) GW_FIELD_VALUE_IF(S, m, U16, since, NULL)
#define GW_FIELD_U32_V(S, m, since) GW_FIELD_VALUE_IF(S, m, U32, since, NULL)
#define GW_FIELD_U64_V(S, m, since) GW_FIELD_VALUE_IF(S, m, U64, since, NULL)
#define GW_FIELD_I8_V(S, m, since) GW_FIELD_VALUE_IF(S, m, I8, since, NULL)
#define GW_FIELD_I16_V(S, m, since) GW_FIELD_VALUE_IF(S, m, I16, since, NULL)
#define GW_FIELD_I32_V(S, m, since) GW_FIELD_VALUE_IF(S, m, I32, since, NULL)
#define GW_FIELD_I64_V(S, m, since) GW_FIELD_VALUE_IF(S, m, I64, since, NULL)

#define GW_FIELD_BOOL_TEST(S, m, exists) \
    GW_FIELD_VALUE_IF(S, m, BOOL, 0, exists)
#define GW_FIELD_U8_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, U8, 0, exists)
#define GW_FIELD_U16_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, U16, 0, exists)
#define GW_FIELD_U32_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, U32, 0, exists)
#define GW_FIELD_U64_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, U64, 0, exists)
#define GW_FIELD_I8_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, I8, 0, exists)
#define GW_FIELD_I16_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, I16, 0, exists)
#define GW_FIELD_I32_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, I32, 0, exists)
#define GW_FIELD_I64_TEST(S, m, exists) GW_FIELD_VALUE_IF(S, m, I64, 0, exists)

#define GW_FIELD_BOOL_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, BOOL, 0, NULL)
#define GW_FIELD_U8_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, U8, 0, NULL)
#define GW_FIELD_U16_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, U16, 0, NULL)
#define GW_FIELD_U32_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, U32, 0, NULL)
#define GW_FIELD_U64_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, U64, 0, NULL)
#define GW_FIELD_I8_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, I8, 0, NULL)
#define GW_FIELD_I16_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, I16, 0, NULL)
#define GW_FIELD_I32_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, I32, 0, NULL)
#define GW_FIELD_I64_ARRAY(S, m) GW_FIELD_ARRAY_IF(S, m, I64, 0, NULL)

#define GW_FIELD_U8_SUB_ARRAY(S, m, start, n) \
    GW_FIELD_SUB_ARRAY_IF(S, m, U8, start, n, 0, NULL)
#define GW_FIELD_U16_SUB_ARRAY(S, m, start, n) \
    GW_FIELD_SUB_ARRAY_IF(S, m, U16, start, n, 0, NULL)
#define GW_FIELD_U32_SUB_ARRAY(S, m, start, n) \
    GW_FIELD_SUB_ARRAY_IF(S, m, U32, start, n, 0, NULL)
#define GW_FIELD_U64_SUB_ARRAY(S, m, start, n) \
    GW_FIELD_SUB_ARRAY_IF(S, m, U64, start, n, 0, NULL)

/*
 * ---- Values that are checked when loading ----
 */

/* The received value must equal the member's. */
#define GW_FIELD_U8_EQUAL(S, m) \
    GW_FIELD_ONE_(S, m, uint8_t, GW_KIND_U8_EQUAL, 0, NULL)
#define GW_FIELD_U16_EQUAL(S, m) \
    GW_FIELD_ONE_(S, m, uint16_t, GW_KIND_U16_EQUAL, 0, NULL)
#define GW_FIELD_U32_EQUAL(S, m) \
    GW_FIELD_ONE_(S, m, uint32_t, GW_KIND_U32_EQUAL, 0, NULL)
#define GW_FIELD_U64_EQUAL(S, m) \
    GW_FIELD_ONE_(S, m, uint64_t, GW_KIND_U64_EQUAL, 0, NULL)
#define GW_FIELD_I32_EQUAL(S, m) \
    GW_FIELD_ONE_(S, m, int32_t, GW_KIND_I32_EQUAL, 0, NULL)
/* The received value must be 0 to the member's; then it replaces it. */
#define GW_FIELD_I32_LE(S, m) \
    GW_FIELD_ONE_(S, m, int32_t, GW_KIND_I32_LE, 0, NULL)
/*
 * No bytes: `valid` (a gw_field_exists_fn) must hold at this point of the
 * load. `name` is a string for the error.
 */
#define GW_FIELD_VALIDATE(name, valid) \
    GW_FIELD_FIXED_(name, GW_KIND_VALIDATE, 0, 0, valid, 0, 0, 0, NULL)

/*
 * ---- Other single values ----
 */

/* A double: its IEEE 754 bits. */
#define GW_FIELD_DOUBLE(S, m) \
    GW_FIELD_ONE_(S, m, double, GW_KIND_DOUBLE, 0, NULL)

/*
 * A timer: member m (int64_t or uint64_t) is the expiry in nanoseconds of its
 * clock, GW_TIMER_NOT_ARMED (-1) if it is not armed.
 */
#define GW_TIMER_NOT_ARMED (-1)
#define GW_FIELD_TIMER_IF(S, m, since, exists)                                 \
    GW_FIELD_FIXED_(#m, GW_KIND_TIMER, 0, since, exists,                       \
                    offsetof(S, m) + GW_SAME2_(S, m, int64_t, uint64_t), 8, 1, \
                    NULL)
#define GW_FIELD_TIMER(S, m) GW_FIELD_TIMER_IF(S, m, 0, NULL)

/*
 * ---- Bytes and bits ----
 */

/* An array of bytes (uint8_t), sent as they are. */
#define GW_FIELD_BUFFER_IF(S, m, since, exists)           \
    GW_FIELD_FIXED_(#m, GW_KIND_BUFFER, 0, since, exists, \
                    GW_OFFSET_ARRAY_(S, m, uint8_t), 1,   \
                    GW_LENGTH_(S, m, uint8_t), NULL)
#define GW_FIELD_BUFFER(S, m) GW_FIELD_BUFFER_IF(S, m, 0, NULL)
#define GW_FIELD_BUFFER_V(S, m, since) GW_FIELD_BUFFER_IF(S, m, since, NULL)
#define GW_FIELD_BUFFER_TEST(S, m, exists) GW_FIELD_BUFFER_IF(S, m, 0, exists)

/* Bytes whose number is in member `count`; forms as of GW_FIELD_VARRAY. */
#define GW_FIELD_VBUFFER_IF(S, m, count, multiplier, since, exists) \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_BUFFER, 0, since, exists,      \
                      GW_OFFSET_ARRAY_(S, m, uint8_t), 1,           \
                      GW_LENGTH_(S, m, uint8_t), count, multiplier, NULL)
#define GW_FIELD_VBUFFER(S, m, count) \
    GW_FIELD_VBUFFER_IF(S, m, count, 1, 0, NULL)
#define GW_FIELD_VBUFFER_PTR_IF(S, m, count, multiplier, max, since, exists)  \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_BUFFER, GW_FLAG_POINTER, since, exists,  \
                      GW_OFFSET_(S, m, uint8_t *), 1, max, count, multiplier, \
                      NULL)
#define GW_FIELD_VBUFFER_PTR(S, m, count, max) \
    GW_FIELD_VBUFFER_PTR_IF(S, m, count, 1, max, 0, NULL)
#define GW_FIELD_VBUFFER_ALLOC_IF(S, m, count, multiplier, max, since, exists) \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_BUFFER, GW_FLAG_POINTER | GW_FLAG_ALLOC,  \
                      since, exists, GW_OFFSET_(S, m, uint8_t *), 1, max,      \
                      count, multiplier, NULL)
#define GW_FIELD_VBUFFER_ALLOC(S, m, count, max) \
    GW_FIELD_VBUFFER_ALLOC_IF(S, m, count, 1, max, 0, NULL)

/* `bytes` zero bytes, ignored when loading. */
#define GW_FIELD_UNUSED_IF(bytes, since, exists)                             \
    GW_FIELD_FIXED_("unused", GW_KIND_UNUSED, 0, since, exists, 0, 1, bytes, \
                    NULL)
#define GW_FIELD_UNUSED(bytes) GW_FIELD_UNUSED_IF(bytes, 0, NULL)
#define GW_FIELD_UNUSED_V(bytes, since) GW_FIELD_UNUSED_IF(bytes, since, NULL)
#define GW_FIELD_UNUSED_TEST(bytes, exists) GW_FIELD_UNUSED_IF(bytes, 0, exists)

/*
 * A bitmap: an array of uint64_t, bit i in word i / 64. Bits past the end are
 * sent as zero and cleared by a load. The forms: `bits` is constant; the
 * number of bits is in member `count`; the same with m a pointer to room for
 * `max` bits.
 */
#define GW_FIELD_BITMAP(S, m, bits)                                    \
    GW_FIELD_FIXED_(#m, GW_KIND_BITMAP, 0, 0, NULL,                    \
                    GW_OFFSET_ARRAY_(S, m, uint64_t) +                 \
                        GW_ASSERT_((bits) <= 8 * sizeof(((S *)0)->m)), \
                    8, bits, NULL)
#define GW_FIELD_VBITMAP(S, m, count)                      \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_BITMAP, 0, 0, NULL,   \
                      GW_OFFSET_ARRAY_(S, m, uint64_t), 8, \
                      8 * sizeof(((S *)0)->m), count, 1, NULL)
#define GW_FIELD_VBITMAP_PTR(S, m, count, max)                         \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_BITMAP, GW_FLAG_POINTER, 0, NULL, \
                      GW_OFFSET_(S, m, uint64_t *), 8, max, count, 1, NULL)

/*
 * ---- Structs: T is the member's type, `vmstate` its description ----
 *
 * A nested struct is sent and read at its description's own version.
 */
#define GW_FIELD_STRUCT_IF(S, m, vmstate, T, since, exists)                    \
    GW_FIELD_FIXED_(#m, GW_KIND_STRUCT, 0, since, exists, GW_OFFSET_(S, m, T), \
                    sizeof(T), 1, &(vmstate))
#define GW_FIELD_STRUCT(S, m, vmstate, T) \
    GW_FIELD_STRUCT_IF(S, m, vmstate, T, 0, NULL)
#define GW_FIELD_STRUCT_V(S, m, vmstate, T, since) \
    GW_FIELD_STRUCT_IF(S, m, vmstate, T, since, NULL)
#define GW_FIELD_STRUCT_TEST(S, m, vmstate, T, exists) \
    GW_FIELD_STRUCT_IF(S, m, vmstate, T, 0, exists)

/* ... at version `version` of its description. */
#define GW_FIELD_VSTRUCT_IF(S, m, vmstate, T, version, since, exists)          \
    GW_FIELD_INIT_(#m, GW_KIND_VSTRUCT, 0, since, exists, GW_OFFSET_(S, m, T), \
                   sizeof(T), 1, GW_COUNT_FIXED, 0, 1, &(vmstate), version, 0)
#define GW_FIELD_VSTRUCT(S, m, vmstate, T, version) \
    GW_FIELD_VSTRUCT_IF(S, m, vmstate, T, version, 0, NULL)

/* The struct S itself described by another table (parts of a device). */
#define GW_FIELD_SELF(S, name, vmstate)                                \
    GW_FIELD_FIXED_(name, GW_KIND_STRUCT, 0, 0, NULL, 0, sizeof(S), 1, \
                    &(vmstate))

/* All elements of an array; a part of them. */
#define GW_FIELD_STRUCT_ARRAY_IF(S, m, vmstate, T, since, exists)              \
    GW_FIELD_FIXED_(#m, GW_KIND_STRUCT, 0, since, exists,                      \
                    GW_OFFSET_ARRAY_(S, m, T), sizeof(T), GW_LENGTH_(S, m, T), \
                    &(vmstate))
#define GW_FIELD_STRUCT_ARRAY(S, m, vmstate, T) \
    GW_FIELD_STRUCT_ARRAY_IF(S, m, vmstate, T, 0, NULL)
#define GW_FIELD_STRUCT_SUB_ARRAY(S, m, vmstate, T, start, count)     \
    GW_FIELD_FIXED_(#m, GW_KIND_STRUCT, 0, 0, NULL,                   \
                    GW_OFFSET_ARRAY_(S, m, T) + (start) * sizeof(T) + \
                        GW_WITHIN_(S, m, T, start, count),            \
                    sizeof(T), count, &(vmstate))

/* As many as member `count` says; forms as of GW_FIELD_VARRAY. */
#define GW_FIELD_STRUCT_VARRAY_IF(S, m, vmstate, T, count, since, exists) \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_STRUCT, 0, since, exists,            \
                      GW_OFFSET_ARRAY_(S, m, T), sizeof(T),               \
                      GW_LENGTH_(S, m, T), count, 1, &(vmstate))
#define GW_FIELD_STRUCT_VARRAY(S, m, vmstate, T, count) \
    GW_FIELD_STRUCT_VARRAY_IF(S, m, vmstate, T, count, 0, NULL)
#define GW_FIELD_STRUCT_VARRAY_PTR_IF(S, m, vmstate, T, count, max, since,   \
                                      exists)                                \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_STRUCT, GW_FLAG_POINTER, since, exists, \
                      GW_OFFSET_(S, m, T *), sizeof(T), max, count, 1,       \
                      &(vmstate))
#define GW_FIELD_STRUCT_VARRAY_PTR(S, m, vmstate, T, count, max) \
    GW_FIELD_STRUCT_VARRAY_PTR_IF(S, m, vmstate, T, count, max, 0, NULL)
#define GW_FIELD_STRUCT_VARRAY_ALLOC_IF(S, m, vmstate, T, count, max, since,  \
                                        exists)                               \
    GW_FIELD_COUNTED_(S, #m, GW_KIND_STRUCT, GW_FLAG_POINTER | GW_FLAG_ALLOC, \
                      since, exists, GW_OFFSET_(S, m, T *), sizeof(T), max,   \
                      count, 1, &(vmstate))
#define GW_FIELD_STRUCT_VARRAY_ALLOC(S, m, vmstate, T, count, max) \
    GW_FIELD_STRUCT_VARRAY_ALLOC_IF(S, m, vmstate, T, count, max, 0, NULL)

/* The struct that m points to; it must be there on both sides. */
#define GW_FIELD_STRUCT_PTR_IF(S, m, vmstate, T, since, exists)         \
    GW_FIELD_FIXED_(#m, GW_KIND_STRUCT, GW_FLAG_POINTER, since, exists, \
                    GW_OFFSET_(S, m, T *), sizeof(T), 1, &(vmstate))
#define GW_FIELD_STRUCT_PTR(S, m, vmstate, T) \
    GW_FIELD_STRUCT_PTR_IF(S, m, vmstate, T, 0, NULL)

/*
 * The same where m may be NULL, then one byte is sent. The reader goes by its
 * own pointer: both sides must agree on what is NULL.
 */
#define GW_FIELD_STRUCT_PTR_NULLABLE(S, m, vmstate, T)             \
    GW_FIELD_FIXED_(#m, GW_KIND_STRUCT, GW_FLAG_POINTERS, 0, NULL, \
                    GW_OFFSET_(S, m, T *), sizeof(T), 1, &(vmstate))

/* An array of such pointers. */
#define GW_FIELD_STRUCT_PTR_ARRAY_IF(S, m, vmstate, T, since, exists)    \
    GW_FIELD_FIXED_(#m, GW_KIND_STRUCT, GW_FLAG_POINTERS, since, exists, \
                    GW_OFFSET_ARRAY_(S, m, T *), sizeof(T),              \
                    GW_LENGTH_(S, m, T *), &(vmstate))
#define GW_FIELD_STRUCT_PTR_ARRAY(S, m, vmstate, T) \
    GW_FIELD_STRUCT_PTR_ARRAY_IF(S, m, vmstate, T, 0, NULL)

/*
 * A struct gw_list of elements of type T with the struct gw_list_link `link`.
 * Loading appends elements that it callocs (the state owns them, also after a
 * failed load), up to `max` in the list. Elements are sent and read at their
 * description's own version.
 */
#define GW_FIELD_LIST_IF(S, m, vmstate, T, link, max, since, exists) \
    GW_FIELD_INIT_(#m, GW_KIND_LIST, 0, since, exists,               \
                   GW_OFFSET_(S, m, struct gw_list), sizeof(T), max, \
                   GW_COUNT_FIXED, 0, 1, &(vmstate), 0,              \
                   GW_OFFSET_(T, link, struct gw_list_link))
#define GW_FIELD_LIST(S, m, vmstate, T, link, max, since) \
    GW_FIELD_LIST_IF(S, m, vmstate, T, link, max, since, NULL)

GW_END_DECLS

#endif

/*
 * Checks of JSON values against tables, with the texts of QEMU's errors.
 *
 * A value is checked as a whole before anything is done with it; afterwards
 * the plain getters of jansson cannot fail.
 */
#ifndef GW_BASE_SCHEMA_H
#define GW_BASE_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_schema;

enum gw_schema_type {
    GW_SCHEMA_ANY,
    GW_SCHEMA_STRING,
    GW_SCHEMA_STRING_OR_NULL,
    GW_SCHEMA_BOOL,
    GW_SCHEMA_INT,    /* 64 bits with sign */
    GW_SCHEMA_UINT8,  /* narrower ones are checked for their range */
    GW_SCHEMA_UINT16, /* " */
    GW_SCHEMA_UINT32, /* " */
    GW_SCHEMA_UINT64, /* negative numbers wrap, as with QEMU */
    GW_SCHEMA_ENUM,   /* a string out of `choices` */
    GW_SCHEMA_OBJECT, /* of `schema` */
    GW_SCHEMA_ARRAY,  /* of `element` */
};

/* One value: a member of an object, or an element of an array. */
struct gw_schema_member {
    const char *name;                       /* NULL: an element of an array */
    enum gw_schema_type type;               /* what it must be */
    bool optional;                          /* may be left out */
    const char *const *choices;             /* ENUM: NULL terminated */
    const struct gw_schema *schema;         /* OBJECT: its members */
    const struct gw_schema_member *element; /* ARRAY: its elements */
};

/* Entries of tables of members. */
#define GW_SCHEMA_REQUIRED(member_name, member_type) \
    {                                                \
        .name = member_name, .type = member_type     \
    }
#define GW_SCHEMA_OPTIONAL(member_name, member_type)               \
    {                                                              \
        .name = member_name, .type = member_type, .optional = true \
    }

/* The object whose members are in that table. */
#define GW_SCHEMA_OF(table)                                               \
    {                                                                     \
        .members = table, .n_members = sizeof(table) / sizeof((table)[0]) \
    }

/* An object. Members after the variants' tag depend on its value. */
struct gw_schema {
    const struct gw_schema_member *members; /* visited in this order */
    size_t n_members;                       /* of them */
    const char *tag; /* name of the enum member that selects a variant */
    const struct gw_schema *const *variants; /* one per choice of the tag */
};

/*
 * Checks that `value` is an object that fits. `path` is put before the names
 * of members in errors, such as "channels[0].addr."; "" for a whole value.
 */
int gw_schema_check(const struct gw_schema *schema, json_t *value,
                    const char *path, struct gw_error **errp) GW_MUST_CHECK;

/* The position of a string in a NULL terminated list, or -1. */
int gw_schema_choice(const char *const *choices, const char *text);

/* The integer that a checked UINT64 stands for. */
static inline uint64_t gw_schema_uint64(const json_t *value)
{
    return (uint64_t)json_integer_value(value);
}

#endif

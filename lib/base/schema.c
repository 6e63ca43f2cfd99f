/*
 * Checks of JSON values against tables.
 *
 * QEMU is not uniform in how it names a member: missing, unexpected and
 * ill-typed ones by their path ("channels[0].addr.port"), those out of range
 * and bad choices by their last name alone ("to"). Observed with 10.0.2.
 */
#include "base/schema.h"

#include <errno.h>
#include <string.h>

enum {
    /* Of a path in an error; longer ones are cut. */
    PATH_SIZE = 512
};

static int check_member(const struct gw_schema_member *member, json_t *value,
                        const char *path, struct gw_error **errp);

int gw_schema_choice(const char *const *choices, const char *text)
{
    int i;

    for (i = 0; text && choices[i]; i++) {
        if (strcmp(choices[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

static int wrong_type(const char *path, const char *expected,
                      struct gw_error **errp)
{
    return gw_error_set(errp, -EINVAL,
                        "Invalid parameter type for '%s', expected: %s", path,
                        expected);
}

/* What QEMU calls a member where it leaves its path out. */
static const char *short_name(const struct gw_schema_member *member)
{
    return member->name ? member->name : "null";
}

static int check_uint(const struct gw_schema_member *member, json_t *value,
                      const char *path, uint64_t max, const char *type,
                      struct gw_error **errp)
{
    if (!json_is_integer(value)) {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects uint64",
                            path);
    }
    if (gw_schema_uint64(value) > max) {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects %s",
                            short_name(member), type);
    }
    return 0;
}

static int check_enum(const struct gw_schema_member *member, json_t *value,
                      const char *path, struct gw_error **errp)
{
    if (!json_is_string(value)) {
        return wrong_type(path, "string", errp);
    }
    if (gw_schema_choice(member->choices, json_string_value(value)) < 0) {
        return gw_error_set(errp, -EINVAL,
                            "Parameter '%s' does not accept value '%s'",
                            short_name(member), json_string_value(value));
    }
    return 0;
}

static int check_object(const struct gw_schema_member *member, json_t *value,
                        const char *path, struct gw_error **errp)
{
    char inner[PATH_SIZE];

    if (!json_is_object(value)) {
        return wrong_type(path, "object", errp);
    }
    snprintf(inner, sizeof(inner), "%s.", path);
    return gw_schema_check(member->schema, value, inner, errp);
}

static int check_array(const struct gw_schema_member *member, json_t *value,
                       const char *path, struct gw_error **errp)
{
    char inner[PATH_SIZE];
    size_t i;
    int r;

    if (!json_is_array(value)) {
        return wrong_type(path, "array", errp);
    }
    for (i = 0; i < json_array_size(value); i++) {
        snprintf(inner, sizeof(inner), "%s[%zu]", path, i);
        r = check_member(member->element, json_array_get(value, i), inner,
                         errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int check_member(const struct gw_schema_member *member, json_t *value,
                        const char *path, struct gw_error **errp)
{
    switch (member->type) {
    case GW_SCHEMA_ANY:
        return 0;
    case GW_SCHEMA_STRING:
        return json_is_string(value) ? 0 : wrong_type(path, "string", errp);
    case GW_SCHEMA_STRING_OR_NULL:
        return json_is_string(value) || json_is_null(value)
                   ? 0
                   : wrong_type(path, "StrOrNull", errp);
    case GW_SCHEMA_BOOL:
        return json_is_boolean(value) ? 0 : wrong_type(path, "boolean", errp);
    case GW_SCHEMA_INT:
        return json_is_integer(value) ? 0 : wrong_type(path, "integer", errp);
    case GW_SCHEMA_UINT8:
        return check_uint(member, value, path, UINT8_MAX, "uint8_t", errp);
    case GW_SCHEMA_UINT16:
        return check_uint(member, value, path, UINT16_MAX, "uint16_t", errp);
    case GW_SCHEMA_UINT32:
        return check_uint(member, value, path, UINT32_MAX, "uint32_t", errp);
    case GW_SCHEMA_UINT64:
        return check_uint(member, value, path, UINT64_MAX, "uint64", errp);
    case GW_SCHEMA_ENUM:
        return check_enum(member, value, path, errp);
    case GW_SCHEMA_OBJECT:
        return check_object(member, value, path, errp);
    case GW_SCHEMA_ARRAY:
        return check_array(member, value, path, errp);
    }
    return 0;
}

/* The variant that the (checked) tag selects, or NULL. */
static const struct gw_schema *variant_of(const struct gw_schema *schema,
                                          json_t *value)
{
    size_t i;
    int choice;

    for (i = 0; schema->tag && i < schema->n_members; i++) {
        const struct gw_schema_member *member = &schema->members[i];

        if (strcmp(member->name, schema->tag) == 0) {
            choice = gw_schema_choice(
                member->choices,
                json_string_value(json_object_get(value, member->name)));
            return choice < 0 ? NULL : schema->variants[choice];
        }
    }
    return NULL;
}

static int check_members(const struct gw_schema *schema, json_t *value,
                         const char *path, struct gw_error **errp)
{
    char name[PATH_SIZE];
    size_t i;
    int r;

    for (i = 0; i < schema->n_members; i++) {
        const struct gw_schema_member *member = &schema->members[i];
        json_t *found = json_object_get(value, member->name);

        snprintf(name, sizeof(name), "%s%s", path, member->name);
        if (!found) {
            if (member->optional) {
                continue;
            }
            return gw_error_set(errp, -EINVAL, "Parameter '%s' is missing",
                                name);
        }
        r = check_member(member, found, name, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static bool knows(const struct gw_schema *schema, const char *name)
{
    size_t i;

    for (i = 0; i < schema->n_members; i++) {
        if (strcmp(schema->members[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int check_unexpected(const struct gw_schema *schema, json_t *value,
                            const char *path, struct gw_error **errp)
{
    const struct gw_schema *at;
    const char *name;
    json_t *member;

    json_object_foreach(value, name, member)
    {
        for (at = schema; at && !knows(at, name); at = variant_of(at, value)) {
        }
        if (!at) {
            return gw_error_set(errp, -EINVAL, "Parameter '%s%s' is unexpected",
                                path, name);
        }
    }
    return 0;
}

int gw_schema_check(const struct gw_schema *schema, json_t *value,
                    const char *path, struct gw_error **errp)
{
    const struct gw_schema *at;
    int r;

    if (!json_is_object(value)) {
        return wrong_type(path, "object", errp);
    }
    for (at = schema; at; at = variant_of(at, value)) {
        r = check_members(at, value, path, errp);
        if (r < 0) {
            return r;
        }
    }
    return check_unexpected(schema, value, path, errp);
}

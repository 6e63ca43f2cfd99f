/*
 * Checks of vmstate tables themselves: mistakes of the one who wrote them.
 *
 * The format has traps that only show when two things meet (stream spec 2.5):
 * after each vmstate the reader takes for its own any subsection whose name
 * begins with that vmstate's name. So no vmstate that can be read just before
 * a subsection may have a name that is a prefix of the subsection's.
 */
#include <godwit/vmstate.h>

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "vmstate/field.h"

/* The tables that we are in: a list may refer to a table it is part of. */
struct chain {
    const struct chain *parent;
    const struct gw_vmstate *vmstate;
    unsigned int depth;
};

static bool is_in_chain(const struct chain *chain,
                        const struct gw_vmstate *vmstate)
{
    for (; chain; chain = chain->parent) {
        if (chain->vmstate == vmstate) {
            return true;
        }
    }
    return false;
}

static unsigned int depth_of(const struct chain *chain)
{
    return chain ? chain->depth : 0;
}

/*
 * ---- Names ----
 */

static bool is_name(const char *name)
{
    const char *c;

    if (!name || !*name || strlen(name) > GW_VMSTATE_NAME_MAX) {
        return false;
    }
    for (c = name; *c; c++) {
        if (*c < 0x20 || *c > 0x7e) {
            return false;
        }
    }
    return true;
}

static bool is_proper_prefix(const char *prefix, const char *name)
{
    size_t len = strlen(prefix);

    return strlen(name) > len && memcmp(prefix, name, len) == 0;
}

static const struct gw_vmstate *find_trap(const struct gw_vmstate *vmstate,
                                          const char *name,
                                          const struct chain *parent);

static const struct gw_vmstate *
find_trap_in_parts(const struct gw_vmstate *vmstate, const char *name,
                   const struct chain *chain)
{
    const struct gw_vmstate *const *sub = vmstate->subsections;
    const struct gw_vmstate *found = NULL;
    const struct gw_field *field;

    for (field = vmstate->fields; field->kind != GW_KIND_END; field++) {
        if (gw_field_has_inner(field)) {
            found = find_trap(field->inner, name, chain);
        }
        if (found) {
            return found;
        }
    }
    for (; sub && *sub && !found; sub++) {
        found = find_trap(*sub, name, chain);
    }
    return found;
}

/* A table, this one or one below it, that takes `name` for its own. */
static const struct gw_vmstate *find_trap(const struct gw_vmstate *vmstate,
                                          const char *name,
                                          const struct chain *parent)
{
    struct chain chain = {parent, vmstate, depth_of(parent) + 1};

    if (is_in_chain(parent, vmstate) || chain.depth > GW_VMSTATE_DEPTH_MAX) {
        return NULL;
    }
    if (is_proper_prefix(vmstate->name, name)) {
        return vmstate;
    }
    return find_trap_in_parts(vmstate, name, &chain);
}

/* What stands before subsection `sub`: fields, and subsections before it. */
static const struct gw_vmstate *
find_trap_before(const struct gw_vmstate *vmstate,
                 const struct gw_vmstate *const *sub)
{
    const struct gw_vmstate *const *before;
    const struct gw_vmstate *found = NULL;
    const struct gw_field *field;

    for (field = vmstate->fields; field->kind != GW_KIND_END; field++) {
        if (gw_field_has_inner(field)) {
            found = find_trap(field->inner, (*sub)->name, NULL);
        }
        if (found) {
            return found;
        }
    }
    for (before = vmstate->subsections; before < sub && !found; before++) {
        found = find_trap(*before, (*sub)->name, NULL);
    }
    return found;
}

static int check_subsection_name(const struct gw_vmstate *vmstate,
                                 const struct gw_vmstate *const *sub,
                                 struct gw_error **errp)
{
    const struct gw_vmstate *const *other;
    const struct gw_vmstate *trap;

    if (!is_proper_prefix(vmstate->name, (*sub)->name)) {
        return gw_error_set(errp, -EINVAL,
                            "vmstate '%s': the name of subsection '%s' does "
                            "not begin with its parent's",
                            vmstate->name, (*sub)->name);
    }
    for (other = vmstate->subsections; other < sub; other++) {
        if (strcmp((*other)->name, (*sub)->name) == 0) {
            return gw_error_set(errp, -EINVAL,
                                "vmstate '%s': two subsections '%s'",
                                vmstate->name, (*sub)->name);
        }
    }
    trap = find_trap_before(vmstate, sub);
    if (trap) {
        return gw_error_set(errp, -EINVAL,
                            "vmstate '%s': a reader would take subsection "
                            "'%s' for one of '%s', which comes before it",
                            vmstate->name, (*sub)->name, trap->name);
    }
    return 0;
}

/*
 * ---- Fields ----
 */

static int bad_field(const struct gw_vmstate *vmstate,
                     const struct gw_field *field, struct gw_error **errp,
                     const char *what)
{
    return gw_error_set(errp, -EINVAL, "vmstate '%s', field '%s': %s",
                        vmstate->name, field->name ? field->name : "", what);
}

static const char *bad_flags(const struct gw_field *field)
{
    uint32_t flags = field->flags;

    if (flags &
        ~(uint32_t)(GW_FLAG_POINTER | GW_FLAG_ALLOC | GW_FLAG_POINTERS)) {
        return "has unknown flags";
    }
    if (flags & GW_FLAG_ALLOC &&
        (!(flags & GW_FLAG_POINTER) || field->count_kind == GW_COUNT_FIXED ||
         field->kind == GW_KIND_BITMAP)) {
        return "allocates without a count";
    }
    if (flags & GW_FLAG_POINTERS &&
        (flags & GW_FLAG_POINTER || gw_field_is_bulk(field) ||
         field->count_kind != GW_COUNT_FIXED)) {
        return "is not an array of pointers of fixed length";
    }
    return NULL;
}

/* Bytes that the field takes in the struct; SIZE_MAX if that overflows. */
static size_t bytes_in_struct(const struct gw_field *field)
{
    size_t bytes;

    if (field->kind == GW_KIND_UNUSED) {
        return 0;
    }
    if (field->kind == GW_KIND_LIST) {
        return sizeof(struct gw_list);
    }
    if (field->flags & GW_FLAG_POINTER) {
        return sizeof(void *);
    }
    if (field->kind == GW_KIND_BITMAP) {
        return 8 * gw_bitmap_words(field->n);
    }
    if (__builtin_mul_overflow(field->flags & GW_FLAG_POINTERS ? sizeof(void *)
                                                               : field->size,
                               field->n, &bytes)) {
        return SIZE_MAX;
    }
    return bytes;
}

static bool ends_beyond(const struct gw_vmstate *vmstate, size_t offset,
                        size_t bytes)
{
    return vmstate->size > 0 &&
           (bytes > vmstate->size || offset > vmstate->size - bytes);
}

static const char *bad_place(const struct gw_vmstate *vmstate,
                             const struct gw_field *field)
{
    static const size_t count_sizes[] = {
        [GW_COUNT_FIXED] = 0, [GW_COUNT_U8] = 1,  [GW_COUNT_U16] = 2,
        [GW_COUNT_U32] = 4,   [GW_COUNT_I32] = 4,
    };

    if (field->size == 0) {
        return "has elements of no size";
    }
    if ((unsigned int)field->count_kind > GW_COUNT_I32) {
        return "has a count of an unknown type";
    }
    if (field->n > SIZE_MAX / field->size) {
        return "has more elements than memory";
    }
    if (ends_beyond(vmstate, field->offset, bytes_in_struct(field))) {
        return "ends beyond the struct";
    }
    if (field->count_kind != GW_COUNT_FIXED &&
        (field->multiplier == 0 || field->n == 0)) {
        return "has a count that can only be 0";
    }
    if (ends_beyond(vmstate, field->count_offset,
                    count_sizes[field->count_kind])) {
        return "has a count beyond the struct";
    }
    return NULL;
}

static const char *bad_inner(const struct gw_field *field)
{
    const struct gw_vmstate *inner = field->inner;

    if (!gw_field_has_inner(field)) {
        return inner ? "has a vmstate but is no struct" : NULL;
    }
    if (!inner) {
        return "is a struct without a vmstate";
    }
    if (inner->size > 0 && inner->size != field->size) {
        return "has another size than its vmstate";
    }
    if (field->kind == GW_KIND_VSTRUCT &&
        (field->inner_version < inner->min_version ||
         field->inner_version > inner->version)) {
        return "asks for a version that its vmstate does not have";
    }
    return NULL;
}

static int check_field(const struct gw_vmstate *vmstate,
                       const struct gw_field *field, struct gw_error **errp)
{
    const char *why = NULL;

    if (!is_name(field->name)) {
        return bad_field(vmstate, field, errp,
                         "the name is not 1 to 255 printable characters");
    }
    if (field->kind <= GW_KIND_END || field->kind >= GW_KIND_COUNT) {
        return bad_field(vmstate, field, errp, "is of an unknown kind");
    }
    if (field->kind == GW_KIND_VALIDATE) {
        return field->exists ? 0
                             : bad_field(vmstate, field, errp,
                                         "has no function to validate");
    }
    if (!field->exists && field->since > vmstate->version) {
        return bad_field(vmstate, field, errp,
                         "is newer than the vmstate's version");
    }
    why = bad_flags(field);
    if (!why) {
        why = bad_place(vmstate, field);
    }
    if (!why) {
        why = bad_inner(field);
    }
    return why ? bad_field(vmstate, field, errp, why) : 0;
}

/*
 * ---- The whole ----
 */

static int check_vmstate(const struct gw_vmstate *vmstate,
                         const struct chain *parent, struct gw_error **errp);

static int check_self(const struct gw_vmstate *vmstate, struct gw_error **errp)
{
    if (!is_name(vmstate->name)) {
        return gw_error_set(errp, -EINVAL,
                            "vmstate '%s': the name is not 1 to 255 printable "
                            "characters",
                            vmstate->name ? vmstate->name : "");
    }
    if (!vmstate->fields) {
        return gw_error_set(errp, -EINVAL, "vmstate '%s': has no fields",
                            vmstate->name);
    }
    if (vmstate->min_version > vmstate->version) {
        return gw_error_set(errp, -EINVAL,
                            "vmstate '%s': the minimum version %" PRIu32
                            " is beyond the version %" PRIu32,
                            vmstate->name, vmstate->min_version,
                            vmstate->version);
    }
    return 0;
}

static int check_fields(const struct gw_vmstate *vmstate,
                        const struct chain *chain, struct gw_error **errp)
{
    const struct gw_field *field;
    int r;

    for (field = vmstate->fields; field->kind != GW_KIND_END; field++) {
        r = check_field(vmstate, field, errp);
        if (r == 0 && gw_field_has_inner(field)) {
            r = check_vmstate(field->inner, chain, errp);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Names last: that search relies on all else being right. */
static int check_subsections(const struct gw_vmstate *vmstate,
                             const struct chain *chain, struct gw_error **errp)
{
    const struct gw_vmstate *const *sub;
    int r;

    for (sub = vmstate->subsections; sub && *sub; sub++) {
        r = check_vmstate(*sub, chain, errp);
        if (r == 0 && vmstate->size > 0 && (*sub)->size > 0 &&
            (*sub)->size != vmstate->size) {
            r = gw_error_set(errp, -EINVAL,
                             "vmstate '%s': subsection '%s' describes another "
                             "struct",
                             vmstate->name, (*sub)->name);
        }
        if (r < 0) {
            return r;
        }
    }
    for (sub = vmstate->subsections; sub && *sub; sub++) {
        r = check_subsection_name(vmstate, sub, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int check_vmstate(const struct gw_vmstate *vmstate,
                         const struct chain *parent, struct gw_error **errp)
{
    struct chain chain = {parent, vmstate, depth_of(parent) + 1};
    int r;

    if (is_in_chain(parent, vmstate)) {
        return 0;
    }
    r = check_self(vmstate, errp);
    if (r < 0) {
        return r;
    }
    if (chain.depth > GW_VMSTATE_DEPTH_MAX) {
        return gw_error_set(errp, -EINVAL,
                            "vmstate '%s': nested deeper than %d",
                            vmstate->name, GW_VMSTATE_DEPTH_MAX);
    }
    r = check_fields(vmstate, &chain, errp);
    if (r == 0) {
        r = check_subsections(vmstate, &chain, errp);
    }
    return r;
}

int gw_vmstate_check(const struct gw_vmstate *vmstate, struct gw_error **errp)
{
    return check_vmstate(vmstate, NULL, errp);
}

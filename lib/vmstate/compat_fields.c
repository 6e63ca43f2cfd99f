/*
 * Would a destination read what a source sends of one device?
 *
 * Names are not in the stream, so that what counts is the order and the sizes
 * of fields; names serve to find out which field is which. Fields that one
 * side may leave out are no difference by themselves. A destination that is
 * known from a saved file shows only what was sent then: what it lacks there
 * may be there all the same.
 */
#include "vmstate/compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

enum {
    /* A field that is not at its place is looked for so far ahead. */
    WINDOW = 256,
    PATH_MAX_LEN = 160,
};

/* Two lists of fields under comparison. */
struct walk {
    const struct gw_compat_pair *pair;
    const char *path; /* of the struct or subsection, "" or ending in '.' */
    const struct gw_compat_vmstate *from;
    const struct gw_compat_vmstate *to;
    uint32_t to_version; /* that the destination reads */
};

size_t gw_compat_name_len(const char *name)
{
    size_t len = strlen(name);
    size_t at = len;

    if (len == 0 || name[len - 1] != ']') {
        return len;
    }
    for (at = len - 1; at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9';) {
        at--;
    }
    return at > 1 && at < len - 1 && name[at - 1] == '[' ? at - 1 : len;
}

static bool same_name(const char *one, const char *other)
{
    size_t len = gw_compat_name_len(one);

    return len == gw_compat_name_len(other) && memcmp(one, other, len) == 0;
}

/* Its size in the stream is that of the C type. */
static bool is_plain(const struct gw_compat_field *field)
{
    return field->type && !field->inner &&
           (strncmp(field->type, "uint", 4) == 0 ||
            strncmp(field->type, "int", 3) == 0 ||
            strcmp(field->type, "bool") == 0);
}

/* Both sizes mean the same thing, so that they must be equal. */
static bool is_comparable(const struct gw_compat_field *a,
                          const struct gw_compat_field *b)
{
    if (a->size == GW_COMPAT_NO_SIZE || b->size == GW_COMPAT_NO_SIZE ||
        (a->inner && b->inner)) {
        return false;
    }
    if (a->size_in_memory != b->size_in_memory) {
        return is_plain(a->size_in_memory ? b : a) && !a->inner && !b->inner;
    }
    /* In memory, a struct may grow without a change of the stream. */
    return !a->size_in_memory || (!a->inner && !b->inner);
}

/* A count, or a buffer's length, that depends on the machine. */
static bool is_variable(const struct gw_compat_field *a,
                        const struct gw_compat_field *b)
{
    return a->is_variable || b->is_variable;
}

static bool n_differs(const struct gw_compat_field *a,
                      const struct gw_compat_field *b)
{
    return a->n != GW_COMPAT_NO_SIZE && b->n != GW_COMPAT_NO_SIZE &&
           a->n != b->n && !is_variable(a, b);
}

static bool size_differs(const struct gw_compat_field *a,
                         const struct gw_compat_field *b)
{
    return is_comparable(a, b) && a->size != b->size &&
           !(is_variable(a, b) && !is_plain(a));
}

/* What is known of them fits, whatever their names. */
static bool same_shape(const struct gw_compat_field *a,
                       const struct gw_compat_field *b)
{
    return is_comparable(a, b) && a->size == b->size && !n_differs(a, b);
}

/* A saved destination does not tell what it would read beside. */
static enum gw_compat_grade grade_of(const struct walk *walk)
{
    return walk->pair->destination->source == GW_COMPAT_FILE ? GW_COMPAT_DIFFERS
                                                             : GW_COMPAT_STOPS;
}

static void check_field(const struct walk *walk,
                        const struct gw_compat_field *a,
                        const struct gw_compat_field *b)
{
    const struct gw_compat_pair *pair = walk->pair;
    char path[PATH_MAX_LEN];

    if (size_differs(a, b)) {
        gw_compat_add(pair->report,
                      is_plain(a) ? GW_COMPAT_STOPS : grade_of(walk),
                      GW_COMPAT_ABOUT_FIELD, pair->idstr,
                      "device '%s': field '%s%s' has %" PRIu64
                      " bytes at the source, %" PRIu64 " at the destination",
                      pair->idstr, walk->path, a->name, a->size, b->size);
        return;
    }
    if (n_differs(a, b)) {
        gw_compat_add(pair->report, grade_of(walk), GW_COMPAT_ABOUT_FIELD,
                      pair->idstr,
                      "device '%s': field '%s%s' has %" PRIu64
                      " elements at the source, %" PRIu64 " at the destination",
                      pair->idstr, walk->path, a->name, a->n, b->n);
        return;
    }
    if (a->inner && b->inner) {
        /* Structs inside carry no version: each side takes its own. */
        snprintf(path, sizeof(path), "%s%s.", walk->path, a->name);
        gw_compat_check_lists(pair, path, a->inner, b->inner,
                              b->inner->version);
    }
}

/*
 * A file shows nothing of an array without elements, and a dump not which
 * fields are arrays of any length.
 */
static bool may_be_empty(const struct walk *walk,
                         const struct gw_compat_field *b)
{
    return walk->pair->source->source == GW_COMPAT_FILE &&
           (b->is_variable || b->n == GW_COMPAT_NO_SIZE);
}

/* As far as can be told. */
static bool is_array(const struct gw_compat_field *field)
{
    return field->is_variable ||
           (field->n == GW_COMPAT_NO_SIZE && (field->inner || !field->size));
}

static void lacks(const struct walk *walk, const struct gw_compat_field *b)
{
    if (b->is_conditional || (may_be_empty(walk, b) && is_array(b))) {
        return;
    }
    gw_compat_add(walk->pair->report,
                  may_be_empty(walk, b) ? GW_COMPAT_DIFFERS : grade_of(walk),
                  GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                  "device '%s': the destination expects field '%s%s', which "
                  "the source does not send%s",
                  walk->pair->idstr, walk->path, b->name,
                  may_be_empty(walk, b) ? ", unless it is an empty array" : "");
}

static void unknown(const struct walk *walk, const struct gw_compat_field *a)
{
    if (walk->pair->destination->source == GW_COMPAT_FILE) {
        if (a->is_conditional || is_array(a)) {
            return;
        }
        gw_compat_add(walk->pair->report, GW_COMPAT_DIFFERS,
                      GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                      "device '%s': field '%s%s' of the source is not in the "
                      "destination's file",
                      walk->pair->idstr, walk->path, a->name);
        return;
    }
    gw_compat_add(walk->pair->report,
                  a->is_conditional ? GW_COMPAT_DIFFERS : GW_COMPAT_STOPS,
                  GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                  "device '%s': field '%s%s' of the source is unknown to the "
                  "destination",
                  walk->pair->idstr, walk->path, a->name);
}

static void instead(const struct walk *walk, const struct gw_compat_field *a,
                    const struct gw_compat_field *b)
{
    if (same_shape(a, b)) {
        return;
    }
    gw_compat_add(walk->pair->report,
                  is_comparable(a, b) ? grade_of(walk) : GW_COMPAT_DIFFERS,
                  GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                  "device '%s': the source sends field '%s%s' where the "
                  "destination expects '%s'",
                  walk->pair->idstr, walk->path, a->name, b->name);
}

/* The next one from `i` on that is in streams of that version. */
static size_t next(const struct gw_compat_vmstate *vmstate, size_t i,
                   uint32_t version)
{
    while (i < vmstate->n_fields && vmstate->fields[i].since > version) {
        i++;
    }
    return i;
}

/* Where a field of that name comes, at or behind `i`; n_fields: nowhere. */
static size_t look_ahead(const struct gw_compat_vmstate *vmstate, size_t i,
                         uint32_t version, const char *name)
{
    size_t end =
        vmstate->n_fields - i > WINDOW ? i + WINDOW : vmstate->n_fields;

    for (i = next(vmstate, i, version); i < end;
         i = next(vmstate, i + 1, version)) {
        if (same_name(vmstate->fields[i].name, name)) {
            return i;
        }
    }
    return vmstate->n_fields;
}

/* Neither has a field of the other's name: goes on behind one or both. */
static void step_over(const struct walk *walk, size_t *i, size_t *j)
{
    const struct gw_compat_field *a = &walk->from->fields[*i];
    const struct gw_compat_field *b = &walk->to->fields[*j];

    if (same_shape(a, b) || (!a->is_conditional && !b->is_conditional)) {
        instead(walk, a, b);
        ++*i;
        ++*j;
    } else if (b->is_conditional) {
        ++*j;
    } else {
        unknown(walk, a);
        ++*i;
    }
}

/* Two fields of different names: one of them is additional. */
static void resolve(const struct walk *walk, size_t *i, size_t *j)
{
    const struct gw_compat_vmstate *from = walk->from;
    const struct gw_compat_vmstate *to = walk->to;
    size_t in_to = look_ahead(to, *j, walk->to_version, from->fields[*i].name);
    size_t in_from = look_ahead(from, *i, from->version, to->fields[*j].name);
    bool found_to = in_to < to->n_fields;
    bool found_from = in_from < from->n_fields;

    if (!found_to && !found_from) {
        step_over(walk, i, j);
    } else if (found_to && (!found_from || in_to - *j <= in_from - *i)) {
        lacks(walk, &to->fields[*j]);
        ++*j;
    } else {
        unknown(walk, &from->fields[*i]);
        ++*i;
    }
}

static bool next_is(const struct gw_compat_vmstate *vmstate, size_t i,
                    uint32_t version, const char *name)
{
    i = next(vmstate, i + 1, version);
    return i < vmstate->n_fields && same_name(vmstate->fields[i].name, name);
}

/*
 * Tables have several fields of one name, of which a condition chooses one:
 * the other side has fewer of them.
 */
static bool is_left_out(const struct gw_compat_vmstate *many, size_t i,
                        uint32_t many_version,
                        const struct gw_compat_vmstate *few, size_t j,
                        uint32_t few_version)
{
    const struct gw_compat_field *field = &many->fields[i];

    return field->is_conditional &&
           next_is(many, i, many_version, field->name) &&
           !next_is(few, j, few_version, field->name);
}

/* Two fields of one name. */
static void match(const struct walk *walk, size_t *i, size_t *j)
{
    const struct gw_compat_vmstate *from = walk->from;
    const struct gw_compat_vmstate *to = walk->to;

    if (is_left_out(to, *j, walk->to_version, from, *i, from->version)) {
        ++*j;
    } else if (is_left_out(from, *i, from->version, to, *j, walk->to_version)) {
        ++*i;
    } else {
        check_field(walk, &from->fields[(*i)++], &to->fields[(*j)++]);
    }
}

static void check_fields(const struct walk *walk)
{
    const struct gw_compat_vmstate *from = walk->from;
    const struct gw_compat_vmstate *to = walk->to;
    size_t i = 0, j = 0;

    for (;;) {
        i = next(from, i, from->version);
        j = next(to, j, walk->to_version);
        if (i == from->n_fields && j == to->n_fields) {
            return;
        }
        if (i == from->n_fields) {
            lacks(walk, &to->fields[j++]);
        } else if (j == to->n_fields) {
            unknown(walk, &from->fields[i++]);
        } else if (same_name(from->fields[i].name, to->fields[j].name)) {
            match(walk, &i, &j);
        } else {
            resolve(walk, &i, &j);
        }
    }
}

void gw_compat_check_lists(const struct gw_compat_pair *pair, const char *path,
                           const struct gw_compat_vmstate *from,
                           const struct gw_compat_vmstate *to,
                           uint32_t to_version)
{
    const struct walk walk = {pair, path, from, to, to_version};

    check_fields(&walk);
    gw_compat_check_subsections(pair, from, to);
}

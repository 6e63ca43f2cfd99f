/*
 * Would a destination read the fields that a source sends?
 *
 * Names are not in the stream: what counts is the order and the sizes of
 * fields. Names serve to find out which field is which, where both sides have
 * them; another implementation may have other ones. Fields that one side may
 * leave out are no difference by themselves. A destination that is known from
 * a saved file shows only what was sent then: what it lacks there may be
 * there all the same.
 */
#include "vmstate/compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmstate/compat_leaves.h"

enum {
    /* A field that is not at its place is looked for so far ahead. */
    WINDOW = 256,
};

/* A list on its way through. */
struct cursor {
    struct gw_compat_leaves list;
    uint64_t taken; /* bytes of the next that are used up, of unused ones */
};

struct walk {
    const struct gw_compat_pair *pair;
    bool failed; /* memory was short */
    struct cursor from;
    struct cursor to;
};

static void check_lists(const struct gw_compat_pair *pair, const char *path,
                        const struct gw_compat_vmstate *from,
                        const struct gw_compat_vmstate *to,
                        uint32_t to_version);

static const struct gw_compat_leaf_field *at(const struct cursor *cursor)
{
    return &cursor->list.items[cursor->list.n - 1];
}

static void advance(struct cursor *cursor)
{
    gw_compat_leaves_pop(&cursor->list);
    cursor->taken = 0;
}

size_t gw_compat_name_len(const char *name)
{
    size_t len = strlen(name);
    size_t start = len;

    if (len == 0 || name[len - 1] != ']') {
        return len;
    }
    for (start = len - 1;
         start > 0 && name[start - 1] >= '0' && name[start - 1] <= '9';) {
        start--;
    }
    return start > 1 && start < len - 1 && name[start - 1] == '[' ? start - 1
                                                                  : len;
}

/* The member alone: "tsc" for "env.tsc". */
static const char *member_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

static bool same_name(const struct gw_compat_leaf_field *a,
                      const struct gw_compat_leaf_field *b)
{
    const char *one = member_of(a->own);
    const char *other = member_of(b->own);
    size_t len = gw_compat_name_len(one);

    return a->is_unused == b->is_unused && len == gw_compat_name_len(other) &&
           memcmp(one, other, len) == 0;
}

/*
 * ---- Sizes ----
 */

/* Both sizes are known and mean the same thing. */
static bool is_comparable(const struct gw_compat_leaf_field *a,
                          const struct gw_compat_leaf_field *b)
{
    const struct gw_compat_field *x = a->field;
    const struct gw_compat_field *y = b->field;

    if (a->bytes != GW_COMPAT_NO_SIZE && b->bytes != GW_COMPAT_NO_SIZE) {
        return true;
    }
    if (x->size == GW_COMPAT_NO_SIZE || y->size == GW_COMPAT_NO_SIZE ||
        x->inner || y->inner || x->is_variable || y->is_variable) {
        return false;
    }
    /* A size in memory says something of plain values alone. */
    return x->size_in_memory == y->size_in_memory || a->is_plain || b->is_plain;
}

static bool same_count(const struct gw_compat_field *x,
                       const struct gw_compat_field *y)
{
    return x->n == y->n || x->n == GW_COMPAT_NO_SIZE ||
           y->n == GW_COMPAT_NO_SIZE;
}

/* Of comparable ones. */
static bool same_size(const struct gw_compat_leaf_field *a,
                      const struct gw_compat_leaf_field *b)
{
    if (a->bytes != GW_COMPAT_NO_SIZE && b->bytes != GW_COMPAT_NO_SIZE) {
        return a->bytes == b->bytes;
    }
    return a->field->size == b->field->size && same_count(a->field, b->field);
}

/* A number of elements that one side may choose: their size has to be one. */
static bool element_differs(const struct gw_compat_leaf_field *a,
                            const struct gw_compat_leaf_field *b)
{
    const struct gw_compat_field *x = a->field;
    const struct gw_compat_field *y = b->field;

    return a->is_plain && b->is_plain && x->size != GW_COMPAT_NO_SIZE &&
           y->size != GW_COMPAT_NO_SIZE && x->size != y->size;
}

/*
 * ---- Remarks ----
 */

/* A saved destination does not tell what it would read beside. */
static enum gw_compat_grade grade_of(const struct walk *walk)
{
    return walk->pair->destination->source == GW_COMPAT_FILE ? GW_COMPAT_DIFFERS
                                                             : GW_COMPAT_STOPS;
}

static void sizes_differ(const struct walk *walk,
                         const struct gw_compat_leaf_field *a,
                         const struct gw_compat_leaf_field *b)
{
    const struct gw_compat_field *x = a->field;
    const struct gw_compat_field *y = b->field;
    bool is_count = x->size == y->size && !same_count(x, y);
    bool sure = element_differs(a, b);

    gw_compat_add(walk->pair->report, sure ? GW_COMPAT_STOPS : grade_of(walk),
                  GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                  "device '%s': field '%s' has %" PRIu64
                  " %s at the source, %" PRIu64 " at the destination",
                  walk->pair->idstr, a->name,
                  is_count                        ? x->n
                  : a->bytes != GW_COMPAT_NO_SIZE ? a->bytes
                                                  : x->size,
                  is_count ? "elements" : "bytes",
                  is_count                        ? y->n
                  : b->bytes != GW_COMPAT_NO_SIZE ? b->bytes
                                                  : y->size);
}

/*
 * A file shows nothing of an array without elements, and a dump not which
 * fields are arrays of any length.
 */
static bool may_be_empty(const struct gw_compat_machine *source,
                         const struct gw_compat_field *field)
{
    bool is_open = field->n == GW_COMPAT_NO_SIZE;

    if (source->source == GW_COMPAT_FILE) {
        return field->is_variable || is_open;
    }
    return source->source == GW_COMPAT_MACHINE && is_open &&
           (field->inner || !field->size);
}

/* As far as can be told. */
static bool is_array(const struct gw_compat_field *field)
{
    return field->is_variable ||
           (field->n == GW_COMPAT_NO_SIZE && (field->inner || !field->size));
}

static void lacks(const struct walk *walk, const struct gw_compat_leaf_field *b)
{
    bool may_be = may_be_empty(walk->pair->source, b->field);

    if (b->is_conditional || (may_be && is_array(b->field))) {
        return;
    }
    gw_compat_add(walk->pair->report,
                  may_be ? GW_COMPAT_DIFFERS : grade_of(walk),
                  GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                  "device '%s': the destination expects field '%s', which "
                  "the source does not send%s",
                  walk->pair->idstr, b->name,
                  may_be ? ", unless it is an empty array" : "");
}

static void unknown(const struct walk *walk,
                    const struct gw_compat_leaf_field *a)
{
    const struct gw_compat_machine *to = walk->pair->destination;

    if (to->source == GW_COMPAT_FILE &&
        (a->is_conditional || is_array(a->field))) {
        return;
    }
    gw_compat_add(walk->pair->report,
                  a->is_conditional ? GW_COMPAT_DIFFERS : grade_of(walk),
                  GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                  "device '%s': field '%s' of the source is %s",
                  walk->pair->idstr, a->name,
                  to->source == GW_COMPAT_FILE ? "not in the destination's file"
                                               : "unknown to the destination");
}

static void instead(const struct walk *walk,
                    const struct gw_compat_leaf_field *a,
                    const struct gw_compat_leaf_field *b)
{
    gw_compat_add(walk->pair->report,
                  is_comparable(a, b) ? grade_of(walk) : GW_COMPAT_DIFFERS,
                  GW_COMPAT_ABOUT_FIELD, walk->pair->idstr,
                  "device '%s': the source sends field '%s' where the "
                  "destination expects '%s'",
                  walk->pair->idstr, a->name, b->name);
}

/*
 * ---- The walk ----
 */

/* How far ahead a field of that name comes; WINDOW: nowhere near. */
static size_t look_ahead(const struct cursor *cursor,
                         const struct gw_compat_leaf_field *wanted)
{
    size_t n = cursor->list.n;
    size_t i;

    /* Bytes without a meaning are anywhere. */
    for (i = 0; !wanted->is_unused && i < n && i < WINDOW; i++) {
        if (same_name(&cursor->list.items[n - 1 - i], wanted)) {
            return i;
        }
    }
    return WINDOW;
}

/*
 * Bytes without a meaning on one side can stand for several fields of the
 * other: takes the smaller one out of the larger. False: that does not work.
 */
static bool take_unused(struct walk *walk)
{
    const struct gw_compat_leaf_field *a = at(&walk->from);
    const struct gw_compat_leaf_field *b = at(&walk->to);
    uint64_t left_a, left_b;

    if ((!a->is_unused && !b->is_unused) || a->bytes == GW_COMPAT_NO_SIZE ||
        b->bytes == GW_COMPAT_NO_SIZE) {
        return false;
    }
    left_a = a->bytes - walk->from.taken;
    left_b = b->bytes - walk->to.taken;
    if ((left_a > left_b && !a->is_unused) ||
        (left_b > left_a && !b->is_unused)) {
        return false;
    }
    if (left_a == left_b) {
        advance(&walk->from);
        advance(&walk->to);
    } else if (left_a > left_b) {
        walk->from.taken += left_b;
        advance(&walk->to);
    } else {
        walk->to.taken += left_a;
        advance(&walk->from);
    }
    return true;
}

static bool next_is(const struct cursor *cursor)
{
    return cursor->list.n > 1 && same_name(at(cursor), at(cursor) - 1);
}

/*
 * Tables have several fields of one name, of which a condition chooses one:
 * the other side has fewer of them.
 */
static bool is_left_out(const struct cursor *many, const struct cursor *few)
{
    return at(many)->is_conditional && next_is(many) && !next_is(few);
}

static bool skip_left_out(struct walk *walk)
{
    if (is_left_out(&walk->to, &walk->from)) {
        advance(&walk->to);
        return true;
    }
    if (is_left_out(&walk->from, &walk->to)) {
        advance(&walk->from);
        return true;
    }
    return false;
}

static void advance_both(struct walk *walk)
{
    advance(&walk->from);
    advance(&walk->to);
}

static bool expand(struct walk *walk)
{
    struct cursor *which = at(&walk->from)->is_one_struct ? &walk->from
                           : at(&walk->to)->is_one_struct ? &walk->to
                                                          : NULL;

    if (!which) {
        return false;
    }
    walk->failed = !gw_compat_leaves_expand(&which->list);
    return true;
}

/* Neither has a field of the other's name: goes on behind one or both. */
static void step_over(struct walk *walk)
{
    const struct gw_compat_leaf_field *a = at(&walk->from);
    const struct gw_compat_leaf_field *b = at(&walk->to);

    if (skip_left_out(walk) || take_unused(walk)) {
        return;
    }
    if (is_comparable(a, b) && same_size(a, b)) {
        advance_both(walk);
    } else if (expand(walk)) {
        return;
    } else if (b->is_conditional) {
        advance(&walk->to);
    } else if (a->is_conditional) {
        unknown(walk, a);
        advance(&walk->from);
    } else {
        instead(walk, a, b);
        advance_both(walk);
    }
}

/* Two fields of different names: one of them is additional, or renamed. */
static void resolve(struct walk *walk)
{
    size_t in_to, in_from;

    if (!gw_compat_spend(walk->pair->report, WINDOW)) {
        return;
    }
    in_to = look_ahead(&walk->to, at(&walk->from));
    in_from = look_ahead(&walk->from, at(&walk->to));

    if (in_to == WINDOW && in_from == WINDOW) {
        step_over(walk);
    } else if (in_to <= in_from) {
        lacks(walk, at(&walk->to));
        advance(&walk->to);
    } else {
        unknown(walk, at(&walk->from));
        advance(&walk->from);
    }
}

/* Two structs of one name: their parts, each side's version of them. */
static void check_structs(const struct walk *walk,
                          const struct gw_compat_leaf_field *a,
                          const struct gw_compat_leaf_field *b)
{
    char path[GW_COMPAT_PATH_MAX];

    if (!same_count(a->field, b->field) && !a->field->is_variable &&
        !b->field->is_variable) {
        sizes_differ(walk, a, b);
        return;
    }
    snprintf(path, sizeof(path), "%s.", a->name);
    check_lists(walk->pair, path, a->field->inner, b->field->inner,
                b->field->inner->version);
}

/* Two fields of one name. */
static void match(struct walk *walk)
{
    const struct gw_compat_leaf_field *a = at(&walk->from);
    const struct gw_compat_leaf_field *b = at(&walk->to);

    if (skip_left_out(walk) || (a->is_unused && take_unused(walk))) {
        return;
    }
    if (a->field->inner && b->field->inner) {
        check_structs(walk, a, b);
    } else if (element_differs(a, b) ||
               (is_comparable(a, b) && !same_size(a, b))) {
        sizes_differ(walk, a, b);
    }
    advance_both(walk);
}

static void check_all(struct walk *walk)
{
    while (!walk->failed && (walk->from.list.n || walk->to.list.n) &&
           gw_compat_spend(walk->pair->report, 1)) {
        if (!walk->from.list.n) {
            lacks(walk, at(&walk->to));
            advance(&walk->to);
        } else if (!walk->to.list.n) {
            unknown(walk, at(&walk->from));
            advance(&walk->from);
        } else if (same_name(at(&walk->from), at(&walk->to))) {
            match(walk);
        } else {
            resolve(walk);
        }
    }
}

/* What the source's version has with what the destination has of its own. */
static void check_lists(const struct gw_compat_pair *pair, const char *path,
                        const struct gw_compat_vmstate *from,
                        const struct gw_compat_vmstate *to, uint32_t to_version)
{
    struct walk walk = {.pair = pair};

    if (!gw_compat_spend(pair->report, from->n_fields + to->n_fields)) {
        return;
    }
    walk.failed =
        !gw_compat_leaves_make(&walk.from.list, from, from->version, path) ||
        !gw_compat_leaves_make(&walk.to.list, to, to_version, path);
    check_all(&walk);
    if (walk.failed) {
        gw_compat_report_fail(pair->report);
    }
    gw_compat_leaves_deinit(&walk.from.list);
    gw_compat_leaves_deinit(&walk.to.list);
}

void gw_compat_check_fields(const struct gw_compat_pair *pair, const char *path,
                            const struct gw_compat_vmstate *from,
                            const struct gw_compat_vmstate *to)
{
    /* Structs inside carry no version, sections and subsections do. */
    check_lists(pair, path, from, to, from->version);
}

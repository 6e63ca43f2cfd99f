/*
 * Random contents of the kit's devices, and their comparison.
 */
#include "kit-devices.h"

#include <stdlib.h>
#include <string.h>

#include "kit.h"

static void fill_scalars(struct kit_scalars *s, struct kit_rng *rng)
{
    s->flag = kit_chance(rng, 50);
    s->u8 = (uint8_t)kit_random(rng);
    s->u16 = (uint16_t)kit_random(rng);
    s->u32 = (uint32_t)kit_random(rng);
    s->u64 = kit_random(rng);
    s->i8 = (int8_t)kit_random(rng);
    s->i16 = (int16_t)kit_random(rng);
    s->i32 = (int32_t)kit_random(rng);
    s->i64 = (int64_t)kit_random(rng);
    s->real = (double)(int64_t)kit_random(rng) / 3;
    s->timer = kit_chance(rng, 30) ? GW_TIMER_NOT_ARMED
                                   : (int64_t)(kit_random(rng) >> 1);
    s->since_2 = (uint16_t)kit_random(rng);
    s->since_3 = kit_random(rng);
}

static void fill_arrays(struct kit_arrays *a, struct kit_rng *rng)
{
    size_t i;

    for (i = 0; i < 5; i++) {
        a->flags[i] = kit_chance(rng, 50);
    }
    kit_random_bytes(rng, a->bytes, sizeof(a->bytes));
    kit_random_bytes(rng, a->u16s, sizeof(a->u16s));
    kit_random_bytes(rng, a->u32s, sizeof(a->u32s));
    kit_random_bytes(rng, a->i64s, sizeof(a->i64s));
    kit_random_bytes(rng, a->some + 2, 3 * sizeof(a->some[0]));
    kit_random_bytes(rng, a->bits, sizeof(a->bits));
    a->bits[1] &= (UINT64_C(1) << (100 - 64)) - 1;
}

/* `size` random bytes on the heap; NULL for none. */
static void *random_heap(struct kit_rng *rng, size_t size)
{
    void *data = size ? malloc(size) : NULL;

    KIT_CHECK(data || !size, "out of memory");
    kit_random_bytes(rng, data, size);
    return data;
}

static void fill_counted(struct kit_counted *c, struct kit_rng *rng)
{
    int32_t i;

    c->n_inside = (uint8_t)kit_below(rng, 17);
    kit_random_bytes(rng, c->inside, c->n_inside * sizeof(c->inside[0]));
    c->n_u16s = (uint16_t)kit_below(rng, kit_chance(rng, 30) ? 1 : 101);
    c->u16s = random_heap(rng, c->n_u16s * sizeof(c->u16s[0]));
    c->n_bytes = (uint32_t)kit_below(rng, kit_chance(rng, 30) ? 1 : 301);
    c->bytes = random_heap(rng, c->n_bytes);
    c->n_bits = (int32_t)kit_below(rng, 257);
    for (i = 0; i < c->n_bits; i++) {
        c->bits[i / 64] |= (kit_random(rng) & 1) << (i % 64);
    }
}

static void fill_inner(struct kit_inner *inner, struct kit_rng *rng)
{
    inner->a = (uint32_t)kit_random(rng);
    inner->b = (uint8_t)kit_random(rng);
}

static void fill_nested(struct kit_nested *n, struct kit_rng *rng)
{
    size_t i;

    fill_inner(&n->one, rng);
    for (i = 0; i < 3; i++) {
        fill_inner(&n->fixed[i], rng);
    }
    n->n_counted = (uint8_t)kit_below(rng, 7);
    for (i = 0; i < n->n_counted; i++) {
        fill_inner(&n->counted[i], rng);
    }
    n->n_allocated = (uint32_t)kit_below(rng, 41);
    n->allocated = calloc(n->n_allocated + 1u, sizeof(*n->allocated));
    KIT_CHECK(n->allocated, "out of memory");
    for (i = 0; i < n->n_allocated; i++) {
        fill_inner(&n->allocated[i], rng);
    }
    fill_inner(&n->target, rng);
    for (i = 0; i < 4; i += 2) {
        fill_inner(&n->targets[i], rng);
    }
}

static void fill_list(struct kit_list *list, struct kit_rng *rng)
{
    uint64_t n = kit_below(rng, 20);

    list->before = (uint8_t)kit_random(rng);
    list->after = (uint8_t)kit_random(rng);
    while (n--) {
        struct kit_element *element = calloc(1, sizeof(*element));

        KIT_CHECK(element, "out of memory");
        element->value = kit_random(rng);
        gw_list_append(&list->elements, &element->link);
    }
}

static void fill_optional(struct kit_optional *o, struct kit_rng *rng)
{
    o->always = (uint32_t)kit_random(rng);
    o->level = (uint32_t)kit_below(rng, 3);
    o->first = o->level >= 1 ? kit_random(rng) : 0;
    o->second = o->level >= 2 ? (uint16_t)kit_random(rng) : 0;
    o->other = kit_chance(rng, 50) ? (uint8_t)kit_random(rng) : 0;
}

void kit_devices_fill(struct kit_devices *devices, struct kit_rng *rng)
{
    fill_scalars(&devices->scalars[0], rng);
    fill_scalars(&devices->scalars[1], rng);
    fill_arrays(&devices->arrays, rng);
    fill_counted(&devices->counted, rng);
    fill_nested(&devices->nested, rng);
    fill_list(&devices->list, rng);
    fill_optional(&devices->optional, rng);
}

static bool same_bytes(const void *a, const void *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

static bool same_counted(const struct kit_counted *a,
                         const struct kit_counted *b)
{
    return a->n_inside == b->n_inside &&
           same_bytes(a->inside, b->inside, sizeof(a->inside)) &&
           a->n_u16s == b->n_u16s &&
           same_bytes(a->u16s, b->u16s, a->n_u16s * sizeof(a->u16s[0])) &&
           a->n_bytes == b->n_bytes &&
           same_bytes(a->bytes, b->bytes, a->n_bytes) &&
           a->n_bits == b->n_bits &&
           same_bytes(a->bits, b->bits, sizeof(a->bits));
}

static bool same_inner(const struct kit_inner *a, const struct kit_inner *b,
                       size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (a[i].a != b[i].a || a[i].b != b[i].b) {
            return false;
        }
    }
    return true;
}

static bool same_nested(const struct kit_nested *a, const struct kit_nested *b)
{
    return same_inner(&a->one, &b->one, 1) &&
           same_inner(a->fixed, b->fixed, 3) && a->n_counted == b->n_counted &&
           same_inner(a->counted, b->counted, 6) &&
           a->n_allocated == b->n_allocated &&
           same_inner(a->allocated, b->allocated, a->n_allocated) &&
           same_inner(&a->target, &b->target, 1) &&
           same_inner(a->targets, b->targets, 4);
}

static bool same_list(const struct kit_list *a, const struct kit_list *b)
{
    struct gw_list_link *x = a->elements.first;
    struct gw_list_link *y = b->elements.first;

    while (x && y) {
        if (GW_LIST_ENTRY(x, struct kit_element, link)->value !=
            GW_LIST_ENTRY(y, struct kit_element, link)->value) {
            return false;
        }
        x = x->next;
        y = y->next;
    }
    return !x && !y && a->before == b->before && a->after == b->after;
}

static bool same_optional(const struct kit_optional *a,
                          const struct kit_optional *b)
{
    return a->always == b->always && a->level == b->level &&
           a->first == b->first && a->second == b->second &&
           a->other == b->other;
}

const char *kit_devices_compare(const struct kit_devices *a,
                                const struct kit_devices *b, unsigned int kinds)
{
    if (kinds & 1u << KIT_SCALARS &&
        !same_bytes(a->scalars, b->scalars, sizeof(a->scalars))) {
        return "kit-scalars";
    }
    if (kinds & 1u << KIT_ARRAYS &&
        !same_bytes(&a->arrays, &b->arrays, sizeof(a->arrays))) {
        return "kit-arrays";
    }
    if (kinds & 1u << KIT_COUNTED && !same_counted(&a->counted, &b->counted)) {
        return "kit-counted";
    }
    if (kinds & 1u << KIT_NESTED && !same_nested(&a->nested, &b->nested)) {
        return "kit-nested";
    }
    if (kinds & 1u << KIT_LIST && !same_list(&a->list, &b->list)) {
        return "kit-list";
    }
    if (kinds & 1u << KIT_OPTIONAL &&
        !same_optional(&a->optional, &b->optional)) {
        return "kit-optional";
    }
    return NULL;
}

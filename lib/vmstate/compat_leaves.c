/*
 * The fields of a vmstate as they follow each other in the stream.
 *
 * Which struct a field is in leaves no trace in the stream, and an
 * implementation may have flat what another one has nested: structs can be
 * taken apart where they stand. So the list is a stack, the next field on
 * top.
 */
#include "vmstate/compat_leaves.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the struct that is taken apart. */
struct context {
    const char *path; /* "" or ending in '.' */
    bool is_conditional;
};

void gw_compat_leaves_deinit(struct gw_compat_leaves *leaves)
{
    size_t i;

    for (i = 0; i < leaves->n; i++) {
        free(leaves->items[i].name);
    }
    free(leaves->items);
    *leaves = (struct gw_compat_leaves){0};
}

static bool is_plain(const struct gw_compat_field *field)
{
    return field->type && !field->inner &&
           (strncmp(field->type, "uint", 4) == 0 ||
            strncmp(field->type, "int", 3) == 0 ||
            strcmp(field->type, "bool") == 0);
}

static uint64_t times(uint64_t n, uint64_t size)
{
    uint64_t bytes;

    if (n == GW_COMPAT_NO_SIZE || size == GW_COMPAT_NO_SIZE ||
        __builtin_mul_overflow(n, size, &bytes)) {
        return GW_COMPAT_NO_SIZE;
    }
    return bytes;
}

/* What one takes in the stream; GW_COMPAT_NO_SIZE: not always the same. */
static uint64_t struct_bytes(const struct gw_compat_vmstate *vmstate);

static uint64_t field_bytes(const struct gw_compat_field *field)
{
    if (field->is_variable || field->is_conditional) {
        return GW_COMPAT_NO_SIZE;
    }
    if (field->size != GW_COMPAT_NO_SIZE && !field->size_in_memory) {
        return times(field->n, field->size);
    }
    return field->inner ? times(field->n, struct_bytes(field->inner))
                        : GW_COMPAT_NO_SIZE;
}

static uint64_t struct_bytes(const struct gw_compat_vmstate *vmstate)
{
    uint64_t sum = 0, bytes;
    size_t i;

    for (i = 0; i < vmstate->n_fields; i++) {
        if (vmstate->fields[i].since > vmstate->version) {
            continue;
        }
        bytes = field_bytes(&vmstate->fields[i]);
        if (bytes == GW_COMPAT_NO_SIZE ||
            __builtin_add_overflow(sum, bytes, &sum)) {
            return GW_COMPAT_NO_SIZE;
        }
    }
    /* Subsections may follow each. */
    return vmstate->n_subsections ? GW_COMPAT_NO_SIZE : sum;
}

static bool is_unused(const struct gw_compat_field *field)
{
    return (field->type && strcmp(field->type, "unused_buffer") == 0) ||
           strncmp(field->name, "unused", 6) == 0;
}

static bool push(struct gw_compat_leaves *leaves,
                 const struct gw_compat_field *field,
                 const struct context *context)
{
    struct gw_compat_leaf_field leaf = {
        .field = field,
        .bytes = field_bytes(field),
        .is_plain = is_plain(field),
        .is_unused = is_unused(field),
        .is_conditional = field->is_conditional || context->is_conditional,
        .is_one_struct = field->inner && field->inner->n_fields > 0 &&
                         !field->is_variable &&
                         (field->n == 1 || field->n == GW_COMPAT_NO_SIZE),
    };
    struct gw_compat_leaf_field *grown;

    if (leaves->n == leaves->capacity) {
        leaves->capacity = 2 * leaves->capacity + 64;
        grown = realloc(leaves->items, leaves->capacity * sizeof(*grown));
        if (!grown) {
            return false;
        }
        leaves->items = grown;
    }
    if (asprintf(&leaf.name, "%s%s", context->path, field->name) < 0) {
        return false;
    }
    leaf.own = leaf.name + strlen(context->path);
    /* A condition says when, not how much. */
    if (field->is_conditional && !field->is_variable &&
        field->size != GW_COMPAT_NO_SIZE && !field->size_in_memory) {
        leaf.bytes = times(field->n, field->size);
    }
    leaves->items[leaves->n++] = leaf;
    return true;
}

/* The last one first. */
static bool push_all(struct gw_compat_leaves *leaves,
                     const struct gw_compat_vmstate *vmstate, uint32_t version,
                     const struct context *context)
{
    size_t i;

    for (i = vmstate->n_fields; i > 0; i--) {
        const struct gw_compat_field *field = &vmstate->fields[i - 1];

        if (field->since <= version && !push(leaves, field, context)) {
            return false;
        }
    }
    return true;
}

bool gw_compat_leaves_make(struct gw_compat_leaves *leaves,
                           const struct gw_compat_vmstate *vmstate,
                           uint32_t version, const char *path)
{
    const struct context top = {path, false};

    *leaves = (struct gw_compat_leaves){0};
    return push_all(leaves, vmstate, version, &top);
}

void gw_compat_leaves_pop(struct gw_compat_leaves *leaves)
{
    free(leaves->items[--leaves->n].name);
}

bool gw_compat_leaves_expand(struct gw_compat_leaves *leaves)
{
    const struct gw_compat_leaf_field leaf = leaves->items[leaves->n - 1];
    char path[GW_COMPAT_PATH_MAX];
    const struct context context = {path, leaf.is_conditional};

    snprintf(path, sizeof(path), "%s.", leaf.name);
    gw_compat_leaves_pop(leaves);
    return push_all(leaves, leaf.field->inner, leaf.field->inner->version,
                    &context);
}

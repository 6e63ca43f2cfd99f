/*
 * Shapes of machines: random ones, and a few for a purpose.
 */
#include "kit.h"

#include <string.h>

/* Sizes around the words of a bitmap. */
static const uint64_t page_counts[] = {1,  2,   3,   63,  64,  65,
                                       67, 100, 127, 128, 129, 300};

static uint64_t random_pages(struct kit_rng *rng)
{
    return page_counts[kit_below(rng,
                                 sizeof(page_counts) / sizeof(page_counts[0]))];
}

static void random_block(struct kit_block_shape *b, size_t index,
                         struct kit_rng *rng)
{
    snprintf(b->idstr, sizeof(b->idstr), "%s%u",
             index ? "/rom@etc/block-" : "pc.ram-", (unsigned int)index);
    b->backing = (enum kit_backing)kit_below(rng, KIT_BACKING_COUNT);
    b->used_pages = random_pages(rng);
    b->other_pages = b->used_pages;
    b->max_pages = b->used_pages;
    if (b->backing >= KIT_MEMFD && kit_chance(rng, 50)) {
        b->fd_offset = 1 + kit_below(rng, 5);
    }
    if (kit_chance(rng, 30)) {
        b->flags |= GW_RAM_RESIZEABLE;
        b->other_pages = random_pages(rng);
        b->max_pages =
            b->used_pages > b->other_pages ? b->used_pages : b->other_pages;
        b->max_pages += kit_below(rng, 3);
    }
    if (b->backing == KIT_OWN && kit_chance(rng, 30)) {
        b->flags |= GW_RAM_READONLY;
    }
    if (b->backing == KIT_MEMFD || b->backing == KIT_MEMFD_OWN) {
        b->flags |= GW_RAM_SHARED;
    }
    if (b->backing == KIT_FILE) {
        b->flags |= GW_RAM_SHARED | GW_RAM_NAMED_FILE;
    }
}

void kit_shape_random(struct kit_shape *shape, struct kit_rng *rng)
{
    size_t i;

    memset(shape, 0, sizeof(*shape));
    shape->n_blocks = 1 + kit_below(rng, KIT_MAX_BLOCKS);
    for (i = 0; i < shape->n_blocks; i++) {
        random_block(&shape->blocks[i], i, rng);
    }
    shape->devices =
        (unsigned int)kit_below(rng, UINT64_C(1) << KIT_DEVICE_COUNT);
    shape->running = kit_chance(rng, 50);
}

void kit_shape_small(struct kit_shape *shape)
{
    *shape = (struct kit_shape){
        .blocks = {{.idstr = "pc.ram",
                    .backing = KIT_MEMFD,
                    .used_pages = 67,
                    .other_pages = 67,
                    .max_pages = 67,
                    .fd_offset = 1,
                    .flags = GW_RAM_SHARED},
                   {.idstr = "/rom@etc/acpi/tables",
                    .backing = KIT_ANONYMOUS,
                    .used_pages = 2,
                    .other_pages = 1,
                    .max_pages = 4,
                    .flags = GW_RAM_RESIZEABLE},
                   {.idstr = "pc.bios",
                    .backing = KIT_OWN,
                    .used_pages = 1,
                    .other_pages = 1,
                    .max_pages = 1,
                    .flags = GW_RAM_READONLY}},
        .n_blocks = 3,
        .devices = (1u << KIT_DEVICE_COUNT) - 1,
        .running = true,
    };
}

void kit_shape_large(struct kit_shape *shape)
{
    *shape = (struct kit_shape){
        .blocks = {{.idstr = "pc.ram",
                    .backing = KIT_ANONYMOUS,
                    .used_pages = 8192,
                    .other_pages = 8192,
                    .max_pages = 8192}},
        .n_blocks = 1,
        .devices = 1u << KIT_SCALARS,
        .running = true,
    };
}

void kit_shape_live(struct kit_shape *shape)
{
    static const struct kit_block_shape blocks[] = {
        {.idstr = "pc.ram", .backing = KIT_ANONYMOUS, .used_pages = 700},
        {.idstr = "memfd",
         .backing = KIT_MEMFD,
         .used_pages = 300,
         .fd_offset = 3,
         .flags = GW_RAM_SHARED},
        {.idstr = "file",
         .backing = KIT_FILE,
         .used_pages = 200,
         .fd_offset = 1,
         .flags = GW_RAM_SHARED | GW_RAM_NAMED_FILE},
        {.idstr = "copy", .backing = KIT_MEMFD_COPY, .used_pages = 100},
        {.idstr = "own", .backing = KIT_OWN, .used_pages = 129},
        {.idstr = "/rom@etc/acpi/tables",
         .backing = KIT_ANONYMOUS,
         .used_pages = 2,
         .max_pages = 4,
         .flags = GW_RAM_RESIZEABLE},
    };
    size_t i;

    *shape = (struct kit_shape){
        .n_blocks = sizeof(blocks) / sizeof(blocks[0]),
        .devices = (1u << KIT_DEVICE_COUNT) - 1,
        .running = true,
    };
    for (i = 0; i < shape->n_blocks; i++) {
        struct kit_block_shape *b = &shape->blocks[i];

        *b = blocks[i];
        b->other_pages = b->used_pages;
        b->max_pages = b->max_pages ? b->max_pages : b->used_pages;
    }
}

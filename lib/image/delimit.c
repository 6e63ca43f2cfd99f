/*
 * Cuts device sections at their footers, without a description.
 *
 * Device data can hold what looks like a footer, so each candidate is a
 * branch: it is right if what follows can be cut through to the end. A
 * position from which there is no way is remembered, and the bytes searched
 * are bounded, so a hostile file cannot make this long.
 */
#include "image/delimit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "channel/input.h"
#include "wire/command.h"
#include "wire/mapped_bitmap.h"
#include "wire/section.h"

/* Most that is searched: devices, RAM has gone by; and how often in all. */
#define TAIL_MAX (32ull * 1024 * 1024)
#define SEARCH_MAX (1024ull * 1024 * 1024)
/* A search costs as much as this many bytes, however near it ends. */
#define SEARCH_COST 64u

/* A section on the way; positions are in the tail. */
struct cut {
    size_t begin; /* its type byte */
    size_t data;
    size_t end; /* of the data, as tried */
    uint32_t section_id;
};

struct search {
    const uint8_t *tail;
    size_t size;
    struct cut *cuts; /* the way so far; owned */
    size_t n_cuts;
    size_t capacity;
    uint8_t *dead;  /* bit per position: no way from there; owned */
    uint64_t spent; /* bytes searched */
};

void gw_delimited_list_deinit(struct gw_delimited_list *list)
{
    free(list->items);
    *list = (struct gw_delimited_list){0};
}

/* Begins a section at `pos`; false if there is none, or no way from it. */
static int push(struct search *search, size_t pos, bool *ret_pushed)
{
    struct gw_reader r = gw_reader_of(search->tail + pos, search->size - pos);
    struct gw_section_header header;
    struct cut *cuts;

    *ret_pushed = false;
    if (gw_mapped_bitmap_test(search->dead, pos) ||
        gw_section_header_decode(&r, &header, NULL) ||
        header.kind != GW_SECTION_FULL) {
        return 0;
    }
    if (search->n_cuts == search->capacity) {
        search->capacity = search->capacity ? 2 * search->capacity : 64;
        cuts = reallocarray(search->cuts, search->capacity, sizeof(*cuts));
        if (!cuts) {
            return -ENOMEM;
        }
        search->cuts = cuts;
    }
    search->cuts[search->n_cuts++] =
        (struct cut){.begin = pos,
                     .data = search->size - gw_reader_left(&r),
                     .end = search->size - gw_reader_left(&r),
                     .section_id = header.section_id};
    *ret_pushed = true;
    return 0;
}

/* The next place from `from` on that looks like the section's footer. */
static bool find_footer(struct search *search, uint32_t section_id, size_t from,
                        size_t *ret_pos)
{
    struct gw_section_footer footer = {.section_id = section_id};
    uint8_t mark[GW_SECTION_FOOTER_SIZE];
    struct gw_writer w = gw_writer_of(mark, sizeof(mark));
    const uint8_t *found;

    gw_section_footer_encode(&w, &footer);
    found =
        memmem(search->tail + from, search->size - from, mark, sizeof(mark));
    *ret_pos = found ? (size_t)(found - search->tail) : search->size;
    search->spent += *ret_pos - from + SEARCH_COST;
    return found;
}

/* Passes over commands. */
static size_t skip_commands(const struct search *search, size_t pos)
{
    struct gw_command_header header;
    struct gw_reader r;

    for (;;) {
        r = gw_reader_of(search->tail + pos, search->size - pos);
        if (gw_command_header_decode(&r, &header, NULL) ||
            gw_reader_left(&r) < header.size) {
            return pos;
        }
        pos += GW_COMMAND_HEADER_SIZE + header.size;
    }
}

static bool is_end(const struct search *search, size_t pos)
{
    return pos + 1 == search->size && search->tail[pos] == GW_STREAM_EOF;
}

/*
 * Tries the last section's next candidate: 1 if it leads to the end, 0 to
 * go on, negative errno.
 */
static int step(struct search *search)
{
    struct cut *cut = &search->cuts[search->n_cuts - 1];
    bool pushed;
    size_t pos;

    if (!find_footer(search, cut->section_id, cut->end, &pos)) {
        gw_mapped_bitmap_set(search->dead, cut->begin);
        search->n_cuts--;
        return 0;
    }
    cut->end = pos;
    pos = skip_commands(search, pos + GW_SECTION_FOOTER_SIZE);
    if (is_end(search, pos)) {
        return 1;
    }
    if (pos < search->size) {
        int rc = push(search, pos, &pushed);

        if (rc || pushed) {
            return rc;
        }
    }
    cut->end++; /* not this one */
    return 0;
}

/* 1 if there is a way, then in `cuts`; 0 if there is none. */
static int run(struct search *search)
{
    size_t before;
    bool pushed;
    int rc = push(search, 0, &pushed);

    while (rc == 0 && search->n_cuts > 0 && search->spent < SEARCH_MAX) {
        before = search->n_cuts;
        rc = step(search);
        if (rc == 0 && search->n_cuts < before && search->n_cuts > 0) {
            search->cuts[search->n_cuts - 1].end++;
        }
    }
    return rc;
}

static int keep(const struct search *search, uint64_t offset,
                struct gw_delimited_list *list)
{
    const struct cut *cut;
    size_t i;

    list->items = calloc(search->n_cuts, sizeof(*list->items));
    if (!list->items) {
        return -ENOMEM;
    }
    for (i = 0; i < search->n_cuts; i++) {
        cut = &search->cuts[i];
        list->items[i].data_offset = offset + cut->data;
        list->items[i].data_size = cut->end - cut->data;
    }
    list->n = search->n_cuts;
    return 0;
}

static int search_tail(const uint8_t *tail, size_t size, uint64_t offset,
                       struct gw_delimited_list *list)
{
    struct search search = {.tail = tail, .size = size};
    int rc;

    search.dead = calloc(1, size / 8 + 1);
    rc = search.dead ? run(&search) : -ENOMEM;
    if (rc > 0) {
        rc = keep(&search, offset, list);
    }
    free(search.cuts);
    free(search.dead);
    return rc;
}

int gw_image_delimit(struct gw_input *input, uint64_t offset,
                     struct gw_delimited_list *ret_list, struct gw_error **errp)
{
    uint64_t end = gw_input_total_size(input);
    struct gw_delimited_list list = {0};
    GW_AUTO_FREE uint8_t *tail = NULL;
    int rc;

    if (end <= offset || end - offset > TAIL_MAX) {
        *ret_list = list;
        return 0;
    }
    tail = malloc(end - offset);
    if (!tail) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    rc = gw_input_pread(input, tail, end - offset, offset, errp);
    if (rc) {
        return rc;
    }
    if (search_tail(tail, end - offset, offset, &list)) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    *ret_list = list;
    return 0;
}

bool gw_delimited_find(const struct gw_delimited_list *list,
                       uint64_t data_offset, uint64_t *ret_size)
{
    size_t i;

    for (i = 0; i < list->n; i++) {
        if (list->items[i].data_offset == data_offset) {
            *ret_size = list->items[i].data_size;
            return true;
        }
    }
    return false;
}

/*
 * Finds the VM description at the end of a file.
 *
 * It is searched backwards: the mark, a length that stays within the file,
 * and JSON text. Its JSON has no control characters, so no candidate lies
 * within a description, and behind it only garbage may follow.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/input.h"
#include "image/index.h"
#include "wire/description.h"
#include "wire/section.h"

/* Room for the longest description, and garbage behind it. */
#define SEARCH_MAX (2ull * GW_LAYOUT_TEXT_MAX)
#define SEARCH_FIRST (256u * 1024)

/* Parses what starts at `pos` of the tail; NULL if it is no description. */
static struct gw_layout *try_at(const uint8_t *tail, size_t size, size_t pos)
{
    struct gw_reader r = gw_reader_of(tail + pos, size - pos);
    struct gw_description_header header;
    struct gw_layout *layout = NULL;
    const uint8_t *json;

    if (gw_description_header_decode(&r, &header, NULL) ||
        !gw_reader_get_bytes(&r, header.size, &json) || header.size == 0 ||
        json[0] != '{') {
        return NULL;
    }
    if (gw_layout_parse((const char *)json, header.size, &layout, NULL)) {
        return NULL;
    }
    return layout;
}

static struct gw_layout *search(const uint8_t *tail, size_t size,
                                size_t *ret_pos)
{
    struct gw_layout *layout;
    size_t pos;

    /* The end mark is before it. */
    for (pos = size; pos-- > 1;) {
        if (tail[pos] == GW_STREAM_DESCRIPTION &&
            tail[pos - 1] == GW_STREAM_EOF) {
            layout = try_at(tail, size, pos);
            if (layout) {
                *ret_pos = pos;
                return layout;
            }
        }
    }
    return NULL;
}

static int search_tail(struct gw_input *input, uint64_t end, size_t size,
                       struct gw_layout **ret_layout, uint64_t *ret_offset,
                       struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *tail = malloc(size);
    size_t pos = 0;
    int rc;

    if (!tail) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    rc = gw_input_pread(input, tail, size, end - size, errp);
    if (rc) {
        return rc;
    }
    *ret_layout = search(tail, size, &pos);
    *ret_offset = end - size + pos;
    return 0;
}

int gw_image_find_layout(struct gw_input *input, uint64_t stream_offset,
                         struct gw_layout **ret_layout, uint64_t *ret_offset,
                         struct gw_error **errp)
{
    uint64_t end = gw_input_total_size(input);
    uint64_t most = end > stream_offset ? end - stream_offset : 0;
    struct gw_layout *layout = NULL;
    size_t size = SEARCH_FIRST;
    int rc;

    most = gw_min_u64(most, SEARCH_MAX);
    for (;;) {
        size = gw_min_u64(size, most);
        if (size > 0) {
            rc = search_tail(input, end, size, &layout, ret_offset, errp);
            if (rc) {
                return rc;
            }
        }
        if (layout || size == most) {
            break;
        }
        size *= 8;
    }
    *ret_layout = layout;
    return 0;
}

/*
 * Reads the pages of an image through a window.
 */
#include "image/page_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "channel/channel.h"
#include "wire/ram.h"

#define WINDOW_SIZE (1024u * 1024)

int gw_page_source_init(struct gw_page_source *source,
                        struct gw_channel *channel, struct gw_error **errp)
{
    *source = (struct gw_page_source){.channel = channel};
    source->window = malloc(WINDOW_SIZE);
    source->page = aligned_alloc(GW_RAM_PAGE_SIZE, GW_RAM_PAGE_SIZE);
    if (!source->window || !source->page) {
        gw_page_source_deinit(source);
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    return 0;
}

void gw_page_source_deinit(struct gw_page_source *source)
{
    free(source->window);
    free(source->page);
    *source = (struct gw_page_source){0};
}

static int move_window(struct gw_page_source *source, uint64_t offset,
                       struct gw_error **errp)
{
    ssize_t got =
        gw_channel_pread(source->channel, source->window, WINDOW_SIZE, offset);

    if (got < (ssize_t)GW_RAM_PAGE_SIZE) {
        source->size = 0;
        return gw_error_set(errp, got < 0 ? (int)got : -ENODATA,
                            "cannot read a page at offset 0x%" PRIx64
                            "; did the file change?",
                            offset);
    }
    source->begin = offset;
    source->size = (size_t)got;
    return 0;
}

int gw_page_source_get(struct gw_page_source *source, uint64_t offset,
                       const uint8_t **ret_page, struct gw_error **errp)
{
    int rc;

    if (offset < source->begin ||
        offset - source->begin + GW_RAM_PAGE_SIZE > source->size) {
        rc = move_window(source, offset, errp);
        if (rc) {
            return rc;
        }
    }
    memcpy(source->page, source->window + (offset - source->begin),
           GW_RAM_PAGE_SIZE);
    *ret_page = source->page;
    return 0;
}

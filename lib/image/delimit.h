/*
 * The lengths of device sections in a file without a VM description (stream
 * spec 1.9): a guess that proves itself. Sections are cut at what looks like
 * their footers, so that the cuts lead through whole sections and commands
 * to an end mark which is the file's last byte.
 */
#ifndef GW_IMAGE_DELIMIT_H
#define GW_IMAGE_DELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_input;

/* A section whose length was found. */
struct gw_delimited {
    uint64_t data_offset; /* absolute */
    uint64_t data_size;   /* bytes */
};

/* Zero bytes are a valid, empty list. */
struct gw_delimited_list {
    struct gw_delimited *items; /* owned; in stream order */
    size_t n;
};

void gw_delimited_list_deinit(struct gw_delimited_list *list);

/*
 * Finds the sections from the FULL one at `offset` (its type byte) to the
 * file's end; *ret_list is empty if there is no way through.
 */
int gw_image_delimit(struct gw_input *input, uint64_t offset,
                     struct gw_delimited_list *ret_list,
                     struct gw_error **errp);

/* The length of the section with this data; false if it was not found. */
bool gw_delimited_find(const struct gw_delimited_list *list,
                       uint64_t data_offset, uint64_t *ret_size);

#endif

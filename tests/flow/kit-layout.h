/*
 * What each byte of a saved file is: which of them are page contents, which
 * belong to a device, which hold the stream together.
 */
#ifndef GW_TESTS_FLOW_KIT_LAYOUT_H
#define GW_TESTS_FLOW_KIT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kit.h"

enum kit_byte {
    KIT_BYTE_FRAME,       /* headers, footers, names, sizes, commands */
    KIT_BYTE_DEVICE,      /* a device section's data */
    KIT_BYTE_RECORD,      /* a word of the RAM section: flags and offset */
    KIT_BYTE_PAGE,        /* contents of a page, or its place */
    KIT_BYTE_OFFSETS,     /* a mapped block's two offsets */
    KIT_BYTE_BITMAP,      /* a block's page bitmap */
    KIT_BYTE_PADDING,     /* between a bitmap and the pages */
    KIT_BYTE_DESCRIPTION, /* behind the EOF byte */
    KIT_BYTE_COUNT,
};

/* A section of the stream, with its footer. */
struct kit_section {
    char idstr[256];     /* of parts and ends: that of their start */
    uint64_t start;      /* of its type byte */
    uint64_t end;        /* behind its footer */
    uint64_t data_start; /* of its data */
    uint64_t data_end;
    uint8_t type; /* 1 start, 2 part, 3 end, 4 full */
};

#define KIT_MAX_SECTIONS 32u

struct kit_layout {
    uint8_t *bytes; /* enum kit_byte of each; owned */
    uint8_t *data;  /* the file's contents; owned */
    size_t size;
    uint64_t eof; /* behind the EOF byte */
    struct kit_section sections[KIT_MAX_SECTIONS];
    size_t n_sections;
};

/* Reads a file that was saved well; ends the program if it is not. */
void kit_layout_init(struct kit_layout *layout, const char *path);
void kit_layout_deinit(struct kit_layout *layout);

/* The small machine, saved to a file, and what the file is made of. */
struct kit_saved {
    struct kit_shape shape;
    struct kit_machine from;
    struct kit_layout layout;
    char directory[KIT_PATH_SIZE];
    char path[KIT_PATH_SIZE + 16];
    char uri[KIT_PATH_SIZE + 32];
    bool mapped;
};

void kit_saved_init(struct kit_saved *s, struct kit_rng *rng, bool mapped);
void kit_saved_deinit(struct kit_saved *s);

#endif

/*
 * Section ids that godwit gives out. Any unique numbers would do.
 */
#ifndef GW_MIGRATE_SECTIONS_H
#define GW_MIGRATE_SECTIONS_H

enum {
    GW_SECTION_ID_RAM = 1,
    /* devices count up from here, in the order of the stream */
    GW_SECTION_ID_DEVICES = 2,
};

#endif

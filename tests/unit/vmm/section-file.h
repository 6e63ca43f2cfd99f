/*
 * Sections of devices kept as text: a line `section CAPTURE NAME VERSION
 * BYTES`, then `OFFSET HEX` for whatever is not zero. data/README.md says how
 * they were made.
 */
#ifndef GW_TESTS_UNIT_VMM_SECTION_FILE_H
#define GW_TESTS_UNIT_VMM_SECTION_FILE_H

#include "vmstate-helpers.h"

#define SECTION_MAX (160u << 10)

/* What was read last. */
static uint8_t section[SECTION_MAX];

static inline void put_hex(size_t offset, const char *digits)
{
    for (; digits[0] > ' '; digits += 2) {
        char byte[3] = {digits[0], digits[1], 0};

        assert_true(offset < sizeof(section));
        section[offset++] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

/* Reads a section of the file `name` into `section`; its size. */
static inline size_t read_section_of(const char *path, const char *capture,
                                     const char *name)
{
    FILE *file = fopen(path, "r");
    char line[256];
    char wanted[64];
    size_t size = 0;
    bool found = false;

    assert_non_null(file);
    memset(section, 0, sizeof(section));
    snprintf(wanted, sizeof(wanted), "section %s %s ", capture, name);
    while (fgets(line, sizeof(line), file)) {
        const char *digits = strchr(line, ' ');

        if (strncmp(line, "section ", 8) == 0) {
            found = strncmp(line, wanted, strlen(wanted)) == 0;
            if (found) {
                size = strtoul(strrchr(line, ' '), NULL, 10);
                assert_true(size <= sizeof(section));
            }
        } else if (found && digits) {
            put_hex(strtoul(line, NULL, 10), digits + 1);
        }
    }
    fclose(file);
    assert_true(size > 0);
    return size;
}

#endif

/*
 * Device sections of hostile streams, and what is saved of what they leave.
 */
#ifndef GW_TESTS_FUZZ_FUZZ_SECTION_H
#define GW_TESTS_FUZZ_FUZZ_SECTION_H

#include <string.h>

#include <godwit/vmstate.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "channel/input.h"
#include "fuzz.h"
#include "vmstate/load.h"
#include "vmstate/save.h"

/* What can be saved and loaded. */
struct fuzz_section {
    const struct gw_vmstate *vmstate;
    void *object;
};

/* Returns the bytes that were taken, or 0 if the section was refused. */
static inline size_t fuzz_load(const struct fuzz_section *section,
                               const uint8_t *data, size_t size)
{
    struct gw_input *input = gw_input_new_memory(data, size, NULL);
    size_t used = 0;

    FUZZ_ASSERT(input);
    if (gw_vmstate_load(section->vmstate, section->object,
                        section->vmstate->version, input, NULL) == 0) {
        used = (size_t)gw_input_offset(input);
    }
    gw_input_free(input);
    return used;
}

/*
 * Loads what the input begins with: its first byte says which of the sections
 * (0: none), and the section follows. Returns how many bytes that were, or 0
 * if the section was refused.
 */
static inline size_t fuzz_load_first(const struct fuzz_section *sections,
                                     size_t n_sections, const uint8_t *data,
                                     size_t size)
{
    const size_t which = size > 0 ? data[0] % (n_sections + 1) : 0;
    size_t used;

    if (which == 0) {
        return 1;
    }
    used = fuzz_load(&sections[which - 1], data + 1, size - 1);
    return used > 0 ? 1 + used : 0;
}

/* What we save we load, and save the same again. */
static inline void fuzz_save_and_load(const struct fuzz_section *section)
{
    GW_AUTO_BUFFER struct gw_buffer first = {0};
    GW_AUTO_BUFFER struct gw_buffer second = {0};

    FUZZ_ASSERT(gw_vmstate_save(section->vmstate, section->object, &first, NULL,
                                NULL) == 0);
    FUZZ_ASSERT(fuzz_load(section, first.data, first.size) == first.size);
    FUZZ_ASSERT(gw_vmstate_save(section->vmstate, section->object, &second,
                                NULL, NULL) == 0);
    FUZZ_ASSERT(first.size == second.size &&
                memcmp(first.data, second.data, first.size) == 0);
}

#endif

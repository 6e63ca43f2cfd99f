/*
 * Parses a hostile VM description and walks zeros along it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <godwit/error.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "vmstate/layout.h"

/* More than this would only be slow. */
enum {
    SECTION_MAX = 64 * 1024
};

struct seen {
    const uint8_t *data;
    uint64_t size;   /* of the section */
    size_t n_fields; /* reported so far */
};

static int check_field(void *opaque, const struct gw_image_field *field)
{
    struct seen *seen = opaque;

    FUZZ_ASSERT(field->name && field->type);
    FUZZ_ASSERT(field->offset <= seen->size &&
                field->size <= seen->size - field->offset);
    if (field->data) {
        FUZZ_ASSERT(field->data == seen->data + field->offset);
    }
    return ++seen->n_fields > 10000;
}

static void walk(const struct gw_layout_device *device, const uint8_t *zeros)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct seen seen = {zeros, device->vmstate.size, 0};
    int r;

    if (seen.size > SECTION_MAX) {
        return;
    }
    r = gw_layout_walk(device, zeros, (size_t)seen.size, 0, check_field, &seen,
                       &error);
    FUZZ_ASSERT((r < 0) == (error != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[SECTION_MAX];
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_layout *layout = NULL;
    size_t i;
    int r;

    r = gw_layout_parse((const char *)data, size, &layout, &error);
    FUZZ_ASSERT((r < 0) == (error != NULL) && (r < 0) == (layout == NULL));
    for (i = 0; layout && i < layout->n_devices && i < 16; i++) {
        walk(&layout->devices[i], zeros);
    }
    gw_layout_free(layout);
    return 0;
}

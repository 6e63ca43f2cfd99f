/*
 * Hostile Linux images: what is taken lies within the image, and its boot
 * parameters fit.
 */
#include "linux_image.h"

#include <string.h>

#include "fuzz.h"

static void check(const struct vmm_linux_image *image, const uint8_t *data,
                  size_t size)
{
    static const struct vmm_map_entry map[VMM_MAP_ENTRIES];
    struct vmm_linux_params params = {.map = map, .n_map = VMM_MAP_ENTRIES};
    uint8_t page[VMM_LINUX_PARAMS_BYTES];

    FUZZ_ASSERT(image->setup_size < size);
    FUZZ_ASSERT(image->kernel.bytes == data + image->setup_size);
    FUZZ_ASSERT(image->kernel.size == size - image->setup_size);
    FUZZ_ASSERT(image->run_start <= image->run_end);
    vmm_linux_write_params(image, &params, page);
    FUZZ_ASSERT(page[0x1e8] == VMM_MAP_ENTRIES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmm_contents contents = vmm_contents_lend(data, size);
    struct gw_error *error = NULL;
    struct vmm_linux_image image;
    int r = vmm_linux_parse(&contents, &image, &error);

    FUZZ_ASSERT((r < 0) == (error != NULL));
    if (r == 0) {
        check(&image, data, size);
    }
    gw_error_free(error);
    return 0;
}

/*
 * Hostile ELF images: what is written lies in guest RAM, and the entry in what
 * was loaded.
 */
#include "elf_image.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define RAM_BYTES 0x20000u

/* RAM of its own size, so that the sanitizer sees each byte beyond it. */
static void *place(void *opaque, uint64_t gpa, uint64_t bytes)
{
    uint8_t *ram = opaque;

    FUZZ_ASSERT(bytes > 0);
    return gpa <= RAM_BYTES && bytes <= RAM_BYTES - gpa ? ram + gpa : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmm_contents contents = vmm_contents_lend(data, size);
    struct gw_error *error = NULL;
    uint8_t *ram = calloc(1, RAM_BYTES);
    struct vmm_elf elf = {0};
    int r;

    FUZZ_ASSERT(ram);
    r = vmm_elf_load(&contents, place, ram, &elf, &error);
    FUZZ_ASSERT((r < 0) == (error != NULL));
    if (r == 0) {
        FUZZ_ASSERT(elf.start <= elf.entry && elf.entry < elf.end);
        FUZZ_ASSERT(elf.end <= RAM_BYTES);
    }
    gw_error_free(error);
    free(ram);
    return 0;
}

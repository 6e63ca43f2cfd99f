/*
 * The frame of the VM description.
 */
#include "fuzz-wire.h"
#include "wire/description.h"

FUZZ_WIRE_CODEC(description_header, struct gw_description_header)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_description_header(data, size);
    return 0;
}

/*
 * The file header.
 */
#include "fuzz-wire.h"
#include "wire/header.h"

FUZZ_WIRE_CODEC(file_header, struct gw_file_header)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_file_header(data, size);
    return 0;
}

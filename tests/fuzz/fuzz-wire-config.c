/*
 * The configuration section.
 */
#include "fuzz-wire.h"
#include "wire/config.h"

FUZZ_WIRE_CODEC(config, struct gw_stream_config)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_config(data, size);
    return 0;
}

/*
 * Headers of commands.
 */
#include "fuzz-wire.h"
#include "wire/command.h"

FUZZ_WIRE_CODEC(command_header, struct gw_command_header)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_command_header(data, size);
    return 0;
}

/*
 * Section headers and footers.
 */
#include "fuzz-wire.h"
#include "wire/section.h"

FUZZ_WIRE_CODEC(section_header, struct gw_section_header)
FUZZ_WIRE_CODEC(section_footer, struct gw_section_footer)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_section_header(data, size);
    fuzz_section_footer(data, size);
    return 0;
}

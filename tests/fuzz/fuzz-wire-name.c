/*
 * Counted names.
 */
#include "fuzz-wire.h"
#include "wire/name.h"

static int decode_name(struct gw_reader *r, void *ret,
                       struct gw_wire_fault *fault)
{
    return gw_name_decode(r, ret, fault);
}

static void encode_name(struct gw_writer *w, const void *value)
{
    gw_name_encode(w, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[GW_STREAM_NAME_SIZE];

    fuzz_codec(decode_name, encode_name, data, size, name);
    return 0;
}

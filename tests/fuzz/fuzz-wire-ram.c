/*
 * Records of the RAM section, and entries of its block table in all layouts.
 */
#include "fuzz-wire.h"
#include "wire/ram.h"

FUZZ_WIRE_CODEC(ram_record, struct gw_ram_record)

static const struct gw_ram_block_layout layouts[] = {
    {.page_size = false, .address = false},
    {.page_size = false, .address = true},
    {.page_size = true, .address = false},
    {.page_size = true, .address = true},
};

/* An entry, and how to read it. */
struct entry {
    const struct gw_ram_block_layout *layout;
    struct gw_ram_block_entry entry;
};

static int decode_entry(struct gw_reader *r, void *ret,
                        struct gw_wire_fault *fault)
{
    struct entry *entry = ret;

    return gw_ram_block_entry_decode(r, entry->layout, &entry->entry, fault);
}

static void encode_entry(struct gw_writer *w, const void *value)
{
    const struct entry *entry = value;

    gw_ram_block_entry_encode(w, entry->layout, &entry->entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t i;

    fuzz_ram_record(data, size);
    for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        struct entry entry = {.layout = &layouts[i]};

        fuzz_codec(decode_entry, encode_entry, data, size, &entry);
    }
    return 0;
}

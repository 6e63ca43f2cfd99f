/*
 * Records of the RAM section.
 */
#include "wire/ram.h"

#include <errno.h>
#include <inttypes.h>

#include "base/util.h"

/* The flags that may stand alone; `refusal` says why we do not take it. */
static const struct {
    uint32_t flag;
    const char *name;
    const char *refusal; /* NULL: taken */
} record_flags[] = {
    {GW_RAM_FLAG_FULL, "full", "is obsolete"},
    {GW_RAM_FLAG_ZERO, "zero page", NULL},
    {GW_RAM_FLAG_MEM_SIZE, "block table", NULL},
    {GW_RAM_FLAG_PAGE, "page", NULL},
    {GW_RAM_FLAG_EOS, "end of section", NULL},
    {GW_RAM_FLAG_XBZRLE, "XBZRLE page", "is not supported yet"},
    {GW_RAM_FLAG_HOOK, "RDMA hook", "is not supported"},
    {GW_RAM_FLAG_COMPRESS, "compressed page", "is not supported"},
    {GW_RAM_FLAG_MULTIFD_FLUSH, "multifd flush", NULL},
};

static int find_flag(uint32_t flag)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(record_flags); i++) {
        if (record_flags[i].flag == flag) {
            return (int)i;
        }
    }
    return -ENOENT;
}

const char *gw_ram_record_name(enum gw_ram_record_kind kind)
{
    int i = find_flag((uint32_t)kind);

    return i < 0 ? NULL : record_flags[i].name;
}

static bool is_page_kind(enum gw_ram_record_kind kind)
{
    return kind == GW_RAM_RECORD_ZERO || kind == GW_RAM_RECORD_PAGE;
}

static int classify(uint64_t word, struct gw_ram_record *record,
                    struct gw_wire_fault *fault)
{
    uint32_t flags = (uint32_t)(word & GW_RAM_FLAGS_MASK);
    int i = find_flag(flags & ~GW_RAM_FLAG_CONTINUE);

    if (i < 0) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "unknown RAM record flags 0x%03x", flags);
    }
    if (record_flags[i].refusal) {
        return gw_wire_fault_set(fault, -ENOTSUP,
                                 "RAM record %s (flag 0x%03x) %s",
                                 record_flags[i].name, record_flags[i].flag,
                                 record_flags[i].refusal);
    }
    record->kind = (enum gw_ram_record_kind)record_flags[i].flag;
    record->offset = word & ~(uint64_t)GW_RAM_FLAGS_MASK;
    record->same_block =
        is_page_kind(record->kind) && (flags & GW_RAM_FLAG_CONTINUE);
    if (record->kind == GW_RAM_RECORD_MEM_SIZE &&
        (flags & GW_RAM_FLAG_CONTINUE)) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "unknown RAM record flags 0x%03x", flags);
    }
    return 0;
}

static int decode_block_name(struct gw_reader *r, char *ret_name,
                             struct gw_wire_fault *fault)
{
    int rc = gw_name_decode(r, ret_name, fault);

    if (rc == 0 && !ret_name[0]) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "a RAM block with an empty name");
    }
    return rc;
}

static int decode_fill(struct gw_reader *r, const struct gw_ram_record *record,
                       struct gw_wire_fault *fault)
{
    uint8_t fill;

    if (!gw_reader_get_u8(r, &fill)) {
        return GW_SHORT;
    }
    if (fill != 0) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "zero page at offset 0x%" PRIx64
                                 " is filled with 0x%02x, expected 0x00",
                                 record->offset, fill);
    }
    return 0;
}

int gw_ram_record_decode(struct gw_reader *r, struct gw_ram_record *ret,
                         struct gw_wire_fault *fault)
{
    struct gw_reader at = *r;
    struct gw_ram_record record;
    uint64_t word;
    int rc;

    if (!gw_reader_get_be64(&at, &word)) {
        return GW_SHORT;
    }
    rc = classify(word, &record, fault);
    if (rc) {
        return rc;
    }
    record.idstr[0] = '\0';
    if (is_page_kind(record.kind) && !record.same_block) {
        rc = decode_block_name(&at, record.idstr, fault);
        if (rc) {
            return rc;
        }
    }
    if (record.kind == GW_RAM_RECORD_ZERO) {
        rc = decode_fill(&at, &record, fault);
        if (rc) {
            return rc;
        }
    }
    *r = at;
    *ret = record;
    return 0;
}

void gw_ram_record_encode(struct gw_writer *w,
                          const struct gw_ram_record *record)
{
    uint64_t flags = (uint64_t)record->kind;

    if (record->offset & GW_RAM_FLAGS_MASK) {
        w->failed = true;
        return;
    }
    if (is_page_kind(record->kind) && record->same_block) {
        flags |= GW_RAM_FLAG_CONTINUE;
    }
    gw_writer_put_be64(w, record->offset | flags);
    if (is_page_kind(record->kind) && !record->same_block) {
        gw_name_encode(w, record->idstr);
    }
    if (record->kind == GW_RAM_RECORD_ZERO) {
        gw_writer_put_u8(w, 0);
    }
}

uint64_t gw_ram_count_run(const struct gw_reader *r, uint64_t offset)
{
    struct gw_reader at = *r;
    const uint8_t *contents;
    uint64_t n_pages = 0;
    uint64_t word;

    do {
        n_pages++;
        offset += GW_RAM_PAGE_SIZE;
    } while (gw_reader_get_bytes(&at, GW_RAM_PAGE_SIZE, &contents) &&
             gw_reader_get_be64(&at, &word) &&
             word == (offset | GW_RAM_FLAG_PAGE | GW_RAM_FLAG_CONTINUE));
    return n_pages;
}

int gw_ram_block_entry_decode(struct gw_reader *r,
                              const struct gw_ram_block_layout *layout,
                              struct gw_ram_block_entry *ret,
                              struct gw_wire_fault *fault)
{
    struct gw_ram_block_entry entry = {0};
    struct gw_reader at = *r;
    int rc = decode_block_name(&at, entry.idstr, fault);

    if (rc) {
        return rc;
    }
    if (!gw_reader_get_be64(&at, &entry.used_length)) {
        return GW_SHORT;
    }
    if (entry.used_length & GW_RAM_FLAGS_MASK) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "RAM block '%s': length 0x%" PRIx64
                                 " is not a multiple of the page size %u",
                                 entry.idstr, entry.used_length,
                                 GW_RAM_PAGE_SIZE);
    }
    if (layout->page_size && !gw_reader_get_be64(&at, &entry.page_size)) {
        return GW_SHORT;
    }
    if (layout->address && !gw_reader_get_be64(&at, &entry.address)) {
        return GW_SHORT;
    }
    *r = at;
    *ret = entry;
    return 0;
}

void gw_ram_block_entry_encode(struct gw_writer *w,
                               const struct gw_ram_block_layout *layout,
                               const struct gw_ram_block_entry *entry)
{
    gw_name_encode(w, entry->idstr);
    gw_writer_put_be64(w, entry->used_length);
    if (layout->page_size) {
        gw_writer_put_be64(w, entry->page_size);
    }
    if (layout->address) {
        gw_writer_put_be64(w, entry->address);
    }
}

/*
 * Counted names.
 */
#include "wire/name.h"

#include <errno.h>
#include <string.h>

static bool is_control(uint8_t byte)
{
    return byte < 0x20 || byte == 0x7f;
}

int gw_name_take(struct gw_reader *r, uint32_t size,
                 char ret_name[GW_STREAM_NAME_SIZE],
                 struct gw_wire_fault *fault)
{
    const uint8_t *data;
    uint32_t i;

    if (size > GW_NAME_MAX) {
        return gw_wire_fault_set(fault, -EOVERFLOW,
                                 "a name of %u bytes, expected at most %u",
                                 size, GW_NAME_MAX);
    }
    if (gw_reader_left(r) < size) {
        return GW_SHORT;
    }
    for (i = 0; i < size; i++) {
        if (is_control(r->pos[i])) {
            return gw_wire_fault_set(
                fault, -EBADMSG,
                "a name with the control character 0x%02x at byte %u",
                r->pos[i], i);
        }
    }
    gw_reader_get_bytes(r, size, &data);
    memcpy(ret_name, data, size);
    ret_name[size] = '\0';
    return 0;
}

int gw_name_decode(struct gw_reader *r, char ret_name[GW_STREAM_NAME_SIZE],
                   struct gw_wire_fault *fault)
{
    struct gw_reader at = *r;
    uint8_t size;
    int rc;

    if (!gw_reader_get_u8(&at, &size)) {
        return GW_SHORT;
    }
    rc = gw_name_take(&at, size, ret_name, fault);
    if (rc == 0) {
        *r = at;
    }
    return rc;
}

void gw_name_encode(struct gw_writer *w, const char *name)
{
    size_t size = strlen(name);

    if (size > GW_NAME_MAX) {
        w->failed = true;
        return;
    }
    gw_writer_put_u8(w, (uint8_t)size);
    gw_writer_put_bytes(w, name, size);
}

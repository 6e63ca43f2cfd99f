/*
 * A growing byte buffer. Putters remember the first failure to allocate;
 * check gw_buffer_ok once at the end.
 */
#ifndef GW_BASE_BUFFER_H
#define GW_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/macros.h>

struct gw_buffer {
    uint8_t *data;   /* owned; NULL while empty */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
    bool failed;     /* an allocation failed; contents are incomplete */
};

/* Frees the contents and leaves an empty buffer. */
void gw_buffer_deinit(struct gw_buffer *buffer);

#define GW_AUTO_BUFFER __attribute__((cleanup(gw_buffer_deinit)))

static inline bool gw_buffer_ok(const struct gw_buffer *buffer)
{
    return !buffer->failed;
}

/*
 * Makes room for `size` more bytes, counts them as used and returns them
 * unset; NULL if memory is short. Valid until the next call.
 */
uint8_t *gw_buffer_extend(struct gw_buffer *buffer, size_t size);

void gw_buffer_put_bytes(struct gw_buffer *buffer, const void *data,
                         size_t size);
void gw_buffer_put_zeros(struct gw_buffer *buffer, size_t size);
void gw_buffer_put_u8(struct gw_buffer *buffer, uint8_t value);
void gw_buffer_put_be16(struct gw_buffer *buffer, uint16_t value);
void gw_buffer_put_be32(struct gw_buffer *buffer, uint32_t value);
void gw_buffer_put_be64(struct gw_buffer *buffer, uint64_t value);
void gw_buffer_printf(struct gw_buffer *buffer, const char *fmt, ...)
    GW_PRINTF(2, 3);

#endif

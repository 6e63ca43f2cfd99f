/*
 * One line of output, built without the C library. A line that would be too
 * long is cut; nothing the workload prints comes near.
 */
#include "beat_state.h"

void beat_text_bytes(struct beat_text *text, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && text->len < sizeof(text->buf) - 1; i++) {
        text->buf[text->len++] = bytes[i];
    }
}

void beat_text_str(struct beat_text *text, const char *str)
{
    size_t n = 0;

    while (str[n]) {
        n++;
    }
    beat_text_bytes(text, str, n);
}

void beat_text_u64(struct beat_text *text, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    beat_text_bytes(text, digits + n, sizeof(digits) - n);
}

void beat_text_hex(struct beat_text *text, uint64_t value)
{
    char digits[18];
    size_t n = sizeof(digits);

    do {
        digits[--n] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    digits[--n] = 'x';
    digits[--n] = '0';
    beat_text_bytes(text, digits + n, sizeof(digits) - n);
}

void beat_text_flush(struct beat_text *text, const struct beat_ops *ops)
{
    /* The appenders leave room for this. */
    text->buf[text->len++] = '\n';
    ops->write(ops->opaque, text->buf, text->len);
    text->len = 0;
}

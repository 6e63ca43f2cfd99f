/*
 * Text for people.
 */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *cli_size_text(uint64_t bytes, char text[CLI_SIZE_TEXT])
{
    static const char *const units[] = {"KiB", "MiB", "GiB",
                                        "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(text, CLI_SIZE_TEXT, "%" PRIu64 " %s", bytes,
                 bytes == 1 ? "byte" : "bytes");
        return text;
    }
    for (value /= 1024; value >= 1024; value /= 1024) {
        unit++;
    }
    snprintf(text, CLI_SIZE_TEXT, "%.1f %s", value, units[unit]);
    return text;
}

static bool is_safe(char c)
{
    return c >= 0x20 && c < 0x7f && c != '\\';
}

void cli_put_safe(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (is_safe(*text)) {
            fputc(*text, to);
        } else {
            fprintf(to, "\\x%02x", (unsigned char)*text);
        }
    }
}

size_t cli_safe_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++) {
        width += is_safe(*text) ? 1 : 4;
    }
    return width;
}

bool cli_parse_bytes(const char *text, uint64_t *ret)
{
    static const char units[] = "kmgt";
    const char *unit;
    uint64_t value;
    char *end;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    value = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    if (errno || end == text) {
        return false;
    }
    if (*end) {
        unit = strchr(units, tolower((unsigned char)*end));
        if (!unit || end[1]) {
            return false;
        }
        for (; unit >= units; unit--) {
            if (__builtin_mul_overflow(value, UINT64_C(1024), &value)) {
                return false;
            }
        }
    }
    *ret = value;
    return true;
}

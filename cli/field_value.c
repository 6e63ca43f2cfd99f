/*
 * Values of device fields: types as the VM description names them.
 */
#include "field_value.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *type;
    uint64_t size;
    enum cli_value_kind kind;
} types[] = {
    {"bool", 1, CLI_VALUE_BOOL},
    {"int8", 1, CLI_VALUE_INT},
    {"int16", 2, CLI_VALUE_INT},
    {"int32", 4, CLI_VALUE_INT},
    {"int32 equal", 4, CLI_VALUE_INT},
    {"int32 le", 4, CLI_VALUE_INT},
    {"int64", 8, CLI_VALUE_INT},
    {"uint8", 1, CLI_VALUE_UINT},
    {"uint8 equal", 1, CLI_VALUE_UINT},
    {"uint16", 2, CLI_VALUE_UINT},
    {"uint16 equal", 2, CLI_VALUE_UINT},
    {"uint32", 4, CLI_VALUE_UINT},
    {"uint32 equal", 4, CLI_VALUE_UINT},
    {"uint64", 8, CLI_VALUE_UINT},
    /* That is what QEMU calls the unsigned one. */
    {"int64 equal", 8, CLI_VALUE_UINT},
    {"timer", 8, CLI_VALUE_UINT},
};

static uint64_t big_endian(const uint8_t *data, uint64_t size, bool is_signed)
{
    uint64_t value = is_signed && data[0] & 0x80 ? UINT64_MAX : 0;
    uint64_t i;

    for (i = 0; i < size; i++) {
        value = value << 8 | data[i];
    }
    return value;
}

struct cli_value cli_field_value(const struct gw_image_field *field)
{
    struct cli_value value = {.kind = CLI_VALUE_BYTES};
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].type, field->type) == 0 &&
            types[i].size == field->size) {
            value.kind = types[i].kind;
            value.number = big_endian(field->data, field->size,
                                      value.kind == CLI_VALUE_INT);
            break;
        }
    }
    return value;
}

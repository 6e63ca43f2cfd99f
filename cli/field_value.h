/*
 * What the bytes of a device's field mean.
 */
#ifndef CLI_FIELD_VALUE_H
#define CLI_FIELD_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/image.h>

enum cli_value_kind {
    CLI_VALUE_UINT,
    CLI_VALUE_INT,
    CLI_VALUE_BOOL,
    CLI_VALUE_BYTES, /* all else: the field's data */
};

struct cli_value {
    enum cli_value_kind kind;
    uint64_t number; /* UINT, BOOL; INT in two's complement */
};

/* By the type that the description names, if the size fits it. */
struct cli_value cli_field_value(const struct gw_image_field *field);

#endif

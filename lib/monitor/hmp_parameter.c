/*
 * HMP: values of parameters as people write them.
 */
#include "monitor/hmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema.h"
#include "base/size.h"
#include "migrate/settings.h"
#include "monitor/hmp_args.h"

/* Sizes and times: a suffix is possible, bandwidths count in MiB without. */
static int parse_size(const struct gw_parameter_info *info, const char *text,
                      uint64_t *ret, struct gw_error **errp)
{
    bool is_bandwidth = strcmp(info->unit, "bytes/second") == 0;
    int r = gw_size_parse(text, is_bandwidth ? 1024 * 1024 : 1, ret);

    if (r < 0 && is_bandwidth) {
        return gw_error_set(errp, r, "Invalid size %s", text);
    }
    if (r == -ERANGE) {
        return gw_error_set(errp, r,
                            "Value '%s' is out of range for parameter '%s'",
                            text, info->name);
    }
    if (r < 0) {
        return gw_error_set(
            errp, r,
            "Parameter '%s' expects a non-negative number below 2^64\n"
            "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, "
            "tera-, peta-\nand exabytes, respectively.",
            info->name);
    }
    return 0;
}

static int parse_integer(const struct gw_parameter_info *info, const char *text,
                         uint64_t *ret, struct gw_error **errp)
{
    uint64_t max = info->type == GW_PARAMETER_UINT8 ? UINT8_MAX : UINT32_MAX;
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 0);
    if (end == text || *end || errno) {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects uint64",
                            info->name);
    }
    if (*ret > max) {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects %s",
                            info->name,
                            max == UINT8_MAX ? "uint8_t" : "uint32_t");
    }
    return 0;
}

static int parse_choice(const struct gw_parameter_info *info, const char *text,
                        uint64_t *ret, struct gw_error **errp)
{
    int choice = gw_schema_choice(info->choices, text);

    if (choice < 0) {
        return gw_error_set(errp, -EINVAL,
                            "Parameter '%s' does not accept value '%s'",
                            info->name, text);
    }
    *ret = (uint64_t)choice;
    return 0;
}

static int parse_switch(const struct gw_parameter_info *info, const char *text,
                        uint64_t *ret, struct gw_error **errp)
{
    bool on;

    if (gw_hmp_parse_bool(text, &on) < 0) {
        return gw_error_set(errp, -EINVAL,
                            "Parameter '%s' expects 'on' or 'off'", info->name);
    }
    *ret = on;
    return 0;
}

static int parse_uint(const struct gw_parameter_info *info, const char *text,
                      uint64_t *ret, struct gw_error **errp)
{
    switch (info->type) {
    case GW_PARAMETER_BOOL:
        return parse_switch(info, text, ret, errp);
    case GW_PARAMETER_ENUM:
        return parse_choice(info, text, ret, errp);
    case GW_PARAMETER_UINT8:
    case GW_PARAMETER_UINT32:
        return parse_integer(info, text, ret, errp);
    case GW_PARAMETER_UINT64:
    case GW_PARAMETER_SIZE:
    case GW_PARAMETER_STRING:
        break;
    }
    return parse_size(info, text, ret, errp);
}

/* Only QMP takes both spellings of a parameter's name. */
static const struct gw_parameter_info *find_parameter(const char *name)
{
    const struct gw_parameter_info *info = gw_parameter_info_find(name);

    return info && strcmp(info->name, name) == 0 ? info : NULL;
}

int gw_hmp_put_parameter(struct gw_settings *settings, const char *name,
                         const char *text, struct gw_error **errp)
{
    const struct gw_parameter_info *info = find_parameter(name);
    uint64_t value = 0;
    int r;

    if (strcmp(name, "block-bitmap-mapping") == 0) {
        return gw_error_set(errp, -EINVAL,
                            "The block-bitmap-mapping parameter can only be "
                            "set through QMP");
    }
    if (!info) {
        return gw_error_set(errp, -EINVAL, "invalid parameter value: %s", name);
    }
    if (info->type == GW_PARAMETER_STRING) {
        return gw_settings_put_string(settings, info, text, errp);
    }
    r = parse_uint(info, text, &value, errp);
    if (r >= 0) {
        gw_settings_put_uint(settings, info, value);
    }
    return r;
}

/*
 * Settings: the values, and access to them by the table of parameters.
 */
#include "migrate/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/schema.h"

static char **string_member(struct gw_settings *settings,
                            const struct gw_parameter_info *info)
{
    return (char **)(void *)((char *)settings + info->offset);
}

static void *member_of(struct gw_settings *settings,
                       const struct gw_parameter_info *info)
{
    return (char *)settings + info->offset;
}

/* Sets all strings to NULL, so that a half made copy can be freed. */
static void forget_strings(struct gw_settings *settings)
{
    const struct gw_parameter_info *info;
    unsigned int i;

    for (i = 0; (info = gw_parameter_info_at(i)); i++) {
        if (info->type == GW_PARAMETER_STRING) {
            *string_member(settings, info) = NULL;
        }
    }
}

void gw_settings_deinit(struct gw_settings *settings)
{
    const struct gw_parameter_info *info;
    unsigned int i;

    for (i = 0; (info = gw_parameter_info_at(i)); i++) {
        if (info->type == GW_PARAMETER_STRING) {
            free(*string_member(settings, info));
        }
    }
    forget_strings(settings);
}

int gw_settings_init(struct gw_settings *settings)
{
    const struct gw_parameter_info *info;
    unsigned int i;
    int r;

    *settings = (struct gw_settings){0};
    forget_strings(settings);
    for (i = 0; (info = gw_parameter_info_at(i)); i++) {
        if (info->type != GW_PARAMETER_STRING) {
            gw_settings_put_uint(settings, info, gw_parameter_default(info));
            continue;
        }
        r = gw_settings_put_string(settings, info, "", NULL);
        if (r < 0) {
            gw_settings_deinit(settings);
            return r;
        }
    }
    return 0;
}

int gw_settings_copy(struct gw_settings *to, const struct gw_settings *from)
{
    const struct gw_parameter_info *info;
    unsigned int i;
    int r;

    *to = *from;
    forget_strings(to);
    for (i = 0; (info = gw_parameter_info_at(i)); i++) {
        if (info->type != GW_PARAMETER_STRING) {
            continue;
        }
        r = gw_settings_put_string(to, info, gw_settings_get_string(from, info),
                                   NULL);
        if (r < 0) {
            gw_settings_deinit(to);
            return r;
        }
    }
    return 0;
}

void gw_settings_put_uint(struct gw_settings *settings,
                          const struct gw_parameter_info *info, uint64_t value)
{
    if (info->type == GW_PARAMETER_BOOL) {
        *(bool *)member_of(settings, info) = value != 0;
    } else {
        *(uint64_t *)member_of(settings, info) = value;
    }
}

int gw_settings_put_string(struct gw_settings *settings,
                           const struct gw_parameter_info *info,
                           const char *value, struct gw_error **errp)
{
    char *copy = strdup(value);

    if (!copy) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    free(*string_member(settings, info));
    *string_member(settings, info) = copy;
    return 0;
}

uint64_t gw_settings_get_uint(const struct gw_settings *settings,
                              const struct gw_parameter_info *info)
{
    const char *member = (const char *)settings + info->offset;

    if (info->type == GW_PARAMETER_BOOL) {
        return *(const bool *)(const void *)member;
    }
    return *(const uint64_t *)(const void *)member;
}

const char *gw_settings_get_string(const struct gw_settings *settings,
                                   const struct gw_parameter_info *info)
{
    const char *member = (const char *)settings + info->offset;

    if (info->type == GW_PARAMETER_ENUM) {
        return info->choices[gw_settings_get_uint(settings, info)];
    }
    return *(char *const *)(const void *)member;
}

/* The largest value of the type itself, and its name. */
static uint64_t type_limit(const struct gw_parameter_info *info,
                           const char **ret_name)
{
    uint64_t n_choices = 0;

    switch (info->type) {
    case GW_PARAMETER_BOOL:
        *ret_name = "bool";
        return 1;
    case GW_PARAMETER_UINT8:
        *ret_name = "uint8_t";
        return UINT8_MAX;
    case GW_PARAMETER_UINT32:
        *ret_name = "uint32_t";
        return UINT32_MAX;
    case GW_PARAMETER_ENUM:
        while (info->choices[n_choices]) {
            n_choices++;
        }
        *ret_name = "one of its choices";
        return n_choices - 1;
    case GW_PARAMETER_STRING:
    case GW_PARAMETER_UINT64:
    case GW_PARAMETER_SIZE:
        break;
    }
    *ret_name = "uint64";
    return UINT64_MAX;
}

int gw_settings_set_uint(struct gw_settings *settings,
                         const struct gw_parameter_info *info, uint64_t value,
                         struct gw_error **errp)
{
    const char *type;
    uint64_t old;
    int r;

    if (info->type == GW_PARAMETER_STRING) {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects a string",
                            info->name);
    }
    if (value > type_limit(info, &type)) {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects %s",
                            info->name, type);
    }
    old = gw_settings_get_uint(settings, info);
    gw_settings_put_uint(settings, info, value);
    r = gw_parameters_check(settings, errp);
    if (r < 0) {
        gw_settings_put_uint(settings, info, old);
    }
    return r;
}

static int set_choice(struct gw_settings *settings,
                      const struct gw_parameter_info *info, const char *value,
                      struct gw_error **errp)
{
    int choice = gw_schema_choice(info->choices, value);

    if (choice < 0) {
        return gw_error_set(errp, -EINVAL,
                            "Parameter '%s' does not accept value '%s'",
                            info->name, value);
    }
    return gw_settings_set_uint(settings, info, (uint64_t)choice, errp);
}

int gw_settings_set_string(struct gw_settings *settings,
                           const struct gw_parameter_info *info,
                           const char *value, struct gw_error **errp)
{
    char *old;
    int r;

    if (info->type == GW_PARAMETER_ENUM) {
        return set_choice(settings, info, value, errp);
    }
    if (info->type != GW_PARAMETER_STRING) {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects a number",
                            info->name);
    }
    old = gw_take(string_member(settings, info));
    r = gw_settings_put_string(settings, info, value, errp);
    if (r >= 0) {
        r = gw_parameters_check(settings, errp);
    }
    if (r < 0) {
        free(*string_member(settings, info));
        *string_member(settings, info) = old;
        return r;
    }
    free(old);
    return 0;
}

int gw_settings_check_start(const struct gw_settings *settings,
                            struct gw_error **errp)
{
    if (settings->capabilities[GW_CAP_MAPPED_RAM]) {
        return 0;
    }
    if (settings->direct_io) {
        return gw_error_set(errp, -EINVAL,
                            "parameter 'direct-io' needs the capability "
                            "'mapped-ram'");
    }
    if (settings->capabilities[GW_CAP_MULTIFD]) {
        return gw_error_set(errp, -ENOTSUP,
                            "capability 'multifd' is only supported together "
                            "with 'mapped-ram' yet");
    }
    return 0;
}

int gw_settings_check_transport(const struct gw_settings *settings,
                                bool is_seekable, struct gw_error **errp)
{
    if (settings->capabilities[GW_CAP_MAPPED_RAM] && !is_seekable) {
        return gw_error_set(
            errp, -EINVAL, "Migration requires seekable transport (e.g. file)");
    }
    return 0;
}

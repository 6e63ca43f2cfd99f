/*
 * Options about what the host gives: memory and an accelerator.
 */
#include "option_rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static int apply_mem_path(struct vmm_options *options, const char *value,
                          struct gw_error **errp)
{
    if (value[0] == '\0') {
        return gw_error_set(errp, -EINVAL, "the path is empty");
    }
    options->mem_path = value;
    return 0;
}

static int apply_share(struct vmm_options *options, const char *value,
                       struct gw_error **errp)
{
    options->share = true;
    return 0;
}

/* The property of `kvm`; text is what follows the name and its comma. */
static int parse_dirty_ring(struct vmm_options *options, const char *text,
                            struct gw_error **errp)
{
    static const char name[] = "dirty-ring-size=";
    unsigned long size;
    char *end;

    if (options->accel != VMM_ACCEL_KVM ||
        strncmp(text, name, sizeof(name) - 1) != 0) {
        return gw_error_set(errp, -EINVAL, "property '%s' is not known", text);
    }
    text += sizeof(name) - 1;
    errno = 0;
    size = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno ||
        size > UINT32_MAX) {
        return gw_error_set(errp, -EINVAL,
                            "dirty-ring-size '%s' is not a number", text);
    }
    if (size & (size - 1)) {
        return gw_error_set(errp, -EINVAL,
                            "dirty-ring-size must be a power of two");
    }
    options->dirty_ring_size = (uint32_t)size;
    return 0;
}

static int apply_accel(struct vmm_options *options, const char *value,
                       struct gw_error **errp)
{
    static const char *const names[] = {"auto", "kvm", "thread"};
    size_t len = strcspn(value, ",");

    options->dirty_ring_size = 0;
    for (size_t i = 0; i < VMM_ARRAY_SIZE(names); i++) {
        if (strlen(names[i]) == len && strncmp(value, names[i], len) == 0) {
            options->accel = (enum vmm_accel_kind)i;
            return value[len] == ','
                       ? parse_dirty_ring(options, value + len + 1, errp)
                       : 0;
        }
    }
    return gw_error_set(errp, -EINVAL, "'%s' is not one of auto, kvm, thread",
                        value);
}

const struct vmm_option_rule vmm_host_rules[] = {
    {"mem-path", NULL, "PATH", "file that backs guest RAM", apply_mem_path},
    {"share", NULL, NULL, "map guest RAM shared", apply_share},
    {"accel", NULL, "NAME", "auto, thread or kvm[,dirty-ring-size=N]",
     apply_accel},
    {NULL, NULL, NULL, NULL, NULL},
};

/*
 * The host's CPU, and less than that: as QEMU's -cpu has it, so that one text
 * describes both ends.
 */
#include "cpu_option.h"

#include <errno.h>
#include <string.h>

/* Longest name of a feature, its NUL included. */
#define NAME_BYTES 32

static int remove_feature(struct vmm_cpu_option *option, const char *name,
                          size_t len, struct gw_error **errp)
{
    struct gw_cpu_feature feature;
    char copy[NAME_BYTES];

    if (option->n_removed == VMM_CPU_FEATURES_MAX) {
        return gw_error_set(errp, -EINVAL, "more than %d features",
                            VMM_CPU_FEATURES_MAX);
    }
    if (len < sizeof(copy)) {
        memcpy(copy, name, len);
        copy[len] = '\0';
    }
    if (len >= sizeof(copy) || !gw_cpu_feature_find(copy, &feature)) {
        return gw_error_set(errp, -EINVAL, "unknown CPU feature '%.*s'",
                            (int)len, name);
    }
    option->removed[option->n_removed++] = feature;
    return 0;
}

/* One word behind the model. */
static int apply(struct vmm_cpu_option *option, const char *word, size_t len,
                 struct gw_error **errp)
{
    static const char off[] = "=off";
    const size_t off_len = sizeof(off) - 1;

    if (len > 1 && word[0] == '-') {
        return remove_feature(option, word + 1, len - 1, errp);
    }
    if (len > off_len && memcmp(word + len - off_len, off, off_len) == 0) {
        return remove_feature(option, word, len - off_len, errp);
    }
    return gw_error_set(errp, -EINVAL,
                        "'%.*s' is not -FEATURE or FEATURE=off: all that the "
                        "host has and can move is there already",
                        (int)len, word);
}

int vmm_cpu_option_parse(struct vmm_cpu_option *option, const char *text,
                         struct gw_error **errp)
{
    size_t len = strcspn(text, ",");

    *option = (struct vmm_cpu_option){0};
    if (len != 4 || memcmp(text, "host", 4) != 0) {
        return gw_error_set(errp, -EINVAL, "CPU model '%.*s' is not host",
                            (int)len, text);
    }
    while (text[len] == ',') {
        int r;

        text += len + 1;
        len = strcspn(text, ",");
        r = apply(option, text, len, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

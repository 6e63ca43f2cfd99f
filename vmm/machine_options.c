/*
 * The properties of the machine: those that can be chosen, and those that have
 * one value here.
 */
#include "machine_options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "util.h"

#define MACHINE_TYPE "microvm"

/* A property of QEMU's machine whose value is given here. */
struct fixed_property {
    const char *name;
    /* The one value that is accepted. */
    const char *value;
};

static const struct fixed_property fixed[] = {
    {"ioapic2", "off"},
    {"pcie", "off"},
    {"usb", "off"},
    {"smm", "off"},
    {"isa-serial", "on"},
    {"kernel-irqchip", "split"},
    {"suppress-vmdesc", "off"},
};

/* A word of the text: what is before the "=", and what is after it. */
struct word {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* A property that is on or off, and what QEMU's `auto` means: -1, ask. */
struct switch_property {
    const char *name;
    size_t offset;
    int auto_value;
};

/*
 * QEMU's `auto` is on for PIC and PIT, and for the clock it depends on the
 * accelerator; here all three are off unless they are asked for, so the word
 * is refused.
 */
static const struct switch_property switches[] = {
    {"acpi", offsetof(struct vmm_machine_options, acpi), true},
    {"auto-kernel-cmdline",
     offsetof(struct vmm_machine_options, auto_kernel_cmdline), true},
    {"pic", offsetof(struct vmm_machine_options, pic), -1},
    {"pit", offsetof(struct vmm_machine_options, pit), -1},
    {"rtc", offsetof(struct vmm_machine_options, rtc), -1},
    {"x-option-roms", offsetof(struct vmm_machine_options, option_roms), -1},
};

static bool is(const char *text, size_t len, const char *expected)
{
    return strlen(expected) == len && strncmp(text, expected, len) == 0;
}

static int parse_switch(const struct word *word, int auto_value, bool *ret,
                        struct gw_error **errp)
{
    if (is(word->value, word->value_len, "on")) {
        *ret = true;
    } else if (is(word->value, word->value_len, "off")) {
        *ret = false;
    } else if (auto_value >= 0 && is(word->value, word->value_len, "auto")) {
        *ret = auto_value != 0;
    } else {
        return gw_error_set(errp, -EINVAL, "%.*s=%.*s is not on or off",
                            (int)word->name_len, word->name,
                            (int)word->value_len, word->value);
    }
    return 0;
}

static int check_type(const char *type, size_t len, struct gw_error **errp)
{
    if (!is(type, len, MACHINE_TYPE)) {
        return gw_error_set(errp, -EINVAL,
                            "machine type '%.*s' is not " MACHINE_TYPE,
                            (int)len, type);
    }
    return 0;
}

static int check_fixed(const struct word *word, struct gw_error **errp)
{
    for (size_t i = 0; i < VMM_ARRAY_SIZE(fixed); i++) {
        if (!is(word->name, word->name_len, fixed[i].name)) {
            continue;
        }
        if (is(word->value, word->value_len, fixed[i].value)) {
            return 0;
        }
        return gw_error_set(errp, -EINVAL,
                            "machine property %s=%.*s is not supported, only "
                            "%s=%s",
                            fixed[i].name, (int)word->value_len, word->value,
                            fixed[i].name, fixed[i].value);
    }
    return gw_error_set(errp, -EINVAL, "unknown machine property '%.*s'",
                        (int)word->name_len, word->name);
}

static int apply(struct vmm_machine_options *options, const struct word *word,
                 struct gw_error **errp)
{
    if (is(word->name, word->name_len, "type")) {
        return check_type(word->value, word->value_len, errp);
    }
    for (size_t i = 0; i < VMM_ARRAY_SIZE(switches); i++) {
        const struct switch_property *property = &switches[i];

        if (is(word->name, word->name_len, property->name)) {
            bool *value = (bool *)((char *)options + property->offset);

            return parse_switch(word, property->auto_value, value, errp);
        }
    }
    return check_fixed(word, errp);
}

void vmm_machine_options_init(struct vmm_machine_options *options)
{
    *options = (struct vmm_machine_options){
        .acpi = true, .auto_kernel_cmdline = true, .option_roms = true};
}

int vmm_machine_options_parse(struct vmm_machine_options *options,
                              const char *text, struct gw_error **errp)
{
    for (const char *at = text;;) {
        size_t len = strcspn(at, ",");
        const char *equals = memchr(at, '=', len);
        int r;

        if (equals) {
            struct word word = {.name = at,
                                .name_len = (size_t)(equals - at),
                                .value = equals + 1,
                                .value_len = len - (size_t)(equals - at) - 1};

            r = apply(options, &word, errp);
        } else if (at == text) {
            r = check_type(at, len, errp);
        } else {
            r = gw_error_set(errp, -EINVAL, "'%.*s' has no value", (int)len,
                             at);
        }
        if (r < 0) {
            return r;
        }
        if (at[len] == '\0') {
            return 0;
        }
        at += len + 1;
    }
}

/*
 * Options about what the machine is and what it boots.
 */
#include "option_rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIN_MEMORY_BYTES (1ull << 20)
#define MAX_MEMORY_BYTES (16ull << 40)
#define PAGE_BYTES 4096ull

/* The text after `key=`, or the whole text: `-m 1G` and `-m size=1G`. */
static const char *strip_key(const char *text, const char *key)
{
    size_t len = strlen(key);

    return strncmp(text, key, len) == 0 ? text + len : text;
}

static int scale_of(const char *suffix, unsigned int *ret_shift)
{
    static const char units[] = "KMGT";
    const char *unit;

    if (suffix[0] == '\0') {
        *ret_shift = 20;
        return 0;
    }
    if (suffix[1] != '\0' && strcmp(suffix + 1, "iB") != 0) {
        return -EINVAL;
    }
    if (suffix[0] == 'B' && suffix[1] == '\0') {
        *ret_shift = 0;
        return 0;
    }
    unit = strchr(units, toupper((unsigned char)suffix[0]));
    if (!unit) {
        return -EINVAL;
    }
    *ret_shift = 10u * (unsigned int)(unit - units + 1);
    return 0;
}

static int apply_memory(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    const char *text = strip_key(value, "size=");
    unsigned long long number;
    unsigned int shift;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno != 0 ||
        scale_of(end, &shift) < 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is not a memory size", value);
    }
    if (number > MAX_MEMORY_BYTES >> shift ||
        number << shift < MIN_MEMORY_BYTES) {
        return gw_error_set(errp, -EINVAL,
                            "memory size '%s' is not within 1M to 16T", value);
    }
    options->memory_bytes = (number << shift) & ~(PAGE_BYTES - 1);
    return 0;
}

static int apply_smp(struct vmm_options *options, const char *value,
                     struct gw_error **errp)
{
    const char *text = strip_key(value, "cpus=");
    unsigned long number;
    char *end;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 ||
        number < 1 || number > VMM_MAX_CPUS) {
        return gw_error_set(errp, -EINVAL,
                            "'%s' is not a number of vCPUs from 1 to %d", value,
                            VMM_MAX_CPUS);
    }
    options->smp = (unsigned int)number;
    return 0;
}

static int apply_cpu(struct vmm_options *options, const char *value,
                     struct gw_error **errp)
{
    return vmm_cpu_option_parse(&options->cpu, value, errp);
}

static int apply_machine(struct vmm_options *options, const char *value,
                         struct gw_error **errp)
{
    return vmm_machine_options_parse(&options->machine, value, errp);
}

static int apply_kernel(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    options->kernel = value;
    return 0;
}

static int apply_initrd(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    options->initrd = value;
    return 0;
}

static int apply_bios(struct vmm_options *options, const char *value,
                      struct gw_error **errp)
{
    options->bios = value;
    return 0;
}

/* The two sizes of QEMU's firmwares for this machine. */
static int apply_firmware_size(struct vmm_options *options, const char *value,
                               struct gw_error **errp)
{
    if (strcmp(value, "0") == 0) {
        options->firmware_bytes = 0;
    } else if (strcmp(value, "64K") == 0) {
        options->firmware_bytes = 64u << 10;
    } else if (strcmp(value, "128K") == 0) {
        options->firmware_bytes = 128u << 10;
    } else {
        return gw_error_set(errp, -EINVAL, "'%s' is not one of 0, 64K, 128K",
                            value);
    }
    options->has_firmware_size = true;
    return 0;
}

static int apply_append(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    options->append = value;
    return 0;
}

static int apply_name(struct vmm_options *options, const char *value,
                      struct gw_error **errp)
{
    options->name = value;
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int apply_uuid(struct vmm_options *options, const char *value,
                      struct gw_error **errp)
{
    const char *at = value;
    uint8_t uuid[16];

    for (int i = 0; i < 16; i++) {
        int high;
        int low;

        if ((i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '-') {
            return gw_error_set(errp, -EINVAL, "'%s' is not a UUID", value);
        }
        high = hex_digit(at[0]);
        low = high < 0 ? -1 : hex_digit(at[1]);
        if (low < 0) {
            return gw_error_set(errp, -EINVAL, "'%s' is not a UUID", value);
        }
        uuid[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    if (*at != '\0') {
        return gw_error_set(errp, -EINVAL, "'%s' is not a UUID", value);
    }
    memcpy(options->uuid, uuid, sizeof(uuid));
    options->has_uuid = true;
    return 0;
}

const struct vmm_option_rule vmm_machine_rules[] = {
    {"m", "memory", "SIZE", "guest RAM in MiB, or with suffix K, M, G, T",
     apply_memory},
    {"smp", NULL, "N", "number of vCPUs", apply_smp},
    {"cpu", NULL, "TEXT", "host, and what the guest shall not see: ,-FEATURE",
     apply_cpu},
    {"M", "machine", "TEXT", "microvm, and acpi, pic, pit, rtc on or off",
     apply_machine},
    {"kernel", NULL, "FILE",
     "bzImage or ELF image to boot (default: built-in beat)", apply_kernel},
    {"initrd", NULL, "FILE", "initial RAM disk of the kernel", apply_initrd},
    {"bios", NULL, "FILE", "firmware that starts the machine", apply_bios},
    {"firmware-size", NULL, "SIZE",
     "room for the firmware of a guest of QEMU: 0, 64K or 128K",
     apply_firmware_size},
    {"append", NULL, "TEXT", "command line of the guest", apply_append},
    {"name", NULL, "TEXT", "name of the VM, for people", apply_name},
    {"uuid", NULL, "UUID", "UUID of the machine", apply_uuid},
    {NULL, NULL, NULL, NULL, NULL},
};

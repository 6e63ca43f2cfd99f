/*
 * Options of `godwit run`: one table of rules gives both the parser and the
 * help text.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define DEFAULT_MEMORY_BYTES (128ull << 20)
#define MIN_MEMORY_BYTES (1ull << 20)
#define MAX_MEMORY_BYTES (16ull << 40)
#define PAGE_BYTES 4096ull

/* One option. */
struct rule {
    /* Names without dashes; alias may be NULL. */
    const char *name;
    const char *alias;
    /* Placeholder of its value, or NULL if it takes none. */
    const char *value;
    const char *help;
    int (*apply)(struct vmm_options *options, const char *value,
                 struct gw_error **errp);
};

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

static int apply_machine(struct vmm_options *options, const char *value,
                         struct gw_error **errp)
{
    return vmm_machine_options_parse(&options->machine, value, errp);
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

static int apply_serial(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    options->has_serial = true;
    return vmm_chardev_parse(&options->serial, value, true, errp);
}

static int add_monitor(struct vmm_options *options, bool qmp, const char *value,
                       struct gw_error **errp)
{
    struct vmm_monitor_option *monitor;

    if (options->n_monitors == VMM_MAX_MONITORS) {
        return gw_error_set(errp, -EINVAL, "more than %d monitors",
                            VMM_MAX_MONITORS);
    }
    monitor = &options->monitors[options->n_monitors++];
    monitor->qmp = qmp;
    return vmm_chardev_parse(&monitor->chardev, value, false, errp);
}

static int apply_qmp(struct vmm_options *options, const char *value,
                     struct gw_error **errp)
{
    return add_monitor(options, true, value, errp);
}

static int apply_monitor(struct vmm_options *options, const char *value,
                         struct gw_error **errp)
{
    return add_monitor(options, false, value, errp);
}

static int apply_incoming(struct vmm_options *options, const char *value,
                          struct gw_error **errp)
{
    options->incoming = value;
    return 0;
}

static int apply_add_fd(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    return vmm_fdset_options_add(&options->fdsets, value, errp);
}

static int apply_paused(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    options->paused = true;
    return 0;
}

static int apply_no_reboot(struct vmm_options *options, const char *value,
                           struct gw_error **errp)
{
    options->no_reboot = true;
    return 0;
}

/* Of QEMU's actions the one about resets. */
static int apply_action(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    if (strcmp(value, "reboot=reset") != 0 &&
        strcmp(value, "reboot=shutdown") != 0) {
        return gw_error_set(errp, -EINVAL,
                            "'%s' is not one of reboot=reset, reboot=shutdown",
                            value);
    }
    options->no_reboot = strcmp(value, "reboot=shutdown") == 0;
    return 0;
}

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

static int apply_sandbox(struct vmm_options *options, const char *value,
                         struct gw_error **errp)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is not one of on, off", value);
    }
    options->sandbox = strcmp(value, "on") == 0;
    return 0;
}

static int apply_disk(struct vmm_options *options, const char *value,
                      struct gw_error **errp)
{
    return vmm_virtio_options_add(&options->virtio, VMM_VIRTIO_DISK, value,
                                  errp);
}

static int apply_net(struct vmm_options *options, const char *value,
                     struct gw_error **errp)
{
    return vmm_virtio_options_add(&options->virtio, VMM_VIRTIO_NET, value,
                                  errp);
}

static int apply_rng(struct vmm_options *options, const char *value,
                     struct gw_error **errp)
{
    return vmm_virtio_options_add(&options->virtio, VMM_VIRTIO_RNG, "", errp);
}

static int apply_virtio_console(struct vmm_options *options, const char *value,
                                struct gw_error **errp)
{
    return vmm_virtio_options_add(&options->virtio, VMM_VIRTIO_CONSOLE, value,
                                  errp);
}

static int apply_balloon(struct vmm_options *options, const char *value,
                         struct gw_error **errp)
{
    return vmm_virtio_options_add(&options->virtio, VMM_VIRTIO_BALLOON, "",
                                  errp);
}

static int apply_vsock(struct vmm_options *options, const char *value,
                       struct gw_error **errp)
{
    return vmm_virtio_options_add(&options->virtio, VMM_VIRTIO_VSOCK, value,
                                  errp);
}

static int apply_virtio(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    if (strcmp(value, "legacy") != 0 && strcmp(value, "modern") != 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is not one of legacy, modern",
                            value);
    }
    options->virtio.modern = strcmp(value, "modern") == 0;
    return 0;
}

static int apply_help(struct vmm_options *options, const char *value,
                      struct gw_error **errp)
{
    options->help = true;
    return 0;
}

static const struct rule rules[] = {
    {"m", "memory", "SIZE", "guest RAM in MiB, or with suffix K, M, G, T",
     apply_memory},
    {"smp", NULL, "N", "number of vCPUs", apply_smp},
    {"M", "machine", "TEXT", "microvm, and acpi=on or off", apply_machine},
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
    {"serial", NULL, "DEV", "stdio, file:PATH, unix:PATH or none",
     apply_serial},
    {"qmp", NULL, "DEV", "QMP server on unix:PATH or stdio", apply_qmp},
    {"monitor", NULL, "DEV", "HMP monitor on stdio or unix:PATH",
     apply_monitor},
    {"incoming", NULL, "URI", "restore from URI, or defer to the monitor",
     apply_incoming},
    {"add-fd", NULL, "fd=N,set=M",
     "inherited descriptor for /dev/fdset/M; ,opaque=TEXT", apply_add_fd},
    {"S", "paused", NULL, "do not start the guest", apply_paused},
    {"no-reboot", NULL, NULL, "end when the guest resets the machine",
     apply_no_reboot},
    {"action", NULL, "reboot=ACTION", "what a reset does: reset or shutdown",
     apply_action},
    {"mem-path", NULL, "PATH", "file that backs guest RAM", apply_mem_path},
    {"share", NULL, NULL, "map guest RAM shared", apply_share},
    {"accel", NULL, "NAME", "auto, thread or kvm[,dirty-ring-size=N]",
     apply_accel},
    {"disk", NULL, "file=PATH[,...]",
     "disk: readonly=on, direct=on, queues=N, serial=TEXT, aio=NAME, slot=N",
     apply_disk},
    {"net", NULL, "KIND,...",
     "tap,ifname=NAME or tap,fd=N or passt,path=SOCKET", apply_net},
    {"rng", NULL, NULL, "random numbers of the host", apply_rng},
    {"virtio-console", NULL, "DEV", "unix:PATH, file:PATH or none",
     apply_virtio_console},
    {"balloon", NULL, NULL, "memory that the guest can give back",
     apply_balloon},
    {"vsock", NULL, "cid=N,path=SOCKET",
     "connections between programs of guest and host", apply_vsock},
    {"virtio", NULL, "legacy|modern", "registers of the virtio devices",
     apply_virtio},
    {"sandbox", NULL, "on|off", "drop privileges before the guest runs",
     apply_sandbox},
    {"h", "help", NULL, "this list", apply_help},
};

void vmm_options_init(struct vmm_options *options)
{
    memset(options, 0, sizeof(*options));
    options->memory_bytes = DEFAULT_MEMORY_BYTES;
    options->smp = 1;
    vmm_machine_options_init(&options->machine);
    options->sandbox = true;
}

void vmm_options_deinit(struct vmm_options *options)
{
    free(options->serial.path);
    options->serial.path = NULL;
    for (unsigned int i = 0; i < options->n_monitors; i++) {
        free(options->monitors[i].chardev.path);
    }
    options->n_monitors = 0;
    vmm_fdset_options_deinit(&options->fdsets);
    vmm_virtio_options_deinit(&options->virtio);
}

static bool name_matches(const char *name, const char *text, size_t len)
{
    return name && strlen(name) == len && strncmp(name, text, len) == 0;
}

/* The rule of a word such as "-m", "--memory" or "--memory=1G". */
static const struct rule *find_rule(const char *word, const char **ret_value)
{
    const char *text = word;
    size_t len;

    if (*text != '-') {
        return NULL;
    }
    text += text[1] == '-' ? 2 : 1;
    len = strcspn(text, "=");
    for (size_t i = 0; i < VMM_ARRAY_SIZE(rules); i++) {
        if (name_matches(rules[i].name, text, len) ||
            name_matches(rules[i].alias, text, len)) {
            *ret_value = text[len] == '=' ? text + len + 1 : NULL;
            return &rules[i];
        }
    }
    return NULL;
}

/* Only one user of standard input and output. */
static int check_stdio(struct vmm_options *options, struct gw_error **errp)
{
    unsigned int n =
        options->has_serial && options->serial.kind == VMM_CHARDEV_STDIO;

    for (unsigned int i = 0; i < options->n_monitors; i++) {
        n += options->monitors[i].chardev.kind == VMM_CHARDEV_STDIO;
    }
    if (n > 1) {
        return gw_error_set(errp, -EINVAL,
                            "stdio cannot be used by more than one of "
                            "--serial, --qmp and --monitor");
    }
    if (!options->has_serial) {
        options->serial.kind = n == 0 ? VMM_CHARDEV_STDIO : VMM_CHARDEV_NONE;
    }
    return 0;
}

int vmm_options_parse(struct vmm_options *options, int argc, char **argv,
                      struct gw_error **errp)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char *value = NULL;
        const struct rule *rule = find_rule(word, &value);
        int r;

        if (!rule) {
            return gw_error_set(errp, -EINVAL, "unknown option '%s'", word);
        }
        if (!rule->value && value) {
            return gw_error_set(errp, -EINVAL, "option '%s' takes no value",
                                word);
        }
        if (rule->value && !value) {
            if (i + 1 == argc) {
                return gw_error_set(errp, -EINVAL, "option '%s' needs a value",
                                    word);
            }
            value = argv[++i];
        }
        r = rule->apply(options, value, errp);
        if (r < 0) {
            return gw_error_prefix(errp, r, "option '%s'", word);
        }
    }
    vmm_fdset_options_close_given(&options->fdsets);
    return check_stdio(options, errp);
}

void vmm_options_print(FILE *to)
{
    for (size_t i = 0; i < VMM_ARRAY_SIZE(rules); i++) {
        const struct rule *rule = &rules[i];
        char names[64];

        snprintf(names, sizeof(names), "%s%s%s%s%s%s",
                 strlen(rule->name) == 1 ? "-" : "--", rule->name,
                 rule->alias ? ", --" : "", rule->alias ? rule->alias : "",
                 rule->value ? " " : "", rule->value ? rule->value : "");
        fprintf(to, "  %-22s %s\n", names, rule->help);
    }
}

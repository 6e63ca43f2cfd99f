/*
 * One table per kind of device: keys and what they set. In a value, `,,` is
 * a comma, as in QEMU.
 */
#include "virtio_options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "virtio_blk.h"
#include "virtio_vsock.h"

typedef int (*set_fn)(struct vmm_virtio_option *option, const char *value,
                      struct gw_error **errp);

struct key {
    const char *name;
    set_fn set;
};

static int parse_number(const char *value, unsigned long max,
                        unsigned long *ret_number, struct gw_error **errp)
{
    char *end = NULL;

    errno = 0;
    *ret_number = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end || errno ||
        *ret_number > max) {
        return gw_error_set(errp, -EINVAL, "'%s' is not a number up to %lu",
                            value, max);
    }
    return 0;
}

static int parse_switch(const char *value, bool *ret_on, struct gw_error **errp)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is not one of on, off", value);
    }
    *ret_on = strcmp(value, "on") == 0;
    return 0;
}

static int set_text(char **text, const char *value, struct gw_error **errp)
{
    if (!value[0]) {
        return gw_error_set(errp, -EINVAL, "it is empty");
    }
    free(*text);
    *text = strdup(value);
    return *text ? 0 : gw_error_set_errno(errp, -ENOMEM, "option");
}

static int set_slot(struct vmm_virtio_option *option, const char *value,
                    struct gw_error **errp)
{
    unsigned long slot;
    int r = parse_number(value, VMM_VIRTIO_SLOTS - 1, &slot, errp);

    if (r == 0) {
        option->slot = (int)slot;
    }
    return r;
}

static int set_file(struct vmm_virtio_option *option, const char *value,
                    struct gw_error **errp)
{
    return set_text(&option->file, value, errp);
}

static int set_serial(struct vmm_virtio_option *option, const char *value,
                      struct gw_error **errp)
{
    if (strlen(value) > VMM_VIRTIO_BLK_ID_BYTES) {
        return gw_error_set(errp, -EINVAL, "'%s' is longer than %d bytes",
                            value, VMM_VIRTIO_BLK_ID_BYTES);
    }
    return set_text(&option->serial, value, errp);
}

static int set_readonly(struct vmm_virtio_option *option, const char *value,
                        struct gw_error **errp)
{
    return parse_switch(value, &option->readonly, errp);
}

static int set_direct(struct vmm_virtio_option *option, const char *value,
                      struct gw_error **errp)
{
    return parse_switch(value, &option->direct, errp);
}

static int set_queues(struct vmm_virtio_option *option, const char *value,
                      struct gw_error **errp)
{
    unsigned long queues;
    int r = parse_number(value, VMM_VIRTIO_BLK_QUEUES_MAX, &queues, errp);

    if (r == 0 && queues == 0) {
        return gw_error_set(errp, -EINVAL, "there must be a queue");
    }
    if (r == 0) {
        option->queues = (unsigned int)queues;
    }
    return r;
}

static int set_aio(struct vmm_virtio_option *option, const char *value,
                   struct gw_error **errp)
{
    static const char *const names[] = {"auto", "io_uring", "threads"};

    for (size_t i = 0; i < VMM_ARRAY_SIZE(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            option->aio = (enum vmm_block_aio)i;
            return 0;
        }
    }
    return gw_error_set(errp, -EINVAL,
                        "'%s' is not one of auto, io_uring, threads", value);
}

static const struct key disk_keys[] = {
    {"file", set_file},     {"readonly", set_readonly},
    {"direct", set_direct}, {"queues", set_queues},
    {"serial", set_serial}, {"aio", set_aio},
    {"slot", set_slot},     {NULL, NULL},
};

static int set_ifname(struct vmm_virtio_option *option, const char *value,
                      struct gw_error **errp)
{
    return set_text(&option->net.ifname, value, errp);
}

static int set_fd(struct vmm_virtio_option *option, const char *value,
                  struct gw_error **errp)
{
    unsigned long fd;
    int r = parse_number(value, INT_MAX, &fd, errp);

    if (r == 0) {
        option->net.fd = (int)fd;
    }
    return r;
}

static int set_path(struct vmm_virtio_option *option, const char *value,
                    struct gw_error **errp)
{
    return set_text(&option->net.path, value, errp);
}

static int set_vnet_header(struct vmm_virtio_option *option, const char *value,
                           struct gw_error **errp)
{
    return parse_switch(value, &option->net.vnet_header, errp);
}

static int set_mac(struct vmm_virtio_option *option, const char *value,
                   struct gw_error **errp)
{
    uint8_t mac[6];
    const char *at = value;

    for (int i = 0; i < 6; i++) {
        char *end = NULL;

        if (!isxdigit((unsigned char)at[0]) ||
            !isxdigit((unsigned char)at[1]) || at[2] != (i < 5 ? ':' : '\0')) {
            return gw_error_set(errp, -EINVAL, "'%s' is not a MAC", value);
        }
        mac[i] = (uint8_t)strtoul(at, &end, 16);
        at += 3;
    }
    if (mac[0] & 1) {
        return gw_error_set(errp, -EINVAL, "'%s' is a group's MAC", value);
    }
    memcpy(option->net.mac, mac, sizeof(mac));
    return 0;
}

static const struct key tap_keys[] = {
    {"ifname", set_ifname}, {"fd", set_fd},     {"vnet_hdr", set_vnet_header},
    {"mac", set_mac},       {"slot", set_slot}, {NULL, NULL},
};

static const struct key passt_keys[] = {
    {"path", set_path},
    {"mac", set_mac},
    {"slot", set_slot},
    {NULL, NULL},
};

/* The highest number stands for any address. */
static int set_cid(struct vmm_virtio_option *option, const char *value,
                   struct gw_error **errp)
{
    unsigned long cid;
    int r = parse_number(value, UINT32_MAX - 1, &cid, errp);

    if (r == 0 && cid < VMM_VSOCK_FIRST_CID) {
        return gw_error_set(errp, -EINVAL, "a guest's is %u or more",
                            VMM_VSOCK_FIRST_CID);
    }
    if (r == 0) {
        option->cid = (uint32_t)cid;
    }
    return r;
}

static const struct key vsock_keys[] = {
    {"cid", set_cid},
    {"path", set_file},
    {"slot", set_slot},
    {NULL, NULL},
};

static const struct key no_keys[] = {
    {NULL, NULL},
};

/* Up to a comma that is not doubled; returns what is behind it. */
static const char *take_item(const char *text, char *item)
{
    while (*text) {
        if (*text == ',' && text[1] != ',') {
            text++;
            break;
        }
        if (*text == ',') {
            text++;
        }
        *item++ = *text++;
    }
    *item = '\0';
    return text;
}

static int apply_item(struct vmm_virtio_option *option, const struct key *keys,
                      char *item, struct gw_error **errp)
{
    char *value = strchr(item, '=');
    int r;

    if (value) {
        *value++ = '\0';
    }
    for (; keys->name; keys++) {
        if (strcmp(keys->name, item) == 0) {
            if (!value) {
                return gw_error_set(errp, -EINVAL, "'%s' needs a value", item);
            }
            r = keys->set(option, value, errp);
            return gw_error_prefix(errp, r, "%s", item);
        }
    }
    return gw_error_set(errp, -EINVAL, "unknown key '%s'", item);
}

static int apply_items(struct vmm_virtio_option *option, const struct key *keys,
                       const char *value, struct gw_error **errp)
{
    VMM_AUTO_FREE char *item = malloc(strlen(value) + 1);
    int r = 0;

    if (!item) {
        return gw_error_set_errno(errp, -ENOMEM, "option");
    }
    while (r == 0 && *value) {
        value = take_item(value, item);
        r = apply_item(option, keys, item, errp);
    }
    return r;
}

static int parse_disk(struct vmm_virtio_option *option, const char *value,
                      struct gw_error **errp)
{
    int r = apply_items(option, disk_keys, value, errp);

    if (r == 0 && !option->file) {
        return gw_error_set(errp, -EINVAL, "file=PATH is missing");
    }
    return r;
}

static int parse_tap(struct vmm_virtio_option *option, const char *value,
                     struct gw_error **errp)
{
    int r = apply_items(option, tap_keys, value, errp);

    if (r == 0 && (option->net.ifname != NULL) == (option->net.fd >= 0)) {
        return gw_error_set(errp, -EINVAL, "give either ifname=NAME or fd=N");
    }
    return r;
}

static int parse_passt(struct vmm_virtio_option *option, const char *value,
                       struct gw_error **errp)
{
    int r = apply_items(option, passt_keys, value, errp);

    option->net.kind = VMM_NET_PASST;
    option->net.vnet_header = false;
    if (r == 0 && !option->net.path) {
        return gw_error_set(errp, -EINVAL, "path=SOCKET is missing");
    }
    return r;
}

static int parse_net(struct vmm_virtio_option *option, const char *value,
                     struct gw_error **errp)
{
    size_t len = strcspn(value, ",");
    const char *rest = value + len + (value[len] == ',');

    if (len == 3 && strncmp(value, "tap", len) == 0) {
        return parse_tap(option, rest, errp);
    }
    if (len == 5 && strncmp(value, "passt", len) == 0) {
        return parse_passt(option, rest, errp);
    }
    return gw_error_set(errp, -EINVAL, "'%.*s' is not one of tap, passt",
                        (int)len, value);
}

static int parse_vsock(struct vmm_virtio_option *option, const char *value,
                       struct gw_error **errp)
{
    int r = apply_items(option, vsock_keys, value, errp);

    if (r == 0 && (option->cid == 0 || !option->file)) {
        return gw_error_set(errp, -EINVAL, "cid=N or path=SOCKET is missing");
    }
    return r;
}

static int parse_console(struct vmm_virtio_option *option, const char *value,
                         struct gw_error **errp)
{
    if (strcmp(value, "stdio") == 0) {
        return gw_error_set(errp, -EINVAL,
                            "'stdio' is for --serial and monitors");
    }
    return vmm_chardev_parse(&option->chardev, value, true, errp);
}

static int parse(struct vmm_virtio_option *option, const char *value,
                 struct gw_error **errp)
{
    switch (option->kind) {
    case VMM_VIRTIO_DISK:
        return parse_disk(option, value, errp);
    case VMM_VIRTIO_NET:
        return parse_net(option, value, errp);
    case VMM_VIRTIO_CONSOLE:
        return parse_console(option, value, errp);
    case VMM_VIRTIO_VSOCK:
        return parse_vsock(option, value, errp);
    case VMM_VIRTIO_RNG:
    case VMM_VIRTIO_BALLOON:
    default:
        return apply_items(option, no_keys, value, errp);
    }
}

int vmm_virtio_options_add(struct vmm_virtio_options *options,
                           enum vmm_virtio_kind kind, const char *value,
                           struct gw_error **errp)
{
    unsigned int n = options->n_devices;
    /* QEMU's first address; one more for each further device. */
    struct vmm_virtio_option option = {
        .kind = kind,
        .slot = -1,
        .queues = 1,
        .net = {.fd = -1,
                .vnet_header = true,
                .mac = {0x52, 0x54, 0x00, 0x12, 0x34, (uint8_t)(0x56 + n)}},
    };

    if (n == VMM_VIRTIO_SLOTS) {
        return gw_error_set(errp, -EINVAL, "more than %u virtio devices",
                            VMM_VIRTIO_SLOTS);
    }
    options->devices[n] = option;
    options->n_devices++;
    return parse(&options->devices[n], value, errp);
}

void vmm_virtio_options_deinit(struct vmm_virtio_options *options)
{
    for (unsigned int i = 0; i < options->n_devices; i++) {
        struct vmm_virtio_option *option = &options->devices[i];

        free(option->file);
        free(option->serial);
        free(option->net.ifname);
        free(option->net.path);
        free(option->chardev.path);
    }
    options->n_devices = 0;
}

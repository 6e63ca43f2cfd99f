/*
 * Options about devices on virtio-mmio.
 */
#include "option_rules.h"

#include <errno.h>
#include <string.h>

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

const struct vmm_option_rule vmm_device_rules[] = {
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
    {NULL, NULL, NULL, NULL, NULL},
};

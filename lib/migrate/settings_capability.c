/*
 * Capabilities: their names, which of them are built, and which do not go
 * together. Texts of conflicts are QEMU 10.0's.
 */
#include "migrate/settings.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

const char *const gw_capability_names[GW_CAP_COUNT + 1] = {
    [GW_CAP_XBZRLE] = "xbzrle",
    [GW_CAP_RDMA_PIN_ALL] = "rdma-pin-all",
    [GW_CAP_AUTO_CONVERGE] = "auto-converge",
    [GW_CAP_ZERO_BLOCKS] = "zero-blocks",
    [GW_CAP_EVENTS] = "events",
    [GW_CAP_POSTCOPY_RAM] = "postcopy-ram",
    [GW_CAP_X_COLO] = "x-colo",
    [GW_CAP_RELEASE_RAM] = "release-ram",
    [GW_CAP_RETURN_PATH] = "return-path",
    [GW_CAP_PAUSE_BEFORE_SWITCHOVER] = "pause-before-switchover",
    [GW_CAP_MULTIFD] = "multifd",
    [GW_CAP_DIRTY_BITMAPS] = "dirty-bitmaps",
    [GW_CAP_POSTCOPY_BLOCKTIME] = "postcopy-blocktime",
    [GW_CAP_LATE_BLOCK_ACTIVATE] = "late-block-activate",
    [GW_CAP_X_IGNORE_SHARED] = "x-ignore-shared",
    [GW_CAP_VALIDATE_UUID] = "validate-uuid",
    [GW_CAP_BACKGROUND_SNAPSHOT] = "background-snapshot",
    [GW_CAP_ZERO_COPY_SEND] = "zero-copy-send",
    [GW_CAP_POSTCOPY_PREEMPT] = "postcopy-preempt",
    [GW_CAP_SWITCHOVER_ACK] = "switchover-ack",
    [GW_CAP_DIRTY_LIMIT] = "dirty-limit",
    [GW_CAP_MAPPED_RAM] = "mapped-ram",
};

/* May be switched on. */
static const bool is_built[GW_CAP_COUNT] = {
    [GW_CAP_EVENTS] = true,     [GW_CAP_PAUSE_BEFORE_SWITCHOVER] = true,
    [GW_CAP_MULTIFD] = true,    [GW_CAP_VALIDATE_UUID] = true,
    [GW_CAP_MAPPED_RAM] = true,
};

/* Pairs that exclude each other, in the order in which they are checked. */
static const struct {
    enum gw_capability a;
    enum gw_capability b;
    const char *text;
} conflicts[] = {
    {GW_CAP_POSTCOPY_RAM, GW_CAP_X_IGNORE_SHARED,
     "Postcopy is not compatible with ignore-shared"},
    {GW_CAP_POSTCOPY_RAM, GW_CAP_MULTIFD,
     "Postcopy is not yet compatible with multifd"},
    {GW_CAP_MULTIFD, GW_CAP_XBZRLE, "Multifd is not compatible with xbzrle"},
    {GW_CAP_DIRTY_LIMIT, GW_CAP_AUTO_CONVERGE,
     "dirty-limit conflicts with auto-converge either of then available "
     "currently"},
    {GW_CAP_MAPPED_RAM, GW_CAP_XBZRLE,
     "Mapped-ram migration is incompatible with xbzrle"},
    {GW_CAP_MAPPED_RAM, GW_CAP_POSTCOPY_RAM,
     "Mapped-ram migration is incompatible with postcopy"},
};

/* Capabilities that are nothing without another one. */
static const struct {
    enum gw_capability capability;
    enum gw_capability needs;
    const char *text;
} requirements[] = {
    {GW_CAP_ZERO_COPY_SEND, GW_CAP_MULTIFD,
     "Zero copy only available for non-compressed non-TLS multifd migration"},
    {GW_CAP_POSTCOPY_PREEMPT, GW_CAP_POSTCOPY_RAM,
     "Postcopy preempt requires postcopy-ram"},
    {GW_CAP_SWITCHOVER_ACK, GW_CAP_RETURN_PATH,
     "Capability 'switchover-ack' requires capability 'return-path'"},
};

static const enum gw_capability not_with_background_snapshot[] = {
    GW_CAP_POSTCOPY_RAM,
    GW_CAP_DIRTY_BITMAPS,
    GW_CAP_POSTCOPY_BLOCKTIME,
    GW_CAP_LATE_BLOCK_ACTIVATE,
    GW_CAP_RETURN_PATH,
    GW_CAP_MULTIFD,
    GW_CAP_PAUSE_BEFORE_SWITCHOVER,
    GW_CAP_AUTO_CONVERGE,
    GW_CAP_RELEASE_RAM,
    GW_CAP_RDMA_PIN_ALL,
    GW_CAP_XBZRLE,
    GW_CAP_X_COLO,
    GW_CAP_VALIDATE_UUID,
    GW_CAP_ZERO_COPY_SEND,
};

const char *gw_capability_name(enum gw_capability capability)
{
    return (unsigned int)capability < GW_CAP_COUNT
               ? gw_capability_names[capability]
               : NULL;
}

int gw_capability_parse(const char *name, enum gw_capability *ret)
{
    unsigned int i;

    for (i = 0; i < GW_CAP_COUNT; i++) {
        if (strcmp(gw_capability_names[i], name) == 0) {
            *ret = (enum gw_capability)i;
            return 0;
        }
    }
    return -ENOENT;
}

static int check_background_snapshot(const bool *on, struct gw_error **errp)
{
    size_t i;

    for (i = 0; on[GW_CAP_BACKGROUND_SNAPSHOT] &&
                i < GW_ARRAY_SIZE(not_with_background_snapshot);
         i++) {
        enum gw_capability other = not_with_background_snapshot[i];

        if (on[other]) {
            return gw_error_set(errp, -EINVAL,
                                "Background-snapshot is not compatible with %s",
                                gw_capability_name(other));
        }
    }
    return 0;
}

int gw_capabilities_check_conflicts(const bool on[GW_CAP_COUNT],
                                    struct gw_error **errp)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(conflicts); i++) {
        if (on[conflicts[i].a] && on[conflicts[i].b]) {
            return gw_error_set(errp, -EINVAL, "%s", conflicts[i].text);
        }
    }
    for (i = 0; i < GW_ARRAY_SIZE(requirements); i++) {
        if (on[requirements[i].capability] && !on[requirements[i].needs]) {
            return gw_error_set(errp, -EINVAL, "%s", requirements[i].text);
        }
    }
    return check_background_snapshot(on, errp);
}

int gw_capabilities_check(const bool on[GW_CAP_COUNT], struct gw_error **errp)
{
    unsigned int i;

    for (i = 0; i < GW_CAP_COUNT; i++) {
        if (on[i] && !is_built[i]) {
            return gw_error_set(errp, -ENOTSUP,
                                "capability '%s' is not supported yet",
                                gw_capability_names[i]);
        }
    }
    return gw_capabilities_check_conflicts(on, errp);
}

int gw_settings_set_capability(struct gw_settings *settings,
                               enum gw_capability capability, bool on,
                               struct gw_error **errp)
{
    bool changed[GW_CAP_COUNT];
    int r;

    if ((unsigned int)capability >= GW_CAP_COUNT) {
        return gw_error_set(errp, -EINVAL, "no capability has the number %u",
                            (unsigned int)capability);
    }
    memcpy(changed, settings->capabilities, sizeof(changed));
    changed[capability] = on;
    r = gw_capabilities_check(changed, errp);
    if (r >= 0) {
        settings->capabilities[capability] = on;
    }
    return r;
}

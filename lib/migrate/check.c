/*
 * What would stop an outgoing migration, found out before it starts.
 *
 * All reasons, not the first alone. The guest is not touched: of RAM the
 * kernel is asked which pages exist, the target is looked at, and no state of
 * a device is read.
 */
#include <godwit/migration.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "channel/probe.h"
#include "machine/machine.h"
#include "migrate/outgoing.h"
#include "migrate/settings.h"
#include "ram/block.h"
#include "ram/populated.h"

struct check {
    struct gw_machine *machine;
    const struct gw_address *address;
    const struct gw_settings *settings;
    const struct gw_migration_options *options;
    gw_reason_fn fn;
    void *opaque;
    size_t n_reasons;
};

static void add(struct check *check, const char *reason)
{
    check->fn(check->opaque, reason);
    check->n_reasons++;
}

/* Takes an error as a reason; `r` is what came with it. */
static void add_error(struct check *check, int r, struct gw_error *error)
{
    if (r < 0) {
        add(check, gw_error_text(error));
    }
}

static void check_blockers(struct check *check)
{
    const char *reason;
    unsigned int i;

    for (i = 0; (reason = gw_machine_blocked_reason(check->machine, i)); i++) {
        add(check, reason);
    }
}

static void check_run_state(struct check *check)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int r = gw_outgoing_check_run_state(check->machine, &error);

    add_error(check, r, error);
}

static void check_settings(struct check *check)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int r = gw_settings_check_start(check->settings, &error);

    add_error(check, r, error);
}

/* Bytes of pages that exist, as the kernel has them: a save has no more. */
static uint64_t touched_bytes(const struct gw_ram_block *block)
{
    uint64_t end = gw_ram_block_pages(block);
    uint64_t page = 0, n_pages = 0, next;
    struct gw_populated populated;
    bool is_hole;

    gw_populated_init(&populated, block);
    while (page < end) {
        next = gw_populated_run(&populated, page, end, &is_hole);
        n_pages += is_hole ? 0 : next - page;
        page = next;
    }
    gw_populated_deinit(&populated);
    return n_pages * GW_TARGET_PAGE_SIZE;
}

static bool is_mapped(const struct check *check)
{
    return check->settings->capabilities[GW_CAP_MAPPED_RAM];
}

/*
 * Bytes that the file may come to need. A device has no holes: with
 * mapped-ram all of RAM has its place there.
 */
static uint64_t needed_bytes(const struct check *check, bool is_fixed)
{
    const struct gw_ram_block *block;
    uint64_t bytes = 0;

    for (block = check->machine->blocks; block; block = block->next) {
        bytes += is_fixed && is_mapped(check) ? block->used_length
                                              : touched_bytes(block);
    }
    return bytes;
}

static void check_space(struct check *check, const struct gw_probe *probe)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    uint64_t needed;

    if (probe->free_bytes == UINT64_MAX) {
        return;
    }
    /* Keeps the blocks as they are while they are counted. */
    if (gw_machine_acquire(check->machine, NULL) < 0) {
        return;
    }
    needed = needed_bytes(check, probe->is_fixed);
    gw_machine_release(check->machine);
    if (needed > probe->free_bytes) {
        gw_error_set(&error, -ENOSPC,
                     "up to %" PRIu64 " bytes of RAM are to be saved, and "
                     "there is room for %" PRIu64,
                     needed, probe->free_bytes);
        add(check, gw_error_text(error));
    }
}

/* The descriptor that an address names, lent; -1: there is none. */
static int find_fd(const struct check *check)
{
    const struct gw_migration_options *options = check->options;
    const char *name = check->address->fd_name;
    char *end;
    long number;

    if (check->address->transport != GW_TRANSPORT_FD) {
        return -1;
    }
    if (options && options->lend_fd) {
        return options->lend_fd(options->opaque, name);
    }
    if ((options && options->take_fd) || name[0] < '0' || name[0] > '9') {
        return -1;
    }
    number = strtol(name, &end, 10);
    return *end == '\0' && number <= INT32_MAX ? (int)number : -1;
}

static int probe(const struct check *check, struct gw_probe *ret_probe,
                 struct gw_error **errp)
{
    int fd = find_fd(check);
    int r;

    if (check->address->transport == GW_TRANSPORT_FD && fd < 0) {
        return gw_error_set(errp, -ENOENT,
                            "File descriptor named '%s' has not been found",
                            check->address->fd_name);
    }
    r = gw_channel_probe(check->address,
                         check->options ? check->options->fdsets : NULL, fd,
                         check->settings->direct_io, ret_probe, errp);
    return r < 0 ? r
                 : gw_settings_check_transport(check->settings,
                                               ret_probe->is_seekable, errp);
}

static void check_target(struct check *check)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_probe found;
    int r = gw_outgoing_check_address(check->address, check->settings, &error);

    if (r == 0) {
        r = probe(check, &found, &error);
    }
    add_error(check, r, error);
    if (r == 0) {
        check_space(check, &found);
    }
}

static void check_busy(struct check *check)
{
    bool is_migrating;

    pthread_mutex_lock(&check->machine->lock);
    is_migrating = check->machine->is_migrating;
    pthread_mutex_unlock(&check->machine->lock);
    if (is_migrating) {
        add(check, "There's a migration process in progress");
    }
}

size_t gw_migration_check(struct gw_machine *machine,
                          const struct gw_address *address,
                          const struct gw_settings *settings,
                          const struct gw_migration_options *options,
                          gw_reason_fn fn, void *opaque)
{
    struct check check = {machine, address, settings, options, fn, opaque, 0};

    check_busy(&check);
    check_run_state(&check);
    check_blockers(&check);
    check_settings(&check);
    if (address) {
        check_target(&check);
    }
    return check.n_reasons;
}

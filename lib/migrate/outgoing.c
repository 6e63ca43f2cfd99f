/*
 * The outgoing side: from the first byte to the last, and back to a running
 * guest if anything goes wrong before.
 *
 * A machine with a tracker is live: its memory is sent while the guest runs.
 * Without one the guest is stopped before its memory is read; the steps are
 * the same without iterations. Until gw_migration_commit succeeds a failure
 * or a cancel leaves the guest as it was; after it, nothing but the naming of
 * the finished file can fail.
 */
#include "migrate/outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/channel.h"
#include "channel/output.h"
#include "machine/machine.h"
#include "migrate/device_writer.h"
#include "migrate/migration.h"
#include "migrate/sections.h"
#include "migrate/settings.h"
#include "stream/writer.h"
#include "wire/command.h"

static void fill_config(struct gw_outgoing *outgoing,
                        struct gw_stream_config *config)
{
    struct gw_machine *machine = outgoing->migration->machine;

    memset(config, 0, sizeof(*config));
    config->present = true;
    strncpy(config->machine_name, machine->name,
            sizeof(config->machine_name) - 1);
    config->mapped_ram =
        gw_migration_has(outgoing->migration, GW_CAP_MAPPED_RAM);
    config->has_uuid =
        machine->has_uuid &&
        gw_migration_has(outgoing->migration, GW_CAP_VALIDATE_UUID);
    memcpy(config->uuid, machine->uuid, sizeof(config->uuid));
}

static void describe_config(struct gw_description *description,
                            const struct gw_stream_config *config)
{
    static const char *const mapped_ram[] = {"mapped-ram", NULL};
    const struct gw_description_config described = {
        .machine_name = config->machine_name,
        .capabilities = config->mapped_ram ? mapped_ram : NULL,
        .has_uuid = config->has_uuid,
    };

    gw_description_begin(description);
    gw_description_configuration(description, &described);
    gw_description_page_size(description, GW_TARGET_PAGE_SIZE);
}

/* Before any page: header, configuration, block table, early devices. */
static int write_setup(struct gw_outgoing *outgoing,
                       struct gw_device_writer *writer, struct gw_error **errp)
{
    struct gw_stream_config config;
    int r;

    fill_config(outgoing, &config);
    describe_config(&writer->description, &config);
    r = gw_stream_put_header(outgoing->output, &config, errp);
    if (r == 0) {
        r = gw_outgoing_ram_setup(outgoing, errp);
    }
    if (r == 0) {
        r = gw_device_writer_put_all(writer, outgoing->migration->machine, true,
                                     errp);
    }
    if (r == 0) {
        gw_migration_pass(outgoing->migration);
    }
    return r;
}

/* Nothing is written any more: what is dirty now is all. */
static int last_sync(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    uint64_t bytes;

    if (!outgoing->is_live) {
        gw_migration_pass(outgoing->migration);
        return 0;
    }
    return gw_outgoing_ram_sync(outgoing, &bytes, errp);
}

/* Who asked for it may look at the stopped guest before it goes away. */
static int pause_before_switchover(struct gw_outgoing *outgoing,
                                   struct gw_error **errp)
{
    struct gw_migration *m = outgoing->migration;

    return gw_migration_has(m, GW_CAP_PAUSE_BEFORE_SWITCHOVER)
               ? gw_migration_wait_continue(m, errp)
               : 0;
}

/* The guest is stopped: the rest of RAM, the devices, the end. */
static int write_stopped(struct gw_outgoing *outgoing,
                         struct gw_device_writer *writer,
                         enum gw_run_state run_state, struct gw_error **errp)
{
    int r = pause_before_switchover(outgoing, errp);

    if (r == 0) {
        r = gw_migration_enter(outgoing->migration, GW_MIGRATION_DEVICE, errp);
    }
    if (r < 0) {
        return r;
    }
    r = last_sync(outgoing, errp);
    if (r < 0) {
        return r;
    }
    r = gw_stream_put_command(outgoing->output, GW_COMMAND_SWITCHOVER_START,
                              errp);
    if (r == 0) {
        r = gw_outgoing_ram_complete(outgoing, errp);
    }
    if (r == 0) {
        r = gw_device_writer_put_all(writer, outgoing->migration->machine,
                                     false, errp);
    }
    if (r == 0) {
        r = gw_device_writer_put_globalstate(writer, run_state, errp);
    }
    if (r == 0) {
        r = gw_device_writer_put_end(writer, errp);
    }
    return r < 0 ? r : gw_output_flush(outgoing->output, errp);
}

static bool was_resized(struct gw_machine *machine)
{
    bool resized;

    pthread_mutex_lock(&machine->lock);
    resized = machine->was_resized;
    pthread_mutex_unlock(&machine->lock);
    return resized;
}

/* What was written becomes the guest; from here on there is no way back. */
static int commit(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_migration *m = outgoing->migration;
    uint64_t bytes = gw_output_total(outgoing->output);
    int r;

    atomic_store(&m->transferred_bytes, bytes);
    bytes += atomic_load(&m->page_bytes);
    atomic_store(&m->downtime_bytes, bytes - atomic_load(&m->precopy_bytes));
    if (was_resized(m->machine)) {
        return gw_error_set(errp, -EINVAL,
                            "a RAM block was resized during the migration");
    }
    r = gw_migration_commit(m, errp);
    if (r < 0) {
        return r;
    }
    return gw_channel_finish(m->channel, errp);
}

/* Stops the guest, writes what is left, or lets the guest go on. */
static int switchover(struct gw_outgoing *outgoing,
                      struct gw_device_writer *writer, struct gw_error **errp)
{
    struct gw_migration *m = outgoing->migration;
    enum gw_run_state before;
    int r = gw_machine_enter_finish(m->machine, &before, errp);

    if (r < 0) {
        return r;
    }
    if (before == GW_RUN_STATE_RUNNING) {
        atomic_store(&m->stop_ms, gw_now_ms());
    }
    r = write_stopped(outgoing, writer, before, errp);
    if (r == 0) {
        r = commit(outgoing, errp);
    }
    if (r == 0) {
        gw_machine_enter_postmigrate(m->machine);
        return 0;
    }
    gw_migration_settle_cancel(m);
    if (gw_machine_leave_finish(m->machine, before, NULL) < 0) {
        gw_error_prefix(errp, r, "the guest could not be resumed after");
    }
    return r;
}

static int write_all(struct gw_outgoing *outgoing,
                     struct gw_device_writer *writer, struct gw_error **errp)
{
    int r = write_setup(outgoing, writer, errp);

    if (r == 0) {
        r = gw_migration_enter(outgoing->migration, GW_MIGRATION_ACTIVE, errp);
    }
    if (r == 0 && outgoing->is_live) {
        r = gw_outgoing_iterate(outgoing, errp);
    }
    return r < 0 ? r : switchover(outgoing, writer, errp);
}

static int outgoing_run(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_device_writer writer = {.next_section_id = GW_SECTION_ID_DEVICES};
    int r = gw_outgoing_ram_init(outgoing, errp);

    if (r == 0) {
        outgoing->output = gw_output_new(outgoing->migration->channel, errp);
        r = outgoing->output ? 0 : -ENOMEM;
    }
    if (r == 0) {
        r = gw_outgoing_ram_open(outgoing, errp);
    }
    if (r == 0) {
        writer.output = outgoing->output;
        r = write_all(outgoing, &writer, errp);
    }
    gw_description_deinit(&writer.description);
    return r;
}

static void *outgoing_thread(void *opaque)
{
    struct gw_migration *m = opaque;
    struct gw_outgoing outgoing = {.migration = m};
    struct gw_error *error = NULL;
    int r;

    outgoing.method = gw_migration_has(m, GW_CAP_MAPPED_RAM)
                          ? &gw_method_mapped
                          : &gw_method_precopy;
    gw_rate_init(&outgoing.rate, m);
    r = outgoing_run(&outgoing, &error);
    gw_outgoing_ram_deinit(&outgoing);
    gw_output_free(outgoing.output);
    gw_rate_deinit(&outgoing.rate);
    if (r < 0 && !error) {
        gw_error_set(&error, r, "out of memory");
    }
    gw_migration_end(m, error);
    return NULL;
}

int gw_outgoing_check_address(const struct gw_address *address,
                              const struct gw_settings *settings,
                              struct gw_error **errp)
{
    bool may_seek = address->transport == GW_TRANSPORT_FILE ||
                    address->transport == GW_TRANSPORT_FD;

    return gw_settings_check_transport(settings, may_seek, errp);
}

int gw_outgoing_check_run_state(struct gw_machine *machine,
                                struct gw_error **errp)
{
    switch (gw_machine_run_state(machine)) {
    case GW_RUN_STATE_INMIGRATE:
        return gw_error_set(errp, -EINVAL,
                            "Guest is waiting for an incoming migration");
    case GW_RUN_STATE_POSTMIGRATE:
        return gw_error_set(errp, -EINVAL,
                            "Can't migrate the vm that was paused due to "
                            "previous migration");
    default:
        return 0;
    }
}

static int check_machine(struct gw_machine *machine, struct gw_error **errp)
{
    const char *reason = gw_machine_blocked_reason(machine, 0);
    int r = gw_outgoing_check_run_state(machine, errp);

    if (r == 0 && reason) {
        r = gw_error_set(errp, -EINVAL, "%s", reason);
    }
    return r;
}

static int open_channel(struct gw_migration *m,
                        const struct gw_address *address,
                        const struct gw_migration_options *options,
                        struct gw_error **errp)
{
    int r = gw_channel_open_outgoing(address, options, m->settings.direct_io,
                                     &m->channel, errp);

    return r < 0 ? r
                 : gw_settings_check_transport(
                       &m->settings, gw_channel_is_seekable(m->channel), errp);
}

int gw_migration_start(struct gw_machine *machine,
                       const struct gw_address *address,
                       const struct gw_settings *settings,
                       const struct gw_migration_options *options,
                       struct gw_migration **ret_migration,
                       struct gw_error **errp)
{
    struct gw_migration *m = NULL;
    struct gw_error *error = NULL;
    int r = gw_settings_check_start(settings, errp);

    if (r == 0) {
        r = gw_outgoing_check_address(address, settings, errp);
    }
    if (r == 0) {
        r = gw_migration_begin(machine, false, settings, check_machine, &m,
                               errp);
    }
    if (r < 0) {
        return r;
    }
    r = open_channel(m, address, options, &error);
    if (r == 0) {
        r = gw_migration_run(m, "gw-outgoing", outgoing_thread, &error);
    }
    if (r == 0) {
        *ret_migration = m;
        return 0;
    }
    return gw_migration_abandon(m, error, errp);
}

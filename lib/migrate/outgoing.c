/*
 * The outgoing side: from the first byte to the last, and back to a running
 * guest if anything goes wrong before.
 *
 * The guest is stopped before its memory is read; the steps are those of a
 * live migration without iterations. Until gw_migration_commit succeeds a
 * failure or a cancel leaves the guest as it was; after it, nothing but the
 * naming of the finished file can fail.
 */
#include "migrate/outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/util.h"
#include "channel/channel.h"
#include "channel/output.h"
#include "machine/machine.h"
#include "migrate/globalstate.h"
#include "migrate/migration.h"
#include "migrate/sections.h"
#include "ram/block.h"
#include "stream/writer.h"
#include "vmstate/description.h"
#include "vmstate/save.h"
#include "wire/command.h"

/* Everything the devices add to the stream. */
struct device_writer {
    struct gw_output *output;
    struct gw_description description;
    uint32_t next_section_id;
};

static int copy_blocks(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_machine *machine = outgoing->migration->machine;
    struct gw_outgoing_block *b;
    struct gw_ram_block *block;
    uint64_t total = 0;
    size_t n = 0;

    for (block = gw_ram_block_next(machine, NULL); block;
         block = gw_ram_block_next(machine, block)) {
        n++;
    }
    outgoing->blocks = calloc(n ? n : 1, sizeof(*outgoing->blocks));
    if (!outgoing->blocks) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (block = gw_ram_block_next(machine, NULL); block;
         block = gw_ram_block_next(machine, block)) {
        b = &outgoing->blocks[outgoing->n_blocks++];
        b->block = block;
        b->used_length = gw_ram_block_used_length(block);
        total += b->used_length;
        if (gw_bitmap_init(&b->dirty, b->used_length / GW_TARGET_PAGE_SIZE) <
            0) {
            return gw_error_set(errp, -ENOMEM, "out of memory");
        }
        gw_bitmap_set_range(&b->dirty, 0, b->dirty.n_bits);
    }
    atomic_store(&outgoing->migration->total_bytes, total);
    atomic_store(&outgoing->migration->remaining_bytes, total);
    return 0;
}

static void outgoing_deinit(struct gw_outgoing *outgoing)
{
    size_t i;

    for (i = 0; i < outgoing->n_blocks; i++) {
        gw_bitmap_deinit(&outgoing->blocks[i].dirty);
        gw_bitmap_deinit(&outgoing->blocks[i].present);
    }
    free(outgoing->blocks);
    gw_output_free(outgoing->output);
}

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

static int put_device(struct device_writer *writer, const char *idstr,
                      uint32_t instance_id, const struct gw_vmstate *vmstate,
                      void *state, struct gw_error **errp)
{
    struct gw_section_header header = {
        .kind = GW_SECTION_FULL,
        .section_id = writer->next_section_id++,
        .instance_id = instance_id,
        .version = vmstate->version,
    };
    GW_AUTO_BUFFER struct gw_buffer data = {0};
    int r;

    strncpy(header.idstr, idstr, sizeof(header.idstr) - 1);
    gw_description_device_begin(&writer->description, idstr, instance_id);
    r = gw_vmstate_save(vmstate, state, &data, &writer->description, errp);
    if (r < 0) {
        return r;
    }
    gw_description_device_end(&writer->description);
    r = gw_stream_put_section(writer->output, &header, errp);
    if (r == 0) {
        r = gw_output_write(writer->output, data.data, data.size, errp);
    }
    return r < 0
               ? r
               : gw_stream_put_footer(writer->output, header.section_id, errp);
}

static bool is_wanted(const struct gw_device *device, bool early)
{
    return device->vmstate->early == early &&
           gw_vmstate_is_needed(device->vmstate, device->state);
}

/* Devices of one priority; the machine's list cannot change meanwhile. */
static int put_devices_of(struct device_writer *writer,
                          struct gw_machine *machine, bool early, int priority,
                          struct gw_error **errp)
{
    struct gw_device *device;
    int r;

    for (device = machine->devices; device; device = device->next) {
        if ((int)device->vmstate->priority != priority ||
            !is_wanted(device, early)) {
            continue;
        }
        r = put_device(writer, device->idstr, device->instance_id,
                       device->vmstate, device->state, errp);
        if (r < 0) {
            return gw_error_prefix(errp, r, "device '%s' instance %u",
                                   device->idstr, device->instance_id);
        }
    }
    return 0;
}

/* High priorities first; within one, in the order of adding. */
static int put_devices(struct device_writer *writer, struct gw_machine *machine,
                       bool early, struct gw_error **errp)
{
    int priority, r = 0;

    for (priority = GW_PRIORITY_GICV3; r == 0 && priority >= 0; priority--) {
        r = put_devices_of(writer, machine, early, priority, errp);
    }
    return r;
}

static int put_globalstate(struct device_writer *writer,
                           enum gw_run_state run_state, struct gw_error **errp)
{
    struct gw_globalstate state;

    gw_globalstate_set(&state, run_state);
    return put_device(writer, GW_GLOBALSTATE_IDSTR, 0, &gw_globalstate_vmstate,
                      &state, errp);
}

static int put_end(struct device_writer *writer, struct gw_error **errp)
{
    const char *text;
    size_t size;
    int r = gw_description_end(&writer->description, &text, &size, errp);

    if (r < 0) {
        return r;
    }
    if (size > UINT32_MAX) {
        return gw_error_set(errp, -EOVERFLOW,
                            "the VM description has %zu bytes, at most %u fit",
                            size, UINT32_MAX);
    }
    return gw_stream_put_end(writer->output, text, (uint32_t)size, errp);
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
                       struct device_writer *writer, struct gw_error **errp)
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
        r = put_devices(writer, outgoing->migration->machine, true, errp);
    }
    if (r == 0) {
        gw_migration_pass(outgoing->migration);
    }
    return r;
}

/* The guest is stopped: the rest of RAM, the devices, the end. */
static int write_stopped(struct gw_outgoing *outgoing,
                         struct device_writer *writer,
                         enum gw_run_state run_state, struct gw_error **errp)
{
    int r = gw_migration_enter(outgoing->migration, GW_MIGRATION_DEVICE, errp);

    if (r < 0) {
        return r;
    }
    gw_migration_pass(outgoing->migration);
    r = gw_stream_put_command(outgoing->output, GW_COMMAND_SWITCHOVER_START,
                              errp);
    if (r == 0) {
        r = gw_outgoing_ram_complete(outgoing, errp);
    }
    if (r == 0) {
        r = put_devices(writer, outgoing->migration->machine, false, errp);
    }
    if (r == 0) {
        r = put_globalstate(writer, run_state, errp);
    }
    if (r == 0) {
        r = put_end(writer, errp);
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

    if (was_resized(m->machine)) {
        return gw_error_set(errp, -EINVAL,
                            "a RAM block was resized during the migration");
    }
    r = gw_migration_commit(m, errp);
    if (r < 0) {
        return r;
    }
    atomic_store(&m->transferred_bytes, bytes);
    atomic_store(&m->downtime_bytes, bytes);
    return gw_channel_finish(m->channel, errp);
}

/* Stops the guest, writes what is left, or lets the guest go on. */
static int switchover(struct gw_outgoing *outgoing,
                      struct device_writer *writer, struct gw_error **errp)
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
    } else if (gw_machine_leave_finish(m->machine, before, NULL) < 0) {
        gw_error_prefix(errp, r, "the guest could not be resumed after");
    }
    return r;
}

static int outgoing_run(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_migration *m = outgoing->migration;
    struct device_writer writer = {.next_section_id = GW_SECTION_ID_DEVICES};
    int r = copy_blocks(outgoing, errp);

    if (r < 0) {
        return r;
    }
    outgoing->output = gw_output_new(m->channel, errp);
    if (!outgoing->output) {
        return -ENOMEM;
    }
    writer.output = outgoing->output;
    r = write_setup(outgoing, &writer, errp);
    if (r == 0) {
        r = gw_migration_enter(m, GW_MIGRATION_ACTIVE, errp);
    }
    if (r == 0) {
        r = switchover(outgoing, &writer, errp);
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
    r = outgoing_run(&outgoing, &error);
    outgoing_deinit(&outgoing);
    if (r < 0 && !error) {
        gw_error_set(&error, r, "out of memory");
    }
    gw_migration_end(m, error);
    return NULL;
}

/* What can be said about the address before anything is opened. */
static int check_address(const struct gw_address *address,
                         const struct gw_settings *settings,
                         struct gw_error **errp)
{
    bool may_seek = address->transport == GW_TRANSPORT_FILE ||
                    address->transport == GW_TRANSPORT_FD;

    if (settings->capabilities[GW_CAP_MAPPED_RAM] && !may_seek) {
        return gw_error_set(errp, -EINVAL,
                            "Migration requires seekable transport "
                            "(e.g. file)");
    }
    return 0;
}

static int check_machine(struct gw_machine *machine, struct gw_error **errp)
{
    const char *reason = gw_machine_blocked_reason(machine, 0);

    switch (gw_machine_run_state(machine)) {
    case GW_RUN_STATE_INMIGRATE:
        return gw_error_set(errp, -EINVAL,
                            "Guest is waiting for an incoming migration");
    case GW_RUN_STATE_POSTMIGRATE:
        return gw_error_set(errp, -EINVAL,
                            "Can't migrate the vm that was paused due to "
                            "previous migration");
    default:
        break;
    }
    return reason ? gw_error_set(errp, -EINVAL, "%s", reason) : 0;
}

static int open_channel(struct gw_migration *m,
                        const struct gw_address *address,
                        const struct gw_migration_options *options,
                        struct gw_error **errp)
{
    int r = gw_channel_open_outgoing(address, options, m->settings.direct_io,
                                     &m->channel, errp);

    if (r == 0 && gw_migration_has(m, GW_CAP_MAPPED_RAM) &&
        !gw_channel_is_seekable(m->channel)) {
        r = gw_error_set(errp, -EINVAL,
                         "Migration requires seekable transport (e.g. file)");
    }
    return r;
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
    int r = check_address(address, settings, errp);

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

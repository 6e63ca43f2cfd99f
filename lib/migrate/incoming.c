/*
 * The incoming side: hands the parts of a stream to the machine.
 *
 * Everything that can be checked is checked before the first byte of the
 * machine changes: configuration and the whole block table. From then on the
 * machine is tainted, and only the complete and correct end of the stream
 * makes it run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/channel.h"
#include "channel/input.h"
#include "machine/machine.h"
#include "migrate/globalstate.h"
#include "migrate/incoming_ram.h"
#include "migrate/migration.h"
#include "migrate/settings.h"
#include "stream/reader.h"
#include "vmstate/load.h"

/* A device of the machine, and whether its state has come. */
struct incoming_device {
    struct gw_device *device;
    bool is_loaded;
};

struct incoming {
    struct gw_migration *migration;
    struct gw_input *input;
    struct gw_incoming_ram ram;
    struct incoming_device *devices;
    size_t n_devices;
    struct gw_globalstate globalstate;
    bool has_globalstate;
};

/* Local state first, as QEMU says it. */
static int check_capability(const char *name, bool local, bool received,
                            struct gw_error **errp)
{
    if (local == received) {
        return 0;
    }
    return gw_error_set(errp, -EPROTO,
                        "Capability %s is %s, but received capability is %s",
                        name, local ? "on" : "off", received ? "on" : "off");
}

static int check_uuid(const struct gw_machine *machine,
                      const struct gw_stream_config *config,
                      struct gw_error **errp)
{
    if (!config->has_uuid || !machine->has_uuid ||
        memcmp(config->uuid, machine->uuid, sizeof(config->uuid)) == 0) {
        return 0;
    }
    return gw_error_set(errp, -EPROTO,
                        "the stream is of a machine with another UUID");
}

static int on_config(void *opaque, const struct gw_stream_config *config,
                     struct gw_error **errp)
{
    struct incoming *in = opaque;
    struct gw_machine *machine = in->migration->machine;
    int r = 0;

    if (!config->present) {
        return gw_error_set(errp, -EPROTO, "Configuration section missing");
    }
    if (strcmp(config->machine_name, machine->name) != 0) {
        return gw_error_set(errp, -EPROTO,
                            "Machine type received is '%s' and local is '%s'",
                            config->machine_name, machine->name);
    }
    if (!in->migration->any_format) {
        r = check_capability("mapped-ram",
                             gw_migration_has(in->migration, GW_CAP_MAPPED_RAM),
                             config->mapped_ram, errp);
    }
    if (r == 0) {
        r = check_capability("x-ignore-shared", false, config->ignore_shared,
                             errp);
    }
    return r < 0 ? r : check_uuid(machine, config, errp);
}

static int on_section_begin(void *opaque,
                            const struct gw_stream_section *section,
                            struct gw_error **errp)
{
    struct incoming *in = opaque;

    (void)section;
    return gw_migration_check_cancel(in->migration, errp);
}

static int on_section_end(void *opaque, const struct gw_stream_section *section,
                          struct gw_error **errp)
{
    (void)opaque;
    (void)section;
    (void)errp;
    return 0;
}

static int unknown_device(const struct incoming *in,
                          const struct gw_stream_section *section,
                          struct gw_error **errp)
{
    size_t i, n_instances = 0;

    for (i = 0; i < in->n_devices; i++) {
        n_instances += !strcmp(in->devices[i].device->idstr, section->idstr);
    }
    if (n_instances > 0) {
        return gw_error_set(errp, -EPROTO,
                            "the stream has device '%s' instance %u, this "
                            "machine has %zu of it",
                            section->idstr, section->instance_id, n_instances);
    }
    return gw_error_set(errp, -EPROTO,
                        "Unknown section '%s' instance %u: this machine has "
                        "no such device",
                        section->idstr, section->instance_id);
}

static int check_version(const struct gw_vmstate *vmstate,
                         const struct gw_stream_section *section,
                         struct gw_error **errp)
{
    if (section->version > vmstate->version) {
        return gw_error_set(errp, -EPROTO,
                            "unsupported version %u, newer than %u",
                            section->version, vmstate->version);
    }
    if (section->version < vmstate->min_version) {
        return gw_error_set(errp, -EPROTO,
                            "version %u is too old, the oldest "
                            "supported is %u",
                            section->version, vmstate->min_version);
    }
    return 0;
}

static int load_device(struct incoming *in, const struct gw_vmstate *vmstate,
                       void *state, const struct gw_stream_section *section,
                       struct gw_input *input, struct gw_error **errp)
{
    int r = 0;

    if (section->kind != GW_SECTION_FULL && section->kind != GW_SECTION_START) {
        r = gw_error_set(errp, -EPROTO,
                         "a device without iterations has a "
                         "section that is not full");
    }
    if (r == 0) {
        r = check_version(vmstate, section, errp);
    }
    if (r == 0) {
        gw_machine_taint(in->migration->machine);
        r = gw_vmstate_load(vmstate, state, section->version, input, errp);
    }
    return r;
}

static int on_device(void *opaque, const struct gw_stream_section *section,
                     struct gw_input *input, struct gw_error **errp)
{
    struct incoming *in = opaque;
    struct incoming_device *d;
    size_t i;

    if (strcmp(section->idstr, GW_GLOBALSTATE_IDSTR) == 0 &&
        section->instance_id == 0) {
        in->has_globalstate = true;
        return load_device(in, &gw_globalstate_vmstate, &in->globalstate,
                           section, input, errp);
    }
    for (i = 0; i < in->n_devices; i++) {
        d = &in->devices[i];
        if (d->device->instance_id == section->instance_id &&
            strcmp(d->device->idstr, section->idstr) == 0) {
            d->is_loaded = true;
            return load_device(in, d->device->vmstate, d->device->state,
                               section, input, errp);
        }
    }
    return unknown_device(in, section, errp);
}

static int on_ram_block(void *opaque, const struct gw_stream_block *block,
                        struct gw_input *input, struct gw_error **errp)
{
    struct incoming *in = opaque;

    (void)input;
    return gw_incoming_ram_add(&in->ram, block, errp);
}

static int on_ram_table_end(void *opaque, struct gw_error **errp)
{
    struct incoming *in = opaque;

    return gw_incoming_ram_begin(&in->ram, in->input, errp);
}

static int on_ram_page(void *opaque, const struct gw_stream_block *block,
                       uint64_t offset, struct gw_input *input,
                       struct gw_error **errp)
{
    struct incoming *in = opaque;

    return gw_incoming_ram_page(&in->ram, block->index, offset, input, errp);
}

static int on_ram_zero(void *opaque, const struct gw_stream_block *block,
                       uint64_t offset, struct gw_error **errp)
{
    struct incoming *in = opaque;

    (void)errp;
    gw_incoming_ram_zero(&in->ram, block->index, offset);
    return 0;
}

static int on_command(void *opaque, uint16_t command, const uint8_t *data,
                      uint16_t size, uint64_t offset, struct gw_error **errp)
{
    (void)opaque;
    (void)command;
    (void)data;
    (void)size;
    (void)offset;
    (void)errp;
    return 0;
}

/* The end of the state: is it all there? */
static int on_eof(void *opaque, uint64_t offset, struct gw_error **errp)
{
    struct incoming *in = opaque;
    const struct gw_device *device;
    size_t i;

    if (!in->ram.is_begun && in->migration->machine->blocks) {
        return gw_error_set(errp, -EPROTO, "section 'ram' is missing");
    }
    for (i = 0; i < in->n_devices; i++) {
        device = in->devices[i].device;
        /* With a condition only the source knows whether it was needed. */
        if (!in->devices[i].is_loaded && !device->vmstate->needed) {
            return gw_error_set(errp, -EPROTO,
                                "device '%s' instance %u is missing in the "
                                "stream, which ends at offset %#llx",
                                device->idstr, device->instance_id,
                                (unsigned long long)offset);
        }
    }
    return 0;
}

static int on_description(void *opaque, const char *json, uint32_t len,
                          uint64_t offset, struct gw_error **errp)
{
    (void)opaque;
    (void)json;
    (void)len;
    (void)offset;
    (void)errp;
    return 0;
}

static const struct gw_stream_ops incoming_ops = {
    .config = on_config,
    .section_begin = on_section_begin,
    .device = on_device,
    .section_end = on_section_end,
    .ram_block = on_ram_block,
    .ram_table_end = on_ram_table_end,
    .ram_page = on_ram_page,
    .ram_zero = on_ram_zero,
    .command = on_command,
    .eof = on_eof,
    .description = on_description,
};

static int list_devices(struct incoming *in, struct gw_error **errp)
{
    struct gw_machine *machine = in->migration->machine;
    struct gw_device *device;
    size_t n = 0;

    /* The list cannot change while the migration has the machine. */
    for (device = machine->devices; device; device = device->next) {
        n++;
    }
    in->devices = calloc(n ? n : 1, sizeof(*in->devices));
    if (!in->devices) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (device = machine->devices; device; device = device->next) {
        in->devices[in->n_devices++].device = device;
    }
    return 0;
}

/* The machine has the state; whether it can go on with it. */
static int ask_machine(struct incoming *in, struct gw_error **errp)
{
    struct gw_machine *machine = in->migration->machine;

    return machine->ops->loaded ? machine->ops->loaded(machine->opaque, errp)
                                : 0;
}

/* The state is complete: run the guest as it ran, or leave it as it was. */
static int finish(struct incoming *in, struct gw_error **errp)
{
    enum gw_run_state saved = GW_RUN_STATE_RUNNING;
    int r = 0;

    if (in->has_globalstate) {
        r = gw_globalstate_get(&in->globalstate, &saved, errp);
    }
    if (r == 0) {
        r = ask_machine(in, errp);
    }
    if (r == 0) {
        r = gw_migration_commit(in->migration, errp);
    }
    return r < 0 ? r
                 : gw_machine_enter_loaded(in->migration->machine, saved, errp);
}

static int incoming_run(struct incoming *in, struct gw_error **errp)
{
    struct gw_stream_reader reader = {.ops = &incoming_ops, .opaque = in};
    struct gw_migration *m = in->migration;
    uint64_t trailing = 0;
    int r = list_devices(in, errp);

    if (r == 0) {
        in->input = gw_input_new(m->channel, errp);
        r = in->input ? 0 : -ENOMEM;
    }
    if (r == 0) {
        r = gw_migration_enter(m, GW_MIGRATION_ACTIVE, errp);
    }
    if (r == 0) {
        r = gw_stream_read(&reader, in->input, &trailing, errp);
    }
    atomic_store(&m->trailing_bytes, trailing);
    return r < 0 ? r : finish(in, errp);
}

/*
 * As QEMU says it, with the cause behind. What it calls an input error when
 * the stream ends early has a name of its own here.
 */
static void explain(struct gw_error **errp, int code)
{
    char buffer[128];
    int shown = code == -ENODATA                      ? EIO
                : code == -EPROTO || code == -EBADMSG ? EINVAL
                                                      : -code;

    gw_error_prefix(errp, code, "load of migration failed: %s",
                    strerror_r(shown, buffer, sizeof(buffer)));
}

static void *incoming_thread(void *opaque)
{
    struct gw_migration *m = opaque;
    struct incoming in = {.migration = m};
    struct gw_error *error = NULL;
    int r;

    gw_incoming_ram_init(&in.ram, m);
    r = incoming_run(&in, &error);
    if (r < 0 && !error) {
        gw_error_set(&error, r, "out of memory");
    }
    if (r < 0 && r != -ECANCELED) {
        explain(&error, r);
    }
    gw_incoming_ram_deinit(&in.ram);
    gw_input_free(in.input);
    free(in.devices);
    gw_migration_end(m, error);
    return NULL;
}

static int check_machine(struct gw_machine *machine, struct gw_error **errp)
{
    if (gw_machine_is_tainted(machine)) {
        return gw_error_set(errp, -EINVAL,
                            "The incoming migration has already been started");
    }
    if (gw_machine_run_state(machine) != GW_RUN_STATE_INMIGRATE) {
        return gw_error_set(errp, -EINVAL,
                            "the machine does not wait for an incoming "
                            "migration, it is '%s'",
                            gw_run_state_name(gw_machine_run_state(machine)));
    }
    return 0;
}

int gw_incoming_start(struct gw_machine *machine,
                      const struct gw_address *address,
                      const struct gw_settings *settings,
                      const struct gw_migration_options *options,
                      struct gw_migration **ret_migration,
                      struct gw_error **errp)
{
    struct gw_migration *m = NULL;
    struct gw_channel *channel = NULL;
    struct gw_error *error = NULL;
    bool any_format = options && options->any_format;
    int r = any_format ? 0 : gw_settings_check_start(settings, errp);

    if (r == 0) {
        r = gw_migration_begin(machine, true, settings, check_machine, &m,
                               errp);
    }
    if (r < 0) {
        return r;
    }
    m->any_format = any_format;
    r = gw_channel_open_incoming(address, options, m->settings.direct_io,
                                 &channel, &error);
    if (r == 0) {
        m->channel = channel;
        r = gw_settings_check_transport(
            &m->settings, gw_channel_is_seekable(channel), &error);
    }
    if (r == 0) {
        r = gw_migration_run(m, "gw-incoming", incoming_thread, &error);
    }
    if (r == 0) {
        *ret_migration = m;
        return 0;
    }
    return gw_migration_abandon(m, error, errp);
}

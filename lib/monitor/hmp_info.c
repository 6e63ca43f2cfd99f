/*
 * HMP: the commands `info ...`.
 */
#include "monitor/hmp.h"

#include <inttypes.h>
#include <string.h>

#include <godwit/version.h>

#include "base/util.h"
#include "monitor/control.h"

void gw_hmp_info_status(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    enum gw_run_state state = gw_machine_run_state(hmp->control->machine);
    bool is_running = gw_machine_is_running(hmp->control->machine);

    (void)args;
    gw_buffer_printf(hmp->out, "VM status: %s",
                     is_running ? "running" : "paused");
    if (!is_running && state != GW_RUN_STATE_PAUSED) {
        gw_buffer_printf(hmp->out, " (%s)", gw_run_state_name(state));
    }
    gw_buffer_printf(hmp->out, "\n");
}

void gw_hmp_info_version(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    (void)args;
    gw_buffer_printf(hmp->out, "10.0.2 (godwit %s)\n", gw_version_string());
}

void gw_hmp_info_capabilities(struct gw_hmp *hmp,
                              const struct gw_hmp_args *args)
{
    unsigned int i;

    (void)args;
    for (i = 0; i < GW_CAP_COUNT; i++) {
        gw_buffer_printf(hmp->out, "%s: %s\n",
                         gw_capability_name((enum gw_capability)i),
                         hmp->control->settings.capabilities[i] ? "on" : "off");
    }
}

static void print_parameter(struct gw_hmp *hmp,
                            const struct gw_parameter_info *info)
{
    const struct gw_settings *settings = &hmp->control->settings;

    switch (info->type) {
    case GW_PARAMETER_STRING:
        gw_buffer_printf(hmp->out, "%s: '%s'\n", info->name,
                         gw_settings_get_string(settings, info));
        return;
    case GW_PARAMETER_ENUM:
        gw_buffer_printf(hmp->out, "%s: %s\n", info->name,
                         gw_settings_get_string(settings, info));
        return;
    case GW_PARAMETER_BOOL:
        gw_buffer_printf(hmp->out, "%s: %s\n", info->name,
                         gw_settings_get_uint(settings, info) ? "on" : "off");
        return;
    default:
        gw_buffer_printf(hmp->out, "%s: %" PRIu64 "%s%s\n", info->name,
                         gw_settings_get_uint(settings, info),
                         *info->unit ? " " : "", info->unit);
    }
}

void gw_hmp_info_parameters(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    (void)args;
    /* Not the order of QMP, and without the levels of compression. */
    static const char *const order[] = {
        "announce-initial",
        "announce-max",
        "announce-rounds",
        "announce-step",
        "throttle-trigger-threshold",
        "cpu-throttle-initial",
        "cpu-throttle-increment",
        "cpu-throttle-tailslow",
        "max-cpu-throttle",
        "tls-creds",
        "tls-hostname",
        "max-bandwidth",
        "avail-switchover-bandwidth",
        "downtime-limit",
        "x-checkpoint-delay",
        "multifd-channels",
        "multifd-compression",
        "zero-page-detection",
        "xbzrle-cache-size",
        "max-postcopy-bandwidth",
        "tls-authz",
        "x-vcpu-dirty-limit-period",
        "vcpu-dirty-limit",
        "mode",
        "direct-io",
    };
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(order); i++) {
        print_parameter(hmp, gw_parameter_info_find(order[i]));
    }
}

static void print_kbytes(struct gw_hmp *hmp, const char *name, uint64_t bytes)
{
    gw_buffer_printf(hmp->out, "%s: %" PRIu64 " kbytes\n", name, bytes >> 10);
}

static void print_ram(struct gw_hmp *hmp, const struct gw_progress *p)
{
    print_kbytes(hmp, "transferred ram", p->transferred_bytes);
    gw_buffer_printf(hmp->out, "throughput: %0.2f mbps\n", p->mbps);
    print_kbytes(hmp, "remaining ram", p->remaining_bytes);
    print_kbytes(hmp, "total ram", p->total_bytes);
    gw_buffer_printf(hmp->out, "duplicate: %" PRIu64 " pages\n",
                     p->duplicate_pages);
    gw_buffer_printf(hmp->out, "normal: %" PRIu64 " pages\n", p->normal_pages);
    print_kbytes(hmp, "normal bytes", p->normal_pages * p->page_size);
    gw_buffer_printf(hmp->out, "dirty sync count: %" PRIu64 "\n",
                     p->dirty_sync_count);
    print_kbytes(hmp, "page size", p->page_size);
    print_kbytes(hmp, "multifd bytes", p->page_bytes);
    gw_buffer_printf(hmp->out, "pages-per-second: %" PRIu64 "\n",
                     p->pages_per_second);
    if (p->dirty_pages_rate) {
        gw_buffer_printf(hmp->out, "dirty pages rate: %" PRIu64 " pages\n",
                         p->dirty_pages_rate);
    }
    if (p->precopy_bytes) {
        print_kbytes(hmp, "precopy ram", p->precopy_bytes);
    }
    if (p->downtime_bytes) {
        print_kbytes(hmp, "downtime ram", p->downtime_bytes);
    }
    if (p->page_io) {
        gw_buffer_printf(hmp->out, "page i/o: %s\n", p->page_io);
    }
}

static void print_times(struct gw_hmp *hmp,
                        const struct gw_control_state *state)
{
    const struct gw_progress *p = &state->progress;
    bool is_completed = state->status == GW_MIGRATION_COMPLETED;
    bool is_moving = state->status == GW_MIGRATION_ACTIVE ||
                     state->status == GW_MIGRATION_CANCELLING ||
                     state->status == GW_MIGRATION_PRE_SWITCHOVER ||
                     state->status == GW_MIGRATION_DEVICE;

    if (!state->is_outgoing || !(is_completed || is_moving)) {
        gw_buffer_printf(hmp->out, "total time: 0 ms\n");
        return;
    }
    gw_buffer_printf(hmp->out, "total time: %" PRIu64 " ms\n",
                     p->total_time_ms);
    if (is_moving) {
        gw_buffer_printf(hmp->out, "expected downtime: %" PRIu64 " ms\n",
                         p->expected_downtime_ms);
    } else {
        gw_buffer_printf(hmp->out, "downtime: %" PRIu64 " ms\n",
                         p->downtime_ms);
    }
    gw_buffer_printf(hmp->out, "setup: %" PRIu64 " ms\n", p->setup_time_ms);
    print_ram(hmp, p);
}

static void print_blockers(struct gw_hmp *hmp)
{
    const char *reason;
    unsigned int i;

    for (i = 0; (reason = gw_machine_blocked_reason(hmp->control->machine, i));
         i++) {
        gw_buffer_printf(hmp->out, "%s  %s\n",
                         i ? "" : "Outgoing migration blocked:\n", reason);
    }
}

void gw_hmp_info_migrate(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_control_state state;

    (void)args;
    gw_buffer_printf(hmp->out, "globals:\n"
                               "store-global-state: on\n"
                               "only-migratable: off\n"
                               "send-configuration: on\n"
                               "send-section-footer: on\n"
                               "send-switchover-start: on\n"
                               "clear-bitmap-shift: 18\n");
    print_blockers(hmp);
    gw_control_get_state(hmp->control, &state);
    if (state.has_status) {
        gw_buffer_printf(hmp->out, "Migration status: %s",
                         gw_migration_status_name(state.status));
        if (state.error) {
            gw_buffer_printf(hmp->out, " (%s)", gw_error_text(state.error));
        }
        gw_buffer_printf(hmp->out, "\n");
        print_times(hmp, &state);
    }
    gw_error_free(state.error);
}

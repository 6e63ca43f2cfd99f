/*
 * The live part: round after round over the pages that the guest wrote, until
 * what is left can be sent within the downtime limit.
 */
#include <stdatomic.h>

#include <godwit/ram.h>

#include "base/util.h"
#include "channel/channel.h"
#include "channel/output.h"
#include "migrate/migration.h"
#include "migrate/outgoing.h"

/* A round that moved less says nothing about the bandwidth. */
#define MEANINGFUL_BYTES (UINT64_C(1) << 20)
/* No more rounds than so many a second, for the sake of the guest. */
#define ROUND_NS UINT64_C(10000000)

struct iteration {
    struct gw_outgoing *outgoing;
    double bandwidth_bps; /* bytes per second, measured; 0: not yet */
    uint64_t started_ns;  /* of the round */
    uint64_t sent_bytes;  /* in all, when the round began */
};

static uint64_t sent_bytes(const struct gw_outgoing *outgoing)
{
    return gw_output_total(outgoing->output) +
           atomic_load(&outgoing->migration->page_bytes);
}

/*
 * What lies in the page cache would have to be written while the guest is
 * stopped; and a bandwidth is that of the device, not of the cache.
 */
static int flush(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    int r = gw_output_flush(outgoing->output, errp);

    return r < 0 ? r : gw_channel_flush(outgoing->migration->channel, errp);
}

static int run_round(struct iteration *it, struct gw_error **errp)
{
    uint64_t bytes, ns;
    int r;

    it->started_ns = gw_now_ns();
    it->sent_bytes = sent_bytes(it->outgoing);
    r = gw_outgoing_ram_iterate(it->outgoing, errp);
    if (r == 0) {
        r = flush(it->outgoing, errp);
    }
    ns = gw_max_u64(gw_now_ns() - it->started_ns, 1);
    bytes = sent_bytes(it->outgoing) - it->sent_bytes;
    if (bytes >= MEANINGFUL_BYTES || it->bandwidth_bps == 0) {
        it->bandwidth_bps = (double)bytes * 1e9 / (double)ns;
    }
    return r;
}

/* Bytes that may be left for the time when the guest is stopped. */
static uint64_t threshold_bytes(const struct iteration *it)
{
    struct gw_migration *m = it->outgoing->migration;
    uint64_t fixed_bps = gw_migration_switchover_bandwidth(m);
    double bps = fixed_bps ? (double)fixed_bps : it->bandwidth_bps;

    return (uint64_t)(bps * (double)gw_migration_downtime_limit(m) / 1000);
}

/* What people want to know about the round. */
static void report(const struct iteration *it, uint64_t pending_bytes)
{
    struct gw_migration *m = it->outgoing->migration;
    uint64_t ms = gw_max_u64((gw_now_ns() - it->started_ns) / 1000000, 1);

    atomic_store(&m->dirty_pages_rate,
                 pending_bytes / GW_TARGET_PAGE_SIZE * 1000 / ms);
    if (it->bandwidth_bps > 0) {
        atomic_store(
            &m->expected_downtime_ms,
            (uint64_t)((double)pending_bytes * 1000 / it->bandwidth_bps));
    }
}

static int pace(const struct iteration *it, struct gw_error **errp)
{
    uint64_t next_ns = it->started_ns + ROUND_NS;
    int r = 0;

    while (r == 0 && gw_now_ns() < next_ns) {
        r = gw_migration_wait_change(it->outgoing->migration, next_ns, errp);
    }
    return r;
}

int gw_outgoing_iterate(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct iteration it = {.outgoing = outgoing};
    uint64_t pending_bytes;
    int r;

    outgoing->is_limited = true;
    do {
        r = run_round(&it, errp);
        if (r == 0) {
            r = pace(&it, errp);
        }
        if (r == 0) {
            r = gw_outgoing_ram_sync(outgoing, &pending_bytes, errp);
        }
        if (r < 0) {
            return r;
        }
        report(&it, pending_bytes);
    } while (pending_bytes > threshold_bytes(&it));
    outgoing->is_limited = false;
    atomic_store(&outgoing->migration->precopy_bytes, sent_bytes(outgoing));
    return 0;
}

/*
 * The picture of a migration at one moment.
 */
#include <stdatomic.h>

#include <godwit/ram.h>

#include "base/util.h"
#include "migrate/migration.h"

/* Rates are those of windows of this length, as QEMU's. */
#define WINDOW_MS 100u

static void set_rates(struct gw_rates *rates, uint64_t bytes, uint64_t pages,
                      uint64_t ms)
{
    ms = gw_max_u64(ms, 1);
    rates->mbps = (double)bytes * 8 / 1000 / (double)ms;
    rates->pages_per_second = pages * 1000 / ms;
}

/* Of the last window; at the end, of all the time after the setup. */
static void fill_rates(struct gw_migration *migration, struct gw_progress *p)
{
    uint64_t pages = p->normal_pages + p->duplicate_pages;
    struct gw_rates *rates = &migration->rates;
    uint64_t moving_ms =
        p->total_time_ms - gw_min_u64(p->total_time_ms, p->setup_time_ms);
    uint64_t now = gw_now_ms();

    if (migration->total_time_ms || rates->at_ms == 0) {
        set_rates(rates, p->transferred_bytes, pages, moving_ms);
    } else if (now - rates->at_ms >= WINDOW_MS) {
        set_rates(rates, p->transferred_bytes - rates->bytes,
                  pages - rates->pages, now - rates->at_ms);
    }
    if (rates->at_ms == 0 || now - rates->at_ms >= WINDOW_MS) {
        rates->at_ms = now;
        rates->bytes = p->transferred_bytes;
        rates->pages = pages;
    }
    p->mbps = rates->mbps;
    p->pages_per_second = rates->pages_per_second;
}

void gw_migration_get_progress(struct gw_migration *migration,
                               struct gw_progress *ret_progress)
{
    struct gw_progress p;

    /* Counters too, so that rates of two readers are never negative. */
    pthread_mutex_lock(&migration->lock);
    p = (struct gw_progress){
        .incoming = migration->is_incoming,
        .page_size = GW_TARGET_PAGE_SIZE,
        .page_bytes = atomic_load(&migration->page_bytes),
        .remaining_bytes = atomic_load(&migration->remaining_bytes),
        .total_bytes = atomic_load(&migration->total_bytes),
        .duplicate_pages = atomic_load(&migration->duplicate_pages),
        .normal_pages = atomic_load(&migration->normal_pages),
        .dirty_sync_count = atomic_load(&migration->dirty_sync_count),
        .precopy_bytes = atomic_load(&migration->precopy_bytes),
        .downtime_bytes = atomic_load(&migration->downtime_bytes),
        .trailing_bytes = atomic_load(&migration->trailing_bytes),
        .dirty_pages_rate = atomic_load(&migration->dirty_pages_rate),
        .expected_downtime_ms = atomic_load(&migration->expected_downtime_ms),
        .page_io = atomic_load(&migration->page_io),
    };

    p.transferred_bytes =
        p.page_bytes + atomic_load(&migration->transferred_bytes);
    p.status = migration->status;
    p.setup_time_ms = migration->setup_time_ms;
    p.total_time_ms = migration->total_time_ms
                          ? migration->total_time_ms
                          : gw_now_ms() - migration->start_ms;
    p.downtime_ms = migration->downtime_ms;
    fill_rates(migration, &p);
    pthread_mutex_unlock(&migration->lock);
    *ret_progress = p;
}

/*
 * The rate limit, as a debt: what was sent is paid for in time before more is
 * sent. Small debts are paid together, so that nobody sleeps for each chunk.
 */
#include "migrate/rate.h"

#include "base/util.h"
#include "migrate/migration.h"

/* A debt below this is carried on; time that was not used up is kept as long.
 */
#define SLACK_NS UINT64_C(20000000)

/* Longest that a change of the limit may be missed. */
#define STEP_NS UINT64_C(100000000)

void gw_rate_init(struct gw_rate *rate, struct gw_migration *migration)
{
    rate->migration = migration;
    rate->paid_ns = 0;
    pthread_mutex_init(&rate->lock, NULL);
}

void gw_rate_deinit(struct gw_rate *rate)
{
    pthread_mutex_destroy(&rate->lock);
}

/* Adds to the debt; returns when it is paid off. */
static uint64_t add_debt(struct gw_rate *rate, uint64_t bytes,
                         uint64_t bandwidth_bps)
{
    uint64_t earliest = gw_now_ns() - SLACK_NS;
    uint64_t paid_ns;

    pthread_mutex_lock(&rate->lock);
    rate->paid_ns = gw_max_u64(rate->paid_ns, earliest);
    rate->paid_ns += (uint64_t)((double)bytes * 1e9 / (double)bandwidth_bps);
    paid_ns = rate->paid_ns;
    pthread_mutex_unlock(&rate->lock);
    return paid_ns;
}

static void forgive(struct gw_rate *rate)
{
    pthread_mutex_lock(&rate->lock);
    rate->paid_ns = 0;
    pthread_mutex_unlock(&rate->lock);
}

int gw_rate_pay(struct gw_rate *rate, uint64_t bytes, struct gw_error **errp)
{
    uint64_t bandwidth_bps = gw_migration_max_bandwidth(rate->migration);
    uint64_t paid_ns;
    int r = gw_migration_check_cancel(rate->migration, errp);

    if (r < 0 || bandwidth_bps == 0 || bytes == 0) {
        return r;
    }
    paid_ns = add_debt(rate, bytes, bandwidth_bps);
    while (r == 0 && gw_now_ns() + SLACK_NS < paid_ns) {
        if (gw_migration_max_bandwidth(rate->migration) != bandwidth_bps) {
            forgive(rate);
            break;
        }
        /* A change between the question and the wait wakes nobody. */
        r = gw_migration_wait_change(
            rate->migration, gw_min_u64(paid_ns, gw_now_ns() + STEP_NS), errp);
    }
    return r;
}

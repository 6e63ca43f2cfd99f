/*
 * The limit on what a migration sends while the guest may run: the parameter
 * max-bandwidth, which may change on the way.
 */
#ifndef GW_MIGRATE_RATE_H
#define GW_MIGRATE_RATE_H

#include <pthread.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_migration;

struct gw_rate {
    struct gw_migration *migration;

    pthread_mutex_t lock;
    /* guarded by `lock`: when all that was sent is paid for, ns */
    uint64_t paid_ns;
};

void gw_rate_init(struct gw_rate *rate, struct gw_migration *migration);
void gw_rate_deinit(struct gw_rate *rate);

/*
 * Pays for bytes that were sent: waits as long as the limit makes them last.
 * Several threads. -ECANCELED when the migration is cancelled meanwhile.
 */
int gw_rate_pay(struct gw_rate *rate, uint64_t bytes, struct gw_error **errp);

#endif

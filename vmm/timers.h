/*
 * Timers of devices, by the VM clock or by the host's clock: one thread waits
 * for the next one. They stand while the machine is paused.
 */
#ifndef VMM_TIMERS_H
#define VMM_TIMERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

struct vmm_clock;

#define VMM_TIMERS_MAX 4

enum vmm_timer_clock {
    /* Nanoseconds of guest life. */
    VMM_TIMER_VM,
    /* Nanoseconds since 1970, UTC. */
    VMM_TIMER_HOST,
};

struct vmm_timer {
    enum vmm_timer_clock clock;
    /* By that clock, or -1; guarded by the lock of the timers. */
    int64_t expiry;
    /* On the timers' thread, without a lock held; not armed any more. */
    void (*fire)(void *opaque);
    void *opaque;
};

struct vmm_timers {
    /* --- constant after init --- */
    const struct vmm_clock *vm_clock;
    pthread_t thread;
    bool has_thread;
    /* --- guarded by lock --- */
    pthread_mutex_t lock;
    /* Signalled when anything below changes. */
    pthread_cond_t changed;
    struct vmm_timer *timers[VMM_TIMERS_MAX];
    unsigned int n_timers;
    bool running;
    bool quit;
    /* A timer's function is being called. */
    bool firing;
};

/* Starts the thread; nothing fires before vmm_timers_start. */
int vmm_timers_init(struct vmm_timers *timers, const struct vmm_clock *vm_clock,
                    struct gw_error **errp) GW_MUST_CHECK;
/* Accepts a zeroed or half-built object. */
void vmm_timers_deinit(struct vmm_timers *timers);

/* Adds one, not armed; at most VMM_TIMERS_MAX, before the machine runs. */
void vmm_timers_add(struct vmm_timers *timers, struct vmm_timer *timer,
                    enum vmm_timer_clock clock, void (*fire)(void *opaque),
                    void *opaque);

/* Arms it, or disarms it with -1. Any thread, also while paused. */
void vmm_timers_set(struct vmm_timers *timers, struct vmm_timer *timer,
                    int64_t expiry);

/*
 * The VM clock runs; it is about to stop: then no timer fires any more, and
 * none is still firing. Not with a lock held that a timer's function takes.
 */
void vmm_timers_start(struct vmm_timers *timers);
void vmm_timers_stop(struct vmm_timers *timers);

#endif

/*
 * One thread, a condition variable with a deadline.
 */
#include "timers.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "clock.h"
#include "util.h"

#define NOT_ARMED (-1)
#define NS_PER_S 1000000000
/*
 * The longest wait. The host's clock may be set while we wait for it, and a
 * deadline may lie beyond what the host can wait for.
 */
#define MAX_WAIT_NS NS_PER_S

static int64_t now_of(const struct vmm_timers *timers,
                      enum vmm_timer_clock clock)
{
    return clock == VMM_TIMER_VM ? vmm_clock_now(timers->vm_clock)
                                 : vmm_host_time_ns();
}

/* How long until then: 0 if it is due. */
static int64_t wait_of(const struct vmm_timers *timers,
                       const struct vmm_timer *timer)
{
    int64_t now = now_of(timers, timer->clock);
    uint64_t wait;

    if (timer->expiry <= now) {
        return 0;
    }
    wait = (uint64_t)timer->expiry - (uint64_t)now;
    return wait < MAX_WAIT_NS ? (int64_t)wait : MAX_WAIT_NS;
}

/* The one that is due next, and when; NULL: none is armed. */
static struct vmm_timer *find_next(const struct vmm_timers *timers,
                                   int64_t *ret_wait)
{
    struct vmm_timer *next = NULL;

    for (unsigned int i = 0; i < timers->n_timers; i++) {
        struct vmm_timer *timer = timers->timers[i];
        int64_t wait;

        if (timer->expiry == NOT_ARMED) {
            continue;
        }
        wait = wait_of(timers, timer);
        if (!next || wait < *ret_wait) {
            next = timer;
            *ret_wait = wait;
        }
    }
    return next;
}

static void wait_ns(struct vmm_timers *timers, int64_t ns)
{
    int64_t until = vmm_now_ns() + ns;
    struct timespec deadline = {.tv_sec = until / NS_PER_S,
                                .tv_nsec = until % NS_PER_S};

    pthread_cond_timedwait(&timers->changed, &timers->lock, &deadline);
}

static void fire_one(struct vmm_timers *timers, struct vmm_timer *timer)
{
    timer->expiry = NOT_ARMED;
    timers->firing = true;
    pthread_mutex_unlock(&timers->lock);
    timer->fire(timer->opaque);
    pthread_mutex_lock(&timers->lock);
    timers->firing = false;
    pthread_cond_broadcast(&timers->changed);
}

static void *timers_main(void *opaque)
{
    struct vmm_timers *timers = opaque;

    pthread_setname_np(pthread_self(), "timers");
    pthread_mutex_lock(&timers->lock);
    while (!timers->quit) {
        int64_t wait = 0;
        struct vmm_timer *next =
            timers->running ? find_next(timers, &wait) : NULL;

        if (!next) {
            pthread_cond_wait(&timers->changed, &timers->lock);
        } else if (wait > 0) {
            wait_ns(timers, wait);
        } else {
            fire_one(timers, next);
        }
    }
    pthread_mutex_unlock(&timers->lock);
    return NULL;
}

/* Deadlines are those of vmm_now_ns. */
static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int vmm_timers_init(struct vmm_timers *timers, const struct vmm_clock *vm_clock,
                    struct gw_error **errp)
{
    sigset_t all, old;
    int r;

    *timers = (struct vmm_timers){.vm_clock = vm_clock};
    pthread_mutex_init(&timers->lock, NULL);
    init_cond(&timers->changed);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = -pthread_create(&timers->thread, NULL, timers_main, timers);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r < 0) {
        return gw_error_set_errno(errp, r, "cannot start the timers' thread");
    }
    timers->has_thread = true;
    return 0;
}

void vmm_timers_deinit(struct vmm_timers *timers)
{
    if (!timers->has_thread) {
        return;
    }
    pthread_mutex_lock(&timers->lock);
    timers->quit = true;
    pthread_cond_broadcast(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
    pthread_join(timers->thread, NULL);
    pthread_cond_destroy(&timers->changed);
    pthread_mutex_destroy(&timers->lock);
    *timers = (struct vmm_timers){0};
}

void vmm_timers_add(struct vmm_timers *timers, struct vmm_timer *timer,
                    enum vmm_timer_clock clock, void (*fire)(void *opaque),
                    void *opaque)
{
    *timer = (struct vmm_timer){
        .clock = clock, .expiry = NOT_ARMED, .fire = fire, .opaque = opaque};
    pthread_mutex_lock(&timers->lock);
    assert(timers->n_timers < VMM_TIMERS_MAX);
    timers->timers[timers->n_timers++] = timer;
    pthread_mutex_unlock(&timers->lock);
}

void vmm_timers_set(struct vmm_timers *timers, struct vmm_timer *timer,
                    int64_t expiry)
{
    pthread_mutex_lock(&timers->lock);
    timer->expiry = expiry < 0 ? NOT_ARMED : expiry;
    pthread_cond_broadcast(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
}

void vmm_timers_start(struct vmm_timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    timers->running = true;
    pthread_cond_broadcast(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
}

void vmm_timers_stop(struct vmm_timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    timers->running = false;
    pthread_cond_broadcast(&timers->changed);
    while (timers->firing) {
        pthread_cond_wait(&timers->changed, &timers->lock);
    }
    pthread_mutex_unlock(&timers->lock);
}

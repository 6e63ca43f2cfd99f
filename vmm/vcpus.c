/*
 * Threads with two states, running and parked. `run` is only set and looked
 * at under the lock, and an accelerator is armed under it, so that no kick
 * between the look and the start is lost.
 */
#include "vcpus.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "util.h"

static void ignore_signal(int number)
{
}

/* Without SA_RESTART: the signal must interrupt system calls. */
static void install_handler(void)
{
    struct sigaction action = {.sa_handler = ignore_signal};

    sigemptyset(&action.sa_mask);
    sigaction(VMM_VCPUS_SIGNAL, &action, NULL);
}

static void block_signals(sigset_t *ret_old)
{
    sigset_t blocked;

    sigfillset(&blocked);
    sigdelset(&blocked, VMM_VCPUS_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &blocked, ret_old);
}

static void name_thread(unsigned int index)
{
    char name[16];

    snprintf(name, sizeof(name), "vcpu %u", index);
    pthread_setname_np(pthread_self(), name);
}

static void *vcpu_main(void *opaque)
{
    struct vmm_vcpu *vcpu = opaque;
    struct vmm_vcpus *all = vcpu->all;

    name_thread(vcpu->index);
    pthread_mutex_lock(&all->lock);
    while (!all->quit) {
        if (!all->run) {
            pthread_cond_wait(&all->changed, &all->lock);
            continue;
        }
        all->n_parked--;
        while (all->run) {
            all->ops->arm(all->opaque, vcpu->index);
            pthread_mutex_unlock(&all->lock);
            all->ops->run(all->opaque, vcpu->index);
            pthread_mutex_lock(&all->lock);
        }
        pthread_mutex_unlock(&all->lock);
        all->ops->park(all->opaque, vcpu->index);
        pthread_mutex_lock(&all->lock);
        all->n_parked++;
        pthread_cond_broadcast(&all->changed);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

static int start_thread(struct vmm_vcpus *vcpus, unsigned int index)
{
    struct vmm_vcpu *vcpu = &vcpus->vcpus[index];
    sigset_t old;
    int r;

    vcpu->all = vcpus;
    vcpu->index = index;
    block_signals(&old);
    r = pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -r;
}

int vmm_vcpus_init(struct vmm_vcpus *vcpus, unsigned int n,
                   const struct vmm_vcpu_ops *ops, void *opaque,
                   struct gw_error **errp)
{
    *vcpus = (struct vmm_vcpus){.ops = ops, .opaque = opaque};
    pthread_mutex_init(&vcpus->lock, NULL);
    pthread_cond_init(&vcpus->changed, NULL);
    vcpus->vcpus = calloc(n, sizeof(*vcpus->vcpus));
    if (!vcpus->vcpus) {
        return gw_error_set_errno(errp, -ENOMEM, "vCPU threads");
    }
    install_handler();
    for (unsigned int i = 0; i < n; i++) {
        int r = start_thread(vcpus, i);

        if (r < 0) {
            r = gw_error_set_errno(errp, r, "cannot start vCPU thread %u", i);
            vmm_vcpus_deinit(vcpus);
            return r;
        }
        pthread_mutex_lock(&vcpus->lock);
        vcpus->n = i + 1;
        vcpus->n_parked++;
        pthread_mutex_unlock(&vcpus->lock);
    }
    return 0;
}

/* Kicks every thread; with the lock held, so that none is armed meanwhile. */
static void stop_locked(struct vmm_vcpus *vcpus)
{
    if (!vcpus->run) {
        return;
    }
    vcpus->run = false;
    for (unsigned int i = 0; i < vcpus->n; i++) {
        vcpus->ops->kick(vcpus->opaque, i);
    }
}

void vmm_vcpus_deinit(struct vmm_vcpus *vcpus)
{
    if (!vcpus->ops) {
        return;
    }
    pthread_mutex_lock(&vcpus->lock);
    stop_locked(vcpus);
    vcpus->quit = true;
    pthread_cond_broadcast(&vcpus->changed);
    pthread_mutex_unlock(&vcpus->lock);
    for (unsigned int i = 0; i < vcpus->n; i++) {
        pthread_join(vcpus->vcpus[i].thread, NULL);
    }
    free(vcpus->vcpus);
    pthread_cond_destroy(&vcpus->changed);
    pthread_mutex_destroy(&vcpus->lock);
    *vcpus = (struct vmm_vcpus){0};
}

void vmm_vcpus_resume(struct vmm_vcpus *vcpus)
{
    pthread_mutex_lock(&vcpus->lock);
    vcpus->run = true;
    pthread_cond_broadcast(&vcpus->changed);
    pthread_mutex_unlock(&vcpus->lock);
}

void vmm_vcpus_pause(struct vmm_vcpus *vcpus)
{
    pthread_mutex_lock(&vcpus->lock);
    stop_locked(vcpus);
    while (vcpus->n_parked < vcpus->n) {
        pthread_cond_wait(&vcpus->changed, &vcpus->lock);
    }
    pthread_mutex_unlock(&vcpus->lock);
}

void vmm_vcpus_request_pause(struct vmm_vcpus *vcpus)
{
    pthread_mutex_lock(&vcpus->lock);
    stop_locked(vcpus);
    pthread_mutex_unlock(&vcpus->lock);
}

/* On its own thread the vCPU is out of its run already. */
void vmm_vcpus_nudge(struct vmm_vcpus *vcpus, unsigned int index)
{
    pthread_mutex_lock(&vcpus->lock);
    if (vcpus->run && index < vcpus->n &&
        !pthread_equal(pthread_self(), vcpus->vcpus[index].thread)) {
        vcpus->ops->kick(vcpus->opaque, index);
    }
    pthread_mutex_unlock(&vcpus->lock);
}

void vmm_vcpus_signal(struct vmm_vcpus *vcpus, unsigned int index)
{
    pthread_kill(vcpus->vcpus[index].thread, VMM_VCPUS_SIGNAL);
}

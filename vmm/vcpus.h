/*
 * The vCPU threads: run, pause, end. What a vCPU does is the accelerator's.
 */
#ifndef VMM_VCPUS_H
#define VMM_VCPUS_H

#include <pthread.h>
#include <stdbool.h>

#include <godwit/error.h>

struct vmm_vcpus;

/* What ends system calls of their threads. */
#define VMM_VCPUS_SIGNAL SIGUSR1

/* The accelerator's side. index is the vCPU's. */
struct vmm_vcpu_ops {
    /*
     * On the vCPU's thread, with the threads' lock held: the next call is
     * `run`; a kick that comes from now on must end that run.
     */
    void (*arm)(void *opaque, unsigned int index);
    /* On the vCPU's thread: runs until kicked. */
    void (*run)(void *opaque, unsigned int index);
    /* Any thread: ends `run` soon. */
    void (*kick)(void *opaque, unsigned int index);
    /*
     * On the vCPU's thread, after the last run before a pause: completes
     * what the vCPU began.
     */
    void (*park)(void *opaque, unsigned int index);
};

/* One thread. */
struct vmm_vcpu {
    struct vmm_vcpus *all;
    unsigned int index;
    pthread_t thread;
};

struct vmm_vcpus {
    /* --- constant after init --- */
    const struct vmm_vcpu_ops *ops;
    void *opaque;
    struct vmm_vcpu *vcpus;
    /* Threads that were started. */
    unsigned int n;
    /* --- guarded by lock --- */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* vCPUs shall run; threads shall end. */
    bool run;
    bool quit;
    /* Threads that do not run and will not before `run` is set. */
    unsigned int n_parked;
};

/* Starts n threads, all parked. They block every signal but SIGUSR1. */
int vmm_vcpus_init(struct vmm_vcpus *vcpus, unsigned int n,
                   const struct vmm_vcpu_ops *ops, void *opaque,
                   struct gw_error **errp) GW_MUST_CHECK;

/* Ends the threads and joins them; accepts a zeroed object. */
void vmm_vcpus_deinit(struct vmm_vcpus *vcpus);

/* Lets all run. */
void vmm_vcpus_resume(struct vmm_vcpus *vcpus);

/* Stops all and waits until none runs. Not on a vCPU's thread. */
void vmm_vcpus_pause(struct vmm_vcpus *vcpus);

/* Asks all to stop and does not wait; any thread. */
void vmm_vcpus_request_pause(struct vmm_vcpus *vcpus);

/* Lets a vCPU that runs leave its run and begin another. Any thread. */
void vmm_vcpus_nudge(struct vmm_vcpus *vcpus, unsigned int index);

/* Sends SIGUSR1 to a vCPU's thread: a system call in it ends with EINTR. */
void vmm_vcpus_signal(struct vmm_vcpus *vcpus, unsigned int index);

#endif

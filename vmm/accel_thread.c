/*
 * The accelerator `thread`: beat's workload on one host thread per vCPU.
 *
 * Its state is in guest RAM; the section `thread-vcpu` only says that it is
 * there, so that a file of one accelerator is refused by the other.
 */
#include "accel.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <godwit/tracker.h>
#include <godwit/vmstate.h>

#include "beat_core.h"
#include "machine.h"
#include "util.h"

/* Room for what one step prints: all reports and some lines. */
#define OUTPUT_BYTES 16384u
/* The longest sleep: typed input is looked for as often. */
#define MAX_IDLE_NS UINT64_C(20000000)
/* Between two looks at a serial line that takes no more output. */
#define BLOCKED_NS UINT64_C(1000000)
/* Nothing will happen but a kick. */
#define LONG_WAIT_NS UINT64_C(1000000000)

/* What moves for each vCPU. */
struct thread_state {
    uint32_t index;
    /* The workload has ended. */
    bool done;
    /* Printed by the workload and not yet taken by the UART. */
    uint32_t output_size;
    uint8_t output[OUTPUT_BYTES];
    /* Not sent: the state came in and was not looked at yet. */
    bool loaded;
};

struct thread_vcpu {
    struct thread_accel *accel;
    struct beat_ops ops;
    struct thread_state state;
    /* Set by kick, cleared by arm: end the run. */
    atomic_bool kicked;
};

struct thread_accel {
    struct vmm_accel base;
    struct vmm_machine *machine;
    /* For idle vCPUs; signalled by kicks. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct thread_vcpu vcpus[VMM_MAX_CPUS];
};

static struct thread_accel *thread_accel_of(struct vmm_accel *accel)
{
    return (struct thread_accel *)(void *)accel;
}

/* ---- Output and input through the UART ---- */

static uint8_t read_port(struct vmm_machine *machine, uint64_t port)
{
    uint8_t value;

    vmm_bus_read(&machine->bus.ports, port, &value, 1);
    return value;
}

/* Called by the workload within a step; sent before the next one. */
static void keep_output(void *opaque, const char *text, size_t len)
{
    struct thread_vcpu *vcpu = opaque;
    struct thread_state *state = &vcpu->state;
    size_t room = sizeof(state->output) - state->output_size;

    if (len > room) {
        len = room;
    }
    memcpy(state->output + state->output_size, text, len);
    state->output_size += (uint32_t)len;
}

/* Sends what the UART takes; true if all is sent. */
static bool send_output(struct thread_vcpu *vcpu)
{
    struct vmm_machine *machine = vcpu->accel->machine;
    struct thread_state *state = &vcpu->state;
    uint32_t sent = 0;

    while (
        sent < state->output_size &&
        (read_port(machine, VMM_SERIAL_PORT + VMM_SERIAL_LSR) & VMM_LSR_THRE)) {
        vmm_bus_write(&machine->bus.ports, VMM_SERIAL_PORT,
                      &state->output[sent], 1);
        sent++;
    }
    state->output_size -= sent;
    memmove(state->output, state->output + sent, state->output_size);
    return state->output_size == 0;
}

static void take_input(struct vmm_machine *machine)
{
    while (read_port(machine, VMM_SERIAL_PORT + VMM_SERIAL_LSR) & VMM_LSR_DR) {
        uint8_t byte = read_port(machine, VMM_SERIAL_PORT);

        beat_core_input(machine->memory.host, machine->memory.bytes, &byte, 1);
    }
}

static uint64_t guest_now(void *opaque)
{
    struct thread_vcpu *vcpu = opaque;

    return (uint64_t)vmm_clock_now(&vcpu->accel->machine->clock);
}

/* ---- The vCPU threads ---- */

static void arm(void *opaque, unsigned int index)
{
    struct thread_accel *accel = opaque;

    atomic_store(&accel->vcpus[index].kicked, false);
}

static void kick(void *opaque, unsigned int index)
{
    struct thread_accel *accel = opaque;

    pthread_mutex_lock(&accel->lock);
    atomic_store(&accel->vcpus[index].kicked, true);
    pthread_cond_broadcast(&accel->wake);
    pthread_mutex_unlock(&accel->lock);
}

static void park(void *opaque, unsigned int index)
{
}

/* Waits for a kick, at most so long. */
static void wait_for_kick(struct thread_vcpu *vcpu, uint64_t ns)
{
    struct thread_accel *accel = vcpu->accel;
    uint64_t until = (uint64_t)vmm_now_ns() + ns;
    struct timespec deadline = {.tv_sec = (time_t)(until / 1000000000u),
                                .tv_nsec = (long)(until % 1000000000u)};
    int r = 0;

    pthread_mutex_lock(&accel->lock);
    while (r == 0 && !atomic_load(&vcpu->kicked)) {
        r = pthread_cond_timedwait(&accel->wake, &accel->lock, &deadline);
    }
    pthread_mutex_unlock(&accel->lock);
}

/* vCPU 0 ends the machine: it is the one that has the console. */
static void finish(struct thread_vcpu *vcpu)
{
    vcpu->state.done = true;
    if (vcpu->state.index == 0) {
        vmm_machine_request_end(vcpu->accel->machine, VMM_END_POWER_OFF);
    }
}

static void fail(struct thread_vcpu *vcpu, int result)
{
    fprintf(stderr, "godwit run: vCPU %u: %s\n", vcpu->state.index,
            beat_core_strerror(result));
    vmm_machine_request_end(vcpu->accel->machine, VMM_END_ERROR);
}

/* One step and what follows from it. */
static void step(struct thread_vcpu *vcpu)
{
    struct vmm_machine *machine = vcpu->accel->machine;
    uint64_t idle_ns = 0;
    int r = beat_core_step(machine->memory.host, machine->memory.bytes,
                           vcpu->state.index, &vcpu->ops, &idle_ns);

    if (r < 0) {
        fail(vcpu, r);
    } else if (r == BEAT_DONE && send_output(vcpu)) {
        finish(vcpu);
    }
    if (r < 0 || vcpu->state.done) {
        wait_for_kick(vcpu, LONG_WAIT_NS);
    } else if (r == BEAT_IDLE && vcpu->state.output_size == 0) {
        wait_for_kick(vcpu, idle_ns < MAX_IDLE_NS ? idle_ns : MAX_IDLE_NS);
    }
}

static void run(void *opaque, unsigned int index)
{
    struct thread_accel *accel = opaque;
    struct thread_vcpu *vcpu = &accel->vcpus[index];

    while (!atomic_load(&vcpu->kicked)) {
        if (!send_output(vcpu)) {
            wait_for_kick(vcpu, BLOCKED_NS);
            continue;
        }
        if (index == 0) {
            take_input(accel->machine);
        }
        step(vcpu);
    }
}

/* ---- The I/O APIC leads nowhere: threads take no interrupts ---- */

static void routes_changed(void *opaque,
                           const struct vmm_msi routes[VMM_IOAPIC_PINS])
{
}

static void send_message(void *opaque, const struct vmm_msi *msi)
{
}

/* ---- State ---- */

static int post_load(void *opaque, uint32_t version, struct gw_error **errp)
{
    struct thread_state *state = opaque;

    state->loaded = true;
    return 0;
}

static const struct gw_field fields[] = {
    GW_FIELD_U32_EQUAL(struct thread_state, index),
    GW_FIELD_BOOL(struct thread_state, done),
    GW_FIELD_U32(struct thread_state, output_size),
    GW_FIELD_VBUFFER(struct thread_state, output, output_size),
    GW_FIELD_END,
};

static const struct gw_vmstate thread_vcpu_vmstate = {
    .name = "thread-vcpu",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct thread_state),
    .fields = fields,
    .post_load = post_load,
};

static int add_cpus(struct vmm_accel *base, struct gw_error **errp)
{
    struct thread_accel *accel = thread_accel_of(base);
    struct vmm_machine *machine = accel->machine;

    for (unsigned int i = 0; i < machine->n_cpus; i++) {
        int r = gw_machine_add_device(machine->gw, &thread_vcpu_vmstate, NULL,
                                      i, &accel->vcpus[i].state, NULL, errp);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int add_clock(struct vmm_accel *base, struct gw_error **errp)
{
    return 0;
}

/* The workload writes memory as any thread does. */
static int add_tracker(struct vmm_accel *base, struct gw_error **errp)
{
    return gw_machine_track_by_pagemap(thread_accel_of(base)->machine->gw,
                                       errp);
}

static void reset(struct vmm_accel *base)
{
    struct thread_accel *accel = thread_accel_of(base);

    for (unsigned int i = 0; i < accel->machine->n_cpus; i++) {
        accel->vcpus[i].state = (struct thread_state){.index = i};
    }
}

static int boot(struct vmm_accel *base, const struct vmm_options *options,
                struct gw_error **errp)
{
    struct thread_accel *accel = thread_accel_of(base);
    struct vmm_memory *memory = &accel->machine->memory;
    int r;

    if (options->kernel) {
        return gw_error_set(errp, -ENOTSUP,
                            "the accelerator thread runs the built-in guest "
                            "only, not '%s'",
                            options->kernel);
    }
    r = beat_core_init(memory->host, memory->bytes,
                       options->append ? options->append : "",
                       accel->machine->n_cpus);
    if (r < 0) {
        return gw_error_set(errp, -EINVAL, "%s", beat_core_strerror(r));
    }
    vmm_memory_touched(memory);
    return 0;
}

/* RAM that came in is not trusted: the workload looks at it first. */
static int check_loaded(struct thread_accel *accel, struct gw_error **errp)
{
    struct vmm_machine *machine = accel->machine;
    int r = beat_core_n_cpus(machine->memory.host, machine->memory.bytes);

    if (r >= 0 && (unsigned int)r != machine->n_cpus) {
        return gw_error_set(errp, -EPROTO,
                            "guest RAM holds beat for %d vCPUs, this machine "
                            "has %u",
                            r, machine->n_cpus);
    }
    if (r >= 0) {
        r = beat_core_resumed(machine->memory.host, machine->memory.bytes);
    }
    if (r < 0) {
        return gw_error_set(errp, -EPROTO, "guest RAM does not hold beat: %s",
                            beat_core_strerror(r));
    }
    return 0;
}

static int add_notify(struct vmm_accel *base, uint64_t gpa, unsigned int bytes,
                      uint64_t value, int fd)
{
    return -ENOTSUP;
}

/* The workload is checked when it starts. */
static int check(struct vmm_accel *base, struct gw_error **errp)
{
    return 0;
}

static int start(struct vmm_accel *base, struct gw_error **errp)
{
    struct thread_accel *accel = thread_accel_of(base);
    bool loaded = false;

    for (unsigned int i = 0; i < accel->machine->n_cpus; i++) {
        loaded |= accel->vcpus[i].state.loaded;
    }
    if (loaded) {
        int r = check_loaded(accel, errp);

        if (r < 0) {
            return r;
        }
    }
    for (unsigned int i = 0; i < accel->machine->n_cpus; i++) {
        accel->vcpus[i].state.loaded = false;
    }
    return 0;
}

static int stop(struct vmm_accel *base, struct gw_error **errp)
{
    return 0;
}

/* ---- Object ---- */

static void init_wake(struct thread_accel *accel)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&accel->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&accel->wake, &attr);
    pthread_condattr_destroy(&attr);
}

static int create(struct vmm_machine *machine, struct vmm_accel **ret_accel,
                  struct gw_error **errp)
{
    struct thread_accel *accel = calloc(1, sizeof(*accel));

    if (!accel) {
        return gw_error_set_errno(errp, -ENOMEM, "accelerator");
    }
    accel->base.ops = &vmm_accel_thread;
    accel->machine = machine;
    init_wake(accel);
    for (unsigned int i = 0; i < VMM_MAX_CPUS; i++) {
        struct thread_vcpu *vcpu = &accel->vcpus[i];

        vcpu->accel = accel;
        vcpu->state.index = i;
        vcpu->ops = (struct beat_ops){.opaque = vcpu,
                                      .about = "threads",
                                      .write = keep_output,
                                      .now = guest_now};
    }
    *ret_accel = &accel->base;
    return 0;
}

/* The threads find guest RAM by themselves. */
static int attach(struct vmm_accel *base, struct gw_error **errp)
{
    return 0;
}

static void destroy(struct vmm_accel *base)
{
    struct thread_accel *accel = thread_accel_of(base);

    pthread_cond_destroy(&accel->wake);
    pthread_mutex_destroy(&accel->lock);
    free(accel);
}

/* Its machine has none. */
static void pic_raised(void *opaque)
{
}

const struct vmm_accel_ops vmm_accel_thread = {
    .name = "thread",
    .is_pc = false,
    .create = create,
    .attach = attach,
    .destroy = destroy,
    .add_cpus = add_cpus,
    .add_clock = add_clock,
    .add_tracker = add_tracker,
    .reset = reset,
    .boot = boot,
    .add_notify = add_notify,
    .check = check,
    .start = start,
    .stop = stop,
    .vcpu =
        {
            .arm = arm,
            .run = run,
            .kick = kick,
            .park = park,
        },
    .ioapic =
        {
            .routes_changed = routes_changed,
            .send = send_message,
        },
    .pic =
        {
            .raised = pic_raised,
        },
};

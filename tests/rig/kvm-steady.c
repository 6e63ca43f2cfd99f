/*
 * Are guests safe here? A VM is left and entered all the time, on each CPU in
 * turn that we were given, while all other CPUs of the machine restore an FPU
 * as fast as they can. Where QEMU's TCG loses whether a CPU is in a guest
 * (docs/errata.md), the VM ends within seconds, or the whole machine stands
 * still.
 *
 * kvm-steady SECONDS (for each CPU)
 */
#include "small-vm.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS 8
#define PORT 0x80
/* How often CPUID leaves the guest between two OUTs. */
#define EXITS_PER_OUT 512

/*
 * again: mov $512, %si
 * next:  xor %eax, %eax; cpuid; dec %si; jnz next
 *        out %al, $0x80; jmp again
 */
static const uint8_t code[] = {0xbe,
                               EXITS_PER_OUT & 0xff,
                               EXITS_PER_OUT >> 8,
                               0x66,
                               0x31,
                               0xc0,
                               0x0f,
                               0xa2,
                               0x4e,
                               0x75,
                               0xf8,
                               0xe6,
                               PORT,
                               0xeb,
                               0xf1};

struct restorer {
    pthread_t thread;
    int cpu;
    /* Atomic; set by the starter. */
    bool stop;
};

static int pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

static void *restore(void *opaque)
{
    struct restorer *restorer = opaque;
    _Alignas(16) uint8_t area[512];

    if (pin(restorer->cpu) < 0) {
        perror("kvm-steady: sched_setaffinity");
        exit(1);
    }
    __asm__ volatile("fxsave64 %0" : "=m"(area));
    while (!__atomic_load_n(&restorer->stop, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 1000; i++) {
            __asm__ volatile("fxrstor64 %0" : : "m"(area));
        }
    }
    return NULL;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int run(struct small_vm *vm, int cpu, double seconds)
{
    double end = now() + seconds;
    unsigned long exits = 0;

    while (now() < end) {
        if (ioctl(vm->vcpu, KVM_RUN, 0) < 0) {
            fprintf(stderr, "kvm-steady: KVM_RUN: %s\n", strerror(errno));
            return -1;
        }
        if (vm->state->exit_reason != KVM_EXIT_IO ||
            vm->state->io.port != PORT) {
            fprintf(stderr, "kvm-steady: CPU %d: exit %u after %lu exits\n",
                    cpu, vm->state->exit_reason, exits);
            return -1;
        }
        exits += EXITS_PER_OUT + 1;
    }
    printf("kvm-steady: CPU %d: %lu exits\n", cpu, exits);
    return 0;
}

static int run_beside_others(struct small_vm *vm, int cpu, int n_cpus,
                             double seconds)
{
    static struct restorer restorers[MAX_CPUS];
    int r;

    for (int i = 0; i < n_cpus; i++) {
        restorers[i] = (struct restorer){.cpu = i};
        if (i != cpu && pthread_create(&restorers[i].thread, NULL, restore,
                                       &restorers[i]) != 0) {
            fprintf(stderr, "kvm-steady: cannot start a thread\n");
            exit(1);
        }
    }
    r = pin(cpu) < 0 ? -1 : run(vm, cpu, seconds);
    for (int i = 0; i < n_cpus; i++) {
        if (i != cpu) {
            __atomic_store_n(&restorers[i].stop, true, __ATOMIC_RELAXED);
            pthread_join(restorers[i].thread, NULL);
        }
    }
    return r;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    int n_cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    struct small_vm vm;
    cpu_set_t given;

    n_cpus = n_cpus < MAX_CPUS ? n_cpus : MAX_CPUS;
    if (sched_getaffinity(0, sizeof(given), &given) < 0) {
        perror("kvm-steady: sched_getaffinity");
        return 1;
    }
    if (small_vm_make(&vm, "kvm-steady", code, sizeof(code)) < 0) {
        return 1;
    }
    for (int i = 0; i < n_cpus; i++) {
        if (CPU_ISSET(i, &given) &&
            run_beside_others(&vm, i, n_cpus, seconds) < 0) {
            return 1;
        }
    }
    return 0;
}

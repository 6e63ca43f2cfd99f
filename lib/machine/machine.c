/*
 * The machine: creation, devices, blockers, who uses it.
 */
#include "machine/machine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "machine/tracker.h"
#include "ram/block.h"

enum {
    NAME_MAX_LEN = 255
};

struct gw_machine *
gw_machine_new(const char *name, const struct gw_machine_ops *ops, void *opaque)
{
    struct gw_machine *machine;
    pthread_mutexattr_t recursive;

    assert(name && name[0] && strlen(name) <= NAME_MAX_LEN);
    assert(ops && ops->pause && ops->resume);
    machine = calloc(1, sizeof(*machine));
    if (!machine) {
        return NULL;
    }
    machine->name = strdup(name);
    if (!machine->name) {
        free(machine);
        return NULL;
    }
    machine->ops = ops;
    machine->opaque = opaque;
    machine->run_state = GW_RUN_STATE_PRELAUNCH;
    machine->autostart = true;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&machine->lock, NULL);
    pthread_mutex_init(&machine->run_lock, NULL);
    pthread_mutex_init(&machine->listener_lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    return machine;
}

static void device_free(struct gw_device *device)
{
    free(device->idstr);
    free(device->traits);
    free(device);
}

static void free_lists(struct gw_machine *machine)
{
    struct gw_listener *listener;
    struct gw_blocker *blocker;
    struct gw_ram_block *block;
    struct gw_device *device;

    while ((block = machine->blocks)) {
        machine->blocks = block->next;
        gw_ram_block_free(block);
    }
    while ((device = machine->devices)) {
        machine->devices = device->next;
        device_free(device);
    }
    while ((blocker = machine->blockers)) {
        machine->blockers = blocker->next;
        free(blocker->reason);
        free(blocker);
    }
    while ((listener = machine->listeners)) {
        machine->listeners = listener->next;
        free(listener);
    }
}

struct gw_machine *gw_machine_free(struct gw_machine *machine)
{
    if (machine) {
        assert(!machine->is_migrating);
        gw_machine_tracker_drop(machine);
        free_lists(machine);
        pthread_mutex_destroy(&machine->lock);
        pthread_mutex_destroy(&machine->run_lock);
        pthread_mutex_destroy(&machine->listener_lock);
        free(machine->cpuid);
        free(machine->name);
        free(machine);
    }
    return NULL;
}

const char *gw_machine_name(const struct gw_machine *machine)
{
    return machine->name;
}

void gw_machine_set_uuid(struct gw_machine *machine, const uint8_t uuid[16])
{
    pthread_mutex_lock(&machine->lock);
    memcpy(machine->uuid, uuid, sizeof(machine->uuid));
    machine->has_uuid = true;
    pthread_mutex_unlock(&machine->lock);
}

int gw_machine_set_cpuid(struct gw_machine *machine,
                         const struct gw_cpuid_leaf *leaves, size_t n)
{
    struct gw_cpuid_leaf *copy = NULL;
    struct gw_cpuid_leaf *old;

    if (n > 0) {
        copy = calloc(n, sizeof(*copy));
        if (!copy) {
            return -ENOMEM;
        }
        memcpy(copy, leaves, n * sizeof(*copy));
    }
    pthread_mutex_lock(&machine->lock);
    old = machine->cpuid;
    machine->cpuid = copy;
    machine->n_cpuid = n;
    pthread_mutex_unlock(&machine->lock);
    free(old);
    return 0;
}

static struct gw_device *device_new(const struct gw_vmstate *vmstate,
                                    const char *path, uint32_t instance_id,
                                    void *state)
{
    struct gw_device *device = calloc(1, sizeof(*device));

    if (!device || asprintf(&device->idstr, "%s%s%s", path ? path : "",
                            path ? "/" : "", vmstate->name) < 0) {
        free(device);
        return NULL;
    }
    device->vmstate = vmstate;
    device->instance_id = instance_id;
    device->state = state;
    return device;
}

static int append_device(struct gw_machine *machine, struct gw_device *device,
                         struct gw_error **errp)
{
    struct gw_device **end;

    if (machine->is_migrating) {
        return gw_error_set(errp, -EBUSY,
                            "device '%s': a migration is in progress",
                            device->idstr);
    }
    for (end = &machine->devices; *end; end = &(*end)->next) {
        if ((*end)->instance_id == device->instance_id &&
            strcmp((*end)->idstr, device->idstr) == 0) {
            return gw_error_set(errp, -EEXIST,
                                "device '%s' instance %u exists already",
                                device->idstr, device->instance_id);
        }
    }
    *end = device;
    return 0;
}

int gw_machine_add_device(struct gw_machine *machine,
                          const struct gw_vmstate *vmstate, const char *path,
                          uint32_t instance_id, void *state,
                          struct gw_device **ret_device, struct gw_error **errp)
{
    struct gw_device *device;
    int r = gw_vmstate_check(vmstate, errp);

    if (r < 0) {
        return r;
    }
    device = device_new(vmstate, path, instance_id, state);
    if (!device) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    if (strlen(device->idstr) > NAME_MAX_LEN) {
        r = gw_error_set(errp, -EINVAL, "device name '%s' is too long",
                         device->idstr);
    } else {
        pthread_mutex_lock(&machine->lock);
        r = append_device(machine, device, errp);
        pthread_mutex_unlock(&machine->lock);
    }
    if (r < 0) {
        device_free(device);
        return r;
    }
    if (ret_device) {
        *ret_device = device;
    }
    return 0;
}

int gw_device_set_traits(struct gw_machine *machine, struct gw_device *device,
                         const struct gw_trait *traits, size_t n,
                         struct gw_error **errp)
{
    struct gw_trait *copy = NULL;

    for (size_t i = 0; i < n; i++) {
        if (n > GW_TRAITS_MAX || traits[i].value > INT64_MAX) {
            return gw_error_set(errp, -EINVAL,
                                "device '%s': too many traits, or one that is "
                                "too large",
                                device->idstr);
        }
    }
    if (n) {
        copy = calloc(n, sizeof(*copy));
        if (!copy) {
            return gw_error_set(errp, -ENOMEM, "out of memory");
        }
        memcpy(copy, traits, n * sizeof(*copy));
    }
    pthread_mutex_lock(&machine->lock);
    free(device->traits);
    device->traits = copy;
    device->n_traits = n;
    pthread_mutex_unlock(&machine->lock);
    return 0;
}

int gw_machine_remove_device(struct gw_machine *machine,
                             struct gw_device *device, struct gw_error **errp)
{
    struct gw_device **at;

    pthread_mutex_lock(&machine->lock);
    if (machine->is_migrating) {
        pthread_mutex_unlock(&machine->lock);
        return gw_error_set(errp, -EBUSY,
                            "device '%s': a migration is in progress",
                            device->idstr);
    }
    for (at = &machine->devices; *at != device; at = &(*at)->next) {
        assert(*at);
    }
    *at = device->next;
    pthread_mutex_unlock(&machine->lock);
    device_free(device);
    return 0;
}

struct gw_blocker *gw_machine_block(struct gw_machine *machine,
                                    const char *reason)
{
    struct gw_blocker *blocker = calloc(1, sizeof(*blocker));
    struct gw_blocker **end;

    if (!blocker) {
        return NULL;
    }
    blocker->reason = strdup(reason);
    if (!blocker->reason) {
        free(blocker);
        return NULL;
    }
    pthread_mutex_lock(&machine->lock);
    for (end = &machine->blockers; *end; end = &(*end)->next) {
    }
    *end = blocker;
    pthread_mutex_unlock(&machine->lock);
    return blocker;
}

struct gw_blocker *gw_machine_unblock(struct gw_machine *machine,
                                      struct gw_blocker *blocker)
{
    struct gw_blocker **at;

    if (!blocker) {
        return NULL;
    }
    pthread_mutex_lock(&machine->lock);
    for (at = &machine->blockers; *at != blocker; at = &(*at)->next) {
        assert(*at);
    }
    *at = blocker->next;
    pthread_mutex_unlock(&machine->lock);
    free(blocker->reason);
    free(blocker);
    return NULL;
}

const char *gw_machine_blocked_reason(struct gw_machine *machine,
                                      unsigned int index)
{
    struct gw_blocker *blocker;

    pthread_mutex_lock(&machine->lock);
    blocker = machine->blockers;
    while (blocker && index-- > 0) {
        blocker = blocker->next;
    }
    pthread_mutex_unlock(&machine->lock);
    return blocker ? blocker->reason : NULL;
}

int gw_machine_acquire(struct gw_machine *machine, struct gw_error **errp)
{
    int r = 0;

    pthread_mutex_lock(&machine->lock);
    if (machine->is_migrating) {
        r = gw_error_set(errp, -EBUSY,
                         "There's a migration process in progress");
    } else {
        machine->is_migrating = true;
        machine->was_resized = false;
    }
    pthread_mutex_unlock(&machine->lock);
    return r;
}

void gw_machine_release(struct gw_machine *machine)
{
    pthread_mutex_lock(&machine->lock);
    machine->is_migrating = false;
    pthread_mutex_unlock(&machine->lock);
}

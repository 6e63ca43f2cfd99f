/*
 * Events of a machine and who listens to them.
 */
#include <errno.h>
#include <stdlib.h>

#include "machine/machine.h"

int gw_machine_add_listener(struct gw_machine *machine, gw_event_fn fn,
                            void *opaque)
{
    struct gw_listener *listener = calloc(1, sizeof(*listener));
    struct gw_listener **end;

    if (!listener) {
        return -ENOMEM;
    }
    listener->fn = fn;
    listener->opaque = opaque;
    pthread_mutex_lock(&machine->listener_lock);
    for (end = &machine->listeners; *end; end = &(*end)->next) {
    }
    *end = listener;
    pthread_mutex_unlock(&machine->listener_lock);
    return 0;
}

void gw_machine_remove_listener(struct gw_machine *machine, gw_event_fn fn,
                                void *opaque)
{
    struct gw_listener **at, *listener;

    pthread_mutex_lock(&machine->listener_lock);
    for (at = &machine->listeners; (listener = *at); at = &listener->next) {
        if (listener->fn == fn && listener->opaque == opaque) {
            *at = listener->next;
            free(listener);
            break;
        }
    }
    pthread_mutex_unlock(&machine->listener_lock);
}

/*
 * Listeners are called with the list held still, so that nobody is called
 * after its removal: they must not add or remove listeners, and only queue
 * what they hear.
 */
void gw_machine_emit(struct gw_machine *machine, const struct gw_event *event)
{
    struct gw_listener *listener;

    pthread_mutex_lock(&machine->listener_lock);
    for (listener = machine->listeners; listener; listener = listener->next) {
        listener->fn(listener->opaque, event);
    }
    pthread_mutex_unlock(&machine->listener_lock);
}

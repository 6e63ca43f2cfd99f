/*
 * Questions to a QEMU whose machine is described, and the description as it
 * grows.
 */
#ifndef CLI_QEMU_H
#define CLI_QEMU_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl_client.h"

/* A QEMU that is asked. */
struct qemu {
    struct ctl_client *client;
    bool is_lost;        /* the connection broke; a message was printed */
    json_t *description; /* what is known so far; owned */
    json_t *refusal;     /* why the last question has no answer; owned */
};

/*
 * The answer to a command, a new reference; NULL: it has none, or the
 * connection is lost. Takes the arguments (NULL: none).
 */
json_t *qemu_ask(struct qemu *qemu, const char *command, json_t *arguments);

/* With a descriptor (lent) that goes along. */
json_t *qemu_ask_passing(struct qemu *qemu, const char *command,
                         json_t *arguments, int fd);

/* The property of an object of QOM. */
json_t *qemu_get_property(struct qemu *qemu, const char *path,
                          const char *name);

/* A member of the description; takes the value. */
void qemu_put(struct qemu *qemu, const char *name, json_t *value);

/*
 * The devices, if they may be asked for; else a note on standard error says
 * why not. See compat_qemu.h. `migrate` is the answer to query-migrate, or
 * NULL.
 */
void qemu_put_devices(struct qemu *qemu, const json_t *migrate, bool may_pause);

#endif

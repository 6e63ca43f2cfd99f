/*
 * A client of QMP, blocking, for one command after the other.
 */
#ifndef CLI_CTL_CLIENT_H
#define CLI_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Zero bytes but fd = -1 are a client that is not connected. */
struct ctl_client {
    const char *command; /* of godwit's that uses it, for messages; lent */
    int fd;              /* of the socket */
    char *data;          /* received and not used yet; owned */
    size_t size;         /* bytes of it */
    size_t capacity;     /* bytes allocated */
};

/*
 * Connects and negotiates. Returns 0, or a negative value after a message on
 * standard error; like all functions here.
 */
int ctl_client_open(struct ctl_client *client, const char *command,
                    const char *path);
void ctl_client_close(struct ctl_client *client);

/*
 * Sends a request (lent) or a text and waits for the reply, a new reference
 * in *ret_reply. Events in between are dropped.
 */
int ctl_client_ask(struct ctl_client *client, json_t *request,
                   json_t **ret_reply);
int ctl_client_ask_text(struct ctl_client *client, const char *text,
                        json_t **ret_reply);
/*
 * The same for a command by its name. Takes the arguments (NULL: none); `fd`
 * (lent) goes along, for `add-fd`; -1: none.
 */
int ctl_client_execute(struct ctl_client *client, const char *command,
                       json_t *arguments, int fd, json_t **ret_reply);

/* The text of a reply that is an error, or NULL. Lent. */
const char *ctl_error_of(const json_t *reply);

#endif

/*
 * What the tests of monitors share: a small machine with its control object
 * and a folder for its files, and a client that sends requests and receives
 * lines.
 */
#ifndef GW_TESTS_FLOW_KIT_MONITOR_H
#define GW_TESTS_FLOW_KIT_MONITOR_H

#include <stdbool.h>

#include <godwit/godwit.h>

#include "base/buffer.h"

#define KIT_BOX_RAM_SIZE (1024u * 1024)

/* How long an answer may take. */
#define KIT_CLIENT_TIMEOUT_MS 20000

/* A guest that is paused and resumed at once. */
extern const struct gw_machine_ops kit_box_still;

struct kit_box {
    const struct gw_machine_ops *ops;
    const struct gw_control_ops *control_ops; /* or NULL */
    void *opaque;                             /* for both */
    struct gw_machine *machine;
    struct gw_control *control;
    struct gw_ram_block *ram;
    char dir[64];  /* a folder for files */
    char path[96]; /* the file in it */
};

/* The machine "box" with a block "ram", and an empty folder. */
void kit_box_init(struct kit_box *b, const struct gw_machine_ops *ops,
                  const struct gw_control_ops *control_ops, void *opaque);
/* Ends the program if there is more in the folder than the file. */
void kit_box_deinit(struct kit_box *b);

/* Another machine in the place of the one that was ended. */
void kit_box_begin(struct kit_box *b);
void kit_box_end(struct kit_box *b);

struct kit_client {
    int fd;              /* our end of a monitor's socket, or -1 */
    struct gw_buffer in; /* received and not used yet */
    char *line;          /* the last one received */
};

/* A client on this socket, which it owns. */
void kit_client_init(struct kit_client *c, int fd);
/* A client of QMP on a new pair of sockets. */
void kit_client_attach(struct kit_client *c, struct gw_control *control);
/* It goes. May be called again. */
void kit_client_deinit(struct kit_client *c);

void kit_client_send(struct kit_client *c, const char *text);
/* With a descriptor, which stays the caller's. */
void kit_client_send_fd(struct kit_client *c, const char *text, int fd);

/* Takes in what comes; false at the end or when time is up. */
bool kit_client_fill(struct kit_client *c);

/*
 * The next line of QMP, without its end; lent until the next call. NULL at
 * the end or when time is up.
 */
char *kit_client_receive(struct kit_client *c);

/* The next answer of QMP; what comes before it is passed over. */
const char *kit_client_answer(struct kit_client *c);
/* The one to a request. */
const char *kit_client_ask(struct kit_client *c, const char *request);

/* Asks QMP until the migration has the status. */
void kit_client_await_migration(struct kit_client *c, const char *status);

#endif

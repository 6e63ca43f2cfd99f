/*
 * The connections of a socket device, and what it waits for: the listening
 * socket, those of the connections, and time.
 *
 * There are two sets of sockets, since input is only welcome while the guest
 * has buffers for it, and output always.
 */
#ifndef VMM_VIRTIO_VSOCK_TABLE_H
#define VMM_VIRTIO_VSOCK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "virtio_vsock_connection.h"

/* With a buffer for each, 64 MiB. Each is a descriptor, too. */
#define VMM_VSOCK_CONNECTIONS_MAX 256u
/* Of one look at a set. */
#define VMM_VSOCK_EVENTS_MAX 32

struct vmm_vsock_table {
    struct vmm_vsock_connection connections[VMM_VSOCK_CONNECTIONS_MAX];
    /* The last port that a program got. */
    uint32_t last_port;
    /* Where the search for what is due goes on: everyone has a turn. */
    unsigned int turn;
    /* Input, with the listening socket; output. */
    int in_set;
    int out_set;
    /* The timer, and for when it is set; 0: it is not. */
    int timer_fd;
    int64_t armed_ns;
    /* Not owned. No descriptor was left for a program: not before then. */
    int listen_fd;
    bool listening;
    int64_t listen_again_ns;
};

/* A socket that is ready; NULL: the listening one. */
struct vmm_vsock_event {
    struct vmm_vsock_connection *connection;
    bool hung_up;
};

int vmm_vsock_table_init(struct vmm_vsock_table *table, int listen_fd,
                         struct gw_error **errp) GW_MUST_CHECK;
/* Accepts a half-built one. */
void vmm_vsock_table_deinit(struct vmm_vsock_table *table);

/* A free place, or NULL. */
struct vmm_vsock_connection *vmm_vsock_table_new(struct vmm_vsock_table *table);
struct vmm_vsock_connection *vmm_vsock_table_find(struct vmm_vsock_table *table,
                                                  uint32_t guest_port,
                                                  uint32_t host_port);
/* The next connection with a packet that is due, or NULL. */
struct vmm_vsock_connection *
vmm_vsock_table_next_due(struct vmm_vsock_table *table);
/* A port of the host for a connection to that port of the guest. */
uint32_t vmm_vsock_table_next_port(struct vmm_vsock_table *table,
                                   uint32_t guest_port);
/* Ends all connections; ports are given anew. */
void vmm_vsock_table_clear(struct vmm_vsock_table *table);

/* After anything was done to a connection: the sets follow. */
void vmm_vsock_table_settle(struct vmm_vsock_table *table,
                            struct vmm_vsock_connection *connection);
/* Nobody could be accepted: a while without. */
void vmm_vsock_table_rest(struct vmm_vsock_table *table, int64_t now_ns);
/* Before a wait: the listening socket and the timer follow. */
void vmm_vsock_table_prepare(struct vmm_vsock_table *table);

/* What is ready in a set. */
int vmm_vsock_table_events(struct vmm_vsock_table *table, int set,
                           struct vmm_vsock_event events[VMM_VSOCK_EVENTS_MAX]);
/* Ends what has waited for too long. */
void vmm_vsock_table_expire(struct vmm_vsock_table *table, int64_t now_ns);
/* The guest was paused, and nobody's patience with it. */
void vmm_vsock_table_wait(struct vmm_vsock_table *table, int64_t now_ns);

#endif

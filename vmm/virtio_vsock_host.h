/*
 * The host's side of the socket device: unix sockets, with the convention
 * of Firecracker and Cloud Hypervisor. A program that wants to talk to port P
 * of the guest connects to PATH and writes "CONNECT P\n"; the answer is
 * "OK PORT\n", and what follows is the connection. When the guest connects to
 * port P of the host, that is a connection to PATH_P.
 *
 * Nothing waits. One thread uses it.
 */
#ifndef VMM_VIRTIO_VSOCK_HOST_H
#define VMM_VIRTIO_VSOCK_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "listener.h"

/* "CONNECT 4294967295\r\n" and more: no greeting is longer. */
#define VMM_VSOCK_GREETING_MAX 32u

/* What a program has said so far. */
struct vmm_vsock_greeting {
    size_t n;
    char line[VMM_VSOCK_GREETING_MAX];
};

/* Listens at PATH. */
int vmm_vsock_host_open(struct vmm_listener *host, const char *path,
                        struct gw_error **errp) GW_MUST_CHECK;
/* A connection to PATH_port, or -1 if nobody listens there. */
int vmm_vsock_host_connect(const struct vmm_listener *host, uint32_t port);

/*
 * Reads on: 1 with the port that is wanted; 0 if there is more to come; -1 if
 * it makes no sense or the program is gone. Takes no byte behind the line.
 */
int vmm_vsock_greeting_read(struct vmm_vsock_greeting *greeting, int fd,
                            uint32_t *ret_port);
/* Says that the guest has accepted; false if the program is gone. */
bool vmm_vsock_greeting_answer(int fd, uint32_t port);

#endif

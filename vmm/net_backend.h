/*
 * The host's side of a network card: a tap interface, or passt, which speaks
 * frames with a length before them over a unix socket.
 *
 * One thread uses it. Nothing waits.
 */
#ifndef VMM_NET_BACKEND_H
#define VMM_NET_BACKEND_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/error.h>

#include "virtio_options.h"

/* The largest frame with a header of its own. */
#define VMM_NET_FRAME_MAX (64u * 1024 + 32)
#define VMM_NET_LENGTH_BYTES 4u

/* Offloads: the host may be given, or gives, frames of these kinds. */
#define VMM_NET_CSUM 1u
#define VMM_NET_TSO4 2u
#define VMM_NET_TSO6 4u
#define VMM_NET_ECN 8u
#define VMM_NET_UFO 16u

/* Bytes that did not go, or have not come, whole. */
struct vmm_net_buffer {
    size_t n;
    uint8_t bytes[VMM_NET_LENGTH_BYTES + VMM_NET_FRAME_MAX];
};

struct vmm_net_backend {
    enum vmm_net_kind kind;
    int fd;
    /* Frames begin with a struct virtio_net_hdr of header_bytes. */
    bool vnet_header;
    bool has_ufo;
    /* Output that waits for the peer. */
    bool blocked;
    /* passt: a frame that comes in, and the rest of one that goes out. */
    struct vmm_net_buffer in;
    struct vmm_net_buffer out;
};

int vmm_net_open(struct vmm_net_backend *backend,
                 const struct vmm_net_config *config, struct gw_error **errp)
    GW_MUST_CHECK;
/* Accepts one that failed to open. */
void vmm_net_close(struct vmm_net_backend *backend);

/* Bytes of the frame's header, and what may come in (VMM_NET_...). */
void vmm_net_set_header(struct vmm_net_backend *backend, int bytes);
void vmm_net_set_offload(struct vmm_net_backend *backend, unsigned int flags);

/* Takes a frame: its bytes, or 0 if there is none now. */
size_t vmm_net_receive(struct vmm_net_backend *backend, void *frame,
                       size_t size);
/* False if the frame must wait until the backend is writable. */
bool vmm_net_send(struct vmm_net_backend *backend, const struct iovec *iov,
                  unsigned int n_iov);

/* What to poll for, and what came of it: true if output is possible again. */
void vmm_net_prepare(const struct vmm_net_backend *backend, bool welcome,
                     struct pollfd *poll);
bool vmm_net_dispatch(struct vmm_net_backend *backend,
                      const struct pollfd *poll);

#endif

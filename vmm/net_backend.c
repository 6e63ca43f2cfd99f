/*
 * tap and passt.
 */
#include "net_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"

static int set_nonblocking(int fd, struct gw_error **errp)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot use descriptor %d", fd);
    }
    return 0;
}

static int attach_tap(struct vmm_net_backend *backend,
                      const struct vmm_net_config *config,
                      struct gw_error **errp)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    if (strlen(config->ifname) >= sizeof(request.ifr_name)) {
        return gw_error_set(errp, -EINVAL, "'%s' is too long for an interface",
                            config->ifname);
    }
    strcpy(request.ifr_name, config->ifname);
    if (config->vnet_header) {
        request.ifr_flags |= IFF_VNET_HDR;
    }
    backend->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (backend->fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open /dev/net/tun");
    }
    if (ioctl(backend->fd, TUNSETIFF, &request) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot attach to tap '%s'",
                                  config->ifname);
    }
    return 0;
}

/* Whoever opened it has chosen whether frames have headers. */
static int adopt_tap(struct vmm_net_backend *backend,
                     const struct vmm_net_config *config,
                     struct gw_error **errp)
{
    struct ifreq request = {0};

    if (ioctl(config->fd, TUNGETIFF, &request) < 0) {
        return gw_error_set_errno(errp, -errno, "descriptor %d is no tap",
                                  config->fd);
    }
    if (!(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_NO_PI)) {
        return gw_error_set(errp, -EINVAL,
                            "descriptor %d is not a tap without packet "
                            "information",
                            config->fd);
    }
    backend->fd = config->fd;
    backend->vnet_header = request.ifr_flags & IFF_VNET_HDR;
    return 0;
}

static int open_tap(struct vmm_net_backend *backend,
                    const struct vmm_net_config *config, struct gw_error **errp)
{
    int r;

    backend->vnet_header = config->vnet_header;
    r = config->ifname ? attach_tap(backend, config, errp)
                       : adopt_tap(backend, config, errp);
    if (r < 0) {
        return r;
    }
    if (backend->vnet_header) {
        backend->has_ufo = ioctl(backend->fd, TUNSETOFFLOAD,
                                 (unsigned long)(TUN_F_CSUM | TUN_F_UFO)) == 0;
        vmm_net_set_offload(backend, 0);
    }
    return set_nonblocking(backend->fd, errp);
}

static int open_passt(struct vmm_net_backend *backend,
                      const struct vmm_net_config *config,
                      struct gw_error **errp)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(config->path) >= sizeof(address.sun_path)) {
        return gw_error_set(errp, -ENAMETOOLONG,
                            "socket path '%s' is longer than %zu bytes",
                            config->path, sizeof(address.sun_path) - 1);
    }
    strcpy(address.sun_path, config->path);
    backend->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (backend->fd < 0 ||
        connect(backend->fd, (const struct sockaddr *)&address,
                sizeof(address)) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot connect to '%s'",
                                  config->path);
    }
    return set_nonblocking(backend->fd, errp);
}

int vmm_net_open(struct vmm_net_backend *backend,
                 const struct vmm_net_config *config, struct gw_error **errp)
{
    int r;

    memset(backend, 0, sizeof(*backend));
    backend->fd = -1;
    backend->kind = config->kind;
    r = config->kind == VMM_NET_TAP ? open_tap(backend, config, errp)
                                    : open_passt(backend, config, errp);
    if (r < 0) {
        vmm_net_close(backend);
    }
    return r;
}

void vmm_net_close(struct vmm_net_backend *backend)
{
    if (backend->fd >= 0) {
        close(backend->fd);
    }
    backend->fd = -1;
}

void vmm_net_set_header(struct vmm_net_backend *backend, int bytes)
{
    if (backend->vnet_header) {
        ioctl(backend->fd, TUNSETVNETHDRSZ, &bytes);
    }
}

void vmm_net_set_offload(struct vmm_net_backend *backend, unsigned int flags)
{
    unsigned int tun = 0;

    if (!backend->vnet_header) {
        return;
    }
    if (flags & VMM_NET_CSUM) {
        tun |= TUN_F_CSUM;
        tun |= flags & VMM_NET_TSO4 ? TUN_F_TSO4 : 0;
        tun |= flags & VMM_NET_TSO6 ? TUN_F_TSO6 : 0;
        tun |= flags & VMM_NET_ECN ? TUN_F_TSO_ECN : 0;
        tun |= flags & VMM_NET_UFO ? TUN_F_UFO : 0;
    }
    ioctl(backend->fd, TUNSETOFFLOAD, (unsigned long)tun);
}

/* Without a peer there is a card without a cable. */
static void lose_peer(struct vmm_net_backend *backend)
{
    fprintf(stderr, "godwit run: virtio-net: the peer has gone\n");
    close(backend->fd);
    backend->fd = -1;
    backend->blocked = false;
    backend->in.n = backend->out.n = 0;
}

static uint32_t get_length(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Bytes of the frame in the buffer, or of what is needed to know that. */
static size_t wanted_bytes(const struct vmm_net_buffer *in)
{
    return in->n < VMM_NET_LENGTH_BYTES
               ? VMM_NET_LENGTH_BYTES
               : VMM_NET_LENGTH_BYTES + (size_t)get_length(in->bytes);
}

static size_t receive_passt(struct vmm_net_backend *backend, void *frame,
                            size_t size)
{
    struct vmm_net_buffer *in = &backend->in;

    for (;;) {
        size_t wanted = wanted_bytes(in);
        ssize_t n;

        if (wanted > sizeof(in->bytes)) {
            lose_peer(backend);
            return 0;
        }
        if (in->n == wanted && wanted > VMM_NET_LENGTH_BYTES) {
            size_t bytes = wanted - VMM_NET_LENGTH_BYTES;

            in->n = 0;
            bytes = bytes < size ? bytes : size;
            memcpy(frame, in->bytes + VMM_NET_LENGTH_BYTES, bytes);
            return bytes;
        }
        if (in->n == wanted) {
            /* An empty frame. */
            in->n = 0;
            continue;
        }
        n = recv(backend->fd, in->bytes + in->n, wanted - in->n, MSG_DONTWAIT);
        if (n > 0) {
            in->n += (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            lose_peer(backend);
            return 0;
        } else if (errno == EAGAIN) {
            return 0;
        }
    }
}

size_t vmm_net_receive(struct vmm_net_backend *backend, void *frame,
                       size_t size)
{
    ssize_t n;

    if (backend->fd < 0) {
        return 0;
    }
    if (backend->kind == VMM_NET_PASST) {
        return receive_passt(backend, frame, size);
    }
    n = read(backend->fd, frame, size);
    return n > 0 ? (size_t)n : 0;
}

/* The rest of a frame; false if it does not go whole. */
static bool flush_passt(struct vmm_net_backend *backend)
{
    struct vmm_net_buffer *out = &backend->out;
    size_t done = 0;

    while (done < out->n) {
        ssize_t n = send(backend->fd, out->bytes + done, out->n - done,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            memmove(out->bytes, out->bytes + done, out->n - done);
            out->n -= done;
            backend->blocked = true;
            return false;
        } else if (errno != EINTR) {
            lose_peer(backend);
            return true;
        }
    }
    out->n = 0;
    return true;
}

/* The frame is copied: the rest of it must go before any other. */
static bool send_passt(struct vmm_net_backend *backend, const struct iovec *iov,
                       unsigned int n_iov)
{
    struct vmm_net_buffer *out = &backend->out;
    size_t at = VMM_NET_LENGTH_BYTES;

    if (!flush_passt(backend)) {
        return false;
    }
    for (unsigned int i = 0; i < n_iov; i++) {
        if (iov[i].iov_len > sizeof(out->bytes) - at) {
            /* Larger than any frame. */
            return true;
        }
        memcpy(out->bytes + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    for (int i = 0; i < 4; i++) {
        out->bytes[i] = (uint8_t)((at - VMM_NET_LENGTH_BYTES) >> (24 - 8 * i));
    }
    out->n = at;
    flush_passt(backend);
    return true;
}

bool vmm_net_send(struct vmm_net_backend *backend, const struct iovec *iov,
                  unsigned int n_iov)
{
    if (backend->fd < 0 || n_iov == 0) {
        return true;
    }
    if (backend->kind == VMM_NET_PASST) {
        return send_passt(backend, iov, n_iov);
    }
    if (writev(backend->fd, iov, (int)n_iov) < 0 && errno == EAGAIN) {
        backend->blocked = true;
        return false;
    }
    /* A frame that the host does not want is lost, as on a wire. */
    return true;
}

void vmm_net_prepare(const struct vmm_net_backend *backend, bool welcome,
                     struct pollfd *poll)
{
    *poll = (struct pollfd){.fd = -1};
    if (welcome || backend->blocked) {
        poll->fd = backend->fd;
        poll->events =
            (short)((welcome ? POLLIN : 0) | (backend->blocked ? POLLOUT : 0));
    }
}

bool vmm_net_dispatch(struct vmm_net_backend *backend,
                      const struct pollfd *poll)
{
    if (poll->fd < 0 || backend->fd < 0 || !backend->blocked ||
        !(poll->revents & (POLLOUT | POLLERR | POLLHUP))) {
        return false;
    }
    backend->blocked = false;
    return backend->kind != VMM_NET_PASST || flush_passt(backend);
}

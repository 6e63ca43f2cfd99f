/*
 * A hostile driver of virtio-net.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz-virtio.h"
#include "virtio_net.h"

static int listen_fd;
static int peer_fd;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static char *listen_in(const char *folder)
{
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/net", folder);
    listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    FUZZ_ASSERT(bind(listen_fd, (void *)&address, sizeof(address)) == 0);
    FUZZ_ASSERT(listen(listen_fd, 1) == 0);
    return address.sun_path;
}

static void accept_peer(void)
{
    peer_fd = accept(listen_fd, NULL, NULL);
    FUZZ_ASSERT(peer_fd >= 0);
    FUZZ_ASSERT(fcntl(peer_fd, F_SETFL, O_NONBLOCK) == 0);
}

/* The peer takes what comes and sends a frame. */
static void use_peer(void)
{
    static const uint8_t frame[4 + 60] = {0, 0, 0, 60, 0xff, 0xff, 0xff};
    static uint8_t bytes[65536];

    while (read(peer_fd, bytes, sizeof(bytes)) > 0) {
        continue;
    }
    (void)!write(peer_fd, frame, sizeof(frame));
}

static struct fuzz_virtio fuzz;
static struct vmm_virtio_net object;

static void make_device(void)
{
    struct vmm_virtio_config virtio = fuzz_virtio_host(&fuzz, true);
    struct vmm_virtio_net_config config = {
        .virtio = virtio, .net = {.kind = VMM_NET_PASST, .fd = -1}};
    char folder[] = "/tmp/fuzz-virtio-net-XXXXXX";

    FUZZ_ASSERT(mkdtemp(folder));
    config.net.path = listen_in(folder);
    FUZZ_ASSERT(vmm_virtio_net_init(&object, &config, NULL) == 0);
    accept_peer();
    unlink(config.net.path);
    rmdir(folder);
    fuzz.device = &object.device;
    fuzz.vmstate = &vmm_virtio_net_vmstate;
    fuzz.object = &object;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fuzz.device) {
        make_device();
    }
    use_peer();
    return fuzz_virtio_run(&fuzz, data, size);
}

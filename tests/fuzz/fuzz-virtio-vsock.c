/*
 * A hostile driver of virtio-vsock: the guest's port 7 is called by a program
 * that has written something and may be gone already, and its own calls of
 * port 1 are answered.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz-virtio.h"
#include "virtio_vsock.h"

#define PROGRAM_SAYS "CONNECT 7\nhello, guest"

static struct fuzz_virtio fuzz;
static struct vmm_virtio_vsock object;
static char folder[64] = "/tmp/fuzz-vsock-XXXXXX";
static struct sockaddr_un calling = {.sun_family = AF_UNIX};
static struct sockaddr_un called = {.sun_family = AF_UNIX};
static int listener;

static void leave_nothing(void)
{
    vmm_virtio_vsock_deinit(&object);
    unlink(called.sun_path);
    rmdir(folder);
}

static void make_device(void)
{
    struct vmm_virtio_vsock_config config = {.cid = 3};

    FUZZ_ASSERT(mkdtemp(folder));
    snprintf(calling.sun_path, sizeof(calling.sun_path), "%s/vm", folder);
    snprintf(called.sun_path, sizeof(called.sun_path), "%s/vm_1", folder);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    FUZZ_ASSERT(bind(listener, (void *)&called, sizeof(called)) == 0);
    FUZZ_ASSERT(listen(listener, 8) == 0);
    config.virtio = fuzz_virtio_host(&fuzz, true);
    config.path = calling.sun_path;
    FUZZ_ASSERT(vmm_virtio_vsock_init(&object, &config, NULL) == 0);
    atexit(leave_nothing);
    fuzz.device = &object.device;
    fuzz.vmstate = &vmm_virtio_vsock_vmstate;
    fuzz.object = &object;
}

static int call_guest(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    FUZZ_ASSERT(connect(fd, (void *)&calling, sizeof(calling)) == 0);
    FUZZ_ASSERT(write(fd, PROGRAM_SAYS, sizeof(PROGRAM_SAYS)) > 0);
    return fd;
}

/* What the guest has called in this run is gone with it. */
static void forget_calls(void)
{
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        close(fd);
    }
}

/* Those that the guest had no buffer for are accepted, to make place. */
static void forget_programs(void)
{
    int fd;

    while ((fd = vmm_listener_accept(&object.host)) >= 0) {
        close(fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int program;

    if (!fuzz.device) {
        make_device();
    }
    program = call_guest();
    if (size % 3 == 1) {
        shutdown(program, SHUT_WR);
    } else if (size % 3 == 2) {
        close(program);
    }
    fuzz_virtio_run(&fuzz, data, size);
    if (size % 3 != 2) {
        close(program);
    }
    fuzz_reg(&fuzz, 0x70, 0);
    forget_calls();
    forget_programs();
    return 0;
}

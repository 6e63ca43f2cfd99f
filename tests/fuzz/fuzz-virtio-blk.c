/*
 * A hostile driver of virtio-blk.
 */
#include <unistd.h>

#include "fuzz-virtio.h"
#include "virtio_blk.h"

#define DISK_BYTES (1 << 20)

static struct fuzz_virtio fuzz;
static struct vmm_virtio_blk object;

static void make_device(void)
{
    struct vmm_virtio_config virtio = fuzz_virtio_host(&fuzz, true);
    struct vmm_virtio_blk_config config = {.virtio = virtio, .n_queues = 2};
    char path[] = "/tmp/fuzz-virtio-blk-XXXXXX";
    int fd = mkstemp(path);

    FUZZ_ASSERT(fd >= 0 && ftruncate(fd, DISK_BYTES) == 0);
    config.image.path = path;
    config.image.aio = VMM_BLOCK_AIO_THREADS;
    FUZZ_ASSERT(vmm_virtio_blk_init(&object, &config, NULL) == 0);
    close(fd);
    unlink(path);
    fuzz.device = &object.device;
    fuzz.vmstate = &vmm_virtio_blk_vmstate;
    fuzz.object = &object;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fuzz.device) {
        make_device();
    }
    return fuzz_virtio_run(&fuzz, data, size);
}

/*
 * A hostile driver of virtio-console.
 */

#include "fuzz-virtio.h"
#include "virtio_console.h"

static char path[] = "/dev/null";
static struct fuzz_virtio fuzz;
static struct vmm_virtio_console object;

static void make_device(void)
{
    struct vmm_virtio_config virtio = fuzz_virtio_host(&fuzz, true);
    struct vmm_virtio_console_config config = {
        .virtio = virtio, .chardev = {.kind = VMM_CHARDEV_FILE, .path = path}};

    FUZZ_ASSERT(vmm_virtio_console_init(&object, &config, NULL) == 0);
    fuzz.device = &object.device;
    fuzz.vmstate = &vmm_virtio_console_vmstate;
    fuzz.object = &object;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fuzz.device) {
        make_device();
    }
    return fuzz_virtio_run(&fuzz, data, size);
}

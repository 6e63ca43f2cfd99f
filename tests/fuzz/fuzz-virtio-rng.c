/*
 * A hostile driver of virtio-rng.
 */

#include "fuzz-virtio.h"
#include "virtio_rng.h"

static struct fuzz_virtio fuzz;
static struct vmm_virtio_rng object;

static void make_device(void)
{
    struct vmm_virtio_config virtio = fuzz_virtio_host(&fuzz, false);

    FUZZ_ASSERT(vmm_virtio_rng_init(&object, &virtio, NULL) == 0);
    fuzz.device = &object.device;
    fuzz.vmstate = &vmm_virtio_rng_vmstate;
    fuzz.object = &object;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fuzz.device) {
        make_device();
    }
    return fuzz_virtio_run(&fuzz, data, size);
}

/*
 * A hostile guest at fw_cfg: port accesses and DMA descriptors from the input.
 *
 * Steps of 12 bytes: the offset of the port, the size of the access (bit 7:
 * a read), 8 bytes that are the value, 2 that go to guest memory first.
 */
#include "fw_cfg.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "acpi.h"
#include "fuzz.h"

#define STEP_BYTES 12u
#define RAM_BYTES 0x3000u
#define FILE_BYTES 100u

/* As long as it says, so that a sanitizer sees each byte beyond. */
static uint8_t *ram;

static uint8_t *at(void *opaque, uint64_t gpa, uint64_t *ret_bytes)
{
    if (gpa >= RAM_BYTES) {
        return NULL;
    }
    /* Two pieces, as of RAM and firmware. */
    *ret_bytes = gpa < 0x1000 ? 0x1000 - gpa : RAM_BYTES - gpa;
    return ram + gpa;
}

static void wrote(void *opaque, const uint8_t *host, uint64_t bytes)
{
}

static const struct vmm_fw_cfg_ops ops = {.at = at, .wrote = wrote};

static void step(struct vmm_fw_cfg *fw_cfg, const uint8_t *in)
{
    static const unsigned int sizes[] = {1, 2, 4, 8};
    unsigned int size = sizes[in[1] & 3];
    uint64_t offset = in[0] % VMM_FW_CFG_PORTS;
    uint64_t value;

    memcpy(&value, in + 2, sizeof(value));
    if (offset + size > VMM_FW_CFG_PORTS) {
        return;
    }
    /* Where descriptors are looked for most: at the start. */
    memcpy(ram + 2 * (size_t)(in[1] >> 2 & 31), in + 10, 2);
    if (in[1] & 0x80) {
        (void)vmm_fw_cfg_bus_ops.read(fw_cfg, offset, size);
    } else {
        vmm_fw_cfg_bus_ops.write(fw_cfg, offset, size, value);
    }
    FUZZ_ASSERT(fw_cfg->key == VMM_FW_CFG_INVALID ||
                (fw_cfg->key & 0x3fff) < 0x40);
}

/* A kernel of which only the first half is there still. */
static void add_cut_file(struct vmm_fw_cfg *fw_cfg)
{
    static struct vmm_contents kernel;

    if (kernel.size == 0) {
        kernel.fd = memfd_create("kernel", MFD_CLOEXEC);
        FUZZ_ASSERT(kernel.fd >= 0 && ftruncate(kernel.fd, FILE_BYTES) == 0);
        kernel.size = 2 * FILE_BYTES;
    }
    vmm_fw_cfg_add_contents(fw_cfg, VMM_FW_CFG_KERNEL_DATA, "kernel", &kernel);
    /* Not said for each input. */
    fw_cfg->items[fw_cfg->n_items - 1].failed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t content[FILE_BYTES] = {1, 2, 3};
    struct vmm_acpi acpi = {0};
    struct vmm_fw_cfg fw_cfg;

    ram = calloc(1, RAM_BYTES);
    FUZZ_ASSERT(ram);
    FUZZ_ASSERT(vmm_fw_cfg_init(&fw_cfg, &acpi, &ops, NULL, NULL) == 0);
    FUZZ_ASSERT(vmm_fw_cfg_add_file(&fw_cfg, "etc/content", content, FILE_BYTES,
                                    NULL) == 0);
    add_cut_file(&fw_cfg);
    for (size_t i = 0; i + STEP_BYTES <= size; i += STEP_BYTES) {
        step(&fw_cfg, data + i);
    }
    vmm_fw_cfg_deinit(&fw_cfg);
    free(ram);
    return 0;
}

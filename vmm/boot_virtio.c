/*
 * One word per occupied slot.
 */
#include "boot_virtio.h"

#include <stdio.h>

#include "options.h"

void vmm_boot_virtio_words(uint32_t slots, char ret_words[VMM_VIRTIO_WORDS_MAX])
{
    int at = 0;

    ret_words[0] = '\0';
    for (unsigned int slot = VMM_VIRTIO_SLOTS; slot-- > 0;) {
        if (slots & 1u << slot) {
            at += snprintf(ret_words + at, VMM_VIRTIO_WORDS_MAX - (size_t)at,
                           " virtio_mmio.device=%u@0x%x:%u", VMM_VIRTIO_BYTES,
                           VMM_VIRTIO_BASE + slot * VMM_VIRTIO_BYTES,
                           VMM_VIRTIO_GSI_PLAIN + slot);
        }
    }
}

char *vmm_boot_kernel_cmdline(const struct vmm_options *options, uint32_t slots)
{
    char devices[VMM_VIRTIO_WORDS_MAX] = "";
    char *text;

    if (!options->machine.acpi && options->machine.auto_kernel_cmdline) {
        vmm_boot_virtio_words(slots, devices);
    }
    if (asprintf(&text, "%s%s", options->append ? options->append : "",
                 devices) < 0) {
        return NULL;
    }
    return text;
}

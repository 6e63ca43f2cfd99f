/*
 * Head and counts, then addresses and lengths for 1024 parts of each kind.
 */
#include "virtio_element.h"

#include <string.h>

#include "util.h"

#define HEAD_AT 0
#define N_OUT_AT 4
#define N_IN_AT 8
#define IN_ADDRESS_AT 16
#define OUT_ADDRESS_AT (IN_ADDRESS_AT + 8 * VMM_VIRTIO_CHAIN_MAX)
/* Pairs of a host pointer, which means nothing, and a length. */
#define IN_PART_AT (OUT_ADDRESS_AT + 8 * VMM_VIRTIO_CHAIN_MAX)
#define OUT_PART_AT (IN_PART_AT + 16 * VMM_VIRTIO_CHAIN_MAX)

_Static_assert(OUT_PART_AT + 16 * VMM_VIRTIO_CHAIN_MAX ==
                   VMM_VIRTIO_ELEMENT_BYTES,
               "size of an element");

uint16_t
vmm_virtio_element_head(const uint8_t element[VMM_VIRTIO_ELEMENT_BYTES])
{
    return vmm_get_le16(element + HEAD_AT);
}

static void encode_parts(const struct iovec *parts, unsigned int n,
                         const struct vmm_guest_memory *memory,
                         uint8_t *addresses, uint8_t *pairs)
{
    for (unsigned int i = 0; i < n; i++) {
        vmm_put_le64(addresses + 8 * (size_t)i,
                     vmm_guest_memory_gpa(memory, parts[i].iov_base));
        vmm_put_le64(pairs + 16 * (size_t)i + 8, parts[i].iov_len);
    }
}

void vmm_virtio_element_encode(const struct vmm_virtio_chain *chain,
                               const struct vmm_guest_memory *memory,
                               uint8_t ret_element[VMM_VIRTIO_ELEMENT_BYTES])
{
    memset(ret_element, 0, VMM_VIRTIO_ELEMENT_BYTES);
    vmm_put_le32(ret_element + HEAD_AT, chain->head);
    vmm_put_le32(ret_element + N_OUT_AT, chain->n_out);
    vmm_put_le32(ret_element + N_IN_AT, chain->n_in);
    encode_parts(chain->iov, chain->n_out, memory, ret_element + OUT_ADDRESS_AT,
                 ret_element + OUT_PART_AT);
    encode_parts(chain->iov + chain->n_out, chain->n_in, memory,
                 ret_element + IN_ADDRESS_AT, ret_element + IN_PART_AT);
}

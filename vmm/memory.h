/*
 * Guest RAM: one RAM block, `microvm.ram`, mapped into the guest below 3 GiB
 * and, what does not fit there, from 4 GiB on (docs/spec/machine.md, 1).
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_machine;
struct gw_ram_block;

/* Guest RAM ends here and goes on at 4 GiB: room for devices. */
#define VMM_LOW_RAM_END 0xc0000000ull
#define VMM_HIGH_RAM_START 0x100000000ull
/* Name of the block in the stream. */
#define VMM_RAM_IDSTR "microvm.ram"

/* How guest RAM is to be backed. */
struct vmm_memory_config {
    /* Bytes, a multiple of the page size. */
    uint64_t bytes;
    /* A file that backs it, or NULL. */
    const char *path;
    /* Map shared; without a path a memfd backs it. */
    bool share;
};

struct vmm_memory {
    /* The whole block in this process. */
    uint8_t *host;
    /* Bytes of the block. */
    uint64_t bytes;
    /* Backing descriptor, or -1 for anonymous memory. */
    int fd;
    /* enum gw_ram_flags that describe it. */
    uint32_t flags;
    /* Huge pages are held back until a load is over. */
    bool small_pages;
    /* Of the machine; NULL before it was added. */
    struct gw_ram_block *block;
};

/* A range of guest RAM that is contiguous for the guest. */
struct vmm_memory_range {
    uint64_t gpa;
    uint64_t bytes;
    uint8_t *host;
};

/* Maps guest RAM. */
int vmm_memory_init(struct vmm_memory *memory,
                    const struct vmm_memory_config *config,
                    struct gw_error **errp) GW_MUST_CHECK;

/* Unmaps it; accepts a zeroed or half-built object. */
void vmm_memory_deinit(struct vmm_memory *memory);

/*
 * Before and after memory is loaded from a stream. Where the host gives huge
 * pages to everyone, one loaded page would populate two MiB, and a sparse
 * guest would come back dense; so they are held back during the load.
 */
void vmm_memory_expect_load(struct vmm_memory *memory);
void vmm_memory_loaded(struct vmm_memory *memory);

/* Adds the RAM block to the machine. */
int vmm_memory_add_block(struct vmm_memory *memory, struct gw_machine *machine,
                         struct gw_error **errp) GW_MUST_CHECK;

/* Fills in one or two ranges and returns how many. */
unsigned int vmm_memory_ranges(const struct vmm_memory *memory,
                               struct vmm_memory_range ret_ranges[2]);

/*
 * Where `bytes` bytes of guest RAM from a guest physical address are, or NULL
 * if not all of them are RAM.
 */
void *vmm_memory_at(const struct vmm_memory *memory, uint64_t gpa,
                    uint64_t bytes);

/*
 * Makes all of it read as zero, as a cold start wants it. A private mapping
 * leaves its file as it is.
 */
int vmm_memory_clear(struct vmm_memory *memory, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * The VMM, not a vCPU, has written `bytes` bytes of guest RAM at `host`, which
 * vmm_memory_at gave: for whoever saves the guest meanwhile. After the write;
 * any thread.
 */
void vmm_memory_wrote(const struct vmm_memory *memory, const void *host,
                      uint64_t bytes);

/* Something was written: the block no longer reads as zero. */
void vmm_memory_touched(struct vmm_memory *memory);

#endif

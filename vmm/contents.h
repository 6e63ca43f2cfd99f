/*
 * Bytes that are read when they are needed: some in memory, or a part of a
 * file. A file is never mapped: one that becomes shorter is an error where it
 * is read, and not the end of the process.
 */
#ifndef VMM_CONTENTS_H
#define VMM_CONTENTS_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

/* A zeroed object has no bytes. */
struct vmm_contents {
    /* Where they are in this process, lent; NULL: in the file. */
    const uint8_t *bytes;
    /* The file, and where in it they begin. */
    int fd;
    uint64_t offset;
    /* How many they are. */
    uint64_t size;
};

/* Opens a regular, not empty file; all of it. */
int vmm_contents_open(const char *path, struct vmm_contents *ret_contents,
                      struct gw_error **errp) GW_MUST_CHECK;
/* Closes what was opened, not a part of it; accepts a zeroed object. */
void vmm_contents_close(struct vmm_contents *contents);

/* Lends bytes in memory. */
static inline struct vmm_contents vmm_contents_lend(const void *bytes,
                                                    uint64_t size)
{
    return (struct vmm_contents){.bytes = bytes, .fd = -1, .size = size};
}

/* All from `offset` on, which is not beyond the end; lent. */
struct vmm_contents vmm_contents_from(const struct vmm_contents *whole,
                                      uint64_t offset);

/*
 * Reads bytes that are there; -ENODATA if the file has become shorter. `to`
 * may have been written in part then.
 */
int vmm_contents_read(const struct vmm_contents *contents, uint64_t offset,
                      void *to, uint64_t bytes, struct gw_error **errp)
    GW_MUST_CHECK;

/* Reads its first bytes; beyond its end there are zeros. */
int vmm_contents_read_head(const struct vmm_contents *contents, void *to,
                           size_t bytes, struct gw_error **errp) GW_MUST_CHECK;

/*
 * Whether all of it is there now, for those who will need it later: -ENODATA
 * if not. Accepts a zeroed object.
 */
int vmm_contents_check(const struct vmm_contents *contents,
                       struct gw_error **errp) GW_MUST_CHECK;

/* Closes it at the end of the scope. */
#define VMM_AUTO_CONTENTS __attribute__((cleanup(vmm_contents_close)))

#endif

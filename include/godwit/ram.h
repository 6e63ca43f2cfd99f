/*
 * RAM blocks: named ranges of guest memory.
 *
 * A block belongs to one machine and has a stable idstr, which is its name in
 * the stream. Its memory is the embedder's, or mapped by the library if the
 * attributes say so. Blocks are added before a migration starts; adding or
 * removing one while a migration runs is refused with -EBUSY.
 */
#ifndef GW_GODWIT_RAM_H
#define GW_GODWIT_RAM_H

#include <godwit/error.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_machine;
struct gw_ram_block;

/* Bytes of a page in the stream (x86-64). */
#define GW_TARGET_PAGE_SIZE 4096u

enum gw_ram_flags {
    /* Mapped MAP_SHARED: writes reach the file or memfd. */
    GW_RAM_SHARED = 1u << 0,
    /* The guest cannot write it; the loader still can. */
    GW_RAM_READONLY = 1u << 1,
    /* The used length may change up to max_length. */
    GW_RAM_RESIZEABLE = 1u << 2,
    /* Backed by a file with a name (not a memfd). */
    GW_RAM_NAMED_FILE = 1u << 3,
    /* Fresh memory that nobody has written: known to read as zero. */
    GW_RAM_ZEROED = 1u << 4,
    /*
     * Private anonymous memory (MAP_PRIVATE | MAP_ANONYMOUS) of the caller's:
     * what was never touched reads as zero, and is not looked at. Without
     * this flag nothing is supposed of memory that the library did not map.
     */
    GW_RAM_ANONYMOUS = 1u << 5,
};

/*
 * What a block is made of. Initialise with GW_RAM_ATTR(...) so that members
 * added later get their defaults.
 */
struct gw_ram_attr {
    /* sizeof(struct gw_ram_attr) as the caller was compiled. */
    size_t attr_size;
    /* Name in the stream, 1 to 255 bytes. Copied. */
    const char *idstr;
    /*
     * Start of the memory, page aligned; NULL: the library maps max_length
     * bytes, anonymous or of `fd`, and unmaps them when the block goes.
     */
    void *host;
    /* Bytes in use now, a multiple of the target page. */
    uint64_t used_length;
    /* Bytes reserved; 0 means used_length. Only resizeable blocks differ. */
    uint64_t max_length;
    /* Bytes of a host page that backs the block; 0 means the base page. */
    uint64_t host_page_size;
    /* Descriptor behind the memory, or -1. The block keeps a duplicate. */
    int fd;
    /* enum gw_ram_flags. */
    uint32_t flags;
    /* Where the block starts in fd, bytes. */
    uint64_t fd_offset;
    /* Guest physical address of its start, 0 if not mapped as one range. */
    uint64_t gpa;
    /*
     * Called when a loader resizes a resizeable block, before pages arrive;
     * on the migration's thread, no lock held. NULL: nothing to be done.
     */
    int (*resized)(void *opaque, struct gw_ram_block *block,
                   uint64_t used_length, struct gw_error **errp);
    /* Handed to `resized`. */
    void *opaque;
};

#define GW_RAM_ATTR(...)                                               \
    {                                                                  \
        .attr_size = sizeof(struct gw_ram_attr), .fd = -1, __VA_ARGS__ \
    }

/*
 * Adds a block to a machine. The result belongs to the machine; ret_block may
 * be NULL. -EINVAL for attributes that do not fit each other, -EEXIST for a
 * name that is taken, -EBUSY while a migration runs. Since 0.1.
 */
GW_API int gw_ram_block_add(struct gw_machine *machine,
                            const struct gw_ram_attr *attr,
                            struct gw_ram_block **ret_block,
                            struct gw_error **errp) GW_MUST_CHECK;

/* Removes a block and unmaps what the library mapped. Since 0.1. */
GW_API int gw_ram_block_remove(struct gw_ram_block *block,
                               struct gw_error **errp);

/*
 * Changes the used length of a resizeable block (bytes, rounded up to the
 * target page, at most max_length). During an outgoing migration the change
 * is made and the migration fails with a clear error. Since 0.1.
 */
GW_API int gw_ram_block_resize(struct gw_ram_block *block, uint64_t used_length,
                               struct gw_error **errp) GW_MUST_CHECK;

/* The block of that name, or NULL. Since 0.1. */
GW_API struct gw_ram_block *gw_ram_block_find(struct gw_machine *machine,
                                              const char *idstr);

/* The name. Lives as long as the block. Since 0.1. */
GW_API const char *gw_ram_block_idstr(const struct gw_ram_block *block);

/* Start of the memory in this process. Since 0.1. */
GW_API void *gw_ram_block_host(const struct gw_ram_block *block);

/* Bytes in use. Since 0.1. */
GW_API uint64_t gw_ram_block_used_length(const struct gw_ram_block *block);

/* Bytes reserved. Since 0.1. */
GW_API uint64_t gw_ram_block_max_length(const struct gw_ram_block *block);

/* enum gw_ram_flags. Since 0.1. */
GW_API uint32_t gw_ram_block_flags(const struct gw_ram_block *block);

/* Descriptor behind the memory (lent), or -1. Since 0.1. */
GW_API int gw_ram_block_fd(const struct gw_ram_block *block);

/* The block added after `block`, or the first if it is NULL. Since 0.1. */
GW_API struct gw_ram_block *gw_ram_block_next(struct gw_machine *machine,
                                              struct gw_ram_block *block);

GW_END_DECLS

#endif

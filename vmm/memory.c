/*
 * Mapping guest RAM: anonymous, a memfd, or a file with a name.
 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <godwit/ram.h>
#include <godwit/tracker.h>

#include "util.h"

static int open_memfd(struct vmm_memory *memory, struct gw_error **errp)
{
    VMM_AUTO_FD int fd = memfd_create(VMM_RAM_IDSTR, MFD_CLOEXEC);

    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot create a memfd");
    }
    if (ftruncate(fd, (off_t)memory->bytes) < 0) {
        return gw_error_set_errno(errp, -errno,
                                  "cannot make the memfd %llu bytes long",
                                  (unsigned long long)memory->bytes);
    }
    memory->fd = vmm_take_fd(&fd);
    memory->flags |= GW_RAM_SHARED | GW_RAM_ZEROED;
    return 0;
}

/*
 * A file that is there already may hold anything; only a file that we have
 * made, or that is empty, is known to read as zero.
 */
static int open_file(struct vmm_memory *memory, const char *path, bool share,
                     struct gw_error **errp)
{
    VMM_AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;

    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open '%s'", path);
    }
    if (fstat(fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot look at '%s'", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return gw_error_set(errp, -EINVAL, "'%s' is not a regular file", path);
    }
    if ((uint64_t)st.st_size < memory->bytes &&
        ftruncate(fd, (off_t)memory->bytes) < 0) {
        return gw_error_set_errno(errp, -errno,
                                  "cannot make '%s' %llu bytes long", path,
                                  (unsigned long long)memory->bytes);
    }
    memory->fd = vmm_take_fd(&fd);
    memory->flags |= GW_RAM_NAMED_FILE;
    memory->flags |= share ? (uint32_t)GW_RAM_SHARED : 0;
    memory->flags |= st.st_size == 0 ? (uint32_t)GW_RAM_ZEROED : 0;
    return 0;
}

static int open_backing(struct vmm_memory *memory,
                        const struct vmm_memory_config *config,
                        struct gw_error **errp)
{
    if (config->path) {
        return open_file(memory, config->path, config->share, errp);
    }
    if (config->share) {
        return open_memfd(memory, errp);
    }
    memory->flags |= GW_RAM_ZEROED | GW_RAM_ANONYMOUS;
    return 0;
}

int vmm_memory_init(struct vmm_memory *memory,
                    const struct vmm_memory_config *config,
                    struct gw_error **errp)
{
    int flags;
    void *host;
    int r;

    *memory = (struct vmm_memory){.bytes = config->bytes, .fd = -1};
    r = open_backing(memory, config, errp);
    if (r < 0) {
        return gw_error_prefix(errp, r, "guest RAM");
    }
    flags = (memory->flags & GW_RAM_SHARED) ? MAP_SHARED : MAP_PRIVATE;
    flags |= memory->fd < 0 ? MAP_ANONYMOUS : 0;
    host = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE,
                flags | MAP_NORESERVE, memory->fd, 0);
    if (host == MAP_FAILED) {
        r = gw_error_set_errno(errp, -errno,
                               "cannot map %llu bytes of guest RAM",
                               (unsigned long long)memory->bytes);
        vmm_memory_deinit(memory);
        return r;
    }
    memory->host = host;
    return 0;
}

void vmm_memory_deinit(struct vmm_memory *memory)
{
    if (memory->host) {
        munmap(memory->host, memory->bytes);
    }
    if (memory->fd >= 0 && memory->bytes > 0) {
        close(memory->fd);
    }
    *memory = (struct vmm_memory){.fd = -1};
}

/* The host's policy is "[always] madvise never". */
static bool everyone_gets_huge_pages(void)
{
    char text[64] = "";
    VMM_AUTO_FD int fd = open("/sys/kernel/mm/transparent_hugepage/enabled",
                              O_RDONLY | O_CLOEXEC);

    return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
           strstr(text, "[always]") != NULL;
}

void vmm_memory_expect_load(struct vmm_memory *memory)
{
    if (memory->fd < 0 && everyone_gets_huge_pages()) {
        memory->small_pages =
            madvise(memory->host, memory->bytes, MADV_NOHUGEPAGE) == 0;
    }
}

void vmm_memory_loaded(struct vmm_memory *memory)
{
    if (memory->small_pages) {
        madvise(memory->host, memory->bytes, MADV_HUGEPAGE);
        memory->small_pages = false;
    }
}

int vmm_memory_add_block(struct vmm_memory *memory, struct gw_machine *machine,
                         struct gw_error **errp)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = VMM_RAM_IDSTR, .host = memory->host,
                    .used_length = memory->bytes, .flags = memory->flags);

    attr.fd = memory->fd;
    return gw_ram_block_add(machine, &attr, &memory->block, errp);
}

unsigned int vmm_memory_ranges(const struct vmm_memory *memory,
                               struct vmm_memory_range ret_ranges[2])
{
    if (memory->bytes <= VMM_LOW_RAM_END) {
        ret_ranges[0] = (struct vmm_memory_range){
            .gpa = 0, .bytes = memory->bytes, .host = memory->host};
        return 1;
    }
    ret_ranges[0] = (struct vmm_memory_range){
        .gpa = 0, .bytes = VMM_LOW_RAM_END, .host = memory->host};
    ret_ranges[1] =
        (struct vmm_memory_range){.gpa = VMM_HIGH_RAM_START,
                                  .bytes = memory->bytes - VMM_LOW_RAM_END,
                                  .host = memory->host + VMM_LOW_RAM_END};
    return 2;
}

void *vmm_memory_at(const struct vmm_memory *memory, uint64_t gpa,
                    uint64_t bytes)
{
    struct vmm_memory_range ranges[2];
    unsigned int n = vmm_memory_ranges(memory, ranges);

    for (unsigned int i = 0; i < n; i++) {
        const struct vmm_memory_range *range = &ranges[i];

        if (gpa >= range->gpa && gpa - range->gpa <= range->bytes &&
            bytes <= range->bytes - (gpa - range->gpa)) {
            return range->host + (gpa - range->gpa);
        }
    }
    return NULL;
}

/* Writes only where something else is: holes of the file stay holes. */
static void clear_private(struct vmm_memory *memory)
{
    static const uint8_t zeros[GW_TARGET_PAGE_SIZE];

    for (uint64_t at = 0; at < memory->bytes; at += sizeof(zeros)) {
        if (memcmp(memory->host + at, zeros, sizeof(zeros)) != 0) {
            memset(memory->host + at, 0, sizeof(zeros));
        }
    }
}

int vmm_memory_clear(struct vmm_memory *memory, struct gw_error **errp)
{
    if (memory->flags & GW_RAM_ZEROED) {
        return 0;
    }
    if (!(memory->flags & GW_RAM_SHARED)) {
        clear_private(memory);
    } else if (fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         0, (off_t)memory->bytes) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot clear guest RAM");
    }
    return 0;
}

void vmm_memory_wrote(const struct vmm_memory *memory, const void *host,
                      uint64_t bytes)
{
    if (memory->block) {
        gw_ram_block_wrote(memory->block,
                           (uint64_t)((const uint8_t *)host - memory->host),
                           bytes);
    }
}

void vmm_memory_touched(struct vmm_memory *memory)
{
    memory->flags &= ~(uint32_t)GW_RAM_ZEROED;
}

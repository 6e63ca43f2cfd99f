/*
 * Mapping files.
 */
#include "file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

int vmm_file_map(const char *path, struct vmm_file_map *ret_map,
                 struct gw_error **errp)
{
    VMM_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *bytes;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open '%s'", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is %s", path,
                            S_ISREG(st.st_mode) ? "empty"
                                                : "not a regular file");
    }
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return gw_error_set_errno(errp, -errno, "cannot map '%s'", path);
    }
    *ret_map = (struct vmm_file_map){
        .bytes = bytes, .size = (size_t)st.st_size, .fd = vmm_take_fd(&fd)};
    return 0;
}

int vmm_file_map_check(const struct vmm_file_map *map, struct gw_error **errp)
{
    struct stat st;

    if (!map->bytes) {
        return 0;
    }
    if (fstat(map->fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "fstat");
    }
    if ((uint64_t)st.st_size < map->size) {
        return gw_error_set(errp, -ENODATA,
                            "the file had %zu bytes when it was opened, and "
                            "has %lld now",
                            map->size, (long long)st.st_size);
    }
    return 0;
}

void vmm_file_map_rest(const struct vmm_file_map *map)
{
    if (map->bytes) {
        madvise((void *)(uintptr_t)map->bytes, map->size, MADV_DONTNEED);
    }
}

void vmm_file_unmap(struct vmm_file_map *map)
{
    if (map->bytes) {
        munmap((void *)(uintptr_t)map->bytes, map->size);
        close(map->fd);
    }
    *map = (struct vmm_file_map){0};
}

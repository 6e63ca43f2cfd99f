/*
 * A whole file, read-only in this process.
 */
#ifndef VMM_FILE_MAP_H
#define VMM_FILE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

struct vmm_file_map {
    /* NULL: no file. */
    const uint8_t *bytes;
    size_t size;
    int fd;
};

/* Maps a regular, not empty file. */
int vmm_file_map(const char *path, struct vmm_file_map *ret_map,
                 struct gw_error **errp) GW_MUST_CHECK;

/*
 * Whether all of it can be read still: a file that has become shorter ends the
 * process when it is. Accepts a zeroed object.
 */
int vmm_file_map_check(const struct vmm_file_map *map, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * Its pages leave this process, and come back from the file or the page cache
 * when they are read. Accepts a zeroed object.
 */
void vmm_file_map_rest(const struct vmm_file_map *map);

/* Unmaps it; accepts a zeroed object. */
void vmm_file_unmap(struct vmm_file_map *map);

/* Unmaps it at the end of the scope. */
#define VMM_AUTO_FILE_MAP __attribute__((cleanup(vmm_file_unmap)))

#endif

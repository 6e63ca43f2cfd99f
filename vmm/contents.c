/*
 * Reading memory and files alike.
 */
#include "contents.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

static bool is_file(const struct vmm_contents *contents)
{
    return !contents->bytes && contents->size > 0;
}

int vmm_contents_open(const char *path, struct vmm_contents *ret_contents,
                      struct gw_error **errp)
{
    VMM_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open '%s'", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is %s", path,
                            S_ISREG(st.st_mode) ? "empty"
                                                : "not a regular file");
    }
    *ret_contents = (struct vmm_contents){.fd = vmm_take_fd(&fd),
                                          .size = (uint64_t)st.st_size};
    return 0;
}

void vmm_contents_close(struct vmm_contents *contents)
{
    if (is_file(contents)) {
        close(contents->fd);
    }
    *contents = (struct vmm_contents){0};
}

struct vmm_contents vmm_contents_from(const struct vmm_contents *whole,
                                      uint64_t offset)
{
    struct vmm_contents rest = *whole;

    assert(offset <= whole->size);
    if (rest.bytes) {
        rest.bytes += offset;
    } else {
        rest.offset += offset;
    }
    rest.size -= offset;
    return rest;
}

int vmm_contents_check(const struct vmm_contents *contents,
                       struct gw_error **errp)
{
    uint64_t end = contents->offset + contents->size;
    struct stat st;

    if (!is_file(contents)) {
        return 0;
    }
    if (fstat(contents->fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "fstat");
    }
    if ((uint64_t)st.st_size < end) {
        return gw_error_set(errp, -ENODATA,
                            "the file had %llu bytes when it was opened, and "
                            "has %lld now",
                            (unsigned long long)end, (long long)st.st_size);
    }
    return 0;
}

/* The end came too early; that it has been written again since is no help. */
static int ended(const struct vmm_contents *contents, struct gw_error **errp)
{
    int r = vmm_contents_check(contents, errp);

    return r < 0 ? r
                 : gw_error_set(errp, -ENODATA,
                                "the file was shorter while it was read");
}

static int read_file(const struct vmm_contents *contents, uint64_t offset,
                     uint8_t *to, uint64_t bytes, struct gw_error **errp)
{
    while (bytes > 0) {
        ssize_t n =
            pread(contents->fd, to, bytes, (off_t)(contents->offset + offset));

        if (n == 0) {
            return ended(contents, errp);
        }
        if (n < 0 && errno != EINTR) {
            return gw_error_set_errno(errp, -errno, "cannot read");
        }
        if (n > 0) {
            to += n;
            offset += (uint64_t)n;
            bytes -= (uint64_t)n;
        }
    }
    return 0;
}

int vmm_contents_read(const struct vmm_contents *contents, uint64_t offset,
                      void *to, uint64_t bytes, struct gw_error **errp)
{
    assert(offset <= contents->size && bytes <= contents->size - offset);
    if (!contents->bytes) {
        return read_file(contents, offset, to, bytes, errp);
    }
    memcpy(to, contents->bytes + offset, bytes);
    return 0;
}

int vmm_contents_read_head(const struct vmm_contents *contents, void *to,
                           size_t bytes, struct gw_error **errp)
{
    memset(to, 0, bytes);
    return vmm_contents_read(
        contents, 0, to, contents->size < bytes ? contents->size : bytes, errp);
}

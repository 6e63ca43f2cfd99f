/*
 * Opening /dev/fdset/N: the choice of descriptors, and what is checked.
 *
 * The texts of errors begin as QEMU's, for those who match on them, and go on
 * with what the set has.
 */
#include "channel/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "channel/direct.h"
#include "channel/fdset_set.h"

/* Descriptors that an error describes; a set may have any number. */
enum {
    DESCRIBED_MAX = 8
};

static const char prefix[] = "/dev/fdset/";

/* What is asked of a set. */
struct request {
    const char *path;
    struct gw_fdset *set;
    uint64_t offset; /* for the text of an error */
    bool outgoing;
    bool direct;
};

bool gw_fdset_is_path(const char *path)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

/* QEMU's reading of numbers: blanks and a sign may come before, no more. */
static int parse_id(const char *path, int64_t *ret_id, struct gw_error **errp)
{
    const char *text = path + strlen(prefix);
    long number;
    char *end;

    errno = 0;
    number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < 0 ||
        number > INT_MAX) {
        return gw_error_set(errp, -EINVAL, "Could not parse fdset %s", path);
    }
    *ret_id = number;
    return 0;
}

/* Of descriptors in this process; false where the kernel does not tell. */
static bool is_duplicate(int a, int b)
{
    pid_t self = getpid();

    return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

static const char *access_name(int flags)
{
    if (flags & O_PATH) {
        return "a path only";
    }
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return "read-only";
    case O_WRONLY:
        return "write-only";
    default:
        return "read-write";
    }
}

static void describe_member(struct gw_buffer *to, const struct gw_fdset *set,
                            size_t i)
{
    int fd = set->members[i].fd;
    int flags = fcntl(fd, F_GETFL);
    size_t j = 0;

    gw_buffer_printf(to, "%s fd %d: %s%s", i ? ";" : "", fd, access_name(flags),
                     flags & O_DIRECT ? ", direct" : "");
    while (j < i && !is_duplicate(set->members[j].fd, fd)) {
        j++;
    }
    if (j < i) {
        gw_buffer_printf(to, ", a duplicate of fd %d", set->members[j].fd);
    }
}

/* QEMU's text, and what is there instead. */
static int no_match(const struct request *request, int flags,
                    struct gw_error **errp)
{
    const struct gw_fdset *set = request->set;
    GW_AUTO_BUFFER struct gw_buffer text = {0};
    size_t i;

    for (i = 0; i < set->n_members && i < DESCRIBED_MAX; i++) {
        describe_member(&text, set, i);
    }
    if (i < set->n_members) {
        gw_buffer_printf(&text, "; and %zu more", set->n_members - i);
    }
    gw_buffer_put_u8(&text, 0);
    return gw_error_set(errp, -ENOENT,
                        "Failed to find file descriptor with matching "
                        "flags=0x%x; the set has%s",
                        (unsigned int)flags,
                        gw_buffer_ok(&text) && i > 0 ? (const char *)text.data
                                                     : " no descriptors");
}

/* The newest member whose access and O_DIRECT are those; NULL if none. */
static int find_exact(const struct request *request, int wanted, int *ret_fd,
                      struct gw_error **errp)
{
    const struct gw_fdset *set = request->set;
    size_t i;

    *ret_fd = -1;
    for (i = set->n_members; i-- > 0;) {
        int fd = set->members[i].fd;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0) {
            return gw_error_set_errno(errp, -errno,
                                      "Failed to read file status flags for "
                                      "fd=%d",
                                      fd);
        }
        if ((flags & (O_ACCMODE | O_DIRECT | O_PATH)) == wanted) {
            *ret_fd = fd;
            return 0;
        }
    }
    return 0;
}

/* Beside QEMU's rule, read-write is as good as what is asked for. */
static int find(const struct request *request, int direct, int *ret_fd,
                struct gw_error **errp)
{
    int access = request->outgoing ? O_WRONLY : O_RDONLY;
    int r = find_exact(request, access | direct, ret_fd, errp);

    if (r == 0 && *ret_fd < 0) {
        r = find_exact(request, O_RDWR | direct, ret_fd, errp);
    }
    return r;
}

static int dup_member(int fd, int *ret_fd, struct gw_error **errp)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0) {
        return gw_error_set_errno(
            errp, -errno, "Failed to dup() given file descriptor fd=%d", fd);
    }
    *ret_fd = copy;
    return 0;
}

static int not_a_file(const struct request *request, int fd,
                      struct gw_error **errp)
{
    static const char kinds[] = "neither a regular file nor a block device";

    if (request->outgoing) {
        return gw_error_set(errp, -EINVAL,
                            "failed to truncate migration file to offset "
                            "%llx: Invalid argument: fd %d of '%s' is %s",
                            (unsigned long long)request->offset, fd,
                            request->path, kinds);
    }
    return gw_error_set(errp, -EINVAL, "Could not open '%s': fd %d is %s",
                        request->path, fd, kinds);
}

/* A migration can be written to, or read from, this descriptor. */
static int check_file(const struct request *request, int fd,
                      struct stat *ret_st, struct gw_error **errp)
{
    if (fstat(fd, ret_st) < 0) {
        return gw_error_set_errno(errp, -errno, "fd %d", fd);
    }
    if (!S_ISREG(ret_st->st_mode) && !S_ISBLK(ret_st->st_mode)) {
        return not_a_file(request, fd, errp);
    }
    if (request->outgoing && (fcntl(fd, F_GETFL) & O_APPEND)) {
        return gw_error_set(errp, -EINVAL,
                            "Could not create '%s': fd %d is open with "
                            "O_APPEND: what is written would not go to its "
                            "place",
                            request->path, fd);
    }
    return 0;
}

/* A block device is the same through any of its names. */
static bool is_same_file(const struct stat *a, const struct stat *b)
{
    if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode)) {
        return a->st_rdev == b->st_rdev;
    }
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The descriptor for all but pages, which was checked. */
struct main_file {
    int fd;
    struct stat st;
};

/* The set's second descriptor, for pages. */
static int take_second(const struct request *request,
                       const struct main_file *main, int page_fd,
                       struct gw_fdset_use *use, struct gw_error **errp)
{
    struct stat st;
    int r = check_file(request, page_fd, &st, errp);

    if (r < 0) {
        return r;
    }
    if (!is_same_file(&main->st, &st)) {
        return gw_error_set(errp, -EINVAL,
                            "the descriptors of '%s' are of different files: "
                            "fd %d and, for pages, fd %d",
                            request->path, main->fd, page_fd);
    }
    r = gw_direct_check(page_fd, errp);
    if (r < 0) {
        return gw_error_prefix(errp, r, "Could not open '%s': fd %d",
                               request->path, page_fd);
    }
    return dup_member(page_fd, &use->page_fd, errp);
}

static int page_flags(const struct request *request)
{
    return (request->outgoing ? O_WRONLY : O_RDONLY) | O_DIRECT;
}

/* The only descriptor of a set: its file is opened once more. */
static int reopen(const struct request *request, int fd,
                  struct gw_fdset_use *use, struct gw_error **errp)
{
    int r = gw_direct_reopen(fd, request->outgoing, errp);

    if (r < 0) {
        return gw_error_prefix(errp, r,
                               "Failed to find file descriptor with matching "
                               "flags=0x%x; the set has fd %d alone",
                               (unsigned int)page_flags(request), fd);
    }
    use->page_fd = r;
    return 0;
}

static int take_pages(const struct request *request,
                      const struct main_file *main, struct gw_fdset_use *use,
                      struct gw_error **errp)
{
    int page_fd;
    int r = find(request, O_DIRECT, &page_fd, errp);

    if (r < 0) {
        return r;
    }
    if (page_fd >= 0) {
        return take_second(request, main, page_fd, use, errp);
    }
    if (request->set->n_members == 1) {
        return reopen(request, main->fd, use, errp);
    }
    return no_match(request, page_flags(request), errp);
}

static int take_locked(const struct request *request, struct gw_fdset_use *use,
                       struct gw_error **errp)
{
    struct main_file main;
    int r = find(request, 0, &main.fd, errp);

    if (r < 0) {
        return r;
    }
    if (main.fd < 0) {
        return no_match(
            request, request->outgoing ? O_WRONLY | O_CREAT : O_RDONLY, errp);
    }
    r = check_file(request, main.fd, &main.st, errp);
    if (r == 0 && request->direct) {
        r = take_pages(request, &main, use, errp);
    }
    return r < 0 ? r : dup_member(main.fd, &use->fd, errp);
}

static int find_set_locked(struct gw_fdsets *fdsets, const char *path,
                           struct gw_fdset **ret_set, struct gw_error **errp)
{
    int64_t id = 0;
    int r = parse_id(path, &id, errp);

    if (r < 0) {
        return r;
    }
    *ret_set = fdsets ? gw_fdsets_find_locked(fdsets, id) : NULL;
    if (!*ret_set) {
        return gw_error_set(errp, -ENOENT, "Failed to find fdset %s%lld",
                            prefix, (long long)id);
    }
    return 0;
}

static int begin_locked(struct gw_fdsets *fdsets, struct request *request,
                        struct gw_fdset_use *use, struct gw_error **errp)
{
    int r = find_set_locked(fdsets, request->path, &request->set, errp);

    if (r == 0) {
        r = take_locked(request, use, errp);
    }
    if (r == 0) {
        gw_fdset_hold_locked(fdsets, request->set);
        use->fdsets = fdsets;
        use->set = request->set;
    }
    return r;
}

int gw_fdset_use_begin(struct gw_fdsets *fdsets, const char *path,
                       uint64_t offset, bool outgoing, bool direct,
                       struct gw_fdset_use *ret_use, struct gw_error **errp)
{
    struct request request = {
        .path = path, .offset = offset, .outgoing = outgoing, .direct = direct};
    struct gw_fdset_use use = {.fd = -1, .page_fd = -1};
    int r;

    if (!fdsets) {
        return find_set_locked(NULL, path, &request.set, errp);
    }
    pthread_mutex_lock(&fdsets->lock);
    r = begin_locked(fdsets, &request, &use, errp);
    pthread_mutex_unlock(&fdsets->lock);
    if (r < 0) {
        gw_fdset_use_end(&use);
        return r;
    }
    *ret_use = use;
    return 0;
}

void gw_fdset_use_end(struct gw_fdset_use *use)
{
    if (use->fd >= 0) {
        close(use->fd);
    }
    if (use->page_fd >= 0) {
        close(use->page_fd);
    }
    if (use->fdsets) {
        gw_fdset_release(use->fdsets, use->set);
    }
    *use = (struct gw_fdset_use){.fd = -1, .page_fd = -1};
}

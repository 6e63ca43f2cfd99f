/*
 * The FUSE server of one file, by the kernel's own interface.
 */
#include "faulty-file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NAME "file"
#define FILE_NODE 2u
/* Bytes of a request's data: the kernel splits larger ones. */
#define MAX_WRITE (1u << 20)

struct request {
    struct fuse_in_header header;
    uint8_t body[MAX_WRITE + 4096];
};

struct server {
    int fd;
    struct faulty_plan *plan;
    struct request request; /* the one that is answered */
    struct request other;   /* read meanwhile */
};

static void reply(const struct server *s, int error, const void *data,
                  size_t size)
{
    struct fuse_out_header header = {.len = (uint32_t)(sizeof(header) + size),
                                     .error = error,
                                     .unique = s->request.header.unique};
    struct iovec iov[2] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = (void *)(uintptr_t)data, .iov_len = size}};

    /* ENOENT: it was interrupted and nobody waits any more. */
    if (writev(s->fd, iov, size ? 2 : 1) < 0 && errno != ENOENT) {
        _exit(1);
    }
}

static struct fuse_attr attr_of(const struct server *s, uint64_t node)
{
    bool is_file = node == FILE_NODE;

    return (struct fuse_attr){.ino = node,
                              .size = is_file ? s->plan->size : 0,
                              .mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700,
                              .nlink = 1,
                              .blksize = 4096};
}

static void do_init(const struct server *s)
{
    const struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
                                      .minor = 31,
                                      .flags = FUSE_MAX_PAGES | FUSE_BIG_WRITES,
                                      .max_background = 64,
                                      .congestion_threshold = 48,
                                      .max_write = MAX_WRITE,
                                      .max_pages = MAX_WRITE / 4096,
                                      .time_gran = 1};

    reply(s, 0, &out, sizeof(out));
}

static void do_lookup(const struct server *s)
{
    const struct fuse_entry_out out = {.nodeid = FILE_NODE,
                                       .attr = attr_of(s, FILE_NODE)};

    if (strcmp((const char *)s->request.body, FILE_NAME) != 0) {
        reply(s, -ENOENT, NULL, 0);
    } else {
        reply(s, 0, &out, sizeof(out));
    }
}

static void do_attr(const struct server *s)
{
    const struct fuse_setattr_in *in = (const void *)s->request.body;
    struct fuse_attr_out out = {0};

    if (s->request.header.opcode == FUSE_SETATTR && (in->valid & FATTR_SIZE)) {
        uint64_t before = s->plan->size;

        if (in->size > FAULTY_MAX_SIZE) {
            reply(s, -EFBIG, NULL, 0);
            return;
        }
        if (in->size < before) {
            memset(s->plan->data + in->size, 0, before - in->size);
        }
        s->plan->size = in->size;
    }
    out.attr = attr_of(s, s->request.header.nodeid);
    reply(s, 0, &out, sizeof(out));
}

/*
 * Waits for a signal to hit whoever waits for the answer. Another request
 * that comes instead is told to try again, which costs nothing but time.
 */
static bool is_interrupted(struct server *s)
{
    struct pollfd pfd = {.fd = s->fd, .events = POLLIN};
    const struct timespec patience = {.tv_nsec = s->plan->patience_us * 1000L};
    ssize_t n;

    if (s->plan->patience_us == 0 || ppoll(&pfd, 1, &patience, NULL) <= 0) {
        return false;
    }
    n = read(s->fd, &s->other, sizeof(s->other));
    if (n < (ssize_t)sizeof(s->other.header)) {
        return false;
    }
    if (s->other.header.opcode != FUSE_INTERRUPT) {
        struct fuse_out_header again = {.len = sizeof(again),
                                        .error = -EAGAIN,
                                        .unique = s->other.header.unique};

        n = write(s->fd, &again, sizeof(again));
        return false;
    }
    s->plan->n_interrupted++;
    return true;
}

/* How many of the bytes a request moves, or a negative errno. */
static int transfer_size(struct server *s, uint64_t offset, uint32_t size)
{
    struct faulty_plan *plan = s->plan;
    uint64_t number = plan->n_requests++;
    uint64_t at = plan->at;

    if (is_interrupted(s)) {
        return -EINTR;
    }
    if (number == at || (plan->sticks && number > at)) {
        return plan->result < (int)size ? plan->result : (int)size;
    }
    if (offset > FAULTY_MAX_SIZE || size > FAULTY_MAX_SIZE - offset) {
        return -EFBIG;
    }
    return (int)size;
}

static void do_read(struct server *s)
{
    const struct fuse_read_in *in = (const void *)s->request.body;
    int n = transfer_size(s, in->offset, in->size);

    if (n < 0) {
        reply(s, n, NULL, 0);
        return;
    }
    if (in->offset >= s->plan->size) {
        n = 0;
    } else if ((uint64_t)n > s->plan->size - in->offset) {
        n = (int)(s->plan->size - in->offset);
    }
    reply(s, 0, s->plan->data + in->offset, (size_t)n);
}

static void do_write(struct server *s)
{
    const struct fuse_write_in *in = (const void *)s->request.body;
    int n = transfer_size(s, in->offset, in->size);
    struct fuse_write_out out = {.size = (uint32_t)n};

    if (n < 0) {
        reply(s, n, NULL, 0);
        return;
    }
    memcpy(s->plan->data + in->offset, in + 1, (size_t)n);
    if (in->offset + (uint64_t)n > s->plan->size) {
        s->plan->size = in->offset + (uint64_t)n;
    }
    reply(s, 0, &out, sizeof(out));
}

static void answer(struct server *s)
{
    const struct fuse_open_out opened = {
        .open_flags = s->plan->is_cached ? 0 : FOPEN_DIRECT_IO};

    switch (s->request.header.opcode) {
    case FUSE_INIT:
        do_init(s);
        break;
    case FUSE_LOOKUP:
        do_lookup(s);
        break;
    case FUSE_GETATTR:
    case FUSE_SETATTR:
        do_attr(s);
        break;
    case FUSE_OPEN:
        reply(s, 0, &opened, sizeof(opened));
        break;
    case FUSE_READ:
        do_read(s);
        break;
    case FUSE_WRITE:
        do_write(s);
        break;
    case FUSE_RELEASE:
    case FUSE_FLUSH:
    case FUSE_FSYNC:
        reply(s, 0, NULL, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    default:
        reply(s, -ENOSYS, NULL, 0);
        break;
    }
}

static void serve(int fd, struct faulty_plan *plan)
{
    static struct server server;
    ssize_t n;

    server.fd = fd;
    server.plan = plan;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        n = read(fd, &server.request, sizeof(server.request));
        if (n >= (ssize_t)sizeof(server.request.header)) {
            answer(&server);
        } else if (n < 0 && errno != EINTR && errno != ENOENT) {
            _exit(0);
        }
    }
}

static bool cannot(struct faulty_file *f, const char *what)
{
    printf("# cannot %s: %s\n", what, strerror(errno));
    if (f->directory[0]) {
        rmdir(f->directory);
    }
    return false;
}

bool faulty_file_init(struct faulty_file *f)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    char options[64];

    memset(f, 0, sizeof(*f));
    if (fd < 0) {
        return cannot(f, "open /dev/fuse");
    }
    strcpy(f->directory, "/tmp/godwit-faulty-XXXXXX");
    if (!mkdtemp(f->directory)) {
        f->directory[0] = '\0';
        return cannot(f, "make a directory");
    }
    snprintf(f->path, sizeof(f->path), "%s/" FILE_NAME, f->directory);
    snprintf(options, sizeof(options),
             "fd=%d,rootmode=40700,user_id=0,"
             "group_id=0",
             fd);
    if (unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("godwit", f->directory, "fuse", MS_NOSUID | MS_NODEV, options) <
            0) {
        close(fd);
        return cannot(f, "mount");
    }
    f->plan = mmap(NULL, sizeof(*f->plan), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f->plan == MAP_FAILED) {
        abort();
    }
    f->plan->at = FAULTY_NEVER;
    fflush(NULL);
    f->server = fork();
    if (f->server == 0) {
        serve(fd, f->plan);
    }
    close(fd);
    return f->server > 0;
}

void faulty_file_reset(struct faulty_file *f)
{
    struct faulty_plan *plan = f->plan;

    memset(plan->data, 0, plan->size);
    plan->size = 0;
    plan->at = FAULTY_NEVER;
    plan->result = 0;
    plan->sticks = false;
    plan->is_cached = false;
    plan->patience_us = 0;
    plan->n_requests = 0;
    plan->n_interrupted = 0;
}

void faulty_file_deinit(struct faulty_file *f)
{
    kill(f->server, SIGKILL);
    waitpid(f->server, NULL, 0);
    umount2(f->directory, MNT_DETACH);
    rmdir(f->directory);
    munmap(f->plan, sizeof(*f->plan));
}

/*
 * Queues on files, of both directions and engines, for the tests of queued
 * page I/O.
 */
#ifndef GW_TESTS_UNIT_QUEUE_SCENE_H
#define GW_TESTS_UNIT_QUEUE_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../flow/kit-check.h"
#include "../flow/kit-child.h"
#include "../flow/kit-rng.h"
#include "channel/channel.h"
#include "channel/fd.h"
#include "channel/queue.h"

#define PAGE ((size_t)4096)
#define N_PAGES ((size_t)16)
/* A queue on a file, for one direction, and what goes through it. */
struct scene {
    char path[128];
    bool direct;
    struct gw_channel *channel;
    struct gw_queue *queue;
};

static inline void scene_init(struct scene *s, bool direct)
{
    *s = (struct scene){.path = "/var/tmp/godwit-queue-XXXXXX",
                        .direct = direct};
    close(mkstemp(s->path));
}

/* False where the file system has no direct I/O. */
static inline bool scene_open(struct scene *s, bool outgoing,
                              unsigned int depth)
{
    struct gw_error *error = NULL;
    int fd = open(s->path, O_RDWR | O_CLOEXEC);

    KIT_CHECK(fd >= 0, "%s: %s", s->path, strerror(errno));
    if (gw_fd_channel_open(fd, outgoing, s->direct, &s->channel, &error) < 0) {
        KIT_CHECK(s->direct, "%s", gw_error_text(error));
        print_message("# %s\n", gw_error_text(error));
        gw_error_free(error);
        close(fd);
        return false;
    }
    KIT_CHECK(gw_queue_new(s->channel, depth, &s->queue, &error) == 0, "%s",
              gw_error_text(error));
    return true;
}

static inline void scene_close(struct scene *s)
{
    s->queue = gw_queue_free(s->queue);
    s->channel = gw_channel_free(s->channel);
}

static inline void scene_deinit(struct scene *s)
{
    scene_close(s);
    unlink(s->path);
}

static inline uint8_t *alloc_pages(size_t n_pages)
{
    uint8_t *pages = aligned_alloc(PAGE, n_pages * PAGE);

    KIT_CHECK(pages, "out of memory");
    memset(pages, 0, n_pages * PAGE);
    return pages;
}

/* Pages of random bytes, the same for the same seed. */
static inline uint8_t *random_pages(size_t n_pages, uint64_t seed)
{
    struct kit_rng rng = {.state = seed};
    uint8_t *pages = alloc_pages(n_pages);

    kit_random_bytes(&rng, pages, n_pages * PAGE);
    return pages;
}

static inline int write_piece(struct scene *s, uint8_t *data, size_t size,
                              uint64_t offset, struct gw_error **errp)
{
    struct iovec iov = {.iov_base = data, .iov_len = size};

    return gw_queue_write(s->queue, &iov, 1, offset, errp);
}

static inline int read_piece(struct scene *s, uint8_t *data, size_t size,
                             uint64_t offset, struct gw_error **errp)
{
    struct iovec iov = {.iov_base = data, .iov_len = size};

    return gw_queue_read(s->queue, &iov, 1, offset, errp);
}

/* One operation to its end. */
static inline int write_one(struct scene *s, uint8_t *data, size_t size,
                            uint64_t offset, struct gw_error **errp)
{
    int r = write_piece(s, data, size, offset, errp);

    return r < 0 ? r : gw_queue_drain(s->queue, errp);
}

static inline int read_one(struct scene *s, uint8_t *data, size_t size,
                           uint64_t offset, struct gw_error **errp)
{
    int r = read_piece(s, data, size, offset, errp);

    return r < 0 ? r : gw_queue_drain(s->queue, errp);
}

/* Every call says the same from now on, and does nothing. */
static inline void check_sticks(struct scene *s, int code, const char *text)
{
    uint8_t *page = alloc_pages(1);
    struct gw_error *error = NULL;
    uint64_t offset;
    unsigned int i;

    KIT_CHECK(gw_queue_failed_at(s->queue, &offset), "it has forgotten");
    for (i = 0; i < 6; i++) {
        int r = i % 3 == 0   ? write_piece(s, page, PAGE, 0, &error)
                : i % 3 == 1 ? read_piece(s, page, PAGE, 0, &error)
                             : gw_queue_drain(s->queue, &error);

        KIT_CHECK(r == code, "%d, expected %d", r, code);
        KIT_CHECK(gw_error_code(error) == code, "%d", gw_error_code(error));
        KIT_CHECK(strcmp(gw_error_text(error), text) == 0, "'%s', not '%s'",
                  gw_error_text(error), text);
        error = gw_error_free(error);
    }
    free(page);
}

static inline void check_failed(struct scene *s, int r, int code,
                                struct gw_error *error, const char *text)
{
    KIT_CHECK(r == code, "%d, expected %d: %s", r, code, gw_error_text(error));
    KIT_CHECK(strcmp(gw_error_text(error), text) == 0, "'%s', not '%s'",
              gw_error_text(error), text);
    gw_error_free(error);
    check_sticks(s, code, text);
}

/* The file's contents are these, and no more. */
static inline void check_file(const char *path, const uint8_t *expected,
                              size_t size)
{
    uint8_t *found = malloc(size + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    KIT_CHECK(fd >= 0 && fstat(fd, &st) == 0, "cannot open %s", path);
    KIT_CHECK((size_t)st.st_size == size, "%lld bytes, expected %zu",
              (long long)st.st_size, size);
    KIT_CHECK(pread(fd, found, size + 1, 0) == (ssize_t)size, "cannot read");
    KIT_CHECK(memcmp(found, expected, size) == 0, "other contents");
    close(fd);
    free(found);
}

/* Runs `body` in a child, which may change limits, mounts and filters. */
static inline void in_child(int (*body)(bool direct), bool direct)
{
    pid_t pid = kit_child_fork();

    if (pid == 0) {
        kit_child_exit(body(direct));
    }
    if (!kit_child_wait(pid)) {
        skip();
    }
}

/* Splits n_pages into 1 to 128 pieces, in memory from `data` on. */
static inline unsigned int split(struct kit_rng *rng, uint8_t *data,
                                 size_t n_pages, struct iovec *iov)
{
    size_t most = n_pages < GW_QUEUE_IOV_MAX ? n_pages : GW_QUEUE_IOV_MAX;
    unsigned int n = (unsigned int)(1 + kit_below(rng, most));
    unsigned int i;

    for (i = 0; i < n; i++) {
        size_t pages =
            i + 1 < n ? 1 + kit_below(rng, n_pages - (n - i) + 1) : n_pages;

        iov[i] = (struct iovec){.iov_base = data, .iov_len = pages * PAGE};
        data += pages * PAGE;
        n_pages -= pages;
    }
    return n;
}

/* Moves all pages by operations of 1 to 200 of them, in pieces. */
static inline void move_all(struct scene *s, struct kit_rng *rng, uint8_t *data,
                            size_t n_pages, bool outgoing)
{
    struct iovec iov[GW_QUEUE_IOV_MAX];
    size_t at, n;
    int r;

    for (at = 0; at < n_pages; at += n) {
        unsigned int n_iov;

        n = 1 + kit_below(rng, 200);
        n = n < n_pages - at ? n : n_pages - at;
        n_iov = split(rng, data + at * PAGE, n, iov);
        r = outgoing ? gw_queue_write(s->queue, iov, n_iov, at * PAGE, NULL)
                     : gw_queue_read(s->queue, iov, n_iov, at * PAGE, NULL);
        KIT_CHECK(r == 0, "%d", r);
        /* They are copied. */
        memset(iov, 0, sizeof(iov));
    }
    r = gw_queue_drain(s->queue, NULL);
    KIT_CHECK(r == 0, "%d", r);
}

/* False: no direct I/O here. */
static inline bool round_trip(struct scene *s, unsigned int depth,
                              uint64_t seed)
{
    struct kit_rng rng = {.state = seed};
    size_t n_pages = 500 + kit_below(&rng, 500);
    uint8_t *from = random_pages(n_pages, seed);
    uint8_t *to = alloc_pages(n_pages);
    bool opens = scene_open(s, true, depth);

    if (opens) {
        move_all(s, &rng, from, n_pages, true);
        scene_close(s);
        check_file(s->path, from, n_pages * PAGE);
        KIT_CHECK(scene_open(s, false, depth), "opened once");
        move_all(s, &rng, to, n_pages, false);
        KIT_CHECK(memcmp(from, to, n_pages * PAGE) == 0, "read other bytes");
        scene_close(s);
    }
    free(from);
    free(to);
    return opens;
}

#endif

/*
 * Channels with a second descriptor for direct I/O, and channels over sets of
 * descriptors: what is refused leaves the target as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/fdset.h>

#include "channel/channel.h"
#include "channel/direct.h"
#include "channel/fd.h"
#include "channel/file.h"

enum {
    PAGE = 4096,
    AREA = 1024 * 1024, /* where pages begin */
};

struct fixture {
    char dir[64];
    char path[128];
    struct gw_fdsets *fdsets;
    void *page; /* aligned */
};

static const char contents[] = "HEADERold stream";

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    FILE *file;

    strcpy(f->dir, "/tmp/godwit-direct-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/a.mig", f->dir);
    file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(contents, file);
    fclose(file);
    f->fdsets = gw_fdsets_new();
    assert_int_equal(posix_memalign(&f->page, PAGE, PAGE), 0);
    memset(f->page, 0x5a, PAGE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gw_fdsets_free(f->fdsets);
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f->page);
    free(f);
    return 0;
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0 && errno == EINVAL && (flags & O_DIRECT)) {
        print_message("# no O_DIRECT on this file system\n");
        skip();
    }
    assert_true(fd >= 0);
    return fd;
}

/* Ends the test where the file system has no direct I/O. */
static void need_direct(const struct fixture *f)
{
    close(open_file(f->path, O_RDONLY | O_DIRECT));
}

static void add(struct fixture *f, int fd)
{
    assert_int_equal(gw_fdsets_add(f->fdsets, 1, fd, NULL, NULL, NULL, NULL),
                     0);
}

static int open_uri(struct fixture *f, const char *uri, bool outgoing,
                    bool direct, struct gw_channel **ret_channel,
                    struct gw_error **errp)
{
    const struct gw_migration_options options = {.fdsets = f->fdsets};
    struct gw_address *address = NULL;
    int r;

    assert_int_equal(gw_address_parse(uri, &address, NULL), 0);
    r = outgoing ? gw_channel_open_outgoing(address, &options, direct,
                                            ret_channel, errp)
                 : gw_channel_open_incoming(address, &options, direct,
                                            ret_channel, errp);
    gw_address_free(address);
    return r;
}

static void assert_contents(const char *path, const void *data, size_t size)
{
    char buffer[2 * PAGE];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(buffer, 1, sizeof(buffer), file), size);
    assert_memory_equal(buffer, data, size);
    fclose(file);
}

/* Both descriptors are of one file, and only the second is direct. */
static void assert_pair(const struct gw_channel *channel)
{
    struct stat a, b;

    assert_true(gw_channel_is_seekable(channel));
    assert_false(gw_direct_is_on(channel->fd));
    assert_true(gw_direct_is_on(channel->page_fd));
    assert_true(fcntl(channel->page_fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(channel->fd, &a), 0);
    assert_int_equal(fstat(channel->page_fd, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(a.st_dev, b.st_dev);
}

/* Writes a short stream with one page, directly, and ends the save. */
static void save(struct fixture *f, struct gw_channel *channel, uint64_t start)
{
    assert_pair(channel);
    assert_int_equal(gw_channel_pwrite(channel, "QEVM0003", 8, start, NULL), 0);
    assert_int_equal(pwrite(channel->page_fd, f->page, PAGE, AREA), PAGE);
    assert_int_equal(gw_channel_pwrite(channel, "end", 3, AREA + PAGE, NULL),
                     0);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_channel_free(channel);
}

/* Reads it back, directly too. */
static void load(struct fixture *f, struct gw_channel *channel, uint64_t start)
{
    char text[8];

    assert_pair(channel);
    assert_int_equal(channel->start, start);
    assert_int_equal(gw_channel_pread(channel, text, 8, start), 8);
    assert_memory_equal(text, "QEVM0003", 8);
    memset(f->page, 0, PAGE);
    assert_int_equal(pread(channel->page_fd, f->page, PAGE, AREA), PAGE);
    assert_int_equal(((uint8_t *)f->page)[PAGE - 1], 0x5a);
    assert_int_equal(gw_channel_pread(channel, text, 8, AREA + PAGE), 3);
    gw_channel_free(channel);
}

static void test_file__pages_move_directly(void **state)
{
    static const uint64_t starts[] = {0, 6};
    struct fixture *f = *state;
    struct gw_channel *channel;
    size_t i;

    need_direct(f);
    /* Beside the target, through a file without a name; and in place. */
    for (i = 0; i < 2; i++) {
        assert_int_equal(
            gw_file_open_outgoing(f->path, starts[i], true, &channel, NULL), 0);
        save(f, channel, starts[i]);
        assert_int_equal(
            gw_file_open_incoming(f->path, starts[i], true, &channel, NULL), 0);
        load(f, channel, starts[i]);
    }
}

static void test_file__without_direct_has_one_descriptor(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;

    assert_int_equal(gw_file_open_incoming(f->path, 0, false, &channel, NULL),
                     0);
    assert_int_equal(channel->page_fd, -1);
    gw_channel_free(channel);
}

static void test_file__no_direct_support_is_refused(void **state)
{
    struct gw_channel *channel;
    struct gw_error *error = NULL;

    (void)state;
    assert_int_equal(
        gw_file_open_incoming("/proc/self/status", 0, true, &channel, &error),
        -EINVAL);
    assert_string_equal(gw_error_text(error),
                        "Could not open '/proc/self/status': filesystem does "
                        "not support O_DIRECT");
    gw_error_free(error);
}

static void test_file__devices_are_not_direct(void **state)
{
    struct gw_channel *channel;
    struct gw_error *error = NULL;

    (void)state;
    assert_int_equal(
        gw_file_open_outgoing("/dev/full", 0, true, &channel, &error), -EINVAL);
    assert_string_equal(gw_error_text(error),
                        "Could not open '/dev/full': neither a regular file "
                        "nor a block device: direct I/O is not possible");
    gw_error_free(error);
}

/* The second opening fails, for want of a third descriptor. */
static void test_file__refusal_leaves_the_target(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    struct gw_error *error = NULL;
    struct rlimit before, limit;
    int next = dup(0);
    int r;

    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)next + 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    r = gw_file_open_outgoing(f->path, 6, true, &channel, &error);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(r, -EMFILE);
    assert_non_null(
        strstr(gw_error_text(error), "cannot open the file for direct I/O"));
    gw_error_free(error);
    assert_contents(f->path, contents, strlen(contents));
}

static void test_fd__plain_file_moves_pages_directly(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    int fd;

    need_direct(f);
    fd = open_file(f->path, O_WRONLY);
    assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
    assert_int_equal(gw_fd_channel_open(fd, true, true, &channel, NULL), 0);
    save(f, channel, 6);
    fd = open_file(f->path, O_RDONLY);
    assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
    assert_int_equal(gw_fd_channel_open(fd, false, true, &channel, NULL), 0);
    load(f, channel, 6);
}

/* As somebody who may not open the file: root has to step down for that. */
static void test_fd__refusal_leaves_the_file(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    struct gw_error *error = NULL;
    int fd = open_file(f->path, O_WRONLY);
    int r;

    assert_int_equal(chmod(f->path, 0), 0);
    setfsuid(65534);
    r = gw_fd_channel_open(fd, true, true, &channel, &error);
    setfsuid(getuid());
    assert_int_equal(r, -EACCES);
    assert_non_null(strstr(gw_error_text(error), "cannot open the file for "
                                                 "direct I/O: Permission "
                                                 "denied"));
    gw_error_free(error);
    close(fd);
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_contents(f->path, contents, strlen(contents));
}

static void test_fd__pipe_is_not_direct(void **state)
{
    struct gw_channel *channel;
    struct gw_error *error = NULL;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(gw_fd_channel_open(fds[1], true, true, &channel, &error),
                     -EINVAL);
    assert_non_null(strstr(gw_error_text(error),
                           "neither a regular file nor a block device: direct "
                           "I/O is not possible"));
    gw_error_free(error);
    close(fds[0]);
    close(fds[1]);
}

/* Its bytes would all land at the end, the guard's first. */
static void test_fd__append_is_refused(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    struct gw_error *error = NULL;
    int fd = open_file(f->path, O_WRONLY | O_APPEND);

    assert_int_equal(gw_fd_channel_open(fd, true, false, &channel, &error),
                     -EINVAL);
    assert_non_null(strstr(gw_error_text(error), "O_APPEND"));
    gw_error_free(error);
    close(fd);
    assert_contents(f->path, contents, strlen(contents));
}

static void test_fdset__pages_move_directly(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    char header[6];

    need_direct(f);
    add(f, open_file(f->path, O_RDWR));
    add(f, open_file(f->path, O_RDWR | O_DIRECT));
    assert_int_equal(
        open_uri(f, "file:/dev/fdset/1,offset=6", true, true, &channel, NULL),
        0);
    save(f, channel, 6);
    assert_int_equal(
        open_uri(f, "file:/dev/fdset/1,offset=6", false, true, &channel, NULL),
        0);
    assert_int_equal(gw_channel_pread(channel, header, 6, 0), 6);
    assert_memory_equal(header, "HEADER", 6);
    load(f, channel, 6);
}

static void test_fdset__save_is_valid_last(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    int fd = open_file(f->path, O_WRONLY);

    add(f, fd);
    assert_int_equal(
        open_uri(f, "file:/dev/fdset/1,offset=6", true, false, &channel, NULL),
        0);
    assert_contents(f->path, "HEADER", 6);
    assert_int_equal(gw_channel_pwrite(channel, "QEVM0003tail", 12, 6, NULL),
                     0);
    assert_contents(f->path, "HEADER\0\0\0\0\0\0\0\0tail", 18);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_channel_free(channel);
    assert_contents(f->path, "HEADERQEVM0003tail", 18);
    /* The position, which the caller shares, is the end of the stream. */
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 18);
}

static void test_fdset__starts_at_the_offset_not_the_position(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    int fd = open_file(f->path, O_WRONLY);

    assert_int_equal(lseek(fd, 4096, SEEK_SET), 4096);
    add(f, fd);
    assert_int_equal(
        open_uri(f, "file:/dev/fdset/1", true, false, &channel, NULL), 0);
    assert_int_equal(gw_channel_pwrite(channel, "QEVM0003", 8, 0, NULL), 0);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_channel_free(channel);
    assert_contents(f->path, "QEVM0003", 8);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 8);
}

static void test_fdset__refusals_leave_the_file(void **state)
{
    static const struct {
        const char *uri;
        int code;
        const char *text;
    } cases[] = {
        {"file:/dev/fdset/2", -ENOENT, "Failed to find fdset /dev/fdset/2"},
        {"file:/dev/fdset/x,offset=6", -EINVAL,
         "Could not parse fdset /dev/fdset/x"},
        {"file:/dev/fdset/1,offset=0x8000000000000000", -EINVAL,
         "failed to truncate migration file to offset 8000000000000000: "
         "Invalid argument"},
        {"file:/dev/fdset/1,offset=6", -ENOENT,
         "Failed to find file descriptor with matching flags=0x"},
    };
    struct fixture *f = *state;
    size_t i;

    add(f, open_file(f->path, O_WRONLY));
    add(f, open_file(f->path, O_WRONLY));
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_channel *channel;
        struct gw_error *error = NULL;

        assert_int_equal(
            open_uri(f, cases[i].uri, true, true, &channel, &error),
            cases[i].code);
        assert_int_equal(
            strncmp(gw_error_text(error), cases[i].text, strlen(cases[i].text)),
            0);
        gw_error_free(error);
        assert_contents(f->path, contents, strlen(contents));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file__pages_move_directly),
        TEST(test_file__without_direct_has_one_descriptor),
        TEST(test_file__no_direct_support_is_refused),
        TEST(test_file__devices_are_not_direct),
        TEST(test_file__refusal_leaves_the_target),
        TEST(test_fd__plain_file_moves_pages_directly),
        TEST(test_fd__refusal_leaves_the_file),
        TEST(test_fd__pipe_is_not_direct),
        TEST(test_fd__append_is_refused),
        TEST(test_fdset__pages_move_directly),
        TEST(test_fdset__save_is_valid_last),
        TEST(test_fdset__starts_at_the_offset_not_the_position),
        TEST(test_fdset__refusals_leave_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Sets of descriptors: what is in them, which of it a migration takes, and
 * what is refused.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/fdset.h>

#include "base/util.h"
#include "channel/direct.h"
#include "channel/fdset.h"

enum {
    R = O_RDONLY,
    W = O_WRONLY,
    RW = O_RDWR,
    D = O_DIRECT,
    NONE = -1, /* ends a list of members */
    SOURCE = 1,
    DESTINATION = 0,
};

struct fixture {
    char dir[64];
    char path[128];  /* 8 KiB of 'x' */
    char other[128]; /* likewise */
    struct gw_fdsets *fdsets;
    int n_open; /* descriptors of the process before the test */
};

static int count_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

static void put_file(const char *path)
{
    char data[8192];
    FILE *file = fopen(path, "w");

    memset(data, 'x', sizeof(data));
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, sizeof(data), file), sizeof(data));
    fclose(file);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    strcpy(f->dir, "/tmp/godwit-fdset-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/a", f->dir);
    snprintf(f->other, sizeof(f->other), "%s/b", f->dir);
    put_file(f->path);
    put_file(f->other);
    f->n_open = count_open();
    f->fdsets = gw_fdsets_new();
    assert_non_null(f->fdsets);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_null(gw_fdsets_free(f->fdsets));
    assert_int_equal(count_open(), f->n_open);
    unlink(f->path);
    unlink(f->other);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

/* A descriptor of a file; the test ends here where there is no O_DIRECT. */
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

static int add(struct fixture *f, int64_t id, int fd)
{
    int64_t told_id;
    int told_fd;

    assert_int_equal(
        gw_fdsets_add(f->fdsets, id, fd, NULL, &told_id, &told_fd, NULL), 0);
    assert_int_equal(told_id, id);
    assert_int_equal(told_fd, fd);
    return fd;
}

/* The n-th descriptor of set 1 stands at n, which its duplicates share. */
static int add_at(struct fixture *f, int n, int fd)
{
    if (lseek(fd, n, SEEK_SET) < 0) {
        assert_int_equal(errno, ESPIPE);
    }
    return add(f, 1, fd);
}

static int begin(struct fixture *f, int outgoing, bool direct,
                 struct gw_fdset_use *use, struct gw_error **errp)
{
    return gw_fdset_use_begin(f->fdsets, "/dev/fdset/1", 0, outgoing, direct,
                              use, errp);
}

/* Set 1 serves; the positions tell which members do; -1: reopened or none. */
static void expect_served(struct fixture *f, int outgoing, bool direct,
                          int main_at, int page_at)
{
    struct gw_error *error = NULL;
    struct gw_fdset_use use;

    if (begin(f, outgoing, direct, &use, &error) < 0) {
        fail_msg("refused: %s", gw_error_text(error));
    }
    assert_int_equal(lseek(use.fd, 0, SEEK_CUR), main_at);
    assert_false(gw_direct_is_on(use.fd));
    assert_int_equal(use.page_fd >= 0, direct);
    if (direct) {
        assert_true(gw_direct_is_on(use.page_fd));
        assert_int_equal(lseek(use.page_fd, 0, SEEK_CUR),
                         page_at < 0 ? 0 : page_at);
    }
    assert_true(fcntl(use.fd, F_GETFD) & FD_CLOEXEC);
    gw_fdset_use_end(&use);
}

/* `expected` may have %d for the members' numbers, in their order. */
static void expect_refused(struct fixture *f, int outgoing, bool direct,
                           int code, const char *expected, ...)
    __attribute__((format(printf, 5, 6)));

static void expect_refused(struct fixture *f, int outgoing, bool direct,
                           int code, const char *expected, ...)
{
    struct gw_error *error = NULL;
    struct gw_fdset_use use;
    char text[512];
    va_list args;

    va_start(args, expected);
    vsnprintf(text, sizeof(text), expected, args);
    va_end(args);
    assert_int_equal(begin(f, outgoing, direct, &use, &error), code);
    assert_string_equal(gw_error_text(error), text);
    gw_error_free(error);
}

static void test_sets__take_the_lowest_free_id(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    add(f, 1, open_file(f->path, R));
    assert_int_equal(gw_fdsets_add(f->fdsets, -1, open_file(f->path, R), NULL,
                                   &id, NULL, NULL),
                     0);
    assert_int_equal(id, 0);
    assert_int_equal(gw_fdsets_add(f->fdsets, -1, open_file(f->path, R), NULL,
                                   &id, NULL, NULL),
                     0);
    assert_int_equal(id, 2);
    assert_int_equal(gw_fdsets_remove(f->fdsets, 0, -1, NULL), 0);
    assert_int_equal(gw_fdsets_add(f->fdsets, -1, open_file(f->path, R), NULL,
                                   &id, NULL, NULL),
                     0);
    assert_int_equal(id, 0);
}

static void test_sets__are_listed_from_above(void **state)
{
    struct fixture *f = *state;
    struct gw_fdsets_entry *entries;
    int first = add(f, 3, open_file(f->path, R));
    int second = open_file(f->path, R);
    int lone = add(f, 1ll << 40, open_file(f->path, R));
    size_t n;

    assert_int_equal(
        gw_fdsets_add(f->fdsets, 3, second, "text", NULL, NULL, NULL), 0);
    assert_int_equal(gw_fdsets_query(f->fdsets, &entries, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_int_equal(entries[0].id, 1ll << 40);
    assert_int_equal(entries[0].fd, lone);
    assert_int_equal(entries[1].id, 3);
    assert_int_equal(entries[1].fd, first);
    assert_null(entries[1].opaque);
    assert_int_equal(entries[2].id, 3);
    assert_int_equal(entries[2].fd, second);
    assert_string_equal(entries[2].opaque, "text");
    gw_fdsets_entries_free(entries, n);
    gw_fdsets_entries_free(NULL, 0);
}

static void expect_not_found(struct fixture *f, int64_t id, int fd,
                             const char *expected)
{
    struct gw_error *error = NULL;

    assert_int_equal(gw_fdsets_remove(f->fdsets, id, fd, &error), -ENOENT);
    assert_string_equal(gw_error_text(error), expected);
    gw_error_free(error);
}

static void test_sets__remove_names_what_is_not_there(void **state)
{
    struct fixture *f = *state;
    int first = add(f, 5, open_file(f->path, R));
    int second = add(f, 5, open_file(f->path, R));

    expect_not_found(f, 77, -1,
                     "File descriptor named 'fdset-id:77' not found");
    expect_not_found(f, 5, 999,
                     "File descriptor named 'fdset-id:5, fd:999' not found");
    assert_int_equal(gw_fdsets_remove(f->fdsets, 5, first, NULL), 0);
    assert_int_equal(fcntl(first, F_GETFD), -1);
    assert_true(fcntl(second, F_GETFD) >= 0);
    assert_int_equal(gw_fdsets_remove(f->fdsets, 5, second, NULL), 0);
    expect_not_found(f, 5, -1, "File descriptor named 'fdset-id:5' not found");
}

static void test_sets__add_leaves_what_it_refuses(void **state)
{
    struct fixture *f = *state;
    struct gw_error *error = NULL;
    int fd = open_file(f->path, R);

    assert_int_equal(gw_fdsets_add(f->fdsets, -2, fd, NULL, NULL, NULL, &error),
                     -EINVAL);
    assert_string_equal(gw_error_text(error), "Parameter 'fdset-id' expects a "
                                              "non-negative value");
    error = gw_error_free(error);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    assert_int_equal(gw_fdsets_add(f->fdsets, 0, fd, NULL, NULL, NULL, &error),
                     -EINVAL);
    assert_non_null(strstr(gw_error_text(error), "is not open"));
    gw_error_free(error);
    expect_not_found(f, 0, -1, "File descriptor named 'fdset-id:0' not found");
}

static void test_path__is_read_as_qemu_reads_it(void **state)
{
    static const struct {
        const char *rest;
        int code;
    } cases[] = {
        {"1", 0},
        {"01", 0},
        {" 1", 0},
        {"+1", 0},
        {" \t+01", 0},
        {"1 ", -EINVAL},
        {"0x1", -EINVAL},
        {"-1", -EINVAL},
        {"", -EINVAL},
        {"x", -EINVAL},
        {"+ 1", -EINVAL},
        {"2147483648", -EINVAL},
        {"4294967297", -EINVAL},
        {"18446744073709551617", -EINVAL},
        {"2147483647", -ENOENT},
        {"7", -ENOENT},
        {" +07", -ENOENT},
    };
    struct fixture *f = *state;
    size_t i;

    add(f, 1, open_file(f->path, R));
    for (i = 0; i < GW_ARRAY_SIZE(cases); i++) {
        struct gw_error *error = NULL;
        struct gw_fdset_use use;
        char path[64], expected[96];
        int r;

        snprintf(path, sizeof(path), "/dev/fdset/%s", cases[i].rest);
        /* What was read is shown as it was understood. */
        if (cases[i].code == -EINVAL) {
            snprintf(expected, sizeof(expected), "Could not parse fdset %s",
                     path);
        } else {
            snprintf(expected, sizeof(expected),
                     "Failed to find fdset /dev/fdset/%ld",
                     strtol(cases[i].rest, NULL, 10));
        }
        assert_true(gw_fdset_is_path(path));
        r = gw_fdset_use_begin(f->fdsets, path, 0, false, false, &use, &error);
        if (r != cases[i].code) {
            fail_msg("'%s': %d, not %d", path, r, cases[i].code);
        }
        if (r == 0) {
            gw_fdset_use_end(&use);
        } else {
            assert_string_equal(gw_error_text(error), expected);
        }
        gw_error_free(error);
    }
    assert_false(gw_fdset_is_path("/dev/fdset"));
    assert_false(gw_fdset_is_path("dev/fdset/1"));
}

static void test_path__without_any_sets_finds_none(void **state)
{
    struct gw_error *error = NULL;
    struct gw_fdset_use use;

    (void)state;
    assert_int_equal(
        gw_fdset_use_begin(NULL, "/dev/fdset/1", 0, true, false, &use, &error),
        -ENOENT);
    assert_string_equal(gw_error_text(error),
                        "Failed to find fdset /dev/fdset/1");
    gw_error_free(error);
}

/* What a set has, who asks, and which members serve. */
struct choice {
    int members[4];
    int outgoing;
    bool direct;
    int main_at; /* -1: nothing matches ... */
    int page_at; /* -1: opened anew */
    int flags;   /* ... these flags */
};

static const struct choice choices[] = {
    /* Two of one file, in either order; three. */
    {{W, W | D, NONE}, SOURCE, true, 0, 1, 0},
    {{W | D, W, NONE}, SOURCE, true, 1, 0, 0},
    {{R, R | D, NONE}, DESTINATION, true, 0, 1, 0},
    {{R | D, R, NONE}, DESTINATION, true, 1, 0, 0},
    {{W, W, W | D, NONE}, SOURCE, true, 1, 2, 0},
    {{W | D, W, W | D, NONE}, SOURCE, true, 1, 2, 0},
    /* Read-write will do, what is asked for comes first. */
    {{RW, RW | D, NONE}, SOURCE, true, 0, 1, 0},
    {{RW, RW | D, NONE}, DESTINATION, true, 0, 1, 0},
    {{W, RW | D, NONE}, SOURCE, true, 0, 1, 0},
    {{R, RW | D, NONE}, DESTINATION, true, 0, 1, 0},
    {{W, RW, W | D, RW | D}, SOURCE, true, 0, 2, 0},
    /* One is enough without direct I/O; several: the newest. */
    {{W, NONE}, SOURCE, false, 0, -1, 0},
    {{R, NONE}, DESTINATION, false, 0, -1, 0},
    {{RW, NONE}, SOURCE, false, 0, -1, 0},
    {{R, R, R, NONE}, DESTINATION, false, 2, -1, 0},
    {{W, RW, NONE}, SOURCE, false, 0, -1, 0},
    {{RW, RW, NONE}, SOURCE, false, 1, -1, 0},
    {{R, R | D, NONE}, DESTINATION, false, 0, -1, 0},
    {{R, W, NONE}, DESTINATION, false, 0, -1, 0},
    /* One alone is opened anew. */
    {{W, NONE}, SOURCE, true, 0, -1, 0},
    {{R, NONE}, DESTINATION, true, 0, -1, 0},
    {{RW, NONE}, SOURCE, true, 0, -1, 0},
    {{RW, NONE}, DESTINATION, true, 0, -1, 0},
    /* Nothing for the stream itself. */
    {{W | D, NONE}, SOURCE, true, -1, 0, W | O_CREAT},
    {{W | D, W | D, NONE}, SOURCE, true, -1, 0, W | O_CREAT},
    {{R, R | D, NONE}, SOURCE, true, -1, 0, W | O_CREAT},
    {{W | D, NONE}, SOURCE, false, -1, 0, W | O_CREAT},
    {{R | D, NONE}, DESTINATION, true, -1, 0, R},
    {{W, W | D, NONE}, DESTINATION, true, -1, 0, R},
    {{R | D, NONE}, DESTINATION, false, -1, 0, R},
    {{O_PATH, NONE}, DESTINATION, false, -1, 0, R},
    /* Nothing for the pages. */
    {{W, W, NONE}, SOURCE, true, -1, 0, W | D},
    {{W, R | D, NONE}, SOURCE, true, -1, 0, W | D},
    {{R, R, NONE}, DESTINATION, true, -1, 0, R | D},
    {{R, W | D, NONE}, DESTINATION, true, -1, 0, R | D},
};

static void check_choice(struct fixture *f, const struct choice *choice)
{
    struct gw_error *error = NULL;
    struct gw_fdset_use use;
    char expected[128];
    int i;

    for (i = 0; i < 4 && choice->members[i] != NONE; i++) {
        int fd = open_file(f->path, choice->members[i]);

        if (choice->members[i] & O_PATH) {
            add(f, 1, fd);
        } else {
            add_at(f, i, fd);
        }
    }
    if (choice->flags == 0 && choice->main_at >= 0) {
        expect_served(f, choice->outgoing, choice->direct, choice->main_at,
                      choice->page_at);
    } else {
        assert_int_equal(
            begin(f, choice->outgoing, choice->direct, &use, &error), -ENOENT);
        snprintf(expected, sizeof(expected),
                 "Failed to find file descriptor with matching flags=0x%x; "
                 "the set has fd ",
                 (unsigned int)choice->flags);
        assert_int_equal(
            strncmp(gw_error_text(error), expected, strlen(expected)), 0);
        gw_error_free(error);
    }
    assert_int_equal(gw_fdsets_remove(f->fdsets, 1, -1, NULL), 0);
}

static void test_choice__by_access_and_direct(void **state)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(choices); i++) {
        print_message("# choice %zu\n", i);
        check_choice(*state, &choices[i]);
    }
}

static void test_choice__error_tells_what_is_there(void **state)
{
    struct fixture *f = *state;
    int a = add_at(f, 0, open_file(f->path, W | D));
    int b = add_at(f, 1, open_file(f->path, R));
    int c = add_at(f, 2, open_file(f->path, RW | D));
    int d = add(f, 1, open_file(f->path, O_PATH));

    expect_refused(f, SOURCE, true, -ENOENT,
                   "Failed to find file descriptor with matching "
                   "flags=0x%x; the set has fd %d: write-only, direct; fd "
                   "%d: read-only; fd %d: read-write, direct; fd %d: a path "
                   "only",
                   (unsigned int)(O_WRONLY | O_CREAT), a, b, c, d);
}

static void test_choice__error_of_a_large_set_is_short(void **state)
{
    struct fixture *f = *state;
    struct gw_error *error = NULL;
    struct gw_fdset_use use;
    const char *tail;
    int i;

    for (i = 0; i < 11; i++) {
        add_at(f, i, open_file(f->path, W));
    }
    assert_int_equal(begin(f, DESTINATION, false, &use, &error), -ENOENT);
    tail = strstr(gw_error_text(error), "; and ");
    assert_non_null(tail);
    assert_string_equal(tail, "; and 3 more");
    gw_error_free(error);
}

static void test_pair__duplicates_are_told(void **state)
{
    struct fixture *f = *state;
    int a = add_at(f, 0, open_file(f->path, W));
    int b = add(f, 1, fcntl(a, F_DUPFD_CLOEXEC, 0));

    if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b) != 0) {
        skip();
    }
    expect_refused(f, SOURCE, true, -ENOENT,
                   "Failed to find file descriptor with matching "
                   "flags=0x%x; the set has fd %d: write-only; fd %d: "
                   "write-only, a duplicate of fd %d",
                   (unsigned int)(O_WRONLY | O_DIRECT), a, b, a);
}

static void test_pair__of_different_files_is_refused(void **state)
{
    struct fixture *f = *state;
    int a = add_at(f, 0, open_file(f->path, W));
    int b = add_at(f, 1, open_file(f->other, W | D));

    expect_refused(f, SOURCE, true, -EINVAL,
                   "the descriptors of '/dev/fdset/1' are of different "
                   "files: fd %d and, for pages, fd %d",
                   a, b);
    /* Only the pair that is used counts, and without direct I/O one does. */
    expect_served(f, SOURCE, false, 0, -1);
    add_at(f, 2, open_file(f->other, W));
    expect_served(f, SOURCE, true, 2, 1);
}

static void test_pair__through_two_names_is_one_file(void **state)
{
    struct fixture *f = *state;
    char name[160];
    int fd;

    snprintf(name, sizeof(name), "%s/link", f->dir);
    assert_int_equal(link(f->path, name), 0);
    fd = open_file(name, R | D);
    unlink(name);
    add_at(f, 0, open_file(f->path, R));
    add_at(f, 1, fd);
    expect_served(f, DESTINATION, true, 0, 1);
}

static void test_file__append_is_refused_for_writing(void **state)
{
    struct fixture *f = *state;
    int a = add_at(f, 0, open_file(f->path, RW | O_APPEND));
    int b;

    expect_refused(f, SOURCE, false, -EINVAL,
                   "Could not create '/dev/fdset/1': fd %d is open with "
                   "O_APPEND: what is written would not go to its place",
                   a);
    expect_served(f, DESTINATION, false, 0, -1);
    add_at(f, 1, open_file(f->path, W));
    b = add_at(f, 2, open_file(f->path, W | D | O_APPEND));
    expect_refused(f, SOURCE, true, -EINVAL,
                   "Could not create '/dev/fdset/1': fd %d is open with "
                   "O_APPEND: what is written would not go to its place",
                   b);
}

static void test_file__pipes_are_refused(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    add_at(f, 0, fds[0]);
    add_at(f, 1, fds[1]);
    expect_refused(f, SOURCE, false, -EINVAL,
                   "failed to truncate migration file to offset 0: Invalid "
                   "argument: fd %d of '/dev/fdset/1' is neither a regular "
                   "file nor a block device",
                   fds[1]);
    expect_refused(f, DESTINATION, true, -EINVAL,
                   "Could not open '/dev/fdset/1': fd %d is neither a "
                   "regular file nor a block device",
                   fds[0]);
}

/* O_DIRECT on a pipe means packets: it matches, and is no file. */
static void test_file__packet_pipe_for_pages_is_refused(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_DIRECT), 0);
    add_at(f, 0, open_file(f->path, W));
    add_at(f, 1, fds[1]);
    close(fds[0]);
    expect_refused(f, SOURCE, true, -EINVAL,
                   "failed to truncate migration file to offset 0: Invalid "
                   "argument: fd %d of '/dev/fdset/1' is neither a regular "
                   "file nor a block device",
                   fds[1]);
}

static void test_file__block_device_serves(void **state)
{
    static const char *const names[] = {"/dev/vda", "/dev/sda", "/dev/nvme0n1",
                                        "/dev/loop0"};
    struct fixture *f = *state;
    int a = -1, b = -1;
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(names) && b < 0; i++) {
        a = open(names[i], R | O_CLOEXEC);
        b = a < 0 ? -1 : open(names[i], R | D | O_CLOEXEC);
        if (a >= 0 && b < 0) {
            close(a);
        }
    }
    if (b < 0) {
        print_message("# no block device can be opened\n");
        skip();
    }
    add_at(f, 0, a);
    add_at(f, 0, b);
    expect_served(f, DESTINATION, true, 0, 0);
    expect_served(f, DESTINATION, false, 0, -1);
    assert_int_equal(gw_fdsets_remove(f->fdsets, 1, b, NULL), 0);
    expect_served(f, DESTINATION, true, 0, -1);
}

static void test_file__memory_serves(void **state)
{
    struct fixture *f = *state;
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    add_at(f, 7, fd);
    expect_served(f, SOURCE, false, 7, -1);
}

/* As somebody who may not open the file: root has to step down for that. */
static void test_alone__that_may_not_be_reopened_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = add_at(f, 0, open_file(f->path, W));
    struct gw_error *error = NULL;
    struct gw_fdset_use use;
    char expected[256];
    int r;

    assert_int_equal(chmod(f->path, 0), 0);
    setfsuid(65534);
    r = begin(f, SOURCE, true, &use, &error);
    setfsuid(getuid());
    assert_int_equal(r, -EACCES);
    snprintf(expected, sizeof(expected),
             "Failed to find file descriptor with matching flags=0x%x; the "
             "set has fd %d alone: cannot open the file for direct I/O: "
             "Permission denied",
             (unsigned int)(O_WRONLY | O_DIRECT), fd);
    assert_string_equal(gw_error_text(error), expected);
    gw_error_free(error);
}

static void test_alone__without_direct_support_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = add_at(f, 0, open_file("/proc/self/status", R));

    expect_refused(f, DESTINATION, true, -EINVAL,
                   "Failed to find file descriptor with matching flags=0x%x; "
                   "the set has fd %d alone: filesystem does not support "
                   "O_DIRECT",
                   (unsigned int)O_DIRECT, fd);
}

static void test_members__keep_flags_and_position(void **state)
{
    struct fixture *f = *state;
    int a = add_at(f, 11, open_file(f->path, W | O_NONBLOCK | O_SYNC));
    int b = add_at(f, 512, open_file(f->path, W | D | O_NONBLOCK | O_NOATIME));
    int a_flags = fcntl(a, F_GETFL), b_flags = fcntl(b, F_GETFL);

    expect_served(f, SOURCE, true, 11, 512);
    assert_int_equal(fcntl(a, F_GETFL), a_flags);
    assert_int_equal(fcntl(b, F_GETFL), b_flags);
    assert_int_equal(lseek(a, 0, SEEK_CUR), 11);
    assert_int_equal(lseek(b, 0, SEEK_CUR), 512);
}

static void expect_one_entry(struct fixture *f, int64_t id, int fd)
{
    struct gw_fdsets_entry *entries;
    size_t n;

    assert_int_equal(gw_fdsets_query(f->fdsets, &entries, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(entries[0].id, id);
    assert_int_equal(entries[0].fd, fd);
    gw_fdsets_entries_free(entries, n);
}

static void expect_no_entries(struct fixture *f)
{
    struct gw_fdsets_entry *entries;
    size_t n;

    assert_int_equal(gw_fdsets_query(f->fdsets, &entries, &n, NULL), 0);
    assert_int_equal(n, 0);
    gw_fdsets_entries_free(entries, n);
}

static void test_use__outlives_the_members(void **state)
{
    struct fixture *f = *state;
    struct gw_fdset_use first, second;

    add_at(f, 0, open_file(f->path, W));
    assert_int_equal(begin(f, SOURCE, false, &first, NULL), 0);
    assert_int_equal(begin(f, SOURCE, false, &second, NULL), 0);
    assert_int_equal(gw_fdsets_remove(f->fdsets, 1, -1, NULL), 0);
    expect_one_entry(f, 1, -1);
    assert_int_equal(pwrite(first.fd, "y", 1, 0), 1);
    expect_refused(f, SOURCE, false, -ENOENT,
                   "Failed to find file descriptor with matching flags=0x%x; "
                   "the set has no descriptors",
                   (unsigned int)(O_WRONLY | O_CREAT));
    /* As with QEMU: all of nothing can be removed, one of it cannot. */
    assert_int_equal(gw_fdsets_remove(f->fdsets, 1, -1, NULL), 0);
    expect_not_found(f, 1, 4,
                     "File descriptor named 'fdset-id:1, fd:4' not found");
    gw_fdset_use_end(&first);
    expect_one_entry(f, 1, -1);
    gw_fdset_use_end(&second);
    expect_no_entries(f);
    gw_fdset_use_end(&second);
}

static void test_use__lets_an_emptied_set_be_filled_again(void **state)
{
    struct fixture *f = *state;
    struct gw_fdset_use use;
    int fd;

    add_at(f, 0, open_file(f->path, W));
    assert_int_equal(begin(f, SOURCE, false, &use, NULL), 0);
    assert_int_equal(gw_fdsets_remove(f->fdsets, 1, -1, NULL), 0);
    fd = add_at(f, 3, open_file(f->path, W));
    gw_fdset_use_end(&use);
    expect_one_entry(f, 1, fd);
    expect_served(f, SOURCE, false, 3, -1);
}

static void test_use__outlives_the_sets(void **state)
{
    struct fixture *f = *state;
    struct gw_fdset_use use;

    add_at(f, 0, open_file(f->path, W));
    assert_int_equal(begin(f, SOURCE, false, &use, NULL), 0);
    f->fdsets = gw_fdsets_free(f->fdsets);
    assert_int_equal(pwrite(use.fd, "y", 1, 0), 1);
    gw_fdset_use_end(&use);
}

static void test_use__failure_to_dup_names_the_descriptor(void **state)
{
    struct fixture *f = *state;
    int fd = add_at(f, 0, open_file(f->path, W));
    struct rlimit before, limit;
    struct gw_error *error = NULL;
    struct gw_fdset_use use;
    char expected[128];
    int r;

    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    r = begin(f, SOURCE, false, &use, &error);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(r == -EMFILE || r == -EINVAL);
    snprintf(expected, sizeof(expected),
             "Failed to dup() given file descriptor fd=%d: ", fd);
    assert_int_equal(strncmp(gw_error_text(error), expected, strlen(expected)),
                     0);
    gw_error_free(error);
}

static void test_use__failure_to_read_flags_names_the_descriptor(void **state)
{
    struct fixture *f = *state;
    int fd = add_at(f, 0, open_file(f->path, W));
    int saved = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    /* Somebody closes it behind the set's back. */
    close(fd);
    expect_refused(f, SOURCE, false, -EBADF,
                   "Failed to read file status flags for fd=%d: Bad file "
                   "descriptor",
                   fd);
    assert_int_equal(dup2(saved, fd), fd);
    close(saved);
}

/* One of several threads that all add, use and remove. */
static void *shuffle(void *opaque)
{
    struct fixture *f = opaque;
    int i;

    for (i = 0; i < 200; i++) {
        struct gw_fdset_use use;
        int fd = open(f->path, W | O_CLOEXEC);

        if (gw_fdsets_add(f->fdsets, 1, fd, "x", NULL, NULL, NULL) < 0) {
            return opaque;
        }
        if (begin(f, SOURCE, false, &use, NULL) == 0) {
            if (pwrite(use.fd, "y", 1, 0) != 1) {
                return opaque;
            }
            gw_fdset_use_end(&use);
        }
        gw_fdsets_remove(f->fdsets, 1, i % 7 ? fd : -1, NULL);
    }
    return NULL;
}

static void test_sets__are_safe_with_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[3];
    void *failed;
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, shuffle, f), 0);
    }
    for (i = 0; i < GW_ARRAY_SIZE(threads); i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    gw_fdsets_remove(f->fdsets, 1, -1, NULL);
    expect_no_entries(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sets__take_the_lowest_free_id),
        TEST(test_sets__are_listed_from_above),
        TEST(test_sets__remove_names_what_is_not_there),
        TEST(test_sets__add_leaves_what_it_refuses),
        TEST(test_path__is_read_as_qemu_reads_it),
        TEST(test_path__without_any_sets_finds_none),
        TEST(test_choice__by_access_and_direct),
        TEST(test_choice__error_tells_what_is_there),
        TEST(test_choice__error_of_a_large_set_is_short),
        TEST(test_pair__duplicates_are_told),
        TEST(test_pair__of_different_files_is_refused),
        TEST(test_pair__through_two_names_is_one_file),
        TEST(test_file__append_is_refused_for_writing),
        TEST(test_file__pipes_are_refused),
        TEST(test_file__packet_pipe_for_pages_is_refused),
        TEST(test_file__block_device_serves),
        TEST(test_file__memory_serves),
        TEST(test_alone__that_may_not_be_reopened_is_refused),
        TEST(test_alone__without_direct_support_is_refused),
        TEST(test_members__keep_flags_and_position),
        TEST(test_use__outlives_the_members),
        TEST(test_use__lets_an_emptied_set_be_filled_again),
        TEST(test_use__outlives_the_sets),
        TEST(test_use__failure_to_dup_names_the_descriptor),
        TEST(test_use__failure_to_read_flags_names_the_descriptor),
        TEST(test_sets__are_safe_with_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

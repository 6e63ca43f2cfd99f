/*
 * Outgoing streams: copies and lent memory in their order, on files, pipes and
 * sockets that take a few bytes at a time, fail, or are not read.
 */
#include "channel/output.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/util.h"
#include "channel/pieces.h"
#include "faulty-file.h"
#include "queue-scene.h"

#define MEMORY_PAGES ((size_t)64)
/* Pieces are copied up to this size, and written at once from it on. */
#define LARGE ((size_t)256 * 1024)

/* ---- A stream of pieces, and what must come of it ---- */

struct stream {
    struct gw_channel *channel;
    struct gw_output *output;
    uint64_t start;  /* of the channel */
    uint8_t *memory; /* of which pages are lent */
    uint8_t *expected;
    size_t size;
    size_t capacity;
    struct kit_rng rng;
};

static void stream_init(struct stream *s, int fd, uint64_t start)
{
    struct gw_error *error = NULL;

    *s = (struct stream){.start = start, .rng = {.state = 77}};
    KIT_CHECK(gw_fd_channel_open(fd, true, false, &s->channel, &error) == 0,
              "%s", gw_error_text(error));
    s->output = gw_output_new(s->channel, NULL);
    s->memory = random_pages(MEMORY_PAGES, 5);
}

static void stream_deinit(struct stream *s)
{
    gw_output_free(s->output);
    gw_channel_free(s->channel);
    free(s->memory);
    free(s->expected);
}

/* A stream into a file. */
static void begin_file(struct scene *file, struct stream *s)
{
    scene_init(file, false);
    stream_init(s, open(file->path, O_RDWR | O_CLOEXEC), 0);
}

static void end_file(struct scene *file, struct stream *s)
{
    stream_deinit(s);
    scene_deinit(file);
}

static void expect(struct stream *s, const void *data, size_t size)
{
    if (s->capacity - s->size < size) {
        s->capacity = 2 * (s->size + size);
        s->expected = realloc(s->expected, s->capacity);
        KIT_CHECK(s->expected, "out of memory");
    }
    memcpy(s->expected + s->size, data, size);
    s->size += size;
}

/* A copy: what it was made of is something else afterwards. */
static int put_copy(struct stream *s, size_t size, struct gw_error **errp)
{
    uint8_t *data = malloc(size + 1);
    int r;

    kit_random_bytes(&s->rng, data, size);
    expect(s, data, size);
    r = gw_output_write(s->output, data, size, errp);
    memset(data, 0xee, size);
    free(data);
    return r;
}

static int put_lent(struct stream *s, size_t at, size_t size,
                    struct gw_error **errp)
{
    expect(s, s->memory + at, size);
    return gw_output_lend(s->output, s->memory + at, size, errp);
}

/* Like records of pages, but of every size. */
static int put_any(struct stream *s, struct gw_error **errp)
{
    size_t at = kit_below(&s->rng, MEMORY_PAGES * PAGE);

    if (kit_chance(&s->rng, 45)) {
        at -= at % PAGE;
        return put_lent(s, at, PAGE, errp);
    }
    if (kit_chance(&s->rng, 10)) {
        return put_lent(s, at, kit_below(&s->rng, MEMORY_PAGES * PAGE - at),
                        errp);
    }
    if (kit_chance(&s->rng, 1)) {
        return put_copy(s, LARGE - 1 + kit_below(&s->rng, 3), errp);
    }
    return put_copy(s, kit_below(&s->rng, 20), errp);
}

/* A few thousand pieces; the position is always known. */
static int put_all(struct stream *s, struct gw_error **errp)
{
    int r = 0;
    int i;

    for (i = 0; r == 0 && i < 4 * IOV_MAX; i++) {
        r = kit_chance(&s->rng, 1) ? gw_output_flush(s->output, errp)
                                   : put_any(s, errp);
        if (r == 0) {
            KIT_CHECK(gw_output_offset(s->output) == s->start + s->size &&
                          gw_output_total(s->output) == s->size,
                      "piece %d: the position is wrong", i);
        }
    }
    return r < 0 ? r : gw_output_flush(s->output, errp);
}

/* ---- Somebody who reads slowly, and perhaps not all ---- */

struct reader {
    int fd;
    size_t wanted; /* bytes until it goes away */
    uint8_t *data;
    size_t size;
    pthread_t thread;
};

static void *read_slowly(void *opaque)
{
    struct reader *reader = opaque;
    struct kit_rng rng = {.state = 3};
    ssize_t n = 1;

    while (n > 0 && reader->size < reader->wanted) {
        n = read(reader->fd, reader->data + reader->size,
                 gw_min_u64(1 + kit_below(&rng, 30000),
                            reader->wanted - reader->size));
        reader->size += n > 0 ? (size_t)n : 0;
    }
    close(reader->fd);
    return NULL;
}

static void reader_start(struct reader *reader, int fd, size_t wanted)
{
    *reader = (struct reader){.fd = fd, .wanted = wanted};
    reader->data = malloc(wanted);
    KIT_CHECK(reader->data && pthread_create(&reader->thread, NULL, read_slowly,
                                             reader) == 0,
              "no reader");
}

static void reader_join(struct reader *reader)
{
    pthread_join(reader->thread, NULL);
}

/* A pipe of one page, or a socket with the smallest buffer. */
static void make_ends(bool is_socket, int ends[2])
{
    int size = 1;
    int pair[2];

    if (!is_socket) {
        KIT_CHECK(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0,
                  "no pipe");
        return;
    }
    KIT_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
                  setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size,
                             sizeof(size)) == 0,
              "no sockets");
    ends[0] = pair[0];
    ends[1] = pair[1];
}

/* ---- Order ---- */

static void test_output__file(void **state)
{
    struct scene file;
    struct stream s;

    (void)state;
    begin_file(&file, &s);
    assert_int_equal(put_all(&s, NULL), 0);
    assert_int_equal(gw_channel_finish(s.channel, NULL), 0);
    check_file(file.path, s.expected, s.size);
    end_file(&file, &s);
}

static void check_stream(bool is_socket)
{
    struct reader reader;
    struct stream s;
    int ends[2];

    make_ends(is_socket, ends);
    stream_init(&s, ends[1], 0);
    reader_start(&reader, ends[0], (size_t)256 << 20);
    assert_int_equal(put_all(&s, NULL), 0);
    s.channel = gw_channel_free(s.channel);
    reader_join(&reader);
    assert_int_equal(reader.size, s.size);
    assert_memory_equal(reader.data, s.expected, s.size);
    free(reader.data);
    stream_deinit(&s);
}

static void test_output__pipe_takes_little_at_a_time(void **state)
{
    (void)state;
    check_stream(false);
}

static void test_output__socket_takes_little_at_a_time(void **state)
{
    (void)state;
    check_stream(true);
}

/* Each write of the file moves fewer bytes than it is asked to. */
static int nibble(bool direct)
{
    static const int sizes[] = {4096, 777, 4095, 20001};
    struct faulty_file f;
    struct stream s;
    size_t i;

    (void)direct;
    if (!faulty_file_init(&f)) {
        return KIT_CANNOT;
    }
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        faulty_file_reset(&f);
        f.plan->at = 0;
        f.plan->sticks = true;
        f.plan->result = sizes[i];
        stream_init(&s, open(f.path, O_RDWR | O_CLOEXEC), 0);
        s.rng.state = i;
        while (s.size < 40 * PAGE) {
            KIT_CHECK(put_any(&s, NULL) == 0, "pieces of %d", sizes[i]);
        }
        KIT_CHECK(gw_output_flush(s.output, NULL) == 0 &&
                      gw_channel_finish(s.channel, NULL) == 0,
                  "pieces of %d", sizes[i]);
        KIT_CHECK(f.plan->n_requests >= s.size / (unsigned int)sizes[i],
                  "it was not told to move %d at a time", sizes[i]);
        KIT_CHECK(f.plan->size == s.size &&
                      memcmp(f.plan->data, s.expected, s.size) == 0,
                  "pieces of %d: other bytes", sizes[i]);
        stream_deinit(&s);
    }
    faulty_file_deinit(&f);
    return 0;
}

static void test_output__file_takes_little_at_a_time(void **state)
{
    (void)state;
    in_child(nibble, false);
}

static off_t file_size(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* What lies side by side is one piece, so that a call takes more of it. */
static void test_output__joins_neighbours(void **state)
{
    struct scene file;
    struct stream s;
    size_t i;

    (void)state;
    begin_file(&file, &s);
    for (i = 0; i < MEMORY_PAGES * PAGE / 16; i++) {
        assert_int_equal(put_lent(&s, 16 * i, 16, NULL), 0);
    }
    for (i = 0; i < 2 * IOV_MAX; i++) {
        assert_int_equal(put_copy(&s, 8, NULL), 0);
    }
    assert_int_equal(file_size(file.path), 0);
    for (i = 0; i < IOV_MAX; i++) {
        assert_int_equal(put_lent(&s, 0, 16, NULL), 0);
    }
    assert_true(file_size(file.path) > 0);
    assert_int_equal(gw_output_flush(s.output, NULL), 0);
    assert_int_equal(gw_channel_finish(s.channel, NULL), 0);
    check_file(file.path, s.expected, s.size);
    end_file(&file, &s);
}

/* More pieces than one system call takes. */
static void test_channel__writes_any_number_of_pieces(void **state)
{
    enum {
        N = 3 * IOV_MAX + 1
    };
    struct iovec *iov = calloc(N, sizeof(*iov));
    struct gw_pieces pieces = {.iov = iov, .n = N};
    struct scene file;
    struct stream s;
    size_t i;

    (void)state;
    begin_file(&file, &s);
    for (i = 0; i < N; i++) {
        iov[i] = (struct iovec){s.memory + 50 * i, 1 + i % 50};
        expect(&s, iov[i].iov_base, iov[i].iov_len);
    }
    assert_int_equal(gw_channel_pwritev(s.channel, &pieces, 0, NULL), 0);
    assert_int_equal(pieces.n, 0);
    assert_int_equal(gw_channel_finish(s.channel, NULL), 0);
    check_file(file.path, s.expected, s.size);
    free(iov);
    end_file(&file, &s);
}

/* What is lent is read when it is flushed; a copy is what it was. */
static void test_output__lent_memory_is_read_late(void **state)
{
    char lent[] = "one", copied[] = "two";
    struct scene file;
    struct stream s;

    (void)state;
    begin_file(&file, &s);
    assert_int_equal(gw_output_write(s.output, "<8 bytes>", 9, NULL), 0);
    assert_int_equal(gw_output_lend(s.output, lent, 3, NULL), 0);
    assert_int_equal(gw_output_write(s.output, copied, 3, NULL), 0);
    strcpy(lent, "six");
    strcpy(copied, "ten");
    assert_int_equal(gw_output_flush(s.output, NULL), 0);
    strcpy(lent, "no!");
    assert_int_equal(gw_output_flush(s.output, NULL), 0);
    assert_int_equal(gw_channel_finish(s.channel, NULL), 0);
    check_file(file.path, (const uint8_t *)"<8 bytes>sixtwo", 15);
    end_file(&file, &s);
}

static void test_output__seeks_and_writes_around(void **state)
{
    struct scene file;
    struct stream s;

    (void)state;
    begin_file(&file, &s);
    assert_int_equal(gw_output_write(s.output, "QEVM0003", 8, NULL), 0);
    assert_int_equal(gw_output_lend(s.output, "abc", 3, NULL), 0);
    assert_int_equal(gw_output_pwrite(s.output, "xyz", 3, 12, NULL), 0);
    assert_int_equal(gw_output_offset(s.output), 11);
    assert_int_equal(gw_output_seek(s.output, 16, NULL), 0);
    assert_int_equal(gw_output_offset(s.output), 16);
    assert_int_equal(gw_output_lend(s.output, "def", 3, NULL), 0);
    assert_int_equal(gw_output_write(s.output, "ghi", 3, NULL), 0);
    assert_int_equal(gw_output_total(s.output), 20);
    assert_int_equal(gw_output_flush(s.output, NULL), 0);
    assert_int_equal(gw_channel_finish(s.channel, NULL), 0);
    check_file(file.path, (const uint8_t *)"QEVM0003abc\0xyz\0defghi", 22);
    end_file(&file, &s);
}

/* The bytes that are held back come from several pieces, and from a part. */
static void test_output__guard_across_pieces(void **state)
{
    struct scene file;
    struct stream s;
    int fd;

    (void)state;
    scene_init(&file, false);
    fd = open(file.path, O_RDWR | O_CLOEXEC);
    assert_int_equal(write(fd, "BEFORE", 6), 6);
    stream_init(&s, fd, 6);
    assert_int_equal(gw_output_write(s.output, "QE", 2, NULL), 0);
    assert_int_equal(gw_output_flush(s.output, NULL), 0);
    assert_int_equal(gw_output_lend(s.output, "VM0", 3, NULL), 0);
    assert_int_equal(gw_output_write(s.output, "0", 1, NULL), 0);
    assert_int_equal(gw_output_lend(s.output, "03tail", 6, NULL), 0);
    assert_int_equal(gw_output_flush(s.output, NULL), 0);
    check_file(file.path, (const uint8_t *)"BEFORE\0\0\0\0\0\0\0\0tail", 18);
    assert_int_equal(gw_channel_finish(s.channel, NULL), 0);
    check_file(file.path, (const uint8_t *)"BEFOREQEVM0003tail", 18);
    end_file(&file, &s);
}

/* ---- Failures ---- */

/* Every flush says so from now on, and writes nothing. */
static void check_stays_failed(struct stream *s, int code)
{
    struct gw_error *error = NULL;

    assert_int_equal(gw_output_lend(s->output, s->memory, PAGE, NULL), 0);
    assert_int_equal(gw_output_flush(s->output, &error), code);
    assert_non_null(strstr(gw_error_text(error), "writing failed before"));
    gw_error_free(error);
}

/* The reader goes away in the middle: what it got is right. */
static void check_broken(bool is_socket)
{
    struct gw_error *error = NULL;
    struct reader reader;
    struct stream s;
    int ends[2];

    make_ends(is_socket, ends);
    stream_init(&s, ends[1], 0);
    reader_start(&reader, ends[0], 1000003);
    assert_int_equal(put_all(&s, &error), -EPIPE);
    assert_non_null(strstr(gw_error_text(error), "Broken pipe"));
    gw_error_free(error);
    check_stays_failed(&s, -EPIPE);
    reader_join(&reader);
    assert_int_equal(reader.size, 1000003);
    assert_memory_equal(reader.data, s.expected, reader.size);
    free(reader.data);
    stream_deinit(&s);
}

static void test_output__reader_goes_away(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    check_broken(false);
    check_broken(true);
}

/* The k-th write of the file fails, after a part of a flush or before it. */
static int fail_in_turn(bool direct)
{
    struct faulty_file f;
    struct stream s;
    uint64_t k, n;
    int r;

    (void)direct;
    if (!faulty_file_init(&f)) {
        return KIT_CANNOT;
    }
    for (k = 0; k < 6; k++) {
        faulty_file_reset(&f);
        f.plan->at = k;
        f.plan->result = k % 2 ? -EIO : -ENOSPC;
        stream_init(&s, open(f.path, O_RDWR | O_CLOEXEC), 0);
        r = put_all(&s, NULL);
        KIT_CHECK(r == f.plan->result, "%d to write %llu", r,
                  (unsigned long long)k);
        n = f.plan->n_requests;
        KIT_CHECK(gw_output_flush(s.output, NULL) == r &&
                      f.plan->n_requests == n,
                  "it went on");
        /* Its first bytes are held back. */
        KIT_CHECK(f.plan->size < 8 || memcmp(f.plan->data + 8, s.expected + 8,
                                             f.plan->size - 8) == 0,
                  "other bytes before write %llu", (unsigned long long)k);
        stream_deinit(&s);
    }
    faulty_file_deinit(&f);
    return 0;
}

static void test_output__disk_fails_in_the_middle(void **state)
{
    (void)state;
    in_child(fail_in_turn, false);
}

/* As of a file behind guest memory that was cut off. */
static void test_output__lent_memory_cannot_be_read(void **state)
{
    void *nothing =
        mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct gw_error *error = NULL;
    struct scene file;
    struct stream s;

    (void)state;
    begin_file(&file, &s);
    assert_int_equal(put_copy(&s, 100, NULL), 0);
    assert_int_equal(gw_output_lend(s.output, nothing, PAGE, NULL), 0);
    assert_int_equal(put_copy(&s, 100, NULL), 0);
    assert_int_equal(gw_output_flush(s.output, &error), -EFAULT);
    assert_non_null(strstr(gw_error_text(error), "Unable to write"));
    gw_error_free(error);
    check_stays_failed(&s, -EFAULT);
    assert_true(file_size(file.path) <= 100);
    munmap(nothing, PAGE);
    end_file(&file, &s);
}

static void *flush(void *opaque)
{
    struct stream *s = opaque;

    return (void *)(intptr_t)put_all(s, NULL);
}

/* Nobody reads: it waits, and the wait can be ended. */
static void test_output__cancel_ends_a_wait(void **state)
{
    struct pollfd full = {.events = POLLOUT};
    struct stream s;
    pthread_t thread;
    void *result;
    int ends[2];

    (void)state;
    make_ends(false, ends);
    full.fd = dup(ends[1]);
    stream_init(&s, ends[1], 0);
    assert_int_equal(pthread_create(&thread, NULL, flush, &s), 0);
    while (poll(&full, 1, 0) != 0) {
        usleep(100);
    }
    gw_channel_cancel(s.channel);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -ECANCELED);
    close(full.fd);
    close(ends[0]);
    stream_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output__file),
        cmocka_unit_test(test_output__pipe_takes_little_at_a_time),
        cmocka_unit_test(test_output__socket_takes_little_at_a_time),
        cmocka_unit_test(test_output__file_takes_little_at_a_time),
        cmocka_unit_test(test_output__joins_neighbours),
        cmocka_unit_test(test_channel__writes_any_number_of_pieces),
        cmocka_unit_test(test_output__lent_memory_is_read_late),
        cmocka_unit_test(test_output__seeks_and_writes_around),
        cmocka_unit_test(test_output__guard_across_pieces),
        cmocka_unit_test(test_output__reader_goes_away),
        cmocka_unit_test(test_output__disk_fails_in_the_middle),
        cmocka_unit_test(test_output__lent_memory_cannot_be_read),
        cmocka_unit_test(test_output__cancel_ends_a_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

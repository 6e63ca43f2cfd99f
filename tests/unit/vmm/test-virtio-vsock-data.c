/*
 * virtio-vsock: how much each side may send, and how its half ends.
 */
#include "vsock-bench.h"

static void test_vsock__guest_without_room(void **state)
{
    struct bench *bench = new_bench();
    uint8_t bytes[1000];
    int fd;

    bench->room = 300;
    fd = open_from_guest(bench);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    expect_packet(bench, RW, HOST_PORT);
    assert_int_equal(bench->packet.len, 300);
    assert_memory_equal(bench->data, bytes, 300);
    expect_packet(bench, CREDIT_REQUEST, HOST_PORT);
    expect_quiet(bench);
    /* It took some. */
    bench->taken = 120;
    guest_sends(bench, CREDIT_UPDATE, HOST_PORT);
    expect_packet(bench, RW, HOST_PORT);
    assert_int_equal(bench->packet.len, 120);
    assert_memory_equal(bench->data, bytes + 300, 120);
    expect_packet(bench, CREDIT_REQUEST, HOST_PORT);
    /* It says that it took more than it got, or shrinks: no room at all. */
    bench->taken = 5000;
    guest_sends(bench, CREDIT_UPDATE, HOST_PORT);
    expect_quiet(bench);
    bench->taken = 420;
    bench->room = 1000;
    guest_sends(bench, CREDIT_UPDATE, HOST_PORT);
    expect_packet(bench, RW, HOST_PORT);
    assert_int_equal(bench->packet.len, 580);
    assert_memory_equal(bench->data, bytes + 420, 580);
    close(fd);
    free_bench(bench);
}

static void test_vsock__guest_asks_for_credit(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);

    guest_writes(bench, HOST_PORT, "12345", 5);
    guest_sends(bench, CREDIT_REQUEST, HOST_PORT);
    expect_packet(bench, CREDIT_UPDATE, HOST_PORT);
    assert_int_equal(bench->packet.room, ROOM);
    assert_int_equal(bench->packet.taken, 5);
    close(fd);
    free_bench(bench);
}

/* Byte n of what the guest sends. */
static uint8_t byte_at(size_t n)
{
    return (uint8_t)(n + n / 251 + n / 65521);
}

/* As much as the device takes, of a program that reads nothing. */
static size_t write_until_full(struct bench *bench, size_t *total,
                               uint32_t *taken)
{
    static uint8_t piece[4096];

    for (;;) {
        work(bench);
        while (used_idx(&bench->driver, 0) != bench->n_rx) {
            expect_packet(bench, CREDIT_UPDATE, HOST_PORT);
            *taken = bench->packet.taken;
        }
        if (*total + sizeof(piece) - *taken > ROOM) {
            return *total;
        }
        for (size_t i = 0; i < sizeof(piece); i++) {
            piece[i] = byte_at(*total + i);
        }
        guest_writes(bench, HOST_PORT, piece, sizeof(piece));
        *total += sizeof(piece);
    }
}

static size_t read_and_check(int fd, size_t at)
{
    static uint8_t bytes[65536];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(bytes[i], byte_at(at + (size_t)i));
        }
        at += (size_t)n;
    }
    return at;
}

static void test_vsock__program_that_reads_nothing(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);
    uint32_t taken = 0;
    size_t total = 0;
    size_t n_read;

    /* The socket's own buffer is full, and then ours. */
    write_until_full(bench, &total, &taken);
    assert_true(total > ROOM);
    expect_quiet(bench);
    n_read = read_and_check(fd, 0);
    expect_packet(bench, CREDIT_UPDATE, HOST_PORT);
    while (n_read < total) {
        work(bench);
        n_read = read_and_check(fd, n_read);
    }
    assert_int_equal(n_read, total);
    /* It goes on. */
    guest_writes(bench, HOST_PORT, "more", 4);
    expect_read(fd, "more");
    close(fd);
    free_bench(bench);
}

static void test_vsock__more_than_there_is_room_for(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);
    static uint8_t piece[ROOM];
    uint32_t taken = 0;
    size_t total = 0;

    write_until_full(bench, &total, &taken);
    guest_sends(bench, CREDIT_REQUEST, HOST_PORT);
    expect_packet(bench, CREDIT_UPDATE, HOST_PORT);
    /* Up to the brim, and beyond it. */
    guest_writes(bench, HOST_PORT, piece,
                 (uint32_t)(bench->packet.room + bench->packet.taken - total));
    expect_quiet(bench);
    guest_writes(bench, HOST_PORT, piece, 1);
    expect_packet(bench, RST, HOST_PORT);
    close(fd);
    free_bench(bench);
}

/* --- Ends --- */

static void test_vsock__halves_of_the_guest(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);

    guest_writes(bench, HOST_PORT, "last", 4);
    guest_ends(bench, HOST_PORT, NO_MORE_SENT);
    expect_read(fd, "last");
    expect_end(fd);
    assert_int_equal(write(fd, "answer", 6), 6);
    expect_data(bench, HOST_PORT, "answer");
    guest_ends(bench, HOST_PORT, NO_MORE_RECEIVED);
    expect_packet(bench, RST, HOST_PORT);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    close(fd);
    expect_quiet(bench);
    free_bench(bench);
}

static void test_vsock__guest_that_receives_no_more(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);

    guest_ends(bench, HOST_PORT, NO_MORE_RECEIVED);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    guest_writes(bench, HOST_PORT, "still", 5);
    expect_read(fd, "still");
    expect_quiet(bench);
    close(fd);
    expect_shutdown(bench, HOST_PORT, NO_MORE_RECEIVED | NO_MORE_SENT);
    guest_sends(bench, RST, HOST_PORT);
    expect_quiet(bench);
    free_bench(bench);
}

static void test_vsock__data_after_the_end(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);

    guest_ends(bench, HOST_PORT, NO_MORE_SENT);
    guest_writes(bench, HOST_PORT, "x", 1);
    expect_packet(bench, RST, HOST_PORT);
    close(fd);
    free_bench(bench);
}

static void test_vsock__halves_of_the_program(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_host(bench);

    assert_int_equal(write(fd, "question", 8), 8);
    shutdown(fd, SHUT_WR);
    expect_data(bench, PROGRAM_PORT, "question");
    expect_shutdown(bench, PROGRAM_PORT, NO_MORE_SENT);
    guest_writes(bench, PROGRAM_PORT, "answer", 6);
    expect_read(fd, "answer");
    close(fd);
    expect_shutdown(bench, PROGRAM_PORT, NO_MORE_RECEIVED | NO_MORE_SENT);
    guest_sends(bench, RST, PROGRAM_PORT);
    expect_quiet(bench);
    guest_writes(bench, PROGRAM_PORT, "hello?", 6);
    expect_packet(bench, RST, PROGRAM_PORT);
    free_bench(bench);
}

/* What it wrote reaches the guest, whatever it left unread. */
static void test_vsock__program_that_is_gone(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);

    guest_writes(bench, HOST_PORT, "unread", 6);
    assert_int_equal(write(fd, "goodbye", 7), 7);
    close(fd);
    guest_writes(bench, HOST_PORT, "too late", 8);
    do {
        take_packet(bench);
    } while (bench->packet.op == SHUTDOWN &&
             bench->packet.flags == NO_MORE_RECEIVED);
    assert_int_equal(bench->packet.op, RW);
    assert_memory_equal(bench->data, "goodbye", 7);
    do {
        take_packet(bench);
        assert_int_equal(bench->packet.op, SHUTDOWN);
    } while (bench->packet.flags != (NO_MORE_RECEIVED | NO_MORE_SENT));
    guest_ends(bench, HOST_PORT, NO_MORE_RECEIVED | NO_MORE_SENT);
    expect_packet(bench, RST, HOST_PORT);
    expect_quiet(bench);
    free_bench(bench);
}

/* The guest has closed; what is in our buffer still arrives. */
static void test_vsock__slow_program_gets_the_rest(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);
    uint32_t taken = 0;
    size_t total = 0;
    size_t n_read = 0;
    int other;

    write_until_full(bench, &total, &taken);
    guest_ends(bench, HOST_PORT, NO_MORE_RECEIVED | NO_MORE_SENT);
    expect_packet(bench, RST, HOST_PORT);
    /* The same ports are free for another. */
    other = open_from_guest(bench);
    while (n_read < total) {
        n_read = read_and_check(fd, n_read);
        work(bench);
    }
    expect_end(fd);
    expect_nothing(other);
    expect_quiet(bench);
    close(fd);
    close(other);
    free_bench(bench);
}

/* --- At speed, with the device's own thread --- */

#define STREAM_BYTES (4u << 20)

/* What the guest has got and not sent back. */
struct echo {
    uint8_t bytes[0x10000];
    size_t n;
    /* What the device has room for, has taken, and was sent. */
    uint32_t room;
    uint32_t taken;
    uint32_t sent;
    bool ended;
};

static void *program_streams(void *opaque)
{
    static uint8_t bytes[8192];
    int fd = *(int *)opaque;
    size_t sent = 0;

    while (sent < STREAM_BYTES) {
        ssize_t n;

        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = byte_at(sent + i);
        }
        n = write(fd, bytes, sizeof(bytes));
        if (n < 0) {
            break;
        }
        sent += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

static void *program_checks(void *opaque)
{
    static size_t received;

    received = read_and_check(*(int *)opaque, 0);
    return &received;
}

static void guest_takes(struct bench *bench, struct echo *echo)
{
    while (has_packet(bench)) {
        take_packet(bench);
        echo->room = bench->packet.room;
        echo->taken = bench->packet.taken;
        if (bench->packet.op == RW) {
            assert_true(bench->packet.len <= sizeof(echo->bytes) - echo->n);
            memcpy(echo->bytes + echo->n, bench->data, bench->packet.len);
            echo->n += bench->packet.len;
        } else if (bench->packet.op == SHUTDOWN) {
            echo->ended = true;
        }
    }
}

static void guest_echoes(struct bench *bench, struct echo *echo)
{
    size_t credit = echo->room - (echo->sent - echo->taken);
    size_t n = echo->n < credit ? echo->n : credit;

    if (n == 0) {
        usleep(100);
        return;
    }
    bench->taken += (uint32_t)n;
    guest_writes(bench, PROGRAM_PORT, echo->bytes, (uint32_t)n);
    echo->sent += (uint32_t)n;
    echo->n -= n;
    memmove(echo->bytes, echo->bytes + n, echo->n);
}

static void test_vsock__streams_both_ways(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_host(bench);
    struct echo *echo = calloc(1, sizeof(*echo));
    int64_t end_ns = vmm_now_ns() + INT64_C(60000000000);
    void *received = NULL;
    pthread_t threads[2];

    assert_non_null(echo);
    echo->room = ROOM;
    fcntl(fd, F_SETFL, 0);
    assert_int_equal(vmm_virtio_start(bench->driver.device, NULL), 0);
    pthread_create(&threads[0], NULL, program_streams, &fd);
    pthread_create(&threads[1], NULL, program_checks, &fd);
    while ((!echo->ended || echo->n > 0) && vmm_now_ns() < end_ns) {
        guest_takes(bench, echo);
        guest_echoes(bench, echo);
    }
    assert_true(echo->ended);
    guest_ends(bench, PROGRAM_PORT, NO_MORE_RECEIVED | NO_MORE_SENT);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], &received);
    assert_int_equal(*(size_t *)received, STREAM_BYTES);
    assert_int_equal(echo->sent, STREAM_BYTES);
    vmm_virtio_stop(bench->driver.device);
    close(fd);
    free(echo);
    free_bench(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vsock__guest_without_room),
        cmocka_unit_test(test_vsock__guest_asks_for_credit),
        cmocka_unit_test(test_vsock__program_that_reads_nothing),
        cmocka_unit_test(test_vsock__more_than_there_is_room_for),
        cmocka_unit_test(test_vsock__halves_of_the_guest),
        cmocka_unit_test(test_vsock__guest_that_receives_no_more),
        cmocka_unit_test(test_vsock__data_after_the_end),
        cmocka_unit_test(test_vsock__halves_of_the_program),
        cmocka_unit_test(test_vsock__program_that_is_gone),
        cmocka_unit_test(test_vsock__slow_program_gets_the_rest),
        cmocka_unit_test(test_vsock__streams_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

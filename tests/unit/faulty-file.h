/*
 * A file that fails when it is told to: served through FUSE by a child, so
 * that the kernel itself answers with errors, short transfers and EINTR.
 *
 * The caller is in a mount namespace of its own afterwards, and the mount
 * ends with it.
 */
#ifndef GW_TESTS_UNIT_FAULTY_FILE_H
#define GW_TESTS_UNIT_FAULTY_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Largest size of the file. */
#define FAULTY_MAX_SIZE (UINT64_C(48) << 20)
/* `at` of a plan in which nothing fails. */
#define FAULTY_NEVER UINT64_MAX

/* What the server looks at; the test writes it while nothing is under way. */
struct faulty_plan {
    /* the request, counted from 0, that ... */
    _Atomic uint64_t at;
    /* ... fails: a negative errno, or the bytes that it moves at most */
    _Atomic int result;
    /* the request that failed fails for ever, not once */
    _Atomic bool sticks;
    /*
     * Only what is opened with O_DIRECT comes past the page cache. With this
     * unset everything does; but then Linux (6.18) does not advance the
     * position after a short direct transfer that io_uring began, and goes
     * on in the wrong place.
     */
    _Atomic bool is_cached;
    /* a request waits for a signal to interrupt it, µs; 0: it does not wait */
    _Atomic unsigned int patience_us;

    /* reads and writes that came, and those that a signal interrupted */
    _Atomic uint64_t n_requests;
    _Atomic uint64_t n_interrupted;

    _Atomic uint64_t size;
    uint8_t data[FAULTY_MAX_SIZE];
};

struct faulty_file {
    char directory[64];
    char path[80];
    struct faulty_plan *plan; /* shared with the server */
    pid_t server;
};

/* False, and the reason printed, where there is no FUSE. */
bool faulty_file_init(struct faulty_file *f);
void faulty_file_deinit(struct faulty_file *f);

/* An empty file, not cached, and a new count; nothing fails. */
void faulty_file_reset(struct faulty_file *f);

#endif

/*
 * What is at the other end of the serial line: standard input and output, a
 * file, a unix socket, or nothing.
 *
 * Output is written by whoever calls put; input is read, and clients are
 * accepted, by the program's loop through prepare and dispatch.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include <godwit/error.h>

#include "listener.h"
#include "options.h"

/* Descriptors a console may have polled. */
#define VMM_CONSOLE_POLLS 3

struct vmm_console_ops {
    /* How many bytes of input are welcome. */
    size_t (*room)(void *opaque);
    /* Input, at most that many bytes. */
    void (*input)(void *opaque, const uint8_t *bytes, size_t n);
    /* Output is possible again after put returned false. */
    void (*writable)(void *opaque);
};

struct vmm_console {
    /* --- constant after init --- */
    const struct vmm_console_ops *ops;
    void *opaque;
    /* Closed if it is no socket. */
    struct vmm_listener listener;
    /* Readable to make the loop call prepare again. */
    int wake_fd;
    /* The terminal's modes are ours to restore. */
    bool has_termios;
    struct termios termios;
    /* --- guarded by lock --- */
    pthread_mutex_t lock;
    int in_fd;
    int out_fd;
    /* in_fd and out_fd are closed at the end. */
    bool owned;
    /* put returned false. */
    bool blocked;
};

/* Opens it. `opaque` is for the ops. */
int vmm_console_init(struct vmm_console *console,
                     const struct vmm_chardev *chardev,
                     const struct vmm_console_ops *ops, void *opaque,
                     struct gw_error **errp) GW_MUST_CHECK;

/* Closes it and restores the terminal; accepts a zeroed object. */
void vmm_console_deinit(struct vmm_console *console);

/* Writes a byte; false if that would block. Any thread. */
bool vmm_console_put(struct vmm_console *console, uint8_t byte);

/*
 * Writes what goes without waiting and returns how many bytes that was; fewer
 * than n as put's false. Any thread.
 */
size_t vmm_console_write(struct vmm_console *console, const uint8_t *bytes,
                         size_t n);

/* Makes the loop look again whether input is welcome. Any thread. */
void vmm_console_wake(struct vmm_console *console);

/* What the loop is to poll; fills in VMM_CONSOLE_POLLS members. */
void vmm_console_prepare(struct vmm_console *console,
                         struct pollfd polls[VMM_CONSOLE_POLLS]);

/* Acts on what poll found. */
void vmm_console_dispatch(struct vmm_console *console,
                          const struct pollfd polls[VMM_CONSOLE_POLLS]);

#endif

/*
 * A child of a test, which may change limits, mounts and filters.
 */
#ifndef GW_TESTS_FLOW_KIT_CHILD_H
#define GW_TESTS_FLOW_KIT_CHILD_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit-check.h"

/* Exit status of a child that could not set the stage. */
#define KIT_CANNOT 77

/* 0 in the child. */
static inline pid_t kit_child_fork(void)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    KIT_CHECK(pid >= 0, "cannot fork");
    return pid;
}

static inline void kit_child_exit(int status)
{
    fflush(NULL);
    _exit(status);
}

/* Ends the program if the child failed. False: it could not set the stage. */
static inline bool kit_child_wait(pid_t pid)
{
    int status;

    KIT_CHECK(waitpid(pid, &status, 0) == pid, "cannot wait");
    if (WIFEXITED(status) && WEXITSTATUS(status) == KIT_CANNOT) {
        return false;
    }
    KIT_CHECK(status == 0, "the child ended with status %d", status);
    return true;
}

/*
 * In the child, before it has threads: mounts a tmpfs, "size=8m", that only it
 * sees, and that ends with it. False: that is not permitted; prints why.
 */
static inline bool kit_child_mount(const char *directory, const char *size)
{
    if (unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", directory, "tmpfs", 0, size) < 0) {
        printf("# cannot mount a small tmpfs: %s\n", strerror(errno));
        return false;
    }
    return true;
}

#endif

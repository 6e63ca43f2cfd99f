/*
 * The list of system calls. Some are only made by parts of the C library, by
 * the line editor or by io_uring; each group says what it is for. A call that
 * is missing shows as EPERM where it is made.
 *
 * Without libseccomp, and in builds with sanitizers (which trace and start
 * processes of their own), only the privileges are given up.
 */
#include "sandbox.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "util.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_FILTER 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define HAVE_FILTER 0
#endif
#endif
#ifndef HAVE_FILTER
#define HAVE_FILTER VMM_HAVE_SECCOMP
#endif

static int drop_privileges(struct gw_error **errp)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return gw_error_set_errno(errp, -errno, "no new privileges");
    }
    return 0;
}

#if HAVE_FILTER

#include <seccomp.h>

#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
    /* Guest RAM, heaps, stacks. */
    CALL(brk),
    CALL(mmap),
    CALL(munmap),
    CALL(mremap),
    CALL(mprotect),
    CALL(madvise),
    CALL(mincore),
    CALL(mlock),
    CALL(mlock2),
    CALL(munlock),
    CALL(msync),
    CALL(memfd_create),
    CALL(userfaultfd),
    CALL(mbind),
    /* Threads, locks, time. */
    CALL(clone),
    CALL(clone3),
    CALL(exit),
    CALL(exit_group),
    CALL(futex),
    CALL(set_robust_list),
    CALL(get_robust_list),
    CALL(rseq),
    CALL(set_tid_address),
    CALL(gettid),
    CALL(getpid),
    CALL(getppid),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(sched_setaffinity),
    CALL(membarrier),
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(gettimeofday),
    CALL(time),
    CALL(getcpu),
    CALL(prctl),
    CALL(arch_prctl),
    CALL(restart_syscall),
    CALL(getrusage),
    CALL(times),
    CALL(sysinfo),
    CALL(uname),
    CALL(getrandom),
    CALL(prlimit64),
    CALL(getrlimit),
    /* Signals, between our own threads too. */
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigpending),
    CALL(rt_sigtimedwait),
    CALL(sigaltstack),
    CALL(tgkill),
    CALL(signalfd4),
    /* Waiting. */
    CALL(poll),
    CALL(ppoll),
    CALL(select),
    CALL(pselect6),
    CALL(eventfd2),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(timerfd_gettime),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    /* Files and pipes: images, the console. */
    CALL(read),
    CALL(readv),
    CALL(pread64),
    CALL(preadv),
    CALL(preadv2),
    CALL(write),
    CALL(writev),
    CALL(pwrite64),
    CALL(pwritev),
    CALL(pwritev2),
    CALL(lseek),
    CALL(open),
    CALL(openat),
    CALL(creat),
    CALL(close),
    CALL(close_range),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL(pipe),
    CALL(pipe2),
    CALL(fcntl),
    CALL(flock),
    CALL(ftruncate),
    CALL(truncate),
    CALL(fallocate),
    CALL(fadvise64),
    CALL(fsync),
    CALL(fdatasync),
    CALL(sync_file_range),
    CALL(splice),
    CALL(vmsplice),
    CALL(tee),
    CALL(sendfile),
    CALL(copy_file_range),
    CALL(stat),
    CALL(lstat),
    CALL(fstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(statfs),
    CALL(fstatfs),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(readlink),
    CALL(readlinkat),
    CALL(getdents64),
    CALL(getcwd),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(link),
    CALL(linkat),
    CALL(unlink),
    CALL(unlinkat),
    CALL(mkdir),
    CALL(umask),
    CALL(chmod),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(getxattr),
    CALL(fgetxattr),
    /* KVM, terminals. */
    CALL(ioctl),
    /* Who we are, for file names and terminals; nothing to change it. */
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(getpgrp),
    CALL(getpgid),
    CALL(getsid),
    /* Sockets: monitors, consoles, migration. */
    CALL(socket),
    CALL(socketpair),
    CALL(bind),
    CALL(listen),
    CALL(accept),
    CALL(accept4),
    CALL(connect),
    CALL(shutdown),
    CALL(getsockname),
    CALL(getpeername),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(sendmmsg),
    CALL(recvmmsg),
    /* Deep queues. */
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
};

static int add_rules(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < VMM_ARRAY_SIZE(allowed); i++) {
        int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* TSYNC: threads that run already get the filter too. */
static int load_filter(struct gw_error **errp)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r;

    if (!filter) {
        return gw_error_set_errno(errp, -ENOMEM, "system call filter");
    }
    r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0) {
        r = add_rules(filter);
    }
    if (r == 0) {
        r = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (r < 0) {
        return gw_error_set_errno(errp, r,
                                  "cannot filter system calls (--sandbox off "
                                  "runs without)");
    }
    return 0;
}

#else

static int load_filter(struct gw_error **errp)
{
    return 0;
}

#endif

bool vmm_sandbox_has_filter(void)
{
    return HAVE_FILTER;
}

int vmm_sandbox_enter(struct gw_error **errp)
{
    int r = drop_privileges(errp);

    if (r == 0) {
        r = load_filter(errp);
    }
    return gw_error_prefix(errp, r, "sandbox");
}

/*
 * The sandbox: what a process that entered it can and cannot do.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ram/write_scan.h"

/* Runs a check in a child in the sandbox; its status is the answer. */
static int in_sandbox(int (*check)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        _exit(vmm_sandbox_enter(NULL) < 0 ? 100 : check());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int has_no_new_privileges(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void test_sandbox__no_new_privileges(void **state)
{
    assert_int_equal(in_sandbox(has_no_new_privileges), 1);
}

static int cannot_do(void)
{
    char name[] = "false";
    char *argv[] = {name, NULL};

    if (execv("/bin/false", argv) == 0 || errno != EPERM) {
        return 1;
    }
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 || errno != EPERM) {
        return 2;
    }
    if (chroot("/") == 0 || errno != EPERM) {
        return 3;
    }
    if (setuid(getuid()) == 0 || errno != EPERM) {
        return 4;
    }
    return 0;
}

static void test_sandbox__refuses_what_a_vmm_never_does(void **state)
{
    int result = in_sandbox(cannot_do);

    /* Builds with sanitizers have no filter: then something gets through. */
    if (vmm_sandbox_has_filter()) {
        assert_int_equal(result, 0);
    } else {
        assert_int_not_equal(result, 0);
    }
}

static void *nothing(void *opaque)
{
    return opaque;
}

static int can_do(void)
{
    pthread_t thread;
    int fds[2];

    if (pthread_create(&thread, NULL, nothing, NULL) != 0 ||
        pthread_join(thread, NULL) != 0) {
        return 1;
    }
    if (open("/dev/null", O_RDWR) < 0 || eventfd(0, 0) < 0) {
        return 2;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) {
        return 3;
    }
    if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
        MAP_FAILED) {
        return 4;
    }
    return memfd_create("x", 0) < 0 ? 5 : 0;
}

static void test_sandbox__allows_what_it_does(void **state)
{
    assert_int_equal(in_sandbox(can_do), 0);
}

static int can_track(void)
{
    return gw_write_scan_probe(NULL) == 0 ? 0 : 1;
}

/* The accelerator thread finds written pages inside the sandbox, too. */
static void test_sandbox__allows_dirty_tracking(void **state)
{
    if (gw_write_scan_probe(NULL) < 0) {
        print_message("# no tracking by pagemap here\n");
        skip();
    }
    assert_int_equal(in_sandbox(can_track), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sandbox__no_new_privileges),
        cmocka_unit_test(test_sandbox__refuses_what_a_vmm_never_does),
        cmocka_unit_test(test_sandbox__allows_what_it_does),
        cmocka_unit_test(test_sandbox__allows_dirty_tracking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Sockets at a path: what was there before, and who has it afterwards.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "util.h"

static char folder[] = "/tmp/test-listener-XXXXXX";
static char path[sizeof(folder) + 8];

static int make_folder(void **state)
{
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(path);
    return rmdir(folder);
}

static bool can_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    VMM_AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static void test_listener__is_there_until_closed(void **state)
{
    struct vmm_listener listener;
    VMM_AUTO_FD int fd = -1;

    assert_int_equal(vmm_listener_open(&listener, path, 0, 1, NULL), 0);
    assert_int_equal(vmm_listener_accept(&listener), -1);
    assert_true(can_connect());
    fd = vmm_listener_accept(&listener);
    assert_true(fd >= 0);
    vmm_listener_close(&listener);
    assert_int_equal(access(path, F_OK), -1);
    /* Again, when it is closed. */
    vmm_listener_close(&listener);
    assert_int_equal(listener.fd, -1);
}

/* Two machines with the same command line, the second to go on with the
 * guest of the first, which ends then. */
static void test_listener__leaves_the_socket_of_another(void **state)
{
    struct vmm_listener first, second;

    assert_int_equal(vmm_listener_open(&first, path, 0, 1, NULL), 0);
    assert_int_equal(vmm_listener_open(&second, path, 0, 1, NULL), 0);
    vmm_listener_close(&first);
    assert_true(can_connect());
    vmm_listener_close(&second);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_listener__leaves_a_file(void **state)
{
    struct gw_error *error = NULL;
    struct vmm_listener listener;
    VMM_AUTO_FD int fd = open(path, O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    assert_int_equal(vmm_listener_open(&listener, path, 0, 1, &error),
                     -EADDRINUSE);
    assert_non_null(strstr(gw_error_text(error), "cannot listen on"));
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(listener.fd, -1);
    gw_error_free(error);
    unlink(path);
}

static void test_listener__path_too_long(void **state)
{
    struct gw_error *error = NULL;
    struct vmm_listener listener;
    char name[109] = "";

    /* 108 bytes with the NUL, by unix(7). */
    memset(name, 'x', 108);
    assert_int_equal(vmm_listener_open(&listener, name, 0, 1, &error),
                     -ENAMETOOLONG);
    assert_non_null(strstr(gw_error_text(error), "longer than 107 bytes"));
    gw_error_free(error);
    name[100] = '\0';
    assert_int_equal(vmm_listener_open(&listener, name, 8, 1, NULL),
                     -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listener__is_there_until_closed),
        cmocka_unit_test(test_listener__leaves_the_socket_of_another),
        cmocka_unit_test(test_listener__leaves_a_file),
        cmocka_unit_test(test_listener__path_too_long),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/*
 * HMP: lines and what they print. The texts were observed with QEMU 10.0.
 */
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/godwit.h>

#include "kit-monitor.h"

static int set_up(void **state)
{
    struct kit_box *b = calloc(1, sizeof(*b));

    *state = b;
    kit_box_init(b, &kit_box_still, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    struct kit_box *b = *state;

    kit_box_deinit(b);
    free(b);
    return 0;
}

static void expect(struct kit_box *b, const char *line, const char *expected)
{
    char *output = gw_hmp_execute(b->control, line);

    if (strcmp(output, expected) != 0) {
        fail_msg("'%s' prints '%s' and not '%s'", line, output, expected);
    }
    free(output);
}

/* A complaint, and the hint that follows it. */
static void expect_hint(struct kit_box *b, const char *line,
                        const char *complaint, const char *topic)
{
    char expected[256];

    snprintf(expected, sizeof(expected),
             "%s\nTry \"help %s\" for more information\n", complaint, topic);
    expect(b, line, expected);
}

static void test_hmp__lines_that_are_no_commands(void **state)
{
    struct kit_box *b = *state;

    expect(b, "", "");
    expect(b, "  ", "");
    expect(b, "bogus", "unknown command: 'bogus'\n");
    expect(b, "Info status", "unknown command: 'Info'\n");
    expect(b, "info bogus", "unknown command: 'info bogus'\n");
    expect(b, "info migrate;stop", "unknown command: 'info migrate;stop'\n");
    expect(b, "stop;cont", "unknown command: 'stop;cont'\n");
    expect(b, "help nosuch", "unknown command: 'nosuch'\n");
    expect(b, "help info nosuch", "unknown command: 'info nosuch'\n");
}

static void test_hmp__arguments(void **state)
{
    struct kit_box *b = *state;

    expect_hint(b, "migrate", "migrate: string expected", "migrate");
    expect_hint(b, "migrate -d", "migrate: string expected", "migrate");
    expect_hint(b, "migrate -x a", "migrate: unsupported option -x", "migrate");
    expect_hint(b, "migrate -b tcp:a:1", "migrate: unsupported option -b",
                "migrate");
    expect_hint(b, "migrate -i tcp:a:1", "migrate: unsupported option -i",
                "migrate");
    expect_hint(b, "migrate -d -d x", "migrate: unsupported option -d",
                "migrate");
    expect_hint(b, "migrate -dr a",
                "migrate: extraneous characters at the end of line", "migrate");
    expect_hint(b, "migrate 'foo bar'",
                "migrate: extraneous characters at the end of line", "migrate");
    expect_hint(b, "migrate \"a",
                "unterminated string\nmigrate: string expected", "migrate");
    expect_hint(b, "migrate \"a\\qb\"",
                "unsupported escape code: '\\q'\nmigrate: string expected",
                "migrate");
    expect_hint(b, "c x", "cont|c: extraneous characters at the end of line",
                "c");
    expect_hint(b, "info  status x",
                "status: extraneous characters at the end of line",
                "info status");
    expect(b, "migrate \"a\\\"b\\\\\\n\" ",
           "Error: unknown migration protocol: a\"b\\\n\n");
    expect(b, "migrate \"foo bar\"",
           "Error: unknown migration protocol: foo bar\n");
}

static void test_hmp__migrate(void **state)
{
    struct kit_box *b = *state;

    expect(b, "migrate -d -r tcp:a:1",
           "Error: Cannot resume if there is no paused migration\n");
    expect(b, "migrate -d file:/nosuch/y",
           "Error: Could not create '/nosuch/y': No such file or directory\n");
    expect(b, "info migrate",
           "globals:\nstore-global-state: on\nonly-migratable: off\n"
           "send-configuration: on\nsend-section-footer: on\n"
           "send-switchover-start: on\nclear-bitmap-shift: 18\n"
           "Migration status: failed (Could not create '/nosuch/y': No such "
           "file or directory)\n"
           "total time: 0 ms\n");
    expect(b, "migrate_continue foo", "Error: invalid parameter value: foo\n");
    expect(b, "migrate_continue active",
           "Error: Migration not in expected state: failed\n");
    expect(b, "migrate_incoming file:x",
           "Error: '-incoming' was not specified on the command line\n");
    expect(b, "migrate_cancel", "");
}

static void test_hmp__capabilities(void **state)
{
    struct kit_box *b = *state;

    expect_hint(b, "migrate_set_capability events", "Expected 'on' or 'off'",
                "migrate_set_capability");
    expect_hint(b, "migrate_set_capability events maybe",
                "Expected 'on' or 'off'", "migrate_set_capability");
    expect(b, "migrate_set_capability nosuch on",
           "Error: invalid parameter value: nosuch\n");
    expect(b, "migrate_set_capability xbzrle on",
           "Error: capability 'xbzrle' is not supported yet\n");
    expect(b, "migrate_set_capability xbzrle off", "");
    expect(b, "migrate_set_capability mapped-ram on", "");
    expect(b, "info migrate_capabilities",
           "xbzrle: off\nrdma-pin-all: off\nauto-converge: off\n"
           "zero-blocks: off\nevents: off\npostcopy-ram: off\nx-colo: off\n"
           "release-ram: off\nreturn-path: off\n"
           "pause-before-switchover: off\nmultifd: off\ndirty-bitmaps: off\n"
           "postcopy-blocktime: off\nlate-block-activate: off\n"
           "x-ignore-shared: off\nvalidate-uuid: off\n"
           "background-snapshot: off\nzero-copy-send: off\n"
           "postcopy-preempt: off\nswitchover-ack: off\ndirty-limit: off\n"
           "mapped-ram: on\n");
}

static void test_hmp__values_of_parameters(void **state)
{
    struct kit_box *b = *state;

    expect_hint(b, "migrate_set_parameter max-bandwidth",
                "migrate_set_parameter: string expected",
                "migrate_set_parameter");
    expect(b, "migrate_set_parameter nosuch 1",
           "Error: invalid parameter value: nosuch\n");
    expect(b, "migrate_set_parameter max_bandwidth 1",
           "Error: invalid parameter value: max_bandwidth\n");
    expect(b, "migrate_set_parameter max-bandwidth 1x",
           "Error: Invalid size 1x\n");
    expect(b, "migrate_set_parameter max-bandwidth -1",
           "Error: Invalid size -1\n");
    expect(b, "migrate_set_parameter downtime-limit x",
           "Error: Parameter 'downtime-limit' expects a non-negative number "
           "below 2^64\nOptional suffix k, M, G, T, P or E means kilo-, "
           "mega-, giga-, tera-, peta-\nand exabytes, respectively.\n");
    expect(b, "migrate_set_parameter downtime-limit -1",
           "Error: Value '-1' is out of range for parameter "
           "'downtime-limit'\n");
    expect(b, "migrate_set_parameter downtime-limit 2000001",
           "Error: Parameter 'downtime_limit' expects an integer in the range "
           "of 0 to (2000 * 1000) ms\n");
    expect(b, "migrate_set_parameter multifd-channels 1k",
           "Error: Parameter 'multifd-channels' expects uint64\n");
    expect(b, "migrate_set_parameter multifd-channels 300",
           "Error: Parameter 'multifd-channels' expects uint8_t\n");
    expect(b, "migrate_set_parameter multifd-channels 0x2", "");
    expect(b, "migrate_set_parameter mode cpr-exec",
           "Error: Parameter 'mode' does not accept value 'cpr-exec'\n");
    expect(b, "migrate_set_parameter direct-io TRUE",
           "Error: Parameter 'direct-io' expects 'on' or 'off'\n");
    expect(b, "migrate_set_parameter direct-io n", "");
    expect(b, "migrate_set_parameter block-bitmap-mapping 1",
           "Error: The block-bitmap-mapping parameter can only be set through "
           "QMP\n");
}

static void test_hmp__parameters_as_they_are(void **state)
{
    struct kit_box *b = *state;

    expect(b, "migrate_set_parameter max-bandwidth 64", "");
    expect(b, "migrate_set_parameter avail-switchover-bandwidth 64k", "");
    expect(b, "migrate_set_parameter downtime-limit 1k", "");
    expect(b, "info migrate_parameters",
           "announce-initial: 50 ms\nannounce-max: 550 ms\n"
           "announce-rounds: 5\nannounce-step: 100 ms\n"
           "throttle-trigger-threshold: 50\ncpu-throttle-initial: 20\n"
           "cpu-throttle-increment: 10\ncpu-throttle-tailslow: off\n"
           "max-cpu-throttle: 99\ntls-creds: ''\ntls-hostname: ''\n"
           "max-bandwidth: 67108864 bytes/second\n"
           "avail-switchover-bandwidth: 65536 bytes/second\n"
           "downtime-limit: 1024 ms\nx-checkpoint-delay: 20000 ms\n"
           "multifd-channels: 2\nmultifd-compression: none\n"
           "zero-page-detection: multifd\nxbzrle-cache-size: 67108864 bytes\n"
           "max-postcopy-bandwidth: 0\ntls-authz: ''\n"
           "x-vcpu-dirty-limit-period: 1000 ms\nvcpu-dirty-limit: 1 MB/s\n"
           "mode: normal\ndirect-io: off\n");
}

static void test_hmp__run_state(void **state)
{
    struct kit_box *b = *state;

    expect(b, "info status", "VM status: paused (prelaunch)\n");
    expect(b, "cont", "");
    expect(b, "info\tstatus", "VM status: running\n");
    expect(b, "s", "");
    expect(b, "info status", "VM status: paused\n");
    expect(b, "c", "");
    expect(b, "stop", "");
    expect(b, "q", "");
    expect(b, "info version", "10.0.2 (godwit 0.1.0)\n");
}

static void test_hmp__help(void **state)
{
    struct kit_box *b = *state;
    char *all = gw_hmp_execute(b->control, "help");

    assert_non_null(strstr(all, "migrate [-d] [-r] uri -- "));
    assert_non_null(strstr(all, "\nstop|s  -- "));
    free(all);
    expect(b, "? s", "stop|s  -- stop the guest\n");
    expect(b, "help info status",
           "info status  -- show whether the guest runs\n");
    expect(b, "help info",
           "info migrate  -- show the state of the migration\n"
           "info migrate_capabilities  -- show the migration capabilities\n"
           "info migrate_parameters  -- show the migration parameters\n"
           "info status  -- show whether the guest runs\n"
           "info version  -- show the version\n");
}

static void test_hmp__descriptors(void **state)
{
    struct kit_box *b = *state;

    expect(b, "getfd a", "Error: No file descriptor supplied via SCM_RIGHTS\n");
    expect(b, "closefd a", "Error: File descriptor named 'a' not found\n");
}

/* Types on the terminal until what it shows contains the text. */
static void type(int terminal, const char *keys, const char *expected)
{
    char shown[8192] = "";
    size_t size = 0;

    assert_int_equal(write(terminal, keys, strlen(keys)), strlen(keys));
    while (!strstr(shown, expected)) {
        struct pollfd output = {.fd = terminal, .events = POLLIN};
        ssize_t n;

        if (poll(&output, 1, 10000) != 1) {
            fail_msg("'%s' does not show '%s' but '%s'", keys, expected, shown);
        }
        n = read(terminal, shown + size, sizeof(shown) - 1 - size);
        assert_true(n > 0);
        size += (size_t)n;
        shown[size] = '\0';
    }
}

static void test_hmp__editing_on_a_terminal(void **state)
{
    struct kit_box *b = *state;
    int terminal, fd;

#ifndef GW_HAVE_LIBEDIT
    skip(); /* built without libedit */
#endif
    setenv("TERM", "vt100", 1);
    assert_int_equal(openpty(&terminal, &fd, NULL, NULL, NULL), 0);
    assert_int_equal(gw_hmp_attach(b->control, fd, fd, NULL), 0);
    type(terminal, "", "(godwit) ");
    /* Completion, then the line from the history again. */
    type(terminal, "info sta\t\n", "VM status: paused (prelaunch)");
    type(terminal, "cont\n", "(godwit) ");
    type(terminal, "\x1b[A\x1b[A\n", "VM status: running");
    type(terminal, "migrate_set_cap\tmapp\ton\ninfo migrate_cap\t\n",
         "mapped-ram: on");
    /* It ends while the terminal waits for input. */
    b->control = gw_control_free(b->control);
    close(terminal);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hmp__lines_that_are_no_commands),
        TEST(test_hmp__arguments),
        TEST(test_hmp__migrate),
        TEST(test_hmp__capabilities),
        TEST(test_hmp__values_of_parameters),
        TEST(test_hmp__parameters_as_they_are),
        TEST(test_hmp__run_state),
        TEST(test_hmp__help),
        TEST(test_hmp__descriptors),
        TEST(test_hmp__editing_on_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

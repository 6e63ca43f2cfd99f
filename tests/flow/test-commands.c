/*
 * Commands of the embedder's in QMP and HMP, and a machine that is reset. The
 * texts about arguments were observed with QEMU 10.0's `balloon`.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <godwit/godwit.h>

#include "kit-monitor.h"

struct world {
    struct kit_box box;
    struct kit_client client;
    char calls[256];   /* what was called, in order */
    atomic_int result; /* of resets and commands; read by the monitor */
};

static void note(struct world *w, const char *call)
{
    size_t len = strlen(w->calls);

    snprintf(w->calls + len, sizeof(w->calls) - len, "%s ", call);
}

static int do_pause(void *opaque, struct gw_error **errp)
{
    (void)errp;
    note(opaque, "pause");
    return 0;
}

static int do_resume(void *opaque, struct gw_error **errp)
{
    (void)errp;
    note(opaque, "resume");
    return 0;
}

static const struct gw_machine_ops machine_ops = {.pause = do_pause,
                                                  .resume = do_resume};

static int do_reset(void *opaque, struct gw_error **errp)
{
    struct world *w = opaque;

    note(w, "reset");
    return w->result < 0 ? gw_error_set(errp, w->result, "no kernel") : 0;
}

static void on_event(void *opaque, const struct gw_event *event)
{
    static const char *const names[] = {
        [GW_EVENT_STOP] = "STOP",
        [GW_EVENT_RESUME] = "RESUME",
        [GW_EVENT_RESET] = "RESET",
    };

    note(opaque, names[event->type]);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    kit_client_init(&w->client, -1);
    kit_box_init(&w->box, &machine_ops, NULL, w);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kit_box_deinit(&w->box);
    kit_client_deinit(&w->client);
    free(w);
    return 0;
}

/* ---- commands ---- */

static int run_memory(void *opaque, const struct gw_value *values,
                      struct gw_reply *reply, struct gw_error **errp)
{
    struct world *w = opaque;

    if (w->result < 0) {
        return gw_error_set_class(errp, GW_ERROR_DEVICE_NOT_ACTIVE, w->result,
                                  "No balloon device has been activated");
    }
    gw_reply_json(reply, "{\"old\": 1}");
    gw_reply_json(reply, "{\"value\": %" PRId64 "}", values[0].integer);
    gw_reply_text(reply, "value=%" PRId64 "\n", values[0].integer);
    gw_reply_text(reply, "that is all\n");
    return 0;
}

static int run_all(void *opaque, const struct gw_value *values,
                   struct gw_reply *reply, struct gw_error **errp)
{
    (void)opaque;
    (void)errp;
    gw_reply_json(reply, "{\"text\": \"%s\", \"flag\": %s, \"n\": %" PRId64 "}",
                  values[0].string, values[1].boolean ? "true" : "false",
                  values[2].given ? values[2].integer : 77);
    gw_reply_text(reply, "%s %d %" PRId64 "\n", values[0].string,
                  values[1].boolean, values[2].given ? values[2].integer : 77);
    return 0;
}

static int run_silent(void *opaque, const struct gw_value *values,
                      struct gw_reply *reply, struct gw_error **errp)
{
    (void)opaque;
    (void)values;
    (void)reply;
    (void)errp;
    return 0;
}

static int run_nonsense(void *opaque, const struct gw_value *values,
                        struct gw_reply *reply, struct gw_error **errp)
{
    (void)opaque;
    (void)values;
    (void)errp;
    gw_reply_json(reply, "[");
    return 0;
}

static const struct gw_argument memory_arguments[] = {
    {.name = "value", .type = GW_ARGUMENT_MEMORY}};

static const struct gw_argument all_arguments[] = {
    {.name = "text", .type = GW_ARGUMENT_STRING},
    {.name = "flag", .type = GW_ARGUMENT_BOOL},
    {.name = "n", .type = GW_ARGUMENT_INT, .optional = true}};

static const struct gw_command commands[] = {
    {"balloon", "balloon", "target", "set the memory", memory_arguments, 1,
     run_memory},
    {"do-all", "info all", "text flag [n]", "show all", all_arguments, 3,
     run_all},
    {"silent", NULL, "", "", NULL, 0, run_silent},
    {NULL, "quiet", "", "say nothing", NULL, 0, run_silent},
    {"nonsense", NULL, "", "", NULL, 0, run_nonsense},
};

static void add(struct world *w)
{
    assert_int_equal(gw_control_add_commands(
                         w->box.control, commands,
                         sizeof(commands) / sizeof(commands[0]), w, NULL),
                     0);
}

static void expect(struct world *w, const char *line, const char *expected)
{
    char *output = gw_hmp_execute(w->box.control, line);

    if (strcmp(output, expected) != 0) {
        fail_msg("'%s' prints '%s' and not '%s'", line, output, expected);
    }
    free(output);
}

#define HINT "Try \"help balloon\" for more information\n"

static void test_added__lines_of_hmp(void **state)
{
    struct world *w = *state;

    expect(w, "balloon 1", "unknown command: 'balloon'\n");
    add(w);
    expect(w, "balloon 10", "value=10485760\nthat is all\n");
    expect(w, " balloon  0x10 ", "value=16777216\nthat is all\n");
    expect(w, "balloon +010", "value=8388608\nthat is all\n");
    expect(w, "balloon 8796093022207",
           "value=9223372036853727232\nthat is all\n");
    expect(w, "balloon 8796093022208", "number too large\n" HINT);
    expect(w, "balloon 99999999999999999999", "number too large\n" HINT);
    expect(w, "balloon", "unexpected end of expression\n" HINT);
    expect(w, "balloon x", "invalid char 'x' in expression\n" HINT);
    expect(w, "balloon \"10\"", "invalid char '\"' in expression\n" HINT);
    expect(w, "balloon +", "unexpected end of expression\n" HINT);
    expect(w, "balloon -x", "invalid char 'x' in expression\n" HINT);
    expect(w, "balloon -3", "enter a positive value\n" HINT);
    expect(w, "balloon 10x",
           "balloon: extraneous characters at the end of line\n" HINT);
    expect(w, "info all a on", "a 1 77\n");
    expect(w, "info all \"a b\" off -5", "a b 0 -5\n");
    expect(w, "info all a maybe",
           "Expected 'on' or 'off'\n"
           "Try \"help info all\" for more information\n");
    expect(w, "info all",
           "all: string expected\n"
           "Try \"help info all\" for more information\n");
    expect(w, "quiet", "");
    expect(w, "silent", "unknown command: 'silent'\n");
    w->result = -ENODEV;
    expect(w, "balloon 1", "Error: No balloon device has been activated\n");
}

static void test_added__help(void **state)
{
    struct world *w = *state;
    char *output;

    add(w);
    expect(w, "help balloon", "balloon target -- set the memory\n");
    expect(w, "help info all", "info all text flag [n] -- show all\n");
    expect(w, "help silent", "unknown command: 'silent'\n");
    output = gw_hmp_execute(w->box.control, "help");
    assert_non_null(strstr(output, "\nballoon target -- set the memory\n"));
    assert_null(strstr(output, "show all"));
    free(output);
    output = gw_hmp_execute(w->box.control, "info");
    assert_non_null(strstr(output, "info all text flag [n] -- show all\n"));
    assert_null(strstr(output, "balloon"));
    free(output);
}

/* What the monitor says to a request, or to nothing. */
static void ask(struct world *w, const char *request, const char *expected)
{
    const char *line;

    if (request) {
        kit_client_send(&w->client, request);
    }
    line = kit_client_receive(&w->client);
    assert_non_null(line);
    assert_non_null(strstr(line, expected));
}

static void test_added__requests_of_qmp(void **state)
{
    struct world *w = *state;

    add(w);
    kit_client_attach(&w->client, w->box.control);
    ask(w, NULL, "{\"QMP\"");
    ask(w, "{'execute':'balloon','arguments':{'value':1}}",
        "Expecting capabilities negotiation");
    ask(w, "{'execute':'qmp_capabilities'}", "{\"return\": {}}");
    ask(w, "{'execute':'balloon','arguments':{'value':1048576}}",
        "{\"return\": {\"value\": 1048576}}");
    ask(w, "{'execute':'balloon'}",
        "{\"class\": \"GenericError\", \"desc\": \"Parameter 'value' is "
        "missing\"}");
    ask(w, "{'execute':'balloon','arguments':{'value':'x'}}",
        "Invalid parameter type for 'value', expected: integer");
    ask(w, "{'execute':'balloon','arguments':{'value':1,'x':2}}",
        "Parameter 'x' is unexpected");
    ask(w, "{'execute':'do-all','arguments':{'text':'t','flag':true}}",
        "{\"return\": {\"text\": \"t\", \"flag\": true, \"n\": 77}}");
    ask(w, "{'execute':'do-all','arguments':{'text':'t','flag':1}}",
        "Invalid parameter type for 'flag', expected: boolean");
    ask(w, "{'execute':'silent'}", "{\"return\": {}}");
    ask(w, "{'execute':'quiet'}", "The command quiet has not been found");
    ask(w, "{'execute':'nonsense'}",
        "the answer of nonsense is no JSON object");
    ask(w, "{'execute':'query-commands'}", "{\"name\": \"do-all\"}");
    ask(w,
        "{'execute':'human-monitor-command','arguments':{'command-line':"
        "'balloon 1'}}",
        "{\"return\": \"value=1048576\\r\\nthat is all\\r\\n\"}");
    w->result = -ENODEV;
    ask(w, "{'execute':'balloon','arguments':{'value':1}}",
        "{\"class\": \"DeviceNotActive\", \"desc\": \"No balloon device has "
        "been activated\"}");
}

static void refuse(struct world *w, const struct gw_command *command, int code,
                   const char *text)
{
    struct gw_error *error = NULL;

    assert_int_equal(
        gw_control_add_commands(w->box.control, command, 1, w, &error), code);
    assert_string_equal(gw_error_text(error), text);
    gw_error_free(error);
}

static void test_added__what_is_refused(void **state)
{
    static const struct gw_command bad[] = {
        {"stop", NULL, "", "", NULL, 0, run_silent},
        {"new", "info status", "", "", NULL, 0, run_silent},
        {"new", "c", "", "", NULL, 0, run_silent},
        {"balloon", NULL, "", "", NULL, 0, run_silent},
        {"qmp_capabilities", NULL, "", "", NULL, 0, run_silent},
        {NULL, NULL, "", "", NULL, 0, run_silent},
        {"many", NULL, "", "", all_arguments, GW_ARGUMENTS_MAX + 1, run_silent},
        {"new", NULL, "", "", NULL, 0, run_silent},
    };
    struct world *w = *state;

    add(w);
    refuse(w, &bad[0], -EEXIST, "there is a command 'stop' already");
    refuse(w, &bad[1], -EEXIST, "there is a command 'new' already");
    refuse(w, &bad[2], -EEXIST, "there is a command 'new' already");
    refuse(w, &bad[3], -EEXIST, "there is a command 'balloon' already");
    refuse(w, &bad[4], -EEXIST,
           "there is a command 'qmp_capabilities' already");
    refuse(w, &bad[5], -EINVAL,
           "command '' with 0 arguments, expected a name and at most 4");
    refuse(w, &bad[6], -EINVAL,
           "command 'many' with 5 arguments, expected a name and at most 4");
    kit_client_attach(&w->client, w->box.control);
    refuse(w, &bad[7], -EBUSY,
           "commands are added before monitors are attached");
}

/* ---- events and resets ---- */

#define DATA_OF_RESET "{\"guest\": true, \"reason\": \"guest-reset\"}"

static void test_events__of_the_machine(void **state)
{
    const struct gw_event events[] = {
        {.type = GW_EVENT_POWERDOWN},
        {.type = GW_EVENT_RESET, .guest = true, .reason = "guest-reset"},
        {.type = GW_EVENT_BALLOON_CHANGE, .actual_bytes = 1048576},
    };
    static const char *const expected[] = {
        "\"event\": \"POWERDOWN\"}",
        "\"event\": \"RESET\", \"data\": " DATA_OF_RESET "}",
        "\"event\": \"BALLOON_CHANGE\", \"data\": {\"actual\": 1048576}}",
    };
    struct world *w = *state;
    size_t i;

    kit_client_attach(&w->client, w->box.control);
    ask(w, NULL, "{\"QMP\"");
    ask(w, "{'execute':'qmp_capabilities'}", "{\"return\": {}}");
    for (i = 0; i < 3; i++) {
        gw_machine_emit(w->box.machine, &events[i]);
        ask(w, NULL, expected[i]);
    }
}

static int reset(struct world *w, struct gw_error **errp)
{
    w->calls[0] = '\0';
    return gw_machine_reset(w->box.machine, "guest-reset", true, do_reset, w,
                            errp);
}

static void test_reset__of_a_guest_that_runs(void **state)
{
    struct world *w = *state;

    assert_int_equal(gw_machine_cont(w->box.machine, NULL), 0);
    assert_int_equal(gw_machine_add_listener(w->box.machine, on_event, w), 0);
    assert_int_equal(reset(w, NULL), 0);
    assert_string_equal(w->calls, "pause RESET reset resume ");
    assert_int_equal(gw_machine_run_state(w->box.machine),
                     GW_RUN_STATE_RUNNING);
    gw_machine_remove_listener(w->box.machine, on_event, w);
}

static void test_reset__of_a_machine_that_stands(void **state)
{
    static const enum gw_run_state ended[] = {GW_RUN_STATE_SHUTDOWN,
                                              GW_RUN_STATE_INTERNAL_ERROR};
    struct world *w = *state;
    size_t i;

    assert_int_equal(gw_machine_add_listener(w->box.machine, on_event, w), 0);
    assert_int_equal(reset(w, NULL), 0);
    assert_string_equal(w->calls, "RESET reset ");
    assert_int_equal(gw_machine_run_state(w->box.machine),
                     GW_RUN_STATE_PRELAUNCH);
    for (i = 0; i < 2; i++) {
        assert_int_equal(gw_machine_cont(w->box.machine, NULL), 0);
        gw_machine_guest_stopped(w->box.machine, ended[i]);
        assert_int_equal(gw_machine_cont(w->box.machine, NULL), -EINVAL);
        assert_int_equal(reset(w, NULL), 0);
        assert_string_equal(w->calls, "RESET reset ");
        assert_int_equal(gw_machine_run_state(w->box.machine),
                         GW_RUN_STATE_PRELAUNCH);
    }
    assert_int_equal(gw_machine_cont(w->box.machine, NULL), 0);
    gw_machine_remove_listener(w->box.machine, on_event, w);
}

static void test_reset__while_a_guest_is_to_come(void **state)
{
    struct world *w = *state;

    assert_int_equal(gw_machine_add_listener(w->box.machine, on_event, w), 0);
    assert_int_equal(gw_machine_expect_incoming(w->box.machine, NULL), 0);
    assert_int_equal(reset(w, NULL), 0);
    assert_string_equal(w->calls, "RESET ");
    assert_int_equal(gw_machine_run_state(w->box.machine),
                     GW_RUN_STATE_INMIGRATE);
    gw_machine_remove_listener(w->box.machine, on_event, w);
}

static void test_reset__that_fails(void **state)
{
    struct world *w = *state;
    struct gw_error *error = NULL;

    assert_int_equal(gw_machine_cont(w->box.machine, NULL), 0);
    assert_int_equal(gw_machine_add_listener(w->box.machine, on_event, w), 0);
    w->result = -ENOENT;
    assert_int_equal(reset(w, &error), -ENOENT);
    assert_string_equal(gw_error_text(error),
                        "cannot reset the machine: no kernel");
    gw_error_free(error);
    assert_string_equal(w->calls, "pause RESET reset STOP ");
    assert_int_equal(gw_machine_run_state(w->box.machine),
                     GW_RUN_STATE_INTERNAL_ERROR);
    /* The next one may go well. */
    w->result = 0;
    assert_int_equal(reset(w, NULL), 0);
    assert_int_equal(gw_machine_run_state(w->box.machine),
                     GW_RUN_STATE_PRELAUNCH);
    gw_machine_remove_listener(w->box.machine, on_event, w);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_added__lines_of_hmp),
        TEST(test_added__help),
        TEST(test_added__requests_of_qmp),
        TEST(test_added__what_is_refused),
        TEST(test_events__of_the_machine),
        TEST(test_reset__of_a_guest_that_runs),
        TEST(test_reset__of_a_machine_that_stands),
        TEST(test_reset__while_a_guest_is_to_come),
        TEST(test_reset__that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

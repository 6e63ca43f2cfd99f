/*
 * QMP and HMP on descriptors, with real migrations behind them: transcripts
 * of QEMU 10.0, as far as built, and clients that misbehave.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/godwit.h>

#include "kit-monitor.h"

/* A machine with a control object and one QMP client. */
struct world {
    struct kit_box box;
    struct kit_client client;
    int n_quits;               /* calls of ops->quit */
    char incoming_failed[256]; /* what ops->incoming_failed was given */
};

static void do_quit(void *opaque)
{
    struct world *w = opaque;

    w->n_quits++;
}

static void do_incoming_failed(void *opaque, const struct gw_error *error)
{
    struct world *w = opaque;

    snprintf(w->incoming_failed, sizeof(w->incoming_failed), "%s",
             gw_error_text(error));
}

static const struct gw_control_ops control_ops = {
    .quit = do_quit, .incoming_failed = do_incoming_failed};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    kit_box_init(&w->box, &kit_box_still, &control_ops, w);
    kit_client_attach(&w->client, w->box.control);
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

static void send_text(struct world *w, const char *text)
{
    kit_client_send(&w->client, text);
}

static char *receive_line(struct world *w)
{
    return kit_client_receive(&w->client);
}

/* Removes the time, which a test cannot know, after looking at its form. */
static void strip_timestamp(char *line)
{
    static const char start[] = "{\"timestamp\": {";
    long long seconds;
    int microseconds;
    int n = 0;

    if (strncmp(line, start, strlen(start)) != 0) {
        return;
    }
    assert_int_equal(sscanf(line,
                            "{\"timestamp\": {\"seconds\": %lld, "
                            "\"microseconds\": %d}, %n",
                            &seconds, &microseconds, &n),
                     2);
    assert_in_range(microseconds, 0, 999999);
    memmove(line + 1, line + n, strlen(line + n) + 1);
}

static void expect(struct world *w, const char *expected)
{
    char *line = receive_line(w);

    if (!line) {
        fail_msg("nothing comes where '%s' was expected", expected);
    }
    strip_timestamp(line);
    assert_string_equal(line, expected);
}

static void ask(struct world *w, const char *request, const char *expected)
{
    send_text(w, request);
    expect(w, expected);
}

#define EMPTY "{\"return\": {}}"
#define ERROR(text) \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" text "\"}}"
#define NOT_FOUND(text) \
    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"" text "\"}}"
#define EVENT(name) "{\"event\": \"" name "\"}"
#define STATUS(name) \
    "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" name "\"}}"
#define PASS(number) \
    "{\"event\": \"MIGRATION_PASS\", \"data\": {\"pass\": " number "}}"

static void negotiate(struct world *w)
{
    expect(w, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": "
              "0, \"micro\": 2}, \"package\": \"godwit 0.1.0\"}, "
              "\"capabilities\": []}}");
    ask(w, "{\"execute\": \"qmp_capabilities\"}", EMPTY);
}

static void enable(struct world *w, const char *capability)
{
    char request[256];

    snprintf(request, sizeof(request),
             "{'execute': 'migrate-set-capabilities', 'arguments': "
             "{'capabilities': [{'capability': '%s', 'state': true}]}}",
             capability);
    ask(w, request, EMPTY);
}

static void test_qmp__negotiation(void **state)
{
    struct world *w = *state;

    expect(w, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": "
              "0, \"micro\": 2}, \"package\": \"godwit 0.1.0\"}, "
              "\"capabilities\": []}}");
    ask(w, "{'execute':'query-status','id':1}",
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Expecting "
        "capabilities negotiation with 'qmp_capabilities'\"}, \"id\": 1}");
    ask(w, "{'execute':'qmp_capabilities','arguments':{'enable':['foo']}}",
        ERROR("Parameter 'null' does not accept value 'foo'"));
    ask(w, "{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}",
        ERROR("Capability oob not available"));
    ask(w, "{'execute':'qmp_capabilities','arguments':{'enable':5}}",
        ERROR("Invalid parameter type for 'enable', expected: array"));
    ask(w, "{'execute':'qmp_capabilities','arguments':{'x':5}}",
        ERROR("Parameter 'x' is unexpected"));
    ask(w, "{'execute':'qmp_capabilities','id':'z'}",
        "{\"return\": {}, \"id\": \"z\"}");
    ask(w, "{'execute':'qmp_capabilities'}",
        NOT_FOUND("Capabilities negotiation is already complete, command "
                  "ignored"));
    ask(w, "{'execute':'query-status'}",
        "{\"return\": {\"status\": \"prelaunch\", \"running\": false}}");
}

static void test_qmp__shapes_of_requests(void **state)
{
    struct world *w = *state;

    negotiate(w);
    ask(w, "[]", ERROR("QMP input must be a JSON object"));
    ask(w, "{}", ERROR("QMP input lacks member 'execute'"));
    ask(w, "{'execute':1}",
        ERROR("QMP input member 'execute' must be a string"));
    ask(w, "{'exec-oob':'query-status'}",
        ERROR("QMP input member 'exec-oob' is unexpected"));
    ask(w, "{'execute':'query-status','arguments':[]}",
        ERROR("QMP input member 'arguments' must be an object"));
    ask(w, "{'execute':'query-status','foo':1}",
        ERROR("QMP input member 'foo' is unexpected"));
    ask(w, "{'execute':'query-status','arguments':{'x':1}}",
        ERROR("Parameter 'x' is unexpected"));
    ask(w, "{'execute':'nos\\u00e9'}",
        NOT_FOUND("The command nos\\u00E9 has not been found"));
    ask(w, "{'execute'\x01", ERROR("JSON parse error, stray '\\u0001'"));
    /* Two requests in one go, with identities of any type. */
    send_text(w, "{'execute':'query-version','id':[1,null]}"
                 "{'execute':'stop','id':{}}");
    expect(w, "{\"return\": {\"qemu\": {\"major\": 10, \"minor\": 0, "
              "\"micro\": 2}, \"package\": \"godwit 0.1.0\"}, \"id\": [1, "
              "null]}");
    expect(w, "{\"return\": {}, \"id\": {}}");
}

static void test_qmp__arguments_are_checked_first(void **state)
{
    struct world *w = *state;

    negotiate(w);
    ask(w, "{'execute':'migrate'}",
        ERROR("need either 'uri' or 'channels' argument"));
    ask(w, "{'execute':'migrate','arguments':{'channels':[]}}",
        ERROR("need either 'uri' or 'channels' argument"));
    ask(w, "{'execute':'migrate','arguments':{'uri':1}}",
        ERROR("Invalid parameter type for 'uri', expected: string"));
    ask(w, "{'execute':'migrate','arguments':{'uri':'a','blk':true}}",
        ERROR("Parameter 'blk' is unexpected"));
    ask(w, "{'execute':'migrate','arguments':{'channels':[{}]}}",
        ERROR("Parameter 'channels[0].channel-type' is missing"));
    ask(w,
        "{'execute':'migrate','arguments':{'channels':[{'channel-type':'main',"
        "'addr':{'transport':'file','filename':'a'}}]}}",
        ERROR("Parameter 'channels[0].addr.offset' is missing"));
    ask(w,
        "{'execute':'migrate','arguments':{'channels':[{'channel-type':'main',"
        "'addr':{'transport':'exec','args':[]}}]}}",
        ERROR("Parameter 'channels[0].addr.args' expects a command"));
    ask(w, "{'execute':'migrate','arguments':{'uri':'foo:bar'}}",
        ERROR("unknown migration protocol: foo:bar"));
    ask(w, "{'execute':'migrate','arguments':{'uri':'file:a','resume':true}}",
        ERROR("Cannot resume if there is no paused migration"));
    ask(w, "{'execute':'migrate-incoming','arguments':{'uri':'file:a'}}",
        ERROR("'-incoming' was not specified on the command line"));
    ask(w, "{'execute':'migrate-continue','arguments':{'state':'x'}}",
        ERROR("Parameter 'state' does not accept value 'x'"));
    ask(w, "{'execute':'migrate-continue','arguments':{'state':'active'}}",
        ERROR("Migration not in expected state: none"));
    ask(w, "{'execute':'query-migrate'}", EMPTY);
    ask(w, "{'execute':'migrate_cancel'}", EMPTY);
}

static void test_qmp__parameters(void **state)
{
    struct world *w = *state;

    negotiate(w);
    ask(w,
        "{'execute':'migrate-set-parameters','arguments':{"
        "'max-bandwidth':'1'}}",
        ERROR("Parameter 'max-bandwidth' expects uint64"));
    ask(w,
        "{'execute':'migrate-set-parameters','arguments':{"
        "'multifd-channels':256}}",
        ERROR("Parameter 'multifd-channels' expects uint8_t"));
    ask(w,
        "{'execute':'migrate-set-parameters','arguments':{"
        "'tls-creds':1}}",
        ERROR("Invalid parameter type for 'tls-creds', expected: StrOrNull"));
    /* All or none. */
    ask(w,
        "{'execute':'migrate-set-parameters','arguments':{"
        "'max-bandwidth':5,'downtime-limit':2000001}}",
        ERROR("Parameter 'downtime_limit' expects an integer in the range of "
              "0 to (2000 * 1000) ms"));
    ask(w,
        "{'execute':'migrate-set-parameters','arguments':{"
        "'tls-creds':null,'downtime-limit':77,'max-bandwidth':0}}",
        EMPTY);
    ask(w,
        "{'execute':'migrate-set-parameters','arguments':{"
        "'max-cpu-throttle':50}}",
        ERROR("parameter 'max-cpu-throttle' is not supported yet and can only "
              "be left at its default"));
    ask(w, "{'execute':'query-migrate-parameters'}",
        "{\"return\": {\"announce-initial\": 50, \"announce-max\": 550, "
        "\"announce-rounds\": 5, \"announce-step\": 100, "
        "\"throttle-trigger-threshold\": 50, \"cpu-throttle-initial\": 20, "
        "\"cpu-throttle-increment\": 10, \"cpu-throttle-tailslow\": false, "
        "\"max-cpu-throttle\": 99, \"tls-creds\": \"\", \"tls-hostname\": "
        "\"\", \"tls-authz\": \"\", \"max-bandwidth\": 0, "
        "\"avail-switchover-bandwidth\": 0, \"downtime-limit\": 77, "
        "\"x-checkpoint-delay\": 20000, \"multifd-channels\": 2, "
        "\"multifd-compression\": \"none\", \"multifd-zlib-level\": 1, "
        "\"multifd-zstd-level\": 1, \"multifd-qatzip-level\": 1, "
        "\"xbzrle-cache-size\": 67108864, \"max-postcopy-bandwidth\": 0, "
        "\"x-vcpu-dirty-limit-period\": 1000, \"vcpu-dirty-limit\": 1, "
        "\"mode\": \"normal\", \"zero-page-detection\": \"multifd\", "
        "\"direct-io\": false}}");
}

static void test_qmp__capabilities(void **state)
{
    struct world *w = *state;
    const char *line;

    negotiate(w);
    ask(w,
        "{'execute':'migrate-set-capabilities','arguments':{'capabilities':"
        "[{'capability':'nosuch','state':true}]}}",
        ERROR("Parameter 'capability' does not accept value 'nosuch'"));
    ask(w,
        "{'execute':'migrate-set-capabilities','arguments':{'capabilities':"
        "[{'capability':'events'}]}}",
        ERROR("Parameter 'capabilities[0].state' is missing"));
    ask(w,
        "{'execute':'migrate-set-capabilities','arguments':{'capabilities':"
        "[{'capability':'mapped-ram','state':true},"
        "{'capability':'auto-converge','state':true}]}}",
        ERROR("capability 'auto-converge' is not supported yet"));
    send_text(w, "{'execute':'query-migrate-capabilities'}");
    line = receive_line(w);
    assert_non_null(
        strstr(line, "{\"capability\": \"mapped-ram\", \"state\": false}"));
    enable(w, "mapped-ram");
    send_text(w, "{'execute':'query-migrate-capabilities'}");
    line = receive_line(w);
    assert_non_null(
        strstr(line, "{\"capability\": \"mapped-ram\", \"state\": true}"));
}

static void test_qmp__stop_and_cont(void **state)
{
    struct world *w = *state;

    negotiate(w);
    send_text(w, "{'execute':'cont'}");
    expect(w, EVENT("RESUME"));
    expect(w, EMPTY);
    ask(w, "{'execute':'query-status'}",
        "{\"return\": {\"status\": \"running\", \"running\": true}}");
    send_text(w, "{'execute':'stop'}");
    expect(w, EVENT("STOP"));
    expect(w, EMPTY);
    ask(w, "{'execute':'stop'}", EMPTY);
    ask(w, "{'execute':'query-status'}",
        "{\"return\": {\"status\": \"paused\", \"running\": false}}");
}

static void test_qmp__quit(void **state)
{
    struct world *w = *state;

    negotiate(w);
    send_text(w, "{'execute':'quit'}");
    expect(w, "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, "
              "\"reason\": \"host-qmp-quit\"}}");
    expect(w, EMPTY);
    assert_int_equal(w->n_quits, 1);
}

/* Leaves the world with a fresh machine that waits for what was saved. */
static void begin_destination(struct world *w)
{
    kit_box_end(&w->box);
    kit_client_deinit(&w->client);
    kit_box_begin(&w->box);
    assert_int_equal(gw_control_incoming(w->box.control, "defer", NULL), 0);
    kit_client_attach(&w->client, w->box.control);
    negotiate(w);
}

static void migrate(struct world *w, const char *command)
{
    char request[256];

    snprintf(request, sizeof(request),
             "{\"execute\": \"%s\", \"arguments\": {\"uri\": \"file:%s\"}}",
             command, w->box.path);
    send_text(w, request);
}

/* The transcript of a mapped-ram save of a stopped VM, and its restore. */
static void test_qmp__save_and_restore(void **state)
{
    struct world *w = *state;
    const char *line;

    negotiate(w);
    enable(w, "events");
    enable(w, "mapped-ram");
    memset(gw_ram_block_host(w->box.ram), 0x5a, 4096);
    migrate(w, "migrate");
    expect(w, STATUS("setup"));
    expect(w, EMPTY);
    expect(w, PASS("1"));
    expect(w, STATUS("active"));
    expect(w, STATUS("device"));
    expect(w, PASS("2"));
    expect(w, STATUS("completed"));
    line = kit_client_ask(&w->client, "{'execute':'query-migrate'}");
    assert_non_null(strstr(line, "\"status\": \"completed\""));
    assert_non_null(strstr(line, "\"downtime\": "));
    assert_non_null(strstr(line, "\"setup-time\": "));
    assert_non_null(strstr(line, "\"total-time\": "));
    assert_non_null(strstr(line, "\"remaining\": 0"));
    assert_non_null(strstr(line, "\"normal\": 1,"));
    assert_non_null(strstr(line, "\"total\": 1048576"));
    assert_null(strstr(line, "expected-downtime"));
    ask(w, "{'execute':'query-status'}",
        "{\"return\": {\"status\": \"postmigrate\", \"running\": false}}");

    begin_destination(w);
    enable(w, "events");
    enable(w, "mapped-ram");
    ask(w, "{'execute':'query-status'}",
        "{\"return\": {\"status\": \"inmigrate\", \"running\": false}}");
    migrate(w, "migrate-incoming");
    expect(w, STATUS("setup"));
    expect(w, EMPTY);
    expect(w, STATUS("active"));
    expect(w, STATUS("completed"));
    ask(w, "{'execute':'query-migrate'}",
        "{\"return\": {\"status\": \"completed\"}}");
    ask(w, "{'execute':'query-status'}",
        "{\"return\": {\"status\": \"prelaunch\", \"running\": false}}");
    assert_int_equal(((uint8_t *)gw_ram_block_host(w->box.ram))[4095], 0x5a);
    migrate(w, "migrate-incoming");
    expect(w, ERROR("The incoming migration has already been started"));
    send_text(w, "{'execute':'cont'}");
    expect(w, EVENT("RESUME"));
    expect(w, EMPTY);
}

static void test_qmp__a_bad_path_fails_at_once(void **state)
{
    struct world *w = *state;

    negotiate(w);
    enable(w, "events");
    send_text(w, "{'execute':'migrate','arguments':{'uri':'file:/nosuch/y'}}");
    expect(w, STATUS("setup"));
    expect(w, STATUS("failed"));
    expect(w, ERROR("Could not create '/nosuch/y': No such file or "
                    "directory"));
    ask(w, "{'execute':'query-migrate'}",
        "{\"return\": {\"status\": \"failed\", \"error-desc\": \"Could not "
        "create '/nosuch/y': No such file or directory\"}}");
    /* A new one starts from scratch. */
    migrate(w, "migrate");
    expect(w, STATUS("setup"));
    begin_destination(w);
}

static void test_qmp__blockers_are_told(void **state)
{
    struct world *w = *state;
    struct gw_blocker *blocker =
        gw_machine_block(w->box.machine, "it is glued");

    negotiate(w);
    ask(w, "{'execute':'query-migrate'}",
        "{\"return\": {\"blocked-reasons\": [\"it is glued\"]}}");
    migrate(w, "migrate");
    expect(w, ERROR("it is glued"));
    gw_machine_unblock(w->box.machine, blocker);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_qmp__a_bad_stream_fails_and_bars_the_guest(void **state)
{
    struct world *w = *state;
    const char *line;

    begin_destination(w);
    /* What cannot be opened may be tried again. */
    ask(w, "{'execute':'migrate-incoming','arguments':{'uri':'file:/nosuch'}}",
        ERROR("Could not open '/nosuch': No such file or directory"));
    write_file(w->box.path, "this is no migration stream at all");
    migrate(w, "migrate-incoming");
    expect(w, EMPTY);
    kit_client_await_migration(&w->client, "failed");
    line = kit_client_ask(&w->client, "{'execute':'query-migrate'}");
    assert_non_null(strstr(line, "\"error-desc\": \"load of migration failed: "
                                 "Invalid argument"));
    ask(w, "{'execute':'query-status'}",
        "{\"return\": {\"status\": \"inmigrate\", \"running\": false}}");
    /* exit-on-error is the default. */
    kit_box_end(&w->box);
    assert_memory_equal(w->incoming_failed, "load of migration failed: ", 26);
}

static void test_qmp__descriptors_by_name(void **state)
{
    struct world *w = *state;
    int fd = open(w->box.path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    negotiate(w);
    ask(w, "{'execute':'getfd','arguments':{'fdname':'m'}}",
        ERROR("No file descriptor supplied via SCM_RIGHTS"));
    kit_client_send_fd(&w->client,
                       "{'execute':'getfd','arguments':{'fdname':'1m'}}", fd);
    expect(w, ERROR("Parameter 'fdname' expects a name not starting with a "
                    "digit"));
    ask(w, "{'execute':'getfd','arguments':{'fdname':'m'}}",
        ERROR("No file descriptor supplied via SCM_RIGHTS"));
    kit_client_send_fd(&w->client,
                       "{'execute':'getfd','arguments':{'fdname':'m'}}", fd);
    expect(w, EMPTY);
    ask(w, "{'execute':'closefd','arguments':{'fdname':'m'}}", EMPTY);
    ask(w, "{'execute':'closefd','arguments':{'fdname':'m'}}",
        ERROR("File descriptor named 'm' not found"));
    ask(w, "{'execute':'migrate','arguments':{'uri':'fd:m'}}",
        ERROR("File descriptor named 'm' has not been found"));
    kit_client_send_fd(&w->client,
                       "{'execute':'getfd','arguments':{'fdname':'m'}}", fd);
    expect(w, EMPTY);
    ask(w, "{'execute':'migrate','arguments':{'uri':'fd:m'}}", EMPTY);
    kit_client_await_migration(&w->client, "completed");
    assert_true(lseek(fd, 0, SEEK_END) > 100);
    close(fd);
}

static void test_qmp__human_commands(void **state)
{
    struct world *w = *state;

    negotiate(w);
    ask(w,
        "{'execute':'human-monitor-command','arguments':{'command-line':"
        "'info status'}}",
        "{\"return\": \"VM status: paused (prelaunch)\\r\\n\"}");
    ask(w,
        "{'execute':'human-monitor-command','arguments':{'command-line':"
        "'bogus'}}",
        "{\"return\": \"unknown command: 'bogus'\\r\\n\"}");
    ask(w,
        "{'execute':'human-monitor-command','arguments':{'command-line':"
        "'stop','cpu-index':5}}",
        ERROR("Parameter 'cpu-index' expects a CPU number"));
    ask(w,
        "{'execute':'human-monitor-command','arguments':{'command-line':"
        "'migrate -\xc3\xa9 x'}}",
        "{\"return\": \"migrate: unsupported option -?\\r\\nTry \\\"help "
        "migrate\\\" for more information\\r\\n\"}");
}

static void test_qmp__query_commands(void **state)
{
    static const char *const names[] = {
        "qmp_capabilities",
        "query-version",
        "query-status",
        "query-commands",
        "stop",
        "cont",
        "quit",
        "migrate",
        "migrate-incoming",
        "migrate-set-capabilities",
        "query-migrate-capabilities",
        "migrate-set-parameters",
        "query-migrate-parameters",
        "query-migrate",
        "migrate_cancel",
        "migrate-continue",
        "getfd",
        "closefd",
        "add-fd",
        "remove-fd",
        "query-fdsets",
        "human-monitor-command",
    };
    struct world *w = *state;
    const char *line;
    size_t i;

    negotiate(w);
    send_text(w, "{'execute':'query-commands'}");
    line = receive_line(w);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char entry[64];

        snprintf(entry, sizeof(entry), "{\"name\": \"%s\"}", names[i]);
        assert_non_null(strstr(line, entry));
    }
}

/* The session reads no further while nobody takes its answers. */
static void test_qmp__a_client_that_does_not_read(void **state)
{
    static const char request[] = "{'execute':'query-migrate-parameters'}";
    struct world *w = *state;
    struct pollfd output = {.fd = w->client.fd, .events = POLLOUT};
    size_t n_sent = 0;
    int i;

    negotiate(w);
    /* In the end the socket is full in both directions, and that is all. */
    while (poll(&output, 1, 200) == 1) {
        if (send(w->client.fd, request, strlen(request),
                 MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
            break;
        }
        n_sent++;
        assert_true(n_sent < 1000000);
    }
    /* The machine does not wait for this client. */
    for (i = 0; i < 100; i++) {
        assert_int_equal(gw_machine_cont(w->box.machine, NULL), 0);
        assert_int_equal(gw_machine_stop(w->box.machine, NULL), 0);
    }
}

/* Events cannot wait: a client that lets them pile up is dropped. */
static void test_qmp__a_client_that_lets_events_pile_up(void **state)
{
    struct world *w = *state;
    char more;
    int i;

    negotiate(w);
    /* An event has more than 64 bytes: together more than 4 MiB. */
    for (i = 0; i < 80000; i++) {
        const struct gw_event event = {.type = GW_EVENT_STOP};

        gw_machine_emit(w->box.machine, &event);
    }
    while (kit_client_fill(&w->client)) {
    }
    assert_int_equal(recv(w->client.fd, &more, 1, MSG_DONTWAIT), 0);
    assert_int_equal(gw_machine_cont(w->box.machine, NULL), 0);
}

static int connect_to(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

static void test_listen__one_client_after_the_other(void **state)
{
    struct world *w = *state;
    struct stat status;

    kit_client_deinit(&w->client);
    assert_int_equal(gw_qmp_listen(w->box.control, w->box.path, NULL), 0);
    kit_client_init(&w->client, connect_to(w->box.path));
    negotiate(w);
    kit_client_deinit(&w->client);
    kit_client_init(&w->client, connect_to(w->box.path));
    negotiate(w);
    kit_box_end(&w->box);
    assert_int_equal(lstat(w->box.path, &status), -1);
}

static void test_listen__replaces_sockets_only(void **state)
{
    struct world *w = *state;
    struct gw_error *error = NULL;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char expected[256];

    write_file(w->box.path, "precious");
    snprintf(expected, sizeof(expected),
             "cannot listen on '%s': it exists and is not a socket",
             w->box.path);
    assert_int_equal(gw_qmp_listen(w->box.control, w->box.path, &error),
                     -EEXIST);
    assert_string_equal(gw_error_text(error), expected);
    gw_error_free(error);
    unlink(w->box.path);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", w->box.path);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    close(fd);
    assert_int_equal(gw_hmp_listen(w->box.control, w->box.path, NULL), 0);
}

/* Reads until the text ends with `end`; frees nothing, lends the text. */
static void expect_until(struct world *w, const char *end, const char *expected)
{
    struct gw_buffer *in = &w->client.in;
    size_t len = strlen(end);

    while (in->size < len || memcmp(in->data + in->size - len, end, len) != 0) {
        assert_true(kit_client_fill(&w->client));
    }
    gw_buffer_put_u8(in, '\0');
    assert_string_equal((char *)in->data, expected);
    in->size = 0;
}

static void test_hmp__on_a_socket(void **state)
{
    struct world *w = *state;
    int fds[2];

    kit_client_deinit(&w->client);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    assert_int_equal(gw_hmp_attach(w->box.control, fds[0], fds[0], NULL), 0);
    kit_client_init(&w->client, fds[1]);
    expect_until(w, "(godwit) ",
                 "godwit 0.1.0 monitor - type 'help' for more information\r\n"
                 "(godwit) ");
    send_text(w, "info status\r\n");
    expect_until(w, "(godwit) ", "VM status: paused (prelaunch)\r\n(godwit) ");
    /* In the foreground: the prompt comes when it has ended. */
    send_text(w, "migrate file:");
    send_text(w, w->box.path);
    send_text(w, "\n");
    expect_until(w, "(godwit) ", "(godwit) ");
    send_text(w, "info status\n");
    expect_until(w, "(godwit) ",
                 "VM status: paused (postmigrate)\r\n(godwit) ");
    send_text(w, "migrate file:/nosuch/x\nmigrate_cancel\n");
    expect_until(w, "(godwit) (godwit) ",
                 "Error: Can't migrate the vm that was paused due to previous "
                 "migration\r\n(godwit) (godwit) ");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_qmp__negotiation),
        TEST(test_qmp__shapes_of_requests),
        TEST(test_qmp__arguments_are_checked_first),
        TEST(test_qmp__parameters),
        TEST(test_qmp__capabilities),
        TEST(test_qmp__stop_and_cont),
        TEST(test_qmp__quit),
        TEST(test_qmp__save_and_restore),
        TEST(test_qmp__a_bad_path_fails_at_once),
        TEST(test_qmp__blockers_are_told),
        TEST(test_qmp__a_bad_stream_fails_and_bars_the_guest),
        TEST(test_qmp__descriptors_by_name),
        TEST(test_qmp__human_commands),
        TEST(test_qmp__query_commands),
        TEST(test_qmp__a_client_that_does_not_read),
        TEST(test_qmp__a_client_that_lets_events_pile_up),
        TEST(test_listen__one_client_after_the_other),
        TEST(test_listen__replaces_sockets_only),
        TEST(test_hmp__on_a_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

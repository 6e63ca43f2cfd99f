/*
 * Migrations through sets of descriptors: QMP's commands, saves and restores
 * through /dev/fdset/N, and a thousand attempts that must leave nothing open.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/godwit.h>

#include "kit-monitor.h"
#include "kit.h"

enum {
    PAGE = 4096,
    N_ATTEMPTS = 1000,
};

/* A machine with a control object and one QMP client. */
struct world {
    struct kit_box box;
    struct kit_client client;
    atomic_bool is_gated; /* a pause waits for ... */
    sem_t gate;           /* ... this */
};

static int do_pause(void *opaque, struct gw_error **errp)
{
    struct world *w = opaque;

    (void)errp;
    while (atomic_load(&w->is_gated) && sem_wait(&w->gate) < 0) {
    }
    return 0;
}

static int do_resume(void *opaque, struct gw_error **errp)
{
    (void)opaque;
    (void)errp;
    return 0;
}

static const struct gw_machine_ops machine_ops = {.pause = do_pause,
                                                  .resume = do_resume};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    sem_init(&w->gate, 0, 0);
    kit_box_init(&w->box, &machine_ops, NULL, w);
    kit_client_attach(&w->client, w->box.control);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kit_box_deinit(&w->box);
    kit_client_deinit(&w->client);
    sem_destroy(&w->gate);
    free(w);
    return 0;
}

static void ask(struct world *w, const char *request, const char *expected)
{
    assert_string_equal(kit_client_ask(&w->client, request), expected);
}

#define EMPTY "{\"return\": {}}"
#define NO_SETS "{\"return\": []}"
#define ERROR(text) \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" text "\"}}"
#define QUERY "{'execute':'query-fdsets'}"

static void negotiate(struct world *w)
{
    ask(w, "{'execute':'qmp_capabilities'}", EMPTY);
}

/* Hands over a descriptor, which is closed here; its number over there. */
static int add_fd(struct world *w, const char *arguments, int64_t set, int fd)
{
    char request[256];
    const char *answer;
    long long told_set;
    int told_fd, n = 0;

    assert_true(fd >= 0);
    snprintf(request, sizeof(request), "{'execute':'add-fd','arguments':{%s}}",
             arguments);
    kit_client_send_fd(&w->client, request, fd);
    close(fd);
    answer = kit_client_answer(&w->client);
    sscanf(answer, "{\"return\": {\"fd\": %d, \"fdset-id\": %lld}}%n", &told_fd,
           &told_set, &n);
    if (n == 0) {
        fail_msg("add-fd: %s", answer);
    }
    assert_int_equal(told_set, set);
    return told_fd;
}

static int open_path(struct world *w, int flags)
{
    return open(w->box.path, flags | O_CREAT | O_CLOEXEC, 0600);
}

static void test_add_fd__checks_its_arguments(void **state)
{
    struct world *w = *state;
    int fd = open_path(w, O_RDWR);

    negotiate(w);
    ask(w, "{'execute':'add-fd'}",
        ERROR("No file descriptor supplied via SCM_RIGHTS"));
    ask(w, "{'execute':'add-fd','arguments':{'fdset-id':-1}}",
        ERROR("No file descriptor supplied via SCM_RIGHTS"));
    kit_client_send_fd(&w->client,
                       "{'execute':'add-fd','arguments':{'fdset-id':-1}}", fd);
    assert_string_equal(kit_client_answer(&w->client),
                        ERROR("Parameter 'fdset-id' expects a non-negative "
                              "value"));
    /* The descriptor went with it. */
    ask(w, "{'execute':'add-fd','arguments':{'fdset-id':1}}",
        ERROR("No file descriptor supplied via SCM_RIGHTS"));
    ask(w, "{'execute':'add-fd','arguments':{'fdset-id':'1'}}",
        ERROR("Invalid parameter type for 'fdset-id', expected: integer"));
    ask(w, "{'execute':'remove-fd'}", ERROR("Parameter 'fdset-id' is missing"));
    ask(w, QUERY, NO_SETS);
    close(fd);
}

static void test_fdsets__are_added_listed_removed(void **state)
{
    struct world *w = *state;
    char expected[512];
    int a, b, c;

    negotiate(w);
    a = add_fd(w, "'fdset-id':5", 5, open_path(w, O_RDONLY));
    b = add_fd(w, "'opaque':'a,b'", 0, open_path(w, O_RDONLY));
    c = add_fd(w, "'fdset-id':5,'opaque':'x'", 5, open_path(w, O_WRONLY));
    snprintf(expected, sizeof(expected),
             "{\"return\": [{\"fds\": [{\"fd\": %d}, {\"fd\": %d, "
             "\"opaque\": \"x\"}], \"fdset-id\": 5}, {\"fds\": [{\"fd\": %d, "
             "\"opaque\": \"a,b\"}], \"fdset-id\": 0}]}",
             a, c, b);
    ask(w, QUERY, expected);
    /* A client that goes takes nothing with it. */
    kit_client_deinit(&w->client);
    kit_client_attach(&w->client, w->box.control);
    negotiate(w);
    ask(w, QUERY, expected);
    ask(w, "{'execute':'remove-fd','arguments':{'fdset-id':77}}",
        ERROR("File descriptor named 'fdset-id:77' not found"));
    ask(w, "{'execute':'remove-fd','arguments':{'fdset-id':5,'fd':999}}",
        ERROR("File descriptor named 'fdset-id:5, fd:999' not found"));
    ask(w, "{'execute':'remove-fd','arguments':{'fdset-id':5,'fd':-1}}",
        ERROR("File descriptor named 'fdset-id:5, fd:-1' not found"));
    ask(w, "{'execute':'remove-fd','arguments':{'fdset-id':5}}", EMPTY);
    ask(w, "{'execute':'remove-fd','arguments':{'fdset-id':0}}", EMPTY);
    ask(w, QUERY, NO_SETS);
}

static void set_mapped(struct world *w)
{
    ask(w,
        "{'execute':'migrate-set-capabilities','arguments':{'capabilities':"
        "[{'capability':'mapped-ram','state':true}]}}",
        EMPTY);
}

/* Each page its own number, every third none. */
static void fill_ram(struct world *w)
{
    uint8_t *host = gw_ram_block_host(w->box.ram);
    uint32_t i;

    for (i = 0; i < KIT_BOX_RAM_SIZE / PAGE; i++) {
        if (i % 3) {
            memcpy(host + i * PAGE + 12, &i, sizeof(i));
        }
    }
}

static void check_ram(struct world *w)
{
    const uint8_t *host = gw_ram_block_host(w->box.ram);
    uint32_t i, found;

    for (i = 0; i < KIT_BOX_RAM_SIZE / PAGE; i++) {
        memcpy(&found, host + i * PAGE + 12, sizeof(found));
        assert_int_equal(found, i % 3 ? i : 0);
    }
}

static void check_header(struct world *w)
{
    char header[PAGE];
    int fd = open_path(w, O_RDONLY);
    size_t i;

    assert_int_equal(pread(fd, header, PAGE, 0), PAGE);
    for (i = 0; i < PAGE; i++) {
        assert_int_equal(header[i], 'h');
    }
    close(fd);
}

/* A save behind a header and a restore, each through a set. */
static void save_and_load(struct world *w, bool mapped, const char *migrate,
                          const char *migrate_incoming)
{
    char header[PAGE];
    int fd = open_path(w, O_WRONLY);
    int mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct stat st;

    memset(header, 'h', sizeof(header));
    assert_int_equal(write(fd, header, PAGE), PAGE);
    negotiate(w);
    add_fd(w, "'fdset-id':1", 1, fd);
    if (mapped) {
        set_mapped(w);
    }
    fill_ram(w);
    ask(w, migrate, EMPTY);
    kit_client_await_migration(&w->client, "completed");
    /* The position, which is shared, is the end of the stream. */
    assert_int_equal(fstat(mine, &st), 0);
    assert_int_equal(lseek(mine, 0, SEEK_CUR), st.st_size);
    close(mine);
    ask(w, "{'execute':'remove-fd','arguments':{'fdset-id':1}}", EMPTY);
    ask(w, QUERY, NO_SETS);
    check_header(w);
    kit_box_end(&w->box);
    kit_client_deinit(&w->client);

    kit_box_begin(&w->box);
    kit_client_attach(&w->client, w->box.control);
    negotiate(w);
    assert_int_equal(gw_machine_expect_incoming(w->box.machine, NULL), 0);
    add_fd(w, "'fdset-id':2", 2, open_path(w, O_RDONLY));
    if (mapped) {
        set_mapped(w);
    }
    ask(w, migrate_incoming, EMPTY);
    kit_client_await_migration(&w->client, "completed");
    check_ram(w);
    unlink(w->box.path);
}

#define CHANNEL(set)                                                  \
    "{'channels':[{'channel-type':'main','addr':{'transport':'file'," \
    "'filename':'/dev/fdset/" set "','offset':4096}}]}"

static void test_migrate__through_a_set(void **state)
{
    static const char migrate[] = "{'execute':'migrate','arguments':{'uri':"
                                  "'file:/dev/fdset/1,offset=4096'}}";
    static const char incoming[] =
        "{'execute':'migrate-incoming','arguments':{'uri':"
        "'file:/dev/fdset/2,offset=4096'}}";

    save_and_load(*state, false, migrate, incoming);
}

static void test_migrate__mapped_through_a_set_in_structured_form(void **state)
{
    save_and_load(
        *state, true, "{'execute':'migrate','arguments':" CHANNEL("1") "}",
        "{'execute':'migrate-incoming','arguments':" CHANNEL("2") "}");
}

static void test_migrate__goes_on_after_its_set_was_removed(void **state)
{
    struct world *w = *state;

    negotiate(w);
    add_fd(w, "'fdset-id':3", 3, open_path(w, O_WRONLY));
    ask(w, "{'execute':'cont'}", EMPTY);
    atomic_store(&w->is_gated, true);
    ask(w, "{'execute':'migrate','arguments':{'uri':'file:/dev/fdset/3'}}",
        EMPTY);
    ask(w, "{'execute':'remove-fd','arguments':{'fdset-id':3}}", EMPTY);
    ask(w, QUERY, "{\"return\": [{\"fds\": [], \"fdset-id\": 3}]}");
    atomic_store(&w->is_gated, false);
    sem_post(&w->gate);
    kit_client_await_migration(&w->client, "completed");
    ask(w, QUERY, NO_SETS);
}

static void test_migrate__failure_says_what_the_set_lacks(void **state)
{
    struct world *w = *state;
    char expected[256];
    int fd;

    negotiate(w);
    ask(w, "{'execute':'migrate','arguments':{'uri':'file:/dev/fdset/x'}}",
        ERROR("Could not parse fdset /dev/fdset/x"));
    ask(w, "{'execute':'migrate','arguments':{'uri':'file:/dev/fdset/2'}}",
        ERROR("Failed to find fdset /dev/fdset/2"));
    kit_client_await_migration(&w->client, "failed");
    fd = add_fd(w, "'fdset-id':2", 2, open_path(w, O_RDONLY));
    snprintf(expected, sizeof(expected),
             ERROR("Failed to find file descriptor with matching flags=0x%x; "
                   "the set has fd %d: read-only"),
             (unsigned int)(O_WRONLY | O_CREAT), fd);
    ask(w, "{'execute':'migrate','arguments':{'uri':'file:/dev/fdset/2'}}",
        expected);
    assert_int_equal(gw_machine_expect_incoming(w->box.machine, NULL), 0);
    ask(w,
        "{'execute':'migrate-incoming','arguments':{'uri':"
        "'file:/dev/fdset/3'}}",
        ERROR("Failed to find fdset /dev/fdset/3"));
}

/* What the set of an attempt has. */
enum attempt {
    GOOD,       /* what is needed */
    GOOD_PAIR,  /* and a second one, with O_DIRECT */
    READ_WRITE, /* one for both */
    WRONG_MODE, /* of the other direction */
    TWO_FILES,  /* a second one, of another file */
    DUPLICATES, /* of one that is not direct */
    APPENDING,  /* refused for writing, another for reading is in its place */
    PIPE,       /* no file */
    EMPTY_SET,  /* nothing: there is no such set */
    N_KINDS,
};

static void add(struct gw_fdsets *fdsets, int fd)
{
    assert_true(fd >= 0);
    assert_int_equal(gw_fdsets_add(fdsets, 9, fd, NULL, NULL, NULL, NULL), 0);
}

static void add_pipe(struct gw_fdsets *fdsets)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    add(fdsets, fds[0]);
    add(fdsets, fds[1]);
}

/* Fills set 9; what `direct` makes of it is told by the return value. */
static bool fill_set(struct world *w, struct gw_fdsets *fdsets,
                     enum attempt kind, bool outgoing, bool direct)
{
    int mode = outgoing ? O_WRONLY : O_RDONLY;
    int fd;

    switch (kind) {
    case GOOD:
        add(fdsets, open_path(w, mode));
        return true;
    case GOOD_PAIR:
        add(fdsets, open_path(w, mode));
        add(fdsets, open_path(w, mode | O_DIRECT));
        return true;
    case READ_WRITE:
        add(fdsets, open_path(w, O_RDWR));
        return true;
    case WRONG_MODE:
        add(fdsets, open_path(w, outgoing ? O_RDONLY : O_WRONLY));
        return false;
    case TWO_FILES:
        add(fdsets, open_path(w, mode));
        add(fdsets,
            open(w->box.dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600));
        return !direct;
    case DUPLICATES:
        fd = open_path(w, mode);
        add(fdsets, fd);
        add(fdsets, fcntl(fd, F_DUPFD_CLOEXEC, 0));
        return !direct;
    case APPENDING:
        add(fdsets, open_path(w, (outgoing ? O_WRONLY : O_RDONLY) | O_APPEND));
        return !outgoing;
    case PIPE:
        add_pipe(fdsets);
        return false;
    default:
        return false;
    }
}

struct outcome {
    bool started;
    int result;
};

static struct outcome migrate(struct gw_machine *machine, bool outgoing,
                              bool direct, struct gw_fdsets *fdsets)
{
    const struct gw_migration_options options = {.fdsets = fdsets,
                                                 .any_format = true};
    struct gw_migration *migration = NULL;
    struct gw_address *address = NULL;
    struct gw_settings settings;
    struct outcome outcome = {0};
    int r;

    assert_int_equal(gw_address_parse("file:/dev/fdset/9", &address, NULL), 0);
    assert_int_equal(gw_settings_init(&settings), 0);
    settings.direct_io = direct;
    settings.capabilities[GW_CAP_MAPPED_RAM] = direct;
    r = outgoing ? gw_migration_start(machine, address, &settings, &options,
                                      &migration, NULL)
                 : gw_incoming_start(machine, address, &settings, &options,
                                     &migration, NULL);
    /* The duplicates are enough from here on. */
    gw_fdsets_remove(fdsets, 9, -1, NULL);
    outcome.started = r == 0;
    outcome.result = r == 0 ? gw_migration_wait(migration, NULL) : r;
    gw_migration_free(migration);
    gw_address_free(address);
    gw_settings_deinit(&settings);
    return outcome;
}

static void attempt(struct world *w, struct gw_fdsets *fdsets,
                    enum attempt kind, bool outgoing, bool direct)
{
    struct gw_ram_attr attr = GW_RAM_ATTR(.idstr = "ram", .used_length = PAGE);
    struct gw_machine *machine = gw_machine_new("tiny", &machine_ops, w);
    struct gw_fdsets_entry *entries;
    struct outcome outcome;
    size_t n;
    bool good;

    assert_int_equal(
        gw_ram_block_add(machine, &attr, &(struct gw_ram_block *){NULL}, NULL),
        0);
    if (!outgoing) {
        assert_int_equal(gw_machine_expect_incoming(machine, NULL), 0);
    }
    good = fill_set(w, fdsets, kind, outgoing, direct);
    outcome = migrate(machine, outgoing, direct, fdsets);
    if (outcome.started != good || (outcome.result == 0) != good) {
        fail_msg("kind %d, outgoing %d, direct %d: started %d, result %d",
                 (int)kind, outgoing, direct, outcome.started, outcome.result);
    }
    assert_int_equal(gw_fdsets_query(fdsets, &entries, &n, NULL), 0);
    assert_int_equal(n, 0);
    gw_fdsets_entries_free(entries, n);
    gw_machine_free(machine);
}

/*
 * Good and bad ones in turn, in both directions: a refused save leaves the
 * file that the loads read, and nothing stays open.
 */
static void test_attempts__leave_nothing_open(void **state)
{
    struct world *w = *state;
    struct gw_fdsets *fdsets = gw_fdsets_new();
    struct kit_footprint before;
    int i, fd = open_path(w, O_RDONLY | O_DIRECT);

    if (fd < 0) {
        gw_fdsets_free(fdsets);
        print_message("# no O_DIRECT on this file system\n");
        skip();
    }
    close(fd);
    attempt(w, fdsets, GOOD, true, false);
    before = kit_footprint_take();
    for (i = 0; i < N_ATTEMPTS; i++) {
        attempt(w, fdsets, (enum attempt)(i / 4 % N_KINDS), i % 4 < 2, i % 2);
    }
    kit_footprint_check(&before);
    gw_fdsets_free(fdsets);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_add_fd__checks_its_arguments),
        TEST(test_fdsets__are_added_listed_removed),
        TEST(test_migrate__through_a_set),
        TEST(test_migrate__mapped_through_a_set_in_structured_form),
        TEST(test_migrate__goes_on_after_its_set_was_removed),
        TEST(test_migrate__failure_says_what_the_set_lacks),
        TEST(test_attempts__leave_nothing_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

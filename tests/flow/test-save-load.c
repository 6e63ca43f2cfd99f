/*
 * Whole saves and loads of small machines in one process: what arrives, what
 * is announced, and who may run afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/godwit.h>

#include "base/util.h"

enum {
    PAGE = 4096,
    RAM_SIZE = 3 * 1024 * 1024 + 5 * PAGE
};

struct device_state {
    uint32_t number;
    bool flag;
    uint8_t bytes[5];
};

static const struct gw_vmstate device_vmstate = {
    .name = "widget",
    .version = 3,
    .min_version = 2,
    .size = sizeof(struct device_state),
    .fields =
        (const struct gw_field[]){
            GW_FIELD_U32(struct device_state, number),
            GW_FIELD_BOOL(struct device_state, flag),
            GW_FIELD_BUFFER(struct device_state, bytes),
            GW_FIELD_END,
        },
};

/* A machine with its memory and devices, and a record of its events. */
struct world {
    struct gw_machine *machine;
    struct gw_ram_block *ram, *rom;
    struct device_state widgets[2];
    bool runs;
    char events[512];
    bool refuses;
    int n_loaded;
    char path[64];
    char uri[80];
};

static int do_pause(void *opaque, struct gw_error **errp)
{
    struct world *w = opaque;

    (void)errp;
    assert_true(w->runs);
    w->runs = false;
    return 0;
}

/* What `loaded` says, and how often it was asked. */
static int do_loaded(void *opaque, struct gw_error **errp)
{
    struct world *w = opaque;

    assert_false(w->runs);
    w->n_loaded++;
    return w->refuses ? gw_error_set(errp, -EPROTO, "not on this host") : 0;
}

static int do_resume(void *opaque, struct gw_error **errp)
{
    struct world *w = opaque;

    (void)errp;
    assert_false(w->runs);
    w->runs = true;
    return 0;
}

static const struct gw_machine_ops ops = {
    .pause = do_pause, .resume = do_resume, .loaded = do_loaded};

static void on_event(void *opaque, const struct gw_event *event)
{
    struct world *w = opaque;
    char *at = w->events + strlen(w->events);
    size_t room = sizeof(w->events) - strlen(w->events);

    switch (event->type) {
    case GW_EVENT_STOP:
        snprintf(at, room, "STOP ");
        break;
    case GW_EVENT_RESUME:
        snprintf(at, room, "RESUME ");
        break;
    case GW_EVENT_MIGRATION:
        snprintf(at, room, "M:%s ", gw_migration_status_name(event->status));
        break;
    case GW_EVENT_MIGRATION_PASS:
        snprintf(at, room, "P%d ", (int)event->pass);
        break;
    default:
        fail();
    }
}

static void add_block(struct world *w, const char *idstr, uint64_t size,
                      struct gw_ram_block **ret)
{
    struct gw_ram_attr attr = GW_RAM_ATTR(.idstr = idstr, .used_length = size);

    assert_int_equal(gw_ram_block_add(w->machine, &attr, ret, NULL), 0);
}

static void add_widget(struct world *w, const char *path, uint32_t instance,
                       struct device_state *state)
{
    assert_int_equal(gw_machine_add_device(w->machine, &device_vmstate, path,
                                           instance, state, NULL, NULL),
                     0);
}

static struct world *world_new(const char *path)
{
    struct world *w = calloc(1, sizeof(*w));

    w->machine = gw_machine_new("testbed", &ops, w);
    add_block(w, "ram0", RAM_SIZE, &w->ram);
    add_block(w, "rom/boot", 7 * PAGE, &w->rom);
    add_widget(w, NULL, 0, &w->widgets[0]);
    add_widget(w, "bus@1", 0, &w->widgets[1]);
    assert_int_equal(gw_machine_add_listener(w->machine, on_event, w), 0);
    snprintf(w->path, sizeof(w->path), "%s", path);
    snprintf(w->uri, sizeof(w->uri), "file:%s", path);
    return w;
}

static void world_free(struct world *w)
{
    gw_machine_free(w->machine);
    free(w);
}

/* A few pages with data in each block, everything else stays zero. */
static void fill(struct world *w)
{
    uint8_t *ram = gw_ram_block_host(w->ram);
    uint8_t *rom = gw_ram_block_host(w->rom);
    size_t i;

    for (i = 0; i < RAM_SIZE; i += 3 * PAGE) {
        memset(ram + i, 1 + (int)(i / PAGE % 251), PAGE);
    }
    ram[RAM_SIZE - 1] = 0x5a;
    rom[6 * PAGE + 17] = 0xa5;
    w->widgets[0] = (struct device_state){7, true, {1, 2, 3, 4, 5}};
    w->widgets[1] = (struct device_state){0xfffffffe, false, {9}};
}

static void assert_same(const struct world *a, const struct world *b)
{
    assert_memory_equal(gw_ram_block_host(a->ram), gw_ram_block_host(b->ram),
                        RAM_SIZE);
    assert_memory_equal(gw_ram_block_host(a->rom), gw_ram_block_host(b->rom),
                        7 * PAGE);
    assert_memory_equal(a->widgets, b->widgets, sizeof(a->widgets));
}

static void settings_for(struct gw_settings *settings, bool mapped)
{
    assert_int_equal(gw_settings_init(settings), 0);
    assert_int_equal(
        gw_settings_set_capability(settings, GW_CAP_MAPPED_RAM, mapped, NULL),
        0);
}

static void make_path(char path[64])
{
    int fd;

    strcpy(path, "/tmp/godwit-flow-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

/* Bytes of the machine's memory that are resident. */
static size_t resident(const struct gw_ram_block *block, size_t size)
{
    unsigned char vector[RAM_SIZE / PAGE];
    size_t i, n = 0;

    assert_int_equal(mincore(gw_ram_block_host(block), size, vector), 0);
    for (i = 0; i < size / PAGE; i++) {
        n += vector[i] & 1;
    }
    return n * PAGE;
}

static void save_and_load(bool mapped)
{
    struct gw_settings settings;
    struct gw_error *error = NULL;
    struct world *from, *to;
    char path[64];

    make_path(path);
    settings_for(&settings, mapped);
    from = world_new(path);
    to = world_new(path);
    fill(from);
    assert_int_equal(gw_machine_cont(from->machine, NULL), 0);
    from->events[0] = '\0';

    if (gw_save(from->machine, from->uri, &settings, &error) < 0) {
        fail_msg("save: %s", gw_error_text(error));
    }
    assert_string_equal(from->events, "M:setup P1 M:active STOP M:device P2 "
                                      "M:completed ");
    assert_false(from->runs);
    assert_int_equal(gw_machine_run_state(from->machine),
                     GW_RUN_STATE_POSTMIGRATE);

    if (gw_load(to->machine, to->uri, &settings, &error) < 0) {
        fail_msg("load: %s", gw_error_text(error));
    }
    assert_string_equal(to->events, "M:setup M:active RESUME M:completed ");
    assert_true(to->runs);
    /* Every third page and the last have data; the rest was not touched. */
    assert_int_equal(resident(to->ram, RAM_SIZE),
                     ((RAM_SIZE / PAGE + 2) / 3 + 1) * PAGE);
    assert_same(from, to);

    gw_settings_deinit(&settings);
    world_free(from);
    world_free(to);
    unlink(path);
}

static void test_save_load__plain(void **state)
{
    (void)state;
    save_and_load(false);
}

static void test_save_load__mapped(void **state)
{
    (void)state;
    save_and_load(true);
}

static void test_load__format_must_be_agreed_or_left_open(void **state)
{
    struct gw_settings mapped, plain;
    struct gw_error *error = NULL;
    struct world *from, *to;
    char path[64];

    (void)state;
    make_path(path);
    settings_for(&mapped, true);
    settings_for(&plain, false);
    from = world_new(path);
    to = world_new(path);
    fill(from);
    assert_int_equal(gw_save(from->machine, from->uri, &mapped, NULL), 0);
    assert_int_equal(gw_load(to->machine, to->uri, &plain, &error), -EPROTO);
    assert_non_null(strstr(gw_error_text(error),
                           "Capability mapped-ram is off, but received "
                           "capability is on"));
    gw_error_free(error);
    assert_int_equal(gw_load(to->machine, to->uri, NULL, NULL), 0);
    assert_same(from, to);
    world_free(from);
    world_free(to);
    gw_settings_deinit(&mapped);
    gw_settings_deinit(&plain);
    unlink(path);
}

static void test_save_load__stopped_guest_stays_stopped(void **state)
{
    struct world *from, *to;
    char path[64];

    (void)state;
    make_path(path);
    from = world_new(path);
    to = world_new(path);
    fill(from);
    assert_int_equal(gw_machine_cont(from->machine, NULL), 0);
    assert_int_equal(gw_machine_stop(from->machine, NULL), 0);
    assert_int_equal(gw_save(from->machine, from->uri, NULL, NULL), 0);
    assert_int_equal(gw_load(to->machine, to->uri, NULL, NULL), 0);
    assert_int_equal(gw_machine_run_state(to->machine), GW_RUN_STATE_PAUSED);
    assert_false(to->runs);
    assert_same(from, to);
    assert_int_equal(gw_machine_cont(to->machine, NULL), 0);
    assert_true(to->runs);
    world_free(from);
    world_free(to);
    unlink(path);
}

static void test_save_load__second_hand_machine_is_cleared(void **state)
{
    struct world *from, *to;
    uint8_t *ram;
    char path[64];

    (void)state;
    make_path(path);
    from = world_new(path);
    to = world_new(path);
    ram = gw_ram_block_host(to->ram);
    fill(from);
    assert_int_equal(gw_save(from->machine, from->uri, NULL, NULL), 0);
    /* It ran before, and waits for a migration after a fresh start. */
    assert_int_equal(gw_machine_expect_incoming(to->machine, NULL), 0);
    memset(ram, 0xff, RAM_SIZE);
    assert_int_equal(gw_ram_block_remove(to->ram, NULL), 0);
    add_block(to, "ram0", RAM_SIZE, &to->ram);
    assert_int_equal(gw_load(to->machine, to->uri, NULL, NULL), 0);
    assert_same(from, to);
    world_free(from);
    world_free(to);
    unlink(path);
}

static void test_save_load__used_memory_is_cleared_first(void **state)
{
    /* Memory of the embedder, with old contents where zeros must be. */
    void *host = aligned_alloc(PAGE, 16 * PAGE);
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "extra", .host = host, .used_length = 16 * PAGE);
    struct world *from, *to;
    struct gw_ram_block *extra;
    uint8_t zeros[16 * PAGE] = {0};
    char path[64];

    (void)state;
    make_path(path);
    from = world_new(path);
    to = world_new(path);
    add_block(from, "extra", 16 * PAGE, &extra);
    memset(host, 0xee, 16 * PAGE);
    assert_int_equal(gw_ram_block_add(to->machine, &attr, NULL, NULL), 0);
    assert_int_equal(gw_save(from->machine, from->uri, NULL, NULL), 0);
    assert_int_equal(gw_load(to->machine, to->uri, NULL, NULL), 0);
    assert_memory_equal(host, zeros, sizeof(zeros));
    world_free(from);
    world_free(to);
    free(host);
    unlink(path);
}

/* A failed load: its text, and a machine that cannot run. */
static void load_fails(struct world *w, int code, const char *text)
{
    struct gw_error *error = NULL;

    assert_int_equal(gw_load(w->machine, w->uri, NULL, &error), code);
    if (!strstr(gw_error_text(error), text)) {
        fail_msg("'%s' lacks '%s'", gw_error_text(error), text);
    }
    assert_int_equal(gw_machine_run_state(w->machine), GW_RUN_STATE_INMIGRATE);
    gw_machine_cont(w->machine, NULL);
    assert_false(w->runs);
    gw_error_free(error);
}

static void test_load__missing_file_can_be_tried_again(void **state)
{
    struct world *from, *to;
    char path[64];

    (void)state;
    make_path(path);
    unlink(path);
    from = world_new(path);
    to = world_new(path);
    load_fails(to, -ENOENT, "Could not open '");
    assert_int_equal(gw_save(from->machine, from->uri, NULL, NULL), 0);
    assert_int_equal(gw_load(to->machine, to->uri, NULL, NULL), 0);
    world_free(from);
    world_free(to);
    unlink(path);
}

static void test_load__machine_that_does_not_fit(void **state)
{
    struct world *from, *to;
    struct gw_ram_block *extra;
    struct device_state spare = {0};
    char path[64];

    (void)state;
    make_path(path);
    from = world_new(path);
    assert_int_equal(gw_save(from->machine, from->uri, NULL, NULL), 0);

    to = world_new(path);
    add_block(to, "extra", PAGE, &extra);
    load_fails(to, -EPROTO, "RAM block 'extra' is missing in the stream");
    /* Nothing was changed: it may try again, and does fit now. */
    assert_int_equal(gw_ram_block_remove(extra, NULL), 0);
    assert_int_equal(gw_load(to->machine, to->uri, NULL, NULL), 0);
    world_free(to);

    to = world_new(path);
    assert_int_equal(gw_ram_block_remove(to->rom, NULL), 0);
    load_fails(to, -EPROTO, "Unknown ramblock \"rom/boot\"");
    add_block(to, "rom/boot", 6 * PAGE, &to->rom);
    load_fails(to, -EPROTO, "Size mismatch: rom/boot: 0x7000 != 0x6000");
    world_free(to);

    to = world_new(path);
    add_widget(to, "bus@2", 5, &spare);
    load_fails(to, -EPROTO, "device 'bus@2/widget' instance 5 is missing");
    assert_int_equal(gw_machine_cont(to->machine, NULL), -EINVAL);
    assert_int_equal(gw_load(to->machine, to->uri, NULL, NULL), -EINVAL);
    world_free(to);
    world_free(from);
    unlink(path);
}

/* The machine has all of it, and cannot go on with it: nothing is lost. */
static void test_load__machine_that_cannot_go_on(void **state)
{
    struct gw_error *error = NULL;
    struct gw_settings settings;
    struct world *from, *to;
    char path[64];

    make_path(path);
    settings_for(&settings, false);
    from = world_new(path);
    fill(from);
    assert_int_equal(gw_machine_cont(from->machine, NULL), 0);
    assert_int_equal(gw_save(from->machine, from->uri, &settings, NULL), 0);
    for (int paused = 0; paused < 2; paused++) {
        to = world_new(path);
        to->refuses = true;
        gw_machine_set_autostart(to->machine, !paused);
        assert_int_equal(gw_load(to->machine, to->uri, &settings, &error),
                         -EPROTO);
        assert_non_null(strstr(gw_error_text(error), "not on this host"));
        error = gw_error_free(error);
        assert_int_equal(to->n_loaded, 1);
        assert_false(to->runs);
        assert_int_equal(gw_machine_cont(to->machine, &error), -EINVAL);
        error = gw_error_free(error);
        world_free(to);
    }
    to = world_new(path);
    assert_int_equal(gw_load(to->machine, to->uri, &settings, NULL), 0);
    assert_int_equal(to->n_loaded, 1);
    assert_true(to->runs);
    world_free(to);
    world_free(from);
    gw_settings_deinit(&settings);
    unlink(path);
}

static void test_save__blocked_machine(void **state)
{
    struct world *w;
    struct gw_blocker *blocker;
    struct gw_error *error = NULL;
    char path[64];

    (void)state;
    make_path(path);
    w = world_new(path);
    blocker = gw_machine_block(w->machine, "a device is busy");
    assert_int_equal(gw_save(w->machine, w->uri, NULL, &error), -EINVAL);
    assert_string_equal(gw_error_text(error), "a device is busy");
    gw_error_free(error);
    gw_machine_unblock(w->machine, blocker);
    assert_int_equal(gw_save(w->machine, w->uri, NULL, NULL), 0);
    world_free(w);
    unlink(path);
}

static void test_save__failure_lets_the_guest_run(void **state)
{
    struct gw_migration_options options = {0};
    struct gw_migration *migration = NULL;
    struct gw_address *address = NULL;
    struct gw_settings settings;
    struct gw_error *error = NULL;
    struct world *w;
    char uri[32];

    (void)state;
    w = world_new("/nonexistent");
    fill(w);
    settings_for(&settings, false);
    assert_int_equal(gw_machine_cont(w->machine, NULL), 0);
    w->events[0] = '\0';
    snprintf(uri, sizeof(uri), "fd:%d", open("/dev/full", O_WRONLY));
    assert_int_equal(gw_address_parse(uri, &address, NULL), 0);
    assert_int_equal(gw_migration_start(w->machine, address, &settings,
                                        &options, &migration, NULL),
                     0);
    assert_int_equal(gw_migration_wait(migration, &error), -ENOSPC);
    assert_non_null(strstr(gw_error_text(error), "No space left on device"));
    assert_true(w->runs);
    assert_int_equal(gw_machine_run_state(w->machine), GW_RUN_STATE_RUNNING);
    assert_string_equal(w->events, "M:setup P1 M:active STOP M:device P2 "
                                   "RESUME M:failed ");
    gw_error_free(error);
    gw_migration_free(migration);
    gw_address_free(address);
    gw_settings_deinit(&settings);
    world_free(w);
}

static void test_save__cancel_before_the_end(void **state)
{
    struct gw_migration *migration = NULL;
    struct gw_address *address = NULL;
    struct gw_settings settings;
    struct world *w;
    char uri[32];
    int fds[2];

    (void)state;
    w = world_new("/nonexistent");
    fill(w);
    settings_for(&settings, false);
    assert_int_equal(gw_machine_cont(w->machine, NULL), 0);
    w->events[0] = '\0';
    /* Nobody reads the pipe: the save waits in the middle of RAM. */
    assert_int_equal(pipe(fds), 0);
    snprintf(uri, sizeof(uri), "fd:%d", fds[1]);
    assert_int_equal(gw_address_parse(uri, &address, NULL), 0);
    assert_int_equal(gw_migration_start(w->machine, address, &settings, NULL,
                                        &migration, NULL),
                     0);
    while (gw_machine_is_running(w->machine)) {
        usleep(1000);
    }
    gw_migration_cancel(migration);
    assert_int_equal(gw_migration_wait(migration, NULL), -ECANCELED);
    assert_true(w->runs);
    assert_non_null(strstr(w->events, "M:cancelling RESUME M:cancelled "));
    gw_migration_free(migration);
    gw_address_free(address);
    gw_settings_deinit(&settings);
    world_free(w);
    close(fds[0]);
}

static void test_save__other_transports_are_refused_by_name(void **state)
{
    struct gw_error *error = NULL;
    struct world *w = world_new("/nonexistent");

    (void)state;
    assert_int_equal(gw_save(w->machine, "tcp:127.0.0.1:4444", NULL, &error),
                     -ENOTSUP);
    assert_string_equal(gw_error_text(error),
                        "migration over 'tcp' is not supported yet");
    gw_error_free(error);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_load__plain),
        cmocka_unit_test(test_save_load__mapped),
        cmocka_unit_test(test_load__format_must_be_agreed_or_left_open),
        cmocka_unit_test(test_save_load__stopped_guest_stays_stopped),
        cmocka_unit_test(test_save_load__second_hand_machine_is_cleared),
        cmocka_unit_test(test_save_load__used_memory_is_cleared_first),
        cmocka_unit_test(test_load__missing_file_can_be_tried_again),
        cmocka_unit_test(test_load__machine_that_does_not_fit),
        cmocka_unit_test(test_load__machine_that_cannot_go_on),
        cmocka_unit_test(test_save__blocked_machine),
        cmocka_unit_test(test_save__failure_lets_the_guest_run),
        cmocka_unit_test(test_save__cancel_before_the_end),
        cmocka_unit_test(test_save__other_transports_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

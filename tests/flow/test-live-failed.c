/*
 * Live saves that fail for a reason: no space, a limit, a block that was
 * resized, a tracker that gives up. The guest goes on at the source, the old
 * file stays, and the next save works.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/tracker.h>

#include "kit-child.h"
#include "kit-scene.h"

#define MIB (UINT64_C(1) << 20)
#define LONG_MS 100000u

static const struct kit_way ways[] = {
    {.mapped = false},
    {.mapped = true},
    {.mapped = true, .channels = 2},
    {.mapped = true, .channels = 8},
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static void scene_init(struct kit_scene *s, unsigned int patterns)
{
    struct kit_shape shape;

    kit_shape_live(&shape);
    kit_scene_init(s, &shape, KIT_STRICT_LOG, patterns, false);
}

/* A file that holds a stopped guest; the guest runs on. */
static void save_old(struct kit_scene *s, struct stat *ret_stat)
{
    const struct kit_way way = {.mapped = true, .downtime_limit = LONG_MS};
    struct gw_error *error = NULL;

    KIT_CHECK(kit_wait(kit_save_begin(&s->m, s->uri, &way), &error) == 0, "%s",
              gw_error_text(error));
    KIT_CHECK(stat(s->path, ret_stat) == 0, "no file");
    KIT_CHECK(gw_machine_cont(s->m.machine, NULL) == 0, "cont");
}

static void check_old(struct kit_scene *s, const struct stat *old)
{
    struct stat st;

    KIT_CHECK(stat(s->path, &st) == 0 && st.st_ino == old->st_ino &&
                  st.st_size == old->st_size,
              "the old file is gone");
    KIT_CHECK(kit_directory_count(s->directory) == 1, "debris");
}

static void check_fails(struct gw_migration *migration, int code,
                        const char *word)
{
    struct gw_error *error = NULL;
    int r = kit_wait(migration, &error);

    KIT_CHECK(r == code, "%d, expected %d: %s", r, code, gw_error_text(error));
    KIT_CHECK(strstr(gw_error_text(error), word), "no '%s' in: %s", word,
              gw_error_text(error));
    gw_error_free(error);
}

/* The guest is the source's; a save that is let alone works. */
static void check_recovers(struct kit_scene *s, struct kit_way way)
{
    struct gw_error *error = NULL;

    kit_scene_check_goes_on(s);
    kit_guest_check(s->guest);
    way.downtime_limit = LONG_MS;
    KIT_CHECK(kit_wait(kit_save_begin(&s->m, s->uri, &way), &error) == 0, "%s",
              gw_error_text(error));
    kit_scene_check_saved(s, &way);
}

/* ---- No room ---- */

/* Runs `body` in a child, which may change limits and mounts. */
static void in_child(int (*body)(const struct kit_way *way),
                     const struct kit_way *way)
{
    pid_t pid = kit_child_fork();

    if (pid == 0) {
        kit_child_exit(body(way));
    }
    if (!kit_child_wait(pid)) {
        skip();
    }
}

static void in_child_every_way(int (*body)(const struct kit_way *way))
{
    size_t i;

    for (i = 0; i < N_WAYS; i++) {
        in_child(body, &ways[i]);
    }
}

/*
 * There is room for the old file and half of a new one, or, plain, for a few
 * rounds: 8 MiB for a memory of 5.6.
 */
static int fill_disk(const struct kit_way *way)
{
    char directory[KIT_PATH_SIZE];
    struct kit_scene s;
    struct stat old;

    kit_directory_make(directory);
    /* Before there are threads: they would keep the old mounts. */
    if (!kit_child_mount(directory, "size=8m")) {
        rmdir(directory);
        return KIT_CANNOT;
    }
    scene_init(&s, KIT_RANDOM | KIT_SEQUENTIAL);
    kit_directory_remove(s.directory);
    memcpy(s.directory, directory, sizeof(directory));
    snprintf(s.path, sizeof(s.path), "%s/machine", directory);
    snprintf(s.uri, sizeof(s.uri), "file:%s", s.path);
    save_old(&s, &old);
    kit_scene_keep_busy(&s, true);
    check_fails(kit_save_begin(&s.m, s.uri, way), -ENOSPC, "No space left");
    kit_scene_keep_busy(&s, false);
    check_old(&s, &old);
    kit_scene_check_goes_on(&s);
    kit_guest_check(s.guest);
    /* There is room for one. */
    KIT_CHECK(unlink(s.path) == 0, "unlink");
    check_recovers(&s, ways[1]);
    unlink(s.path);
    umount(directory);
    kit_scene_deinit(&s);
    return 0;
}

static void test_live_failed__disk_full(void **state)
{
    (void)state;
    in_child_every_way(fill_disk);
}

static int limit_size(const struct kit_way *way)
{
    struct rlimit limit = {.rlim_cur = 3 * MIB, .rlim_max = RLIM_INFINITY};
    struct kit_scene s;
    struct stat old;

    scene_init(&s, KIT_ALL);
    save_old(&s, &old);
    signal(SIGXFSZ, SIG_IGN);
    KIT_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "cannot set a limit");
    kit_scene_keep_busy(&s, true);
    check_fails(kit_save_begin(&s.m, s.uri, way), -EFBIG, "File too large");
    kit_scene_keep_busy(&s, false);
    check_old(&s, &old);
    limit.rlim_cur = RLIM_INFINITY;
    KIT_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "cannot lift a limit");
    check_recovers(&s, *way);
    kit_scene_deinit(&s);
    return 0;
}

static void test_live_failed__file_too_large(void **state)
{
    (void)state;
    in_child_every_way(limit_size);
}

/* ---- What changes on the way ---- */

/* The next save has the block's new length. */
static void check_longer(struct kit_scene *s, size_t index)
{
    const struct kit_way way = {.mapped = true, .downtime_limit = LONG_MS};
    struct kit_shape shape = s->shape;
    struct gw_error *error = NULL;
    struct kit_machine to;

    kit_scene_check_goes_on(s);
    KIT_CHECK(kit_wait(kit_save_begin(&s->m, s->uri, &way), NULL) == 0, "save");
    shape.blocks[index].other_pages = 3;
    kit_machine_init(&to, &shape, true);
    KIT_CHECK(kit_load_by(&to, s->uri, &way, &error) == 0, "%s",
              gw_error_text(error));
    KIT_CHECK(to.blocks[index].n_resized == 0, "not the new length");
    kit_guest_check_in(s->guest, &to);
    kit_machine_deinit(&to);
}

static void test_live_failed__resized(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct gw_migration *migration;
        struct kit_scene s;
        struct stat old;
        size_t last;

        scene_init(&s, KIT_ALL);
        last = s.shape.n_blocks - 1;
        save_old(&s, &old);
        kit_scene_keep_busy(&s, true);
        migration = kit_save_begin(&s.m, s.uri, &ways[i]);
        kit_await_passes(migration, 3);
        KIT_CHECK(gw_ram_block_resize(s.m.blocks[last].block, 3 * KIT_PAGE,
                                      NULL) == 0,
                  "resize");
        check_fails(migration, -EINVAL,
                    "RAM block '/rom@etc/acpi/tables' was resized during the "
                    "migration, from 0x2000 to 0x3000");
        kit_scene_keep_busy(&s, false);
        check_old(&s, &old);
        check_longer(&s, last);
        kit_scene_deinit(&s);
    }
}

/* There and back again: no round saw it, and still it is refused. */
static void test_live_failed__resized_and_back(void **state)
{
    struct kit_way way = {.mapped = true, .pauses = true};
    struct gw_migration *migration;
    struct kit_scene s;
    struct gw_ram_block *block;

    (void)state;
    way.downtime_limit = LONG_MS;
    scene_init(&s, KIT_ALL);
    block = s.m.blocks[s.shape.n_blocks - 1].block;
    migration = kit_save_begin(&s.m, s.uri, &way);
    kit_await_status(migration, GW_MIGRATION_PRE_SWITCHOVER);
    KIT_CHECK(gw_ram_block_resize(block, 3 * KIT_PAGE, NULL) == 0, "resize");
    KIT_CHECK(gw_ram_block_resize(block, 2 * KIT_PAGE, NULL) == 0, "resize");
    gw_migration_continue(migration);
    check_fails(migration, -EINVAL, "resized during the migration");
    KIT_CHECK(kit_directory_count(s.directory) == 0, "debris");
    way.pauses = false;
    check_recovers(&s, way);
    kit_scene_deinit(&s);
}

/* A reason not to move that comes too late stops the next save, not this. */
static void test_live_failed__blocked_meanwhile(void **state)
{
    struct kit_way way = {.mapped = true, .channels = 2};
    struct gw_error *error = NULL;
    struct gw_migration *migration;
    struct gw_blocker *blocker;
    struct kit_scene s;

    (void)state;
    scene_init(&s, KIT_ALL);
    kit_scene_keep_busy(&s, true);
    migration = kit_save_begin(&s.m, s.uri, &way);
    kit_await_passes(migration, 3);
    blocker = gw_machine_block(s.m.machine, "a reason of the test");
    KIT_CHECK(blocker, "out of memory");
    way.downtime_limit = LONG_MS;
    kit_update(migration, &way);
    KIT_CHECK(kit_wait(migration, NULL) == 0, "save");
    kit_scene_check_saved(&s, &way);
    KIT_CHECK(gw_machine_cont(s.m.machine, NULL) == 0, "cont");
    KIT_CHECK(kit_save_try(&s.m, s.uri, &way, &migration, &error) == -EINVAL &&
                  strcmp(gw_error_text(error), "a reason of the test") == 0,
              "%s", gw_error_text(error));
    gw_error_free(error);
    kit_scene_check_goes_on(&s);
    gw_machine_unblock(s.m.machine, blocker);
    check_recovers(&s, way);
    kit_scene_deinit(&s);
}

static void test_live_failed__second_one(void **state)
{
    struct kit_way way = {.mapped = true, .channels = 2};
    struct gw_migration *migration, *second = NULL;
    struct gw_error *error = NULL;
    struct kit_scene s;
    char uri[KIT_PATH_SIZE + 48];

    (void)state;
    scene_init(&s, KIT_ALL);
    kit_scene_keep_busy(&s, true);
    migration = kit_save_begin(&s.m, s.uri, &way);
    kit_await_passes(migration, 3);
    snprintf(uri, sizeof(uri), "%s-2", s.uri);
    KIT_CHECK(kit_save_try(&s.m, uri, &way, &second, &error) == -EBUSY &&
                  strcmp(gw_error_text(error),
                         "There's a migration process in progress") == 0,
              "%s", gw_error_text(error));
    gw_error_free(error);
    KIT_CHECK(kit_directory_count(s.directory) == 0, "the second left a file");
    kit_await_passes(migration, 6);
    way.downtime_limit = LONG_MS;
    kit_update(migration, &way);
    KIT_CHECK(kit_wait(migration, NULL) == 0, "save");
    kit_scene_check_saved(&s, &way);
    kit_scene_deinit(&s);
}

/* Blocks, devices and the tracker stay while a save runs. */
static void test_live_failed__changes_refused(void **state)
{
    const struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "new", .used_length = KIT_PAGE);
    struct kit_way way = {.mapped = true};
    struct gw_migration *migration;
    struct kit_scene s;

    (void)state;
    scene_init(&s, KIT_ALL);
    kit_scene_keep_busy(&s, true);
    migration = kit_save_begin(&s.m, s.uri, &way);
    kit_await_passes(migration, 2);
    KIT_CHECK(gw_ram_block_add(s.m.machine, &attr, NULL, NULL) == -EBUSY,
              "add");
    KIT_CHECK(gw_ram_block_remove(s.m.blocks[1].block, NULL) == -EBUSY,
              "remove");
    if (kit_has_pagemap()) {
        KIT_CHECK(gw_machine_track_by_pagemap(s.m.machine, NULL) == -EBUSY,
                  "tracker");
    }
    gw_migration_cancel(migration);
    KIT_CHECK(kit_wait(migration, NULL) == -ECANCELED, "not cancelled");
    check_recovers(&s, way);
    kit_scene_deinit(&s);
}

/* Two machines of one process: what ends one does not touch the other. */
static void test_live_failed__next_to_each_other(void **state)
{
    struct kit_way way = {.mapped = true, .channels = 2};
    struct gw_migration *migrations[2];
    struct kit_scene scenes[2];
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        scene_init(&scenes[i], KIT_ALL);
        kit_scene_keep_busy(&scenes[i], true);
        migrations[i] = kit_save_begin(&scenes[i].m, scenes[i].uri, &way);
    }
    kit_await_passes(migrations[0], 4);
    gw_migration_cancel(migrations[0]);
    KIT_CHECK(kit_wait(migrations[0], NULL) == -ECANCELED, "not cancelled");
    kit_scene_check_goes_on(&scenes[0]);
    kit_await_passes(migrations[1], 6);
    way.downtime_limit = LONG_MS;
    kit_update(migrations[1], &way);
    KIT_CHECK(kit_wait(migrations[1], NULL) == 0, "save");
    kit_scene_check_saved(&scenes[1], &way);
    for (i = 0; i < 2; i++) {
        kit_scene_deinit(&scenes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_failed__disk_full),
        cmocka_unit_test(test_live_failed__file_too_large),
        cmocka_unit_test(test_live_failed__resized),
        cmocka_unit_test(test_live_failed__resized_and_back),
        cmocka_unit_test(test_live_failed__blocked_meanwhile),
        cmocka_unit_test(test_live_failed__second_one),
        cmocka_unit_test(test_live_failed__changes_refused),
        cmocka_unit_test(test_live_failed__next_to_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

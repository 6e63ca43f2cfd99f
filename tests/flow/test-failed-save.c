/*
 * Saves that do not succeed: the disk is full, a limit is hit, somebody
 * cancels, the process is killed. The old file stays, nothing is left beside
 * it, and the guest goes on as if nothing had happened.
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "kit-child.h"
#include "kit.h"

#define MIB (UINT64_C(1) << 20)

/* Two machines of one shape: what the old file holds, and what is saved. */
struct scene {
    struct kit_shape shape;
    struct kit_machine old;
    struct kit_machine new;
    char directory[KIT_PATH_SIZE];
    char uri[KIT_PATH_SIZE + 32];
    bool mapped;
    useconds_t save_us; /* what a whole save of the new machine takes */
};

static void scene_init(struct scene *s, bool mapped)
{
    struct kit_rng rng = {.state = kit_seed()};
    uint8_t *ram;

    memset(s, 0, sizeof(*s));
    s->mapped = mapped;
    kit_shape_large(&s->shape);
    kit_machine_init(&s->old, &s->shape, false);
    kit_machine_init(&s->new, &s->shape, false);
    kit_devices_fill(&s->old.devices, &rng);
    ram = gw_ram_block_host(s->new.blocks[0].block);
    kit_random_bytes(&rng, ram, 24 * MIB);
}

/* Saves the old machine, which makes the file that must stay. */
static void scene_save_old(struct scene *s)
{
    struct gw_error *error = NULL;

    snprintf(s->uri, sizeof(s->uri), "file:%s/machine", s->directory);
    KIT_CHECK(kit_save(&s->old, s->uri, s->mapped, &error) == 0, "%s",
              gw_error_text(error));
    KIT_CHECK(gw_machine_cont(s->old.machine, &error) == 0, "%s",
              gw_error_text(error));
}

/* Leaves the old file and knows how long a save takes. */
static void scene_measure(struct scene *s)
{
    struct gw_error *error = NULL;
    uint64_t start;

    scene_save_old(s);
    start = gw_now_ns();
    KIT_CHECK(kit_save(&s->new, s->uri, s->mapped, &error) == 0, "%s",
              gw_error_text(error));
    s->save_us = (useconds_t)((gw_now_ns() - start) / 1000);
    KIT_CHECK(gw_machine_cont(s->new.machine, &error) == 0, "%s",
              gw_error_text(error));
}

static void scene_deinit(struct scene *s)
{
    kit_machine_deinit(&s->old);
    kit_machine_deinit(&s->new);
}

/* The file is that of machine `m`, and alone. */
static void check_file(struct scene *s, struct kit_machine *m)
{
    struct gw_error *error = NULL;
    struct kit_machine to;

    KIT_CHECK(kit_directory_count(s->directory) == 1, "debris in %s",
              s->directory);
    kit_machine_init(&to, &s->shape, true);
    KIT_CHECK(kit_load(&to, s->uri, s->mapped, &error) == 0, "%s",
              gw_error_text(error));
    kit_machine_check_equal(m, &to);
    kit_machine_deinit(&to);
}

static void check_goes_on(struct kit_machine *m)
{
    KIT_CHECK(gw_machine_is_running(m->machine), "the guest stands still");
    KIT_CHECK(m->n_resumes == m->n_pauses + 1, "%u pauses, %u resumes",
              m->n_pauses, m->n_resumes);
}

/* A save that must fail with this code and change nothing. */
static void check_fails(struct scene *s, int code, const char *word)
{
    struct gw_error *error = NULL;
    int r = kit_save(&s->new, s->uri, s->mapped, &error);

    KIT_CHECK(r == code, "%d, expected %d: %s", r, code, gw_error_text(error));
    KIT_CHECK(strstr(gw_error_text(error), word), "no '%s' in: %s", word,
              gw_error_text(error));
    gw_error_free(error);
    check_goes_on(&s->new);
}

/* Runs `body` in a child, which may change limits and mounts. */
static void in_child(int (*body)(struct scene *s), bool mapped)
{
    pid_t pid = kit_child_fork();

    if (pid == 0) {
        struct scene s;
        int result;

        scene_init(&s, mapped);
        result = body(&s);
        scene_deinit(&s);
        kit_child_exit(result);
    }
    if (!kit_child_wait(pid)) {
        skip();
    }
}

static int fill_disk(struct scene *s)
{
    struct kit_footprint before = kit_footprint_take();

    kit_directory_make(s->directory);
    if (!kit_child_mount(s->directory, "size=8m")) {
        rmdir(s->directory);
        return KIT_CANNOT;
    }
    scene_save_old(s);
    check_fails(s, -ENOSPC, "No space left");
    check_file(s, &s->old);
    umount(s->directory);
    rmdir(s->directory);
    kit_footprint_check(&before);
    return 0;
}

static void test_failed_save__disk_full(void **state)
{
    (void)state;
    in_child(fill_disk, false);
}

static void test_failed_save__disk_full_mapped(void **state)
{
    (void)state;
    in_child(fill_disk, true);
}

static int limit_size(struct scene *s)
{
    const struct rlimit limit = {.rlim_cur = 8 * MIB, .rlim_max = 8 * MIB};

    kit_directory_make(s->directory);
    scene_save_old(s);
    signal(SIGXFSZ, SIG_IGN);
    KIT_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "cannot set a limit");
    check_fails(s, -EFBIG, "File too large");
    check_file(s, &s->old);
    kit_directory_remove(s->directory);
    return 0;
}

static void test_failed_save__file_too_large(void **state)
{
    (void)state;
    in_child(limit_size, false);
}

static int full_device(struct scene *s)
{
    snprintf(s->uri, sizeof(s->uri), "fd:100");
    KIT_CHECK(dup2(open("/dev/full", O_WRONLY), 100) == 100,
              "cannot open /dev/full");
    check_fails(s, -ENOSPC, "No space left");
    return 0;
}

static void test_failed_save__full_device(void **state)
{
    (void)state;
    in_child(full_device, false);
}

/* At any moment: cancelled and the old file, or complete and the new one. */
static void check_cancel(struct scene *s, useconds_t delay)
{
    struct gw_migration *migration;
    int r;

    scene_save_old(s);
    migration = kit_save_start(&s->new, s->uri, s->mapped);
    usleep(delay);
    gw_migration_cancel(migration);
    r = kit_wait(migration, NULL);
    KIT_CHECK(r == 0 || r == -ECANCELED, "cancel: %d", r);
    check_file(s, r == 0 ? &s->new : &s->old);
    if (r == 0) {
        KIT_CHECK(gw_machine_cont(s->new.machine, NULL) == 0, "cont");
    }
    check_goes_on(&s->new);
}

static void cancel_often(bool mapped)
{
    struct kit_footprint before = kit_footprint_take();
    struct kit_rng rng = {.state = kit_seed()};
    struct scene s;
    unsigned int i;

    scene_init(&s, mapped);
    kit_directory_make(s.directory);
    scene_measure(&s);
    for (i = 0; i < 12; i++) {
        check_cancel(&s, (useconds_t)kit_below(&rng, s.save_us) * (i > 1));
    }
    kit_directory_remove(s.directory);
    scene_deinit(&s);
    kit_footprint_check(&before);
}

static void test_failed_save__cancelled(void **state)
{
    (void)state;
    cancel_often(false);
}

static void test_failed_save__cancelled_mapped(void **state)
{
    (void)state;
    cancel_often(true);
}

/* Nobody reads from the pipe: the save can only end by being cancelled. */
static void test_failed_save__cancelled_while_it_waits(void **state)
{
    struct kit_footprint before = kit_footprint_take();
    struct gw_migration *migration;
    struct scene s;
    char uri[32];
    int fds[2];

    (void)state;
    KIT_CHECK(pipe(fds) == 0, "cannot make a pipe");
    scene_init(&s, false);
    snprintf(uri, sizeof(uri), "fd:%d", fds[1]);
    migration = kit_save_start(&s.new, uri, false);
    usleep(20000);
    gw_migration_cancel(migration);
    KIT_CHECK(kit_wait(migration, NULL) == -ECANCELED, "not cancelled");
    check_goes_on(&s.new);
    close(fds[0]);
    scene_deinit(&s);
    /* The pipe's writing end belonged to the migration. */
    kit_footprint_check(&before);
}

/* The reader goes away in the middle. */
static void test_failed_save__reader_ends(void **state)
{
    struct gw_error *error = NULL;
    struct gw_migration *migration;
    struct scene s;
    char bytes[4096];
    char uri[32];
    int fds[2];
    int r;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    KIT_CHECK(pipe(fds) == 0, "cannot make a pipe");
    scene_init(&s, false);
    snprintf(uri, sizeof(uri), "fd:%d", fds[1]);
    migration = kit_save_start(&s.new, uri, false);
    KIT_CHECK(read(fds[0], bytes, sizeof(bytes)) > 0, "nothing comes");
    close(fds[0]);
    r = kit_wait(migration, &error);
    KIT_CHECK(r == -EPIPE, "%d: %s", r, gw_error_text(error));
    gw_error_free(error);
    check_goes_on(&s.new);
    scene_deinit(&s);
}

/* The child saves and is killed on the way. */
static void kill_saver(struct scene *s, useconds_t delay)
{
    pid_t pid = kit_child_fork();
    int status;

    if (pid == 0) {
        _exit(kit_save(&s->new, s->uri, s->mapped, NULL) == 0 ? 0 : 1);
    }
    usleep(delay);
    kill(pid, SIGKILL);
    KIT_CHECK(waitpid(pid, &status, 0) == pid, "cannot wait");
    KIT_CHECK(WIFSIGNALED(status) || status == 0, "the save failed");
}

static bool same_file(const struct stat *a, const char *uri)
{
    struct stat b;

    KIT_CHECK(stat(uri + strlen("file:"), &b) == 0, "the file is gone");
    return a->st_ino == b.st_ino;
}

static void kill_often(bool mapped)
{
    struct kit_rng rng = {.state = kit_seed()};
    unsigned int n_old = 0;
    struct scene s;
    unsigned int i;

    scene_init(&s, mapped);
    kit_directory_make(s.directory);
    scene_measure(&s);
    for (i = 0; i < 12; i++) {
        struct stat before;
        bool is_old;

        scene_save_old(&s);
        KIT_CHECK(stat(s.uri + strlen("file:"), &before) == 0, "no file");
        kill_saver(&s, (useconds_t)kit_below(&rng, s.save_us));
        is_old = same_file(&before, s.uri);
        n_old += is_old;
        check_file(&s, is_old ? &s.old : &s.new);
    }
    printf("# the old file stayed in %u of 12\n", n_old);
    KIT_CHECK(n_old > 0, "no save was killed before its end");
    kit_directory_remove(s.directory);
    scene_deinit(&s);
}

static void test_failed_save__killed(void **state)
{
    (void)state;
    kill_often(false);
}

static void test_failed_save__killed_mapped(void **state)
{
    (void)state;
    kill_often(true);
}

/* After a failure the same machine can be saved elsewhere. */
static void test_failed_save__next_one_works(void **state)
{
    struct gw_error *error = NULL;
    struct scene s;

    (void)state;
    scene_init(&s, true);
    kit_directory_make(s.directory);
    KIT_CHECK(kit_save(&s.new, "file:/nonexistent/directory/machine", true,
                       &error) == -ENOENT,
              "saved to nowhere");
    gw_error_free(error);
    check_goes_on(&s.new);
    snprintf(s.uri, sizeof(s.uri), "file:%s/machine", s.directory);
    error = NULL;
    KIT_CHECK(kit_save(&s.new, s.uri, true, &error) == 0, "%s",
              gw_error_text(error));
    check_file(&s, &s.new);
    kit_directory_remove(s.directory);
    scene_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_save__disk_full),
        cmocka_unit_test(test_failed_save__disk_full_mapped),
        cmocka_unit_test(test_failed_save__file_too_large),
        cmocka_unit_test(test_failed_save__full_device),
        cmocka_unit_test(test_failed_save__cancelled),
        cmocka_unit_test(test_failed_save__cancelled_mapped),
        cmocka_unit_test(test_failed_save__cancelled_while_it_waits),
        cmocka_unit_test(test_failed_save__reader_ends),
        cmocka_unit_test(test_failed_save__killed),
        cmocka_unit_test(test_failed_save__killed_mapped),
        cmocka_unit_test(test_failed_save__next_one_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

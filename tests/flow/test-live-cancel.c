/*
 * Live saves that end at any moment: cancelled, or with the process that
 * saves. The guest goes on, its memory is what it wrote, the old file stays,
 * and nothing is left over.
 */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/tracker.h>

#include "kit-child.h"
#include "kit-scene.h"

#define LONG_MS 100000u
#define N_CANCELS KIT_TIMES(400u)
#define N_KILLS KIT_TIMES(100u)

/* A small machine, so that much happens in a millisecond. */
static void make_shape(struct kit_shape *shape)
{
    *shape = (struct kit_shape){
        .blocks = {{.idstr = "pc.ram",
                    .backing = KIT_ANONYMOUS,
                    .used_pages = 300,
                    .other_pages = 300,
                    .max_pages = 300},
                   {.idstr = "memfd",
                    .backing = KIT_MEMFD,
                    .used_pages = 300,
                    .other_pages = 300,
                    .max_pages = 300,
                    .flags = GW_RAM_SHARED}},
        .n_blocks = 2,
        .devices = (1u << KIT_DEVICE_COUNT) - 1,
        .running = true,
    };
}

static struct kit_way random_way(struct kit_rng *rng, bool may_direct)
{
    static const unsigned int channels[] = {0, 1, 2, 8};
    static const uint64_t limits[] = {0, 0, 1, LONG_MS};
    struct kit_way way = {.mapped = kit_chance(rng, 75),
                          .pauses = kit_chance(rng, 20),
                          .downtime_limit = limits[kit_below(rng, 4)]};

    if (way.mapped) {
        way.channels = channels[kit_below(rng, 4)];
        way.direct = may_direct && kit_chance(rng, 50);
    }
    if (kit_chance(rng, 20)) {
        way.max_bandwidth = UINT64_C(16) << 20;
    }
    return way;
}

/* The file that a failed save must leave alone. */
struct old_file {
    struct kit_way way;
    struct stat st;
};

static void look_at_file(struct kit_scene *s, struct old_file *old,
                         const struct kit_way *way)
{
    old->way = *way;
    KIT_CHECK(stat(s->path, &old->st) == 0, "no file");
}

static bool is_old_file(struct kit_scene *s, const struct old_file *old)
{
    struct stat st;

    KIT_CHECK(stat(s->path, &st) == 0, "the file is gone");
    return st.st_ino == old->st.st_ino && st.st_size == old->st.st_size &&
           st.st_mtim.tv_sec == old->st.st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == old->st.st_mtim.tv_nsec;
}

/* Each page of the file is whole and in its place. */
static void check_loads(struct kit_scene *s, const struct kit_way *way)
{
    struct gw_error *error = NULL;
    struct kit_machine to;

    kit_machine_init(&to, &s->shape, true);
    KIT_CHECK(kit_load_by(&to, s->uri, way, &error) == 0, "%s",
              gw_error_text(error));
    kit_guest_check_any(&to);
    kit_machine_deinit(&to);
}

/* ---- Cancel ---- */

static void save_first(struct kit_scene *s, struct old_file *old)
{
    const struct kit_way way = {.mapped = true, .downtime_limit = LONG_MS};

    KIT_CHECK(kit_wait(kit_save_begin(&s->m, s->uri, &way), NULL) == 0, "save");
    look_at_file(s, old, &way);
    KIT_CHECK(gw_machine_cont(s->m.machine, NULL) == 0, "cont");
}

/* True if it came in time. */
static bool cancel_once(struct kit_scene *s, struct old_file *old,
                        const struct kit_way *way, useconds_t delay)
{
    struct gw_error *error = NULL;
    struct gw_migration *migration = kit_save_begin(&s->m, s->uri, way);
    int r;

    usleep(delay);
    gw_migration_cancel(migration);
    r = kit_wait(migration, &error);
    KIT_CHECK(r == 0 || r == -ECANCELED, "%d: %s", r, gw_error_text(error));
    gw_error_free(error);
    if (r == 0) {
        kit_scene_check_saved(s, way);
        look_at_file(s, old, way);
        KIT_CHECK(gw_machine_cont(s->m.machine, NULL) == 0, "cont");
    }
    KIT_CHECK(is_old_file(s, old), "a cancelled save touched the file");
    KIT_CHECK(kit_directory_count(s->directory) == 1, "debris");
    kit_scene_check_goes_on(s);
    return r < 0;
}

static void cancel_often(enum kit_tracker tracker, bool on_disk)
{
    unsigned int n_times = on_disk ? N_CANCELS / 5 : N_CANCELS;
    unsigned int n_cancelled = 0;
    struct kit_footprint before;
    struct kit_shape shape;
    struct old_file old;
    struct kit_scene s;
    bool may_direct;
    unsigned int i;

    make_shape(&shape);
    kit_scene_init(&s, &shape, tracker, KIT_ALL, on_disk);
    may_direct = on_disk && kit_directory_has_direct(s.directory);
    save_first(&s, &old);
    before = kit_footprint_take();
    for (i = 0; i < n_times; i++) {
        struct kit_way way = random_way(&s.rng, may_direct);
        useconds_t longest = i % 4 == 0 ? 20000 : 2000;

        n_cancelled +=
            cancel_once(&s, &old, &way, (useconds_t)kit_below(&s.rng, longest));
        kit_footprint_check(&before);
        if (i % 10 == 0) {
            kit_guest_check(s.guest);
        }
        if (i % 50 == 0) {
            check_loads(&s, &old.way);
        }
    }
    printf("# %u of %u were cancelled in time\n", n_cancelled, n_times);
    KIT_CHECK(n_cancelled > n_times / 4, "hardly a save was cancelled");
    kit_guest_check(s.guest);
    check_loads(&s, &old.way);
    kit_scene_deinit(&s);
}

static void test_live_cancel__by_log(void **state)
{
    (void)state;
    cancel_often(KIT_STRICT_LOG, false);
}

static void test_live_cancel__by_pagemap(void **state)
{
    (void)state;
    if (!kit_has_pagemap()) {
        skip();
    }
    cancel_often(KIT_PAGEMAP, false);
}

static void test_live_cancel__on_disk(void **state)
{
    (void)state;
    cancel_often(KIT_STRICT_LOG, true);
}

/* Tells when so many more events have come. */
struct trigger {
    sem_t reached;
    atomic_uint n_events;
};

static void on_event(void *opaque, const struct gw_event *event)
{
    struct trigger *trigger = opaque;

    if (atomic_fetch_sub(&trigger->n_events, 1) == 1) {
        sem_post(&trigger->reached);
        /* Listeners must not cancel; another thread can, meanwhile. */
        usleep(1000);
    }
}

/*
 * In each phase, as soon as it has begun: setup, pass, active, pass, stop,
 * device, pass, completed.
 */
static void test_live_cancel__at_an_event(void **state)
{
    unsigned int n_cancelled = 0;
    struct kit_shape shape;
    struct kit_scene s;
    unsigned int i;

    (void)state;
    make_shape(&shape);
    kit_scene_init(&s, &shape, KIT_STRICT_LOG, KIT_ALL, false);
    for (i = 0; i < N_CANCELS / 4; i++) {
        const struct kit_way way = {.mapped = i % 3 > 0,
                                    .channels = i % 3 > 1 ? 2 : 0,
                                    .downtime_limit = LONG_MS};
        struct trigger trigger = {.n_events = 2 + i % 7};
        struct gw_migration *migration;
        struct gw_error *error = NULL;
        int r;

        sem_init(&trigger.reached, 0, 0);
        KIT_CHECK(gw_machine_add_listener(s.m.machine, on_event, &trigger) == 0,
                  "out of memory");
        migration = kit_save_begin(&s.m, s.uri, &way);
        sem_wait(&trigger.reached);
        gw_migration_cancel(migration);
        r = kit_wait(migration, &error);
        gw_machine_remove_listener(s.m.machine, on_event, &trigger);
        sem_destroy(&trigger.reached);
        KIT_CHECK(r == 0 || r == -ECANCELED, "%d: %s", r, gw_error_text(error));
        gw_error_free(error);
        n_cancelled += r < 0;
        if (r == 0) {
            kit_scene_check_saved(&s, &way);
            KIT_CHECK(gw_machine_cont(s.m.machine, NULL) == 0, "cont");
            unlink(s.path);
        }
        KIT_CHECK(kit_directory_count(s.directory) == 0, "debris");
        kit_scene_check_goes_on(&s);
    }
    printf("# %u of %u were cancelled in time\n", n_cancelled, i);
    KIT_CHECK(n_cancelled >= i / 2 && n_cancelled < i, "no use of the events");
    kit_guest_check(s.guest);
    kit_scene_deinit(&s);
}

/* After many cancels, a save that is let alone is right. */
static void test_live_cancel__then_saved(void **state)
{
    struct kit_way way = {.mapped = true, .channels = 2};
    struct kit_shape shape;
    struct kit_scene s;
    unsigned int i;

    (void)state;
    make_shape(&shape);
    kit_scene_init(&s, &shape, KIT_STRICT_LOG, KIT_ALL, false);
    for (i = 0; i < 10; i++) {
        struct gw_migration *migration = kit_save_begin(&s.m, s.uri, &way);

        usleep(1000 * i);
        gw_migration_cancel(migration);
        if (kit_wait(migration, NULL) == 0) {
            KIT_CHECK(gw_machine_cont(s.m.machine, NULL) == 0, "cont");
        }
    }
    way.downtime_limit = LONG_MS;
    KIT_CHECK(kit_wait(kit_save_begin(&s.m, s.uri, &way), NULL) == 0, "save");
    kit_scene_check_saved(&s, &way);
    kit_scene_deinit(&s);
}

/* ---- Kill ---- */

/* A process that saves a guest of its own; tells when it has begun. */
static void save_and_die(const struct kit_scene *s, const struct kit_way *way,
                         enum kit_tracker tracker, int started_fd)
{
    struct gw_migration *migration;
    struct kit_rng rng = s->rng;
    struct kit_log *log = NULL;
    struct kit_machine m;

    kit_machine_init(&m, &s->shape, false);
    if (tracker == KIT_STRICT_LOG) {
        log = kit_log_new(&m);
    } else {
        KIT_CHECK(gw_machine_track_by_pagemap(m.machine, NULL) == 0, "tracker");
    }
    kit_guest_new(&m, 2, KIT_ALL, log, &rng);
    migration = kit_save_begin(&m, s->uri, way);
    KIT_CHECK(write(started_fd, "", 1) == 1, "write");
    _exit(kit_wait(migration, NULL) == 0 ? 0 : 1);
}

static void kill_saver(struct kit_scene *s, const struct kit_way *way,
                       enum kit_tracker tracker)
{
    int fds[2], status;
    char byte;
    pid_t pid;

    KIT_CHECK(pipe(fds) == 0, "pipe");
    pid = kit_child_fork();
    if (pid == 0) {
        save_and_die(s, way, tracker, fds[1]);
    }
    KIT_CHECK(read(fds[0], &byte, 1) == 1, "the child does not save");
    usleep(
        (useconds_t)kit_below(&s->rng, kit_chance(&s->rng, 25) ? 20000 : 3000));
    kill(pid, SIGKILL);
    KIT_CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
    KIT_CHECK(WIFSIGNALED(status) || status == 0, "the save failed: %d",
              status);
    close(fds[0]);
    close(fds[1]);
}

/*
 * The name of a new file cannot replace an old one in a single step of Linux:
 * between two of them it has a name of its own, which the next save clears.
 */
static void check_debris(struct kit_scene *s, const struct kit_way *way)
{
    unsigned int n = kit_directory_count(s->directory);

    KIT_CHECK(n <= 2, "%u files", n);
    if (n == 2) {
        printf("# killed between link and rename\n");
        kill_saver(s, way, KIT_STRICT_LOG);
    }
}

static void kill_often(enum kit_tracker tracker, bool on_disk)
{
    unsigned int n_times = on_disk ? N_KILLS / 5 : N_KILLS;
    unsigned int n_old = 0;
    struct kit_shape shape;
    struct old_file old;
    struct kit_scene s;
    bool may_direct;
    unsigned int i;

    make_shape(&shape);
    kit_scene_init(&s, &shape, KIT_STRICT_LOG, KIT_IDLE, on_disk);
    may_direct = on_disk && kit_directory_has_direct(s.directory);
    save_first(&s, &old);
    /* Only the process that is killed has threads. */
    KIT_CHECK(gw_machine_stop(s.m.machine, NULL) == 0, "stop");
    s.guest = kit_guest_free(s.guest);
    for (i = 0; i < n_times; i++) {
        struct kit_way way = random_way(&s.rng, may_direct);

        way.pauses = false;
        /* Half of them are soon at their end. */
        if (i % 2 == 0) {
            way.downtime_limit = LONG_MS;
            way.max_bandwidth = 0;
        }
        kill_saver(&s, &way, tracker);
        check_debris(&s, &way);
        if (is_old_file(&s, &old)) {
            n_old++;
        } else {
            look_at_file(&s, &old, &way);
        }
        check_loads(&s, &old.way);
    }
    printf("# the old file stayed in %u of %u\n", n_old, n_times);
    KIT_CHECK(n_old > n_times / 4, "hardly a save was killed before its end");
    s.guest = kit_guest_new(&s.m, 2, KIT_IDLE, s.log, &s.rng);
    kit_scene_deinit(&s);
}

static void test_live_cancel__killed_by_log(void **state)
{
    (void)state;
    kill_often(KIT_STRICT_LOG, false);
}

static void test_live_cancel__killed_by_pagemap(void **state)
{
    (void)state;
    if (!kit_has_pagemap()) {
        skip();
    }
    kill_often(KIT_PAGEMAP, false);
}

static void test_live_cancel__killed_on_disk(void **state)
{
    (void)state;
    kill_often(KIT_STRICT_LOG, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_cancel__by_log),
        cmocka_unit_test(test_live_cancel__by_pagemap),
        cmocka_unit_test(test_live_cancel__on_disk),
        cmocka_unit_test(test_live_cancel__at_an_event),
        cmocka_unit_test(test_live_cancel__then_saved),
        cmocka_unit_test(test_live_cancel__killed_by_log),
        cmocka_unit_test(test_live_cancel__killed_by_pagemap),
        cmocka_unit_test(test_live_cancel__killed_on_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

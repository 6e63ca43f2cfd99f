/*
 * What steers a live save: the pause before the switchover, the limits on
 * bandwidth and downtime, which may change on the way, and the run state of
 * the guest, which a user may change on the way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "kit-scene.h"

#define MIB (UINT64_C(1) << 20)
#define LONG_MS 100000u

/* Every way that differs in who moves the pages. */
static const struct kit_way ways[] = {
    {.mapped = false},
    {.mapped = true},
    {.mapped = true, .channels = 2},
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static void scene_init(struct kit_scene *s, unsigned int patterns)
{
    struct kit_shape shape;

    kit_shape_live(&shape);
    kit_scene_init(s, &shape, KIT_STRICT_LOG, patterns, false);
}

static void check_state(struct kit_scene *s, enum gw_run_state expected)
{
    enum gw_run_state state = gw_machine_run_state(s->m.machine);

    KIT_CHECK(state == expected, "'%s', expected '%s'",
              gw_run_state_name(state), gw_run_state_name(expected));
}

static struct gw_progress get_progress(struct gw_migration *migration)
{
    struct gw_progress p;

    gw_migration_get_progress(migration, &p);
    return p;
}

static void check_completes(struct gw_migration *migration)
{
    struct gw_error *error = NULL;

    KIT_CHECK(kit_wait(migration, &error) == 0, "%s", gw_error_text(error));
}

static void check_cancels(struct gw_migration *migration)
{
    gw_migration_cancel(migration);
    KIT_CHECK(kit_wait(migration, NULL) == -ECANCELED, "not cancelled");
}

/* ---- pause-before-switchover ---- */

static struct gw_migration *pause_before_switchover(struct kit_scene *s,
                                                    struct kit_way way)
{
    struct gw_migration *migration;
    uint64_t n_writes;

    way.pauses = true;
    way.downtime_limit = LONG_MS;
    migration = kit_save_begin(&s->m, s->uri, &way);
    kit_await_status(migration, GW_MIGRATION_PRE_SWITCHOVER);
    check_state(s, GW_RUN_STATE_FINISH_MIGRATE);
    n_writes = kit_guest_n_writes(s->guest);
    usleep(20000);
    KIT_CHECK(kit_guest_n_writes(s->guest) == n_writes, "the guest writes");
    KIT_CHECK(get_progress(migration).status == GW_MIGRATION_PRE_SWITCHOVER,
              "it did not wait");
    return migration;
}

static void test_live_limits__pause_and_continue(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct gw_error *error = NULL;
        struct gw_migration *migration;
        struct kit_scene s;

        scene_init(&s, KIT_ALL);
        migration = pause_before_switchover(&s, ways[i]);
        KIT_CHECK(gw_machine_cont(s.m.machine, &error) == -EINVAL,
                  "a guest about to move could be resumed");
        gw_error_free(error);
        KIT_CHECK(gw_machine_stop(s.m.machine, NULL) == 0, "stop");
        gw_migration_continue(migration);
        check_completes(migration);
        check_state(&s, GW_RUN_STATE_POSTMIGRATE);
        kit_scene_check_saved(&s, &ways[i]);
        kit_scene_deinit(&s);
    }
}

static void test_live_limits__pause_and_cancel(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct kit_scene s;

        scene_init(&s, KIT_ALL);
        check_cancels(pause_before_switchover(&s, ways[i]));
        kit_scene_check_goes_on(&s);
        kit_guest_check(s.guest);
        KIT_CHECK(kit_directory_count(s.directory) == 0, "debris");
        kit_scene_deinit(&s);
    }
}

/* A continue that came before there was anything to continue is stale. */
static void test_live_limits__early_continue(void **state)
{
    struct kit_way way = {.mapped = true, .pauses = true};
    struct gw_migration *migration;
    struct kit_scene s;

    (void)state;
    scene_init(&s, KIT_ALL);
    kit_scene_keep_busy(&s, true);
    migration = kit_save_begin(&s.m, s.uri, &way);
    kit_await_passes(migration, 3);
    gw_migration_continue(migration);
    way.downtime_limit = LONG_MS;
    kit_update(migration, &way);
    kit_await_status(migration, GW_MIGRATION_PRE_SWITCHOVER);
    usleep(20000);
    KIT_CHECK(get_progress(migration).status == GW_MIGRATION_PRE_SWITCHOVER,
              "it did not wait");
    gw_migration_continue(migration);
    check_completes(migration);
    kit_scene_deinit(&s);
}

/* ---- downtime-limit ---- */

/* 0: only when nothing is left, which an idle guest lets happen. */
static void test_live_limits__downtime_zero(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct kit_scene s;

        scene_init(&s, KIT_IDLE);
        check_completes(kit_save_begin(&s.m, s.uri, &ways[i]));
        kit_scene_check_saved(&s, &ways[i]);
        kit_scene_deinit(&s);
    }
}

/* A guest that always writes keeps it going until somebody acts. */
static void test_live_limits__never_converges(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct gw_migration *migration;
        struct gw_progress p;
        struct kit_scene s;

        scene_init(&s, KIT_HOT);
        kit_scene_keep_busy(&s, true);
        migration = kit_save_begin(&s.m, s.uri, &ways[i]);
        kit_await_passes(migration, 15);
        p = get_progress(migration);
        KIT_CHECK(p.status == GW_MIGRATION_ACTIVE, "%s",
                  gw_migration_status_name(p.status));
        KIT_CHECK(gw_machine_is_running(s.m.machine), "the guest was stopped");
        check_cancels(migration);
        kit_scene_check_goes_on(&s);
        kit_guest_check(s.guest);
        kit_scene_deinit(&s);
    }
}

/* ---- max-bandwidth ---- */

/* 8 MiB of data that is not written to again. */
static void scene_init_8_mib(struct kit_scene *s)
{
    struct kit_shape shape = {.n_blocks = 1, .running = true};

    shape.blocks[0] = (struct kit_block_shape){.idstr = "pc.ram",
                                               .backing = KIT_ANONYMOUS,
                                               .used_pages = 2048,
                                               .other_pages = 2048,
                                               .max_pages = 2048};
    kit_scene_init(s, &shape, KIT_STRICT_LOG, KIT_IDLE, false);
    kit_guest_change(s->guest, KIT_GROWING);
    while (kit_guest_n_writes(s->guest) < 2048) {
        usleep(1000);
    }
    kit_guest_change(s->guest, KIT_IDLE);
}

/*
 * 8 MiB at 4 MiB/s take 2 s. Unpaid may be: a chunk of 1 MiB for each of two
 * workers, and 20 ms.
 */
static void test_live_limits__max_bandwidth(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct kit_way way = ways[i];
        struct gw_migration *migration;
        struct kit_scene s;
        uint64_t start, ms;

        scene_init_8_mib(&s);
        way.max_bandwidth = 4 * MIB;
        start = gw_now_ns();
        migration = kit_save_begin(&s.m, s.uri, &way);
        check_completes(migration);
        ms = (gw_now_ns() - start) / 1000000;
        KIT_CHECK(ms >= 1000, "8 MiB at 4 MiB/s took %u ms", (unsigned int)ms);
        kit_scene_check_saved(&s, &way);
        kit_scene_deinit(&s);
    }
}

/* At 1 MiB in 100 s it would take long; the change is not waited for. */
static void test_live_limits__bandwidth_changes(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct kit_way way = ways[i];
        struct gw_migration *migration;
        struct kit_scene s;
        uint64_t start, before;

        scene_init_8_mib(&s);
        way.max_bandwidth = MIB / 100;
        migration = kit_save_begin(&s.m, s.uri, &way);
        usleep(100000);
        before = get_progress(migration).transferred_bytes;
        KIT_CHECK(before <= 4 * MIB, "%llu bytes in 100 ms",
                  (unsigned long long)before);
        way.max_bandwidth = 0;
        start = gw_now_ns();
        kit_update(migration, &way);
        check_completes(migration);
        KIT_CHECK((gw_now_ns() - start) / 1000000 < 20000, "it took long");
        kit_scene_check_saved(&s, &way);
        kit_scene_deinit(&s);
    }
}

/* Nobody waits for the bandwidth when it is cancelled. */
static void test_live_limits__cancel_while_it_pays(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct kit_way way = ways[i];
        struct gw_migration *migration;
        struct kit_scene s;
        uint64_t start;

        scene_init_8_mib(&s);
        way.max_bandwidth = MIB / 100;
        migration = kit_save_begin(&s.m, s.uri, &way);
        usleep(50000);
        start = gw_now_ns();
        check_cancels(migration);
        KIT_CHECK((gw_now_ns() - start) / 1000000 < 20000, "it took long");
        kit_guest_change(s.guest, KIT_ALL);
        kit_scene_check_goes_on(&s);
        kit_scene_deinit(&s);
    }
}

/* ---- stop and cont on the way ---- */

static void test_live_limits__stop_on_the_way(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_WAYS; i++) {
        struct gw_error *error = NULL;
        struct gw_migration *migration;
        struct kit_machine to;
        struct kit_scene s;

        scene_init(&s, KIT_ALL);
        kit_scene_keep_busy(&s, true);
        migration = kit_save_begin(&s.m, s.uri, &ways[i]);
        kit_await_passes(migration, 3);
        KIT_CHECK(gw_machine_stop(s.m.machine, NULL) == 0, "stop");
        check_state(&s, GW_RUN_STATE_PAUSED);
        kit_scene_keep_busy(&s, false);
        check_completes(migration);
        check_state(&s, GW_RUN_STATE_POSTMIGRATE);
        /* Where it is loaded it does not run by itself. */
        kit_machine_init(&to, &s.shape, true);
        KIT_CHECK(kit_load_by(&to, s.uri, &ways[i], &error) == 0, "%s",
                  gw_error_text(error));
        KIT_CHECK(gw_machine_run_state(to.machine) == GW_RUN_STATE_PAUSED &&
                      to.n_resumes == 0,
                  "a paused guest runs");
        kit_guest_check_in(s.guest, &to);
        kit_machine_deinit(&to);
        kit_scene_deinit(&s);
    }
}

/* Stopped and resumed again and again, then cancelled or completed. */
static void test_live_limits__stop_and_cont(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < 2 * N_WAYS; i++) {
        struct kit_way way = ways[i / 2];
        struct gw_migration *migration;
        struct kit_scene s;
        uint64_t pass;

        scene_init(&s, KIT_ALL);
        kit_scene_keep_busy(&s, true);
        migration = kit_save_begin(&s.m, s.uri, &way);
        for (pass = 2; pass < 8; pass++) {
            kit_await_passes(migration, pass);
            KIT_CHECK(gw_machine_stop(s.m.machine, NULL) == 0, "stop");
            usleep(1000);
            KIT_CHECK(gw_machine_cont(s.m.machine, NULL) == 0, "cont");
        }
        if (i % 2 == 0) {
            check_cancels(migration);
        } else {
            way.downtime_limit = LONG_MS;
            kit_update(migration, &way);
            check_completes(migration);
            kit_scene_check_saved(&s, &way);
            KIT_CHECK(gw_machine_cont(s.m.machine, NULL) == 0, "cont");
        }
        kit_scene_check_goes_on(&s);
        kit_guest_check(s.guest);
        kit_scene_deinit(&s);
    }
}

/* A guest that was stopped on the way stays stopped after a cancel. */
static void test_live_limits__stop_and_cancel(void **state)
{
    const struct kit_way way = {.mapped = true, .channels = 2};
    struct gw_migration *migration;
    struct kit_scene s;

    (void)state;
    scene_init(&s, KIT_ALL);
    kit_scene_keep_busy(&s, true);
    migration = kit_save_begin(&s.m, s.uri, &way);
    kit_await_passes(migration, 3);
    KIT_CHECK(gw_machine_stop(s.m.machine, NULL) == 0, "stop");
    check_cancels(migration);
    check_state(&s, GW_RUN_STATE_PAUSED);
    KIT_CHECK(gw_machine_cont(s.m.machine, NULL) == 0, "cont");
    kit_scene_check_goes_on(&s);
    kit_scene_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_limits__pause_and_continue),
        cmocka_unit_test(test_live_limits__pause_and_cancel),
        cmocka_unit_test(test_live_limits__early_continue),
        cmocka_unit_test(test_live_limits__downtime_zero),
        cmocka_unit_test(test_live_limits__never_converges),
        cmocka_unit_test(test_live_limits__max_bandwidth),
        cmocka_unit_test(test_live_limits__bandwidth_changes),
        cmocka_unit_test(test_live_limits__cancel_while_it_pays),
        cmocka_unit_test(test_live_limits__stop_on_the_way),
        cmocka_unit_test(test_live_limits__stop_and_cont),
        cmocka_unit_test(test_live_limits__stop_and_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Property: whatever a machine is made of, loading what was saved gives the
 * same memory and the same devices, in both formats.
 *
 * GW_TEST_SEED repeats a run, GW_TEST_ROUNDS sets the number of machines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit.h"

static uint64_t n_rounds(void)
{
    const char *text = getenv("GW_TEST_ROUNDS");

    return text ? strtoull(text, NULL, 0) : 150;
}

/* Moves one machine; the directory is empty before and after. */
static void move(const struct kit_shape *shape, struct kit_rng *rng,
                 const char *directory, bool mapped)
{
    struct kit_footprint before = kit_footprint_take();
    struct gw_error *error = NULL;
    struct kit_machine from;
    struct kit_machine to;
    char path[KIT_PATH_SIZE + 16];
    char uri[KIT_PATH_SIZE + 32];

    snprintf(path, sizeof(path), "%s/machine", directory);
    snprintf(uri, sizeof(uri), "file:%s", path);
    kit_machine_init(&from, shape, false);
    kit_machine_fill(&from, rng);
    KIT_CHECK(kit_save(&from, uri, mapped, &error) == 0, "save: %s",
              gw_error_text(error));
    KIT_CHECK(!gw_machine_is_running(from.machine), "the source runs on");
    KIT_CHECK(kit_directory_count(directory) == 1, "debris beside the file");

    kit_machine_init(&to, shape, true);
    KIT_CHECK(kit_load(&to, uri, mapped, &error) == 0, "load: %s",
              gw_error_text(error));
    kit_machine_check_equal(&from, &to);
    kit_machine_check_files(&to);
    KIT_CHECK(to.n_resumes == shape->running, "resumed %u times", to.n_resumes);
    KIT_CHECK(gw_machine_is_running(to.machine) == shape->running,
              "wrong run state");
    kit_machine_deinit(&from);
    kit_machine_deinit(&to);
    kit_footprint_check(&before);
    unlink(path);
}

static void move_random(bool mapped)
{
    struct kit_rng rng = {.state = kit_seed()};
    char directory[KIT_PATH_SIZE];
    uint64_t i;

    kit_directory_make(directory);
    for (i = 0; i < n_rounds(); i++) {
        struct kit_shape shape;

        kit_shape_random(&shape, &rng);
        move(&shape, &rng, directory, mapped);
    }
    kit_directory_remove(directory);
}

static void test_roundtrip__plain(void **state)
{
    (void)state;
    move_random(false);
}

static void test_roundtrip__mapped(void **state)
{
    (void)state;
    move_random(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip__plain),
        cmocka_unit_test(test_roundtrip__mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

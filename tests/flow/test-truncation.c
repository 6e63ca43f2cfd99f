/*
 * A saved file that is cut short, at every byte of its metadata and at random
 * places in the rest: an error, no hang, and a machine that cannot run.
 *
 * The only exception is the description behind the end mark, which nobody
 * needs (stream spec 1.8): cut there the machine loads and runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit-layout.h"
#include "kit.h"

#define N_RANDOM 1000u

static void check_cut(struct kit_saved *s, uint64_t size)
{
    struct gw_error *error = NULL;
    struct kit_machine to;
    int r;

    KIT_CHECK(truncate(s->path, (off_t)size) == 0, "cannot truncate");
    kit_machine_init(&to, &s->shape, true);
    r = kit_load(&to, s->uri, s->mapped, &error);
    if (size >= s->layout.eof) {
        KIT_CHECK(r == 0, "cut at %llu, behind the end: %s",
                  (unsigned long long)size, gw_error_text(error));
        kit_machine_check_equal(&s->from, &to);
    } else {
        KIT_CHECK(r < 0 && error, "cut at %llu of %zu: loaded",
                  (unsigned long long)size, s->layout.size);
        /*
         * Missing bytes are not taken for a mistake in those that are there;
         * only mapped-ram's offsets beyond the file may be either.
         */
        KIT_CHECK(r == -ENODATA || (s->mapped && r == -EBADMSG),
                  "cut at %llu of %zu: %s (%d)", (unsigned long long)size,
                  s->layout.size, gw_error_text(error), r);
        kit_check_cannot_run(&to);
    }
    gw_error_free(error);
    kit_machine_deinit(&to);
}

/* From the end to the start, so that the file only ever gets shorter. */
static void check_all_cuts(struct kit_saved *s, struct kit_rng *rng)
{
    uint64_t n_rest = 0;
    uint64_t n_cuts = 0;
    uint64_t size;

    for (size = 0; size < s->layout.size; size++) {
        n_rest += s->layout.bytes[size] == KIT_BYTE_PAGE ||
                  s->layout.bytes[size] == KIT_BYTE_PADDING;
    }
    for (size = s->layout.size; size-- > 0;) {
        enum kit_byte kind = s->layout.bytes[size];
        bool rest = kind == KIT_BYTE_PAGE || kind == KIT_BYTE_PADDING;

        if ((!rest || kit_below(rng, n_rest) < N_RANDOM ||
             (size > 0 && s->layout.bytes[size - 1] != kind)) &&
            kit_takes(rng)) {
            check_cut(s, size);
            n_cuts++;
        }
    }
    printf("# %llu cuts of %zu bytes\n", (unsigned long long)n_cuts,
           s->layout.size);
}

static void check_format(bool mapped)
{
    struct kit_footprint before = kit_footprint_take();
    struct kit_rng rng = {.state = kit_seed()};
    struct kit_saved s;

    kit_saved_init(&s, &rng, mapped);
    check_all_cuts(&s, &rng);
    KIT_CHECK(kit_directory_count(s.directory) == 1, "debris beside the file");
    kit_saved_deinit(&s);
    kit_footprint_check(&before);
}

static void test_truncation__plain(void **state)
{
    (void)state;
    check_format(false);
}

static void test_truncation__mapped(void **state)
{
    (void)state;
    check_format(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation__plain),
        cmocka_unit_test(test_truncation__mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

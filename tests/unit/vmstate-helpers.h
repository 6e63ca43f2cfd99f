/*
 * What the tests of vmstate tables share: saving to bytes, loading from
 * bytes, and expectations on both.
 */
#ifndef GW_TESTS_UNIT_VMSTATE_HELPERS_H
#define GW_TESTS_UNIT_VMSTATE_HELPERS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <godwit/vmstate.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "channel/input.h"
#include "vmstate/load.h"
#include "vmstate/save.h"

/* Bytes of a string literal, its NUL left out. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* Loads and returns the result; *ret_used is what was consumed. */
static inline int load_some(const struct gw_vmstate *vmstate, void *state,
                            uint32_t version, const void *data, size_t size,
                            size_t *ret_used, struct gw_error **errp)
{
    struct gw_input *input = gw_input_new_memory(data, size, NULL);
    int r;

    assert_non_null(input);
    r = gw_vmstate_load(vmstate, state, version, input, errp);
    if (ret_used) {
        *ret_used = (size_t)gw_input_offset(input);
    }
    gw_input_free(input);
    return r;
}

/* Saving gives exactly these bytes. */
static inline void expect_saved(const struct gw_vmstate *vmstate, void *state,
                                const void *data, size_t size)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    GW_AUTO_BUFFER struct gw_buffer out = {0};
    int r = gw_vmstate_save(vmstate, state, &out, NULL, &error);

    if (r < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, data, size);
}

/* Loading these bytes works and consumes them all. */
static inline void expect_loaded(const struct gw_vmstate *vmstate, void *state,
                                 uint32_t version, const void *data,
                                 size_t size)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    size_t used = 0;
    int r = load_some(vmstate, state, version, data, size, &used, &error);

    if (r < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    assert_int_equal(used, size);
}

/* Loading fails with the code, and the text of the error has `part`. */
static inline void expect_refused(const struct gw_vmstate *vmstate, void *state,
                                  uint32_t version, const void *data,
                                  size_t size, int code, const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int r = load_some(vmstate, state, version, data, size, NULL, &error);

    assert_int_equal(r, code);
    assert_non_null(error);
    assert_int_equal(gw_error_code(error), code);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
}

/* Every shorter piece of the bytes is -ENODATA; `again` resets the state. */
static inline void expect_truncations(const struct gw_vmstate *vmstate,
                                      void *state, void (*again)(void *state),
                                      uint32_t version, const void *data,
                                      size_t size)
{
    size_t cut;

    for (cut = 0; cut < size; cut++) {
        /* Memory of its own, so that a sanitizer sees reads past its end. */
        GW_AUTO_FREE uint8_t *piece = malloc(cut ? cut : 1);
        int r;

        assert_non_null(piece);
        memcpy(piece, data, cut);
        if (again) {
            again(state);
        }
        r = load_some(vmstate, state, version, piece, cut, NULL, NULL);
        if (r != -ENODATA) {
            fail_msg("cut at %zu of %zu: %d", cut, size, r);
        }
    }
}

/* Saving fails with the code, and the text of the error has `part`. */
static inline void expect_not_saved(const struct gw_vmstate *vmstate,
                                    void *state, int code, const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    assert_int_equal(gw_vmstate_save(vmstate, state, &out, NULL, &error), code);
    assert_non_null(error);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
}

/* The table passes its check. */
static inline void expect_sound(const struct gw_vmstate *vmstate)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;

    if (gw_vmstate_check(vmstate, &error) < 0) {
        fail_msg("%s", gw_error_text(error));
    }
}

#endif

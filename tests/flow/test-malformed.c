/*
 * Saved files with mistakes in them. Bytes that hold the stream together may
 * not change at all; bytes that are data may make another machine, or an
 * error. Nothing crashes, hangs, or runs after an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit-layout.h"
#include "kit.h"

enum verdict {
    MUST_FAIL,
    MAY_FAIL,
    MUST_LOAD
};

/* Where in which section a byte is, for the text of a failure. */
static const char *place(const struct kit_saved *s, uint64_t offset)
{
    static char text[400];
    size_t i;

    snprintf(text, sizeof(text), "offset %llu", (unsigned long long)offset);
    for (i = 0; i < s->layout.n_sections; i++) {
        const struct kit_section *section = &s->layout.sections[i];

        if (offset >= section->start && offset < section->end) {
            snprintf(text, sizeof(text),
                     "offset %llu, byte %lld of the data of '%s'",
                     (unsigned long long)offset,
                     (long long)(offset - section->data_start), section->idstr);
        }
    }
    return text;
}

static void check_load(struct kit_saved *s, enum verdict verdict,
                       const char *what, uint64_t where)
{
    struct gw_error *error = NULL;
    struct kit_machine to;
    int r;

    kit_machine_init(&to, &s->shape, true);
    r = kit_load(&to, s->uri, s->mapped, &error);
    KIT_CHECK(r < 0 || verdict != MUST_FAIL, "%s at %s: loaded", what,
              place(s, where));
    KIT_CHECK(r == 0 || verdict != MUST_LOAD, "%s at %s: %s", what,
              place(s, where), gw_error_text(error));
    if (r < 0) {
        KIT_CHECK(error && gw_error_text(error)[0], "%s: no text", what);
        kit_check_cannot_run(&to);
    } else if (verdict == MUST_LOAD) {
        kit_machine_check_equal(&s->from, &to);
    }
    gw_error_free(error);
    kit_machine_deinit(&to);
}

static void put(const struct kit_saved *s, const void *data, size_t size,
                uint64_t offset)
{
    int fd = open(s->path, O_WRONLY | O_CLOEXEC);

    KIT_CHECK(fd >= 0 && pwrite(fd, data, size, (off_t)offset) == (ssize_t)size,
              "cannot write %s: %s", s->path, strerror(errno));
    close(fd);
}

static enum verdict verdict_of(enum kit_byte kind)
{
    switch (kind) {
    case KIT_BYTE_FRAME:
        return MUST_FAIL;
    case KIT_BYTE_PADDING:
    case KIT_BYTE_DESCRIPTION:
        return MUST_LOAD;
    default:
        return MAY_FAIL;
    }
}

/* An end mark in place of the run state, which may be missing. */
static bool ends_before_globalstate(const struct kit_saved *s, uint64_t offset,
                                    uint8_t byte)
{
    size_t i;

    for (i = 0; i < s->layout.n_sections; i++) {
        if (s->layout.sections[i].start == offset) {
            return byte == 0 &&
                   strcmp(s->layout.sections[i].idstr, "globalstate") == 0;
        }
    }
    return false;
}

/* Changes some bytes, loads, and puts the old ones back. */
static void check_change(struct kit_saved *s, const void *data, size_t size,
                         uint64_t offset, const char *what)
{
    enum kit_byte kind = s->layout.bytes[offset];
    const uint8_t *old = s->layout.data + offset;
    enum verdict verdict = MAY_FAIL;

    if (offset + size > s->layout.size || !memcmp(old, data, size)) {
        return;
    }
    /* Only if it is a byte of the kind that changes. */
    if (*old != *(const uint8_t *)data &&
        s->layout.bytes[offset + size - 1] == kind &&
        !ends_before_globalstate(s, offset, *(const uint8_t *)data)) {
        verdict = verdict_of(kind);
    }
    put(s, data, size, offset);
    check_load(s, verdict, what, offset);
    put(s, old, size, offset);
}

static bool is_metadata(const struct kit_saved *s, uint64_t offset)
{
    return s->layout.bytes[offset] != KIT_BYTE_PAGE &&
           s->layout.bytes[offset] != KIT_BYTE_PADDING;
}

static void flip_bits(struct kit_saved *s, struct kit_rng *rng)
{
    uint64_t offset;

    for (offset = 0; offset < s->layout.size; offset++) {
        uint8_t byte = s->layout.data[offset];

        if (is_metadata(s, offset) && kit_takes(rng)) {
            byte ^= (uint8_t)(1u << kit_below(rng, 8));
            check_change(s, &byte, 1, offset, "flipped bit");
        }
    }
}

/* What lengths, counts, ids and offsets are afraid of. */
static void put_extremes(struct kit_saved *s, struct kit_rng *rng)
{
    static const uint8_t extremes[][8] = {
        {0, 0, 0, 0, 0, 0, 0, 0},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0x80, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
    };
    static const size_t sizes[] = {1, 2, 4, 8};
    uint64_t offset;

    for (offset = 0; offset < s->layout.size; offset++) {
        if (is_metadata(s, offset) &&
            s->layout.bytes[offset] != KIT_BYTE_DESCRIPTION && kit_takes(rng)) {
            check_change(s, extremes[kit_below(rng, 5)],
                         sizes[kit_below(rng, 4)], offset, "extreme value");
        }
    }
}

/* Writes a new file: the first n bytes, a piece, and the rest from `at`. */
static void rewrite(const struct kit_saved *s, uint64_t n, const void *piece,
                    size_t piece_size, uint64_t at)
{
    KIT_CHECK(truncate(s->path, (off_t)n) == 0, "cannot truncate");
    put(s, piece, piece_size, n);
    put(s, s->layout.data + at, s->layout.size - at, n + piece_size);
}

static void restore_file(const struct kit_saved *s)
{
    rewrite(s, 0, "", 0, 0);
}

/*
 * Sections twice and missing. What precedes a mapped page area cannot move,
 * so that only sections behind the RAM's start are taken.
 */
static void move_sections(struct kit_saved *s)
{
    size_t i;
    bool movable = !s->mapped;

    for (i = 0; i < s->layout.n_sections; i++) {
        const struct kit_section *section = &s->layout.sections[i];
        const uint8_t *data = s->layout.data + section->start;
        size_t size = section->end - section->start;
        /* There may be any number of parts; the run state may be missing. */
        enum verdict twice = section->type == 2 ? MAY_FAIL : MUST_FAIL;
        enum verdict missing =
            strcmp(section->idstr, "globalstate") == 0 ? MAY_FAIL : twice;

        if (movable) {
            rewrite(s, section->end, data, size, section->end);
            check_load(s, twice, section->idstr, section->start);
            rewrite(s, section->start, "", 0, section->end);
            check_load(s, missing, section->idstr, section->start);
        }
        movable |= section->type == 1;
    }
    restore_file(s);
}

/* Whole sections behind each other in another order, and a second stream. */
static void append(struct kit_saved *s)
{
    static const char garbage[] = "garbage behind the end";

    rewrite(s, s->layout.size, garbage, sizeof(garbage), s->layout.size);
    check_load(s, MUST_LOAD, "trailing garbage", s->layout.size);
    rewrite(s, s->layout.size, s->layout.data, s->layout.eof, s->layout.size);
    check_load(s, MUST_LOAD, "trailing stream", s->layout.size);
    rewrite(s, s->layout.eof, "", 0, s->layout.size);
    check_load(s, MUST_LOAD, "no description", s->layout.eof);
    rewrite(s, s->layout.eof - 1, "", 0, s->layout.eof);
    check_load(s, MUST_FAIL, "no end mark", s->layout.eof);
    restore_file(s);
}

static void check_format(bool mapped)
{
    struct kit_footprint before = kit_footprint_take();
    struct kit_rng rng = {.state = kit_seed()};
    struct kit_saved s;

    kit_saved_init(&s, &rng, mapped);
    append(&s);
    move_sections(&s);
    flip_bits(&s, &rng);
    put_extremes(&s, &rng);
    check_load(&s, MUST_LOAD, "the file as it was", 0);
    kit_saved_deinit(&s);
    kit_footprint_check(&before);
}

static void test_malformed__plain(void **state)
{
    (void)state;
    check_format(false);
}

static void test_malformed__mapped(void **state)
{
    (void)state;
    check_format(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed__plain),
        cmocka_unit_test(test_malformed__mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

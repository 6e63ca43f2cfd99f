/*
 * Live saving: what is loaded is the guest's memory at the moment when it
 * stopped, whatever it wrote while its pages were sent, in every way to save
 * and with every kind of memory. And the file of mapped-ram stays as large as
 * the memory, read here without the library.
 */
#include <endian.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit-scene.h"

/* Rounds over memory that is written meanwhile, before the last. */
#define PASSES 5u
/* All that is not pages: alignment of each block, bitmaps, devices, rounds. */
#define METADATA_BYTES (UINT64_C(1) << 20)
/* Long enough for whatever is left. */
#define LONG_MS 100000u

/* ---- A reader of mapped-ram's part of a file ---- */

struct area {
    uint8_t *file;
    size_t size;
    uint64_t bitmap; /* offsets in the file */
    uint64_t pages;
};

static uint64_t get_be64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return be64toh(value);
}

/*
 * A block's entry: length byte, name, 8 bytes of length; then 4 bytes of
 * version, page size, offset of the bitmap, offset of the pages, of 8 each.
 */
static struct area find_area(uint8_t *file, size_t size,
                             const struct kit_block_shape *shape)
{
    uint8_t entry[64];
    size_t len = strlen(shape->idstr);
    uint64_t length = htobe64(shape->used_pages * KIT_PAGE);
    const uint8_t *at;

    entry[0] = (uint8_t)len;
    memcpy(entry + 1, shape->idstr, len);
    memcpy(entry + 1 + len, &length, 8);
    at = memmem(file, size, entry, len + 9);
    KIT_CHECK(at, "no entry of '%s'", shape->idstr);
    at += len + 9;
    return (struct area){.file = file,
                         .size = size,
                         .bitmap = get_be64(at + 12),
                         .pages = get_be64(at + 20)};
}

static void check_page(const struct area *area, uint64_t page,
                       const uint8_t *expected, const char *idstr)
{
    static const uint8_t zero[KIT_PAGE];
    const uint8_t *found = area->file + area->pages + page * KIT_PAGE;
    bool is_set = area->file[area->bitmap + page / 8] >> page % 8 & 1;
    bool is_zero = memcmp(expected, zero, KIT_PAGE) == 0;

    KIT_CHECK(area->pages + (page + 1) * KIT_PAGE <= area->size,
              "pages of '%s' beyond the file", idstr);
    KIT_CHECK(is_set != is_zero, "page %llu of '%s' is %s, its bit is %d",
              (unsigned long long)page, idstr, is_zero ? "zero" : "not zero",
              (int)is_set);
    KIT_CHECK(memcmp(found, expected, KIT_PAGE) == 0,
              "page %llu of '%s' has other bytes in the file",
              (unsigned long long)page, idstr);
}

static uint8_t *read_file(const char *path, struct stat *ret_stat)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *file;

    KIT_CHECK(fd >= 0 && fstat(fd, ret_stat) == 0, "cannot open %s", path);
    file = malloc((size_t)ret_stat->st_size);
    KIT_CHECK(file && read(fd, file, (size_t)ret_stat->st_size) ==
                          ret_stat->st_size,
              "cannot read %s", path);
    close(fd);
    return file;
}

static uint64_t memory_bytes(const struct kit_shape *shape)
{
    uint64_t bytes = 0;
    size_t i;

    for (i = 0; i < shape->n_blocks; i++) {
        bytes += shape->blocks[i].used_pages * KIT_PAGE;
    }
    return bytes;
}

/* Each page of the stopped machine is in its place; nothing else is there. */
static void check_mapped_file(struct kit_scene *s)
{
    uint64_t memory = memory_bytes(&s->shape);
    uint64_t most = memory + (s->shape.n_blocks + 1) * METADATA_BYTES;
    struct stat st;
    uint8_t *file = read_file(s->path, &st);
    size_t i;

    for (i = 0; i < s->shape.n_blocks; i++) {
        const struct kit_block_shape *shape = &s->shape.blocks[i];
        const uint8_t *host = gw_ram_block_host(s->m.blocks[i].block);
        struct area area = find_area(file, (size_t)st.st_size, shape);
        uint64_t page;

        for (page = 0; page < shape->used_pages; page++) {
            check_page(&area, page, host + page * KIT_PAGE, shape->idstr);
        }
    }
    free(file);
    KIT_CHECK((uint64_t)st.st_size <= most, "the file has %llu bytes",
              (unsigned long long)st.st_size);
    KIT_CHECK((uint64_t)st.st_blocks * 512 <= memory + METADATA_BYTES,
              "the file takes %llu bytes",
              (unsigned long long)st.st_blocks * 512);
}

/* ---- Every way ---- */

static void check_completed(struct kit_scene *s)
{
    enum gw_run_state state = gw_machine_run_state(s->m.machine);

    KIT_CHECK(state == GW_RUN_STATE_POSTMIGRATE, "the source is '%s'",
              gw_run_state_name(state));
    KIT_CHECK(s->m.n_pauses == s->m.n_resumes, "%u pauses, %u resumes",
              s->m.n_pauses, s->m.n_resumes);
}

/* Many rounds while the guest writes, then one that takes all that is left. */
static void save_busy(struct kit_scene *s, struct kit_way way)
{
    struct gw_error *error = NULL;
    struct gw_migration *migration;
    struct gw_progress p;

    way.downtime_limit = 0;
    kit_scene_keep_busy(s, true);
    migration = kit_save_begin(&s->m, s->uri, &way);
    kit_await_passes(migration, PASSES);
    KIT_CHECK(gw_machine_is_running(s->m.machine), "the guest was stopped");
    way.downtime_limit = LONG_MS;
    kit_update(migration, &way);
    kit_await_status(migration, GW_MIGRATION_COMPLETED);
    gw_migration_get_progress(migration, &p);
    KIT_CHECK(p.remaining_bytes == 0 && p.downtime_bytes > 0,
              "%llu bytes remain", (unsigned long long)p.remaining_bytes);
    KIT_CHECK(kit_wait(migration, &error) == 0, "%s", gw_error_text(error));
}

static void move_live(const struct kit_way *way, enum kit_tracker tracker)
{
    struct kit_footprint before = kit_footprint_take();
    char name[KIT_WAY_SIZE];
    struct kit_shape shape;
    struct kit_scene s;

    printf("# %s\n", kit_way_name(way, name));
    kit_shape_live(&shape);
    kit_scene_init(&s, &shape, tracker, KIT_ALL, way->direct);
    if (!way->direct || kit_directory_has_direct(s.directory)) {
        save_busy(&s, *way);
        check_completed(&s);
        kit_scene_check_saved(&s, way);
        if (way->mapped) {
            check_mapped_file(&s);
        }
        /* Two owners of one guest: for once, to see that it still could. */
        KIT_CHECK(gw_machine_cont(s.m.machine, NULL) == 0, "cont");
        kit_guest_check_goes_on(s.guest);
        kit_guest_check(s.guest);
    }
    kit_scene_deinit(&s);
    kit_footprint_check(&before);
}

static void move_every_way(enum kit_tracker tracker, bool direct_too)
{
    static const unsigned int channels[] = {0, 1, 2, 8};
    size_t i;

    move_live(&KIT_WAY(.mapped = false), tracker);
    for (i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
        struct kit_way way = KIT_WAY(.mapped = true, .channels = channels[i]);

        move_live(&way, tracker);
        way.direct = true;
        if (direct_too) {
            move_live(&way, tracker);
        }
    }
}

static void test_live__every_way_by_pagemap(void **state)
{
    (void)state;
    if (!kit_has_pagemap()) {
        skip();
    }
    move_every_way(KIT_PAGEMAP, true);
}

static void test_live__every_way_by_log(void **state)
{
    (void)state;
    move_every_way(KIT_STRICT_LOG, false);
}

/* One pattern alone, so that what it does is not hidden by the others. */
static void test_live__every_pattern(void **state)
{
    const struct kit_way way = KIT_WAY(.mapped = true, .channels = 2);
    enum kit_tracker tracker = kit_has_pagemap() ? KIT_PAGEMAP : KIT_STRICT_LOG;
    unsigned int pattern;

    (void)state;
    for (pattern = KIT_SEQUENTIAL; pattern & KIT_ALL; pattern <<= 1) {
        struct kit_shape shape;
        struct kit_scene s;

        kit_shape_live(&shape);
        kit_scene_init(&s, &shape, tracker, pattern | KIT_HOT, false);
        save_busy(&s, way);
        kit_scene_check_saved(&s, &way);
        check_mapped_file(&s);
        kit_scene_deinit(&s);
    }
}

/*
 * Fresh pages that are touched once, before their turn comes in a first round
 * that takes its time: none may pass for the hole that it was before.
 */
static void grow(unsigned int channels, enum kit_backing backing)
{
    const struct kit_way way = {.mapped = true,
                                .channels = channels,
                                .max_bandwidth = UINT64_C(64) << 20,
                                .downtime_limit = LONG_MS};
    struct kit_shape shape = {.n_blocks = 1, .running = true};
    struct kit_scene s;

    shape.blocks[0] = (struct kit_block_shape){
        .idstr = "pc.ram",
        .backing = backing,
        .used_pages = 4096,
        .other_pages = 4096,
        .max_pages = 4096,
        .flags = backing == KIT_MEMFD ? GW_RAM_SHARED : 0};
    kit_scene_init(&s, &shape, KIT_STRICT_LOG, KIT_IDLE, false);
    kit_guest_rest(s.guest, 2000);
    kit_guest_change(s.guest, KIT_GROWING);
    KIT_CHECK(kit_wait(kit_save_begin(&s.m, s.uri, &way), NULL) == 0, "save");
    kit_scene_check_saved(&s, &way);
    check_mapped_file(&s);
    kit_scene_deinit(&s);
}

static void test_live__memory_grows(void **state)
{
    unsigned int channels;

    (void)state;
    for (channels = 0; channels <= 2; channels++) {
        grow(channels, KIT_ANONYMOUS);
        grow(channels, KIT_MEMFD);
    }
}

/* All that an earlier round wrote is taken out of the file again. */
static void everything_becomes_zero(bool direct)
{
    struct kit_way way =
        KIT_WAY(.mapped = true, .channels = 2, .direct = direct);
    struct gw_migration *migration;
    struct kit_shape shape;
    struct kit_scene s;
    struct stat st;

    kit_shape_live(&shape);
    kit_scene_init(&s, &shape, KIT_STRICT_LOG, KIT_RANDOM, direct);
    if (!direct || kit_directory_has_direct(s.directory)) {
        way.downtime_limit = 0;
        kit_scene_keep_busy(&s, true);
        migration = kit_save_begin(&s.m, s.uri, &way);
        kit_await_passes(migration, 4);
        kit_guest_change(s.guest, KIT_IDLE);
        kit_guest_clear(s.guest);
        kit_scene_keep_busy(&s, false);
        KIT_CHECK(kit_wait(migration, NULL) == 0, "save");
        kit_scene_check_saved(&s, &way);
        check_mapped_file(&s);
        KIT_CHECK(stat(s.path, &st) == 0, "stat");
        KIT_CHECK((uint64_t)st.st_blocks * 512 <= METADATA_BYTES,
                  "a file of zero pages takes %llu bytes",
                  (unsigned long long)st.st_blocks * 512);
    }
    kit_scene_deinit(&s);
}

static void test_live__everything_becomes_zero(void **state)
{
    (void)state;
    everything_becomes_zero(false);
    everything_becomes_zero(true);
}

/* Without a tracker the guest is stopped before its memory is read. */
static void test_live__no_tracker(void **state)
{
    struct kit_way way = KIT_WAY(.mapped = true, .channels = 2);
    struct gw_migration *migration;
    struct gw_progress p;
    struct kit_shape shape;
    struct kit_scene s;
    unsigned int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        way = i == 0 ? way : KIT_WAY(.mapped = false);
        kit_shape_live(&shape);
        kit_scene_init(&s, &shape, KIT_NO_TRACKER, KIT_ALL, false);
        migration = kit_save_begin(&s.m, s.uri, &way);
        kit_await_status(migration, GW_MIGRATION_COMPLETED);
        gw_migration_get_progress(migration, &p);
        KIT_CHECK(p.normal_pages + p.duplicate_pages ==
                      memory_bytes(&shape) / KIT_PAGE,
                  "pages were sent twice");
        KIT_CHECK(kit_wait(migration, NULL) == 0, "save");
        check_completed(&s);
        kit_scene_check_saved(&s, &way);
        kit_scene_deinit(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live__every_way_by_pagemap),
        cmocka_unit_test(test_live__every_way_by_log),
        cmocka_unit_test(test_live__every_pattern),
        cmocka_unit_test(test_live__memory_grows),
        cmocka_unit_test(test_live__everything_becomes_zero),
        cmocka_unit_test(test_live__no_tracker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

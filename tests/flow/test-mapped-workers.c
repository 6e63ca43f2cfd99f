/*
 * What the workers of mapped-ram do to the file and to memory: which pages
 * are written, which are run across, which are never touched. Files and disks
 * that are hostile to them.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/faulty-file.h"
#include "kit-child.h"
#include "kit-layout.h"
#include "kit.h"

/* Zero pages that a write runs across: docs/bench.md. */
#define GAP_PAGES 8u

/*
 * A machine of one block whose pages are those of a text: 'x' has data, '0'
 * was touched and is zero, '.' was never touched.
 */
struct scene {
    const char *pages;
    uint64_t n_pages;
    struct kit_way how;
    struct kit_shape shape;
    struct kit_machine from;
    char directory[KIT_PATH_SIZE];
    char path[KIT_PATH_SIZE + 16];
    char uri[KIT_PATH_SIZE + 32];
};

/* Whether memory has a page, or was it never touched? */
static bool is_populated(const struct kit_machine *m, uint64_t page)
{
    const struct kit_block *b = &m->blocks[0];
    const uint8_t *host = gw_ram_block_host(b->block);
    uint64_t entry = 0;
    int fd;

    if (b->fd >= 0) {
        off_t at = (off_t)((m->shape->blocks[0].fd_offset + page) * KIT_PAGE);

        return lseek(b->fd, at, SEEK_DATA) == at;
    }
    fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    KIT_CHECK(fd >= 0 &&
                  pread(fd, &entry, 8,
                        (off_t)(((uintptr_t)host / KIT_PAGE + page) * 8)) == 8,
              "no page map");
    close(fd);
    /* Present, or swapped out. */
    return entry >> 62 != 0;
}

static void fill(struct scene *s)
{
    uint8_t *host = gw_ram_block_host(s->from.blocks[0].block);
    uint64_t i;

    /* Or one touched page may bring 511 others. */
    madvise(host, s->n_pages * KIT_PAGE, MADV_NOHUGEPAGE);
    for (i = 0; i < s->n_pages; i++) {
        volatile uint8_t *page = host + i * KIT_PAGE;

        if (s->pages[i] == 'x') {
            page[i % KIT_PAGE] = (uint8_t)(1 + i % 255);
            page[KIT_PAGE - 1] = 0x5a;
        } else if (s->pages[i] == '0') {
            page[0] = 0;
        }
        KIT_CHECK(is_populated(&s->from, i) == (s->pages[i] != '.'),
                  "page %llu", (unsigned long long)i);
    }
}

static void set_shape(struct scene *s, enum kit_backing backing)
{
    s->shape = (struct kit_shape){
        .blocks = {{.idstr = "pc.ram",
                    .backing = backing,
                    .used_pages = s->n_pages,
                    .other_pages = s->n_pages,
                    .max_pages = s->n_pages,
                    .flags = backing == KIT_ANONYMOUS ? 0 : GW_RAM_SHARED}},
        .n_blocks = 1,
        .devices = 1u << KIT_SCALARS,
        .running = true,
    };
}

static void scene_init(struct scene *s, const char *pages,
                       enum kit_backing backing, struct kit_way how)
{
    memset(s, 0, sizeof(*s));
    s->pages = pages;
    s->n_pages = strlen(pages);
    s->how = how;
    set_shape(s, backing);
    kit_machine_init(&s->from, &s->shape, false);
    fill(s);
    kit_directory_make(s->directory);
    snprintf(s->path, sizeof(s->path), "%s/machine", s->directory);
    snprintf(s->uri, sizeof(s->uri), "file:%s", s->path);
}

static void scene_deinit(struct scene *s)
{
    kit_machine_deinit(&s->from);
    kit_directory_remove(s->directory);
}

static void save(struct scene *s)
{
    struct gw_error *error = NULL;

    KIT_CHECK(kit_save_by(&s->from, s->uri, &s->how, &error) == 0, "%s",
              gw_error_text(error));
}

/* The first byte of a kind. */
static uint64_t find(const struct kit_layout *layout, enum kit_byte kind)
{
    uint64_t at = 0;

    while (layout->bytes[at] != kind) {
        at++;
        KIT_CHECK(at < layout->size, "not in the file");
    }
    return at;
}

/* ---- What a save writes ---- */

/* May page i have been written for the sake of its neighbours? */
static bool is_in_gap(const char *pages, uint64_t i)
{
    uint64_t first = i, end = i;

    while (first > 0 && pages[first - 1] == '0') {
        first--;
    }
    while (pages[end] == '0') {
        end++;
    }
    return first > 0 && pages[first - 1] == 'x' && pages[end] == 'x' &&
           end - first <= GAP_PAGES;
}

static bool is_written(int fd, uint64_t offset)
{
    return lseek(fd, (off_t)offset, SEEK_DATA) == (off_t)offset;
}

/* Where the file has what it says of the block. */
struct places {
    uint64_t bitmap;
    uint64_t pages;
};

static struct places find_places(const struct kit_layout *layout)
{
    return (struct places){.bitmap = find(layout, KIT_BYTE_BITMAP),
                           .pages = find(layout, KIT_BYTE_PAGE)};
}

static void check_page(const struct scene *s, const struct kit_layout *layout,
                       const struct places *places, int fd, uint64_t i)
{
    const uint8_t *host = gw_ram_block_host(s->from.blocks[0].block);
    uint64_t at = places->pages + i * KIT_PAGE;
    uint8_t bits = layout->data[places->bitmap + i / 8];
    bool has_data = s->pages[i] == 'x';
    bool may_gap = s->pages[i] == '0' && is_in_gap(s->pages, i);
    /* A chunk is a worker's: it may end a write. */
    bool must_gap = may_gap && s->n_pages <= 256;
    unsigned long long page = i;

    KIT_CHECK((bits >> (i % 8) & 1) == has_data, "bit of page %llu", page);
    KIT_CHECK(memcmp(layout->data + at, host + i * KIT_PAGE, KIT_PAGE) == 0,
              "contents of page %llu", page);
    if (is_written(fd, at)) {
        KIT_CHECK(has_data || may_gap, "page %llu was written", page);
    } else {
        KIT_CHECK(!has_data && !must_gap, "page %llu was not written", page);
    }
}

/*
 * The file is on a tmpfs, which tells page by page what was written. No page
 * of memory has come to exist.
 */
static void check_save(const char *pages, enum kit_backing backing,
                       struct kit_way how)
{
    struct kit_layout layout;
    struct places places;
    struct scene s;
    uint64_t i;
    int fd;

    scene_init(&s, pages, backing, how);
    save(&s);
    for (i = 0; i < s.n_pages; i++) {
        KIT_CHECK(is_populated(&s.from, i) == (pages[i] != '.'),
                  "page %llu came to exist", (unsigned long long)i);
    }
    kit_layout_init(&layout, s.path);
    places = find_places(&layout);
    fd = open(s.path, O_RDONLY | O_CLOEXEC);
    for (i = 0; i < s.n_pages; i++) {
        check_page(&s, &layout, &places, fd, i);
    }
    close(fd);
    kit_layout_deinit(&layout);
    scene_deinit(&s);
}

/* Without workers, with fewer and with more than there are chunks. */
static void check_saves(const char *pages)
{
    static const unsigned int channels[] = {0, 1, 3, 8};
    size_t i;

    for (i = 0; i < 4; i++) {
        check_save(pages, KIT_MEMFD_OWN,
                   (struct kit_way){.mapped = true, .channels = channels[i]});
        check_save(pages, KIT_ANONYMOUS,
                   (struct kit_way){.mapped = true, .channels = channels[i]});
    }
}

static bool has_tmpfs(void)
{
    if (access("/dev/shm", W_OK) == 0) {
        return true;
    }
    print_message("# /dev/shm is missing\n");
    return false;
}

/* Gaps of 1 to 10 pages of one kind, or with the other kind in it. */
static void put_gaps(char *pages, char kind, char inside)
{
    size_t n;

    for (n = 1; n <= GAP_PAGES + 2; n++) {
        *pages++ = 'x';
        memset(pages, kind, n);
        if (inside) {
            pages[n / 2] = inside;
        }
        pages += n;
    }
    *pages++ = 'x';
    *pages = '\0';
}

static void test_workers__writes_run_across_small_gaps(void **state)
{
    char pages[256];

    (void)state;
    if (!has_tmpfs()) {
        skip();
    }
    put_gaps(pages, '0', '\0');
    check_saves(pages);
    put_gaps(pages, '.', '\0');
    check_saves(pages);
    put_gaps(pages, '0', '.');
    check_saves(pages);
    put_gaps(pages, '.', '0');
    check_saves(pages);
    check_saves("000x00x..x.0x0.x000");
    check_saves("...");
    check_saves("000");
    check_saves("x");
}

/* Runs of random length and kind, over several chunks. */
static void random_pages(struct kit_rng *rng, char *pages, size_t n)
{
    size_t at = 0;

    while (at < n) {
        size_t run = 1 + kit_below(rng, kit_chance(rng, 10) ? 300 : 12);

        run = run < n - at ? run : n - at;
        memset(pages + at, "x0."[kit_below(rng, 3)], run);
        at += run;
    }
    pages[n] = '\0';
}

static void test_workers__random_pages_are_saved(void **state)
{
    struct kit_rng rng = {.state = kit_seed()};
    char pages[1201];
    unsigned int i;

    (void)state;
    if (!has_tmpfs()) {
        skip();
    }
    for (i = 0; i < 4; i++) {
        random_pages(&rng, pages, 257 + kit_below(&rng, 900));
        check_saves(pages);
    }
}

/* ---- What a load touches ---- */

/* As QEMU leaves it where a page was written and became zero later. */
static void put_stale_bytes(struct scene *s)
{
    struct kit_layout layout;
    uint8_t stale[KIT_PAGE];
    uint64_t i, at;
    int fd = open(s->path, O_WRONLY | O_CLOEXEC);

    kit_layout_init(&layout, s->path);
    at = find(&layout, KIT_BYTE_PAGE);
    memset(stale, 0xee, sizeof(stale));
    for (i = 0; i < s->n_pages; i++) {
        KIT_CHECK(s->pages[i] == 'x' ||
                      pwrite(fd, stale, KIT_PAGE, (off_t)(at + i * KIT_PAGE)) ==
                          (ssize_t)KIT_PAGE,
                  "cannot write");
    }
    close(fd);
    kit_layout_deinit(&layout);
}

/* Into memory that was never touched, or is full of something else. */
static void check_load(struct scene *s, bool used_before)
{
    struct gw_error *error = NULL;
    struct kit_machine to;
    uint8_t *host;
    uint64_t i;

    kit_machine_init(&to, &s->shape, true);
    host = gw_ram_block_host(to.blocks[0].block);
    madvise(host, s->n_pages * KIT_PAGE, MADV_NOHUGEPAGE);
    if (used_before) {
        memset(host, 0xdd, s->n_pages * KIT_PAGE);
    }
    KIT_CHECK(kit_load_by(&to, s->uri, &s->how, &error) == 0, "%s",
              gw_error_text(error));
    for (i = 0; i < s->n_pages; i++) {
        KIT_CHECK(is_populated(&to, i) == (s->pages[i] == 'x'),
                  "page %llu of kind '%c'", (unsigned long long)i, s->pages[i]);
    }
    kit_machine_check_equal(&s->from, &to);
    kit_machine_deinit(&to);
}

static void check_loads(const char *pages, enum kit_backing backing,
                        bool used_before)
{
    static const unsigned int channels[] = {0, 1, 3, 8};
    struct kit_way how = {.mapped = true};
    struct scene s;
    size_t i;

    scene_init(&s, pages, backing, how);
    save(&s);
    put_stale_bytes(&s);
    for (i = 0; i < 4; i++) {
        s.how.channels = channels[i];
        check_load(&s, used_before);
    }
    scene_deinit(&s);
}

static void test_workers__load_touches_what_has_data(void **state)
{
    struct kit_rng rng = {.state = kit_seed()};
    char pages[1201];

    (void)state;
    put_gaps(pages, '.', '\0');
    check_loads(pages, KIT_MEMFD_OWN, false);
    check_loads(pages, KIT_ANONYMOUS, false);
    check_loads(pages, KIT_MEMFD_OWN, true);
    random_pages(&rng, pages, 1000);
    check_loads(pages, KIT_MEMFD_OWN, false);
    check_loads(pages, KIT_ANONYMOUS, false);
    check_loads(pages, KIT_MEMFD_OWN, true);
}

/* ---- Files that are not what they say ---- */

/* Of the bitmap and of the pages, 8 bytes each. */
static uint64_t offsets_at(const struct kit_layout *layout)
{
    return find(layout, KIT_BYTE_OFFSETS);
}

static void put_be64(const struct scene *s, uint64_t at, uint64_t value)
{
    uint8_t bytes[8];
    int fd = open(s->path, O_WRONLY | O_CLOEXEC);
    size_t i;

    for (i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
    KIT_CHECK(pwrite(fd, bytes, 8, (off_t)at) == 8, "cannot write");
    close(fd);
}

static void check_refused(struct scene *s, int code, const char *text)
{
    struct gw_error *error = NULL;
    struct kit_machine to;
    int r;

    kit_machine_init(&to, &s->shape, true);
    r = kit_load_by(&to, s->uri, &s->how, &error);
    KIT_CHECK(r == code, "%d, expected %d: %s", r, code, gw_error_text(error));
    KIT_CHECK(strstr(gw_error_text(error), text), "no '%s' in '%s'", text,
              gw_error_text(error));
    gw_error_free(error);
    kit_check_cannot_run(&to);
    kit_machine_deinit(&to);
}

static void check_hostile(struct kit_way how)
{
    struct kit_footprint before = kit_footprint_take();
    struct kit_layout layout;
    struct scene s;
    char text[128];
    uint64_t at, pages;

    scene_init(&s, "x0x.x00000000000x", KIT_MEMFD_OWN,
               (struct kit_way){.mapped = true});
    save(&s);
    s.how = how;
    kit_layout_init(&layout, s.path);
    at = offsets_at(&layout);
    pages = find(&layout, KIT_BYTE_PAGE);
    /* A page area that direct I/O could not read. */
    put_be64(&s, at + 8, pages + 512);
    snprintf(text, sizeof(text),
             "mapped-ram pages at 0x%llx, expected a multiple of 4096",
             (unsigned long long)pages + 512);
    check_refused(&s, -EBADMSG, text);
    put_be64(&s, at + 8, pages);
    /* The last word of the bitmap: 17 pages are its lowest bits. */
    KIT_CHECK(s.n_pages == 17, "%llu", (unsigned long long)s.n_pages);
    put_be64(&s, find(&layout, KIT_BYTE_BITMAP), UINT64_C(0x0000020000000000));
    check_refused(&s, -EBADMSG, "RAM block 'pc.ram'");
    /* Pages that the file does not have. */
    KIT_CHECK(truncate(s.path, (off_t)(pages + 16 * KIT_PAGE)) == 0, "shorter");
    snprintf(
        text, sizeof(text), "at 0x%llx are beyond the file's end at 0x%llx",
        (unsigned long long)pages, (unsigned long long)(pages + 16 * KIT_PAGE));
    check_refused(&s, -EBADMSG, text);
    kit_layout_deinit(&layout);
    scene_deinit(&s);
    kit_footprint_check(&before);
}

static void test_workers__hostile_files(void **state)
{
    (void)state;
    check_hostile((struct kit_way){.mapped = true});
    check_hostile((struct kit_way){.mapped = true, .channels = 3});
    if (kit_has_direct()) {
        check_hostile(
            (struct kit_way){.mapped = true, .channels = 3, .direct = true});
    }
}

/* ---- Disks that fail on the way ---- */

/* Runs `body` in a child, whose mounts end with it. */
static void in_child(int (*body)(struct kit_way how), struct kit_way how)
{
    pid_t pid = kit_child_fork();

    if (pid == 0) {
        kit_child_exit(body(how));
    }
    if (!kit_child_wait(pid)) {
        skip();
    }
}

/* Data in every eleventh page: each is an operation of its own. */
static void put_single_pages(char *pages, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        pages[i] = i % 11 == 5 ? 'x' : '0';
    }
    pages[n] = '\0';
}

/* The k-th request of the save gets an answer; the guest goes on. */
static bool check_failing_save(struct scene *s, struct faulty_file *f,
                               uint64_t k, int answer)
{
    struct gw_error *error = NULL;
    char uri[32];
    unsigned int n_resumes = s->from.n_resumes;
    bool met;
    int r;

    faulty_file_reset(f);
    f->plan->is_cached = s->how.direct;
    f->plan->at = k;
    f->plan->result = answer;
    f->plan->sticks = answer == 0;
    snprintf(uri, sizeof(uri), "fd:%d", open(f->path, O_RDWR | O_CLOEXEC));
    r = kit_save_by(&s->from, uri, &s->how, &error);
    met = f->plan->n_requests > k;
    KIT_CHECK(r == 0 ? !met : r == answer || answer == 0, "%d: %s", r,
              gw_error_text(error));
    if (r == 0) {
        KIT_CHECK(gw_machine_cont(s->from.machine, NULL) == 0, "cont");
    } else {
        KIT_CHECK(strstr(gw_error_text(error),
                         "Unable to write to file descriptor: "),
                  "%s", gw_error_text(error));
        /* Nothing that could be taken for a saved machine. */
        KIT_CHECK(memcmp(f->plan->data, "QEVM", 4) != 0 || k > 0, "valid");
    }
    KIT_CHECK(gw_machine_is_running(s->from.machine) &&
                  s->from.n_resumes <= n_resumes + 1,
              "the guest stands still");
    gw_error_free(error);
    return met;
}

static int failing_saves(struct kit_way how)
{
    struct kit_footprint before = kit_footprint_take();
    struct faulty_file f;
    struct scene s;
    char pages[301];
    uint64_t k;

    if (!faulty_file_init(&f)) {
        return KIT_CANNOT;
    }
    put_single_pages(pages, 300);
    scene_init(&s, pages, KIT_MEMFD_OWN, how);
    for (k = 0; check_failing_save(&s, &f, k, k % 2 ? -EIO : -ENOSPC); k++) {
        check_failing_save(&s, &f, k, 0);
        KIT_CHECK(k < 1000, "it has no end");
    }
    /* 27 pages with data, the bitmap, the stream. */
    KIT_CHECK(k >= 29, "%llu requests", (unsigned long long)k);
    scene_deinit(&s);
    faulty_file_deinit(&f);
    kit_footprint_check(&before);
    return 0;
}

static void test_workers__save_to_a_failing_disk(void **state)
{
    (void)state;
    in_child(failing_saves, (struct kit_way){.mapped = true, .channels = 3});
}

static void test_workers__save_to_a_failing_disk_direct(void **state)
{
    (void)state;
    in_child(failing_saves,
             (struct kit_way){.mapped = true, .channels = 3, .direct = true});
}

/*
 * An error of a page names it, and the offset behind it is the page's. What
 * is told of a page is of the right one; false: it is of something else.
 */
static bool check_place(const struct scene *s, uint64_t pages_offset,
                        const char *text, const char *what)
{
    static const char start[] = ": RAM block 'pc.ram': page at ";
    const char *named = strstr(text, start);
    const char *at = strstr(text, what);
    unsigned long long page, offset;

    KIT_CHECK(at, "no '%s' in '%s'", what, text);
    offset = strtoull(at + strlen(what), NULL, 16);
    if (!named) {
        KIT_CHECK(offset < pages_offset ||
                      offset >= pages_offset + s->n_pages * KIT_PAGE,
                  "%s", text);
        return false;
    }
    page = strtoull(named + strlen(start), NULL, 16);
    KIT_CHECK(offset == pages_offset + page, "%s", text);
    KIT_CHECK(page / KIT_PAGE < s->n_pages && s->pages[page / KIT_PAGE] == 'x',
              "%s", text);
    return true;
}

/* True: the k-th request came. Counts errors that name a page. */
static bool check_failing_load(struct scene *s, struct faulty_file *f,
                               uint64_t pages_offset, uint64_t k, int answer,
                               unsigned int *n_named)
{
    struct gw_error *error = NULL;
    struct kit_machine to;
    bool met, may_load;
    int r;

    kit_machine_init(&to, &s->shape, true);
    f->plan->n_requests = 0;
    f->plan->at = k;
    f->plan->result = answer;
    /* What goes through the page cache is asked for twice, or too early. */
    f->plan->sticks = answer == 0 || s->how.direct;
    r = kit_load_by(&to, s->uri, &s->how, &error);
    met = f->plan->n_requests > k;
    /* The last of all finds the end of the file, as the answer has it. */
    may_load =
        !met || s->how.direct || (answer == 0 && f->plan->n_requests == k + 1);
    KIT_CHECK(r == 0 ? may_load : r == (answer ? answer : -ENODATA),
              "request %llu of %llu answered %d: %d: %s", (unsigned long long)k,
              (unsigned long long)f->plan->n_requests, answer, r,
              gw_error_text(error));
    if (r < 0) {
        kit_check_cannot_run(&to);
        *n_named += answer && check_place(s, pages_offset, gw_error_text(error),
                                          "cannot read at offset ");
    } else {
        kit_machine_check_equal(&s->from, &to);
    }
    gw_error_free(error);
    kit_machine_deinit(&to);
    return met;
}

/* A file that has been saved well, on a disk that fails. */
static void copy_to(struct faulty_file *f, const struct kit_layout *layout)
{
    faulty_file_reset(f);
    KIT_CHECK(layout->size < FAULTY_MAX_SIZE, "too large");
    memcpy(f->plan->data, layout->data, layout->size);
    f->plan->size = layout->size;
}

static int failing_loads(struct kit_way how)
{
    struct kit_footprint before = kit_footprint_take();
    unsigned int n_named = 0;
    struct kit_layout layout;
    struct faulty_file f;
    struct scene s;
    char pages[301];
    uint64_t at, k;

    if (!faulty_file_init(&f)) {
        return KIT_CANNOT;
    }
    put_single_pages(pages, 300);
    scene_init(&s, pages, KIT_MEMFD_OWN, (struct kit_way){.mapped = true});
    save(&s);
    kit_layout_init(&layout, s.path);
    copy_to(&f, &layout);
    f.plan->is_cached = how.direct;
    s.how = how;
    snprintf(s.uri, sizeof(s.uri), "file:%s", f.path);
    at = find(&layout, KIT_BYTE_PAGE);
    for (k = 0; check_failing_load(&s, &f, at, k, -EIO, &n_named); k++) {
        if (!how.direct) {
            check_failing_load(&s, &f, at, k, 0, &n_named);
        }
        KIT_CHECK(k < 1000, "it has no end");
    }
    /* 27 pages with data, of each a read of its own. */
    KIT_CHECK(n_named >= 27, "%u errors name a page", n_named);
    kit_layout_deinit(&layout);
    scene_deinit(&s);
    faulty_file_deinit(&f);
    kit_footprint_check(&before);
    return 0;
}

static void test_workers__load_from_a_failing_disk(void **state)
{
    (void)state;
    in_child(failing_loads, (struct kit_way){.mapped = true});
}

static void test_workers__load_from_a_failing_disk_workers(void **state)
{
    (void)state;
    in_child(failing_loads, (struct kit_way){.mapped = true, .channels = 3});
}

static void test_workers__load_from_a_failing_disk_direct(void **state)
{
    (void)state;
    in_child(failing_loads,
             (struct kit_way){.mapped = true, .channels = 3, .direct = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers__writes_run_across_small_gaps),
        cmocka_unit_test(test_workers__random_pages_are_saved),
        cmocka_unit_test(test_workers__load_touches_what_has_data),
        cmocka_unit_test(test_workers__hostile_files),
        cmocka_unit_test(test_workers__save_to_a_failing_disk),
        cmocka_unit_test(test_workers__save_to_a_failing_disk_direct),
        cmocka_unit_test(test_workers__load_from_a_failing_disk),
        cmocka_unit_test(test_workers__load_from_a_failing_disk_workers),
        cmocka_unit_test(test_workers__load_from_a_failing_disk_direct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

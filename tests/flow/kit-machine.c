/*
 * Machines of any shape: made, filled, compared.
 */
#include "kit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit-guest.h"

/* Fills what is in a file before and behind a block; must stay. */
#define GUARD 0xa5
#define GUARD_PAGES 2u

static int pause_guest(void *opaque, struct gw_error **errp)
{
    struct kit_machine *m = opaque;

    m->n_pauses++;
    if (m->guest) {
        kit_guest_pause(m->guest);
    }
    return 0;
}

static int resume_guest(void *opaque, struct gw_error **errp)
{
    struct kit_machine *m = opaque;

    m->n_resumes++;
    if (m->guest) {
        kit_guest_resume(m->guest);
    }
    return 0;
}

static const struct gw_machine_ops ops = {
    .pause = pause_guest,
    .resume = resume_guest,
};

static int block_resized(void *opaque, struct gw_ram_block *block,
                         uint64_t used_length, struct gw_error **errp)
{
    struct kit_block *b = opaque;

    b->n_resized++;
    return 0;
}

/* Pages of the file that backs a block. */
static uint64_t file_pages(const struct kit_block_shape *shape)
{
    return shape->fd_offset + shape->max_pages + GUARD_PAGES;
}

static bool is_guard(const struct kit_block_shape *shape, uint64_t page)
{
    return page < shape->fd_offset ||
           page >= shape->fd_offset + shape->max_pages;
}

static int make_file(const struct kit_block_shape *shape)
{
    return shape->backing == KIT_FILE
               ? open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
               : memfd_create("kit", MFD_CLOEXEC);
}

static int make_fd(const struct kit_block_shape *shape)
{
    uint8_t guard[KIT_PAGE];
    int fd = make_file(shape);
    uint64_t i;

    memset(guard, GUARD, sizeof(guard));
    KIT_CHECK(fd >= 0 &&
                  ftruncate(fd, (off_t)(file_pages(shape) * KIT_PAGE)) == 0,
              "cannot make a file");
    for (i = 0; i < file_pages(shape); i++) {
        if (is_guard(shape, i)) {
            KIT_CHECK(pwrite(fd, guard, KIT_PAGE, (off_t)(i * KIT_PAGE)) ==
                          (ssize_t)KIT_PAGE,
                      "cannot write a file");
        }
    }
    return fd;
}

static uint8_t *map_own(const struct kit_block_shape *shape, int fd)
{
    void *host;

    if (shape->backing == KIT_OWN) {
        host = mmap(NULL, shape->max_pages * KIT_PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    } else {
        host = mmap(NULL, shape->max_pages * KIT_PAGE, PROT_READ | PROT_WRITE,
                    MAP_SHARED, fd, (off_t)(shape->fd_offset * KIT_PAGE));
    }
    KIT_CHECK(host != MAP_FAILED, "cannot map memory");
    return host;
}

static void add_block(struct kit_machine *m, size_t index)
{
    const struct kit_block_shape *shape = &m->shape->blocks[index];
    struct kit_block *b = &m->blocks[index];
    struct gw_error *error = NULL;
    uint64_t used = m->incoming ? shape->other_pages : shape->used_pages;
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = shape->idstr, .used_length = used * KIT_PAGE,
                    .max_length = shape->max_pages * KIT_PAGE,
                    .flags = shape->flags,
                    .fd_offset = shape->fd_offset * KIT_PAGE,
                    .resized = block_resized, .opaque = b);

    b->fd = shape->backing >= KIT_MEMFD ? make_fd(shape) : -1;
    if (shape->backing == KIT_OWN || shape->backing == KIT_MEMFD_OWN) {
        b->own = map_own(shape, b->fd);
    }
    attr.host = b->own;
    attr.fd = b->fd;
    KIT_CHECK(gw_ram_block_add(m->machine, &attr, &b->block, &error) == 0,
              "block '%s': %s", shape->idstr, gw_error_text(error));
}

void kit_machine_init(struct kit_machine *m, const struct kit_shape *shape,
                      bool incoming)
{
    struct gw_error *error = NULL;
    size_t i;

    memset(m, 0, sizeof(*m));
    m->shape = shape;
    m->incoming = incoming;
    m->machine = gw_machine_new("kit", &ops, m);
    KIT_CHECK(m->machine, "out of memory");
    for (i = 0; i < shape->n_blocks; i++) {
        add_block(m, i);
    }
    kit_devices_init(&m->devices);
    kit_devices_add(&m->devices, shape->devices, m->machine);
    if (incoming) {
        KIT_CHECK(gw_machine_expect_incoming(m->machine, &error) == 0, "%s",
                  gw_error_text(error));
    } else if (shape->running) {
        KIT_CHECK(gw_machine_cont(m->machine, &error) == 0, "%s",
                  gw_error_text(error));
    }
}

void kit_machine_deinit(struct kit_machine *m)
{
    size_t i;

    gw_machine_free(m->machine);
    for (i = 0; i < m->shape->n_blocks; i++) {
        struct kit_block *b = &m->blocks[i];

        if (b->own) {
            munmap(b->own, m->shape->blocks[i].max_pages * KIT_PAGE);
        }
        if (b->fd >= 0) {
            close(b->fd);
        }
    }
    kit_devices_deinit(&m->devices);
}

/* A page of data, often with very little of it. */
static void fill_page(uint8_t *page, struct kit_rng *rng)
{
    if (kit_chance(rng, 40)) {
        page[kit_below(rng, KIT_PAGE)] = (uint8_t)(1 + kit_below(rng, 255));
    } else {
        kit_random_bytes(rng, page, KIT_PAGE);
    }
}

void kit_machine_fill(struct kit_machine *m, struct kit_rng *rng)
{
    static const unsigned int densities[] = {0, 3, 20, 50, 80, 100};
    size_t i;

    for (i = 0; i < m->shape->n_blocks; i++) {
        uint8_t *host = gw_ram_block_host(m->blocks[i].block);
        unsigned int density = densities[kit_below(rng, 6)];
        uint64_t page;

        for (page = 0; page < m->shape->blocks[i].used_pages; page++) {
            if (kit_chance(rng, density)) {
                fill_page(host + page * KIT_PAGE, rng);
            }
        }
    }
    kit_devices_fill(&m->devices, rng);
}

/*
 * The file behind a block: shared memory is in it, private memory is not,
 * and the guards are as they were.
 */
static void check_file(const struct kit_block_shape *shape,
                       const struct kit_block *b)
{
    const uint8_t *host = gw_ram_block_host(b->block);
    size_t size = file_pages(shape) * KIT_PAGE;
    uint8_t *found = malloc(size);
    uint8_t *expected = malloc(size);

    KIT_CHECK(found && expected, "out of memory");
    memset(expected, GUARD, size);
    if (shape->flags & GW_RAM_SHARED) {
        memcpy(expected + shape->fd_offset * KIT_PAGE, host,
               shape->max_pages * KIT_PAGE);
    } else {
        memset(expected + shape->fd_offset * KIT_PAGE, 0,
               shape->max_pages * KIT_PAGE);
    }
    KIT_CHECK(pread(b->fd, found, size, 0) == (ssize_t)size,
              "cannot read a file");
    KIT_CHECK(memcmp(found, expected, size) == 0,
              "the file behind '%s' is wrong", shape->idstr);
    free(found);
    free(expected);
}

void kit_machine_check_files(struct kit_machine *m)
{
    size_t i;

    for (i = 0; i < m->shape->n_blocks; i++) {
        if (m->blocks[i].fd >= 0) {
            check_file(&m->shape->blocks[i], &m->blocks[i]);
        }
    }
}

void kit_machine_check_equal(struct kit_machine *a, struct kit_machine *b)
{
    const char *differs;
    size_t i;

    for (i = 0; i < a->shape->n_blocks; i++) {
        const struct kit_block_shape *shape = &a->shape->blocks[i];
        uint64_t length = shape->used_pages * KIT_PAGE;

        KIT_CHECK(gw_ram_block_used_length(b->blocks[i].block) == length,
                  "length of '%s'", shape->idstr);
        KIT_CHECK(
            b->blocks[i].n_resized == (shape->used_pages != shape->other_pages),
            "'%s' was resized %u times", shape->idstr, b->blocks[i].n_resized);
        KIT_CHECK(memcmp(gw_ram_block_host(a->blocks[i].block),
                         gw_ram_block_host(b->blocks[i].block), length) == 0,
                  "memory of '%s' differs", shape->idstr);
    }
    differs = kit_devices_compare(&a->devices, &b->devices, a->shape->devices);
    KIT_CHECK(!differs, "state of '%s' differs", differs);
}

void kit_machine_check_untouched(struct kit_machine *m)
{
    static const uint8_t zero[KIT_PAGE];
    struct kit_devices fresh;
    const char *differs;
    uint64_t page;
    size_t i;

    for (i = 0; i < m->shape->n_blocks; i++) {
        const uint8_t *host = gw_ram_block_host(m->blocks[i].block);
        uint64_t n = m->shape->blocks[i].other_pages;

        KIT_CHECK(gw_ram_block_used_length(m->blocks[i].block) == n * KIT_PAGE,
                  "'%s' was resized", m->shape->blocks[i].idstr);
        for (page = 0; page < n; page++) {
            KIT_CHECK(memcmp(host + page * KIT_PAGE, zero, KIT_PAGE) == 0,
                      "'%s' was written to", m->shape->blocks[i].idstr);
        }
    }
    kit_devices_init(&fresh);
    differs = kit_devices_compare(&m->devices, &fresh, m->shape->devices);
    KIT_CHECK(!differs, "'%s' was loaded", differs);
    kit_devices_deinit(&fresh);
}

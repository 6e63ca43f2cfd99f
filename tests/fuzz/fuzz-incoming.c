/*
 * The whole incoming path on hostile files: the first byte says whether
 * mapped-ram is on, the rest is the file. What fails leaves a machine that
 * cannot run; nothing is left open or running.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "incoming.h"

static int make_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("stream", MFD_CLOEXEC);

    FUZZ_ASSERT(fd >= 0);
    FUZZ_ASSERT(pwrite(fd, data, size, 0) == (ssize_t)size);
    return fd;
}

static void check_loaded(struct kit_machine *m)
{
    size_t i;

    for (i = 0; i < m->shape->n_blocks; i++) {
        uint64_t used = gw_ram_block_used_length(m->blocks[i].block);

        FUZZ_ASSERT(used > 0 && used % KIT_PAGE == 0 &&
                    used <= m->shape->blocks[i].max_pages * KIT_PAGE);
    }
    FUZZ_ASSERT(m->devices.optional.level <= 2);
    FUZZ_ASSERT(m->n_resumes <= 1);
    FUZZ_ASSERT(gw_machine_is_running(m->machine) == (m->n_resumes == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_error *error = NULL;
    struct kit_machine m;
    struct kit_shape shape;
    char uri[32];
    int r;

    if (size < 1) {
        return 0;
    }
    incoming_shape(&shape);
    kit_machine_init(&m, &shape, true);
    /* The descriptor is the migration's from here on. */
    snprintf(uri, sizeof(uri), "fd:%d", make_file(data + 1, size - 1));
    r = kit_load(&m, uri, data[0] & INCOMING_MAPPED, &error);
    FUZZ_ASSERT((r < 0) == (error != NULL));
    if (r < 0) {
        FUZZ_ASSERT(gw_error_text(error)[0]);
        kit_check_cannot_run(&m);
        gw_error_free(error);
    } else {
        check_loaded(&m);
    }
    kit_machine_deinit(&m);
    return 0;
}

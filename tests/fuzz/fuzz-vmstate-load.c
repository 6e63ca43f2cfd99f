/*
 * Loads hostile device state: the first byte is the version, the rest the
 * data. What loads must save, load again, and save to the same bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <godwit/error.h>

#include "../unit/vmstate-zoo.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "channel/input.h"
#include "fuzz.h"
#include "vmstate/load.h"
#include "vmstate/save.h"

static int load(struct zoo *zoo, uint32_t version, const uint8_t *data,
                size_t size, uint64_t *ret_used)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_input *input = gw_input_new_memory(data, size, NULL);
    int r;

    FUZZ_ASSERT(input);
    r = gw_vmstate_load(&zoo_vmstate, zoo, version, input, &error);
    FUZZ_ASSERT((r < 0) == (error != NULL));
    FUZZ_ASSERT(gw_input_offset(input) <= size);
    *ret_used = gw_input_offset(input);
    gw_input_free(input);
    return r;
}

static void save(struct zoo *zoo, struct gw_buffer *out)
{
    FUZZ_ASSERT(gw_vmstate_save(&zoo_vmstate, zoo, out, NULL, NULL) == 0);
}

static void check_round_trip(struct zoo *zoo)
{
    GW_AUTO_BUFFER struct gw_buffer first = {0};
    GW_AUTO_BUFFER struct gw_buffer second = {0};
    struct zoo again;
    uint64_t used;

    save(zoo, &first);
    zoo_init(&again);
    FUZZ_ASSERT(
        load(&again, zoo_vmstate.version, first.data, first.size, &used) == 0);
    FUZZ_ASSERT(used == first.size);
    save(&again, &second);
    FUZZ_ASSERT(first.size == second.size);
    FUZZ_ASSERT(memcmp(first.data, second.data, first.size) == 0);
    zoo_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zoo zoo;
    uint64_t used;

    if (size == 0) {
        return 0;
    }
    zoo_init(&zoo);
    if (load(&zoo, data[0], data + 1, size - 1, &used) == 0) {
        check_round_trip(&zoo);
    }
    zoo_deinit(&zoo);
    return 0;
}

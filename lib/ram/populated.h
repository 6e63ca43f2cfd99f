/*
 * Which pages of a RAM block exist at all. Pages that nobody has touched are
 * zero without being looked at, and looking at them would make them: a read
 * fault on a hole of a memfd allocates a page.
 *
 * Known only for shared memory of a memfd or tmpfs file, whose holes the
 * kernel reports exactly. Holes of private memory need no such care: reading
 * them maps the kernel's own zero page. Elsewhere every page may hold data.
 */
#ifndef GW_RAM_POPULATED_H
#define GW_RAM_POPULATED_H

#include <stdbool.h>
#include <stdint.h>

struct gw_ram_block;

/* A walk over the pages of one block; one thread. */
struct gw_populated {
    int fd;          /* of our own, with its own position; -1: unknown */
    uint64_t offset; /* of the block in it, bytes */
    /*
     * What was found last, pages [start, end) of one kind. The kernel walks
     * over all pages of a run to find its end, which a caller that takes a
     * long run in small pieces must not make it do for each.
     */
    uint64_t start;
    uint64_t end;
    bool is_hole;
};

/* Never fails: what cannot be found out may hold data. */
void gw_populated_init(struct gw_populated *populated,
                       const struct gw_ram_block *block);
void gw_populated_deinit(struct gw_populated *populated);

/*
 * The pages from `first` (below `end`) that are alike: returns the page
 * behind them, at most `end`, and whether they are a hole. A page that
 * appears meanwhile may still be called a hole; a dirty tracker knows it.
 */
uint64_t gw_populated_run(struct gw_populated *populated, uint64_t first,
                          uint64_t end, bool *ret_is_hole);

#endif

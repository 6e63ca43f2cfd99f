/*
 * A guest for the flow tests: threads that write to a machine's memory while
 * it runs, and know what they wrote.
 *
 * Each page carries its number and a generation, spread over the page, so
 * that a page which is lost, stale, torn or in another's place is found. Each
 * thread has pages of its own and looks at a page before it writes to it.
 */
#ifndef GW_TESTS_FLOW_KIT_GUEST_H
#define GW_TESTS_FLOW_KIT_GUEST_H

#include <stdint.h>

#include "kit-rng.h"

struct kit_guest;
struct kit_log;
struct kit_machine;

/* What a guest does, in turns; bits. */
enum kit_pattern {
    KIT_SEQUENTIAL = 1u << 0,
    KIT_RANDOM = 1u << 1,
    KIT_HOT = 1u << 2,        /* the same few pages again and again */
    KIT_ZEROING = 1u << 3,    /* pages become zero */
    KIT_DISCARDING = 1u << 4, /* the same, given back to the host */
    KIT_GROWING = 1u << 5,    /* zero pages are written to, once */
    KIT_IDLE = 0,
    KIT_ALL = (1u << 6) - 1,
};

/*
 * Gives the machine a guest of so many threads, which owns all blocks that it
 * can write to; half of their pages are written before it returns. It runs if
 * the machine does. `log` (or NULL) is told of writes.
 */
struct kit_guest *kit_guest_new(struct kit_machine *m, unsigned int n_threads,
                                unsigned int patterns, struct kit_log *log,
                                struct kit_rng *rng);
/* Takes it away again. Not while a migration runs. Returns NULL. */
struct kit_guest *kit_guest_free(struct kit_guest *guest);

/* For the machine's ops. */
void kit_guest_pause(struct kit_guest *guest);
void kit_guest_resume(struct kit_guest *guest);

/* Other patterns from now on: all threads have taken notice. */
void kit_guest_change(struct kit_guest *guest, unsigned int patterns);

/* Rests so long after each burst of 32 writes; 0 (as at first): never. */
void kit_guest_rest(struct kit_guest *guest, unsigned int rest_us);

/* The guest stands still: each page becomes zero, at once. */
void kit_guest_clear(struct kit_guest *guest);

/* Writes so far. */
uint64_t kit_guest_n_writes(struct kit_guest *guest);

/* Ends the program unless it writes (again) soon. */
void kit_guest_check_goes_on(struct kit_guest *guest);

/* Ends the program if its memory is not what it wrote; it runs on. */
void kit_guest_check(struct kit_guest *guest);

/* The same of the memory of another machine of that shape. */
void kit_guest_check_in(struct kit_guest *guest, struct kit_machine *m);

/* Ends the program if a page is not whole, or in another's place. */
void kit_guest_check_any(struct kit_machine *m);

#endif

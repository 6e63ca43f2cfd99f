/*
 * What the tests of live saving share: a machine with a guest that writes,
 * and where it is saved to.
 */
#ifndef GW_TESTS_FLOW_KIT_SCENE_H
#define GW_TESTS_FLOW_KIT_SCENE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "kit-guest.h"
#include "kit-log.h"
#include "kit.h"

enum kit_tracker {
    KIT_NO_TRACKER,
    KIT_PAGEMAP,    /* the library's own */
    KIT_STRICT_LOG, /* kit-log.h */
};

struct kit_scene {
    struct kit_shape shape;
    struct kit_machine m;
    struct kit_guest *guest;
    struct kit_log *log;
    struct kit_rng rng;
    atomic_bool is_busy;
    /* on a tmpfs, or on the file system of the build */
    char directory[KIT_PATH_SIZE];
    char path[KIT_PATH_SIZE + 16];
    char uri[KIT_PATH_SIZE + 32];
};

/* False if the kernel has no tracker by page tables; prints why. */
bool kit_has_pagemap(void);

/* A machine of this shape, running, whose guest of two threads writes. */
void kit_scene_init(struct kit_scene *s, const struct kit_shape *shape,
                    enum kit_tracker tracker, unsigned int patterns,
                    bool on_disk);
void kit_scene_deinit(struct kit_scene *s);

/*
 * A guest that never has nothing to send: the threads of the real one may not
 * get a CPU for a whole round. With each sync a page is told as written.
 */
void kit_scene_keep_busy(struct kit_scene *s, bool is_busy);

/*
 * The guest is stopped and was saved: the file is alone, and what is loaded
 * is what the guest wrote and what the source has in its memory.
 */
void kit_scene_check_saved(struct kit_scene *s, const struct kit_way *way);

/* A save has failed: nobody but the source has the guest, which goes on. */
void kit_scene_check_goes_on(struct kit_scene *s);

#endif

/*
 * The scene of a live save.
 */
#include "kit-scene.h"

#include <string.h>

#include <godwit/tracker.h>

bool kit_has_pagemap(void)
{
    struct gw_error *error = NULL;
    struct kit_shape shape;
    struct kit_machine m;
    int r;

    kit_shape_small(&shape);
    kit_machine_init(&m, &shape, false);
    r = gw_machine_track_by_pagemap(m.machine, &error);
    if (r < 0) {
        printf("# %s\n", gw_error_text(error));
        gw_error_free(error);
    }
    kit_machine_deinit(&m);
    return r == 0;
}

static void add_tracker(struct kit_scene *s, enum kit_tracker tracker)
{
    struct gw_error *error = NULL;

    if (tracker == KIT_STRICT_LOG) {
        s->log = kit_log_new(&s->m);
    } else if (tracker == KIT_PAGEMAP) {
        KIT_CHECK(gw_machine_track_by_pagemap(s->m.machine, &error) == 0, "%s",
                  gw_error_text(error));
    }
}

/* On the migration's thread, behind each sync. */
static void on_event(void *opaque, const struct gw_event *event)
{
    struct kit_scene *s = opaque;

    if (event->type == GW_EVENT_MIGRATION_PASS && atomic_load(&s->is_busy)) {
        gw_ram_block_wrote(s->m.blocks[0].block, 0, 1);
    }
}

void kit_scene_keep_busy(struct kit_scene *s, bool is_busy)
{
    atomic_store(&s->is_busy, is_busy);
}

void kit_scene_init(struct kit_scene *s, const struct kit_shape *shape,
                    enum kit_tracker tracker, unsigned int patterns,
                    bool on_disk)
{
    memset(s, 0, sizeof(*s));
    s->rng.state = kit_seed();
    s->shape = *shape;
    if (on_disk) {
        kit_directory_make_on_disk(s->directory);
    } else {
        kit_directory_make(s->directory);
    }
    snprintf(s->path, sizeof(s->path), "%s/machine", s->directory);
    snprintf(s->uri, sizeof(s->uri), "file:%s", s->path);
    kit_machine_init(&s->m, &s->shape, false);
    kit_devices_fill(&s->m.devices, &s->rng);
    add_tracker(s, tracker);
    KIT_CHECK(gw_machine_add_listener(s->m.machine, on_event, s) == 0,
              "out of memory");
    s->guest = kit_guest_new(&s->m, 2, patterns, s->log, &s->rng);
}

void kit_scene_deinit(struct kit_scene *s)
{
    kit_guest_free(s->guest);
    kit_machine_deinit(&s->m);
    kit_log_free(s->log);
    kit_directory_remove(s->directory);
}

void kit_scene_check_saved(struct kit_scene *s, const struct kit_way *way)
{
    struct gw_error *error = NULL;
    struct kit_machine to;

    KIT_CHECK(kit_directory_count(s->directory) == 1, "debris in %s",
              s->directory);
    kit_machine_init(&to, &s->shape, true);
    KIT_CHECK(kit_load_by(&to, s->uri, way, &error) == 0, "load: %s",
              gw_error_text(error));
    kit_guest_check_in(s->guest, &to);
    kit_machine_check_equal(&s->m, &to);
    kit_machine_check_files(&to);
    kit_machine_deinit(&to);
}

void kit_scene_check_goes_on(struct kit_scene *s)
{
    KIT_CHECK(gw_machine_is_running(s->m.machine), "the guest is '%s'",
              gw_run_state_name(gw_machine_run_state(s->m.machine)));
    KIT_CHECK(s->m.n_resumes == s->m.n_pauses + 1, "%u pauses, %u resumes",
              s->m.n_pauses, s->m.n_resumes);
    kit_guest_check_goes_on(s->guest);
}

/*
 * What the flow tests share: machines of random shape with devices of every
 * kind of field, moved within one process, and a watch on what is left over.
 *
 * Mistakes found by the kit end the program with a message; see kit-check.h.
 */
#ifndef GW_TESTS_FLOW_KIT_H
#define GW_TESTS_FLOW_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <godwit/error.h>
#include <godwit/machine.h>
#include <godwit/migration.h>
#include <godwit/ram.h>

#include "kit-check.h"
#include "kit-devices.h"

#define KIT_PAGE ((uint64_t)GW_TARGET_PAGE_SIZE)

/* How often: as often as said, or less where everything is slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KIT_IS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KIT_IS_SLOW 1
#endif
#endif
#ifndef KIT_IS_SLOW
#define KIT_IS_SLOW 0
#endif
#define KIT_TIMES(n) (KIT_IS_SLOW ? ((n) + 3) / 4 : (n))
#define KIT_MAX_BLOCKS 6u

/* Where the memory of a block comes from. */
enum kit_backing {
    KIT_OWN,        /* the embedder's anonymous memory */
    KIT_ANONYMOUS,  /* mapped by the library */
    KIT_MEMFD,      /* mapped by the library, shared */
    KIT_MEMFD_COPY, /* mapped by the library, private over a memfd */
    KIT_MEMFD_OWN,  /* mapped by the embedder, shared, fd told */
    KIT_FILE,       /* mapped by the library, shared, a file of a disk */
    KIT_BACKING_COUNT,
};

struct kit_block_shape {
    char idstr[32];
    enum kit_backing backing;
    uint64_t used_pages;  /* of the source */
    uint64_t other_pages; /* of the destination before loading */
    uint64_t max_pages;
    uint64_t fd_offset; /* pages */
    uint32_t flags;     /* enum gw_ram_flags */
};

struct kit_shape {
    struct kit_block_shape blocks[KIT_MAX_BLOCKS];
    size_t n_blocks;
    unsigned int devices; /* bit k: device kind k */
    bool running;         /* the guest runs when the save starts */
};

struct kit_block {
    struct gw_ram_block *block;
    uint8_t *own;           /* mapping of ours, or NULL */
    int fd;                 /* or -1 */
    unsigned int n_resized; /* calls of the hook */
};

struct kit_guest;

/* A machine with what belongs to it. */
struct kit_machine {
    const struct kit_shape *shape;
    struct kit_guest *guest; /* or NULL; see kit-guest.h */
    bool incoming;
    struct gw_machine *machine;
    struct kit_block blocks[KIT_MAX_BLOCKS];
    struct kit_devices devices;
    unsigned int n_pauses;  /* written on the migration's thread, */
    unsigned int n_resumes; /* read when it has ended */
};

/* Each of many blocks, all devices, a guest that runs. */
void kit_shape_small(struct kit_shape *shape);
void kit_shape_random(struct kit_shape *shape, struct kit_rng *rng);

/* Blocks of every backing, 5.6 MiB, for a guest that writes; runs. */
void kit_shape_live(struct kit_shape *shape);

/* One block of 32 MiB, so that saving takes a moment; runs. */
void kit_shape_large(struct kit_shape *shape);

/* Builds the source or the destination; all memory and state are zero. */
void kit_machine_init(struct kit_machine *m, const struct kit_shape *shape,
                      bool incoming);
void kit_machine_deinit(struct kit_machine *m);

/* Random contents of memory and devices. */
void kit_machine_fill(struct kit_machine *m, struct kit_rng *rng);

/*
 * Ends the program if the files behind blocks are wrong: shared memory is in
 * them, private memory is not, and what surrounds a block is as it was.
 */
void kit_machine_check_files(struct kit_machine *m);

/* Ends the program if memory or devices differ. */
void kit_machine_check_equal(struct kit_machine *a, struct kit_machine *b);

/* Ends the program if any memory or state is not as after init. */
void kit_machine_check_untouched(struct kit_machine *m);

/* How a machine is saved or loaded: the settings that matter here. */
struct kit_way {
    bool mapped;
    unsigned int channels; /* of multifd; 0: without */
    bool direct;           /* direct-io */
    bool pauses;           /* pause-before-switchover */
    uint64_t max_bandwidth;
    uint64_t downtime_limit; /* ms */
};

/* QEMU's defaults but for max-bandwidth: no limit. */
#define KIT_WAY(...) ((struct kit_way){.downtime_limit = 300, __VA_ARGS__})

/* "mapped 8 direct", for messages; a buffer of the caller's. */
#define KIT_WAY_SIZE 64u
const char *kit_way_name(const struct kit_way *way, char name[KIT_WAY_SIZE]);

/* The settings for it. */
void kit_settings_init(struct gw_settings *settings, const struct kit_way *way);

/* Starts a save; what is refused at once is returned. */
int kit_save_try(struct kit_machine *m, const char *uri,
                 const struct kit_way *way, struct gw_migration **ret_migration,
                 struct gw_error **errp);
/* The same; ends the program if it cannot be started. */
struct gw_migration *kit_save_begin(struct kit_machine *m, const char *uri,
                                    const struct kit_way *way);
/* A whole load. */
int kit_load_by(struct kit_machine *m, const char *uri,
                const struct kit_way *way, struct gw_error **errp);
/* The limits of a save that runs become those of `way`. */
void kit_update(struct gw_migration *migration, const struct kit_way *way);

/* Waits for a status, or for so many syncs; ends the program if it hangs. */
void kit_await_status(struct gw_migration *migration,
                      enum gw_migration_status status);
void kit_await_passes(struct gw_migration *migration, uint64_t n_passes);

/* Runs a migration to its end; ends the program if it hangs. */
int kit_save_by(struct kit_machine *m, const char *uri,
                const struct kit_way *way, struct gw_error **errp);

/* The same in one thread and through the page cache. */
int kit_save(struct kit_machine *m, const char *uri, bool mapped,
             struct gw_error **errp);
/* Starts a save; ends the program if it cannot be started. */
struct gw_migration *kit_save_start(struct kit_machine *m, const char *uri,
                                    bool mapped);
/* Its end; frees it. */
int kit_wait(struct gw_migration *migration, struct gw_error **errp);
int kit_load(struct kit_machine *m, const char *uri, bool mapped,
             struct gw_error **errp);

/*
 * Ends the program unless a machine whose load failed stays put: in
 * inmigrate, not resumed, and refusing to run, or untouched.
 */
void kit_check_cannot_run(struct kit_machine *m);

/* What a process has open and running, for comparison. */
struct kit_footprint {
    unsigned int n_fds;
    unsigned int n_threads;
};

struct kit_footprint kit_footprint_take(void);
/* Ends the program if there is more now than then. */
void kit_footprint_check(const struct kit_footprint *before);

/* A new directory on a tmpfs if there is one; the name in `path`. */
#define KIT_PATH_SIZE 128u
void kit_directory_make(char path[KIT_PATH_SIZE]);
/* One on the file system of the build; see kit_directory_has_direct. */
void kit_directory_make_on_disk(char path[KIT_PATH_SIZE]);
/* Files in it can be written past the page cache. */
bool kit_directory_has_direct(const char *path);
/* Those of kit_directory_make can. */
bool kit_has_direct(void);
void kit_directory_remove(const char *path);
/* Number of entries, names beginning with a dot included. */
unsigned int kit_directory_count(const char *path);

/* The seed: GW_TEST_SEED, else of the clock. Printed. */
uint64_t kit_seed(void);

struct kit_rng;
/*
 * Whether a test that goes through all cases takes the next one: always, or
 * about each Nth time at random with GW_TEST_SAMPLE=N.
 */
bool kit_takes(struct kit_rng *rng);

#endif

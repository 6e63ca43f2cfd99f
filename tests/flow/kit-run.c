/*
 * Migrations to their end, and what must not be left over.
 */
#include "kit.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <godwit/address.h>

/* A machine of the kit moves in milliseconds. */
#define HANG_MS 60000

int kit_wait(struct gw_migration *migration, struct gw_error **errp)
{
    struct pollfd pfd = {.fd = gw_migration_fd(migration), .events = POLLIN};
    int r;

    do {
        r = poll(&pfd, 1, HANG_MS);
    } while (r < 0 && errno == EINTR);
    KIT_CHECK(r == 1, "the migration hangs");
    r = gw_migration_wait(migration, errp);
    gw_migration_free(migration);
    return r;
}

static void set_capability(struct gw_settings *settings,
                           enum gw_capability capability, bool on)
{
    struct gw_error *error = NULL;

    KIT_CHECK(gw_settings_set_capability(settings, capability, on, &error) == 0,
              "%s", gw_error_text(error));
}

static void set_parameter(struct gw_settings *settings, const char *name,
                          uint64_t value)
{
    struct gw_error *error = NULL;

    KIT_CHECK(gw_settings_set_uint(settings, gw_parameter_info_find(name),
                                   value, &error) == 0,
              "%s", gw_error_text(error));
}

void kit_settings_init(struct gw_settings *settings, const struct kit_how *how)
{
    KIT_CHECK(gw_settings_init(settings) == 0, "out of memory");
    set_capability(settings, GW_CAP_MAPPED_RAM, how->mapped);
    set_capability(settings, GW_CAP_MULTIFD, how->n_channels > 0);
    set_parameter(settings, "max-bandwidth", 0);
    set_parameter(settings, "direct-io", how->direct);
    if (how->n_channels > 0) {
        set_parameter(settings, "multifd-channels", how->n_channels);
    }
}

/* Starts either side. */
static int start(struct kit_machine *m, const char *uri,
                 const struct kit_how *how, bool incoming,
                 struct gw_migration **ret_migration, struct gw_error **errp)
{
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;
    struct gw_settings settings;
    int r;

    kit_settings_init(&settings, how);
    KIT_CHECK(gw_address_parse(uri, &address, &error) == 0, "%s",
              gw_error_text(error));
    if (incoming) {
        r = gw_incoming_start(m->machine, address, &settings, NULL,
                              ret_migration, errp);
    } else {
        r = gw_migration_start(m->machine, address, &settings, NULL,
                               ret_migration, errp);
    }
    gw_address_free(address);
    gw_settings_deinit(&settings);
    return r;
}

static int migrate(struct kit_machine *m, const char *uri,
                   const struct kit_how *how, bool incoming,
                   struct gw_error **errp)
{
    struct gw_migration *migration = NULL;
    int r = start(m, uri, how, incoming, &migration, errp);

    return r < 0 ? r : kit_wait(migration, errp);
}

struct gw_migration *kit_save_start(struct kit_machine *m, const char *uri,
                                    bool mapped)
{
    const struct kit_how how = {.mapped = mapped};
    struct gw_migration *migration = NULL;
    struct gw_error *error = NULL;

    KIT_CHECK(start(m, uri, &how, false, &migration, &error) == 0, "%s",
              gw_error_text(error));
    return migration;
}

int kit_save_by(struct kit_machine *m, const char *uri,
                const struct kit_how *how, struct gw_error **errp)
{
    return migrate(m, uri, how, false, errp);
}

int kit_load_by(struct kit_machine *m, const char *uri,
                const struct kit_how *how, struct gw_error **errp)
{
    return migrate(m, uri, how, true, errp);
}

int kit_save(struct kit_machine *m, const char *uri, bool mapped,
             struct gw_error **errp)
{
    const struct kit_how how = {.mapped = mapped};

    return migrate(m, uri, &how, false, errp);
}

int kit_load(struct kit_machine *m, const char *uri, bool mapped,
             struct gw_error **errp)
{
    const struct kit_how how = {.mapped = mapped};

    return migrate(m, uri, &how, true, errp);
}

void kit_check_cannot_run(struct kit_machine *m)
{
    enum gw_run_state state;
    int r;

    KIT_CHECK(m->n_resumes == 0, "the guest ran after a failed load");
    r = gw_machine_cont(m->machine, NULL);
    state = gw_machine_run_state(m->machine);
    KIT_CHECK(state == GW_RUN_STATE_INMIGRATE && m->n_resumes == 0,
              "a machine whose load failed is '%s' after cont",
              gw_run_state_name(state));
    if (r == 0) {
        /* It waits for the next try, which is right if it is as it was. */
        kit_machine_check_untouched(m);
    }
}

static unsigned int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    unsigned int n = 0;

    KIT_CHECK(directory, "%s: %s", path, strerror(errno));
    while (readdir(directory)) {
        n++;
    }
    closedir(directory);
    return n;
}

static void *nothing(void *opaque)
{
    return opaque;
}

/* With the first thread ThreadSanitizer starts one of its own. */
static void start_first_thread(void)
{
    pthread_t thread;

    KIT_CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0 &&
                  pthread_join(thread, NULL) == 0,
              "cannot start a thread");
}

struct kit_footprint kit_footprint_take(void)
{
    start_first_thread();
    return (struct kit_footprint){
        .n_fds = count_entries("/proc/self/fd"),
        .n_threads = count_entries("/proc/self/task"),
    };
}

void kit_footprint_check(const struct kit_footprint *before)
{
    struct kit_footprint now = kit_footprint_take();
    unsigned int tries = 0;

    /* A joined thread leaves /proc a moment later. */
    while (now.n_threads > before->n_threads && tries++ < 1000) {
        usleep(1000);
        now = kit_footprint_take();
    }
    KIT_CHECK(now.n_threads <= before->n_threads, "%u threads, %u before",
              now.n_threads, before->n_threads);
    KIT_CHECK(now.n_fds <= before->n_fds, "%u descriptors, %u before",
              now.n_fds, before->n_fds);
}

void kit_directory_make(char path[KIT_PATH_SIZE])
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(path, KIT_PATH_SIZE, "%s/godwit-flow-XXXXXX", base);
    KIT_CHECK(mkdtemp(path), "%s: %s", path, strerror(errno));
}

void kit_directory_remove(const char *path)
{
    char name[KIT_PATH_SIZE + 258];
    DIR *directory = opendir(path);
    struct dirent *entry;

    KIT_CHECK(directory, "%s: %s", path, strerror(errno));
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            unlink(name);
        }
    }
    closedir(directory);
    rmdir(path);
}

unsigned int kit_directory_count(const char *path)
{
    return count_entries(path) - 2;
}

uint64_t kit_seed(void)
{
    const char *text = getenv("GW_TEST_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = text ? strtoull(text, NULL, 0)
                : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    /* A TAP comment, so that a failure can be repeated. */
    printf("# GW_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

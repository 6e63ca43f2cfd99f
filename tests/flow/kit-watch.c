/*
 * What must not be left over: descriptors, threads, files. And the seed.
 */
#include "kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

void kit_directory_make_on_disk(char path[KIT_PATH_SIZE])
{
    snprintf(path, KIT_PATH_SIZE, "godwit-flow-XXXXXX");
    KIT_CHECK(mkdtemp(path), "%s: %s", path, strerror(errno));
}

bool kit_directory_has_direct(const char *path)
{
    int fd = open(path, O_TMPFILE | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);

    if (fd < 0) {
        printf("# no direct I/O in %s: %s\n", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
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

bool kit_has_direct(void)
{
    char path[KIT_PATH_SIZE];
    bool has_direct;

    kit_directory_make(path);
    has_direct = kit_directory_has_direct(path);
    kit_directory_remove(path);
    return has_direct;
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

bool kit_takes(struct kit_rng *rng)
{
    const char *text = getenv("GW_TEST_SAMPLE");
    uint64_t n = text ? strtoull(text, NULL, 0) : 1;

    return n < 2 || kit_below(rng, n) == 0;
}

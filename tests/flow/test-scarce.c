/*
 * Saves and loads with many workers when something runs out: threads,
 * descriptors, memory; at each place where it can. A failure has a reason,
 * the guest goes on, the old file stays, and nothing is left over.
 *
 * The linker puts the functions named __wrap_... before those of the C
 * library, in this program only.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/address.h>

#include "kit.h"

#define N_CHANNELS 8u

/* ---- What runs out ---- */

/* Requests for something: number `at` is refused, or all from it on. */
struct supply {
    atomic_bool is_armed;
    atomic_bool for_ever;
    atomic_uint at;
    atomic_uint n;
};

static struct supply memory;
static struct supply threads;

static bool is_refused(struct supply *supply)
{
    unsigned int n;

    if (!supply->is_armed) {
        return false;
    }
    n = atomic_fetch_add(&supply->n, 1);
    return supply->for_ever ? n >= supply->at : n == supply->at;
}

static bool no_memory(void)
{
    if (is_refused(&memory)) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
char *__wrap_strndup(const char *text, size_t n);
char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);
int __real_vasprintf(char **text, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **text, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **text, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *opaque);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *opaque);

void *__wrap_malloc(size_t size)
{
    return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return no_memory() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return no_memory() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return no_memory() ? NULL : __real_reallocarray(old, n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return no_memory() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return no_memory() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return no_memory() ? NULL : __real_strndup(text, n);
}

char *__wrap_realpath(const char *path, char *resolved)
{
    return no_memory() ? NULL : __real_realpath(path, resolved);
}

int __wrap_vasprintf(char **text, const char *fmt, va_list args)
{
    return no_memory() ? -1 : __real_vasprintf(text, fmt, args);
}

int __wrap_asprintf(char **text, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = __wrap_vasprintf(text, fmt, args);
    va_end(args);
    return n;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *opaque)
{
    return is_refused(&threads)
               ? EAGAIN
               : __real_pthread_create(thread, attr, fn, opaque);
}

static void arm(struct supply *supply, unsigned int at, bool for_ever)
{
    supply->at = at;
    supply->for_ever = for_ever;
    supply->n = 0;
    supply->is_armed = true;
}

/* True: a request was refused. */
static bool disarm(struct supply *supply)
{
    supply->is_armed = false;
    return supply->n > supply->at;
}

/* ---- The scene: a machine, and a file that it was saved to before ---- */

struct scene {
    struct kit_shape shape;
    struct kit_machine from;
    struct kit_way how;
    char directory[KIT_PATH_SIZE];
    char uri[KIT_PATH_SIZE + 32];
    struct stat old; /* the file */
};

/* Ends the program unless the file is alone; true: it is a new one. */
static bool is_saved(struct scene *s)
{
    ino_t before = s->old.st_ino;

    KIT_CHECK(kit_directory_count(s->directory) == 1, "debris in %s",
              s->directory);
    KIT_CHECK(stat(s->uri + strlen("file:"), &s->old) == 0, "no file");
    return s->old.st_ino != before;
}

static void go_on(struct scene *s)
{
    struct gw_error *error = NULL;

    KIT_CHECK(gw_machine_cont(s->from.machine, &error) == 0, "%s",
              gw_error_text(error));
}

static void scene_init(struct scene *s, bool direct)
{
    struct kit_rng rng = {.state = kit_seed()};
    struct gw_error *error = NULL;

    memset(s, 0, sizeof(*s));
    s->how = (struct kit_way){
        .mapped = true, .direct = direct, .channels = N_CHANNELS};
    kit_shape_small(&s->shape);
    s->shape.blocks[0].used_pages = 700;
    s->shape.blocks[0].other_pages = 700;
    s->shape.blocks[0].max_pages = 700;
    kit_machine_init(&s->from, &s->shape, false);
    kit_machine_fill(&s->from, &rng);
    kit_directory_make(s->directory);
    snprintf(s->uri, sizeof(s->uri), "file:%s/machine", s->directory);
    KIT_CHECK(kit_save(&s->from, s->uri, true, &error) == 0, "%s",
              gw_error_text(error));
    go_on(s);
    is_saved(s);
}

static void scene_deinit(struct scene *s)
{
    kit_machine_deinit(&s->from);
    kit_directory_remove(s->directory);
}

/* What is scarce is so from here on to the end of the migration. */
struct scarcity {
    struct supply *supply;
    unsigned int at;
    bool for_ever;
};

/* True: there was not enough. */
static bool move(struct scene *s, struct kit_machine *m, bool incoming,
                 const struct scarcity *scarcity, int *ret_result,
                 struct gw_error **errp)
{
    struct gw_migration *migration = NULL;
    struct gw_address *address = NULL;
    struct gw_settings settings;
    bool was_refused;
    int r;

    kit_settings_init(&settings, &s->how);
    KIT_CHECK(gw_address_parse(s->uri, &address, NULL) == 0, "address");
    arm(scarcity->supply, scarcity->at, scarcity->for_ever);
    r = incoming ? gw_incoming_start(m->machine, address, &settings, NULL,
                                     &migration, errp)
                 : gw_migration_start(m->machine, address, &settings, NULL,
                                      &migration, errp);
    if (r == 0) {
        r = kit_wait(migration, errp);
    }
    was_refused = disarm(scarcity->supply);
    gw_address_free(address);
    gw_settings_deinit(&settings);
    *ret_result = r;
    return was_refused;
}

/* What is in the file is the machine. */
static void check_file(struct scene *s)
{
    struct gw_error *error = NULL;
    struct kit_machine to;

    kit_machine_init(&to, &s->shape, true);
    KIT_CHECK(kit_load(&to, s->uri, true, &error) == 0, "%s",
              gw_error_text(error));
    kit_machine_check_equal(&s->from, &to);
    kit_machine_deinit(&to);
}

static void check_reason(int r, int code, const char *word,
                         const struct gw_error *error)
{
    KIT_CHECK(r == code, "%d, expected %d: %s", r, code, gw_error_text(error));
    KIT_CHECK(error && strstr(gw_error_text(error), word), "no '%s' in '%s'",
              word, gw_error_text(error));
}

/* After a save: it succeeded, or it failed and nothing has happened. */
static void check_saved(struct scene *s, int r)
{
    if (r == 0) {
        KIT_CHECK(is_saved(s), "nothing was saved");
        check_file(s);
        go_on(s);
        return;
    }
    KIT_CHECK(!is_saved(s), "a save that failed has replaced the file");
    KIT_CHECK(gw_machine_is_running(s->from.machine), "the guest stands still");
    KIT_CHECK(s->from.n_resumes == s->from.n_pauses + 1,
              "%u pauses, %u resumes", s->from.n_pauses, s->from.n_resumes);
}

static void check_loaded(struct scene *s, struct kit_machine *to, int r)
{
    if (r == 0) {
        kit_machine_check_equal(&s->from, to);
    } else {
        kit_check_cannot_run(to);
    }
}

/* ---- Memory ---- */

static bool save_without_memory(struct scene *s, unsigned int at, bool for_ever)
{
    const struct scarcity scarcity = {&memory, at, for_ever};
    struct gw_error *error = NULL;
    int r;
    bool met = move(s, &s->from, false, &scarcity, &r, &error);

    if (r < 0) {
        check_reason(r, -ENOMEM, "", error);
    }
    check_saved(s, r);
    gw_error_free(error);
    return met;
}

static bool load_without_memory(struct scene *s, unsigned int at, bool for_ever)
{
    const struct scarcity scarcity = {&memory, at, for_ever};
    struct gw_error *error = NULL;
    struct kit_machine to;
    bool met;
    int r;

    kit_machine_init(&to, &s->shape, true);
    met = move(s, &to, true, &scarcity, &r, &error);
    if (r < 0) {
        check_reason(r, -ENOMEM, "", error);
    }
    check_loaded(s, &to, r);
    gw_error_free(error);
    kit_machine_deinit(&to);
    return met;
}

static void run_out_of_memory(bool (*move_once)(struct scene *s,
                                                unsigned int at, bool for_ever),
                              bool direct)
{
    struct kit_footprint before = kit_footprint_take();
    struct scene s;
    unsigned int at;

    scene_init(&s, direct);
    for (at = 0; move_once(&s, at, false); at++) {
        move_once(&s, at, true);
        KIT_CHECK(at < 5000, "it has no end");
    }
    printf("# %u allocations\n", at);
    /* A queue for each worker at the least. */
    KIT_CHECK(at > 2 * N_CHANNELS, "%u allocations", at);
    scene_deinit(&s);
    kit_footprint_check(&before);
}

static void test_scarce__memory_of_a_save(void **state)
{
    (void)state;
    run_out_of_memory(save_without_memory, false);
}

static void test_scarce__memory_of_a_load(void **state)
{
    (void)state;
    run_out_of_memory(load_without_memory, false);
}

/* ---- Threads ---- */

/* The one of the migration is the first; then each of the workers. */
static void check_thread_error(unsigned int at, int r,
                               const struct gw_error *error)
{
    char text[64] = "cannot start a thread: ";

    if (at > 0) {
        snprintf(text, sizeof(text), "cannot start thread %u of %u: ", at,
                 N_CHANNELS);
    }
    check_reason(r, -EAGAIN, text, error);
}

static void test_scarce__threads_of_a_save(void **state)
{
    struct kit_footprint before;
    struct scene s;
    unsigned int at;

    (void)state;
    scene_init(&s, false);
    before = kit_footprint_take();
    for (at = 0; at <= N_CHANNELS + 1; at++) {
        const struct scarcity scarcity = {&threads, at, true};
        struct gw_error *error = NULL;
        int r;
        bool met = move(&s, &s.from, false, &scarcity, &r, &error);

        KIT_CHECK(met == (at <= N_CHANNELS), "thread %u", at);
        KIT_CHECK(met == (r < 0), "thread %u: %d", at, r);
        if (met) {
            check_thread_error(at, r, error);
            /* So early that the guest has not noticed. */
            KIT_CHECK(s.from.n_pauses == 1, "%u pauses", s.from.n_pauses);
        }
        check_saved(&s, r);
        gw_error_free(error);
        kit_footprint_check(&before);
    }
    scene_deinit(&s);
}

static void test_scarce__threads_of_a_load(void **state)
{
    struct kit_footprint before = kit_footprint_take();
    struct scene s;
    unsigned int at;

    (void)state;
    scene_init(&s, false);
    for (at = 0; at <= N_CHANNELS + 1; at++) {
        const struct scarcity scarcity = {&threads, at, true};
        struct gw_error *error = NULL;
        struct kit_machine to;
        bool met;
        int r;

        kit_machine_init(&to, &s.shape, true);
        met = move(&s, &to, true, &scarcity, &r, &error);
        KIT_CHECK(met == (at <= N_CHANNELS), "thread %u", at);
        KIT_CHECK(met == (r < 0), "thread %u: %d", at, r);
        if (met) {
            check_thread_error(at, r, error);
        }
        check_loaded(&s, &to, r);
        gw_error_free(error);
        kit_machine_deinit(&to);
    }
    scene_deinit(&s);
    kit_footprint_check(&before);
}

/* ---- Descriptors ---- */

/* Allows n descriptors more; returns the limit that was. */
static struct rlimit allow_descriptors(unsigned int n)
{
    struct rlimit before, limit;
    int next = fcntl(STDERR_FILENO, F_DUPFD, 0);

    KIT_CHECK(next >= 0 && getrlimit(RLIMIT_NOFILE, &before) == 0, "limit");
    close(next);
    limit = before;
    limit.rlim_cur = (rlim_t)next + n;
    KIT_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "cannot set the limit");
    return before;
}

/*
 * Too few for what cannot do without: an error. Workers go without rings,
 * and without what tells holes.
 */
static bool move_with_few_descriptors(struct scene *s, bool incoming,
                                      unsigned int n)
{
    struct gw_error *error = NULL;
    struct rlimit before;
    struct kit_machine to;
    int r;

    if (incoming) {
        kit_machine_init(&to, &s->shape, true);
    }
    before = allow_descriptors(n);
    r = incoming ? kit_load_by(&to, s->uri, &s->how, &error)
                 : kit_save_by(&s->from, s->uri, &s->how, &error);
    KIT_CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0, "limit");
    if (r < 0) {
        check_reason(r, -EMFILE, "Too many open files", error);
    }
    if (incoming) {
        check_loaded(s, &to, r);
        kit_machine_deinit(&to);
    } else {
        check_saved(s, r);
    }
    gw_error_free(error);
    return r == 0;
}

static void run_out_of_descriptors(bool incoming, bool direct)
{
    struct kit_footprint before = kit_footprint_take();
    unsigned int n, n_succeeded = 0;
    struct scene s;

    scene_init(&s, direct);
    for (n = 0; n < 4 * N_CHANNELS; n++) {
        bool succeeds = move_with_few_descriptors(&s, incoming, n);

        KIT_CHECK(n > 0 || !succeeds, "it needs no descriptor");
        KIT_CHECK(succeeds || n_succeeded == 0, "%u are fewer than %u", n,
                  n - 1);
        n_succeeded += succeeds;
    }
    KIT_CHECK(n_succeeded > N_CHANNELS, "%u of %u", n_succeeded, n);
    scene_deinit(&s);
    kit_footprint_check(&before);
}

static void test_scarce__descriptors_of_a_save(void **state)
{
    (void)state;
    run_out_of_descriptors(false, false);
}

static void test_scarce__descriptors_of_a_load(void **state)
{
    (void)state;
    run_out_of_descriptors(true, false);
}

/* ---- All of it with rings ---- */

static void need_direct(void)
{
    if (!kit_has_direct()) {
        skip();
    }
}

static void test_scarce__memory_of_a_direct_save(void **state)
{
    (void)state;
    need_direct();
    run_out_of_memory(save_without_memory, true);
}

static void test_scarce__memory_of_a_direct_load(void **state)
{
    (void)state;
    need_direct();
    run_out_of_memory(load_without_memory, true);
}

static void test_scarce__descriptors_of_a_direct_save(void **state)
{
    (void)state;
    need_direct();
    run_out_of_descriptors(false, true);
}

static void test_scarce__descriptors_of_a_direct_load(void **state)
{
    (void)state;
    need_direct();
    run_out_of_descriptors(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scarce__memory_of_a_save),
        cmocka_unit_test(test_scarce__memory_of_a_load),
        cmocka_unit_test(test_scarce__threads_of_a_save),
        cmocka_unit_test(test_scarce__threads_of_a_load),
        cmocka_unit_test(test_scarce__descriptors_of_a_save),
        cmocka_unit_test(test_scarce__descriptors_of_a_load),
        cmocka_unit_test(test_scarce__memory_of_a_direct_save),
        cmocka_unit_test(test_scarce__memory_of_a_direct_load),
        cmocka_unit_test(test_scarce__descriptors_of_a_direct_save),
        cmocka_unit_test(test_scarce__descriptors_of_a_direct_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

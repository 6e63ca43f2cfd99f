/*
 * Sets of descriptors: adding, removing, listing, and how long they live.
 */
#include "channel/fdset_set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

struct gw_fdsets *gw_fdsets_new(void)
{
    struct gw_fdsets *fdsets = calloc(1, sizeof(*fdsets));

    if (fdsets) {
        pthread_mutex_init(&fdsets->lock, NULL);
        fdsets->n_refs = 1;
    }
    return fdsets;
}

/* Where the set of that id is linked in, or would be. */
static struct gw_fdset **place_of(struct gw_fdsets *fdsets, int64_t id)
{
    struct gw_fdset **at = &fdsets->first;

    while (*at && (*at)->id > id) {
        at = &(*at)->next;
    }
    return at;
}

struct gw_fdset *gw_fdsets_find_locked(struct gw_fdsets *fdsets, int64_t id)
{
    struct gw_fdset *set = *place_of(fdsets, id);

    return set && set->id == id ? set : NULL;
}

static void remove_members(struct gw_fdset *set, size_t from, size_t n)
{
    size_t i;

    for (i = from; i < from + n; i++) {
        close(set->members[i].fd);
        free(set->members[i].opaque);
    }
    set->n_members -= n;
    if (set->n_members > from) {
        memmove(&set->members[from], &set->members[from + n],
                (set->n_members - from) * sizeof(set->members[0]));
    }
}

/* A set without descriptors and users does not exist. */
static void drop_if_unused(struct gw_fdsets *fdsets, struct gw_fdset *set)
{
    struct gw_fdset **at = place_of(fdsets, set->id);

    if (set->n_members == 0 && set->n_users == 0) {
        *at = set->next;
        free(set->members);
        free(set);
    }
}

/* The lock is held, and released. */
static void unref_locked(struct gw_fdsets *fdsets)
{
    bool is_last = --fdsets->n_refs == 0;

    pthread_mutex_unlock(&fdsets->lock);
    if (is_last) {
        pthread_mutex_destroy(&fdsets->lock);
        free(fdsets);
    }
}

struct gw_fdsets *gw_fdsets_free(struct gw_fdsets *fdsets)
{
    struct gw_fdset *set, *next;

    if (!fdsets) {
        return NULL;
    }
    pthread_mutex_lock(&fdsets->lock);
    for (set = fdsets->first; set; set = next) {
        next = set->next;
        remove_members(set, 0, set->n_members);
        drop_if_unused(fdsets, set);
    }
    unref_locked(fdsets);
    return NULL;
}

void gw_fdset_hold_locked(struct gw_fdsets *fdsets, struct gw_fdset *set)
{
    set->n_users++;
    fdsets->n_refs++;
}

void gw_fdset_release(struct gw_fdsets *fdsets, struct gw_fdset *set)
{
    pthread_mutex_lock(&fdsets->lock);
    set->n_users--;
    drop_if_unused(fdsets, set);
    unref_locked(fdsets);
}

static int64_t lowest_free_id(struct gw_fdsets *fdsets)
{
    int64_t id = 0;

    while (gw_fdsets_find_locked(fdsets, id)) {
        id++;
    }
    return id;
}

/* The set of that id, made if need be; NULL if memory is short. */
static struct gw_fdset *get_set_locked(struct gw_fdsets *fdsets, int64_t id)
{
    struct gw_fdset **at = place_of(fdsets, id);
    struct gw_fdset *set = *at;

    if (set && set->id == id) {
        return set;
    }
    set = calloc(1, sizeof(*set));
    if (set) {
        set->id = id;
        set->next = *at;
        *at = set;
    }
    return set;
}

/* Takes fd and opaque on success. */
static int add_member(struct gw_fdset *set, int fd, char *opaque)
{
    struct gw_fdset_member *grown =
        realloc(set->members, (set->n_members + 1) * sizeof(*grown));

    if (!grown) {
        return -ENOMEM;
    }
    set->members = grown;
    grown[set->n_members++] = (struct gw_fdset_member){fd, opaque};
    return 0;
}

/* Takes fd and opaque on success. */
static int add_locked(struct gw_fdsets *fdsets, int64_t *id, int fd,
                      char *opaque)
{
    struct gw_fdset *set;
    int r;

    if (*id < 0) {
        *id = lowest_free_id(fdsets);
    }
    set = get_set_locked(fdsets, *id);
    if (!set) {
        return -ENOMEM;
    }
    r = add_member(set, fd, opaque);
    drop_if_unused(fdsets, set);
    return r;
}

int gw_fdsets_add(struct gw_fdsets *fdsets, int64_t id, int fd,
                  const char *opaque, int64_t *ret_id, int *ret_fd,
                  struct gw_error **errp)
{
    GW_AUTO_FREE char *copy = opaque ? strdup(opaque) : NULL;
    int r;

    if (id < -1) {
        return gw_error_set(errp, -EINVAL,
                            "Parameter 'fdset-id' expects a non-negative "
                            "value");
    }
    if (fcntl(fd, F_GETFD) < 0) {
        return gw_error_set(errp, -EINVAL, "file descriptor %d is not open",
                            fd);
    }
    if (opaque && !copy) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    pthread_mutex_lock(&fdsets->lock);
    r = add_locked(fdsets, &id, fd, copy);
    pthread_mutex_unlock(&fdsets->lock);
    if (r < 0) {
        return gw_error_set(errp, r, "out of memory");
    }
    gw_take(&copy);
    if (ret_id) {
        *ret_id = id;
    }
    if (ret_fd) {
        *ret_fd = fd;
    }
    return 0;
}

static bool remove_locked(struct gw_fdsets *fdsets, int64_t id, int fd)
{
    struct gw_fdset *set = gw_fdsets_find_locked(fdsets, id);
    size_t i = 0;

    if (!set) {
        return false;
    }
    if (fd == -1) {
        remove_members(set, 0, set->n_members);
    } else {
        while (i < set->n_members && set->members[i].fd != fd) {
            i++;
        }
        if (i == set->n_members) {
            return false;
        }
        remove_members(set, i, 1);
    }
    drop_if_unused(fdsets, set);
    return true;
}

int gw_fdsets_remove(struct gw_fdsets *fdsets, int64_t id, int fd,
                     struct gw_error **errp)
{
    char which[32] = "";
    bool found;

    pthread_mutex_lock(&fdsets->lock);
    found = remove_locked(fdsets, id, fd);
    pthread_mutex_unlock(&fdsets->lock);
    if (found) {
        return 0;
    }
    if (fd != -1) {
        snprintf(which, sizeof(which), ", fd:%d", fd);
    }
    return gw_error_set(errp, -ENOENT,
                        "File descriptor named 'fdset-id:%lld%s' not found",
                        (long long)id, which);
}

/* An empty set has one entry too. */
static size_t count_entries(const struct gw_fdset *set)
{
    size_t n = 0;

    for (; set; set = set->next) {
        n += set->n_members ? set->n_members : 1;
    }
    return n;
}

static int fill_set(const struct gw_fdset *set, struct gw_fdsets_entry *entries,
                    size_t *n)
{
    size_t i;

    if (set->n_members == 0) {
        entries[(*n)++] = (struct gw_fdsets_entry){.id = set->id, .fd = -1};
    }
    for (i = 0; i < set->n_members; i++) {
        const struct gw_fdset_member *member = &set->members[i];
        struct gw_fdsets_entry *entry = &entries[(*n)++];

        *entry = (struct gw_fdsets_entry){.id = set->id, .fd = member->fd};
        if (member->opaque && !(entry->opaque = strdup(member->opaque))) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int query_locked(struct gw_fdsets *fdsets,
                        struct gw_fdsets_entry **ret_entries,
                        size_t *ret_n_entries)
{
    size_t n_max = count_entries(fdsets->first);
    struct gw_fdsets_entry *entries =
        calloc(n_max ? n_max : 1, sizeof(*entries));
    struct gw_fdset *set;
    size_t n = 0;
    int r = entries ? 0 : -ENOMEM;

    for (set = fdsets->first; set && r == 0; set = set->next) {
        r = fill_set(set, entries, &n);
    }
    if (r < 0) {
        gw_fdsets_entries_free(entries, n);
        return r;
    }
    *ret_entries = entries;
    *ret_n_entries = n;
    return 0;
}

int gw_fdsets_query(struct gw_fdsets *fdsets,
                    struct gw_fdsets_entry **ret_entries, size_t *ret_n_entries,
                    struct gw_error **errp)
{
    int r;

    pthread_mutex_lock(&fdsets->lock);
    r = query_locked(fdsets, ret_entries, ret_n_entries);
    pthread_mutex_unlock(&fdsets->lock);
    return r < 0 ? gw_error_set(errp, r, "out of memory") : 0;
}

void gw_fdsets_entries_free(struct gw_fdsets_entry *entries, size_t n_entries)
{
    size_t i;

    for (i = 0; i < n_entries; i++) {
        free(entries[i].opaque);
    }
    free(entries);
}

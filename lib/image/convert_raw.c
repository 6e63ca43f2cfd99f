/*
 * Writes each RAM block into a sparse file of its own.
 *
 * All files are written before the first takes its name; when that fails in
 * the middle, those that are new are taken away again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "channel/channel.h"
#include "channel/file.h"
#include "image/convert.h"

struct raw_file {
    char *path;
    struct gw_channel *channel;
    bool is_new; /* there was none of that name before */
};

struct raw_target {
    const char *directory;
    bool made_directory;
    struct raw_file *files;
    uint64_t n_files;
    uint64_t n_finished;
};

/* A name that stays within the directory and is not hidden. */
static void make_safe(char *name)
{
    char *at;

    if (name[0] == '.') {
        name[0] = '_';
    }
    for (at = name; *at; at++) {
        if (*at == '/') {
            *at = '_';
        }
    }
}

static bool is_taken(const struct raw_target *target, const char *path)
{
    uint64_t i;

    for (i = 0; i < target->n_files; i++) {
        if (target->files[i].path && strcmp(target->files[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* The path of a block's file; numbered if two names become one. */
static char *make_path(const struct raw_target *target, const char *idstr)
{
    char name[GW_STREAM_NAME_SIZE];
    unsigned int number = 1;
    char *path = NULL;

    snprintf(name, sizeof(name), "%s", idstr);
    make_safe(name);
    if (asprintf(&path, "%s/%s", target->directory, name) < 0) {
        return NULL;
    }
    while (is_taken(target, path)) {
        free(path);
        if (asprintf(&path, "%s/%s.%u", target->directory, name, ++number) <
            0) {
            return NULL;
        }
    }
    return path;
}

static int write_run(void *opaque, const uint8_t *data, size_t size,
                     uint64_t offset, struct gw_error **errp)
{
    struct raw_file *file = opaque;

    return gw_channel_pwrite(file->channel, data, size, offset, errp);
}

static int write_file(struct gw_conversion *conversion,
                      const struct gw_image_ram_block *block,
                      struct raw_file *file, struct gw_error **errp)
{
    int rc = gw_file_open_outgoing(file->path, 0, false, &file->channel, errp);

    if (rc) {
        return rc;
    }
    if (ftruncate(file->channel->fd, (off_t)block->pub.used_length) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot size '%s'", file->path);
    }
    return gw_conversion_each_run(conversion, block, write_run, file, errp);
}

static int write_files(struct gw_conversion *conversion,
                       struct raw_target *target, struct gw_error **errp)
{
    const struct gw_image *image = conversion->image;
    struct raw_file *file;
    uint64_t i;
    int rc;

    for (i = 0; i < image->info.n_blocks; i++) {
        file = &target->files[i];
        file->path = make_path(target, image->blocks[i]->pub.idstr);
        if (!file->path) {
            return gw_error_set(errp, -ENOMEM, "out of memory");
        }
        target->n_files++;
        file->is_new = access(file->path, F_OK) < 0;
        rc = write_file(conversion, image->blocks[i], file, errp);
        if (rc) {
            return gw_error_prefix(errp, rc, "RAM block '%s'",
                                   image->blocks[i]->pub.idstr);
        }
    }
    return 0;
}

static int finish_files(struct raw_target *target, struct gw_error **errp)
{
    int rc;

    while (target->n_finished < target->n_files) {
        rc = gw_channel_finish(target->files[target->n_finished].channel, errp);
        if (rc) {
            return rc;
        }
        target->n_finished++;
    }
    return 0;
}

static int make_directory(struct raw_target *target, struct gw_error **errp)
{
    struct stat st;

    if (mkdir(target->directory, 0777) == 0) {
        target->made_directory = true;
        return 0;
    }
    if (errno != EEXIST) {
        return gw_error_set_errno(errp, -errno, "cannot make the directory");
    }
    if (stat(target->directory, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot look at it");
    }
    if (!S_ISDIR(st.st_mode)) {
        return gw_error_set(errp, -ENOTDIR, "it exists, and is no directory");
    }
    return 0;
}

/* Takes away what this run has made. */
static void undo(struct raw_target *target)
{
    uint64_t i;

    for (i = 0; i < target->n_finished; i++) {
        if (target->files[i].is_new) {
            unlink(target->files[i].path);
        }
    }
    if (target->made_directory) {
        rmdir(target->directory);
    }
}

int gw_convert_raw(struct gw_conversion *conversion, const char *path,
                   struct gw_error **errp)
{
    struct raw_target target = {.directory = path};
    uint64_t i;
    int rc;

    target.files =
        calloc(conversion->image->info.n_blocks + 1, sizeof(*target.files));
    if (!target.files) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    rc = make_directory(&target, errp);
    if (rc == 0) {
        rc = write_files(conversion, &target, errp);
    }
    if (rc == 0) {
        rc = finish_files(&target, errp);
    }
    for (i = 0; i < target.n_files; i++) {
        gw_channel_free(target.files[i].channel);
    }
    if (rc) {
        undo(&target);
    }
    for (i = 0; i < target.n_files; i++) {
        free(target.files[i].path);
    }
    free(target.files);
    return rc;
}

/*
 * Small migration files for tests of images, in a folder of their own.
 */
#ifndef GW_TESTS_IMAGE_FILES_H
#define GW_TESTS_IMAGE_FILES_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/image.h>

#include "base/cleanup.h"
#include "image-builder.h"

struct folder {
    char path[64];
};

static inline int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    assert_non_null(folder);
    strcpy(folder->path, "/tmp/godwit-image-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    *state = folder;
    return 0;
}

/* Lends the path of a file in the folder; the next but three call ends it. */
static inline const char *in_folder(const struct folder *folder,
                                    const char *name)
{
    static char paths[4][128];
    static unsigned int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder->path, name);
    return path;
}

static inline unsigned int count_files(const char *path, bool remove)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned int n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        n++;
        if (remove && unlinkat(dirfd(dir), entry->d_name, 0) < 0) {
            GW_AUTO_FREE char *sub = NULL;

            assert_true(asprintf(&sub, "%s/%s", path, entry->d_name) > 0);
            count_files(sub, true);
            rmdir(sub);
        }
    }
    closedir(dir);
    return n;
}

static inline int remove_folder(void **state)
{
    struct folder *folder = *state;

    count_files(folder->path, true);
    rmdir(folder->path);
    free(folder);
    return 0;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void write_buffer(const char *path, const struct gw_buffer *b)
{
    assert_true(gw_buffer_ok(b));
    write_file(path, b->data, b->size);
}

static inline void read_file(const char *path, struct gw_buffer *ret)
{
    FILE *file = fopen(path, "rb");
    uint8_t chunk[4096];
    size_t n;

    assert_non_null(file);
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        gw_buffer_put_bytes(ret, chunk, n);
    }
    fclose(file);
    assert_true(gw_buffer_ok(ret));
}

static inline uint64_t account_sum(const struct gw_image_account *account)
{
    return account->leading_bytes + account->header_bytes +
           account->ram_control_bytes + account->ram_page_bytes +
           account->ram_bitmap_bytes + account->ram_unused_bytes +
           account->device_bytes + account->command_bytes +
           account->description_bytes + account->trailing_bytes;
}

#endif

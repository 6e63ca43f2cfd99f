/*
 * File and descriptor channels, buffered input and output.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../flow/kit-rng.h"
#include "base/util.h"
#include "channel/channel.h"
#include "channel/fd.h"
#include "channel/file.h"
#include "channel/input.h"
#include "channel/output.h"
#include "channel/pieces.h"

struct fixture {
    char dir[64];
    char path[128];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    strcpy(f->dir, "/tmp/godwit-channel-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/a.mig", f->dir);
    *state = f;
    return 0;
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int n = 0;

    while ((entry = readdir(dir))) {
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    }
    closedir(dir);
    return n;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->path);
    /* Fails, and the test with it, if anything was left behind. */
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_file(const char *path, const void *data, size_t size)
{
    char buffer[4096];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(buffer, 1, sizeof(buffer), file), size);
    assert_memory_equal(buffer, data, size);
    fclose(file);
}

static struct gw_channel *open_out(const char *path, uint64_t offset)
{
    struct gw_channel *channel = NULL;

    assert_int_equal(gw_file_open_outgoing(path, offset, false, &channel, NULL),
                     0);
    return channel;
}

static void test_file__save_appears_when_finished(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;

    put_file(f->path, "old contents");
    channel = open_out(f->path, 0);
    assert_int_equal(gw_channel_pwrite(channel, "new!", 4, 0, NULL), 0);
    assert_file(f->path, "old contents", 12);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_channel_free(channel);
    assert_file(f->path, "new!", 4);
    assert_int_equal(count_entries(f->dir), 1);
}

static void test_file__unfinished_save_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel = open_out(f->path, 0);

    assert_int_equal(gw_channel_pwrite(channel, "new!", 4, 0, NULL), 0);
    gw_channel_free(channel);
    assert_int_equal(count_entries(f->dir), 0);
}

static void test_file__link_is_followed(void **state)
{
    struct fixture *f = *state;
    char link[160];
    struct gw_channel *channel;
    struct stat st;

    put_file(f->path, "old");
    snprintf(link, sizeof(link), "%s/link", f->dir);
    assert_int_equal(symlink("a.mig", link), 0);
    channel = open_out(link, 0);
    assert_int_equal(gw_channel_pwrite(channel, "new", 3, 0, NULL), 0);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_channel_free(channel);
    assert_file(f->path, "new", 3);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    unlink(link);
}

static void test_file__offset_keeps_what_is_before(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel;
    struct gw_output *output;

    put_file(f->path, "HEADERold stream");
    channel = open_out(f->path, 6);
    output = gw_output_new(channel, NULL);
    assert_int_equal(gw_output_offset(output), 6);
    assert_int_equal(gw_output_write(output, "QEVM0003tail", 12, NULL), 0);
    assert_int_equal(gw_output_flush(output, NULL), 0);
    /* Not valid before it is complete. */
    assert_file(f->path, "HEADER\0\0\0\0\0\0\0\0tail", 18);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_output_free(output);
    gw_channel_free(channel);
    assert_file(f->path, "HEADERQEVM0003tail", 18);
}

static void test_file__errors_name_the_path(void **state)
{
    struct gw_channel *channel = NULL;
    struct gw_error *error = NULL;

    (void)state;
    assert_int_equal(
        gw_file_open_outgoing("/nosuch/y", 0, false, &channel, &error),
        -ENOENT);
    assert_string_equal(gw_error_text(error), "Could not create '/nosuch/y': "
                                              "No such file or directory");
    error = gw_error_free(error);
    assert_int_equal(
        gw_file_open_incoming("/nosuch", 0, false, &channel, &error), -ENOENT);
    assert_string_equal(gw_error_text(error), "Could not open '/nosuch': "
                                              "No such file or directory");
    gw_error_free(error);
}

static void test_file__full_device_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct gw_channel *channel = NULL;
    struct gw_error *error = NULL;
    struct gw_pieces pieces;
    struct iovec iov;
    char byte = 1;

    (void)f;
    /* A character device cannot hold a stream at offsets. */
    assert_int_equal(
        gw_file_open_outgoing("/dev/full", 0, false, &channel, &error),
        -EINVAL);
    error = gw_error_free(error);
    assert_int_equal(gw_fd_channel_open(open("/dev/full", O_WRONLY), true,
                                        false, &channel, &error),
                     0);
    pieces = gw_pieces_of(&iov, &byte, 1);
    assert_int_equal(gw_channel_write(channel, &pieces, &error), -ENOSPC);
    assert_non_null(strstr(gw_error_text(error), "No space left on device"));
    gw_error_free(error);
    gw_channel_free(channel);
}

static void test_input__reads_across_the_buffer(void **state)
{
    struct fixture *f = *state;
    enum {
        SIZE = 1000003
    };
    uint8_t *data = malloc(SIZE), *back = calloc(1, SIZE);
    struct gw_channel *channel = open_out(f->path, 0);
    struct gw_input *input;
    const uint8_t *peeked;
    size_t i, size;
    uint32_t word;

    for (i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    assert_int_equal(gw_channel_pwrite(channel, data, SIZE, 0, NULL), 0);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_channel_free(channel);

    assert_int_equal(gw_file_open_incoming(f->path, 0, false, &channel, NULL),
                     0);
    input = gw_input_new(channel, NULL);
    assert_int_equal(gw_input_get_be32(input, &word, NULL), 0);
    assert_int_equal(word, (uint32_t)data[0] << 24 | data[1] << 16 |
                               data[2] << 8 | data[3]);
    assert_int_equal(gw_input_peek(input, 4096, &peeked, &size, NULL), 0);
    assert_int_equal(size, 4096);
    assert_memory_equal(peeked, data + 4, 4096);
    assert_int_equal(gw_input_skip(input, 5, NULL), 0);
    assert_int_equal(gw_input_read(input, back, SIZE - 9, NULL), 0);
    assert_memory_equal(back, data + 9, SIZE - 9);
    assert_int_equal(gw_input_offset(input), SIZE);
    assert_int_equal(gw_input_get_be32(input, &word, NULL), -ENODATA);
    assert_int_equal(gw_input_seek(input, SIZE - 3, NULL), 0);
    assert_int_equal(gw_input_peek(input, 10, &peeked, &size, NULL), 0);
    assert_int_equal(size, 3);
    gw_input_free(input);
    gw_channel_free(channel);
    free(data);
    free(back);
}

/* One read, look-ahead or skip of any size, and what it must give. */
static void check_any_read(struct gw_input *input, const uint8_t *data,
                           size_t left, struct kit_rng *rng, uint8_t *back)
{
    /* Within the buffer, beyond it, and around its size. */
    static const uint32_t sizes[] = {1, 8, 4096, 4104, 262143, 262145, 400000};
    size_t most = sizes[kit_below(rng, GW_ARRAY_SIZE(sizes))];
    size_t size =
        gw_min_u64(kit_chance(rng, 50) ? most : kit_below(rng, most), left);
    const uint8_t *peeked;
    size_t found;

    if (kit_chance(rng, 30)) {
        assert_int_equal(
            gw_input_peek(input, gw_min_u64(most, 4096), &peeked, &found, NULL),
            0);
        assert_int_equal(found, gw_min_u64(gw_min_u64(most, 4096), left));
        assert_memory_equal(peeked, data, found);
    }
    if (kit_chance(rng, 20)) {
        assert_int_equal(gw_input_skip(input, size, NULL), 0);
        return;
    }
    assert_int_equal(gw_input_read(input, back, size, NULL), 0);
    assert_memory_equal(back, data, size);
}

/* Wherever it starts in a page of the file, and whatever is read of it. */
static void test_input__reads_of_any_size(void **state)
{
    enum {
        SIZE = 3000017
    };
    struct fixture *f = *state;
    struct kit_rng rng = {.state = 11};
    uint8_t *data = malloc(SIZE), *back = malloc(SIZE);
    struct gw_channel *channel = open_out(f->path, 0);
    struct gw_input *input;
    uint64_t start;

    kit_random_bytes(&rng, data, SIZE);
    assert_int_equal(gw_channel_pwrite(channel, data, SIZE, 0, NULL), 0);
    assert_int_equal(gw_channel_finish(channel, NULL), 0);
    gw_channel_free(channel);
    for (start = 0; start < 10000; start += 1 + kit_below(&rng, 600)) {
        assert_int_equal(
            gw_file_open_incoming(f->path, start, false, &channel, NULL), 0);
        input = gw_input_new(channel, NULL);
        while (gw_input_offset(input) < SIZE) {
            check_any_read(input, data + gw_input_offset(input),
                           SIZE - gw_input_offset(input), &rng, back);
        }
        assert_int_equal(gw_input_skip(input, 1, NULL), -ENODATA);
        gw_input_free(input);
        gw_channel_free(channel);
    }
    free(data);
    free(back);
}

static void test_input__cancel_ends_a_wait(void **state)
{
    struct gw_channel *channel = NULL;
    struct gw_input *input;
    struct gw_error *error = NULL;
    uint8_t byte;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(gw_fd_channel_open(fds[0], false, false, &channel, NULL),
                     0);
    input = gw_input_new(channel, NULL);
    gw_input_cancel(input);
    assert_int_equal(gw_input_get_u8(input, &byte, &error), -ECANCELED);
    gw_error_free(error);
    gw_input_free(input);
    gw_channel_free(channel);
    close(fds[1]);
}

static void test_fd__wrong_mode_is_refused(void **state)
{
    struct gw_channel *channel = NULL;
    struct gw_error *error = NULL;
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(gw_fd_channel_open(fd, true, false, &channel, &error),
                     -EBADF);
    assert_non_null(strstr(gw_error_text(error), "not open for writing"));
    gw_error_free(error);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file__save_appears_when_finished,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_file__unfinished_save_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__link_is_followed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__offset_keeps_what_is_before,
                                        setup, teardown),
        cmocka_unit_test(test_file__errors_name_the_path),
        cmocka_unit_test_setup_teardown(test_file__full_device_is_an_error,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_input__reads_across_the_buffer,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_input__reads_of_any_size, setup,
                                        teardown),
        cmocka_unit_test(test_input__cancel_ends_a_wait),
        cmocka_unit_test(test_fd__wrong_mode_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

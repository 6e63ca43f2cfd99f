/*
 * Runs a fuzz target on the files of its corpus, without a fuzzer: in the
 * normal test run, with any compiler. Each file is also tried cut short.
 *
 * Usage: replay-NAME FOLDER
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

enum {
    FILE_MAX = 1 << 20,
    CUTS = 64
};

/* From memory of just this size, so that a sanitizer sees reads past it. */
static void run_on(const uint8_t *data, size_t size)
{
    GW_AUTO_FREE uint8_t *copy = malloc(size ? size : 1);

    FUZZ_ASSERT(copy);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
}

static void run_file(const char *path)
{
    GW_AUTO_FREE uint8_t *data = malloc(FILE_MAX);
    FILE *file = fopen(path, "rb");
    size_t size, cut;

    FUZZ_ASSERT(file && data);
    size = fread(data, 1, FILE_MAX, file);
    fclose(file);
    run_on(data, size);
    for (cut = 0; cut < size; cut += 1 + size / CUTS) {
        run_on(data, cut);
    }
}

int main(int argc, char **argv)
{
    const struct dirent *entry;
    char path[4096];
    size_t n = 0;
    DIR *folder;

    if (argc != 2 || !(folder = opendir(argv[1]))) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
            run_file(path);
            n++;
        }
    }
    closedir(folder);
    printf("%zu files\n", n);
    return n > 0 ? 0 : 1;
}

/*
 * `godwit inspect`: shows what is in a migration file.
 */
#include "inspect.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "text.h"

struct inspect_options {
    const char *path;
    uint64_t offset;  /* where the stream starts, bytes */
    bool json;        /* instead of tables */
    bool with_fields; /* in tables: the devices' fields too */
};

static const char help[] =
    "usage: godwit inspect [OPTION...] FILE\n"
    "\n"
    "Shows what is in a migration file of godwit or QEMU: configuration, RAM\n"
    "blocks, sections, and what the file's bytes are used for.\n"
    "\n"
    "  --offset N   the stream starts N bytes into the file (0x.., k, M, G)\n"
    "  --fields     with the fields of each device and their values\n"
    "  --json       one JSON object with everything, for programs\n"
    "  -h, --help   this text\n";

/* Parses the words; a positive result is "help was asked for". */
static int parse_options(int argc, char **argv, struct inspect_options *ret)
{
    static const struct option known[] = {
        {"offset", required_argument, NULL, 'o'},
        {"fields", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'o':
            if (!cli_parse_bytes(optarg, &ret->offset)) {
                fprintf(stderr, "godwit inspect: --offset '%s' is no number\n",
                        optarg);
                return -1;
            }
            break;
        case 'f':
            ret->with_fields = true;
            break;
        case 'j':
            ret->json = true;
            break;
        case 'h':
            return 1;
        default:
            return -1;
        }
    }
    if (argc - optind != 1) {
        fprintf(stderr, "godwit inspect: expected one file, found %d\n",
                argc - optind);
        return -1;
    }
    ret->path = argv[optind];
    return 0;
}

static int inspect(const struct inspect_options *options,
                   struct gw_error **errp)
{
    struct gw_image *image;
    int rc = gw_image_open(options->path, options->offset, &image, errp);

    if (rc) {
        return rc;
    }
    rc = options->json ? cli_inspect_json(image, options->path, errp)
                       : cli_inspect_text(image, options->path,
                                          options->with_fields, errp);
    gw_image_free(image);
    return rc;
}

int cmd_inspect(int argc, char **argv)
{
    struct inspect_options options = {0};
    struct gw_error *error = NULL;
    int rc = parse_options(argc, argv, &options);

    if (rc > 0) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (rc < 0) {
        fputs("Try 'godwit inspect --help'.\n", stderr);
        return CLI_USAGE;
    }
    rc = inspect(&options, &error);
    if (rc) {
        fflush(stdout);
        fprintf(stderr, "godwit inspect: %s\n", gw_error_text(error));
        gw_error_free(error);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/*
 * `godwit convert`: rewrites a migration file in another format.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <godwit/error.h>
#include <godwit/image.h>

#include "commands.h"
#include "progress.h"
#include "text.h"

struct convert_options {
    const char *in_path;
    const char *out_path;
    enum gw_image_format format;
    bool has_format;
    struct gw_convert_options library;
};

static const char help[] =
    "usage: godwit convert --to FORMAT [OPTION...] IN OUT\n"
    "\n"
    "Rewrites the RAM in a migration file of godwit or QEMU; devices and all\n"
    "else are carried over unchanged. OUT appears when it is complete.\n"
    "\n"
    "  --to plain      pages as records in the stream\n"
    "  --to mapped     mapped-ram: pages at fixed offsets\n"
    "  --to raw        OUT is a folder that gets a sparse file per RAM block\n"
    "  --offset N      the stream starts N bytes into IN (0x.., k, M, G)\n"
    "  --out-offset N  start it N bytes into OUT, and leave what is before\n"
    "  -h, --help      this text\n";

/* Set by SIGINT and SIGTERM: stop at the next chance, leave no debris. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_signals(void)
{
    /* A second one ends it the hard way. */
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESTART | (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool parse_format(const char *name, struct convert_options *ret)
{
    static const struct {
        const char *name;
        enum gw_image_format format;
    } formats[] = {
        {"plain", GW_IMAGE_PLAIN},
        {"mapped", GW_IMAGE_MAPPED},
        {"mapped-ram", GW_IMAGE_MAPPED},
        {"raw", GW_IMAGE_RAW},
    };
    size_t i;

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(name, formats[i].name) == 0) {
            ret->format = formats[i].format;
            ret->has_format = true;
            return true;
        }
    }
    fprintf(stderr,
            "godwit convert: unknown format '%s', expected plain, mapped or "
            "raw\n",
            name);
    return false;
}

static bool parse_offset(const char *name, const char *text, uint64_t *ret)
{
    if (cli_parse_bytes(text, ret)) {
        return true;
    }
    fprintf(stderr, "godwit convert: %s '%s' is no number\n", name, text);
    return false;
}

/* What the words must be together. */
static bool check_options(const struct convert_options *options, int n_paths)
{
    if (!options->has_format) {
        fputs("godwit convert: --to is missing\n", stderr);
        return false;
    }
    if (options->format == GW_IMAGE_RAW && options->library.out_offset) {
        fputs("godwit convert: --out-offset does not go with raw\n", stderr);
        return false;
    }
    if (n_paths != 2) {
        fprintf(stderr, "godwit convert: expected IN and OUT, found %d words\n",
                n_paths);
        return false;
    }
    return true;
}

/* Parses the words; a positive result is "help was asked for". */
static int parse_options(int argc, char **argv, struct convert_options *ret)
{
    static const struct option known[] = {
        {"to", required_argument, NULL, 't'},
        {"offset", required_argument, NULL, 'i'},
        {"out-offset", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool good = true;
    int option;

    optind = 1;
    while (good && (option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 't':
            good = parse_format(optarg, ret);
            break;
        case 'i':
            good = parse_offset("--offset", optarg, &ret->library.in_offset);
            break;
        case 'o':
            good =
                parse_offset("--out-offset", optarg, &ret->library.out_offset);
            break;
        case 'h':
            return 1;
        default:
            good = false;
            break;
        }
    }
    if (!good || !check_options(ret, argc - optind)) {
        return -1;
    }
    ret->in_path = argv[optind];
    ret->out_path = argv[optind + 1];
    return 0;
}

static int on_progress(void *opaque, uint64_t done, uint64_t total)
{
    cli_progress_show(opaque, done, total);
    return interrupted;
}

int cmd_convert(int argc, char **argv)
{
    struct convert_options options = {0};
    struct cli_progress progress = {0};
    struct gw_error *error = NULL;
    int rc = parse_options(argc, argv, &options);

    if (rc > 0) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (rc < 0) {
        fputs("Try 'godwit convert --help'.\n", stderr);
        return CLI_USAGE;
    }
    catch_signals();
    options.library.progress = on_progress;
    options.library.opaque = &progress;
    rc = gw_image_convert(options.in_path, options.out_path, options.format,
                          &options.library, &error);
    cli_progress_clear(&progress);
    if (rc) {
        fprintf(stderr, "godwit convert: %s\n", gw_error_text(error));
        gw_error_free(error);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/*
 * `godwit compat`: would a machine go on in another one?
 */
#include "compat.h"

#include <getopt.h>
#include <stdio.h>

#include "commands.h"

struct compat_options {
    const char *words[2]; /* source, destination */
    bool json;
    bool may_pause;
};

static const char help[] =
    "usage: godwit compat [OPTION...] A B\n"
    "\n"
    "Says what would stop a move from A to B, before anything moves. Each is\n"
    "\n"
    "  a file that godwit or QEMU saved (file:PATH,offset=N for one inside)\n"
    "  the QMP socket of a running godwit or QEMU (a path, or unix:PATH)\n"
    "  what QEMU's -dump-vmstate wrote, or an answer of\n"
    "  x-query-machine-description, as JSON\n"
    "\n"
    "Reasons come one per line, the most important first; then warnings, and\n"
    "what is not known from A and B.\n"
    "\n"
    "  --may-pause  a QEMU whose guest runs may stop it for a moment: without\n"
    "               that it does not tell which devices it has\n"
    "  --json       one JSON object, for programs\n"
    "  -h, --help   this text\n"
    "\n"
    "Exit status: 0 A fits, 1 it does not, 2 wrong use, or A or B cannot be\n"
    "read.\n";

/* Parses the words; a positive result is "help was asked for". */
static int parse_options(int argc, char **argv, struct compat_options *ret)
{
    static const struct option known[] = {
        {"may-pause", no_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'p':
            ret->may_pause = true;
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
    if (argc - optind != 2) {
        fprintf(stderr, "godwit compat: expected A and B, found %d words\n",
                argc - optind);
        return -1;
    }
    ret->words[0] = argv[optind];
    ret->words[1] = argv[optind + 1];
    return 0;
}

static json_t *side_json(const struct gw_compat_machine *machine)
{
    static const char *const sources[] = {
        [GW_COMPAT_MACHINE] = "machine",
        [GW_COMPAT_FILE] = "file",
        [GW_COMPAT_DUMP] = "dump-vmstate",
        [GW_COMPAT_QEMU] = "qemu",
    };

    return json_pack("{s:s, s:s}", "from",
                     sources[gw_compat_machine_source(machine)], "machine",
                     gw_compat_machine_name(machine));
}

static void print(const struct compat_options *options,
                  struct gw_compat_machine *const machines[2],
                  const struct gw_compat_report *report)
{
    bool fits = gw_compat_report_fits(report);
    json_t *object;

    if (!options->json) {
        if (fits) {
            puts("fits");
        }
        cli_compat_print(report, true);
        return;
    }
    object =
        json_pack("{s:b, s:o, s:o, s:o}", "fits", (int)fits, "source",
                  side_json(machines[0]), "destination", side_json(machines[1]),
                  "remarks", cli_compat_json(report, true));
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(object);
}

static int compare(const struct compat_options *options,
                   struct gw_compat_machine *const machines[2])
{
    struct gw_compat_report *report = NULL;
    struct gw_error *error = NULL;
    int status;

    if (gw_compat_check(machines[0], machines[1], &report, &error) < 0) {
        fprintf(stderr, "godwit compat: %s\n", gw_error_text(error));
        gw_error_free(error);
        return CLI_USAGE;
    }
    print(options, machines, report);
    status = gw_compat_report_fits(report) ? CLI_OK : CLI_FAILED;
    gw_compat_report_free(report);
    return status;
}

int cmd_compat(int argc, char **argv)
{
    struct gw_compat_machine *machines[2] = {NULL, NULL};
    struct compat_options options = {0};
    int r = parse_options(argc, argv, &options);
    const struct cli_compat_way way = {"compat", options.may_pause};
    int status = CLI_USAGE;

    if (r > 0) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (r < 0) {
        fputs("Try 'godwit compat --help'.\n", stderr);
        return CLI_USAGE;
    }
    if (cli_compat_read(&way, options.words[0], &machines[0]) == 0 &&
        cli_compat_read(&way, options.words[1], &machines[1]) == 0) {
        status = compare(&options, machines);
    }
    gw_compat_machine_free(machines[0]);
    gw_compat_machine_free(machines[1]);
    return status;
}

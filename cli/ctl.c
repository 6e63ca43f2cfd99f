/*
 * `godwit ctl`: sends a command to the monitor of godwit or of QEMU.
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_check.h"
#include "ctl_client.h"
#include "ctl_request.h"
#include "ctl_wait.h"

/* Options and what follows them. */
struct ctl {
    bool wants_json;
    const char *path; /* of the socket */
    char **words;     /* of the command; owned array of lent words */
    int n_words;
};

static void print_help(FILE *to)
{
    fputs("usage: godwit ctl [--json] SOCKET COMMAND...\n"
          "\n"
          "Sends a command to the QMP socket of godwit or of QEMU. Commands "
          "are those of\n"
          "the human monitor:\n"
          "\n"
          "  migrate [-d] URI              migrate, and wait for the end "
          "unless -d is given\n"
          "  migrate --dry-run [--with B [--may-pause]] URI\n"
          "                                only say what would stop it, and "
          "whether the machine\n"
          "                                fits B (see 'godwit compat')\n"
          "  migrate_incoming URI          start a deferred incoming "
          "migration\n"
          "  migrate_cancel                cancel the outgoing migration\n"
          "  migrate_set_capability NAME on|off\n"
          "  migrate_set_parameter NAME VALUE\n"
          "  info status|migrate|migrate_capabilities|migrate_parameters\n"
          "  stop, cont, quit\n"
          "\n"
          "and every other one that the peer has ('help' lists them). A "
          "COMMAND that is a\n"
          "JSON object is sent as it is.\n"
          "\n"
          "Options:\n"
          "  --json  print the reply of QMP\n"
          "  --help  this text\n",
          to);
}

/*
 * The commands that fail say so in text only.
 */
static bool is_complaint(const char *text)
{
    return strncmp(text, "Error: ", 7) == 0 ||
           strncmp(text, "unknown command: ", 17) == 0 ||
           strstr(text, "\nTry \"help ") != NULL;
}

/* Output of HMP: without the CR of its line ends. */
static int print_human(const char *text)
{
    bool failed = is_complaint(text);
    FILE *to = failed ? stderr : stdout;

    if (failed) {
        fputs("godwit ctl: ", to);
        text += strncmp(text, "Error: ", 7) == 0 ? 7 : 0;
    }
    for (; *text; text++) {
        if (*text != '\r') {
            fputc(*text, to);
        }
    }
    return failed ? CLI_FAILED : CLI_OK;
}

static void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    putchar('\n');
}

/* Prints a reply, unless there is nothing in it to be told. */
static int print_reply(const struct ctl *ctl, const struct ctl_request *request,
                       const json_t *reply)
{
    const json_t *value = json_object_get(reply, "return");
    const char *error = ctl_error_of(reply);
    const char *text = json_string_value(value);

    if (ctl->wants_json || request->text) {
        print_json(reply);
        return error || (request->is_human && text && is_complaint(text))
                   ? CLI_FAILED
                   : CLI_OK;
    }
    if (error) {
        fprintf(stderr, "godwit ctl: %s\n", error);
        return CLI_FAILED;
    }
    if (request->is_human && text) {
        return print_human(text);
    }
    if (json_is_object(value) ? json_object_size(value) > 0 : value != NULL) {
        print_json(value);
    }
    return CLI_OK;
}

static int execute(const struct ctl *ctl, const struct ctl_request *request)
{
    struct ctl_client client;
    json_t *reply;
    int status = CLI_FAILED;
    int r;

    if (ctl_client_open(&client, "ctl", ctl->path) < 0) {
        return CLI_FAILED;
    }
    if (request->is_dry) {
        status = ctl_check(&client, request, ctl->wants_json);
        ctl_client_close(&client);
        return status;
    }
    r = request->text ? ctl_client_ask_text(&client, request->text, &reply)
                      : ctl_client_ask(&client, request->object, &reply);
    if (r >= 0) {
        if (request->waits && !ctl_error_of(reply)) {
            status = ctl_wait(&client, ctl->wants_json);
        } else {
            status = print_reply(ctl, request, reply);
        }
        json_decref(reply);
    }
    ctl_client_close(&client);
    return status;
}

/* Takes --json wherever it stands: no command has such a word. */
static void take_words(struct ctl *ctl, int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            ctl->wants_json = true;
        } else if (!ctl->path) {
            ctl->path = argv[i];
        } else {
            ctl->words[ctl->n_words++] = argv[i];
        }
    }
}

static int run(struct ctl *ctl)
{
    struct ctl_request request;
    int status;

    if (ctl->path && ctl->path[0] == '-') {
        fprintf(stderr,
                "godwit ctl: unknown option '%s'\n"
                "Try 'godwit ctl --help'.\n",
                ctl->path);
        return CLI_USAGE;
    }
    if (!ctl->path || !ctl->n_words) {
        print_help(stderr);
        return CLI_USAGE;
    }
    status = CLI_USAGE;
    if (ctl_request_make(&request, ctl->n_words, ctl->words, ctl->wants_json)) {
        status = execute(ctl, &request);
    }
    ctl_request_deinit(&request);
    return status;
}

int cmd_ctl(int argc, char **argv)
{
    struct ctl ctl = {0};
    int status;

    if (argc >= 2 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help(stdout);
        return CLI_OK;
    }
    ctl.words = calloc((size_t)argc + 1, sizeof(*ctl.words));
    if (!ctl.words) {
        fprintf(stderr, "godwit ctl: out of memory\n");
        return CLI_FAILED;
    }
    take_words(&ctl, argc, argv);
    status = run(&ctl);
    free(ctl.words);
    return status;
}

/*
 * The dry run of `ctl migrate`.
 *
 * godwit knows by itself what would stop it. QEMU is asked what it can be
 * asked, and the rest is said to be not known.
 */
#include "ctl_check.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "compat.h"
#include "text.h"

/* What was found; owned. */
struct findings {
    json_t *reasons;                 /* texts */
    json_t *not_known;               /* texts */
    struct gw_compat_report *report; /* with a destination, or NULL */
};

static void add(json_t *array, const char *text)
{
    json_array_append_new(array, json_string(text));
}

/* QEMU: blockers and the run state. */
static int ask_qemu(struct ctl_client *client, struct findings *findings)
{
    json_t *migrate = NULL;
    json_t *status = NULL;
    const char *state;
    int r = ctl_client_execute(client, "query-migrate", NULL, -1, &migrate);

    if (r >= 0) {
        r = ctl_client_execute(client, "query-status", NULL, -1, &status);
    }
    if (r < 0) {
        json_decref(migrate);
        return r;
    }
    state = json_string_value(
        json_object_get(json_object_get(status, "return"), "status"));
    json_array_extend(
        findings->reasons,
        json_object_get(json_object_get(migrate, "return"), "blocked-reasons"));
    if (state && (strcmp(state, "inmigrate") == 0 ||
                  strcmp(state, "postmigrate") == 0)) {
        json_array_append_new(
            findings->reasons,
            json_sprintf("the guest is in the state '%s'", state));
    }
    add(findings->not_known,
        "whether the target can be opened and has room, and whether the "
        "settings go together: QEMU cannot be asked before it migrates");
    json_decref(migrate);
    json_decref(status);
    return 0;
}

static int ask_source(struct ctl_client *client, json_t *check,
                      struct findings *findings)
{
    json_t *reply = NULL;
    const char *class;
    int r = ctl_client_ask(client, check, &reply);

    if (r < 0) {
        return r;
    }
    class = json_string_value(
        json_object_get(json_object_get(reply, "error"), "class"));
    if (class && strcmp(class, "CommandNotFound") == 0) {
        r = ask_qemu(client, findings);
    } else if (ctl_error_of(reply)) {
        add(findings->reasons, ctl_error_of(reply));
    } else {
        json_array_extend(findings->reasons, json_object_get(reply, "return"));
    }
    json_decref(reply);
    return r;
}

static int compare(struct ctl_client *client, const struct ctl_request *request,
                   struct findings *findings)
{
    const struct cli_compat_way way = {"ctl", request->may_pause};
    struct gw_compat_machine *from = NULL;
    struct gw_compat_machine *to = NULL;
    struct gw_error *error = NULL;
    int r = cli_compat_ask(&way, client, &from);

    if (r == 0) {
        r = cli_compat_read(&way, request->with, &to);
    }
    if (r == 0) {
        r = gw_compat_check(from, to, &findings->report, &error);
        if (r < 0) {
            fprintf(stderr, "godwit ctl: %s\n", gw_error_text(error));
            gw_error_free(error);
        }
    }
    gw_compat_machine_free(from);
    gw_compat_machine_free(to);
    return r;
}

static void print_all(const char *prefix, const json_t *array)
{
    const char *text;
    size_t i;

    for (i = 0; (text = json_string_value(json_array_get(array, i))); i++) {
        fputs(prefix, stdout);
        cli_put_safe(stdout, text);
        putchar('\n');
    }
}

static void print_json(const struct findings *findings, bool can)
{
    json_t *object =
        json_pack("{s:b, s:O, s:O}", "can-move", (int)can, "reasons",
                  findings->reasons, "not-known", findings->not_known);

    if (findings->report) {
        json_object_set_new(object, "remarks",
                            cli_compat_json(findings->report, false));
    }
    json_dumpf(object, stdout, JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(object);
}

static int print(const struct findings *findings, bool wants_json)
{
    bool can = json_array_size(findings->reasons) == 0 &&
               (!findings->report || gw_compat_report_fits(findings->report));

    if (wants_json) {
        print_json(findings, can);
    } else {
        if (can) {
            puts("nothing found that would stop it");
        }
        print_all("", findings->reasons);
        if (findings->report) {
            cli_compat_print(findings->report, false);
        }
        print_all("not known: ", findings->not_known);
    }
    return can ? CLI_OK : CLI_FAILED;
}

int ctl_check(struct ctl_client *client, const struct ctl_request *request,
              bool wants_json)
{
    struct findings findings = {json_array(), json_array(), NULL};
    int status = CLI_FAILED;
    int r = ask_source(client, request->object, &findings);

    if (r >= 0 && request->with) {
        r = compare(client, request, &findings);
    }
    if (r >= 0) {
        status = print(&findings, wants_json);
    }
    json_decref(findings.reasons);
    json_decref(findings.not_known);
    gw_compat_report_free(findings.report);
    return status;
}

/*
 * Descriptions of machines: from files and from monitors.
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <godwit/address.h>

#include "compat_qemu.h"

static int fail(const char *command, struct gw_error *error)
{
    fprintf(stderr, "godwit %s: %s\n", command, gw_error_text(error));
    gw_error_free(error);
    return -1;
}

/* The reply of a godwit, or what a QEMU tells bit by bit; a new reference. */
static int ask_for_text(const struct cli_compat_way *way,
                        struct ctl_client *client, json_t **ret_text)
{
    const char *class;
    json_t *reply = NULL;
    int r = ctl_client_execute(client, "x-query-machine-description", NULL, -1,
                               &reply);

    if (r < 0) {
        return r;
    }
    class = json_string_value(
        json_object_get(json_object_get(reply, "error"), "class"));
    if (class && strcmp(class, "CommandNotFound") == 0) {
        r = cli_compat_ask_qemu(client, way->may_pause, ret_text);
    } else if (ctl_error_of(reply)) {
        fprintf(stderr, "godwit %s: %s\n", way->command, ctl_error_of(reply));
        r = -1;
    } else {
        *ret_text = json_incref(reply);
    }
    json_decref(reply);
    return r;
}

int cli_compat_ask(const struct cli_compat_way *way, struct ctl_client *client,
                   struct gw_compat_machine **ret_machine)
{
    struct gw_error *error = NULL;
    json_t *object = NULL;
    char *text;
    int r = ask_for_text(way, client, &object);

    if (r < 0) {
        return r;
    }
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text) {
        gw_error_set(&error, -1, "out of memory");
        return fail(way->command, error);
    }
    r = gw_compat_machine_parse(text, strlen(text), ret_machine, &error);
    free(text);
    return r < 0 ? fail(way->command, error) : 0;
}

static int read_socket(const struct cli_compat_way *way, const char *path,
                       struct gw_compat_machine **ret_machine)
{
    struct ctl_client client;
    int r = ctl_client_open(&client, way->command, path);

    if (r == 0) {
        r = cli_compat_ask(way, &client, ret_machine);
        ctl_client_close(&client);
    }
    return r;
}

static int read_file(const char *command, const char *word,
                     struct gw_compat_machine **ret_machine)
{
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;
    int r;

    if (strncmp(word, "file:", 5) != 0) {
        r = gw_compat_machine_read(word, 0, ret_machine, &error);
        return r < 0 ? fail(command, error) : 0;
    }
    r = gw_address_parse(word, &address, &error);
    if (r >= 0) {
        r = gw_compat_machine_read(address->path, address->offset, ret_machine,
                                   &error);
        gw_address_free(address);
    }
    return r < 0 ? fail(command, error) : 0;
}

int cli_compat_read(const struct cli_compat_way *way, const char *word,
                    struct gw_compat_machine **ret_machine)
{
    struct stat st;

    if (strncmp(word, "unix:", 5) == 0 ||
        (stat(word, &st) == 0 && S_ISSOCK(st.st_mode))) {
        return read_socket(way, word, ret_machine);
    }
    return read_file(way->command, word, ret_machine);
}

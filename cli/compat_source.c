/*
 * Descriptions of machines: from files and from monitors.
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <godwit/address.h>

static int fail(const char *command, struct gw_error *error)
{
    fprintf(stderr, "godwit %s: %s\n", command, gw_error_text(error));
    gw_error_free(error);
    return -1;
}

int cli_compat_ask(const char *command, struct ctl_client *client,
                   struct gw_compat_machine **ret_machine)
{
    struct gw_error *error = NULL;
    json_t *reply = NULL;
    char *text;
    int r = ctl_client_ask_text(
        client, "{\"execute\": \"x-query-machine-description\"}", &reply);

    if (r < 0) {
        return r;
    }
    if (ctl_error_of(reply)) {
        json_decref(reply);
        return 1;
    }
    text = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    if (!text) {
        gw_error_set(&error, -1, "out of memory");
        return fail(command, error);
    }
    r = gw_compat_machine_parse(text, strlen(text), ret_machine, &error);
    free(text);
    return r < 0 ? fail(command, error) : 0;
}

static int read_socket(const char *command, const char *path,
                       struct gw_compat_machine **ret_machine)
{
    struct ctl_client client;
    int r = ctl_client_open(&client, path);

    if (r < 0) {
        return r;
    }
    r = cli_compat_ask(command, &client, ret_machine);
    ctl_client_close(&client);
    if (r > 0) {
        fprintf(stderr,
                "godwit %s: '%s' cannot describe its machine: QEMU can not; "
                "give a file that it saved, or what its -dump-vmstate "
                "writes\n",
                command, path);
    }
    return r ? -1 : 0;
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

int cli_compat_read(const char *command, const char *word,
                    struct gw_compat_machine **ret_machine)
{
    struct stat st;

    if (strncmp(word, "unix:", 5) == 0 ||
        (stat(word, &st) == 0 && S_ISSOCK(st.st_mode))) {
        return read_socket(command, word, ret_machine);
    }
    return read_file(command, word, ret_machine);
}

/*
 * The devices of a QEMU, from a save of their state alone.
 */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <godwit/compat.h>
#include <godwit/image.h>

/* Why devices are left out. */
static void note(const struct qemu *qemu, const char *why)
{
    fprintf(stderr, "godwit %s: the devices of this QEMU are not known: %s\n",
            qemu->client->command, why ? why : "it does not say why");
}

/* What is known of the sections of a stream without a description. */
static void put_sections(struct qemu *qemu, const struct gw_image *image)
{
    char *text = gw_image_describe(image);
    json_t *saved = text ? json_loads(text, 0, NULL) : NULL;

    if (saved) {
        qemu_put(qemu, "vmstates",
                 json_incref(json_object_get(saved, "vmstates")));
        qemu_put(qemu, "devices",
                 json_incref(json_object_get(saved, "devices")));
    } else {
        note(qemu, "a name of theirs is not valid UTF-8, or memory is short");
    }
    json_decref(saved);
    free(text);
}

static void read_devices(struct qemu *qemu, int fd)
{
    struct gw_image *image = NULL;
    struct gw_error *error = NULL;
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (gw_image_open(path, 0, &image, &error) < 0) {
        note(qemu, gw_error_text(error));
        gw_error_free(error);
        return;
    }
    put_sections(qemu, image);
    gw_image_free(image);
}

/* Has QEMU write the state of its devices through a descriptor. */
static bool save_devices(struct qemu *qemu, int fd)
{
    json_t *set = qemu_ask_passing(qemu, "add-fd", NULL, fd);
    json_int_t id = json_integer_value(json_object_get(set, "fdset-id"));
    json_t *done = NULL;

    if (set) {
        done = qemu_ask(
            qemu, "xen-save-devices-state",
            json_pack("{s:o, s:b}", "filename",
                      json_sprintf("/dev/fdset/%" JSON_INTEGER_FORMAT, id),
                      "live", true));
    }
    if (!done && !qemu->is_lost) {
        note(qemu, json_string_value(qemu->refusal));
    }
    if (set) {
        json_decref(
            qemu_ask(qemu, "remove-fd", json_pack("{s:I}", "fdset-id", id)));
    }
    json_decref(set);
    json_decref(done);
    return done != NULL;
}

static void put_devices(struct qemu *qemu)
{
    int fd = memfd_create("godwit-compat", MFD_CLOEXEC);
    char path[32];
    int writer;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    /* QEMU takes none that could be read as well. */
    writer = fd < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
    if (writer < 0) {
        note(qemu, strerror(errno));
    } else {
        if (save_devices(qemu, writer)) {
            read_devices(qemu, fd);
        }
        close(writer);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* No migration is on its way that a save would come across. */
static bool is_at_rest(const json_t *migrate)
{
    static const char *const resting[] = {"none", "completed", "failed",
                                          "cancelled"};
    const char *status = json_string_value(json_object_get(migrate, "status"));
    size_t i;

    for (i = 0; status && i < sizeof(resting) / sizeof(resting[0]); i++) {
        if (strcmp(status, resting[i]) == 0) {
            return true;
        }
    }
    return !status;
}

void qemu_put_devices(struct qemu *qemu, const json_t *migrate, bool may_pause)
{
    json_t *status = qemu_ask(qemu, "query-status", NULL);
    const char *why = NULL;

    if (!is_at_rest(migrate)) {
        why = "a migration is on its way";
    } else if (!json_is_false(json_object_get(status, "running")) &&
               !may_pause) {
        why = "its guest runs and would be stopped for a moment (--may-pause)";
    }
    if (why) {
        note(qemu, why);
    } else {
        put_devices(qemu);
    }
    json_decref(status);
}

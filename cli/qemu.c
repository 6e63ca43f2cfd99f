/*
 * Questions to a QEMU, one by one.
 */
#include "qemu.h"

json_t *qemu_ask_passing(struct qemu *qemu, const char *command,
                         json_t *arguments, int fd)
{
    json_t *reply = NULL;
    json_t *answer;

    if (qemu->is_lost) {
        json_decref(arguments);
        return NULL;
    }
    qemu->is_lost =
        ctl_client_execute(qemu->client, command, arguments, fd, &reply) < 0;
    answer = json_incref(json_object_get(reply, "return"));
    json_decref(qemu->refusal);
    qemu->refusal = answer ? NULL : json_string(ctl_error_of(reply));
    json_decref(reply);
    return answer;
}

json_t *qemu_ask(struct qemu *qemu, const char *command, json_t *arguments)
{
    return qemu_ask_passing(qemu, command, arguments, -1);
}

json_t *qemu_get_property(struct qemu *qemu, const char *path, const char *name)
{
    return qemu_ask(qemu, "qom-get",
                    json_pack("{s:s, s:s}", "path", path, "property", name));
}

void qemu_put(struct qemu *qemu, const char *name, json_t *value)
{
    json_object_set_new(qemu->description, name, value);
}

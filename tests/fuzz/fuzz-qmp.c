/*
 * A hostile client of the monitor: any bytes as QMP, and as lines of HMP. All
 * that comes back is one JSON object of ASCII per line.
 *
 * The machine is blocked, and not in `inmigrate`: nothing is ever opened.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <godwit/control.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "monitor/qmp_session.h"

static int do_nothing(void *opaque, struct gw_error **errp)
{
    (void)opaque;
    (void)errp;
    return 0;
}

static const struct gw_machine_ops ops = {.pause = do_nothing,
                                          .resume = do_nothing};

static void check_line(const char *line, size_t len)
{
    json_t *object = json_loadb(line, len, 0, NULL);
    size_t i;

    FUZZ_ASSERT(json_is_object(object));
    for (i = 0; i < len; i++) {
        FUZZ_ASSERT((unsigned char)line[i] < 0x80);
    }
    json_decref(object);
}

static ssize_t collect(void *opaque, const void *data, size_t size)
{
    gw_buffer_put_bytes(opaque, data, size);
    return (ssize_t)size;
}

static void check_output(struct gw_qmp_session *session)
{
    GW_AUTO_BUFFER struct gw_buffer out = {0};
    const char *at, *end;
    size_t left;

    if (gw_qmp_session_send(session, collect, &out) < 0) {
        return;
    }
    at = (const char *)out.data;
    left = out.size;
    while (left) {
        end = memchr(at, '\n', left);
        FUZZ_ASSERT(end && end > at && end[-1] == '\r');
        check_line(at, (size_t)(end - at));
        left -= (size_t)(end - at) + 1;
        at = end + 1;
    }
}

static void run_qmp(struct gw_control *control, const uint8_t *data,
                    size_t size)
{
    static const char negotiation[] = "{'execute':'qmp_capabilities'}";
    struct gw_qmp_session session;
    size_t half = size / 2;

    gw_qmp_session_init(&session, control);
    gw_qmp_session_feed(&session, negotiation, sizeof(negotiation) - 1);
    gw_qmp_session_feed(&session, data, half);
    gw_qmp_session_feed(&session, data + half, size - half);
    check_output(&session);
    gw_qmp_session_deinit(&session);
}

static void run_hmp(struct gw_control *control, const uint8_t *data,
                    size_t size)
{
    GW_AUTO_FREE char *text = strndup((const char *)data, size);
    char *rest = text;
    char *line;

    FUZZ_ASSERT(text);
    while ((line = strsep(&rest, "\n"))) {
        char *out = gw_hmp_execute(control, line);

        FUZZ_ASSERT(out);
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_machine *machine = gw_machine_new("box", &ops, NULL);
    struct gw_control *control = gw_control_new(machine, NULL, NULL);

    FUZZ_ASSERT(control && gw_machine_block(machine, "fuzzing"));
    run_qmp(control, data, size);
    run_hmp(control, data, size);
    gw_control_free(control);
    gw_machine_free(machine);
    return 0;
}

/*
 * Device state in the stream: sections by priority, the run state, the end
 * with the VM description.
 */
#include "migrate/device_writer.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "channel/output.h"
#include "machine/machine.h"
#include "migrate/globalstate.h"
#include "stream/writer.h"
#include "vmstate/save.h"

static int put_device(struct gw_device_writer *writer, const char *idstr,
                      uint32_t instance_id, const struct gw_vmstate *vmstate,
                      void *state, struct gw_error **errp)
{
    struct gw_section_header header = {
        .kind = GW_SECTION_FULL,
        .section_id = writer->next_section_id++,
        .instance_id = instance_id,
        .version = vmstate->version,
    };
    GW_AUTO_BUFFER struct gw_buffer data = {0};
    int r;

    strncpy(header.idstr, idstr, sizeof(header.idstr) - 1);
    gw_description_device_begin(&writer->description, idstr, instance_id);
    r = gw_vmstate_save(vmstate, state, &data, &writer->description, errp);
    if (r < 0) {
        return r;
    }
    gw_description_device_end(&writer->description);
    r = gw_stream_put_section(writer->output, &header, errp);
    if (r == 0) {
        r = gw_output_write(writer->output, data.data, data.size, errp);
    }
    return r < 0
               ? r
               : gw_stream_put_footer(writer->output, header.section_id, errp);
}

static bool is_wanted(const struct gw_device *device, bool early)
{
    return device->vmstate->early == early &&
           gw_vmstate_is_needed(device->vmstate, device->state);
}

/* Devices of one priority; the machine's list cannot change meanwhile. */
static int put_devices_of(struct gw_device_writer *writer,
                          struct gw_machine *machine, bool early, int priority,
                          struct gw_error **errp)
{
    struct gw_device *device;
    int r;

    for (device = machine->devices; device; device = device->next) {
        if ((int)device->vmstate->priority != priority ||
            !is_wanted(device, early)) {
            continue;
        }
        r = put_device(writer, device->idstr, device->instance_id,
                       device->vmstate, device->state, errp);
        if (r < 0) {
            return gw_error_prefix(errp, r, "device '%s' instance %u",
                                   device->idstr, device->instance_id);
        }
    }
    return 0;
}

/* High priorities first; within one, in the order of adding. */
int gw_device_writer_put_all(struct gw_device_writer *writer,
                             struct gw_machine *machine, bool early,
                             struct gw_error **errp)
{
    int priority, r = 0;

    for (priority = GW_PRIORITY_GICV3; r == 0 && priority >= 0; priority--) {
        r = put_devices_of(writer, machine, early, priority, errp);
    }
    return r;
}

int gw_device_writer_put_globalstate(struct gw_device_writer *writer,
                                     enum gw_run_state run_state,
                                     struct gw_error **errp)
{
    struct gw_globalstate state;

    gw_globalstate_set(&state, run_state);
    return put_device(writer, GW_GLOBALSTATE_IDSTR, 0, &gw_globalstate_vmstate,
                      &state, errp);
}

int gw_device_writer_put_end(struct gw_device_writer *writer,
                             struct gw_error **errp)
{
    const char *text;
    size_t size;
    int r = gw_description_end(&writer->description, &text, &size, errp);

    if (r < 0) {
        return r;
    }
    if (size > UINT32_MAX) {
        return gw_error_set(errp, -EOVERFLOW,
                            "the VM description has %zu bytes, at most %u fit",
                            size, UINT32_MAX);
    }
    return gw_stream_put_end(writer->output, text, (uint32_t)size, errp);
}

/*
 * Everything the devices add to an outgoing stream.
 */
#ifndef GW_MIGRATE_DEVICE_WRITER_H
#define GW_MIGRATE_DEVICE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/machine.h>

#include "vmstate/description.h"

struct gw_output;

/* The caller begins and ends the description. */
struct gw_device_writer {
    struct gw_output *output;
    struct gw_description description;
    uint32_t next_section_id;
};

/*
 * The sections of the machine's early, or of all other, devices: high
 * priorities first; within one, in the order of adding.
 */
int gw_device_writer_put_all(struct gw_device_writer *writer,
                             struct gw_machine *machine, bool early,
                             struct gw_error **errp);

/* The section `globalstate`: what the guest did before it was stopped. */
int gw_device_writer_put_globalstate(struct gw_device_writer *writer,
                                     enum gw_run_state run_state,
                                     struct gw_error **errp);

/* The end of the stream and the VM description. */
int gw_device_writer_put_end(struct gw_device_writer *writer,
                             struct gw_error **errp);

#endif

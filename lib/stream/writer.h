/*
 * Writes the parts of a migration stream to an output: the counterpart of the
 * reader, for outgoing migrations and for the rewriting of images.
 */
#ifndef GW_STREAM_WRITER_H
#define GW_STREAM_WRITER_H

#include <stdint.h>

#include <godwit/error.h>

#include "wire/config.h"
#include "wire/mapped.h"
#include "wire/ram.h"
#include "wire/section.h"

struct gw_output;

/* File header and, if present, the configuration section. */
int gw_stream_put_header(struct gw_output *output,
                         const struct gw_stream_config *config,
                         struct gw_error **errp);

/* Header of a section; its data and footer follow. */
int gw_stream_put_section(struct gw_output *output,
                          const struct gw_section_header *header,
                          struct gw_error **errp);
int gw_stream_put_footer(struct gw_output *output, uint32_t section_id,
                         struct gw_error **errp);

/* A command without data. */
int gw_stream_put_command(struct gw_output *output, uint16_t command,
                          struct gw_error **errp);

/* A record of the RAM section; PAGE is followed by the page's bytes. */
int gw_stream_put_ram_record(struct gw_output *output,
                             const struct gw_ram_record *record,
                             struct gw_error **errp);

/*
 * An entry of the block table. For mapped-ram its header and layout follow
 * at once: the output goes on behind the pages, and ret_layout tells where
 * bitmap and pages belong. NULL: plain.
 */
int gw_stream_put_ram_block(struct gw_output *output,
                            const struct gw_ram_block_entry *entry,
                            struct gw_mapped_layout *ret_layout,
                            struct gw_error **errp);

/* The EOF mark and, if there is one, the VM description. */
int gw_stream_put_end(struct gw_output *output, const void *description,
                      uint32_t description_size, struct gw_error **errp);

#endif

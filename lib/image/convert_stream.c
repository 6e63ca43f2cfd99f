/*
 * Writes an image as a stream again: the sections in their order, those of
 * the RAM made anew, all others copied.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/channel.h"
#include "channel/file.h"
#include "channel/output.h"
#include "image/convert.h"
#include "wire/header.h"
#include "wire/ram.h"

#define COPY_SIZE (256u * 1024)

/* Copies a piece of the image as it is. */
static int copy_range(struct gw_conversion *conversion, uint64_t begin,
                      uint64_t end, struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *chunk = malloc(COPY_SIZE);
    size_t size;
    int rc;

    if (!chunk) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (; begin < end; begin += size) {
        size = gw_min_u64(COPY_SIZE, end - begin);
        rc = gw_input_pread(conversion->image->input, chunk, size, begin, errp);
        if (rc == 0) {
            rc = gw_output_write(conversion->output, chunk, size, errp);
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* Header and configuration, whose capabilities say what the RAM is now. */
static int write_head(struct gw_conversion *conversion, bool mapped,
                      struct gw_error **errp)
{
    struct gw_file_header header = {.version = GW_FILE_VERSION};
    struct gw_stream_config config = conversion->image->config;
    uint8_t data[GW_FILE_HEADER_SIZE + GW_CONFIG_MAX];
    struct gw_writer w = gw_writer_of(data, sizeof(data));

    config.mapped_ram = mapped;
    if (mapped && !config.present) {
        return gw_error_set(errp, -ENOTSUP,
                            "the input has no configuration section, and "
                            "mapped-ram must be listed in one");
    }
    if (mapped && config.ignore_shared) {
        return gw_error_set(errp, -ENOTSUP,
                            "the input was saved with x-ignore-shared, which "
                            "does not go together with mapped-ram");
    }
    gw_file_header_encode(&w, &header);
    gw_config_encode(&w, &config);
    if (!gw_writer_ok(&w)) {
        return gw_error_set(errp, -EOVERFLOW, "the configuration is too long");
    }
    return gw_output_write(conversion->output, data, (size_t)(w.pos - data),
                           errp);
}

/* The end of a RAM section's data, and its footer. */
static int write_ram_end(struct gw_conversion *conversion, uint32_t section_id,
                         struct gw_error **errp)
{
    struct gw_ram_record eos = {.kind = GW_RAM_RECORD_EOS};
    struct gw_section_footer footer = {.section_id = section_id};
    uint8_t data[8 + GW_SECTION_FOOTER_SIZE];
    struct gw_writer w = gw_writer_of(data, sizeof(data));

    gw_ram_record_encode(&w, &eos);
    gw_section_footer_encode(&w, &footer);
    return gw_output_write(conversion->output, data, sizeof(data), errp);
}

/*
 * A RAM section. Its pages all go where the first page could have been, the
 * first PART, or the END; of the other PARTs nothing is left to say.
 */
static int write_ram_section(struct gw_conversion *conversion,
                             const struct gw_convert_target *target,
                             const struct gw_image_entry *entry,
                             struct gw_error **errp)
{
    bool has_pages =
        entry->pub.kind != GW_IMAGE_SECTION_START && !conversion->pages_written;
    int rc;

    if (entry->pub.kind == GW_IMAGE_SECTION_PART && !has_pages) {
        return 0;
    }
    rc =
        copy_range(conversion, entry->pub.offset, entry->pub.data_offset, errp);
    if (rc) {
        return rc;
    }
    if (entry->pub.kind == GW_IMAGE_SECTION_START) {
        rc = target->table(conversion, errp);
    } else if (has_pages) {
        conversion->pages_written = true;
        rc = target->pages(conversion, errp);
    }
    if (rc) {
        return rc;
    }
    return write_ram_end(conversion, entry->pub.section_id, errp);
}

/*
 * An END for an input that has none, a background snapshot: the output is
 * complete, and loaders need not guess.
 */
static int write_missing_end(struct gw_conversion *conversion,
                             const struct gw_convert_target *target,
                             uint32_t section_id, struct gw_error **errp)
{
    struct gw_section_header header = {.kind = GW_SECTION_END,
                                       .section_id = section_id};
    uint8_t data[GW_SECTION_HEADER_MAX];
    struct gw_writer w = gw_writer_of(data, sizeof(data));
    int rc;

    gw_section_header_encode(&w, &header);
    rc =
        gw_output_write(conversion->output, data, (size_t)(w.pos - data), errp);
    if (rc == 0 && !conversion->pages_written) {
        rc = target->pages(conversion, errp);
    }
    if (rc) {
        return rc;
    }
    return write_ram_end(conversion, section_id, errp);
}

/* The index of the last RAM section if none of them is an END, or -1. */
static int64_t find_unended(const struct gw_image *image)
{
    int64_t last = -1;
    uint64_t i;

    for (i = 0; i < image->info.n_sections; i++) {
        if (gw_image_entry_is_ram(image->entries[i])) {
            last = (int64_t)i;
        }
    }
    return image->info.has_ram_end ? -1 : last;
}

static int write_entry(struct gw_conversion *conversion,
                       const struct gw_convert_target *target,
                       const struct gw_image_entry *entry,
                       struct gw_error **errp)
{
    if (gw_image_entry_is_ram(entry)) {
        return write_ram_section(conversion, target, entry, errp);
    }
    return copy_range(conversion, entry->pub.offset, entry->end, errp);
}

static int write_entries(struct gw_conversion *conversion,
                         const struct gw_convert_target *target,
                         struct gw_error **errp)
{
    const struct gw_image *image = conversion->image;
    int64_t unended = find_unended(image);
    const struct gw_image_entry *entry;
    uint64_t i;
    int rc;

    for (i = 0; i < image->info.n_sections; i++) {
        entry = image->entries[i];
        rc = write_entry(conversion, target, entry, errp);
        if (rc == 0 && (int64_t)i == unended) {
            rc = write_missing_end(conversion, target, entry->pub.section_id,
                                   errp);
        }
        if (rc) {
            return gw_error_prefix(errp, rc, "section '%s'", entry->name);
        }
    }
    return 0;
}

/* The end mark and the description. */
static int write_tail(struct gw_conversion *conversion, struct gw_error **errp)
{
    const struct gw_image *image = conversion->image;
    int rc =
        copy_range(conversion, image->eof_offset, image->eof_offset + 1, errp);

    if (rc) {
        return rc;
    }
    return copy_range(conversion, image->description_offset,
                      image->description_offset + image->description_size,
                      errp);
}

static int write_stream(struct gw_conversion *conversion,
                        const struct gw_convert_target *target,
                        struct gw_error **errp)
{
    int rc = write_head(conversion, target->mapped, errp);

    if (rc == 0) {
        rc = write_entries(conversion, target, errp);
    }
    if (rc == 0) {
        rc = write_tail(conversion, errp);
    }
    if (rc == 0) {
        rc = gw_output_flush(conversion->output, errp);
    }
    return rc;
}

/* Writing in place into the file that is read would destroy it. */
static int check_not_same(const struct gw_conversion *conversion,
                          const char *out_path, uint64_t out_offset,
                          struct gw_error **errp)
{
    struct stat in;
    struct stat out;

    if (stat(out_path, &out) < 0 ||
        fstat(conversion->image->channel->fd, &in) < 0) {
        return 0;
    }
    if (in.st_dev != out.st_dev || in.st_ino != out.st_ino) {
        return 0;
    }
    if (S_ISREG(out.st_mode) && out_offset == 0) {
        return 0; /* written beside and renamed */
    }
    return gw_error_set(errp, -EINVAL,
                        "'%s' is the input too, and would be written in place",
                        out_path);
}

int gw_convert_stream(struct gw_conversion *conversion,
                      const struct gw_convert_target *target,
                      const char *out_path, struct gw_error **errp)
{
    uint64_t offset = conversion->options ? conversion->options->out_offset : 0;
    GW_AUTO_CHANNEL struct gw_channel *channel = NULL;
    GW_AUTO_OUTPUT struct gw_output *output = NULL;
    int rc = check_not_same(conversion, out_path, offset, errp);

    if (rc) {
        return rc;
    }
    rc = gw_file_open_outgoing(out_path, offset, false, &channel, errp);
    if (rc) {
        return rc;
    }
    output = gw_output_new(channel, errp);
    if (!output) {
        return -ENOMEM;
    }
    conversion->channel = channel;
    conversion->output = output;
    rc = write_stream(conversion, target, errp);
    if (rc == 0) {
        rc = gw_channel_finish(channel, errp);
    }
    return rc;
}

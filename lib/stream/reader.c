/*
 * Walks a stream: header, configuration, sections and commands, end mark,
 * description. Sections are read in section_reader.c.
 */
#include "stream/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/util.h"
#include "stream/walk.h"
#include "wire/command.h"
#include "wire/description.h"
#include "wire/header.h"
#include "wire/ram.h"

/* A longer description is passed over as if it were garbage. */
#define DESCRIPTION_MAX (64u * 1024 * 1024)

int gw_stream_decode(struct gw_input *input, const char *what, size_t min,
                     gw_stream_decode_fn decode, void *ret,
                     struct gw_error **errp)
{
    uint64_t offset = gw_input_offset(input);
    struct gw_wire_fault fault = {""};
    size_t want = min;
    struct gw_reader r;
    const uint8_t *data;
    size_t size;
    int rc;

    for (;;) {
        rc = gw_input_peek(input, want, &data, &size, errp);
        if (rc) {
            return gw_error_prefix(errp, rc, "%s at offset 0x%" PRIx64, what,
                                   offset);
        }
        r = gw_reader_of(data, size);
        rc = decode(&r, ret, &fault);
        if (rc == 0) {
            return gw_input_skip(input, size - gw_reader_left(&r), errp);
        }
        if (rc < 0) {
            return gw_error_set(errp, rc, "%s at offset 0x%" PRIx64 ": %s",
                                what, offset, fault.text);
        }
        if (size < want) {
            return gw_error_set(errp, -ENODATA,
                                "%s at offset 0x%" PRIx64
                                ": the data ends after %zu bytes of it",
                                what, offset, size);
        }
        if (want == GW_INPUT_PEEK_MAX) {
            return gw_error_set(errp, -EOVERFLOW,
                                "%s at offset 0x%" PRIx64
                                ": longer than %zu bytes",
                                what, offset, want);
        }
        want++;
    }
}

/* The codecs in the form that gw_stream_decode runs. */
static int decode_header(struct gw_reader *r, void *ret,
                         struct gw_wire_fault *fault)
{
    return gw_file_header_decode(r, ret, fault);
}

static int decode_config(struct gw_reader *r, void *ret,
                         struct gw_wire_fault *fault)
{
    return gw_config_decode(r, ret, fault);
}

static int decode_command(struct gw_reader *r, void *ret,
                          struct gw_wire_fault *fault)
{
    return gw_command_header_decode(r, ret, fault);
}

/* The next byte; *ret_found is false at the end of the data. */
static int peek_type(struct gw_input *input, bool *ret_found, uint8_t *ret_type,
                     struct gw_error **errp)
{
    const uint8_t *data;
    size_t size;
    int rc = gw_input_peek(input, 1, &data, &size, errp);

    if (rc) {
        return rc;
    }
    *ret_found = size == 1;
    *ret_type = size ? data[0] : 0;
    return 0;
}

static int check_config(const struct gw_stream_config *config,
                        struct gw_error **errp)
{
    if (config->page_bits && 1ull << config->page_bits != GW_RAM_PAGE_SIZE) {
        return gw_error_set(errp, -ENOTSUP,
                            "configuration: target pages of 2^%u bytes, "
                            "expected %u bytes",
                            config->page_bits, GW_RAM_PAGE_SIZE);
    }
    if (config->mapped_ram && config->ignore_shared) {
        return gw_error_set(errp, -ENOTSUP,
                            "configuration: mapped-ram together with "
                            "x-ignore-shared is not supported");
    }
    return 0;
}

static int read_config(struct gw_stream_walk *walk, struct gw_error **errp)
{
    struct gw_stream_config config = {0};
    uint8_t type;
    bool found;
    int rc = peek_type(walk->input, &found, &type, errp);

    if (rc) {
        return rc;
    }
    /* An end of the data here is reported by the codec, as elsewhere. */
    if (!found || type == GW_STREAM_CONFIGURATION) {
        rc = gw_stream_decode(walk->input, "configuration", 6, decode_config,
                              &config, errp);
        if (rc) {
            return rc;
        }
        walk->ignore_shared = config.ignore_shared;
        walk->mapped = config.mapped_ram;
    }
    rc = check_config(&config, errp);
    if (rc) {
        return rc;
    }
    if (walk->mapped && !gw_input_is_seekable(walk->input)) {
        return gw_error_set(errp, -ENOTSUP,
                            "mapped-ram from a channel that is not a file");
    }
    return walk->ops->config(walk->opaque, &config, errp);
}

static int check_precopy_command(uint16_t command, struct gw_error **errp)
{
    switch (command) {
    case GW_COMMAND_OPEN_RETURN_PATH:
    case GW_COMMAND_PING:
    case GW_COMMAND_SWITCHOVER_START:
        return 0;
    default:
        return gw_error_set(errp, -ENOTSUP, "it is not supported yet");
    }
}

static int read_command(struct gw_stream_walk *walk, struct gw_error **errp)
{
    uint64_t offset = gw_input_offset(walk->input);
    GW_AUTO_FREE uint8_t *data = NULL;
    struct gw_command_header header;
    int rc;

    rc = gw_stream_decode(walk->input, "command", GW_COMMAND_HEADER_SIZE,
                          decode_command, &header, errp);
    if (rc) {
        return rc;
    }
    rc = check_precopy_command(header.command, errp);
    if (rc == 0) {
        data = malloc((size_t)header.size + 1);
        rc = data ? gw_input_read(walk->input, data, header.size, errp)
                  : gw_error_set(errp, -ENOMEM, "out of memory");
    }
    if (rc == 0) {
        rc = walk->ops->command(walk->opaque, header.command, data, header.size,
                                offset, errp);
    }
    if (rc) {
        return gw_error_prefix(errp, rc, "command %s at offset 0x%" PRIx64,
                               gw_command_name(header.command), offset);
    }
    return 0;
}

static int unknown_type(struct gw_stream_walk *walk, uint8_t type,
                        struct gw_error **errp)
{
    const char *name = gw_stream_type_name(type);

    if (name) {
        return gw_error_set(errp, -EBADMSG,
                            "type byte 0x%02x (%s) at offset 0x%" PRIx64
                            ", expected a section, a command or the end",
                            type, name, gw_input_offset(walk->input));
    }
    return gw_error_set(errp, -EBADMSG,
                        "unknown section type 0x%02x at offset 0x%" PRIx64,
                        type, gw_input_offset(walk->input));
}

/* Sections and commands, up to the end mark, which is left in the input. */
static int read_parts(struct gw_stream_walk *walk, struct gw_error **errp)
{
    uint8_t type;
    bool found;
    int rc;

    for (;;) {
        rc = peek_type(walk->input, &found, &type, errp);
        if (rc) {
            return rc;
        }
        if (!found) {
            return gw_error_set(errp, -ENODATA,
                                "the stream ends at offset 0x%" PRIx64
                                " without its end mark",
                                gw_input_offset(walk->input));
        }
        switch (type) {
        case GW_STREAM_EOF:
            return 0;
        case GW_SECTION_START:
        case GW_SECTION_PART:
        case GW_SECTION_END:
        case GW_SECTION_FULL:
            rc = gw_stream_read_section(walk, errp);
            break;
        case GW_STREAM_COMMAND:
            rc = read_command(walk, errp);
            break;
        default:
            rc = unknown_type(walk, type, errp);
            break;
        }
        if (rc) {
            return rc;
        }
    }
}

static int read_eof(struct gw_stream_walk *walk, struct gw_error **errp)
{
    uint64_t offset = gw_input_offset(walk->input);
    int rc = gw_stream_check_ended(walk, errp);

    if (rc) {
        return rc;
    }
    rc = gw_input_skip(walk->input, 1, errp);
    if (rc) {
        return rc;
    }
    return walk->ops->eof(walk->opaque, offset + 1, errp);
}

/*
 * Reads `size` bytes into the buffer, or passes over them if there is none.
 * *ret_complete is false if the data ends before.
 */
static int collect(struct gw_input *input, uint32_t size,
                   struct gw_buffer *buffer, bool *ret_complete,
                   struct gw_error **errp)
{
    const uint8_t *data;
    size_t want;
    size_t got;
    int rc;

    *ret_complete = true;
    for (; size; size -= (uint32_t)got) {
        want = gw_min_u64(size, GW_INPUT_PEEK_MAX);
        rc = gw_input_peek(input, want, &data, &got, errp);
        if (rc) {
            return rc;
        }
        if (buffer) {
            gw_buffer_put_bytes(buffer, data, got);
        }
        rc = gw_input_skip(input, got, errp);
        if (rc) {
            return rc;
        }
        if (got < want) {
            *ret_complete = false;
            return 0;
        }
    }
    return 0;
}

/* The JSON behind the frame; *ret_whole: all of it was there. */
static int read_json(struct gw_stream_walk *walk, uint32_t size,
                     bool *ret_whole, struct gw_error **errp)
{
    uint64_t offset = gw_input_offset(walk->input);
    GW_AUTO_BUFFER struct gw_buffer json = {0};
    bool keep = size <= DESCRIPTION_MAX;
    bool complete;
    int rc = collect(walk->input, size, keep ? &json : NULL, &complete, errp);

    if (rc) {
        return rc;
    }
    if (!complete || !keep) {
        return 0;
    }
    gw_buffer_put_u8(&json, '\0');
    if (!gw_buffer_ok(&json)) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    *ret_whole = true;
    return walk->ops->description(walk->opaque, (const char *)json.data, size,
                                  offset, errp);
}

/*
 * The description is a courtesy: none, a cut one and garbage are all fine.
 * *ret_whole says whether one was there.
 */
static int read_description(struct gw_stream_walk *walk, bool *ret_whole,
                            struct gw_error **errp)
{
    struct gw_description_header header;
    const uint8_t *data;
    struct gw_reader r;
    uint8_t type;
    size_t size;
    bool found;
    int rc = peek_type(walk->input, &found, &type, errp);

    if (rc || !found || type != GW_STREAM_DESCRIPTION) {
        return rc;
    }
    rc = gw_input_peek(walk->input, GW_DESCRIPTION_HEADER_SIZE, &data, &size,
                       errp);
    if (rc) {
        return rc;
    }
    r = gw_reader_of(data, size);
    if (gw_description_header_decode(&r, &header, NULL)) {
        return gw_input_skip(walk->input, size, errp);
    }
    rc = gw_input_skip(walk->input, GW_DESCRIPTION_HEADER_SIZE, errp);
    return rc ? rc : read_json(walk, header.size, ret_whole, errp);
}

static uint64_t count_trailing(const struct gw_input *input, uint64_t end)
{
    uint64_t total = gw_input_total_size(input);
    uint64_t last = gw_max_u64(total, gw_input_offset(input));

    return last - end;
}

static int walk_stream(struct gw_stream_walk *walk, uint64_t *ret_trailing,
                       struct gw_error **errp)
{
    struct gw_file_header header;
    bool has_description = false;
    uint64_t end;
    int rc;

    rc = gw_stream_decode(walk->input, "file header", GW_FILE_HEADER_SIZE,
                          decode_header, &header, errp);
    if (rc) {
        return rc;
    }
    rc = read_config(walk, errp);
    if (rc) {
        return rc;
    }
    rc = read_parts(walk, errp);
    if (rc) {
        return rc;
    }
    rc = read_eof(walk, errp);
    if (rc) {
        return rc;
    }
    end = gw_input_offset(walk->input);
    rc = read_description(walk, &has_description, errp);
    if (rc) {
        return gw_error_prefix(errp, rc, "description at offset 0x%" PRIx64,
                               end);
    }
    if (has_description) {
        end = gw_input_offset(walk->input);
    }
    *ret_trailing = count_trailing(walk->input, end);
    return 0;
}

int gw_stream_read(const struct gw_stream_reader *reader,
                   struct gw_input *input, uint64_t *ret_trailing_bytes,
                   struct gw_error **errp)
{
    struct gw_stream_walk walk = {
        .ops = reader->ops,
        .opaque = reader->opaque,
        .input = input,
        .ignore_shared = reader->ignore_shared,
        .allow_no_end = reader->allow_no_end,
    };
    uint64_t trailing = 0;
    int rc = walk_stream(&walk, &trailing, errp);

    if (rc == 0 && ret_trailing_bytes) {
        *ret_trailing_bytes = trailing;
    }
    free(walk.sections);
    free(walk.blocks);
    return rc;
}

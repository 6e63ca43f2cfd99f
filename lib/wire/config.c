/*
 * The configuration section.
 *
 * Its end is not marked: it goes on as long as subsections follow whose
 * names start with its own.
 */
#include "wire/config.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "wire/section.h"

#define CONFIG_NAME "configuration"
#define SUBSECTION_VERSION 1u

/* Every name that may be listed; only the first two say something. */
static const char *const capability_names[] = {
    "x-ignore-shared",
    "mapped-ram",
    "auto-converge",
    "background-snapshot",
    "dirty-bitmaps",
    "dirty-limit",
    "events",
    "late-block-activate",
    "multifd",
    "pause-before-switchover",
    "postcopy-blocktime",
    "postcopy-preempt",
    "postcopy-ram",
    "rdma-pin-all",
    "release-ram",
    "return-path",
    "switchover-ack",
    "validate-uuid",
    "x-colo",
    "xbzrle",
    "zero-blocks",
    "zero-copy-send",
};

/* What has been seen, so that nothing comes twice. */
struct config_state {
    struct gw_stream_config config;
    unsigned int seen; /* bit k: subsection k of the table below */
};

static int decode_page_bits(struct gw_reader *r,
                            struct gw_stream_config *config,
                            struct gw_wire_fault *fault)
{
    if (!gw_reader_get_be32(r, &config->page_bits)) {
        return GW_SHORT;
    }
    if (config->page_bits == 0 || config->page_bits > 63) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "target page bits %u, expected 1 to 63",
                                 config->page_bits);
    }
    return 0;
}

static int note_capability(const char *name, struct gw_stream_config *config,
                           struct gw_wire_fault *fault)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(capability_names); i++) {
        if (strcmp(name, capability_names[i]) == 0) {
            config->ignore_shared |= i == 0;
            config->mapped_ram |= i == 1;
            return 0;
        }
    }
    return gw_wire_fault_set(fault, -ENOTSUP, "unknown capability '%s'", name);
}

static int decode_capabilities(struct gw_reader *r,
                               struct gw_stream_config *config,
                               struct gw_wire_fault *fault)
{
    char name[GW_STREAM_NAME_SIZE];
    uint32_t count;
    uint32_t i;
    int rc;

    if (!gw_reader_get_be32(r, &count)) {
        return GW_SHORT;
    }
    if (count > GW_ARRAY_SIZE(capability_names)) {
        return gw_wire_fault_set(fault, -EOVERFLOW,
                                 "%u capabilities, expected at most %zu", count,
                                 GW_ARRAY_SIZE(capability_names));
    }
    for (i = 0; i < count; i++) {
        rc = gw_name_decode(r, name, fault);
        if (rc) {
            return rc;
        }
        rc = note_capability(name, config, fault);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int decode_uuid(struct gw_reader *r, struct gw_stream_config *config,
                       struct gw_wire_fault *fault)
{
    const uint8_t *data;

    (void)fault;
    if (!gw_reader_get_bytes(r, sizeof(config->uuid), &data)) {
        return GW_SHORT;
    }
    memcpy(config->uuid, data, sizeof(config->uuid));
    config->has_uuid = true;
    return 0;
}

static const struct config_subsection {
    const char *name;
    int (*decode)(struct gw_reader *r, struct gw_stream_config *config,
                  struct gw_wire_fault *fault);
} subsections[] = {
    {CONFIG_NAME "/target-page-bits", decode_page_bits},
    {CONFIG_NAME "/capabilities", decode_capabilities},
    {CONFIG_NAME "/uuid", decode_uuid},
};

/*
 * Whether a subsection of ours is next: 0 no, 1 yes, -EAGAIN more bytes are
 * needed to tell.
 */
static int peek_subsection(const struct gw_reader *r)
{
    struct gw_reader at = *r;
    const uint8_t *data;
    uint8_t byte;

    if (!gw_reader_get_u8(&at, &byte)) {
        return -EAGAIN;
    }
    if (byte != GW_STREAM_SUBSECTION) {
        return 0;
    }
    if (!gw_reader_get_u8(&at, &byte)) {
        return -EAGAIN;
    }
    if (byte <= strlen(CONFIG_NAME)) {
        return 0;
    }
    if (!gw_reader_get_bytes(&at, strlen(CONFIG_NAME), &data)) {
        return -EAGAIN;
    }
    return memcmp(data, CONFIG_NAME, strlen(CONFIG_NAME)) == 0;
}

static const struct config_subsection *find_subsection(const char *name)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(subsections); i++) {
        if (strcmp(name, subsections[i].name) == 0) {
            return &subsections[i];
        }
    }
    return NULL;
}

/* One subsection, which peek_subsection has found to be ours. */
static int decode_subsection(struct gw_reader *r, struct config_state *state,
                             struct gw_wire_fault *fault)
{
    const struct config_subsection *subsection;
    char name[GW_STREAM_NAME_SIZE];
    uint32_t version;
    unsigned int bit;
    uint8_t type;
    int rc;

    if (!gw_reader_get_u8(r, &type)) {
        return GW_SHORT;
    }
    rc = gw_name_decode(r, name, fault);
    if (rc) {
        return rc;
    }
    subsection = find_subsection(name);
    if (!subsection) {
        return gw_wire_fault_set(fault, -ENOENT, "unknown subsection '%s'",
                                 name);
    }
    if (!gw_reader_get_be32(r, &version)) {
        return GW_SHORT;
    }
    if (version != SUBSECTION_VERSION) {
        return gw_wire_fault_set(fault, -ENOTSUP,
                                 "subsection '%s' version %u, expected %u",
                                 name, version, SUBSECTION_VERSION);
    }
    bit = 1u << (subsection - subsections);
    if (state->seen & bit) {
        return gw_wire_fault_set(fault, -EPROTO, "subsection '%s' twice", name);
    }
    state->seen |= bit;
    return subsection->decode(r, &state->config, fault);
}

static int decode_subsections(struct gw_reader *r, struct config_state *state,
                              struct gw_wire_fault *fault)
{
    int next;
    int rc;

    while ((next = peek_subsection(r)) == 1) {
        rc = decode_subsection(r, state, fault);
        if (rc) {
            return rc;
        }
    }
    return next ? GW_SHORT : 0;
}

static int decode_machine_name(struct gw_reader *r,
                               struct gw_stream_config *config,
                               struct gw_wire_fault *fault)
{
    uint32_t size;
    uint8_t type;

    if (!gw_reader_get_u8(r, &type)) {
        return GW_SHORT;
    }
    if (type != GW_STREAM_CONFIGURATION) {
        return gw_wire_fault_set(
            fault, -EBADMSG, "expected a configuration (0x%02x), found 0x%02x",
            GW_STREAM_CONFIGURATION, type);
    }
    if (!gw_reader_get_be32(r, &size)) {
        return GW_SHORT;
    }
    return gw_name_take(r, size, config->machine_name, fault);
}

int gw_config_decode(struct gw_reader *r, struct gw_stream_config *ret,
                     struct gw_wire_fault *fault)
{
    struct config_state state = {.config.present = true};
    struct gw_reader at = *r;
    int rc = decode_machine_name(&at, &state.config, fault);

    if (rc) {
        return rc;
    }
    rc = decode_subsections(&at, &state, fault);
    if (rc) {
        return rc;
    }
    *r = at;
    *ret = state.config;
    return 0;
}

static void put_subsection(struct gw_writer *w, const char *name)
{
    gw_writer_put_u8(w, GW_STREAM_SUBSECTION);
    gw_name_encode(w, name);
    gw_writer_put_be32(w, SUBSECTION_VERSION);
}

static void put_capabilities(struct gw_writer *w,
                             const struct gw_stream_config *config)
{
    if (!config->ignore_shared && !config->mapped_ram) {
        return;
    }
    put_subsection(w, CONFIG_NAME "/capabilities");
    gw_writer_put_be32(w, (uint32_t)config->ignore_shared +
                              (uint32_t)config->mapped_ram);
    if (config->ignore_shared) {
        gw_name_encode(w, "x-ignore-shared");
    }
    if (config->mapped_ram) {
        gw_name_encode(w, "mapped-ram");
    }
}

void gw_config_encode(struct gw_writer *w,
                      const struct gw_stream_config *config)
{
    size_t size = strnlen(config->machine_name, sizeof(config->machine_name));

    if (!config->present) {
        return;
    }
    gw_writer_put_u8(w, GW_STREAM_CONFIGURATION);
    gw_writer_put_be32(w, (uint32_t)size);
    gw_writer_put_bytes(w, config->machine_name, size);
    if (config->page_bits) {
        put_subsection(w, CONFIG_NAME "/target-page-bits");
        gw_writer_put_be32(w, config->page_bits);
    }
    put_capabilities(w, config);
    if (config->has_uuid) {
        put_subsection(w, CONFIG_NAME "/uuid");
        gw_writer_put_bytes(w, config->uuid, sizeof(config->uuid));
    }
}

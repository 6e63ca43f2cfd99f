/*
 * Comparing two descriptions of machines: the top, and RAM.
 *
 * What makes a destination refuse is taken from what loaders do: an unknown
 * block or section, other lengths, a version out of range. godwit's refuses
 * as well what its machine has and the stream has not; QEMU lets that be as
 * it was reset.
 */
#include "vmstate/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ROMs are made resizeable by QEMU; neither files nor QEMU say so. */
#define ROM_PREFIX "/rom@"

/*
 * ---- The machine ----
 */

static void check_name(const struct gw_compat_checking *c)
{
    if (*c->source->name && *c->destination->name &&
        strcmp(c->source->name, c->destination->name) != 0) {
        gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_MACHINE, NULL,
                      "machine type is '%s' at the source, '%s' at the "
                      "destination",
                      c->source->name, c->destination->name);
    }
}

static void check_blockers(const struct gw_compat_checking *c)
{
    size_t i;

    for (i = 0; i < c->source->n_blockers; i++) {
        gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_BLOCKER, NULL,
                      "the source cannot move: %s", c->source->blockers[i]);
    }
}

static void check_uuid(const struct gw_compat_checking *c)
{
    const struct gw_compat_machine *a = c->source;
    const struct gw_compat_machine *b = c->destination;

    if (!a->has_uuid || !b->has_uuid || memcmp(a->uuid, b->uuid, 16) == 0) {
        return;
    }
    if (a->capability[GW_COMPAT_VALIDATE_UUID]) {
        gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_UUID, NULL,
                      "the machines have different UUIDs, and "
                      "'validate-uuid' is on");
    } else {
        gw_compat_add(c->report, GW_COMPAT_DIFFERS, GW_COMPAT_ABOUT_UUID, NULL,
                      "the machines have different UUIDs, which are not "
                      "compared unless 'validate-uuid' is on");
    }
}

static void check_capability(const struct gw_compat_checking *c,
                             enum gw_compat_capability capability)
{
    const struct gw_compat_machine *a = c->source;
    const struct gw_compat_machine *b = c->destination;
    const char *name = gw_compat_capability_names[capability];

    if (!a->knows_capability[capability]) {
        return;
    }
    if (!b->knows_capability[capability]) {
        if (a->capability[capability]) {
            gw_compat_add(c->report, GW_COMPAT_UNKNOWN,
                          GW_COMPAT_ABOUT_CAPABILITY, NULL,
                          "whether '%s', which the source has on, is on at "
                          "the destination",
                          name);
        }
        return;
    }
    if (a->capability[capability] != b->capability[capability]) {
        gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_CAPABILITY,
                      NULL,
                      "capability '%s' is %s at the source, %s at the "
                      "destination: set it there",
                      name, a->capability[capability] ? "on" : "off",
                      b->capability[capability] ? "on" : "off");
    }
}

static void check_capabilities(const struct gw_compat_checking *c)
{
    /* How the destination was saved once says nothing of its next load. */
    if (c->destination->source == GW_COMPAT_FILE) {
        return;
    }
    check_capability(c, GW_COMPAT_MAPPED_RAM);
    check_capability(c, GW_COMPAT_IGNORE_SHARED);
}

/*
 * ---- RAM ----
 */

static const struct gw_compat_block *
find_block(const struct gw_compat_machine *machine, const char *idstr)
{
    size_t i;

    for (i = 0; i < machine->n_blocks; i++) {
        if (strcmp(machine->blocks[i].idstr, idstr) == 0) {
            return &machine->blocks[i];
        }
    }
    return NULL;
}

static bool may_resize(const struct gw_compat_checking *c,
                       const struct gw_compat_block *b)
{
    return b->is_resizeable ||
           (c->destination->source != GW_COMPAT_MACHINE &&
            strncmp(b->idstr, ROM_PREFIX, strlen(ROM_PREFIX)) == 0);
}

static void check_length(const struct gw_compat_checking *c,
                         const struct gw_compat_block *a,
                         const struct gw_compat_block *b)
{
    if (a->used_length == b->used_length) {
        return;
    }
    if (!may_resize(c, b)) {
        gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_RAM, a->idstr,
                      "RAM block '%s' has %" PRIu64
                      " bytes at the source, %" PRIu64 " at the destination",
                      a->idstr, a->used_length, b->used_length);
    } else if (b->max_length == GW_COMPAT_NO_SIZE) {
        gw_compat_add(c->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_RAM,
                      a->idstr,
                      "whether RAM block '%s', of %" PRIu64
                      " bytes at the destination, takes the source's %" PRIu64,
                      a->idstr, b->used_length, a->used_length);
    } else if (a->used_length > b->max_length) {
        gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_RAM, a->idstr,
                      "RAM block '%s' has %" PRIu64
                      " bytes at the source, at most %" PRIu64
                      " at the destination",
                      a->idstr, a->used_length, b->max_length);
    }
}

static void check_extra_blocks(const struct gw_compat_checking *c)
{
    bool must = c->destination->source == GW_COMPAT_MACHINE;
    size_t i;

    for (i = 0; i < c->destination->n_blocks; i++) {
        const char *idstr = c->destination->blocks[i].idstr;

        if (!find_block(c->source, idstr)) {
            gw_compat_add(c->report, must ? GW_COMPAT_STOPS : GW_COMPAT_DIFFERS,
                          GW_COMPAT_ABOUT_RAM, idstr,
                          "RAM block '%s' of the destination is missing at "
                          "the source",
                          idstr);
        }
    }
}

static void check_ram(const struct gw_compat_checking *c)
{
    size_t i;

    if (!c->source->knows_blocks || !c->destination->knows_blocks) {
        gw_compat_add(c->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_RAM, NULL,
                      "the RAM blocks of the %s",
                      gw_compat_who(!c->source->knows_blocks,
                                    !c->destination->knows_blocks));
        return;
    }
    for (i = 0; i < c->source->n_blocks; i++) {
        const struct gw_compat_block *a = &c->source->blocks[i];
        const struct gw_compat_block *b = find_block(c->destination, a->idstr);

        if (b) {
            check_length(c, a, b);
        } else {
            gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_RAM,
                          a->idstr,
                          "RAM block '%s' (%" PRIu64
                          " bytes) is unknown to the destination",
                          a->idstr, a->used_length);
        }
    }
    check_extra_blocks(c);
}

int gw_compat_check(const struct gw_compat_machine *source,
                    const struct gw_compat_machine *destination,
                    struct gw_compat_report **ret_report,
                    struct gw_error **errp)
{
    const struct gw_compat_checking c = {source, destination,
                                         gw_compat_report_new()};
    int r;

    if (!c.report) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    check_blockers(&c);
    check_name(&c);
    check_ram(&c);
    gw_compat_check_devices(&c);
    gw_compat_check_cpu(source, destination, c.report);
    check_capabilities(&c);
    check_uuid(&c);
    r = gw_compat_report_finish(c.report, errp);
    if (r < 0) {
        gw_compat_report_free(c.report);
        return r;
    }
    *ret_report = c.report;
    return 0;
}

/*
 * Versions and subsections of a device, compared; the fields are compared in
 * compat_fields.c.
 */
#include "vmstate/compat.h"

#include <stdio.h>
#include <string.h>

enum {
    TEXT_MAX_LEN = 300,
};

/* False: there is nothing to be compared further. `what` is "" or a path. */
static bool check_version(const struct gw_compat_pair *pair, const char *what,
                          const struct gw_compat_vmstate *from,
                          const struct gw_compat_vmstate *to)
{
    if (from->version > to->version) {
        gw_compat_add(pair->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_VERSION,
                      pair->idstr,
                      "device '%s'%s: version %u is too new, the destination "
                      "has version %u",
                      pair->idstr, what, from->version, to->version);
        return false;
    }
    if (to->has_min_version && from->version < to->min_version) {
        gw_compat_add(pair->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_VERSION,
                      pair->idstr,
                      "device '%s'%s: version %u is too old, the oldest that "
                      "the destination reads is %u",
                      pair->idstr, what, from->version, to->min_version);
        return false;
    }
    if (!to->has_min_version && from->version < to->version) {
        gw_compat_add(pair->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_VERSION,
                      pair->idstr,
                      "whether a destination with version %u of device "
                      "'%s'%s reads version %u: %s does not say it",
                      to->version, pair->idstr, what, from->version,
                      pair->destination->source == GW_COMPAT_QEMU
                          ? "QEMU"
                          : "a saved file");
        return false;
    }
    return true;
}

/*
 * In the tree of a vmstate: an implementation may have flat what another one
 * has nested, and its subsections with it. Names are unique.
 */
static const struct gw_compat_vmstate *
find_subsection(const struct gw_compat_pair *pair,
                const struct gw_compat_vmstate *vmstate, const char *name)
{
    const struct gw_compat_vmstate *found = NULL;
    size_t i;

    if (!gw_compat_spend(pair->report,
                         1 + vmstate->n_fields + vmstate->n_subsections)) {
        return NULL;
    }
    for (i = 0; i < vmstate->n_subsections; i++) {
        if (strcmp(vmstate->subsections[i].name, name) == 0) {
            return &vmstate->subsections[i];
        }
    }
    for (i = 0; !found && i < vmstate->n_fields; i++) {
        if (vmstate->fields[i].inner) {
            found = find_subsection(pair, vmstate->fields[i].inner, name);
        }
    }
    return found;
}

static void unknown_subsection(const struct gw_compat_pair *pair,
                               const struct gw_compat_vmstate *sub)
{
    if (pair->destination->source == GW_COMPAT_FILE) {
        gw_compat_add(pair->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_FIELD,
                      NULL,
                      "which subsections the destination knows beside those "
                      "that were needed in its file");
    } else if (sub->is_conditional) {
        gw_compat_add(pair->report, GW_COMPAT_DIFFERS, GW_COMPAT_ABOUT_FIELD,
                      pair->idstr,
                      "device '%s': subsection '%s', which the source sends "
                      "only if it is needed, is unknown to the destination",
                      pair->idstr, sub->name);
    } else {
        gw_compat_add(pair->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_FIELD,
                      pair->idstr,
                      "device '%s': subsection '%s' is unknown to the "
                      "destination",
                      pair->idstr, sub->name);
    }
}

static void check_subsection(const struct gw_compat_pair *pair,
                             const struct gw_compat_vmstate *sub,
                             const struct gw_compat_vmstate *other)
{
    char what[TEXT_MAX_LEN];

    snprintf(what, sizeof(what), ", subsection '%s'", sub->name);
    if (check_version(pair, what, sub, other)) {
        snprintf(what, sizeof(what), "%s.", sub->name);
        gw_compat_check_fields(pair, what, sub, other);
    }
}

/* Every subsection that the source may send; `to` is the whole device. */
static void check_subsections(const struct gw_compat_pair *pair,
                              const struct gw_compat_vmstate *from,
                              const struct gw_compat_vmstate *to)
{
    size_t i;

    for (i = 0; i < from->n_subsections; i++) {
        const struct gw_compat_vmstate *sub = &from->subsections[i];
        const struct gw_compat_vmstate *other =
            find_subsection(pair, to, sub->name);

        if (other) {
            check_subsection(pair, sub, other);
        } else {
            unknown_subsection(pair, sub);
        }
        check_subsections(pair, sub, other ? other : to);
    }
    for (i = 0; i < from->n_fields; i++) {
        if (from->fields[i].inner) {
            check_subsections(pair, from->fields[i].inner, to);
        }
    }
}

/*
 * QEMU's virtio devices have one field, `virtio`, of which it says nothing:
 * they are saved by code and not by a table.
 */
static bool is_told(const struct gw_compat_vmstate *vmstate)
{
    const bool is_opaque = vmstate->n_fields == 1 &&
                           !vmstate->fields[0].inner &&
                           strcmp(vmstate->fields[0].name, "virtio") == 0;

    return vmstate->knows_fields && !is_opaque;
}

/* Of a running QEMU no device's fields are known: that is said once. */
static void unknown_fields(const struct gw_compat_pair *pair, bool at_source)
{
    const struct gw_compat_machine *machine =
        at_source ? pair->source : pair->destination;
    const char *side = at_source ? "source" : "destination";

    if (machine->source == GW_COMPAT_QEMU) {
        gw_compat_add(pair->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_FIELD,
                      NULL,
                      "the fields of devices at the %s: QEMU does not tell "
                      "them while it runs",
                      side);
    } else {
        gw_compat_add(pair->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_FIELD,
                      pair->idstr, "the fields of device '%s' at the %s",
                      pair->idstr, side);
    }
}

void gw_compat_check_vmstate(const struct gw_compat_pair *pair,
                             const struct gw_compat_vmstate *from,
                             const struct gw_compat_vmstate *to)
{
    if (!check_version(pair, "", from, to)) {
        return;
    }
    if (is_told(from) && is_told(to)) {
        gw_compat_check_fields(pair, "", from, to);
        check_subsections(pair, from, to);
    } else {
        unknown_fields(pair, is_told(to));
    }
}

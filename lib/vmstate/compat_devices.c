/*
 * Devices of two machines, compared.
 */
#include "vmstate/compat.h"

#include <inttypes.h>
#include <string.h>

#include "base/util.h"

/*
 * Sections that -dump-vmstate never lists, since they are of no device of
 * QEMU's device model: observed with QEMU 10.0 on microvm, pc and q35.
 */
static const char *const never_dumped[] = {
    "timer",  "slirp",   "cpu_common", "cpu",         "apic",
    "PCIBUS", "i2c_bus", "acpi_build", "globalstate",
};

/*
 * ---- Devices of machines and files: by section name and instance ----
 */

static const struct gw_compat_device *
find_device(const struct gw_compat_machine *machine, const char *idstr,
            uint32_t instance_id)
{
    size_t i;

    for (i = 0; i < machine->n_devices; i++) {
        if (machine->devices[i].instance_id == instance_id &&
            strcmp(machine->devices[i].idstr, idstr) == 0) {
            return &machine->devices[i];
        }
    }
    return NULL;
}

static size_t count_instances(const struct gw_compat_machine *machine,
                              const char *idstr)
{
    size_t i, n = 0;

    for (i = 0; i < machine->n_devices; i++) {
        n += strcmp(machine->devices[i].idstr, idstr) == 0;
    }
    return n;
}

static void unknown_device(const struct gw_compat_checking *c,
                           const struct gw_compat_device *a)
{
    bool may_stay = a->vmstate->is_conditional;
    size_t n = count_instances(c->destination, a->idstr);

    if (n) {
        gw_compat_add(c->report, may_stay ? GW_COMPAT_DIFFERS : GW_COMPAT_STOPS,
                      GW_COMPAT_ABOUT_DEVICE, a->idstr,
                      "device '%s' instance %u is unknown to the destination, "
                      "which has %zu of it%s",
                      a->idstr, a->instance_id, n,
                      may_stay ? "; it is sent only if it is needed" : "");
    } else {
        gw_compat_add(c->report, may_stay ? GW_COMPAT_DIFFERS : GW_COMPAT_STOPS,
                      GW_COMPAT_ABOUT_DEVICE, a->idstr,
                      "device '%s' instance %u is unknown to the "
                      "destination%s",
                      a->idstr, a->instance_id,
                      may_stay ? "; it is sent only if it is needed" : "");
    }
}

/* Two devices that share their tables with two that were compared before. */
static bool was_compared(const struct gw_compat_checking *c, size_t i,
                         const struct gw_compat_vmstate *to)
{
    const struct gw_compat_device *devices = c->source->devices;
    size_t j;

    for (j = 0; j < i; j++) {
        const struct gw_compat_device *other;

        if (devices[j].vmstate != devices[i].vmstate) {
            continue;
        }
        if (!to) {
            return true;
        }
        other = find_device(c->destination, devices[j].idstr,
                            devices[j].instance_id);
        return other && other->vmstate == to;
    }
    return false;
}

static void compare(const struct gw_compat_checking *c, const char *idstr,
                    const struct gw_compat_vmstate *from,
                    const struct gw_compat_vmstate *to,
                    struct gw_compat_report *report)
{
    const struct gw_compat_pair pair = {c->source, c->destination, idstr,
                                        report};

    gw_compat_check_vmstate(&pair, from, to);
}

static const struct gw_trait *find_trait(const struct gw_compat_device *device,
                                         const char *name)
{
    size_t i;

    for (i = 0; i < device->n_traits; i++) {
        if (strcmp(device->traits[i].name, name) == 0) {
            return &device->traits[i];
        }
    }
    return NULL;
}

static void check_trait(const struct gw_compat_checking *c, const char *idstr,
                        const struct gw_trait *from, uint64_t to)
{
    uint64_t lost = from->value & ~to;

    switch (from->rule) {
    case GW_TRAIT_SAME:
        if (from->value != to) {
            gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_DEVICE,
                          idstr,
                          "device '%s': %s is %" PRIu64
                          " at the source, %" PRIu64 " at the destination",
                          idstr, from->name, from->value, to);
        }
        break;
    case GW_TRAIT_ALL_BITS:
        if (lost) {
            gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_DEVICE,
                          idstr,
                          "device '%s': %s %#" PRIx64
                          " of the source are missing at the destination",
                          idstr, from->name, lost);
        }
        break;
    case GW_TRAIT_AT_LEAST:
        if (from->value > to) {
            gw_compat_add(c->report, GW_COMPAT_STOPS, GW_COMPAT_ABOUT_DEVICE,
                          idstr,
                          "device '%s': %s is %" PRIu64
                          " at the source, only %" PRIu64 " at the destination",
                          idstr, from->name, from->value, to);
        }
        break;
    }
}

/* Those that both state. */
static void check_traits(const struct gw_compat_checking *c,
                         const struct gw_compat_device *a,
                         const struct gw_compat_device *b)
{
    size_t i;

    for (i = 0; i < a->n_traits; i++) {
        const struct gw_trait *to = find_trait(b, a->traits[i].name);

        if (to) {
            check_trait(c, a->idstr, &a->traits[i], to->value);
        }
    }
}

static void check_sent_devices(const struct gw_compat_checking *c)
{
    size_t i;

    for (i = 0; i < c->source->n_devices; i++) {
        const struct gw_compat_device *a = &c->source->devices[i];
        const struct gw_compat_device *b =
            find_device(c->destination, a->idstr, a->instance_id);

        if (b) {
            check_traits(c, a, b);
        }
        if (!b) {
            unknown_device(c, a);
        } else if (!was_compared(c, i, b->vmstate)) {
            compare(c, a->idstr, a->vmstate, b->vmstate, c->report);
        }
    }
}

static void check_extra_devices(const struct gw_compat_checking *c)
{
    bool must = c->destination->source == GW_COMPAT_MACHINE;
    size_t i;

    for (i = 0; i < c->destination->n_devices; i++) {
        const struct gw_compat_device *b = &c->destination->devices[i];

        if (b->vmstate->is_conditional ||
            find_device(c->source, b->idstr, b->instance_id)) {
            continue;
        }
        gw_compat_add(c->report, must ? GW_COMPAT_STOPS : GW_COMPAT_DIFFERS,
                      GW_COMPAT_ABOUT_DEVICE, b->idstr,
                      "device '%s' instance %u of the destination is missing "
                      "at the source",
                      b->idstr, b->instance_id);
    }
}

/*
 * ---- Devices against the types of a dump: by the name of the vmstate ----
 */

static bool is_never_dumped(const char *idstr)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(never_dumped); i++) {
        if (strcmp(never_dumped[i], idstr) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Several types can have a vmstate of one name: it is enough that one fits.
 * False if there is none at all.
 */
static bool check_types(const struct gw_compat_checking *c, const char *idstr,
                        const struct gw_compat_vmstate *vmstate,
                        const struct gw_compat_machine *types, bool is_sent)
{
    const struct gw_compat_vmstate *best = NULL;
    struct gw_compat_report *scratch;
    bool fits = false;
    size_t i;

    for (i = 0; !fits && i < types->n_devices; i++) {
        const struct gw_compat_vmstate *type = types->devices[i].vmstate;

        if (strcmp(type->name, vmstate->name) != 0) {
            continue;
        }
        if (!gw_compat_spend(c->report, 1 + type->n_fields)) {
            return true;
        }
        scratch = gw_compat_report_new();
        if (scratch) {
            compare(c, idstr, is_sent ? vmstate : type,
                    is_sent ? type : vmstate, scratch);
            fits = gw_compat_report_fits(scratch);
            gw_compat_spend(c->report, gw_compat_report_steps(scratch));
            gw_compat_report_free(scratch);
        }
        best = fits || !best ? type : best;
    }
    if (best) {
        compare(c, idstr, is_sent ? vmstate : best, is_sent ? best : vmstate,
                c->report);
    }
    return best != NULL;
}

static void check_against_types(const struct gw_compat_checking *c)
{
    size_t i;

    for (i = 0; i < c->source->n_devices; i++) {
        const struct gw_compat_device *a = &c->source->devices[i];

        if (is_never_dumped(a->idstr)) {
            gw_compat_add(c->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_DEVICE,
                          a->idstr,
                          "whether the destination reads section '%s', which "
                          "-dump-vmstate does not list",
                          a->idstr);
        } else if (!was_compared(c, i, NULL) &&
                   !check_types(c, a->idstr, a->vmstate, c->destination,
                                true)) {
            gw_compat_add(c->report,
                          a->vmstate->is_conditional ? GW_COMPAT_DIFFERS
                                                     : GW_COMPAT_STOPS,
                          GW_COMPAT_ABOUT_DEVICE, a->idstr,
                          "device '%s' instance %u is unknown to the "
                          "destination's program",
                          a->idstr, a->instance_id);
        }
    }
}

static void check_types_against(const struct gw_compat_checking *c)
{
    size_t i;

    for (i = 0; i < c->destination->n_devices; i++) {
        const struct gw_compat_device *b = &c->destination->devices[i];

        if (b->vmstate->is_conditional || is_never_dumped(b->idstr) ||
            check_types(c, b->idstr, b->vmstate, c->source, false)) {
            continue;
        }
        gw_compat_add(c->report, GW_COMPAT_DIFFERS, GW_COMPAT_ABOUT_DEVICE,
                      b->idstr,
                      "device '%s' instance %u of the destination is unknown "
                      "to the source's program",
                      b->idstr, b->instance_id);
    }
}

/* All types that the source's program knows; few of them are used. */
static void check_type_lists(const struct gw_compat_checking *c)
{
    size_t i;

    for (i = 0; i < c->source->n_devices; i++) {
        const struct gw_compat_device *a = &c->source->devices[i];
        const struct gw_compat_device *b =
            find_device(c->destination, a->idstr, 0);

        if (b) {
            compare(c, a->idstr, a->vmstate, b->vmstate, c->report);
        } else {
            gw_compat_add(c->report, GW_COMPAT_DIFFERS, GW_COMPAT_ABOUT_DEVICE,
                          a->idstr,
                          "device type '%s' is unknown to the destination's "
                          "program: a machine that has one cannot move",
                          a->idstr);
        }
    }
}

static void note_dumps(const struct gw_compat_checking *c)
{
    bool is_source = c->source->source == GW_COMPAT_DUMP;
    bool is_destination = c->destination->source == GW_COMPAT_DUMP;

    if (is_source || is_destination) {
        gw_compat_add(c->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_DEVICE,
                      NULL,
                      "which devices the %s: -dump-vmstate lists "
                      "every type that the program knows",
                      is_source && is_destination ? "machines have"
                      : is_source                 ? "source has"
                                                  : "destination has");
    }
}

void gw_compat_check_devices(const struct gw_compat_checking *c)
{
    bool is_source = c->source->source == GW_COMPAT_DUMP;
    bool is_destination = c->destination->source == GW_COMPAT_DUMP;

    if (!c->source->knows_devices || !c->destination->knows_devices) {
        gw_compat_add(c->report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_DEVICE,
                      NULL, "the devices of the %s",
                      gw_compat_who(!c->source->knows_devices,
                                    !c->destination->knows_devices));
        return;
    }
    note_dumps(c);
    if (is_source && is_destination) {
        check_type_lists(c);
    } else if (is_destination) {
        check_against_types(c);
    } else if (is_source) {
        check_types_against(c);
    } else {
        check_sent_devices(c);
        check_extra_devices(c);
    }
}

/*
 * Would a machine go on in another one? Descriptions of machines, and the
 * comparison of two of them, before anything moves.
 *
 * A description is made of a saved file, of a machine in this process, or of
 * a JSON text: the answer of QMP's x-query-machine-description, what QEMU's
 * -dump-vmstate writes, or what somebody put together of a QEMU's answers. None
 * of these knows everything; what a comparison would need and neither side says
 * is reported as not known, and not guessed.
 *
 * Objects do not change after they were made; any thread may use them.
 */
#ifndef GW_GODWIT_COMPAT_H
#define GW_GODWIT_COMPAT_H

#include <godwit/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_compat_machine;
struct gw_compat_report;
struct gw_image;
struct gw_machine;
struct gw_settings;

/* Where a description comes from. */
enum gw_compat_source {
    GW_COMPAT_MACHINE, /* a running machine of libgodwit */
    GW_COMPAT_FILE,    /* a saved file: the machine as it was then */
    GW_COMPAT_DUMP,    /* -dump-vmstate: all devices that a QEMU knows */
    GW_COMPAT_QEMU,    /* a running QEMU, as far as its monitor tells it */
};

/* What a remark means for the move. */
enum gw_compat_grade {
    GW_COMPAT_STOPS,   /* the destination would refuse */
    GW_COMPAT_DIFFERS, /* it may load, and is not the same or may fail */
    GW_COMPAT_UNKNOWN, /* not said by the descriptions */
};

/* What a remark is about, most important first. */
enum gw_compat_subject {
    GW_COMPAT_ABOUT_BLOCKER,
    GW_COMPAT_ABOUT_MACHINE,
    GW_COMPAT_ABOUT_RAM,
    GW_COMPAT_ABOUT_DEVICE,
    GW_COMPAT_ABOUT_VERSION,
    GW_COMPAT_ABOUT_FIELD,
    GW_COMPAT_ABOUT_CPU,
    GW_COMPAT_ABOUT_CAPABILITY,
    GW_COMPAT_ABOUT_UUID,
};

struct gw_compat_remark {
    enum gw_compat_grade grade;
    enum gw_compat_subject subject;
    /* The RAM block or section that it is about, or NULL. */
    const char *name;
    /* One phrase; speaks of "source" and "destination". */
    const char *text;
};

/* A feature of CPUs: a bit that CPUID gives. */
struct gw_cpu_feature {
    uint32_t leaf;
    uint32_t subleaf;
    unsigned int which; /* of eax, ebx, ecx, edx: 0 to 3 */
    unsigned int bit;   /* 0 to 31 */
};

/*
 * Finds a feature by QEMU's name for it ("avx2"). False: none that is known.
 * Since 0.1.
 */
GW_API bool gw_cpu_feature_find(const char *name,
                                struct gw_cpu_feature *ret_feature)
    GW_MUST_CHECK;

/*
 * Reads a saved file whose stream starts at `offset`, or, with offset 0, a
 * file with a JSON text. Since 0.1.
 */
GW_API int gw_compat_machine_read(const char *path, uint64_t offset,
                                  struct gw_compat_machine **ret_machine,
                                  struct gw_error **errp) GW_MUST_CHECK;

/*
 * Parses a JSON text (no NUL needed), which may be hostile. -EBADMSG: it is
 * no description; -EOVERFLOW: beyond a limit. Since 0.1.
 */
GW_API int gw_compat_machine_parse(const char *text, size_t size,
                                   struct gw_compat_machine **ret_machine,
                                   struct gw_error **errp) GW_MUST_CHECK;

/*
 * Describes a machine as it is now, without touching its guest; `settings`
 * (NULL: not known) say which capabilities are set. The text (malloc'ed) is
 * what x-query-machine-description answers. NULL if memory is short. Since
 * 0.1.
 */
GW_API char *gw_machine_describe(struct gw_machine *machine,
                                 const struct gw_settings *settings);

/*
 * The same of a saved file: the machine as it was then. NULL also if a name in
 * it is not valid UTF-8. Since 0.1.
 */
GW_API char *gw_image_describe(const struct gw_image *image);

/* Frees; accepts NULL; returns NULL. Since 0.1. */
GW_API struct gw_compat_machine *
gw_compat_machine_free(struct gw_compat_machine *machine);

/* Where it comes from. Since 0.1. */
GW_API enum gw_compat_source
gw_compat_machine_source(const struct gw_compat_machine *machine);

/* The machine type; "" if not known. Lent. Since 0.1. */
GW_API const char *
gw_compat_machine_name(const struct gw_compat_machine *machine);

/*
 * Compares: what would stop a move from `source` to `destination`? -ENOMEM.
 * Since 0.1.
 */
GW_API int gw_compat_check(const struct gw_compat_machine *source,
                           const struct gw_compat_machine *destination,
                           struct gw_compat_report **ret_report,
                           struct gw_error **errp) GW_MUST_CHECK;

/* No remark has the grade GW_COMPAT_STOPS. Since 0.1. */
GW_API bool gw_compat_report_fits(const struct gw_compat_report *report);

/*
 * Remark number `index` (0-based): by grade, then by subject. NULL past the
 * last. Lives as long as the report. Since 0.1.
 */
GW_API const struct gw_compat_remark *
gw_compat_report_remark(const struct gw_compat_report *report, size_t index);

/* Frees; accepts NULL; returns NULL. Since 0.1. */
GW_API struct gw_compat_report *
gw_compat_report_free(struct gw_compat_report *report);

/* "stops", "differs", "not-known"; "ram", "device", ... Since 0.1. */
GW_API const char *gw_compat_grade_name(enum gw_compat_grade grade);
GW_API const char *gw_compat_subject_name(enum gw_compat_subject subject);

GW_END_DECLS

#endif

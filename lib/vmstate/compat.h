/*
 * Descriptions of machines, from the inside: plain structures that a
 * comparison reads. No input or output here.
 *
 * They come out of JSON (compat_parse.c our own form, compat_dump.c QEMU's)
 * and lend their strings from it. Members that a source does not state have a
 * value that says so.
 */
#ifndef GW_VMSTATE_COMPAT_H
#define GW_VMSTATE_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/compat.h>
#include <godwit/machine.h>

/* The key that tells our own form, and its version. */
#define GW_COMPAT_MARK "x-godwit-description"
#define GW_COMPAT_VERSION 1

/* Limits of a text, beside those of vmstate/layout.h. */
enum {
    GW_COMPAT_DEVICES_MAX = 4096,
    GW_COMPAT_BLOCKS_MAX = 1024,
    GW_COMPAT_BLOCKERS_MAX = 256,
    GW_COMPAT_LEAVES_MAX = 1024,
    GW_COMPAT_FIELDS_MAX = 64 * 1024, /* of one vmstate */
    GW_COMPAT_SUBSECTIONS_MAX = 1024, /* " */
};

/* Nothing is said about a size or a number. */
#define GW_COMPAT_NO_SIZE UINT64_MAX

struct gw_compat_vmstate;

/* Elements of one kind, one after the other. */
struct gw_compat_field {
    const char *name;
    const char *type;    /* the encoder's name; NULL: not known */
    uint64_t size;       /* of one element, bytes, or GW_COMPAT_NO_SIZE */
    uint64_t n;          /* elements, or GW_COMPAT_NO_SIZE */
    bool size_in_memory; /* `size` is of the struct's member: a dump's */
    bool is_variable;    /* `n`, or a buffer's size, is a maximum */
    bool is_conditional; /* not always sent */
    uint32_t since;      /* version that it is sent from */
    struct gw_compat_vmstate *inner; /* its parts, or NULL; owned */
};

struct gw_compat_vmstate {
    const char *name; /* "" if it has none */
    uint32_t version;
    bool has_min_version;           /* the next one is known */
    uint32_t min_version;           /* the oldest that can be read */
    bool is_conditional;            /* not always sent */
    bool knows_fields;              /* fields and subsections are listed */
    struct gw_compat_field *fields; /* owned */
    size_t n_fields;
    struct gw_compat_vmstate *subsections; /* owned */
    size_t n_subsections;
};

struct gw_compat_device {
    const char *idstr; /* of a dump: the device's type */
    uint32_t instance_id;
    const struct gw_compat_vmstate *vmstate; /* one of the machine's */
    struct gw_trait *traits;                 /* that are stated; owned */
    size_t n_traits;
};

struct gw_compat_block {
    const char *idstr;
    uint64_t used_length; /* bytes */
    uint64_t max_length;  /* bytes, or GW_COMPAT_NO_SIZE */
    bool is_resizeable;   /* a destination's may change */
};

/* Of vCPU 0. */
struct gw_compat_leaf {
    uint32_t leaf;
    uint32_t subleaf;
    uint32_t registers[4]; /* eax, ebx, ecx, edx */
};

/* A capability that changes what is in the stream. */
enum gw_compat_capability {
    GW_COMPAT_MAPPED_RAM,
    GW_COMPAT_IGNORE_SHARED,
    GW_COMPAT_VALIDATE_UUID,
    GW_COMPAT_CAPABILITIES,
};

struct gw_compat_machine {
    enum gw_compat_source source;
    const char *name;
    bool has_uuid;
    uint8_t uuid[16];
    /* each is known, and then whether it is set; in enum order */
    bool knows_capability[GW_COMPAT_CAPABILITIES];
    bool capability[GW_COMPAT_CAPABILITIES];
    bool knows_blocks; /* RAM blocks are listed */
    struct gw_compat_block *blocks;
    size_t n_blocks;
    struct gw_compat_vmstate *vmstates; /* that devices refer to; owned */
    size_t n_vmstates;
    bool knows_devices; /* devices, or types of them, are listed */
    struct gw_compat_device *devices;
    size_t n_devices;
    const char **blockers;
    size_t n_blockers;
    bool knows_cpu; /* CPUID leaves are listed */
    struct gw_compat_leaf *leaves;
    size_t n_leaves;
    void *json; /* private: owns the strings */
};

/* QMP's names of enum gw_compat_capability. */
extern const char *const gw_compat_capability_names[GW_COMPAT_CAPABILITIES];

/* The words of a description for enum gw_trait_rule. */
#define GW_COMPAT_RULES 3
extern const char *const gw_compat_rule_names[GW_COMPAT_RULES];

/* Frees what a vmstate owns. */
void gw_compat_vmstate_deinit(struct gw_compat_vmstate *vmstate);

/* A name without the "[k]" that tells fields of one name apart: its length. */
size_t gw_compat_name_len(const char *name);

/*
 * ---- compat_report.c ----
 */

/* Remarks are added in any order; equal ones once. Memory is checked last. */
struct gw_compat_report *gw_compat_report_new(void);

void gw_compat_add(struct gw_compat_report *report, enum gw_compat_grade grade,
                   enum gw_compat_subject subject, const char *name,
                   const char *fmt, ...) GW_PRINTF(5, 6);

/* How a remark calls one of the two machines, or both. */
const char *gw_compat_who(bool is_source, bool is_destination);

/*
 * Counts steps of a comparison, which hostile texts could make any number of.
 * False: it has been too many, and what is found is not to be used.
 */
bool gw_compat_spend(struct gw_compat_report *report, uint64_t n_steps);
uint64_t gw_compat_report_steps(const struct gw_compat_report *report);

/* Memory was short for more than a remark. */
void gw_compat_report_fail(struct gw_compat_report *report);

/* Sorts. -ENOMEM if memory was short at any point; -EOVERFLOW: see above. */
int gw_compat_report_finish(struct gw_compat_report *report,
                            struct gw_error **errp);

/*
 * ---- compat_fields.c ----
 */

/* Two vmstates of a device, and who they are of. */
struct gw_compat_pair {
    const struct gw_compat_machine *source;
    const struct gw_compat_machine *destination;
    const char *idstr; /* of the device */
    struct gw_compat_report *report;
};

/*
 * Compares the fields that the source's version has; `path` is the subsection
 * that they are in, with a '.', or "".
 */
void gw_compat_check_fields(const struct gw_compat_pair *pair, const char *path,
                            const struct gw_compat_vmstate *from,
                            const struct gw_compat_vmstate *to);

/*
 * ---- compat_vmstate.c ----
 */

/*
 * Compares what the source sends with what the destination reads: version,
 * fields, subsections.
 */
void gw_compat_check_vmstate(const struct gw_compat_pair *pair,
                             const struct gw_compat_vmstate *from,
                             const struct gw_compat_vmstate *to);

/*
 * ---- compat_devices.c ----
 */

/* A comparison on its way. */
struct gw_compat_checking {
    const struct gw_compat_machine *source;
    const struct gw_compat_machine *destination;
    struct gw_compat_report *report;
};

/* All devices, by section name and instance, or by the types of a dump. */
void gw_compat_check_devices(const struct gw_compat_checking *c);

/*
 * ---- compat_cpu.c ----
 */

/* Features that the guest may use and the destination has not. */
void gw_compat_check_cpu(const struct gw_compat_machine *source,
                         const struct gw_compat_machine *destination,
                         struct gw_compat_report *report);

#endif

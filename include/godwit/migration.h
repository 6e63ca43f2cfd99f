/*
 * Migrations: settings (capabilities and parameters), the outgoing and the
 * incoming side, progress, cancel.
 *
 * Each migration has one thread of the library's, started by
 * gw_migration_start or gw_incoming_start and joined by gw_migration_free.
 */
#ifndef GW_GODWIT_MIGRATION_H
#define GW_GODWIT_MIGRATION_H

#include <godwit/address.h>
#include <godwit/error.h>
#include <godwit/machine.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_fdsets;
struct gw_migration;

/* Capabilities, in QMP's order of query-migrate-capabilities. */
enum gw_capability {
    GW_CAP_XBZRLE,
    GW_CAP_RDMA_PIN_ALL,
    GW_CAP_AUTO_CONVERGE,
    GW_CAP_ZERO_BLOCKS,
    GW_CAP_EVENTS,
    GW_CAP_POSTCOPY_RAM,
    GW_CAP_X_COLO,
    GW_CAP_RELEASE_RAM,
    GW_CAP_RETURN_PATH,
    GW_CAP_PAUSE_BEFORE_SWITCHOVER,
    GW_CAP_MULTIFD,
    GW_CAP_DIRTY_BITMAPS,
    GW_CAP_POSTCOPY_BLOCKTIME,
    GW_CAP_LATE_BLOCK_ACTIVATE,
    GW_CAP_X_IGNORE_SHARED,
    GW_CAP_VALIDATE_UUID,
    GW_CAP_BACKGROUND_SNAPSHOT,
    GW_CAP_ZERO_COPY_SEND,
    GW_CAP_POSTCOPY_PREEMPT,
    GW_CAP_SWITCHOVER_ACK,
    GW_CAP_DIRTY_LIMIT,
    GW_CAP_MAPPED_RAM,
    GW_CAP_COUNT,
};

/* QMP's name, such as "mapped-ram"; NULL outside the range. Since 0.1. */
GW_API const char *gw_capability_name(enum gw_capability capability);

/* By name; -ENOENT if there is none. Since 0.1. */
GW_API int gw_capability_parse(const char *name, enum gw_capability *ret);

enum gw_multifd_compression {
    GW_COMPRESSION_NONE,
    GW_COMPRESSION_ZLIB,
    GW_COMPRESSION_ZSTD,
};

enum gw_migration_mode {
    GW_MODE_NORMAL,
    GW_MODE_CPR_REBOOT,
    GW_MODE_CPR_TRANSFER,
};

enum gw_zero_page_detection {
    GW_ZERO_PAGE_NONE,
    GW_ZERO_PAGE_LEGACY,
    GW_ZERO_PAGE_MULTIFD,
};

/*
 * Everything that steers a migration. Initialise with gw_settings_init and
 * change members through gw_settings_set_* so that they are checked; a
 * migration takes a copy when it starts. Strings are malloc'ed and owned.
 */
struct gw_settings {
    bool capabilities[GW_CAP_COUNT];
    uint64_t announce_initial;           /* ms */
    uint64_t announce_max;               /* ms */
    uint64_t announce_rounds;            /* count */
    uint64_t announce_step;              /* ms */
    uint64_t throttle_trigger_threshold; /* % */
    uint64_t cpu_throttle_initial;       /* % */
    uint64_t cpu_throttle_increment;     /* % */
    bool cpu_throttle_tailslow;
    uint64_t max_cpu_throttle; /* % */
    char *tls_creds;
    char *tls_hostname;
    char *tls_authz;
    uint64_t max_bandwidth;              /* bytes/s, 0: no limit */
    uint64_t avail_switchover_bandwidth; /* bytes/s, 0: estimate */
    uint64_t downtime_limit;             /* ms */
    uint64_t x_checkpoint_delay;         /* ms */
    uint64_t multifd_channels;           /* 1..255 */
    uint64_t multifd_compression;        /* enum gw_multifd_compression */
    uint64_t multifd_zlib_level;         /* 0..9 */
    uint64_t multifd_zstd_level;         /* 0..20 */
    uint64_t multifd_qatzip_level;       /* 1..9 */
    uint64_t xbzrle_cache_size;          /* bytes */
    uint64_t max_postcopy_bandwidth;     /* bytes/s, 0: no limit */
    uint64_t x_vcpu_dirty_limit_period;  /* ms */
    uint64_t vcpu_dirty_limit;           /* MiB/s */
    uint64_t mode;                       /* enum gw_migration_mode */
    uint64_t zero_page_detection;        /* enum gw_zero_page_detection */
    bool direct_io;
};

/* Fills in QEMU's defaults. Since 0.1. */
GW_API int gw_settings_init(struct gw_settings *settings);
GW_API void gw_settings_deinit(struct gw_settings *settings);

/* Deep copy into an uninitialised struct. -ENOMEM. Since 0.1. */
GW_API int gw_settings_copy(struct gw_settings *to,
                            const struct gw_settings *from);

/*
 * Sets one capability, all-or-nothing checks for conflicts included.
 * -ENOTSUP for one that is known but not built yet; the error names it.
 * Since 0.1.
 */
GW_API int gw_settings_set_capability(struct gw_settings *settings,
                                      enum gw_capability capability, bool on,
                                      struct gw_error **errp) GW_MUST_CHECK;

/* The kinds of values parameters have. */
enum gw_parameter_type {
    GW_PARAMETER_BOOL,   /* bool */
    GW_PARAMETER_UINT8,  /* uint64_t member, QMP type uint8 */
    GW_PARAMETER_UINT32, /* uint64_t member, QMP type uint32 */
    GW_PARAMETER_UINT64, /* uint64_t member */
    GW_PARAMETER_SIZE,   /* uint64_t member, bytes (or ms, see unit) */
    GW_PARAMETER_ENUM,   /* uint64_t member, index into `choices` */
    GW_PARAMETER_STRING, /* char * member */
};

struct gw_parameter_info {
    const char *name; /* QMP's, with hyphens */
    enum gw_parameter_type type;
    size_t offset;              /* of the member in struct gw_settings */
    const char *unit;           /* "ms", "bytes", "bytes/second", "MB/s", "" */
    const char *const *choices; /* of an enum, NULL terminated */
    bool built;  /* false: known, listed, and refused when it is changed */
    bool in_hmp; /* `info migrate_parameters` prints it */
};

/* Parameter number `index` in QMP's order, or NULL past the last. */
GW_API const struct gw_parameter_info *gw_parameter_info_at(unsigned int index);

/* By name (hyphens or underscores), or NULL. Since 0.1. */
GW_API const struct gw_parameter_info *gw_parameter_info_find(const char *name);

/*
 * Set a parameter after checking its range and that it is built. _uint takes
 * bool, integer, size and enum (index) parameters, _string takes strings and
 * the names of enum choices. Texts of range errors are QEMU's. Since 0.1.
 */
GW_API int gw_settings_set_uint(struct gw_settings *settings,
                                const struct gw_parameter_info *info,
                                uint64_t value, struct gw_error **errp)
    GW_MUST_CHECK;
GW_API int gw_settings_set_string(struct gw_settings *settings,
                                  const struct gw_parameter_info *info,
                                  const char *value, struct gw_error **errp)
    GW_MUST_CHECK;

/* Value of a bool, integer, size or enum (index) parameter. Since 0.1. */
GW_API uint64_t gw_settings_get_uint(const struct gw_settings *settings,
                                     const struct gw_parameter_info *info);

/* Value of a string, or the name of an enum's choice. Since 0.1. */
GW_API const char *gw_settings_get_string(const struct gw_settings *settings,
                                          const struct gw_parameter_info *info);

/* A picture of a migration at one moment; members as in query-migrate. */
struct gw_progress {
    enum gw_migration_status status;
    bool incoming;
    uint64_t total_time_ms;
    uint64_t setup_time_ms;
    uint64_t downtime_ms;
    uint64_t expected_downtime_ms;
    uint64_t transferred_bytes; /* on all channels, headers included */
    uint64_t remaining_bytes;   /* RAM still to be moved */
    uint64_t total_bytes;       /* used length of all RAM blocks */
    uint64_t duplicate_pages;   /* zero pages */
    uint64_t normal_pages;      /* pages with data */
    uint64_t dirty_sync_count;
    uint64_t dirty_pages_rate; /* pages/s */
    uint64_t pages_per_second;
    uint64_t page_size;
    uint64_t precopy_bytes;
    uint64_t downtime_bytes;
    uint64_t trailing_bytes; /* incoming: bytes after the stream's end */
    uint64_t page_bytes;     /* of transferred_bytes: beside the stream */
    /* how pages are moved beside the stream: "io_uring", "preadv"; or NULL */
    const char *page_io;
    double mbps; /* 10^6 bit/s */
};

/*
 * Descriptors handed over by name (QMP's getfd). Called to take one out:
 * returns an owned descriptor, or -1 if there is none of that name.
 */
typedef int (*gw_take_fd_fn)(void *opaque, const char *name);

struct gw_migration_options {
    gw_take_fd_fn take_fd; /* for fd: addresses; NULL: only numbers */
    void *opaque;          /* handed to take_fd */
    /*
     * The same for gw_migration_check, which takes none out: the descriptor
     * stays the callee's. NULL: as take_fd.
     */
    gw_take_fd_fn lend_fd;
    /* for file:/dev/fdset/N (see fdset.h); NULL: there are none */
    struct gw_fdsets *fdsets;
    /*
     * Incoming: take RAM in the form that the stream says it has. False: as
     * QEMU, the capability mapped-ram must be set like the source's.
     */
    bool any_format;
};

/*
 * Starts an outgoing migration. Errors that QEMU answers at once (address,
 * busy, run state, blockers, opening a file) are returned here; everything
 * later shows in the progress, in events and in gw_migration_wait. The
 * address, settings and options (may be NULL) are only used during the call.
 * Since 0.1.
 */
GW_API int gw_migration_start(struct gw_machine *machine,
                              const struct gw_address *address,
                              const struct gw_settings *settings,
                              const struct gw_migration_options *options,
                              struct gw_migration **ret_migration,
                              struct gw_error **errp) GW_MUST_CHECK;

/*
 * What would stop an outgoing migration now? Calls fn for each reason: those
 * of gw_migration_start, whether the target could be opened, and whether
 * there is room for the RAM that was touched. address may be NULL: not
 * looked at. Nothing is written, and the guest is not touched; what only the
 * moving itself can show (an I/O error, a destination that refuses) is not
 * foreseen. Returns the number of reasons. Since 0.1.
 */
typedef void (*gw_reason_fn)(void *opaque, const char *reason);
GW_API size_t gw_migration_check(struct gw_machine *machine,
                                 const struct gw_address *address,
                                 const struct gw_settings *settings,
                                 const struct gw_migration_options *options,
                                 gw_reason_fn fn, void *opaque);

/*
 * Starts an incoming migration; the machine must be in `inmigrate`. After a
 * load that failed the machine stays there and cannot run; after one that
 * failed before anything was loaded (an address that cannot be opened) the
 * call may be repeated. Since 0.1.
 */
GW_API int gw_incoming_start(struct gw_machine *machine,
                             const struct gw_address *address,
                             const struct gw_settings *settings,
                             const struct gw_migration_options *options,
                             struct gw_migration **ret_migration,
                             struct gw_error **errp) GW_MUST_CHECK;

/* Fills in a picture of the migration. Any thread. Since 0.1. */
GW_API void gw_migration_get_progress(struct gw_migration *migration,
                                      struct gw_progress *ret_progress);

/*
 * The first error as a copy (freed by the caller), or NULL while there is
 * none. Any thread. Since 0.1.
 */
GW_API struct gw_error *gw_migration_dup_error(struct gw_migration *migration);

/*
 * Changes a running migration's limits: those parameters of `settings` that
 * may change on the way (max-bandwidth, downtime-limit, ...). Since 0.1.
 */
GW_API void gw_migration_update(struct gw_migration *migration,
                                const struct gw_settings *settings);

/*
 * Asks the migration to end; returns at once. Status goes to `cancelling`
 * and, when it has ended, to `cancelled`; no effect after it has ended. Any
 * thread. Since 0.1.
 */
GW_API void gw_migration_cancel(struct gw_migration *migration);

/*
 * Lets a migration go on that waits in `pre-switchover`; without effect in
 * any other state. Any thread. Since 0.1.
 */
GW_API void gw_migration_continue(struct gw_migration *migration);

/*
 * An eventfd (lent) that becomes readable when the migration has ended.
 * Since 0.1.
 */
GW_API int gw_migration_fd(struct gw_migration *migration);

/*
 * Waits for the end. 0: completed; -ECANCELED: cancelled; else the failure.
 * Since 0.1.
 */
GW_API int gw_migration_wait(struct gw_migration *migration,
                             struct gw_error **errp);

/*
 * Frees the handle, waiting for the end (cancel first if that must not take
 * long). Accepts NULL, returns NULL. Since 0.1.
 */
GW_API struct gw_migration *gw_migration_free(struct gw_migration *migration);

/*
 * The whole of a migration in one call: start, wait, free. `settings` may be
 * NULL for the defaults without a limit of bandwidth; `uri` as for
 * gw_address_parse. gw_load waits in `inmigrate` if the machine is in
 * `prelaunch`, and without settings takes RAM in either form. Since 0.1.
 */
GW_API int gw_save(struct gw_machine *machine, const char *uri,
                   const struct gw_settings *settings, struct gw_error **errp)
    GW_MUST_CHECK;
GW_API int gw_load(struct gw_machine *machine, const char *uri,
                   const struct gw_settings *settings, struct gw_error **errp)
    GW_MUST_CHECK;

GW_END_DECLS

#endif

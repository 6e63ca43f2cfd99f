/*
 * Migration settings, the inside: checks of whole sets of values.
 *
 * QMP sets several values at once, all or none: the monitor changes a copy
 * with the _put functions, checks it as a whole and then takes it over.
 */
#ifndef GW_MIGRATE_SETTINGS_H
#define GW_MIGRATE_SETTINGS_H

#include <godwit/migration.h>

/* QMP's names by enum gw_capability, NULL at the end. */
extern const char *const gw_capability_names[GW_CAP_COUNT + 1];

/*
 * Refuses what is not built yet (-ENOTSUP) and what does not go together
 * (-EINVAL, with QEMU's texts).
 */
int gw_capabilities_check(const bool on[GW_CAP_COUNT], struct gw_error **errp)
    GW_MUST_CHECK;

/* The second half of it: what does not go together. */
int gw_capabilities_check_conflicts(const bool on[GW_CAP_COUNT],
                                    struct gw_error **errp) GW_MUST_CHECK;

/*
 * Checks the ranges of all parameters (-EINVAL), how they fit each other and
 * the capabilities, and that none that is not built yet differs from its
 * default (-ENOTSUP).
 */
int gw_parameters_check(const struct gw_settings *settings,
                        struct gw_error **errp) GW_MUST_CHECK;

/*
 * Checks what can be set and does not work together when a migration is
 * started: multifd (-ENOTSUP) and direct-io (-EINVAL) without mapped-ram.
 */
int gw_settings_check_start(const struct gw_settings *settings,
                            struct gw_error **errp) GW_MUST_CHECK;

/* -EINVAL if mapped-ram is on and the transport cannot seek. */
int gw_settings_check_transport(const struct gw_settings *settings,
                                bool is_seekable, struct gw_error **errp)
    GW_MUST_CHECK;

/* The default of a bool, integer, size or enum parameter. */
uint64_t gw_parameter_default(const struct gw_parameter_info *info);

/* Sets a bool, integer, size or enum (index) parameter, unchecked. */
void gw_settings_put_uint(struct gw_settings *settings,
                          const struct gw_parameter_info *info, uint64_t value);

/* Sets a string parameter, unchecked. -ENOMEM. */
int gw_settings_put_string(struct gw_settings *settings,
                           const struct gw_parameter_info *info,
                           const char *value, struct gw_error **errp);

#endif

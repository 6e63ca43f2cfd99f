/*
 * Parameters: the table of all of them, and the checks of their values.
 *
 * QEMU names parameters with hyphens, and in the texts of range errors with
 * underscores, but not in all of them; the texts are copied from what 10.0
 * answers.
 */
#include "migrate/settings.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

enum check {
    CHECK_NOTHING,      /* every value of the type is good */
    CHECK_RANGE,        /* min..max */
    CHECK_POWER_OF_TWO, /* not below min */
};

struct parameter {
    struct gw_parameter_info info; /* what everybody sees */
    uint64_t initial;              /* the default; strings: "" */
    enum check check;              /* how `min` and `max` are meant */
    uint64_t min;                  /* smallest good value */
    uint64_t max;                  /* largest good value */
    const char *error;             /* text for values that are not good */
};

static const char *const compressions[] = {"none", "zlib", "zstd", NULL};
static const char *const modes[] = {"normal", "cpr-reboot", "cpr-transfer",
                                    NULL};
static const char *const zero_page_detections[] = {"none", "legacy", "multifd",
                                                   NULL};

#define MEMBER(member) offsetof(struct gw_settings, member)
#define RANGE(from, to, text) CHECK_RANGE, from, to, text

static const struct parameter parameters[] = {
    {{"announce-initial", GW_PARAMETER_SIZE, MEMBER(announce_initial), "ms",
      NULL, false, true},
     50,
     RANGE(0, 100000,
           "Parameter 'announce_initial' expects a value between "
           "0 and 100000")},
    {{"announce-max", GW_PARAMETER_SIZE, MEMBER(announce_max), "ms", NULL,
      false, true},
     550,
     RANGE(0, 100000,
           "Parameter 'announce_max' expects a value between "
           "0 and 100000")},
    {{"announce-rounds", GW_PARAMETER_SIZE, MEMBER(announce_rounds), "", NULL,
      false, true},
     5,
     RANGE(0, 1000,
           "Parameter 'announce_rounds' expects a value between "
           "0 and 1000")},
    {{"announce-step", GW_PARAMETER_SIZE, MEMBER(announce_step), "ms", NULL,
      false, true},
     100,
     RANGE(1, 10000,
           "Parameter 'announce_step' expects a value between "
           "0 and 10000")},
    {{"throttle-trigger-threshold", GW_PARAMETER_UINT8,
      MEMBER(throttle_trigger_threshold), "", NULL, false, true},
     50,
     RANGE(1, 100,
           "Parameter 'throttle_trigger_threshold' expects an "
           "integer in the range of 1 to 100")},
    {{"cpu-throttle-initial", GW_PARAMETER_UINT8, MEMBER(cpu_throttle_initial),
      "", NULL, false, true},
     20,
     RANGE(1, 99,
           "Parameter 'cpu_throttle_initial' expects an integer in "
           "the range of 1 to 99")},
    {{"cpu-throttle-increment", GW_PARAMETER_UINT8,
      MEMBER(cpu_throttle_increment), "", NULL, false, true},
     10,
     RANGE(1, 99,
           "Parameter 'cpu_throttle_increment' expects an integer in "
           "the range of 1 to 99")},
    {{"cpu-throttle-tailslow", GW_PARAMETER_BOOL, MEMBER(cpu_throttle_tailslow),
      "", NULL, false, true},
     false,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    /* Its least value is cpu-throttle-initial: see check_throttle. */
    {{"max-cpu-throttle", GW_PARAMETER_UINT8, MEMBER(max_cpu_throttle), "",
      NULL, false, true},
     99,
     RANGE(1, 99,
           "Parameter 'max_cpu_throttle' expects an integer in the "
           "range of cpu_throttle_initial to 99")},
    {{"tls-creds", GW_PARAMETER_STRING, MEMBER(tls_creds), "", NULL, false,
      true},
     0,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"tls-hostname", GW_PARAMETER_STRING, MEMBER(tls_hostname), "", NULL,
      false, true},
     0,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"tls-authz", GW_PARAMETER_STRING, MEMBER(tls_authz), "", NULL, false,
      true},
     0,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"max-bandwidth", GW_PARAMETER_SIZE, MEMBER(max_bandwidth), "bytes/second",
      NULL, true, true},
     134217728,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"avail-switchover-bandwidth", GW_PARAMETER_SIZE,
      MEMBER(avail_switchover_bandwidth), "bytes/second", NULL, true, true},
     0,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"downtime-limit", GW_PARAMETER_UINT64, MEMBER(downtime_limit), "ms", NULL,
      true, true},
     300,
     RANGE(0, 2000000,
           "Parameter 'downtime_limit' expects an integer in the "
           "range of 0 to (2000 * 1000) ms")},
    {{"x-checkpoint-delay", GW_PARAMETER_UINT32, MEMBER(x_checkpoint_delay),
      "ms", NULL, false, true},
     20000,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"multifd-channels", GW_PARAMETER_UINT8, MEMBER(multifd_channels), "",
      NULL, true, true},
     2,
     RANGE(1, 255,
           "Parameter 'multifd_channels' expects a value between "
           "1 and 255")},
    {{"multifd-compression", GW_PARAMETER_ENUM, MEMBER(multifd_compression), "",
      compressions, false, true},
     GW_COMPRESSION_NONE,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"multifd-zlib-level", GW_PARAMETER_UINT8, MEMBER(multifd_zlib_level), "",
      NULL, false, false},
     1,
     RANGE(0, 9,
           "Parameter 'multifd_zlib_level' expects a value between "
           "0 and 9")},
    {{"multifd-zstd-level", GW_PARAMETER_UINT8, MEMBER(multifd_zstd_level), "",
      NULL, false, false},
     1,
     RANGE(0, 20,
           "Parameter 'multifd_zstd_level' expects a value between "
           "0 and 20")},
    {{"multifd-qatzip-level", GW_PARAMETER_UINT8, MEMBER(multifd_qatzip_level),
      "", NULL, false, false},
     1,
     RANGE(1, 9,
           "Parameter 'multifd_qatzip_level' expects a value between "
           "1 and 9")},
    {{"xbzrle-cache-size", GW_PARAMETER_SIZE, MEMBER(xbzrle_cache_size),
      "bytes", NULL, false, true},
     67108864,
     CHECK_POWER_OF_TWO,
     4096,
     UINT64_MAX,
     "Parameter 'xbzrle_cache_size' expects a power of two no less than the "
     "target page size"},
    {{"max-postcopy-bandwidth", GW_PARAMETER_SIZE,
      MEMBER(max_postcopy_bandwidth), "", NULL, false, true},
     0,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"x-vcpu-dirty-limit-period", GW_PARAMETER_UINT64,
      MEMBER(x_vcpu_dirty_limit_period), "ms", NULL, false, true},
     1000,
     RANGE(1, 1000,
           "Parameter 'x-vcpu-dirty-limit-period' expects a value "
           "between 1 and 1000")},
    {{"vcpu-dirty-limit", GW_PARAMETER_UINT64, MEMBER(vcpu_dirty_limit), "MB/s",
      NULL, false, true},
     1,
     RANGE(1, UINT64_MAX,
           "Parameter 'vcpu_dirty_limit' must be greater than "
           "1 MB/s")},
    {{"mode", GW_PARAMETER_ENUM, MEMBER(mode), "", modes, false, true},
     GW_MODE_NORMAL,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"zero-page-detection", GW_PARAMETER_ENUM, MEMBER(zero_page_detection), "",
      zero_page_detections, true, true},
     GW_ZERO_PAGE_MULTIFD,
     CHECK_NOTHING,
     0,
     0,
     NULL},
    {{"direct-io", GW_PARAMETER_BOOL, MEMBER(direct_io), "", NULL, true, true},
     false,
     CHECK_NOTHING,
     0,
     0,
     NULL},
};

const struct gw_parameter_info *gw_parameter_info_at(unsigned int index)
{
    return index < GW_ARRAY_SIZE(parameters) ? &parameters[index].info : NULL;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && (*a == *b || (*a == '-' && *b == '_'))) {
        a++;
        b++;
    }
    return !*a && !*b;
}

const struct gw_parameter_info *gw_parameter_info_find(const char *name)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(parameters); i++) {
        if (same_name(parameters[i].info.name, name)) {
            return &parameters[i].info;
        }
    }
    return NULL;
}

uint64_t gw_parameter_default(const struct gw_parameter_info *info)
{
    const struct parameter *parameter =
        (const struct parameter *)(const void *)info;

    _Static_assert(offsetof(struct parameter, info) == 0,
                   "the table's entries start with the public part");
    return parameter->initial;
}

static bool in_range(const struct parameter *parameter, uint64_t value)
{
    switch (parameter->check) {
    case CHECK_NOTHING:
        return true;
    case CHECK_RANGE:
        return value >= parameter->min && value <= parameter->max;
    case CHECK_POWER_OF_TWO:
        return value >= parameter->min && (value & (value - 1)) == 0;
    }
    return false;
}

/* A value that means the same as never having been set. */
static bool is_default(const struct gw_settings *settings,
                       const struct parameter *parameter)
{
    if (parameter->info.type == GW_PARAMETER_STRING) {
        return !*gw_settings_get_string(settings, &parameter->info);
    }
    return gw_settings_get_uint(settings, &parameter->info) ==
           parameter->initial;
}

static int check_ranges(const struct gw_settings *settings,
                        struct gw_error **errp)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(parameters); i++) {
        const struct parameter *parameter = &parameters[i];

        if (parameter->info.type != GW_PARAMETER_STRING &&
            !in_range(parameter,
                      gw_settings_get_uint(settings, &parameter->info))) {
            return gw_error_set(errp, -EINVAL, "%s", parameter->error);
        }
    }
    if (settings->max_cpu_throttle < settings->cpu_throttle_initial) {
        return gw_error_set(
            errp, -EINVAL, "%s",
            "Parameter 'max_cpu_throttle' expects an integer in the range of "
            "cpu_throttle_initial to 99");
    }
    return 0;
}

static int check_capabilities(const struct gw_settings *settings,
                              struct gw_error **errp)
{
    bool is_plain = settings->multifd_compression == GW_COMPRESSION_NONE &&
                    !*settings->tls_creds;

    if (is_plain) {
        return 0;
    }
    if (settings->capabilities[GW_CAP_ZERO_COPY_SEND]) {
        return gw_error_set(errp, -EINVAL,
                            "Zero copy only available for non-compressed "
                            "non-TLS multifd migration");
    }
    if (settings->capabilities[GW_CAP_MAPPED_RAM]) {
        return gw_error_set(errp, -EINVAL,
                            "Mapped-ram only available for non-compressed "
                            "non-TLS multifd migration");
    }
    return 0;
}

static int check_built(const struct gw_settings *settings,
                       struct gw_error **errp)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(parameters); i++) {
        const struct parameter *parameter = &parameters[i];

        if (!parameter->info.built && !is_default(settings, parameter)) {
            return gw_error_set(
                errp, -ENOTSUP,
                "parameter '%s' is not supported yet and can only be left at "
                "its default",
                parameter->info.name);
        }
    }
    return 0;
}

int gw_parameters_check(const struct gw_settings *settings,
                        struct gw_error **errp)
{
    int r = check_ranges(settings, errp);

    if (r >= 0) {
        r = check_capabilities(settings, errp);
    }
    return r < 0 ? r : check_built(settings, errp);
}

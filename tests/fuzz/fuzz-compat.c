/*
 * Parses a hostile description of a machine, or two of them parted by a NUL,
 * and compares each with each.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <godwit/compat.h>
#include <godwit/error.h>

#include "base/cleanup.h"
#include "fuzz.h"

static struct gw_compat_machine *parse(const uint8_t *data, size_t size)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_compat_machine *machine = NULL;
    int r = gw_compat_machine_parse((const char *)data, size, &machine, &error);

    FUZZ_ASSERT((r < 0) == (error != NULL) && (r < 0) == (machine == NULL));
    return machine;
}

static void compare(const struct gw_compat_machine *a,
                    const struct gw_compat_machine *b)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    const struct gw_compat_remark *remark, *before = NULL;
    struct gw_compat_report *report = NULL;
    bool stops = false;
    size_t i;

    if (!a || !b) {
        return;
    }
    if (gw_compat_check(a, b, &report, &error) < 0) {
        FUZZ_ASSERT(error && !report);
        return;
    }
    for (i = 0; (remark = gw_compat_report_remark(report, i)); i++) {
        FUZZ_ASSERT(remark->text[0]);
        FUZZ_ASSERT(!before || before->grade <= remark->grade);
        stops = stops || remark->grade == GW_COMPAT_STOPS;
        before = remark;
    }
    FUZZ_ASSERT(!stops || !gw_compat_report_fits(report));
    gw_compat_report_free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t first = nul ? (size_t)(nul - data) : size;
    struct gw_compat_machine *a = parse(data, first);
    struct gw_compat_machine *b = nul ? parse(nul + 1, size - first - 1) : NULL;

    compare(a, a);
    compare(a, b);
    compare(b, a);
    gw_compat_machine_free(a);
    gw_compat_machine_free(b);
    return 0;
}

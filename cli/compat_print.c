/*
 * Reports of comparisons: text for people, and JSON.
 */
#include "compat.h"

#include <stdio.h>

#include "text.h"

static bool is_left_out(const struct gw_compat_remark *remark,
                        bool with_blockers)
{
    return remark->subject == GW_COMPAT_ABOUT_BLOCKER && !with_blockers;
}

void cli_compat_print(const struct gw_compat_report *report, bool with_blockers)
{
    static const char *const prefixes[] = {
        [GW_COMPAT_STOPS] = "",
        [GW_COMPAT_DIFFERS] = "warning: ",
        [GW_COMPAT_UNKNOWN] = "not known: ",
    };
    const struct gw_compat_remark *remark;
    size_t i;

    for (i = 0; (remark = gw_compat_report_remark(report, i)); i++) {
        if (is_left_out(remark, with_blockers)) {
            continue;
        }
        fputs(prefixes[remark->grade], stdout);
        /* Names are of files and of monitors. */
        cli_put_safe(stdout, remark->text);
        putchar('\n');
    }
}

json_t *cli_compat_json(const struct gw_compat_report *report,
                        bool with_blockers)
{
    const struct gw_compat_remark *remark;
    json_t *array = json_array();
    size_t i;

    for (i = 0; (remark = gw_compat_report_remark(report, i)); i++) {
        if (is_left_out(remark, with_blockers)) {
            continue;
        }
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:s?, s:s}", "grade",
                             gw_compat_grade_name(remark->grade), "subject",
                             gw_compat_subject_name(remark->subject), "name",
                             remark->name, "text", remark->text));
    }
    return array;
}

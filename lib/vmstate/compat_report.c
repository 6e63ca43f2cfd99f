/*
 * The report of a comparison: remarks, each once, in order of importance.
 */
#include "vmstate/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    /* Remarks are kept up to here; a hostile text could cause any number. */
    REMARKS_MAX = 4096,
    /* A real pair of machines takes some ten thousand. */
    STEPS_MAX = 50 * 1000 * 1000,
};

struct remark {
    struct gw_compat_remark pub; /* its strings are owned */
    size_t order;                /* of adding */
};

struct gw_compat_report {
    struct remark *remarks;
    size_t n;
    bool stops;  /* there is one that does, kept or not */
    bool failed; /* memory was short */
    uint64_t n_steps;
};

struct gw_compat_report *gw_compat_report_new(void)
{
    return calloc(1, sizeof(struct gw_compat_report));
}

static void remark_deinit(struct remark *remark)
{
    char *text = (char *)(uintptr_t)remark->pub.text;
    char *name = (char *)(uintptr_t)remark->pub.name;

    free(text);
    free(name);
}

struct gw_compat_report *gw_compat_report_free(struct gw_compat_report *report)
{
    size_t i;

    if (report) {
        for (i = 0; i < report->n; i++) {
            remark_deinit(&report->remarks[i]);
        }
        free(report->remarks);
        free(report);
    }
    return NULL;
}

static bool is_there(const struct gw_compat_report *report, const char *text)
{
    size_t i;

    for (i = 0; i < report->n; i++) {
        if (strcmp(report->remarks[i].pub.text, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes text and name. */
static bool append(struct gw_compat_report *report, enum gw_compat_grade grade,
                   enum gw_compat_subject subject, char *name, char *text)
{
    struct remark *grown =
        realloc(report->remarks, (report->n + 1) * sizeof(*grown));

    if (!grown) {
        return false;
    }
    report->remarks = grown;
    report->remarks[report->n] = (struct remark){
        .pub = {grade, subject, name, text}, .order = report->n};
    report->n++;
    return true;
}

void gw_compat_add(struct gw_compat_report *report, enum gw_compat_grade grade,
                   enum gw_compat_subject subject, const char *name,
                   const char *fmt, ...)
{
    GW_AUTO_FREE char *text = NULL;
    GW_AUTO_FREE char *copy = name ? strdup(name) : NULL;
    va_list args;
    int len;

    report->stops = report->stops || grade == GW_COMPAT_STOPS;
    if (!gw_compat_spend(report, 1 + report->n)) {
        return;
    }
    va_start(args, fmt);
    len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0 || (name && !copy)) {
        text = len < 0 ? NULL : text;
        report->failed = true;
        return;
    }
    if (report->n == REMARKS_MAX || is_there(report, text)) {
        return;
    }
    if (!append(report, grade, subject, copy, text)) {
        report->failed = true;
        return;
    }
    copy = NULL;
    text = NULL;
}

void gw_compat_report_fail(struct gw_compat_report *report)
{
    report->failed = true;
}

static int compare(const void *one, const void *other)
{
    const struct remark *a = one;
    const struct remark *b = other;

    if (a->pub.grade != b->pub.grade) {
        return a->pub.grade < b->pub.grade ? -1 : 1;
    }
    if (a->pub.subject != b->pub.subject) {
        return a->pub.subject < b->pub.subject ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

int gw_compat_report_finish(struct gw_compat_report *report,
                            struct gw_error **errp)
{
    if (report->n) {
        qsort(report->remarks, report->n, sizeof(*report->remarks), compare);
    }
    if (report->failed) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    if (report->n_steps > STEPS_MAX) {
        return gw_error_set(errp, -EOVERFLOW,
                            "machine descriptions: too large to be compared");
    }
    return 0;
}

uint64_t gw_compat_report_steps(const struct gw_compat_report *report)
{
    return report->n_steps;
}

const char *gw_compat_who(bool is_source, bool is_destination)
{
    if (is_source && is_destination) {
        return "source and the destination";
    }
    return is_source ? "source" : "destination";
}

bool gw_compat_spend(struct gw_compat_report *report, uint64_t n_steps)
{
    if (report->n_steps <= STEPS_MAX) {
        report->n_steps += n_steps;
    }
    return report->n_steps <= STEPS_MAX;
}

bool gw_compat_report_fits(const struct gw_compat_report *report)
{
    return !report->stops;
}

const struct gw_compat_remark *
gw_compat_report_remark(const struct gw_compat_report *report, size_t index)
{
    return index < report->n ? &report->remarks[index].pub : NULL;
}

const char *gw_compat_grade_name(enum gw_compat_grade grade)
{
    static const char *const names[] = {
        [GW_COMPAT_STOPS] = "stops",
        [GW_COMPAT_DIFFERS] = "differs",
        [GW_COMPAT_UNKNOWN] = "not-known",
    };

    return names[grade];
}

const char *gw_compat_subject_name(enum gw_compat_subject subject)
{
    static const char *const names[] = {
        [GW_COMPAT_ABOUT_BLOCKER] = "blocker",
        [GW_COMPAT_ABOUT_MACHINE] = "machine",
        [GW_COMPAT_ABOUT_RAM] = "ram",
        [GW_COMPAT_ABOUT_DEVICE] = "device",
        [GW_COMPAT_ABOUT_VERSION] = "version",
        [GW_COMPAT_ABOUT_FIELD] = "field",
        [GW_COMPAT_ABOUT_CPU] = "cpu",
        [GW_COMPAT_ABOUT_CAPABILITY] = "capability",
        [GW_COMPAT_ABOUT_UUID] = "uuid",
    };

    return names[subject];
}

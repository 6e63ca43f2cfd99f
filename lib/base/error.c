/*
 * Error objects: code, class and text.
 *
 * When memory is too short to say what is wrong, the error becomes a shared
 * constant that says just that, so that a failure always has an error.
 */
#include <godwit/error.h>

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct gw_error {
    /* negative errno */
    int code;
    /* the class of QMP */
    enum gw_error_class error_class;
    /* malloc'ed, except in `out_of_memory` */
    char *text;
};

/* Written by nobody: gw_error_prefix and gw_error_free leave them alone. */
static char out_of_memory_text[] = "out of memory";
static struct gw_error out_of_memory = {
    .code = -ENOMEM,
    .error_class = GW_ERROR_GENERIC,
    .text = out_of_memory_text,
};

static struct gw_error *error_new(enum gw_error_class error_class, int code,
                                  char *text)
{
    struct gw_error *error = malloc(sizeof(*error));

    if (!error || !text) {
        free(error);
        free(text);
        return &out_of_memory;
    }
    *error = (struct gw_error){
        .code = code, .error_class = error_class, .text = text};
    return error;
}

GW_PRINTF(1, 0)
static char *format_text(const char *fmt, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, args) < 0) {
        return NULL;
    }
    return text;
}

int gw_error_vset(struct gw_error **errp, enum gw_error_class error_class,
                  int code, const char *fmt, va_list args)
{
    assert(code < 0);
    if (errp) {
        assert(!*errp);
        *errp = error_new(error_class, code, format_text(fmt, args));
    }
    return code;
}

int gw_error_set(struct gw_error **errp, int code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    gw_error_vset(errp, GW_ERROR_GENERIC, code, fmt, args);
    va_end(args);
    return code;
}

int gw_error_set_class(struct gw_error **errp, enum gw_error_class error_class,
                       int code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    gw_error_vset(errp, error_class, code, fmt, args);
    va_end(args);
    return code;
}

int gw_error_set_errno(struct gw_error **errp, int code, const char *fmt, ...)
{
    GW_AUTO_FREE char *text = NULL;
    char buffer[128];
    va_list args;

    if (!errp) {
        return code;
    }
    va_start(args, fmt);
    text = format_text(fmt, args);
    va_end(args);
    /* The GNU variant: the result may be `buffer` or a constant. */
    return gw_error_set(errp, code, "%s: %s", text ? text : "",
                        strerror_r(-code, buffer, sizeof(buffer)));
}

int gw_error_prefix(struct gw_error **errp, int code, const char *fmt, ...)
{
    GW_AUTO_FREE char *prefix = NULL;
    char *text = NULL;
    va_list args;

    if (!errp || !*errp || *errp == &out_of_memory) {
        return code;
    }
    va_start(args, fmt);
    prefix = format_text(fmt, args);
    va_end(args);
    if (prefix && asprintf(&text, "%s: %s", prefix, (*errp)->text) >= 0) {
        free((*errp)->text);
        (*errp)->text = text;
    }
    return code;
}

int gw_error_code(const struct gw_error *error)
{
    return error ? error->code : 0;
}

enum gw_error_class gw_error_class_of(const struct gw_error *error)
{
    return error ? error->error_class : GW_ERROR_GENERIC;
}

const char *gw_error_text(const struct gw_error *error)
{
    return error ? error->text : "";
}

struct gw_error *gw_error_dup(const struct gw_error *error)
{
    return error
               ? error_new(error->error_class, error->code, strdup(error->text))
               : NULL;
}

struct gw_error *gw_error_free(struct gw_error *error)
{
    if (error && error != &out_of_memory) {
        free(error->text);
        free(error);
    }
    return NULL;
}

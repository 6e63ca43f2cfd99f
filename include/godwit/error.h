/*
 * Errors: a code, a class for QMP, and a text that reads from the operation
 * down to the cause.
 *
 * Functions return 0 or a negative errno and take `struct gw_error **errp`
 * last. The return value decides; errp may be NULL. On failure *errp is set
 * once and owned by the caller (gw_error_free). Before the call *errp must be
 * NULL.
 *
 * Codes: -ENODATA the stream ended early; -EBADMSG malformed; -EPROTO well
 * formed but out of order or not fitting this machine; -ENOTSUP known and not
 * supported; -EOVERFLOW beyond a limit; -EINVAL the caller's argument or
 * state; -ECANCELED cancelled; errors of the host as received.
 */
#ifndef GW_GODWIT_ERROR_H
#define GW_GODWIT_ERROR_H

#include <godwit/macros.h>
#include <stdarg.h>

GW_BEGIN_DECLS

struct gw_error;

/* The error classes of QMP. */
enum gw_error_class {
    GW_ERROR_GENERIC = 0,
    GW_ERROR_COMMAND_NOT_FOUND = 1,
    GW_ERROR_DEVICE_NOT_ACTIVE = 2,
    GW_ERROR_DEVICE_NOT_FOUND = 3,
    GW_ERROR_KVM_MISSING_CAP = 4,
};

/*
 * Sets *errp (if errp is not NULL) to a new error. `code` is a negative
 * errno, and is returned, so that one can write
 * `return gw_error_set(errp, -EINVAL, "...")`. Any thread. Since 0.1.
 */
GW_API int gw_error_set(struct gw_error **errp, int code, const char *fmt, ...)
    GW_PRINTF(3, 4);

/* The same with a class other than GW_ERROR_GENERIC. Since 0.1. */
GW_API int gw_error_set_class(struct gw_error **errp,
                              enum gw_error_class error_class, int code,
                              const char *fmt, ...) GW_PRINTF(4, 5);

/* The same with the arguments as a list. Since 0.1. */
GW_API int gw_error_vset(struct gw_error **errp,
                         enum gw_error_class error_class, int code,
                         const char *fmt, va_list args) GW_PRINTF(4, 0);

/*
 * Like gw_error_set, with ": " and the host's text for the errno appended.
 * Since 0.1.
 */
GW_API int gw_error_set_errno(struct gw_error **errp, int code, const char *fmt,
                              ...) GW_PRINTF(3, 4);

/*
 * Puts "<formatted>: " before the text of *errp (nothing happens if errp or
 * *errp is NULL) and returns `code`. Since 0.1.
 */
GW_API int gw_error_prefix(struct gw_error **errp, int code, const char *fmt,
                           ...) GW_PRINTF(3, 4);

/* Negative errno; 0 if error is NULL. Since 0.1. */
GW_API int gw_error_code(const struct gw_error *error);

/* The class; GW_ERROR_GENERIC if error is NULL. Since 0.1. */
GW_API enum gw_error_class gw_error_class_of(const struct gw_error *error);

/* The text; lives as long as the error; "" if error is NULL. Since 0.1. */
GW_API const char *gw_error_text(const struct gw_error *error);

/* A copy, or NULL if error is NULL or memory is short. Since 0.1. */
GW_API struct gw_error *gw_error_dup(const struct gw_error *error);

/* Frees; accepts NULL; returns NULL. Since 0.1. */
GW_API struct gw_error *gw_error_free(struct gw_error *error);

GW_END_DECLS

#endif

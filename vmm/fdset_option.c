/*
 * Parsing and keeping of --add-fd.
 */
#include "fdset_option.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "util.h"

/* What the text says; numbers are -1 if it does not. */
struct parsed {
    int64_t fd;
    int64_t set;
    char *opaque; /* owned */
};

/* Cuts the text up to a single comma off; two stand for one. */
static char *cut_item(const char **text)
{
    char *item = malloc(strlen(*text) + 1);
    size_t len = 0;

    while (item && **text) {
        if (**text == ',' && *++*text != ',') {
            break;
        }
        item[len++] = *(*text)++;
    }
    if (item) {
        item[len] = '\0';
    }
    return item;
}

static int parse_number(const char *name, const char *text, int64_t *ret_number,
                        struct gw_error **errp)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0') {
        return gw_error_set(errp, -EINVAL, "Parameter '%s' expects a number",
                            name);
    }
    *ret_number = number;
    return 0;
}

/* The part after `name=`, or NULL. */
static const char *value_of(const char *item, const char *name)
{
    size_t len = strlen(name);

    return strncmp(item, name, len) == 0 && item[len] == '=' ? item + len + 1
                                                             : NULL;
}

static int parse_item(const char *item, struct parsed *parsed,
                      struct gw_error **errp)
{
    const char *value;

    if ((value = value_of(item, "fd"))) {
        return parse_number("fd", value, &parsed->fd, errp);
    }
    if ((value = value_of(item, "set"))) {
        return parse_number("set", value, &parsed->set, errp);
    }
    if ((value = value_of(item, "opaque"))) {
        free(parsed->opaque);
        parsed->opaque = strdup(value);
        return parsed->opaque ? 0 : gw_error_set_errno(errp, -ENOMEM, "opaque");
    }
    return gw_error_set(errp, -EINVAL, "Invalid parameter '%.*s'",
                        (int)strcspn(item, "="), item);
}

static int parse(const char *text, struct parsed *parsed,
                 struct gw_error **errp)
{
    int r = 0;

    while (r == 0 && *text) {
        VMM_AUTO_FREE char *item = cut_item(&text);

        r = item ? parse_item(item, parsed, errp)
                 : gw_error_set_errno(errp, -ENOMEM, "add-fd");
    }
    return r;
}

/* Ours are closed on exec: what is inherited is not. */
static bool is_inherited(int64_t fd)
{
    int flags = fd <= INT_MAX ? fcntl((int)fd, F_GETFD) : -1;

    return flags >= 0 && !(flags & FD_CLOEXEC);
}

static int check(const struct parsed *parsed, struct gw_error **errp)
{
    const char *text = NULL;

    if (parsed->fd < 0) {
        text = "fd option is required and must be non-negative";
    } else if (parsed->fd <= STDERR_FILENO) {
        text = "fd cannot be a standard I/O stream";
    } else if (!is_inherited(parsed->fd)) {
        text = "fd is not valid or already in use";
    } else if (parsed->set < 0) {
        text = "set option is required and must be non-negative";
    }
    return text ? gw_error_set(errp, -EINVAL, "%s", text) : 0;
}

/* Takes parsed->opaque on success. */
static int append(struct vmm_fdset_options *options, struct parsed *parsed,
                  struct gw_error **errp)
{
    struct vmm_fdset_option *items = realloc(
        options->items, (options->n_items + 1) * sizeof(options->items[0]));
    int fd;

    if (!items) {
        return gw_error_set_errno(errp, -ENOMEM, "add-fd");
    }
    options->items = items;
    fd = fcntl((int)parsed->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "error duplicating fd");
    }
    items[options->n_items++] =
        (struct vmm_fdset_option){.given_fd = (int)parsed->fd,
                                  .fd = fd,
                                  .set = parsed->set,
                                  .opaque = parsed->opaque};
    parsed->opaque = NULL;
    return 0;
}

int vmm_fdset_options_add(struct vmm_fdset_options *options, const char *value,
                          struct gw_error **errp)
{
    struct parsed parsed = {.fd = -1, .set = -1};
    int r = parse(value, &parsed, errp);

    if (r == 0) {
        r = check(&parsed, errp);
    }
    if (r == 0) {
        r = append(options, &parsed, errp);
    }
    free(parsed.opaque);
    return r;
}

void vmm_fdset_options_close_given(struct vmm_fdset_options *options)
{
    unsigned int i, j;

    for (i = 0; i < options->n_items; i++) {
        int fd = options->items[i].given_fd;

        if (fd < 0) {
            continue;
        }
        close(fd);
        for (j = i; j < options->n_items; j++) {
            if (options->items[j].given_fd == fd) {
                options->items[j].given_fd = -1;
            }
        }
    }
}

void vmm_fdset_options_deinit(struct vmm_fdset_options *options)
{
    unsigned int i;

    for (i = 0; i < options->n_items; i++) {
        if (options->items[i].fd >= 0) {
            close(options->items[i].fd);
        }
        free(options->items[i].opaque);
    }
    free(options->items);
    *options = (struct vmm_fdset_options){0};
}

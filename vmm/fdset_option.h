/*
 * `--add-fd fd=N,set=M[,opaque=TEXT]`: inherited descriptors that make up
 * /dev/fdset/M.
 */
#ifndef VMM_FDSET_OPTION_H
#define VMM_FDSET_OPTION_H

#include <stdint.h>

#include <godwit/error.h>

/* One descriptor for a set. */
struct vmm_fdset_option {
    /* The number that was given; inherited. */
    int given_fd;
    /* A duplicate, closed on exec; owned. */
    int fd;
    /* The set. */
    int64_t set;
    /* For query-fdsets; owned, or NULL. */
    char *opaque;
};

/* All of a command line. */
struct vmm_fdset_options {
    /* Owned. */
    struct vmm_fdset_option *items;
    unsigned int n_items;
};

/* Adds one. -EINVAL with QEMU's texts: also if N is not inherited. */
int vmm_fdset_options_add(struct vmm_fdset_options *options, const char *value,
                          struct gw_error **errp) GW_MUST_CHECK;

/*
 * Closes the given descriptors, each of which may be in several sets: once
 * they are removed from the sets, nobody has the files open.
 */
void vmm_fdset_options_close_given(struct vmm_fdset_options *options);

void vmm_fdset_options_deinit(struct vmm_fdset_options *options);

#endif

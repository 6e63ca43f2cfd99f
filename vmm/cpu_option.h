/*
 * The option --cpu: which CPU the guest sees.
 */
#ifndef VMM_CPU_OPTION_H
#define VMM_CPU_OPTION_H

#include <godwit/compat.h>
#include <godwit/error.h>

/* The most features that can be taken away. */
#define VMM_CPU_FEATURES_MAX 64

struct vmm_cpu_option {
    /* What the host has and the guest shall not see. */
    struct gw_cpu_feature removed[VMM_CPU_FEATURES_MAX];
    unsigned int n_removed;
};

/* Parses host[,-FEATURE|,FEATURE=off]...; replaces what was there. */
int vmm_cpu_option_parse(struct vmm_cpu_option *option, const char *text,
                         struct gw_error **errp) GW_MUST_CHECK;

#endif

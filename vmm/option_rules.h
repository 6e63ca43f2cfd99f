/*
 * Inside of the command line: the rules of options, by subject. Each file of
 * rules has a table; together they give both the parser and the help text.
 */
#ifndef VMM_OPTION_RULES_H
#define VMM_OPTION_RULES_H

#include "options.h"

struct vmm_option_rule {
    /* Names without dashes; alias may be NULL. */
    const char *name;
    const char *alias;
    /* Placeholder of its value, or NULL if it takes none. */
    const char *value;
    const char *help;
    int (*apply)(struct vmm_options *options, const char *value,
                 struct gw_error **errp);
};

/* Tables; an entry without a name ends them. */
extern const struct vmm_option_rule vmm_machine_rules[];
extern const struct vmm_option_rule vmm_control_rules[];
extern const struct vmm_option_rule vmm_host_rules[];
extern const struct vmm_option_rule vmm_device_rules[];

#endif

/*
 * The command line: finding the rule of each word, and the list of them.
 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "option_rules.h"
#include "util.h"

#define DEFAULT_MEMORY_BYTES (128ull << 20)

static int apply_sandbox(struct vmm_options *options, const char *value,
                         struct gw_error **errp)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is not one of on, off", value);
    }
    options->sandbox = strcmp(value, "on") == 0;
    return 0;
}

static int apply_help(struct vmm_options *options, const char *value,
                      struct gw_error **errp)
{
    options->help = true;
    return 0;
}

static const struct vmm_option_rule program_rules[] = {
    {"sandbox", NULL, "on|off", "drop privileges before the guest runs",
     apply_sandbox},
    {"h", "help", NULL, "this list", apply_help},
    {NULL, NULL, NULL, NULL, NULL},
};

/* In the order of the help text. */
static const struct vmm_option_rule *const tables[] = {
    vmm_machine_rules, vmm_control_rules, vmm_host_rules,
    vmm_device_rules,  program_rules,
};

void vmm_options_init(struct vmm_options *options)
{
    memset(options, 0, sizeof(*options));
    options->memory_bytes = DEFAULT_MEMORY_BYTES;
    options->smp = 1;
    vmm_machine_options_init(&options->machine);
    options->sandbox = true;
}

void vmm_options_deinit(struct vmm_options *options)
{
    free(options->serial.path);
    options->serial.path = NULL;
    for (unsigned int i = 0; i < options->n_monitors; i++) {
        free(options->monitors[i].chardev.path);
    }
    options->n_monitors = 0;
    vmm_fdset_options_deinit(&options->fdsets);
    vmm_virtio_options_deinit(&options->virtio);
}

static bool name_matches(const char *name, const char *text, size_t len)
{
    return name && strlen(name) == len && strncmp(name, text, len) == 0;
}

static const struct vmm_option_rule *find_name(const char *text, size_t len)
{
    for (size_t i = 0; i < VMM_ARRAY_SIZE(tables); i++) {
        for (const struct vmm_option_rule *rule = tables[i]; rule->name;
             rule++) {
            if (name_matches(rule->name, text, len) ||
                name_matches(rule->alias, text, len)) {
                return rule;
            }
        }
    }
    return NULL;
}

/* The rule of a word such as "-m", "--memory" or "--memory=1G". */
static const struct vmm_option_rule *find_rule(const char *word,
                                               const char **ret_value)
{
    const struct vmm_option_rule *rule;
    const char *text = word;
    size_t len;

    if (*text != '-') {
        return NULL;
    }
    text += text[1] == '-' ? 2 : 1;
    len = strcspn(text, "=");
    rule = find_name(text, len);
    if (rule) {
        *ret_value = text[len] == '=' ? text + len + 1 : NULL;
    }
    return rule;
}

/* Only one user of standard input and output. */
static int check_stdio(struct vmm_options *options, struct gw_error **errp)
{
    unsigned int n =
        options->has_serial && options->serial.kind == VMM_CHARDEV_STDIO;

    for (unsigned int i = 0; i < options->n_monitors; i++) {
        n += options->monitors[i].chardev.kind == VMM_CHARDEV_STDIO;
    }
    if (n > 1) {
        return gw_error_set(errp, -EINVAL,
                            "stdio cannot be used by more than one of "
                            "--serial, --qmp and --monitor");
    }
    if (!options->has_serial) {
        options->serial.kind = n == 0 ? VMM_CHARDEV_STDIO : VMM_CHARDEV_NONE;
    }
    return 0;
}

int vmm_options_parse(struct vmm_options *options, int argc, char **argv,
                      struct gw_error **errp)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char *value = NULL;
        const struct vmm_option_rule *rule = find_rule(word, &value);
        int r;

        if (!rule) {
            return gw_error_set(errp, -EINVAL, "unknown option '%s'", word);
        }
        if (!rule->value && value) {
            return gw_error_set(errp, -EINVAL, "option '%s' takes no value",
                                word);
        }
        if (rule->value && !value) {
            if (i + 1 == argc) {
                return gw_error_set(errp, -EINVAL, "option '%s' needs a value",
                                    word);
            }
            value = argv[++i];
        }
        r = rule->apply(options, value, errp);
        if (r < 0) {
            return gw_error_prefix(errp, r, "option '%s'", word);
        }
    }
    vmm_fdset_options_close_given(&options->fdsets);
    return check_stdio(options, errp);
}

static void print_rule(FILE *to, const struct vmm_option_rule *rule)
{
    char names[64];

    snprintf(names, sizeof(names), "%s%s%s%s%s%s",
             strlen(rule->name) == 1 ? "-" : "--", rule->name,
             rule->alias ? ", --" : "", rule->alias ? rule->alias : "",
             rule->value ? " " : "", rule->value ? rule->value : "");
    fprintf(to, "  %-22s %s\n", names, rule->help);
}

void vmm_options_print(FILE *to)
{
    for (size_t i = 0; i < VMM_ARRAY_SIZE(tables); i++) {
        for (const struct vmm_option_rule *rule = tables[i]; rule->name;
             rule++) {
            print_rule(to, rule);
        }
    }
}

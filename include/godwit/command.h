/*
 * Commands of the embedder's own, beside those of the library: what only a
 * VMM can do, such as resetting the machine or pressing its power button.
 *
 * One function serves both monitors: as a command of QMP with checked
 * arguments and a JSON object as its answer, and as a line of HMP with words
 * and text. Each command has a name in one of them or in both.
 */
#ifndef GW_GODWIT_COMMAND_H
#define GW_GODWIT_COMMAND_H

#include <godwit/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_control;
struct gw_reply;

/* The most arguments of a command. */
#define GW_ARGUMENTS_MAX 4

enum gw_argument_type {
    /* Text. */
    GW_ARGUMENT_STRING = 0,
    /* true or false in QMP, on or off in HMP. */
    GW_ARGUMENT_BOOL = 1,
    /* 64 bits with sign. */
    GW_ARGUMENT_INT = 2,
    /* Bytes; people give MiB to HMP, and no negative number. */
    GW_ARGUMENT_MEMORY = 3,
};

/* An argument; in HMP a word, optional ones come last. */
struct gw_argument {
    const char *name;           /* in QMP */
    enum gw_argument_type type; /* of its value */
    bool optional;              /* may be left out */
};

/* What was given for an argument; the member of its type is set. */
struct gw_value {
    bool given;         /* false: an optional one was left out */
    bool boolean;       /* of GW_ARGUMENT_BOOL */
    int64_t integer;    /* of GW_ARGUMENT_INT, GW_ARGUMENT_MEMORY */
    const char *string; /* of GW_ARGUMENT_STRING; lent for the call */
};

struct gw_command {
    /* In QMP: "system_reset"; NULL: QMP has it not. */
    const char *name;
    /* In HMP: "system_reset", "info balloon"; NULL: HMP has it not. */
    const char *hmp_name;
    /* For HMP's help: the arguments, and what it does. */
    const char *usage;
    const char *help;
    /* In the order of HMP; n_arguments is at most GW_ARGUMENTS_MAX. */
    const struct gw_argument *arguments;
    size_t n_arguments;
    /*
     * Does it. On the thread of a monitor, one command at a time: the others
     * wait meanwhile. `values` has one for each argument. May answer with
     * gw_reply_json and gw_reply_text; without an answer QMP's is {} and
     * HMP's is nothing. On failure the error is shown, with its class. It may
     * change the run state and emit events; events that it emits itself come
     * before the reply. It may not use the control object.
     */
    int (*run)(void *opaque, const struct gw_value *values,
               struct gw_reply *reply, struct gw_error **errp);
};

/*
 * Adds commands, before any monitor is attached (-EBUSY afterwards). The
 * table lives as long as the control object. -EEXIST: a name is taken;
 * -EINVAL: a command has neither name, or too many arguments; none is added
 * then. Since 0.1.
 */
GW_API int gw_control_add_commands(struct gw_control *control,
                                   const struct gw_command *commands, size_t n,
                                   void *opaque, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * The answer in QMP: one JSON object as text, formatted like printf; strings
 * in it are the caller's to quote. No effect for HMP. Since 0.1.
 */
GW_API void gw_reply_json(struct gw_reply *reply, const char *fmt, ...)
    GW_PRINTF(2, 3);

/*
 * The answer in HMP: text, each line with its "\n". May be called more than
 * once. No effect for QMP. Since 0.1.
 */
GW_API void gw_reply_text(struct gw_reply *reply, const char *fmt, ...)
    GW_PRINTF(2, 3);

GW_END_DECLS

#endif

/*
 * The subcommands of the program. Each takes the words from its own name on
 * and returns the exit status: 0 good, 1 failed, 2 wrong use.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* Exit statuses. */
#define CLI_OK 0
#define CLI_FAILED 1
#define CLI_USAGE 2

int cmd_compat(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_ctl(int argc, char **argv);
int cmd_run(int argc, char **argv);

#endif

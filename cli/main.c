/*
 * The program godwit: finds the subcommand and calls it.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <godwit/version.h>

/* A subcommand. */
struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static int cmd_help(int argc, char **argv);

static const struct command commands[] = {
    {"run", cmd_run, "run a virtual machine, or restore one"},
    {"inspect", cmd_inspect, "show what is in a saved file"},
    {"convert", cmd_convert, "rewrite a saved file in another format"},
    {"compat", cmd_compat, "say what would stop a move from A to B"},
    {"ctl", cmd_ctl, "send a command to a monitor of godwit or of QEMU"},
    {"help", cmd_help, "this list, or the help of a command"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_usage(FILE *to)
{
    fputs("usage: godwit COMMAND [ARGUMENT...]\n"
          "       godwit --help | --version\n"
          "\n"
          "Saves, restores and moves virtual machines in QEMU's migration "
          "format.\n"
          "\n"
          "Commands:\n",
          to);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
    }
    fputs("\n'godwit COMMAND --help' explains a command.\n", to);
}

static int unknown_command(const char *name)
{
    fprintf(stderr,
            "godwit: unknown command '%s'\n"
            "Try 'godwit --help'.\n",
            name);
    return CLI_USAGE;
}

/* `godwit help run` is `godwit run --help`. */
static int cmd_help(int argc, char **argv)
{
    const struct command *command;
    char option[] = "--help";
    char *words[] = {NULL, option, NULL};

    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return CLI_OK;
    }
    command = find_command(argv[1]);
    if (!command) {
        return unknown_command(argv[1]);
    }
    words[0] = argv[1];
    return command->run(2, words);
}

static int print_version(void)
{
    printf("godwit %s\n", gw_version_string());
    printf("Optional features: %s\n", CLI_FEATURES);
    return CLI_OK;
}

static int finish(int status)
{
    if (fflush(stdout) != 0 && status == CLI_OK) {
        perror("godwit: standard output");
        return CLI_FAILED;
    }
    return status;
}

int main(int argc, char **argv)
{
    const struct command *command;
    char name[32];

    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return finish(CLI_OK);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        return finish(print_version());
    }
    command = find_command(argv[1]);
    if (!command) {
        return unknown_command(argv[1]);
    }
    /* As getopt calls it in its messages. */
    snprintf(name, sizeof(name), "godwit %s", command->name);
    argv[1] = name;
    return finish(command->run(argc - 1, argv + 1));
}

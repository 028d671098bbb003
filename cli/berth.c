/* SPDX-License-Identifier: Apache-2.0 */

/* berth: the command line.  Finds the command and runs it. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/cli.h"
#include "cli/commands.h"

typedef const struct cli_command *command_fn(void);

static command_fn *const commands[] = {
    cmd_validate_command, cmd_discover_command, cmd_observe_command, cmd_diff_command,
    cmd_plan_command,     cmd_apply_command,    cmd_migrate_command, cmd_steps_command,
    cmd_drain_command,    cmd_evacuate_command, cmd_undrain_command, cmd_rollback_command,
    cmd_status_command,   cmd_watch_command,    cmd_history_command, cmd_explain_command,
    cmd_steer_cancel,     cmd_steer_hold,       cmd_steer_release,   cmd_steer_retry,
    cmd_steer_check,
};

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i]()->name, name) == 0) {
            return commands[i]();
        }
    }
    return NULL;
}

static void print_usage(FILE *stream)
{
    (void)fprintf(stream,
                  "usage: berth COMMAND [options] [arguments]\n\n"
                  "Keeps virtual machines on the hosts where a file, es.xml, says they belong.\n\n"
                  "Commands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const struct cli_command *command = commands[i]();

        (void)fprintf(stream, "  %-10s %-14s %s\n", command->name, command->arguments,
                      command->summary);
    }
    (void)fprintf(
        stream,
        "\n'berth COMMAND --help' tells more.  Every command takes -c FILE (default %s)\n"
        "and --json.\n\n"
        "Exit status: 0 done or nothing to do, 1 something failed, 2 bad usage, config or es.xml,\n"
        "3 (plan and diff with --exit-code) changes are pending, 4 some guest is blocked,\n"
        "5 cancelled.\n",
        CONFIG_DEFAULT_PATH);
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    struct cli cli = { .command = command->name, .colour = cli_has_colour(STDOUT_FILENO) };
    int status;

    status = command->run(&cli, argc, argv);
    arena_deinit(&cli.arena);
    return status;
}

static int help(int argc, char **argv)
{
    const struct cli_command *command = argc > 2 ? find_command(argv[2]) : NULL;
    char option[] = "--help";
    char *arguments[] = { argv[0], option, NULL };

    if (command != NULL) {
        return run_command(command, 2, arguments);
    }
    print_usage(stdout);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    const struct cli_command *command;
    const char *name = argc > 1 ? argv[1] : NULL;

    cli_begin();
    if (name == NULL) {
        print_usage(stderr);
        return CLI_INVALID;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return cli_end(help(argc, argv));
    }
    if (strcmp(name, "--version") == 0) {
        printf("berth %s\n", BERTH_VERSION);
        return cli_end(CLI_OK);
    }
    command = find_command(name);
    if (command == NULL) {
        cli_error("'berth help' lists the commands", "there is no command '%s'", name);
        return CLI_INVALID;
    }
    return cli_end(run_command(command, argc - 1, argv + 1));
}

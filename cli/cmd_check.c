/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/steer.h"

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    struct steer steer = { .verb = ORDER_CHECK };
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 0, 0);

    if (status >= 0) {
        return status;
    }
    steer.name = argc > 0 ? argv[0] : NULL;
    return steer_run(cli, &steer);
}

static const struct cli_command command = {
    .name = "check",
    .arguments = "",
    .summary = "let the controller look at the file and the hosts now",
    .details = "Asks the berthd that runs: it corrects what drifted as it does at its own times.",
    .run = run,
};

const struct cli_command *cmd_check_command(void)
{
    return &command;
}

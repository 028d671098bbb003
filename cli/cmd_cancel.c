/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/steer.h"

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    struct steer steer = { .verb = ORDER_CANCEL, .guest = true };
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 0, 1);

    if (status >= 0) {
        return status;
    }
    steer.name = argc > 0 ? argv[0] : NULL;
    return steer_run(cli, &steer);
}

static const struct cli_command command = {
    .name = "cancel",
    .arguments = "[GUEST]",
    .summary = "end the running move with its guest where it was, and hold the guest",
    .details =
        "Asks the berthd that runs.  With GUEST, only if it is that one that is moving.  'berth release GUEST'\n"
        "lets it move again.",
    .run = run,
};

const struct cli_command *cmd_cancel_command(void)
{
    return &command;
}

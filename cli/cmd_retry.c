/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/steer.h"

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    struct steer steer = { .verb = ORDER_RETRY, .guest = true };
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 1, 1);

    if (status >= 0) {
        return status;
    }
    steer.name = argc > 0 ? argv[0] : NULL;
    return steer_run(cli, &steer);
}

static const struct cli_command command = {
    .name = "retry",
    .arguments = "GUEST",
    .summary = "forget that moving a guest failed, so that it is tried again at once",
    .details =
        "For a guest that is parked after a permanent error, waits for its next try, or was cancelled.",
    .run = run,
};

const struct cli_command *cmd_retry_command(void)
{
    return &command;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/steer.h"

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    struct steer steer = { .verb = ORDER_HOLD };
    const struct cli_option options[] = {
        { .name = "reason",
          .letter = 'r',
          .value = "TEXT",
          .help = "why, for whoever reads 'berth status'",
          .text = &steer.reason },
        STEER_OPTIONS(steer),
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 1);

    if (status >= 0) {
        return status;
    }
    steer.name = argc > 0 ? argv[0] : NULL;
    return steer_run(cli, &steer);
}

static const struct cli_command command = {
    .name = "hold",
    .arguments = "[GUEST|HOST]",
    .summary = "move nothing of a guest or a host, or at all, until it is released",
    .details =
        "A move that runs already goes on: 'berth cancel' ends it.  A hold stays across restarts.",
    .run = run,
};

const struct cli_command *cmd_hold_command(void)
{
    return &command;
}

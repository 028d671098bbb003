/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/steer.h"

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    struct steer steer = { .verb = ORDER_RELEASE };
    const struct cli_option options[] = { STEER_OPTIONS(steer) };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 1);

    if (status >= 0) {
        return status;
    }
    steer.name = argc > 0 ? argv[0] : NULL;
    return steer_run(cli, &steer);
}

static const struct cli_command command = {
    .name = "release",
    .arguments = "[GUEST|HOST]",
    .summary = "let move again what was held or cancelled",
    .details = "What a hold of something else covers stays held.",
    .run = run,
};

const struct cli_command *cmd_release_command(void)
{
    return &command;
}

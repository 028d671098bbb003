/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "diff/diff.h"
#include "diff/diff_json.h"
#include "diff/render.h"

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    bool exit_code = false;
    const struct cli_option options[] = {
        REACH_SIGHT_OPTIONS(sight),
        { .name = "exit-code",
          .help = "exit with 3 if any guest is not where the file wants it",
          .flag = &exit_code },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 0);
    struct text text = text_new(&cli->arena);
    struct diff diff;

    if (status >= 0) {
        return status;
    }
    status = reach_see(cli, &sight);
    if (status != 0) {
        return status;
    }
    diff = diff_compute(&cli->arena, &sight.revision.desired, &sight.view.observed);
    if (cli->json) {
        diff_json_write(&text, &diff);
    } else {
        render_diff(&cli->arena, &text, &diff, cli->colour);
    }
    status = cli_print(text.data, text.length);
    if (status == CLI_OK && exit_code &&
        diff.count > diff.counts[DIFF_PLACED] + diff.counts[DIFF_UNMANAGED]) {
        return CLI_PENDING;
    }
    return status;
}

static const struct cli_command command = {
    .name = "diff",
    .arguments = "",
    .summary = "list the guests that are not where the file wants them",
    .details =
        "One line a guest, with its class: misplaced, missing, duplicate, unmanaged, unknown.\n"
        "Nothing is printed when every guest is in its place.",
    .run = run,
};

const struct cli_command *cmd_diff_command(void)
{
    return &command;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "diff/diff.h"
#include "diff/diff_json.h"
#include "diff/render.h"
#include "reconciler/ledger.h"
#include "reconciler/view.h"

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    const char *es = NULL;
    const char *observed = NULL;
    bool exit_code = false;
    const struct cli_option options[] = {
        { .name = "es",
          .value = "FILE",
          .help = "read FILE in place of the config's es_xml",
          .text = &es },
        { .name = "observed",
          .value = "FILE",
          .help = "compare with a recorded observation ('-': stdin), ask no host",
          .text = &observed },
        { .name = "exit-code",
          .help = "exit with 3 if any guest is not where the file wants it",
          .flag = &exit_code },
    };
    int status = cli_parse(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 0);
    struct text text = text_new(&cli->arena);
    struct revision revision;
    struct ledger ledger;
    struct view view;
    struct diff diff;

    if (status >= 0) {
        return status;
    }
    status = cli_load_config(cli);
    if (status == 0) {
        status = reach_view(cli, es, observed, &revision, &ledger, &view);
    }
    if (status != 0) {
        return status;
    }
    diff = diff_compute(&cli->arena, &revision.desired, &view.observed);
    if (cli->json) {
        diff_json_write(&text, &diff);
    } else {
        render_diff(&cli->arena, &text, &diff, cli->colour);
    }
    status = cli_print(text.data, text.length);
    ledger_deinit(&ledger);
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

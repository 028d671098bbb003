/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/revive.h"
#include "diff/resurrect.h"

static int evacuate(struct edit *edit, const char *name)
{
    struct resurrection resurrection;
    uint32_t host = DESIRED_NONE;
    struct err err;
    int status = edit_begin(edit);

    if (status == 0) {
        status = edit_find_host(edit, name, &host);
    }
    if (status == 0) {
        status = revive_look(edit, name);
    }
    if (status != 0) {
        return status;
    }
    if (resurrect_host(&edit->cli->arena, &edit->sight.view.input, name, &resurrection, &err) !=
        0) {
        return cli_fail(&err);
    }
    status = edit_place(edit, resurrection.edits, resurrection.edit_count);
    if (status != 0) {
        return status;
    }
    edit_force(edit, &resurrection.plan);
    if (edit->plan.move_count > 0) {
        return edit_carry_out(edit);
    }
    if (edit->blocked_count > 0) {
        return edit_refuse(edit);
    }
    (void)fprintf(stderr, "no guest of the file is known to be down with '%s'\n", name);
    return edit_leave(edit);
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(edit) struct edit edit = { .cli = cli };
    const struct cli_option options[] = {
        { .name = "source-is-dead",
          .value = "HOST",
          .help = "you have made sure that HOST is off and stays so",
          .text = &edit.dead },
        EDIT_OPTIONS(edit),
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 1, 1);

    if (status >= 0) {
        return status;
    }
    if (edit.dead != NULL && strcmp(edit.dead, argv[0]) != 0) {
        cli_error(NULL, "evacuate: --source-is-dead: '%s' is not '%s'", edit.dead, argv[0]);
        return CLI_INVALID;
    }
    return evacuate(&edit, argv[0]);
}

static const struct cli_command command = {
    .name = "evacuate",
    .arguments = "HOST",
    .summary = "start the guests of a dead host elsewhere",
    .details =
        "For a host that does not answer; 'berth drain' empties one that does.  Chooses hosts for the guests\n"
        "that ran there, the most important first, shows the choice and who stays down and why, asks, edits\n"
        "es.xml, and starts them one after the other from their last known definitions; where berthd runs,\n"
        "that does it.  Each is started only if it is proven that it runs nowhere: the host is fenced (see\n"
        "berth.conf(5)), or you say with --source-is-dead=HOST that you have made sure of it; and only if\n"
        "something keeps HOST from starting it again when it returns.  See docs/failover.md.",
    .run = run,
};

const struct cli_command *cmd_evacuate_command(void)
{
    return &command;
}

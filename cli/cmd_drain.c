/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "diff/evacuate.h"

static int drain(struct edit *edit, const char *name, bool partial)
{
    struct evacuation evacuation;
    uint32_t host = DESIRED_NONE;
    int status = edit_begin(edit);

    if (status == 0) {
        status = edit_find_host(edit, name, &host);
    }
    if (status == 0) {
        status = edit_look(edit);
    }
    if (status != 0) {
        return status;
    }
    evacuation = evacuate_find(&edit->cli->arena, &edit->sight.view.input, host);
    status = edit_place(edit, evacuation.edits, evacuation.edit_count);
    if (status == 0) {
        status = edit_plan(edit);
    }
    if (status != 0) {
        return status;
    }
    edit->blocked = evacuation.blocked;
    edit->blocked_count = evacuation.block_count;
    edit_add_blocks(edit, evacuation.edits, evacuation.edit_count);
    edit->drained = name;
    if (edit->blocked_count > 0 && !partial) {
        status = edit_refuse(edit);
        if (evacuation.edit_count > 0) {
            (void)fputs("hint: --partial takes the others away\n", stderr);
        }
        return status;
    }
    return edit_carry_out(edit);
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(edit) struct edit edit = { .cli = cli };
    bool partial = false;
    const struct cli_option options[] = {
        { .name = "partial",
          .help = "take away who can leave, though others must stay",
          .flag = &partial },
        EDIT_OPTIONS(edit),
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 1, 1);

    return status >= 0 ? status : drain(&edit, argv[0], partial);
}

static const struct cli_command command = {
    .name = "drain",
    .arguments = "HOST",
    .summary = "put all guests of a host on other hosts, so that it is empty",
    .details =
        "Chooses a host for every guest that es.xml puts on HOST so that all of them fit together, shows\n"
        "the choice and the plan for it, asks, edits es.xml in one go, and moves the guests; where berthd\n"
        "runs, that does it.  If a guest cannot leave, says why and changes nothing.  'berth undrain HOST'\n"
        "brings the guests back.  Done means that the host itself has none of them any more.",
    .run = run,
};

const struct cli_command *cmd_drain_command(void)
{
    return &command;
}

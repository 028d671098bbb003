/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "cli/run.h"
#include "diff/render.h"

/* A typing error must not look like 'nothing to do'. */
static int check_only(struct cli *cli, const char *only)
{
    struct revision revision;
    int status = only == NULL ? 0 : cli_load_revision(cli, NULL, &revision);

    if (only != NULL && status == 0 &&
        desired_find_guest(&revision.desired, only) == DESIRED_NONE) {
        cli_error("'berth diff' lists the guests that are not in their place",
                  "apply: --only: '%s' names no guest '%s'", cli->config.es_xml, only);
        status = CLI_INVALID;
    }
    return status;
}

/* Shows what would be done and asks; -1 to go on, with '*agreed', else the exit status. */
static int ask(struct cli *cli, const char *only, const char **agreed)
{
    struct text text = text_new(&cli->arena);
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    struct plan plan;
    int status = reach_see(cli, &sight);

    if (status != 0) {
        return status;
    }
    plan = run_plan(cli, &sight, only);
    render_plan(&cli->arena, &text, &plan, cli->colour);
    if (cli_print(text.data, text.length) != CLI_OK) {
        return CLI_FAILED; /* Nobody agrees to what they cannot read. */
    }
    if (plan.move_count == 0 && sight.ledger.move_count == 0 && sight.ledger.owed_count == 0) {
        return plan.block_count > 0 ? CLI_BLOCKED : CLI_OK;
    }
    if (sight.ledger.move_count > 0) {
        (void)fprintf(stderr, "%zu unfinished move%s of an earlier run will be settled first.\n",
                      sight.ledger.move_count, sight.ledger.move_count == 1 ? "" : "s");
    }
    *agreed = text.data;
    return run_is_wanted() ? -1 : CLI_CANCELLED;
}

/* What was done is done, whether or not it can be written down here. */
static int finish_json(const struct text *json, int status)
{
    int printed = cli_print(json->data, json->length);

    return status == CLI_OK ? printed : status;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    const char *only = NULL;
    bool yes = false;
    const struct cli_option options[] = {
        { .name = "yes", .letter = 'y', .help = "do not ask first", .flag = &yes },
        { .name = "only", .value = "GUEST", .help = "move this guest alone", .text = &only },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 0);
    struct text json = text_new(&cli->arena);
    struct run_request request = { .json = cli->json ? &json : NULL };

    if (status >= 0) {
        return status;
    }
    status = check_only(cli, only);
    if (status != 0) {
        return status;
    }
    if (!yes && !run_can_ask(cli, "'berth plan' shows what would be done; --yes does it")) {
        return CLI_INVALID;
    }
    if (!yes) {
        status = ask(cli, only, &request.agreed);
        if (status >= 0) {
            return status;
        }
    }
    request.only = only;
    status = run_moves(cli, &request);
    return cli->json ? finish_json(&json, status) : status;
}

static const struct cli_command command = {
    .name = "apply",
    .arguments = "",
    .summary = "run the plan, one move at a time; takes up what an earlier run left",
    .details =
        "Looks at every host again after each move.  Running guests are migrated live and keep running,\n"
        "unless berth.conf says offline or park; nothing is ever stopped unasked.\n"
        "Ctrl-C cancels the running move, its guest stays where it was; a second one leaves at once.\n"
        "A run that is killed loses nothing: the next one settles what was left half done.",
    .run = run,
};

const struct cli_command *cmd_apply_command(void)
{
    return &command;
}

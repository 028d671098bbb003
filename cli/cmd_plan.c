/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "diff/render.h"
#include "diff/verify.h"

static const struct cli_command command;

static int exit_status(const struct plan *plan, bool exit_code)
{
    if (plan->block_count > 0) {
        return CLI_BLOCKED;
    }
    return exit_code && plan->move_count > 0 ? CLI_PENDING : CLI_OK;
}

static int print_plan(struct cli *cli, const struct plan *plan, bool dot)
{
    struct text text = text_new(&cli->arena);

    if (cli->json) {
        plan_json_write(&text, plan);
    } else if (dot) {
        render_dot(&text, plan);
    } else {
        render_plan(&cli->arena, &text, plan, cli->colour);
    }
    return cli_print(text.data, text.length);
}

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    bool dot = false;
    bool exit_code = false;
    const struct cli_option options[] = {
        REACH_SIGHT_OPTIONS(sight),
        { .name = "dot", .help = "print a graph for graphviz", .flag = &dot },
        { .name = "exit-code", .help = "exit with 3 if moves are pending", .flag = &exit_code },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 0);
    struct plan plan;
    struct err err;

    if (status >= 0) {
        return status;
    }
    status = reach_see(cli, &sight);
    if (status != 0) {
        return status;
    }
    plan = view_plan(&cli->arena, &sight.view);
    if (verify_plan(&sight.view.input, &plan, 0, &err) != 0) {
        return cli_fail(&err);
    }
    status = print_plan(cli, &plan, dot);
    return status == CLI_OK ? exit_status(&plan, exit_code) : status;
}

static const struct cli_command command = {
    .name = "plan",
    .arguments = "",
    .summary = "show the ordered moves, why each, and what is blocked",
    .details =
        "The moves are in an order in which no host exceeds its memory at any instant; --json has the\n"
        "proof of each.  With --observed nothing is asked of any host, daemon or state directory.\n"
        "Exit status 4: some guest is blocked, also when other moves are possible.",
    .run = run,
};

const struct cli_command *cmd_plan_command(void)
{
    return &command;
}

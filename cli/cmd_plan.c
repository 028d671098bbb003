/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/forecast.h"
#include "cli/reach.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "diff/render.h"
#include "diff/verify.h"

static const struct cli_command command;

struct wish {
    bool dot;
    bool exit_code;
    bool checks;
    bool all;
};

static int exit_status(const struct plan *plan, bool exit_code)
{
    if (plan->block_count > 0 || checks_failed(plan)) {
        return CLI_BLOCKED;
    }
    return exit_code && plan->move_count > 0 ? CLI_PENDING : CLI_OK;
}

static int print_plan(struct cli *cli, const struct plan *plan, const struct wish *wish)
{
    struct text text = text_new(&cli->arena);

    if (cli->json) {
        plan_json_write(&text, plan);
    } else if (wish->dot) {
        render_dot(&text, plan);
    } else {
        render_plan(&cli->arena, &text, plan, cli->colour);
        render_checks(&cli->arena, &text, plan, wish->all, cli->colour);
    }
    return cli_print(text.data, text.length);
}

static int refuse_wish(const struct wish *wish, const struct reach_sight *sight)
{
    if (wish->all && !wish->checks) {
        cli_error(NULL, "plan: --all: there are no checks without --checks");
        return CLI_INVALID;
    }
    if (wish->checks && sight->observed != NULL) {
        cli_error(NULL, "plan: --checks: hosts must be asked, and --observed asks none");
        return CLI_INVALID;
    }
    if (wish->checks && wish->dot) {
        cli_error(NULL, "plan: --checks: a graph (--dot) does not show them");
        return CLI_INVALID;
    }
    return 0;
}

static int show(struct cli *cli, struct reach_sight *sight, const struct wish *wish)
{
    struct plan plan = view_plan(&cli->arena, &sight->view);
    struct err err;
    int status;

    if (verify_plan(&sight->view.input, &plan, 0, &err) != 0) {
        return cli_fail(&err);
    }
    status = forecast_make(cli, sight->observed != NULL, &plan);
    if (status == 0 && wish->checks) {
        status = checks_make(cli, sight, &plan);
    }
    if (status == 0) {
        status = print_plan(cli, &plan, wish);
    }
    return status == CLI_OK ? exit_status(&plan, wish->exit_code) : status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    struct wish wish = { .dot = false };
    const struct cli_option options[] = {
        REACH_SIGHT_OPTIONS(sight),
        { .name = "dot", .help = "print a graph for graphviz", .flag = &wish.dot },
        { .name = "exit-code",
          .help = "exit with 3 if moves are pending",
          .flag = &wish.exit_code },
        { .name = "checks",
          .help = "ask the hosts whether each move can be made, and show what stands in the way",
          .flag = &wish.checks },
        { .name = "all", .help = "with --checks: what is in order, too", .flag = &wish.all },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 0);

    if (status >= 0) {
        return status;
    }
    status = refuse_wish(&wish, &sight);
    if (status == 0) {
        status = reach_see(cli, &sight);
    }
    return status == 0 ? show(cli, &sight, &wish) : status;
}

static const struct cli_command command = {
    .name = "plan",
    .arguments = "",
    .summary = "show the ordered moves, why each, and what is blocked",
    .details =
        "The moves are in an order in which no host exceeds its memory at any instant; --json has the\n"
        "proof of each.  How long a live move takes is told from earlier ones where there were any.  With --observed nothing is asked of any host, daemon or state directory.\n"
        "--checks makes the checks before each move now, and moves nothing: it shows those that failed, that\n"
        "warn, or that could not be made, with what to change.\n"
        "Exit status 4: some guest is blocked, also when other moves are possible, or a check failed.",
    .run = run,
};

const struct cli_command *cmd_plan_command(void)
{
    return &command;
}

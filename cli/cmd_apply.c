/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/follow.h"
#include "cli/reach.h"
#include "cli/run.h"
#include "diff/plan_json.h"
#include "diff/render.h"
#include "model/observed.h"
#include "reconciler/guard.h"

/* A typing error must not look like 'nothing to do'. */
static int check_only(struct cli *cli, const char *only, const struct revision *revision)
{
    int status = 0;

    if (only != NULL && desired_find_guest(&revision->desired, only) == DESIRED_NONE) {
        cli_error("'berth diff' lists the guests that are not in their place",
                  "apply: --only: '%s' names no guest '%s'", cli->config.es_xml, only);
        status = CLI_INVALID;
    }
    return status;
}

/* How many hosts may start guests now that their guards hold back; each is said. */
static size_t count_releases(struct cli *cli, const struct reach_sight *sight)
{
    const struct observed *observed = &sight->view.observed;
    size_t count = 0;

    for (size_t i = 0; cli->config.guard && i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];

        if (guard_holds(host)) {
            struct guard_judgement judgement =
                guard_judge(&cli->arena, observed, &sight->ledger, host);

            count += judgement.all || judgement.guest_count > 0 ? 1 : 0;
            (void)fprintf(stderr, "%s\n",
                          text_visible(&cli->arena, guard_text(&cli->arena, host, &judgement)));
        }
    }
    return count;
}

/* Prints what would be done, '*text'; 0, or the exit status. */
static int show(struct cli *cli, const char *only, struct reach_sight *sight, struct plan *plan,
                struct text *text)
{
    int status = reach_see(cli, sight);

    if (status == 0) {
        status = run_plan(cli, sight, only, plan);
    }
    if (status != 0) {
        return status;
    }
    if (cli->json) {
        plan_json_write(text, plan);
    } else {
        render_plan(&cli->arena, text, plan, cli->colour);
    }
    return cli_print(text->data, text->length);
}

/* Shows it and asks; -1 to go on, with '*agreed', else the exit status. */
static int ask(struct cli *cli, const char *only, const char **agreed)
{
    struct text text = text_new(&cli->arena);
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    struct plan plan;
    int status = show(cli, only, &sight, &plan, &text);

    if (status != 0) {
        return status; /* Nobody agrees to what they cannot read. */
    }
    if (count_releases(cli, &sight) == 0 && plan.move_count == 0 && sight.ledger.move_count == 0 &&
        sight.ledger.owed_count == 0) {
        return plan.block_count > 0 ? CLI_BLOCKED : CLI_OK;
    }
    if (sight.ledger.move_count > 0) {
        (void)fprintf(stderr, "%zu unfinished move%s of an earlier run will be settled first.\n",
                      sight.ledger.move_count, sight.ledger.move_count == 1 ? "" : "s");
    }
    *agreed = text.data;
    return run_is_wanted() ? -1 : CLI_CANCELLED;
}

/* As 'plan' does, but of those moves that would be made. */
static int rehearse(struct cli *cli, const char *only)
{
    struct text text = text_new(&cli->arena);
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    struct plan plan;
    int status = show(cli, only, &sight, &plan, &text);

    return status == 0 && plan.block_count > 0 ? CLI_BLOCKED : status;
}

/* What was done is done, whether or not it can be written down here. */
static int finish_json(const struct text *json, int status)
{
    int printed = cli_print(json->data, json->length);

    return status == CLI_OK ? printed : status;
}

/* A berthd that runs acts already, whatever somebody answers here: nobody is asked. */
static int follow(struct cli *cli, struct daemon *daemon, const char *only,
                  const struct revision *revision)
{
    struct text json = text_new(&cli->arena);
    const struct run_request request = { .only = only, .json = cli->json ? &json : NULL };
    int status = follow_moves(cli, daemon, &request, revision->digest);

    return cli->json ? finish_json(&json, status) : status;
}

static int act(struct cli *cli, const char *only, bool yes)
{
    struct text json = text_new(&cli->arena);
    struct run_request request = { .only = only, .json = cli->json ? &json : NULL };
    int status;

    if (!yes && !run_can_ask(cli, "'berth plan' shows what would be done; --yes does it")) {
        return CLI_INVALID;
    }
    if (!yes) {
        status = ask(cli, only, &request.agreed);
        if (status >= 0) {
            return status;
        }
    }
    status = run_moves(cli, &request);
    return cli->json ? finish_json(&json, status) : status;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    const char *only = NULL;
    bool yes = false;
    bool dry_run = false;
    const struct cli_option options[] = {
        { .name = "yes", .letter = 'y', .help = "do not ask first", .flag = &yes },
        { .name = "dry-run", .help = "show it, change nothing", .flag = &dry_run },
        { .name = "only", .value = "GUEST", .help = "move this guest alone", .text = &only },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 0);
    AUTO(daemon) struct daemon daemon = { .client = NULL };
    struct revision revision;
    struct err err;

    if (status >= 0) {
        return status;
    }
    if (daemon_find(cli, &daemon, &err) != 0) {
        return cli_fail(&err);
    }
    if (only != NULL || daemon.client != NULL) {
        status = cli_load_revision(cli, NULL, &revision);
        status = status == 0 ? check_only(cli, only, &revision) : status;
        if (status != 0) {
            return status;
        }
    }
    if (dry_run) {
        return rehearse(cli, only);
    }
    return daemon.client != NULL ? follow(cli, &daemon, only, &revision) : act(cli, only, yes);
}

static const struct cli_command command = {
    .name = "apply",
    .arguments = "",
    .summary = "run the plan, one move at a time; takes up what an earlier run left",
    .details =
        "Where berthd runs, that does it: the command asks it to look now, and looks on without asking.\n"
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

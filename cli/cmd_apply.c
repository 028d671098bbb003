/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "base/err.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/reach.h"
#include "diff/plan.h"
#include "diff/render.h"
#include "model/fault.h"
#include "model/json_token.h"
#include "reconciler/journal/journal.h"
#include "reconciler/ledger.h"
#include "reconciler/reconciler.h"
#include "reconciler/view.h"

struct apply {
    struct cli *cli;
    struct loop *loop;
    struct progress progress;
    struct reconciler *reconciler;
    struct reconciler_result result;
    const char *agreed; /* The plan as a person has seen it and said yes, or NULL. */
    bool planned;
    bool interrupted;
    bool unwritten; /* A result could not be written: said once, and the exit status tells. */
};

/* Moves go on when nobody can read of them. */
static void print(struct apply *apply, const struct text *text)
{
    apply->unwritten = apply->unwritten || cli_print(text->data, text->length) != CLI_OK;
}

static void show_plan(struct apply *apply, const struct plan *plan)
{
    struct text text = text_new(&apply->cli->arena);

    if (apply->planned) {
        if (plan->move_count > 0) {
            (void)fprintf(stderr, "planned anew: %zu move%s\n", plan->move_count,
                          plan->move_count == 1 ? "" : "s");
        }
        return;
    }
    apply->planned = true;
    render_plan(&apply->cli->arena, &text, plan, apply->cli->colour);
    if (!apply->cli->json && !text_equal(apply->agreed, text.data)) {
        print(apply, &text);
    }
}

static void on_event(void *context, const struct event *event)
{
    struct apply *apply = context;

    if (event->kind == EVENT_PLAN) {
        show_plan(apply, event->plan);
    } else if (event->kind == EVENT_FAULTS) {
        cli_refuse(apply->cli->config.es_xml, event->faults, event->err);
    } else {
        progress_show(&apply->progress, event);
    }
}

static void on_done(void *context, const struct reconciler_result *result)
{
    struct apply *apply = context;

    apply->result = *result;
    loop_stop(apply->loop);
}

/* The first signal ends the running move with its guest where it was; a second leaves at once: what runs
 * goes on, and the next 'berth apply' takes it up. */
static void on_signal(void *context)
{
    struct apply *apply = context;

    if (apply->interrupted) {
        (void)fprintf(stderr, "\nleaving: 'berth apply' takes up what goes on\n");
        apply->result.status = RECONCILER_CANCELLED;
        loop_stop(apply->loop);
        return;
    }
    apply->interrupted = true;
    (void)fprintf(stderr,
                  "\ncancelling: the running move is undone (once more: leave it running)\n");
    reconciler_cancel(apply->reconciler);
}

static const char *user_name(struct cli *cli)
{
    const struct passwd *entry = getpwuid(getuid());

    return entry != NULL ? arena_strdup(&cli->arena, entry->pw_name)
                         : text_format(&cli->arena, "uid %u", (unsigned)getuid());
}

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

/* Moves of 'only' alone (NULL: of all), and no word about why others stay. */
static struct plan make_plan(struct cli *cli, struct reach_sight *sight, const char *only)
{
    struct observed observed = sight->view.observed;
    struct plan plan;

    view_build(&sight->view, &cli->arena, &sight->revision, &observed, &sight->ledger, &cli->config,
               only, cli_now_ms());
    plan = plan_build(&cli->arena, &sight->view.input);
    view_drop_unasked(&plan, only);
    return plan;
}

/* A person's answer to whether to go on. */
static bool is_wanted(void)
{
    char answer[8] = "";

    (void)fputs("Go on? [y/N] ", stderr);
    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        (void)fputc('\n', stderr);
    }
    if (answer[0] == 'y' || answer[0] == 'Y') {
        return true;
    }
    (void)fputs("nothing was done\n", stderr);
    return false;
}

/* Shows what would be done and asks; -1 to go on, else the exit status. */
static int ask(struct apply *apply, const char *only)
{
    struct cli *cli = apply->cli;
    struct text text = text_new(&cli->arena);
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    struct plan plan;
    int status = reach_see(cli, &sight);

    if (status != 0) {
        return status;
    }
    plan = make_plan(cli, &sight, only);
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
    apply->agreed = text.data;
    return is_wanted() ? -1 : CLI_CANCELLED;
}

static void summarize_json(struct text *text, const struct reconciler_result *result)
{
    size_t count = result->plan == NULL ? 0 : result->plan->block_count;

    text_printf(text,
                "{\"format\":\"berth.apply/1\",\"status\":%d,\"moved\":%zu,\"failed\":%zu,"
                "\"unfinished\":%zu,\"blocked\":[",
                (int)result->status, result->moved, result->failed, result->stuck);
    for (size_t i = 0; i < count; i++) {
        const struct plan_block *block = &result->plan->blocked[i];

        text_printf(text, "%s\n {\"guest\":\"%s\",\"code\":\"%s\",\"reason\":", i == 0 ? "" : ",",
                    block->guest, plan_code_name(block->code));
        json_token_write_string(text, block->reason);
        text_append(text, "}");
    }
    text_append(text, "]}\n");
}

static void summarize(struct text *text, const struct reconciler_result *result)
{
    if (result->moved + result->failed + result->stuck == 0) {
        return;
    }
    text_printf(text, "%zu guest%s moved", result->moved, result->moved == 1 ? "" : "s");
    if (result->failed > 0) {
        text_printf(text, ", %zu move%s failed", result->failed, result->failed == 1 ? "" : "s");
    }
    if (result->stuck > 0) {
        text_printf(text, ", %zu unfinished: 'berth apply' takes %s up", result->stuck,
                    result->stuck == 1 ? "it" : "them");
    }
    if (result->blocked > 0) {
        text_printf(text, ", %zu guest%s blocked", result->blocked,
                    result->blocked == 1 ? " is" : "s are");
    }
    text_append(text, "\n");
}

static void print_summary(struct apply *apply)
{
    struct text text = text_new(&apply->cli->arena);

    if (apply->cli->json) {
        summarize_json(&text, &apply->result);
    } else {
        summarize(&text, &apply->result);
    }
    print(apply, &text);
}

static int act(struct apply *apply, const char *only)
{
    struct cli *cli = apply->cli;
    struct source source = source_file(cli->config.es_xml);
    struct reconciler_options options = { .program = "berth apply", .only = only };
    struct reconciler_world world = {
        .loop = apply->loop,
        .source = &source,
        .config = &cli->config,
        .events = { apply, on_event },
    };
    struct err err;

    options.user = user_name(cli);
    world.journal = journal_open(apply->loop, cli->config.state_dir, &err);
    if (world.journal == NULL) {
        return cli_fail(&err);
    }
    world.actuator = reach_open(cli, apply->loop, &err);
    if (world.actuator == NULL) {
        journal_close(world.journal);
        return cli_fail(&err);
    }
    apply->reconciler = reconciler_new(&world, &options);
    loop_uv_on_signal(apply->loop, SIGINT, on_signal, apply);
    loop_uv_on_signal(apply->loop, SIGTERM, on_signal, apply);
    reconciler_run(apply->reconciler, on_done, apply);
    loop_run(apply->loop);
    actuator_close(world.actuator);
    journal_close(world.journal);
    print_summary(apply);
    reconciler_free(apply->reconciler);
    return apply->unwritten && apply->result.status == RECONCILER_DONE ? CLI_FAILED
                                                                       : (int)apply->result.status;
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
    struct apply apply = { .cli = cli };

    if (status >= 0) {
        return status;
    }
    status = check_only(cli, only);
    if (status != 0) {
        return status;
    }
    if (!yes && (isatty(STDIN_FILENO) == 0 || cli->json)) {
        cli_error("'berth plan' shows what would be done; --yes does it",
                  "apply: nobody can be asked: stdin is no terminal");
        return CLI_INVALID;
    }
    if (!yes) {
        status = ask(&apply, only);
        if (status >= 0) {
            return status;
        }
    }
    apply.progress = progress_new();
    apply.loop = loop_uv_new();
    status = act(&apply, only);
    loop_uv_free(apply.loop);
    return status;
}

static const struct cli_command command = {
    .name = "apply",
    .arguments = "",
    .summary = "run the plan, one move at a time; takes up what an earlier run left",
    .details =
        "Looks at every host again after each move.  Running guests are migrated live and keep running,\n"
        "unless berth.conf says offline; nothing is ever stopped unasked.\n"
        "Ctrl-C cancels the running move, its guest stays where it was; a second one leaves at once.\n"
        "A run that is killed loses nothing: the next one settles what was left half done.",
    .run = run,
};

const struct cli_command *cmd_apply_command(void)
{
    return &command;
}

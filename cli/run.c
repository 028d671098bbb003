/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/forecast.h"
#include "cli/progress.h"
#include "cli/reach.h"
#include "cli/summary.h"
#include "diff/render.h"
#include "reconciler/journal/journal.h"
#include "reconciler/reconciler.h"
#include "reconciler/view.h"

struct run {
    const struct run_request *request;
    struct cli *cli;
    struct loop *loop;
    struct progress progress;
    struct reconciler *reconciler;
    struct reconciler_result result;
    bool planned;
    bool interrupted;
    bool unwritten; /* A result could not be written: said once, and the exit status tells. */
};

/* Moves go on when nobody can read of them. */
static void print(struct run *run, const struct text *text)
{
    run->unwritten = run->unwritten || cli_print(text->data, text->length) != CLI_OK;
}

static void show_plan(struct run *run, const struct plan *plan)
{
    bool shown = run_show_plan(run->cli, run->request, plan, run->planned);

    run->planned = true;
    run->unwritten = run->unwritten || !shown;
}

static void on_event(void *context, const struct event *event)
{
    struct run *run = context;

    if (event->kind == EVENT_PLAN) {
        show_plan(run, event->plan);
    } else if (event->kind == EVENT_FAULTS) {
        cli_refuse(run->cli->config.es_xml, event->faults, event->err);
    } else {
        progress_show(&run->progress, event);
    }
}

static void on_done(void *context, const struct reconciler_result *result)
{
    struct run *run = context;

    run->result = *result;
    loop_stop(run->loop);
}

/* The first signal ends the running move with its guest where it was; a second leaves at once: what runs
 * goes on, and the next 'berth apply' takes it up. */
static void on_signal(void *context)
{
    struct run *run = context;

    if (run->interrupted) {
        (void)fprintf(stderr, "\nleaving: 'berth apply' takes up what goes on\n");
        run->result.status = RECONCILER_CANCELLED;
        loop_stop(run->loop);
        return;
    }
    run->interrupted = true;
    (void)fprintf(stderr,
                  "\ncancelling: the running move is undone (once more: leave it running)\n");
    reconciler_cancel(run->reconciler);
}

static void on_forced(void *context, const struct err *err, const char *text)
{
    struct run *run = context;

    (void)text;
    run->request->forced->begun = err == NULL;
    if (err != NULL) {
        run->result.status = (enum reconciler_status)run_refuse_forced(err);
        loop_stop(run->loop);
    }
}

static void print_summary(struct run *run)
{
    const struct reconciler_result *result = &run->result;
    const struct summary summary = {
        .status = (int)result->status,
        .moved = result->moved,
        .failed = result->failed,
        .stuck = result->stuck,
        .blocked = result->blocked,
        .blocks = result->plan == NULL ? NULL : result->plan->blocked,
        .block_count = result->plan == NULL ? 0 : result->plan->block_count,
    };
    struct text text = text_new(&run->cli->arena);

    if (run->request->forced != NULL) {
        run->request->forced->summary = summary;
    } else if (run->request->json != NULL) {
        summary_json(run->request->json, &summary);
    } else {
        summary_text(&text, &summary);
        print(run, &text);
    }
}

static int act(struct run *run)
{
    struct cli *cli = run->cli;
    struct source source = source_file(cli->config.es_xml);
    struct reconciler_options options = {
        .program = text_format(&cli->arena, "berth %s", cli->command),
        .user = cli_user(cli),
        .only = run->request->only,
        .step = run->request->step,
        .rest = run->request->rest,
        .back = run->request->back,
    };
    struct reconciler_world world = {
        .loop = run->loop,
        .source = &source,
        .config = &cli->config,
        .events = { run, on_event },
    };
    int status = reach_open_world(cli, &world);

    if (status != 0) {
        return status;
    }
    run->reconciler = reconciler_new(&world, &options);
    loop_uv_on_signal(run->loop, SIGINT, on_signal, run);
    loop_uv_on_signal(run->loop, SIGTERM, on_signal, run);
    if (run->request->forced != NULL) {
        reconciler_force(run->reconciler, &run->request->forced->request, on_forced, run);
    }
    reconciler_run(run->reconciler, on_done, run);
    loop_run(run->loop);
    reach_close_world(&world);
    print_summary(run);
    reconciler_free(run->reconciler);
    return run->unwritten && run->result.status == RECONCILER_DONE ? CLI_FAILED
                                                                   : (int)run->result.status;
}

int run_plan(struct cli *cli, struct reach_sight *sight, const char *only, struct plan *plan)
{
    struct observed observed = sight->view.observed;

    view_build(&sight->view, &cli->arena, &sight->revision, &observed, &sight->ledger, &cli->config,
               only, cli_now_ms());
    *plan = view_plan(&cli->arena, &sight->view);
    view_drop_unasked(plan, only);
    return forecast_make(cli, false, plan);
}

bool run_can_ask(struct cli *cli, const char *hint)
{
    if (isatty(STDIN_FILENO) == 1 && !cli->json) {
        return true;
    }
    cli_error(hint, "%s: nobody can be asked: stdin is no terminal", cli->command);
    return false;
}

bool run_show_plan(struct cli *cli, const struct run_request *request, const struct plan *plan,
                   bool again)
{
    struct text text = text_new(&cli->arena);
    struct plan shown = *plan;

    if (request->forced != NULL) {
        return true;
    }
    if (again) {
        if (plan->move_count > 0) {
            (void)fprintf(stderr, "planned anew: %zu move%s\n", plan->move_count,
                          plan->move_count == 1 ? "" : "s");
        }
        return true;
    }
    if (request->json != NULL) {
        return true;
    }
    if (forecast_make(cli, false, &shown) != CLI_OK) {
        return false; /* Nobody agrees to what they cannot read. */
    }
    render_plan(&cli->arena, &text, &shown, cli->colour);
    return text_equal(request->agreed, text.data) || cli_print(text.data, text.length) == CLI_OK;
}

int run_refuse_forced(const struct err *err)
{
    int status = cli_fail(err);

    return err->code == ERR_REFUSED || err->code == ERR_CONFLICT ? CLI_BLOCKED : status;
}

bool run_is_wanted(void)
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

int run_moves(struct cli *cli, const struct run_request *request)
{
    struct run run = {
        .request = request, .cli = cli, .progress = progress_new(), .loop = loop_uv_new()
    };
    int status = act(&run);

    loop_uv_free(run.loop);
    return status;
}

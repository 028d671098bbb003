/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/revive.h"

#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/edit.h"
#include "cli/follow.h"
#include "cli/run.h"
#include "model/es_edit.h"
#include "reconciler/recall.h"

struct revive {
    struct edit *edit;
    struct daemon daemon;
    struct summary total;
    struct es_edit *refused; /* Guests, and the hosts that they had in the file. */
    size_t refused_count;
    bool ended; /* By a person: nobody else is started. */
};

int revive_look(struct edit *edit, const char *host)
{
    const struct observed_host *seen;
    int status = edit_look(edit);

    if (status != 0) {
        return status;
    }
    recall_guests(&edit->cli->arena, &edit->sight.ledger, &edit->sight.view.observed);
    seen = host == NULL ? NULL : observed_find_host(&edit->sight.view.observed, host);
    if (seen != NULL && seen->reachable) {
        cli_error(
            text_format(&edit->cli->arena, "'berth drain %s' empties a host that answers", host),
            "%s: '%s' answers: nothing of it is started elsewhere by force", edit->cli->command,
            host);
        return CLI_FAILED;
    }
    return 0;
}

static int move_one(struct revive *revive, struct run_forced *forced)
{
    struct edit *edit = revive->edit;
    const struct run_request request = { .only = forced->request.guest, .forced = forced };

    return edit->controller != 0
               ? follow_moves(edit->cli, &revive->daemon, &request, edit->sight.revision.digest)
               : run_moves(edit->cli, &request);
}

static void refuse(struct revive *revive, const char *guest)
{
    const char *before = desired_host_of(&revive->edit->before.desired, guest);

    revive->total.failed++;
    if (!text_equal(before, desired_host_of(&revive->edit->sight.revision.desired, guest))) {
        revive->refused[revive->refused_count++] = (struct es_edit){ guest, before };
    }
}

static void revive_one(struct revive *revive, const struct plan_move *move)
{
    struct cli *cli = revive->edit->cli;
    struct run_forced forced = { .request = { .guest = move->guest,
                                              .to = move->to,
                                              .dead = revive->edit->dead,
                                              .user = cli_user(cli) } };
    int status = revive->ended ? CLI_CANCELLED : move_one(revive, &forced);

    revive->ended = status == CLI_CANCELLED;
    revive->total.moved += forced.summary.moved;
    revive->total.stuck += forced.summary.stuck;
    revive->total.failed += forced.summary.failed;
    if (!forced.begun) {
        refuse(revive, move->guest);
    }
    if (status != CLI_OK && revive->total.status == CLI_OK) {
        revive->total.status = status;
    }
}

static int print_total(const struct revive *revive, struct text *json)
{
    struct cli *cli = revive->edit->cli;
    struct text text = text_new(&cli->arena);

    if (cli->json) {
        summary_json(json, &revive->total);
        return CLI_OK;
    }
    summary_text(&text, &revive->total);
    return cli_print(text.data, text.length);
}

/* A controller that cannot be asked would leave the guests where they are for ever. */
static int find_daemon(struct revive *revive)
{
    struct err err;

    if (revive->edit->controller == 0) {
        return 0;
    }
    if (daemon_find(revive->edit->cli, &revive->daemon, &err) != 0) {
        return cli_fail(&err);
    }
    if (revive->daemon.client == NULL) {
        cli_error("[api] socket in berth.conf says where berthd listens",
                  "%s: berthd (pid %lld) cannot be asked", revive->edit->cli->command,
                  (long long)revive->edit->controller);
        return CLI_FAILED;
    }
    return 0;
}

int revive_guests(struct edit *edit, struct text *json)
{
    const struct plan *plan = &edit->plan;
    struct revive revive = {
        .edit = edit,
        .total = { .blocks = plan->blocked,
                   .block_count = plan->block_count,
                   .blocked = plan->block_count },
        .refused = ARENA_ARRAY(&edit->cli->arena, struct es_edit, plan->move_count + 1),
    };
    int status = find_daemon(&revive);

    revive.total.status = status;
    for (size_t i = 0; i < plan->move_count; i++) {
        if (status == 0) {
            revive_one(&revive, &plan->moves[i]);
        } else {
            refuse(&revive, plan->moves[i].guest);
        }
    }
    daemon_deinit(&revive.daemon);
    if (revive.refused_count > 0) {
        (void)edit_put_back(edit, revive.refused, revive.refused_count);
        (void)fprintf(stderr, "%zu guest%s put back in '%s' where %s before\n",
                      revive.refused_count, revive.refused_count == 1 ? " is" : "s are",
                      edit->cli->config.es_xml, revive.refused_count == 1 ? "it was" : "they were");
    }
    status = print_total(&revive, json);
    return revive.total.status != CLI_OK ? revive.total.status : status;
}

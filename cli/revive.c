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
#include "model/profile.h"
#include "reconciler/force.h"
#include "reconciler/recall.h"
#include "reconciler/view.h"

struct revive {
    struct edit *edit;
    struct summary total;
    struct es_edit *given_up; /* Guests, and the hosts that they had in the file. */
    size_t given_up_count;
    bool ended; /* By a person: nobody else is started. */
};

/* A host that a guest may be started on, as far as it matters to the conditions of that; or NULL. */
static const char *find_answering(const struct observed *observed)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        if (observed->hosts[i].reachable) {
            return observed->hosts[i].name;
        }
    }
    return NULL;
}

/* Keeps a guest out of the plan that the controller would refuse, which has the last word. */
static void judge_guest(struct edit *edit, const char *guest, const char *to)
{
    struct cli *cli = edit->cli;
    struct reach_sight *sight = &edit->sight;
    const struct force_request request = {
        .guest = guest,
        .to = to,
        .dead = edit->dead,
        .user = cli_user(cli),
        .revokes = profile_revokes(cli->config.policy.profile), /* If it has volumes. */
    };
    struct force_order order;
    struct err err;

    if (force_judge(&cli->arena, &request, &sight->view.observed, &cli->config.policy,
                    &sight->ledger, &order, &err) != 0) {
        view_exclude(&sight->view, guest, PLAN_UNSAFE, arena_strdup(&cli->arena, err.text));
    }
}

/* Of those that ran on silent hosts: it is told before anything is changed that one may not be started. */
static void judge_guests(struct edit *edit)
{
    const struct observed *observed = &edit->sight.view.observed;
    const char *to = find_answering(observed);

    for (size_t h = 0; to != NULL && h < observed->host_count; h++) {
        const struct observed_host *host = &observed->hosts[h];

        for (size_t i = 0; i < host->guest_count && !host->reachable; i++) {
            const struct observed_guest *guest = &host->guests[i];

            if ((observed_is_active(guest) || guest->owed_start) &&
                desired_find_guest(edit->sight.view.input.desired, guest->name) != DESIRED_NONE) {
                judge_guest(edit, guest->name, to);
            }
        }
    }
}

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
    judge_guests(edit);
    return 0;
}

/* Fails if there is no berthd to ask, though one controls the fleet. */
static int find_daemon(const struct edit *edit, struct daemon *daemon)
{
    struct err err;

    if (daemon_find(edit->cli, daemon, &err) != 0) {
        return cli_fail(&err);
    }
    if (daemon->client == NULL) {
        cli_error("[api] socket in berth.conf says where it listens",
                  "%s: berthd (pid %lld) cannot be asked", edit->cli->command,
                  (long long)edit->controller);
        return CLI_FAILED;
    }
    return 0;
}

static int move_one(struct revive *revive, struct run_forced *forced)
{
    struct edit *edit = revive->edit;
    AUTO(daemon) struct daemon daemon = { .client = NULL };
    const struct run_request request = { .only = forced->request.guest, .forced = forced };
    int status = edit->controller != 0 ? find_daemon(edit, &daemon) : 0;

    if (status != 0) {
        return status;
    }
    return edit->controller != 0
               ? follow_moves(edit->cli, &daemon, &request, edit->sight.revision.digest)
               : run_moves(edit->cli, &request);
}

/* The guest is down still, and nothing is under way for it. */
static void give_up(struct revive *revive, const char *guest)
{
    const char *before = desired_host_of(&revive->edit->before.desired, guest);

    revive->total.failed++;
    if (!text_equal(before, desired_host_of(&revive->edit->sight.revision.desired, guest))) {
        revive->given_up[revive->given_up_count++] = (struct es_edit){ guest, before };
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
    if (forced.unclear) {
        revive->total.stuck++;
        cli_error(
            text_format(&cli->arena, "'berth history %s' tells, once berthd answers", move->guest),
            "%s: whether '%s' is started on '%s' is not known: it keeps that place in es.xml",
            cli->command, move->guest, move->to);
    } else if (!forced.begun || forced.summary.failed > 0) {
        give_up(revive, move->guest);
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

static void put_back(const struct revive *revive)
{
    struct edit *edit = revive->edit;
    bool one = revive->given_up_count == 1;

    if (edit_put_back(edit, revive->given_up, revive->given_up_count) == CLI_OK) {
        (void)fprintf(stderr, "%zu guest%s put back in '%s' where %s before\n",
                      revive->given_up_count, one ? " is" : "s are", edit->cli->config.es_xml,
                      one ? "it was" : "they were");
    }
}

int revive_guests(struct edit *edit, struct text *json)
{
    const struct plan *plan = &edit->plan;
    struct revive revive = {
        .edit = edit,
        .total = { .blocks = plan->blocked,
                   .block_count = plan->block_count,
                   .blocked = plan->block_count },
        .given_up = ARENA_ARRAY(&edit->cli->arena, struct es_edit, plan->move_count + 1),
    };
    int status;

    for (size_t i = 0; i < plan->move_count; i++) {
        revive_one(&revive, &plan->moves[i]);
    }
    if (revive.given_up_count > 0) {
        put_back(&revive);
    }
    status = print_total(&revive, json);
    return revive.total.status != CLI_OK ? revive.total.status : status;
}

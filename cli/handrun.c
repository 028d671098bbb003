/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/handrun.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/edit.h"
#include "cli/run.h"
#include "cli/tale.h"
#include "model/es_edit.h"
#include "model/policy.h"
#include "reconciler/journal/journal.h"
#include "reconciler/procedure.h"

int handrun_check(const struct edit *edit, const char *step)
{
    struct text names = text_new(&edit->cli->arena);

    if (procedure_find(step) < PROCEDURE_STEPS) {
        return 0;
    }
    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        text_printf(&names, "%s%s", i == 0 ? "" : " ", procedure_step(i));
    }
    cli_error(NULL, "migrate: --step: '%s' is none of %s", step, names.data);
    return CLI_INVALID;
}

/* Whether edit->step can be taken of 'move', which stands as 'rows' say: -1 if it can, else the exit status after
 * saying why not. */
static int judge(struct edit *edit, const struct procedure_row rows[PROCEDURE_STEPS],
                 const struct plan_move *move)
{
    const struct observed *observed = &edit->sight.view.observed;
    const struct observed_guest *const guests[] = {
        observed_find_guest_named(observed_find_host(observed, move->from), move->guest),
        observed_find_guest_named(observed_find_host(observed, move->to), move->guest),
    };
    const char *why;

    switch (procedure_judge(&edit->cli->arena, rows, procedure_find(edit->step), guests, &why)) {
    case PROCEDURE_LEAVE:
        (void)fprintf(stderr, "%s: nothing to do, %s\n", edit->step, why);
        return CLI_OK;
    case PROCEDURE_REFUSE:
        cli_error("'berth steps GUEST' tells what is done and what is left",
                  "migrate: --step: %s is refused: %s", edit->step, why);
        return CLI_BLOCKED;
    case PROCEDURE_TAKE:
        break;
    }
    return -1;
}

/* The open move of 'guest' and what the journal has of it; its move is NULL if there is none. */
static int read_open(struct cli *cli, const char *guest, struct tale *tale)
{
    struct err err;
    struct journal *journal = journal_open_readonly(cli->config.state_dir, &err);
    int status;

    *tale = (struct tale){ .move = NULL };
    if (journal == NULL) {
        return err.code == ERR_NOT_FOUND ? 0 : cli_fail(&err);
    }
    status = tale_read(&cli->arena, journal, guest, tale, &err) == 0 ? 0 : cli_fail(&err);
    journal_close(journal);
    if (tale->move != NULL && tale->move->state != JOURNAL_MOVE_OPEN) {
        tale->move = NULL;
    }
    return status;
}

static int take_back(struct cli *cli, const char *guest, struct text *json)
{
    const struct run_request request = { .only = guest, .back = true, .json = json };

    return run_moves(cli, &request);
}

/* A berthd leaves a move that is run by hand to its person, but one controller at a time writes the journal. */
int handrun_check_alone(struct edit *edit, const struct es_edit *place)
{
    struct arena *arena = &edit->cli->arena;
    struct tale tale = { .move = NULL };
    int status = edit->controller == 0 ? 0 : read_open(edit->cli, place->guest, &tale);

    if (status != 0 || edit->controller == 0 ||
        (edit->step == NULL && (tale.move == NULL || !tale.move->by_hand))) {
        return status;
    }
    cli_error(text_format(arena,
                          "'systemctl stop berthd && berth migrate %s --to %s --mode offline%s%s; "
                          "systemctl start berthd': guests run on, and a move by hand stays yours",
                          place->guest, place->host, edit->step == NULL ? "" : " --step ",
                          edit->step == NULL ? "" : edit->step),
              "migrate: %s: berthd (pid %" PRId64 ") controls the fleet, and steps by hand need it "
              "for a moment",
              edit->step == NULL ? place->guest : "--step", edit->controller);
    return CLI_INVALID;
}

static int run_step(struct edit *edit, const char *guest)
{
    struct text json = text_new(&edit->cli->arena);
    const struct run_request request = {
        .only = guest,
        .step = edit->step,
        .rest = edit->step == NULL,
        .json = edit->cli->json ? &json : NULL,
    };
    int status;
    int printed;

    if (!edit->yes && !run_is_wanted()) {
        return CLI_CANCELLED;
    }
    status = run_moves(edit->cli, &request);
    printed = edit->cli->json ? cli_print(json.data, json.length) : CLI_OK;
    handrun_tell_next(edit, guest);
    return status == CLI_OK ? printed : status;
}

/* A host that cannot be asked now is waited for by whoever takes the step. */
static int judge_open(struct edit *edit, const struct tale *tale)
{
    const struct plan_move move = { .guest = tale->move->guest,
                                    .from = tale->move->from,
                                    .to = tale->move->to };
    const struct observed_host *hosts[2];
    int status = edit_look(edit);

    if (status != 0) {
        return status;
    }
    hosts[0] = observed_find_host(&edit->sight.view.observed, move.from);
    hosts[1] = observed_find_host(&edit->sight.view.observed, move.to);
    if (hosts[0] == NULL || !hosts[0]->reachable || hosts[1] == NULL || !hosts[1]->reachable) {
        return -1;
    }
    return judge(edit, tale->rows, &move);
}

/* With nothing that could be shown before it but the step. */
static int go_on(struct edit *edit, const struct tale *tale)
{
    const struct journal_move *move = tale->move;
    int judged = edit->step == NULL ? -1 : judge_open(edit, tale);

    if (judged >= 0) {
        return judged;
    }
    (void)fprintf(stderr, "%s: %s -> %s, by hand: %s\n", move->guest, move->from, move->to,
                  edit->step == NULL ? "every step that is left" : edit->step);
    return edit->dry_run ? CLI_OK : run_step(edit, move->guest);
}

static bool runs_on(const struct edit *edit, const char *guest, const char *host)
{
    const struct observed_guest *seen =
        observed_find_guest_named(observed_find_host(&edit->sight.view.observed, host), guest);

    return seen != NULL && observed_is_active(seen);
}

/* The file has it where it came from again, so that nobody moves it anew. */
static int go_back(struct edit *edit, const struct es_edit *place, const struct tale *tale)
{
    const struct journal_move *move = tale->move;
    struct text json = text_new(&edit->cli->arena);
    int status;

    if (edit->step != NULL) {
        cli_error("without --step all that was done is undone",
                  "migrate: --step: '%s' goes back to '%s' as a whole", move->guest, move->from);
        return CLI_INVALID;
    }
    status = edit_look(edit);
    if (status != 0) {
        return status;
    }
    if (runs_on(edit, move->guest, move->to)) {
        cli_error(text_format(&edit->cli->arena,
                              "'berth migrate %s --to %s --mode offline' ends it", move->guest,
                              move->to),
                  "migrate: '%s' runs on '%s' already: its move there has to end before another",
                  move->guest, move->to);
        return CLI_BLOCKED;
    }
    (void)fprintf(stderr, "%s: back to %s, by hand: what was done for %s is undone\n", move->guest,
                  move->from, move->to);
    if (edit->dry_run) {
        return CLI_OK;
    }
    if (!edit->yes && !run_is_wanted()) {
        return CLI_CANCELLED;
    }
    status = edit_place(edit, place, 1);
    if (status == 0) {
        status = edit_write(edit);
    }
    if (status == 0) {
        status = take_back(edit->cli, move->guest, edit->cli->json ? &json : NULL);
    }
    return json.length == 0 || cli_print(json.data, json.length) == CLI_OK || status != CLI_OK
               ? status
               : CLI_FAILED;
}

int handrun_find(struct cli *cli, const char *guest, bool *found)
{
    struct tale tale;
    int status = read_open(cli, guest, &tale);

    *found = status == 0 && tale.move != NULL && tale.move->by_hand;
    return status;
}

int handrun_take_back(struct cli *cli, const char *guest)
{
    struct text json = text_new(&cli->arena);

    return take_back(cli, guest, cli->json ? &json : NULL);
}

int handrun_go_on(struct edit *edit, const struct es_edit *place, bool *handled)
{
    struct tale tale;
    int status = read_open(edit->cli, place->guest, &tale);

    *handled = true;
    if (status != 0) {
        return status;
    }
    if (tale.move == NULL || (!tale.move->by_hand && edit->step == NULL)) {
        *handled = false;
        return 0;
    }
    if (!tale.move->by_hand) {
        cli_error("'berth apply' settles it",
                  "migrate: --step: an earlier run left a move of '%s' "
                  "open",
                  place->guest);
        return CLI_BLOCKED;
    }
    if (strcmp(tale.move->from, place->host) == 0) {
        return go_back(edit, place, &tale);
    }
    if (strcmp(tale.move->to, place->host) != 0) {
        cli_error("'berth steps GUEST' tells how far it is",
                  "migrate: '%s' is on its way to '%s', by "
                  "hand",
                  place->guest, tale.move->to);
        return CLI_BLOCKED;
    }
    return go_on(edit, &tale);
}

static const struct plan_move *find_planned(const struct plan *plan, const char *guest)
{
    for (size_t i = 0; i < plan->move_count; i++) {
        if (strcmp(plan->moves[i].guest, guest) == 0) {
            return &plan->moves[i];
        }
    }
    return NULL;
}

int handrun_check_first(struct edit *edit, const struct es_edit *place, bool *handled)
{
    const struct plan_move *planned = find_planned(&edit->plan, place->guest);
    struct procedure_row rows[PROCEDURE_STEPS];
    const struct observed_guest *guest;
    struct supply_list supplies;
    struct err err;
    int judged;

    if (planned == NULL) { /* Whatever keeps it from being made is told elsewhere. */
        return 0;
    }
    guest = observed_find_guest_named(observed_find_host(&edit->sight.view.observed, planned->from),
                                      planned->guest);
    if (supply_of_guest(&edit->cli->arena, edit->cli->config.policy.profile,
                        &edit->sight.revision.desired, place->guest, guest, &supplies, &err) != 0) {
        return cli_fail(&err);
    }
    procedure_foresee(planned->from, planned->to, planned->mode, guest, &supplies, rows);
    judged = judge(edit, rows, planned);
    *handled = judged >= 0;
    return judged < 0 ? 0 : judged;
}

void handrun_tell_next(struct edit *edit, const char *guest)
{
    struct tale tale;
    const char *next;

    if (read_open(edit->cli, guest, &tale) != 0 || tale.move == NULL) {
        return;
    }
    next = tale_next(&tale);
    if (next != NULL) {
        (void)fprintf(stderr, "%s comes next; 'berth steps %s' tells them all\n", next, guest);
    }
}

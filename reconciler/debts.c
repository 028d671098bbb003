/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/debts.h"

#include <inttypes.h>

#include "base/text.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"
#include "reconciler/moves.h"
#include "reconciler/owed.h"
#include "reconciler/retry.h"

/* How far back the move is looked for that a debt is of. */
#define MOVES_BACK 8

/* True once for each debt: a guest that was stopped again is owed another start. */
static bool is_new_debt(struct reconciler *reconciler, struct kept_names *kept,
                        const struct journal_owed *owed)
{
    return controller_is_new(
        kept, text_format(&reconciler->arena, "%s %" PRId64, owed->uuid, owed->since_ms));
}

/* A shutdown request that timed out may still take effect for this long. */
static int64_t owed_grace_ms(const struct reconciler *reconciler)
{
    return 2 * reconciler->world.config->policy.stop_timeout_ms;
}

/* A move has asked it to shut down, since the debt is there.  Who went down with a host was asked nothing, and
 * may be shut down on purpose as soon as it runs again. */
static bool was_asked_to_stop(const struct reconciler *reconciler, const struct journal_owed *owed)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal *journal = reconciler->world.journal;
    struct journal_move *moves;
    size_t count;
    struct err err;

    if (journal->ops->moves(journal, &arena, false, owed->guest, MOVES_BACK, &moves, &count,
                            &err) != 0) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        const struct journal_move *move = &moves[i];
        bool stops = move->mode == MOVE_OFFLINE || move->mode == MOVE_STOP;
        bool set_back =
            move->ended_ms < move->begun_ms; /* The clock: nobody knows which was first. */

        if (stops && move->tried &&
            (move->ended_ms == 0 || set_back || move->ended_ms >= owed->since_ms)) {
            return true;
        }
    }
    return false;
}

static void pay(struct reconciler *reconciler, const struct journal_owed *owed)
{
    struct journal_record record = { .kind = JOURNAL_OWED, .owed = *owed };
    int64_t now_ms = controller_wall(reconciler);

    if (!was_asked_to_stop(reconciler, owed)) {
        record.owed.paid = true;
    } else if (owed->since_ms > now_ms) {
        record.owed.since_ms =
            now_ms; /* The clock was set back: nobody knows how long ago that is. */
    } else if (now_ms - owed->since_ms > owed_grace_ms(reconciler)) {
        record.owed.paid = true;
    } else {
        return;
    }
    controller_note(reconciler, &record, 1);
}

void debts_pay_running(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.owed_count; i++) {
        const struct journal_owed *owed = &reconciler->ledger.owed[i];
        const char *host;
        const struct observed_guest *running =
            owed_find_running(&reconciler->view.observed, owed->uuid, &host);

        if (running != NULL && !owed_lacks_autostart(owed, running) &&
            ledger_find_move(&reconciler->ledger, owed->guest) == NULL) {
            pay(reconciler, owed);
        }
    }
}

static void tell_down(struct reconciler *reconciler, const struct journal_owed *owed,
                      enum owed_standing standing, const struct owed_place *place)
{
    struct event event = { .kind = EVENT_ALARM, .guest = owed->guest };

    if (is_new_debt(reconciler, &reconciler->told_down, owed)) {
        event.text = owed_text(&reconciler->arena, owed, standing, place);
        reconciler->result.failed++;
        controller_emit(reconciler, &event);
    }
}

/* True if the plan will start the guest: it is left to that, unless nobody goes on with the plan. */
static bool is_planned(const struct reconciler *reconciler, const struct journal_owed *owed)
{
    return !reconciler->cancelled && following_moves(&reconciler->following, owed->guest);
}

/* Whoever leaves takes nothing up, and leaves nobody down whom this run has stopped. */
static bool is_due(const struct reconciler *reconciler, const struct journal_owed *owed)
{
    bool of_this_run = owed->since_ms >= reconciler->run.begun_ms;

    return ledger_find_move(&reconciler->ledger, owed->guest) == NULL &&
           (controller_is_leaving(reconciler) ? of_this_run : !is_planned(reconciler, owed));
}

/* A start that has failed is tried again like a move that has: with growing pauses, or for another file. */
static bool waits(struct reconciler *reconciler, const struct journal_owed *owed)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal *journal = reconciler->world.journal;
    const struct journal_retry *retry = ledger_find_retry(&reconciler->ledger, owed->guest);
    struct journal_move *last;
    size_t count;
    struct err err;

    if (retry == NULL ||
        !retry_waits(retry, reconciler->revision.digest, true, &reconciler->world.config->policy,
                     controller_wall(reconciler))) {
        return false;
    }
    if (journal->ops->moves(journal, &arena, false, owed->guest, 1, &last, &count, &err) != 0) {
        return true;
    }
    return count > 0 && journal_move_is_restart(last) && last->state == JOURNAL_MOVE_FAILED;
}

/* Also of one that runs, whose autostart is what is left of the debt: no move of it has ended there. */
static bool restart(struct reconciler *reconciler, const struct journal_owed *owed,
                    const struct owed_place *place)
{
    struct executor_intent intent = {
        .guest = owed->guest,
        .uuid = owed->uuid,
        .from = place->host,
        .to = place->host,
        .mode = MOVE_OFFLINE,
        .observed = place->guest,
        .es_digest = reconciler->revision.digest,
    };

    return is_new_debt(reconciler, &reconciler->restarted, owed) &&
           moves_begin(reconciler, &intent, 1, 1);
}

/* Giving back its autostart to one that runs is a start of which everything else is done. */
static enum owed_standing judge(struct reconciler *reconciler, const struct journal_owed *owed,
                                struct owed_place *place)
{
    *place = (struct owed_place){ .host = NULL };
    place->guest = owed_find_running(&reconciler->view.observed, owed->uuid, &place->host);
    return place->guest != NULL && owed_lacks_autostart(owed, place->guest)
               ? OWED_STARTABLE
               : owed_judge(&reconciler->arena, &reconciler->view.input, &reconciler->ledger, owed,
                            place);
}

bool debts_restart_next(struct reconciler *reconciler)
{
    if (reconciler->ledger.owed_count == 0) { /* Whoever is down after that is told of anew. */
        controller_forget_names(&reconciler->told_down);
    }
    for (size_t i = 0; i < reconciler->ledger.owed_count; i++) {
        const struct journal_owed *owed = &reconciler->ledger.owed[i];
        enum owed_standing standing;
        struct owed_place place;

        if (!is_due(reconciler, owed)) {
            continue;
        }
        standing = judge(reconciler, owed, &place);
        if (standing == OWED_STARTABLE && !waits(reconciler, owed) &&
            restart(reconciler, owed, &place)) {
            return true;
        }
        if ((standing == OWED_UNCERTAIN || standing == OWED_NO_ROOM) &&
            !is_planned(reconciler, owed)) {
            tell_down(reconciler, owed, standing, &place);
        }
    }
    return false;
}

bool debts_has_parked(const struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.owed_count; i++) {
        const struct journal_owed *owed = &reconciler->ledger.owed[i];
        const char *host;

        if (owed->early && is_planned(reconciler, owed) &&
            owed_find_running(&reconciler->view.observed, owed->uuid, &host) == NULL) {
            return true;
        }
    }
    return false;
}

/* Whoever ends goes on with the plan for as long as a guest is down for it. */
bool debts_may_go_on(const struct reconciler *reconciler)
{
    return !controller_is_leaving(reconciler) || debts_has_parked(reconciler);
}

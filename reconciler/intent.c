/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/intent.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/loop.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/supply_json.h"
#include "reconciler/definition.h"
#include "reconciler/executor.h"
#include "reconciler/force.h"

/* What every new move has. */
static struct journal_move new_move(const struct executor *executor)
{
    struct ledger *ledger = executor->world.ledger;
    int64_t now = loop_wall_ms(executor->world.loop);

    return (struct journal_move){
        .key = ledger_key(ledger),
        .run = ledger->run,
        .begun_ms = now,
        .deadline_ms = now + executor->world.policy->timeout_ms,
    };
}

struct journal_move intent_move(const struct executor *executor,
                                const struct executor_intent *intent)
{
    struct journal_move move = new_move(executor);

    move.guest = intent->guest;
    move.uuid = intent->uuid;
    move.from = intent->from;
    move.to = intent->to;
    move.mode = intent->mode;
    move.detour = intent->detour;
    move.fallback = intent->fallback;
    move.original = observed_lasting_state(intent->observed);
    move.autostart = intent->observed->autostart;
    move.persistent = intent->observed->persistent;
    move.by_hand = intent->step != NULL;
    memcpy(move.es_digest, intent->es_digest, DIGEST_TEXT_SIZE);
    return move;
}

struct journal_move intent_forced_move(const struct executor *executor,
                                       const struct executor_force *force)
{
    const struct force_order *order = force->order;
    struct journal_move move = new_move(executor);

    move.guest = order->guest;
    move.uuid = order->uuid;
    move.from = order->from;
    move.to = order->to;
    move.mode = MOVE_FORCED;
    move.original = order->original;
    move.autostart = order->autostart;
    move.persistent = true;
    move.target_made = order->target_made;
    move.source_removed = order->source_removed;
    move.made = order->made;
    memcpy(move.es_digest, force->es_digest, DIGEST_TEXT_SIZE);
    memcpy(move.xml_digest, order->xml_digest, DIGEST_TEXT_SIZE);
    (void)snprintf(move.target_digest, sizeof(move.target_digest), "%s", order->target_digest);
    return move;
}

struct journal_record *intent_add(struct intent_batch *batch, enum journal_kind kind)
{
    assert(batch->count < INTENT_RECORDS_MAX);
    batch->records[batch->count].kind = kind;
    return &batch->records[batch->count++];
}

void intent_add_move(struct executor *executor, struct intent_batch *batch)
{
    intent_add(batch, JOURNAL_MOVE)->move = executor->move;
    if (executor->has_record) {
        intent_add(batch, JOURNAL_STEP)->step = executor->record;
        executor->has_record = false;
    }
}

void intent_add_definition(struct executor *executor, struct intent_batch *batch,
                           const struct observed_guest *guest, char digest[DIGEST_TEXT_SIZE])
{
    assert(batch->count + 2 <= INTENT_RECORDS_MAX);
    definition_record(&executor->arena, &batch->records[batch->count], guest,
                      loop_wall_ms(executor->world.loop));
    memcpy(digest, batch->records[batch->count].object.digest, DIGEST_TEXT_SIZE);
    batch->count += 2;
}

void intent_add_supplies(struct executor *executor, struct intent_batch *batch,
                         const struct supply_list *supplies)
{
    struct journal_object *object;

    executor->stage.supplies = supply_list_copy(&executor->arena, supplies);
    if (supplies->count == 0) {
        return;
    }
    object = &intent_add(batch, JOURNAL_OBJECT)->object;
    object->bytes = supply_json_write(&executor->arena, supplies);
    object->length = strlen(object->bytes);
    digest_of(object->bytes, object->length, object->digest);
    memcpy(executor->move.supplies_digest, object->digest, DIGEST_TEXT_SIZE);
}

void intent_add_identities(struct executor *executor, struct intent_batch *batch)
{
    const struct supply_list supplies = executor->stage.supplies;

    if (executor->identified) {
        intent_add_supplies(executor, batch, &supplies);
        executor->identified = false;
    }
}

static void add_owed(struct executor *executor, struct intent_batch *batch, bool paid)
{
    intent_add(batch, JOURNAL_OWED)->owed = (struct journal_owed){
        .uuid = executor->move.uuid,
        .guest = executor->move.guest,
        .host = executor->move.from,
        .since_ms = loop_wall_ms(executor->world.loop),
        .paid = paid,
        .autostart = executor->move.autostart,
        .early = executor->early,
    };
}

void intent_mark(struct executor *executor, struct intent_batch *batch)
{
    struct journal_move *move = &executor->move;
    const struct observed_guest *source = look_guest(&executor->look, 0);
    unsigned side = executor->step.side;

    move->back |= executor->step.back;
    executor->making = stage_made_by(&executor->stage, &executor->step) & ~move->made;
    move->made |= executor->making;
    switch (executor->step.op) {
    case OP_MIGRATE:
        move->tried = true;
        break;
    case OP_STOP:
        move->tried = true;
        executor->early = move->mode == MOVE_STOP;
        add_owed(executor, batch, false);
        break;
    case OP_DEFINE:
        move->tried = true;
        move->target_made |= side == 1;
        if (side == 1 && source != NULL && source->xml != NULL) {
            intent_add_definition(executor, batch, source, move->xml_digest);
        }
        break;
    case OP_UNDEFINE:
        move->source_removed |= side == 0;
        break;
    case OP_START:
    case OP_PREFLIGHT:
    case OP_ADOPT:
    case OP_AUTOSTART:
    case OP_RESUME:
    case OP_DESTROY:
    case OP_PROVIDE:
    case OP_WITHDRAW:
    case OP_FENCE:
    case OP_RELEASE:
    case OP_KIND_COUNT:
        break;
    }
}

void intent_pay_owed(struct executor *executor, struct intent_batch *batch)
{
    unsigned side = executor->move.state == JOURNAL_MOVE_DONE ? 1 : 0;
    const struct observed_guest *guest = look_guest(&executor->look, side);
    enum move_mode mode = executor->move.mode;
    bool stopped_here = executor->move.tried && (mode == MOVE_OFFLINE || mode == MOVE_STOP);

    if (guest != NULL && guest->state == GUEST_RUNNING && !executor->evidence.stop_unanswered &&
        (executor->evidence.seen_off || !executor->owed_before) &&
        (stopped_here || ledger_find_owed(executor->world.ledger, executor->move.uuid) != NULL)) {
        add_owed(executor, batch, true);
    }
}

void intent_clear_leftover(const struct executor *executor, struct intent_batch *batch)
{
    const struct journal_move *move = &executor->move;
    const struct journal_leftover *known =
        ledger_find_leftover(executor->world.ledger, move->uuid, move->to);

    if (known != NULL && journal_move_has_arrived(move)) {
        struct journal_leftover *leftover = &intent_add(batch, JOURNAL_LEFTOVER)->leftover;

        *leftover = *known;
        leftover->cleared = true;
    }
}

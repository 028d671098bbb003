/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/force_state.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "reconciler/force.h"
#include "reconciler/ledger.h"
#include "reconciler/step.h"

static void copy_suspects(struct force_state *state, struct arena *arena,
                          const struct force_order *order)
{
    struct force_suspect *suspects =
        ARENA_ARRAY(arena, struct force_suspect, order->suspect_count + 1);

    for (size_t i = 0; i < order->suspect_count; i++) {
        suspects[i] = order->suspects[i];
        suspects[i].host = arena_strdup(arena, order->suspects[i].host);
    }
    state->suspects = suspects;
    state->count = order->suspect_count;
}

static const struct force_suspect *find_attested(const struct force_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        if (state->suspects[i].attested) {
            return &state->suspects[i];
        }
    }
    return NULL;
}

/* For 'berth history': who asked for it. */
static struct journal_record request_record(struct ledger *ledger, const struct force_order *order,
                                            int64_t now_ms)
{
    return (struct journal_record){
        .kind = JOURNAL_EVENT,
        .event = { .key = ledger_key(ledger),
                   .at_ms = now_ms,
                   .kind = "force",
                   .guest = order->guest,
                   .host = order->from,
                   .text = order->user },
    };
}

static struct journal_record given_up_record(struct arena *arena, const struct force_order *order,
                                             int64_t now_ms)
{
    struct journal_record record = { .kind = JOURNAL_MOVE, .move = *order->given_up };

    record.move.state = JOURNAL_MOVE_FAILED;
    record.move.ended_ms = now_ms;
    record.move.unclear = false;
    record.move.error = ERR_CONFLICT;
    record.move.error_text =
        text_format(arena, "given up: '%s' is dead, and the guest is moved to '%s' by force",
                    order->from, order->to);
    return record;
}

/* The end 'host' of the move that is given up answers, and may have what was prepared for it, or what it had
 * not been rid of. */
static bool is_littered(const struct force_order *order, const char *host)
{
    for (size_t i = 0; i < order->suspect_count; i++) {
        if (strcmp(order->suspects[i].host, host) == 0) {
            return false;
        }
    }
    return order->given_up->supplies_digest[0] != '\0' && strcmp(host, order->to) != 0;
}

/* Kept whatever becomes of the forced move: it is older. */
static size_t add_litter(const struct force_order *order, struct journal_record *records)
{
    const struct journal_move *given_up = order->given_up;
    const char *const ends[] = { given_up->from, given_up->to };
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (is_littered(order, ends[i])) {
            records[count].kind = JOURNAL_LEFTOVER;
            records[count++].leftover =
                (struct journal_leftover){ .uuid = order->uuid,
                                           .host = ends[i],
                                           .guest = order->guest,
                                           .to = order->to,
                                           .since_ms = given_up->begun_ms,
                                           .protection = JOURNAL_PROTECTION_AUTOSTART_OFF,
                                           .key = given_up->key };
        }
    }
    return count;
}

struct force_records force_state_begin(struct force_state *state, struct arena *arena,
                                       struct ledger *ledger, const struct force_order *order,
                                       struct journal_key key, int64_t now_ms)
{
    struct journal_record *records = ARENA_ARRAY(arena, struct journal_record, 5);
    const struct force_suspect *attested;
    size_t count = 0;

    *state = (struct force_state){ .next = 0 };
    copy_suspects(state, arena, order);
    attested = find_attested(state);
    records[count++] = request_record(ledger, order, now_ms);
    if (attested != NULL) {
        state->attested = true;
        state->attest = (struct journal_attest){
            .key = key,
            .host = attested->host,
            .user = arena_strdup(arena, order->user),
            .at_ms = now_ms,
        };
        records[count++] =
            (struct journal_record){ .kind = JOURNAL_ATTEST, .attest = state->attest };
    }
    if (order->given_up != NULL) {
        records[count++] = given_up_record(arena, order, now_ms);
        count += add_litter(order, &records[count]);
    }
    return (struct force_records){ records, count };
}

void force_state_resume(struct force_state *state, const struct ledger *ledger,
                        struct journal_key key, const struct journal_step *steps, size_t count)
{
    *state = (struct force_state){ .next = 0 };
    for (size_t i = 0; i < count; i++) {
        state->started |= steps[i].kind == OP_START;
    }
    for (size_t i = 0; i < ledger->attest_count; i++) {
        if (ledger->attests[i].key.epoch == key.epoch && ledger->attests[i].key.seq == key.seq) {
            state->attest = ledger->attests[i];
            state->attested = true;
        }
    }
}

/* Of the attested a person's word is all there is; that it stays silent every look tells. */
static void skip_attested(struct force_state *state)
{
    while (state->next < state->count && state->suspects[state->next].attested) {
        state->next++;
    }
}

const char *force_state_host(const struct force_state *state)
{
    return state->next < state->count ? state->suspects[state->next].host : NULL;
}

void force_state_tell(struct force_state *state, const struct look *look, struct step_facts *facts)
{
    state->voided |= state->attested && look->views[0] != SETTLE_UNREACHABLE;
    skip_attested(state);
    facts->views[0] = look->views[0];
    facts->views[1] = look->views[1];
    facts->fenced = force_state_host(state) == NULL;
    facts->started = state->started;
    facts->voided = state->voided;
}

void force_state_note(struct force_state *state, enum op_kind op, bool worked)
{
    state->next = op == OP_FENCE && worked ? state->next + 1 : 0;
}

/* What a host has kept since an earlier move is of that for as long as it is there. */
static struct journal_record leftover_record(const struct force_suspect *suspect,
                                             const struct ledger *ledger,
                                             const struct journal_move *move, int64_t now_ms)
{
    const struct journal_leftover *earlier =
        ledger_find_leftover(ledger, move->uuid, suspect->host);

    return (struct journal_record){
        .kind = JOURNAL_LEFTOVER,
        .leftover = { .uuid = move->uuid,
                      .host = suspect->host,
                      .guest = move->guest,
                      .to = move->to,
                      .since_ms = earlier == NULL ? now_ms : earlier->since_ms,
                      .protection = suspect->protection,
                      .key = earlier == NULL ? move->key : earlier->key },
    };
}

struct force_records force_state_start(struct force_state *state, struct arena *arena,
                                       const struct ledger *ledger, const struct journal_move *move,
                                       int64_t now_ms)
{
    struct journal_record *records = ARENA_ARRAY(arena, struct journal_record, state->count + 1);
    size_t count = 0;

    state->started = true;
    if (state->attested) {
        state->attest.used = true;
        state->attested = false;
        records[count++] =
            (struct journal_record){ .kind = JOURNAL_ATTEST, .attest = state->attest };
    }
    for (size_t i = 0; i < state->count; i++) {
        if (state->suspects[i].holds) {
            records[count++] = leftover_record(&state->suspects[i], ledger, move, now_ms);
        }
    }
    return (struct force_records){ records, count };
}

/* 'known' is of 'move' itself, and of none before it.  Clocks are set back: keys alone tell. */
static bool is_left_by(const struct journal_leftover *known, const struct journal_move *move)
{
    return known->key.epoch == move->key.epoch && known->key.seq == move->key.seq;
}

/* What was to stay behind on 'host' does not, as the guest has not left.  What an earlier move has left there is
 * left there still. */
static struct journal_record undone_record(const struct ledger *ledger,
                                           const struct journal_move *move, const char *host)
{
    const struct force_suspect suspect = { .host = host };
    const struct journal_leftover *known = ledger_find_leftover(ledger, move->uuid, host);
    struct journal_record record = leftover_record(&suspect, ledger, move, move->ended_ms);

    if (known == NULL || is_left_by(known, move)) {
        record.leftover.cleared = true;
        return record;
    }
    record.leftover = *known;
    if (strcmp(known->to, move->to) == 0 && strcmp(host, move->from) != 0) {
        record.leftover.to = move->from; /* Where the guest was when this move began. */
    }
    return record;
}

struct force_records force_state_end(struct force_state *state, struct arena *arena,
                                     const struct ledger *ledger, const struct journal_move *move)
{
    struct journal_record *records =
        ARENA_ARRAY(arena, struct journal_record, state->count + ledger->leftover_count + 1);
    bool arrived = move->state == JOURNAL_MOVE_DONE;
    size_t count = 0;

    if (arrived && !state->started) { /* It was off, and is only defined. */
        return force_state_start(state, arena, ledger, move, move->ended_ms);
    }
    if (state->attested) {
        state->attest.withdrawn = true;
        state->attested = false;
        records[count++] =
            (struct journal_record){ .kind = JOURNAL_ATTEST, .attest = state->attest };
    }
    for (size_t i = 0; !arrived && state->started && i < state->count; i++) {
        if (state->suspects[i].holds) {
            records[count++] = undone_record(ledger, move, state->suspects[i].host);
        }
    }
    /* Of an earlier run; this run's are not in the reading of the journal that it began with. */
    for (size_t i = 0; !arrived && state->count == 0 && i < ledger->leftover_count; i++) {
        if (strcmp(ledger->leftovers[i].uuid, move->uuid) == 0 &&
            strcmp(ledger->leftovers[i].to, move->to) == 0) {
            records[count++] = undone_record(ledger, move, ledger->leftovers[i].host);
        }
    }
    return (struct force_records){ records, count };
}

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

struct force_records force_state_begin(struct force_state *state, struct arena *arena,
                                       struct ledger *ledger, const struct force_order *order,
                                       struct journal_key key, int64_t now_ms)
{
    struct journal_record *records = ARENA_ARRAY(arena, struct journal_record, 2);
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

/* Clocks are set back: keys alone tell which move is which. */
static bool is_same_key(struct journal_key a, struct journal_key b)
{
    return a.epoch == b.epoch && a.seq == b.seq;
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

static bool is_suspect(const struct force_state *state, const char *host)
{
    for (size_t i = 0; i < state->count; i++) {
        if (strcmp(state->suspects[i].host, host) == 0) {
            return true;
        }
    }
    return false;
}

/* Another move of the guest that is open, and that 'move' takes the place of. */
static bool is_in_its_place(const struct journal_move *other, const struct journal_move *move)
{
    return strcmp(other->guest, move->guest) == 0 && !is_same_key(other->key, move->key);
}

/* Ends of open moves that answer: they may have what was prepared there, or was not withdrawn yet. */
static size_t find_littered(const struct force_state *state, const struct ledger *ledger,
                            const struct journal_move *move, struct force_suspect *keepers)
{
    size_t count = 0;

    for (size_t i = 0; i < ledger->move_count; i++) {
        const struct journal_move *other = &ledger->moves[i];
        const char *const ends[] = { other->from, other->to };
        bool touched = other->tried || other->supplies_digest[0] != '\0';

        for (size_t e = 0; e < ARRAY_LEN(ends) && touched && is_in_its_place(other, move); e++) {
            if (strcmp(ends[e], move->to) != 0 && !is_suspect(state, ends[e])) {
                keepers[count++] =
                    (struct force_suspect){ .host = ends[e],
                                            .protection = JOURNAL_PROTECTION_AUTOSTART_OFF };
            }
        }
    }
    return count;
}

/* Hosts on which something stays behind when the guest has left. */
static const struct force_suspect *find_keepers(const struct force_state *state,
                                                struct arena *arena, const struct ledger *ledger,
                                                const struct journal_move *move, size_t *count)
{
    struct force_suspect *keepers =
        ARENA_ARRAY(arena, struct force_suspect, state->count + 2 * ledger->move_count + 1);

    *count = 0;
    for (size_t i = 0; i < state->count; i++) {
        if (state->suspects[i].holds) {
            keepers[(*count)++] = state->suspects[i];
        }
    }
    *count += find_littered(state, ledger, move, &keepers[*count]);
    return keepers;
}

static size_t add_left(const struct force_state *state, struct arena *arena,
                       const struct ledger *ledger, const struct journal_move *move, int64_t now_ms,
                       struct journal_record *records)
{
    size_t count;
    const struct force_suspect *keepers = find_keepers(state, arena, ledger, move, &count);

    for (size_t i = 0; i < count; i++) {
        records[i] = leftover_record(&keepers[i], ledger, move, now_ms);
    }
    return count;
}

/* As many as a move can ever need. */
static struct journal_record *new_records(struct arena *arena, const struct force_state *state,
                                          const struct ledger *ledger)
{
    return ARENA_ARRAY(arena, struct journal_record,
                       4 + state->count + ledger->leftover_count + 3 * ledger->move_count);
}

struct force_records force_state_start(struct force_state *state, struct arena *arena,
                                       const struct ledger *ledger, const struct journal_move *move,
                                       int64_t now_ms)
{
    struct journal_record *records = new_records(arena, state, ledger);
    size_t count = 0;

    state->started = true;
    if (state->attested) {
        state->attest.used = true;
        state->attested = false;
        records[count++] =
            (struct journal_record){ .kind = JOURNAL_ATTEST, .attest = state->attest };
    }
    count += add_left(state, arena, ledger, move, now_ms, &records[count]);
    return (struct force_records){ records, count };
}

/* What was to stay behind on 'host' does not, as the guest has not left.  What an earlier move has left there is
 * left there still. */
static struct journal_record undone_record(const struct ledger *ledger,
                                           const struct journal_move *move, const char *host)
{
    const struct force_suspect suspect = { .host = host };
    const struct journal_leftover *known = ledger_find_leftover(ledger, move->uuid, host);
    struct journal_record record = leftover_record(&suspect, ledger, move, move->ended_ms);

    if (known == NULL || is_same_key(known->key, move->key)) {
        record.leftover.cleared = true;
        return record;
    }
    record.leftover = *known;
    if (strcmp(known->to, move->to) == 0 && strcmp(host, move->from) != 0) {
        record.leftover.to = move->from; /* Where the guest was when this move began. */
    }
    return record;
}

/* The guest has not left: what would have stayed behind is as it was. */
static size_t add_undone(const struct force_state *state, struct arena *arena,
                         const struct ledger *ledger, const struct journal_move *move,
                         struct journal_record *records)
{
    size_t count = 0;
    const struct force_suspect *keepers = find_keepers(state, arena, ledger, move, &count);

    if (state->count > 0) {
        count = state->started ? count : 0;
        for (size_t i = 0; i < count; i++) {
            records[i] = undone_record(ledger, move, keepers[i].host);
        }
        return count;
    }
    /* Of an earlier run; this run's are not in the reading of the journal that it began with. */
    count = 0;
    for (size_t i = 0; i < ledger->leftover_count; i++) {
        if (strcmp(ledger->leftovers[i].uuid, move->uuid) == 0 &&
            strcmp(ledger->leftovers[i].to, move->to) == 0) {
            records[count++] = undone_record(ledger, move, ledger->leftovers[i].host);
        }
    }
    return count;
}

static size_t add_given_up(struct arena *arena, const struct ledger *ledger,
                           const struct journal_move *move, struct journal_record *records)
{
    size_t count = 0;

    for (size_t i = 0; i < ledger->move_count; i++) {
        if (is_in_its_place(&ledger->moves[i], move)) {
            struct journal_record *record = &records[count++];

            *record = (struct journal_record){ .kind = JOURNAL_MOVE, .move = ledger->moves[i] };
            record->move.state = JOURNAL_MOVE_FAILED;
            record->move.ended_ms = move->ended_ms;
            record->move.unclear = false;
            record->move.error = ERR_CONFLICT;
            record->move.error_text = text_format(
                arena, "given up: '%s' is dead, and the guest is moved to '%s' by force",
                move->from, move->to);
        }
    }
    return count;
}

static size_t add_unused(struct force_state *state, struct journal_record *records)
{
    if (!state->attested) {
        return 0;
    }
    state->attest.withdrawn = true;
    state->attested = false;
    records[0] = (struct journal_record){ .kind = JOURNAL_ATTEST, .attest = state->attest };
    return 1;
}

/* The source gets its volumes back, and a guest that ran there its start. */
static size_t add_owed(const struct ledger *ledger, const struct journal_move *move,
                       struct journal_record *records)
{
    const struct journal_leftover *known = ledger_find_leftover(ledger, move->uuid, move->from);
    size_t count = 0;

    if (known != NULL && !is_same_key(known->key, move->key)) {
        return 0; /* An earlier move has brought the guest away from there. */
    }
    records[count++] = (struct journal_record){
        .kind = JOURNAL_LEFTOVER,
        .leftover = { .uuid = move->uuid,
                      .host = move->from,
                      .guest = move->guest,
                      .to = move->from,
                      .since_ms = move->ended_ms,
                      .protection = JOURNAL_PROTECTION_REVOKED,
                      .key = move->key },
    };
    if (move->original != GUEST_SHUTOFF && ledger_find_owed(ledger, move->uuid) == NULL) {
        records[count++] = (struct journal_record){
            .kind = JOURNAL_OWED,
            .owed = { .uuid = move->uuid,
                      .guest = move->guest,
                      .host = move->from,
                      .since_ms = move->ended_ms,
                      .early = true }, /* While it was off, others may have taken its room. */
        };
    }
    return count;
}

struct force_records force_state_end(struct force_state *state, struct arena *arena,
                                     const struct ledger *ledger, const struct journal_move *move,
                                     bool revoked)
{
    struct journal_record *records = new_records(arena, state, ledger);
    bool arrived = move->state == JOURNAL_MOVE_DONE;
    size_t count = 0;

    if (arrived && !state->started) { /* It was off, and is only defined. */
        const struct force_records left =
            force_state_start(state, arena, ledger, move, move->ended_ms);

        memcpy(records, left.items, left.count * sizeof(*records));
        count = left.count;
    }
    count += add_unused(state, &records[count]);
    if (!arrived && !move->source_removed) {
        count += add_undone(state, arena, ledger, move, &records[count]);
        count += revoked ? add_owed(ledger, move, &records[count]) : 0;
        return (struct force_records){ records, count };
    }
    if (!state->started) {
        count += add_left(state, arena, ledger, move, move->ended_ms, &records[count]);
    }
    count += add_given_up(arena, ledger, move, &records[count]);
    return (struct force_records){ records, count };
}

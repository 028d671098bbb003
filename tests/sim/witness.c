/* SPDX-License-Identifier: Apache-2.0 */
#include "witness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/arena.h"
#include "life.h"
#include "play.h"
#include "reconciler/event.h"

void witness_blame(struct witness *witness, const char *format, ...)
{
    va_list args;

    if (witness->blame[0] != '\0') {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(witness->blame, sizeof(witness->blame), format, args);
    va_end(args);
}

static const char *guest_name(const struct witness *witness, uint32_t guest)
{
    return guest == CAST_NOBODY ? "somebody" : witness->cast->guests[guest].name;
}

static const struct sim_guest *find(const struct witness *witness, const struct sim_fleet *fleet,
                                    uint32_t guest, uint32_t host)
{
    const struct sim_host *found = sim_fleet_find_host(fleet, witness->cast->hosts[host]);

    return sim_fleet_find_guest(found, witness->cast->guests[guest].uuid);
}

const struct witness_move *witness_move_of(const struct witness *witness, uint32_t guest)
{
    for (size_t i = 0; i < WITNESS_MOVES; i++) {
        if (witness->moves[i].key.seq != 0 && witness->moves[i].guest == guest) {
            return &witness->moves[i];
        }
    }
    return NULL;
}

/* Room.  What is off because its turn to be moved comes later takes none where it is. */

static bool is_charged(const struct witness *witness, uint32_t guest, const struct sim_guest *found)
{
    if (sim_fleet_is_active(found)) {
        return true;
    }
    if (witness->owed[guest]) {
        return !witness->early[guest];
    }
    return witness->policy->charge_off || found->autostart || found->held;
}

/* The largest that the file or any host says. */
static uint64_t size_kib(const struct witness *witness, const struct sim_fleet *fleet,
                         uint32_t guest)
{
    uint64_t size = witness->cast->guests[guest].memory_kib;

    for (uint32_t h = 0; h < witness->cast->host_count; h++) {
        const struct sim_guest *found = find(witness, fleet, guest, h);

        if (found != NULL) {
            size = found->memory_kib > size ? found->memory_kib : size;
            size = found->config_memory_kib > size ? found->config_memory_kib : size;
        }
    }
    return size + witness->policy->guest_overhead_kib;
}

/* Who is off and stays so takes nothing where only running guests count. */
static bool is_weightless(const struct witness *witness, const struct witness_move *move)
{
    return move->mode == MOVE_COLD && !witness->policy->charge_off;
}

/* What an open move takes on 'host' beyond what is seen there.  An early stop takes nothing at its target. */
static bool is_reserved(const struct witness *witness, const struct witness_move *move,
                        uint32_t host)
{
    if (is_weightless(witness, move)) {
        return false;
    }
    if (move->from == move->to) {
        return host == move->from;
    }
    if (host == move->from) { /* A dead host has room for what it has. */
        return !witness->early[move->guest] && move->mode != MOVE_FORCED;
    }
    return host == move->to && move->mode != MOVE_STOP;
}

static bool is_reserved_for(const struct witness *witness, uint32_t guest, uint32_t host)
{
    for (size_t i = 0; i < WITNESS_MOVES; i++) {
        const struct witness_move *move = &witness->moves[i];

        if (move->key.seq != 0 && move->guest == guest && is_reserved(witness, move, host)) {
            return true;
        }
    }
    return false;
}

uint64_t witness_charge_kib(const struct witness *witness, const struct sim_fleet *fleet,
                            uint32_t host)
{
    uint64_t sum_kib = 0;

    for (uint32_t i = 0; i < witness->cast->guest_count; i++) {
        const struct sim_guest *found = find(witness, fleet, i, host);

        if ((found != NULL && is_charged(witness, i, found) &&
             !rescue_is_left_off(witness->rescue, i, host, found)) ||
            is_reserved_for(witness, i, host)) {
            sum_kib += size_kib(witness, fleet, i);
        }
    }
    return sum_kib;
}

static uint64_t limit_kib(const struct witness *witness, uint32_t host)
{
    return (uint64_t)witness->cast->memory_mib[host] * 1024;
}

/* Nobody but people outside brings a host over its limit; whoever is over it only becomes lighter. */
static void check_room(struct witness *witness, const struct sim_fleet *fleet, uint32_t host)
{
    uint64_t charge_kib = witness_charge_kib(witness, fleet, host);
    uint64_t limit = limit_kib(witness, host);

    if (charge_kib > witness->allowed_kib[host] + witness->regained_kib[host]) {
        witness_blame(witness, "%s takes %llu MiB of %llu MiB", witness->cast->hosts[host],
                      (unsigned long long)charge_kib / 1024, (unsigned long long)limit / 1024);
    }
    witness->allowed_kib[host] = charge_kib > limit ? charge_kib : limit;
}

/* The fleet. */

static void describe(const struct witness *witness, const struct sim_fleet *fleet, uint32_t guest,
                     char text[32])
{
    text[0] = '\0';
    for (uint32_t h = 0; h < witness->cast->host_count; h++) {
        const struct sim_guest *found = find(witness, fleet, guest, h);

        if (found != NULL) {
            (void)snprintf(text, 32, "%s on %s", observed_state_name(found->state),
                           witness->cast->hosts[h]);
        }
    }
}

static bool is_dark(const struct witness *witness, const struct sim_fleet *fleet, uint32_t host)
{
    return sim_fleet_find_host(fleet, witness->cast->hosts[host])->power == SIM_POWER_OFF;
}

static void check_guest(struct witness *witness, const struct sim_fleet *fleet, uint32_t guest)
{
    const struct cast_guest *wish = &witness->cast->guests[guest];
    unsigned runs = 0;
    unsigned seen = 0;
    bool restarts = false; /* With its host. */
    char text[32];

    for (uint32_t h = 0; h < witness->cast->host_count; h++) {
        const struct sim_guest *found = find(witness, fleet, guest, h);

        seen += found != NULL;
        runs += found != NULL && found->state == GUEST_RUNNING;
        restarts |= found != NULL && (found->held || is_dark(witness, fleet, h));
    }
    if (runs > 1) {
        witness_blame(witness, "%s runs %u times", wish->name, runs);
    }
    if (seen == 0 && !witness->gone[guest]) {
        witness_blame(witness, "%s is lost", wish->name);
    }
    if (sim_fleet_find_migration(fleet, wish->uuid, NULL, NULL) != NULL || restarts) {
        witness->strangers[guest][0] = '\0'; /* Seen anew when it has arrived. */
        witness->migrating[guest] &= !restarts;
        return;
    }
    witness->migrating[guest] = false;
    describe(witness, fleet, guest, text);
    if (witness->strangers[guest][0] == '\0') {
        (void)snprintf(witness->strangers[guest], sizeof(text), "%s", text);
    }
    if (wish->stranger && strcmp(text, witness->strangers[guest]) != 0) {
        witness_blame(witness, "%s, which no file names, was %s and is %s", wish->name,
                      witness->strangers[guest], text);
    }
}

/* Whoever was stopped must run again. */
static void watch_stop(struct witness *witness, const struct sim_fleet *fleet, uint32_t guest)
{
    for (uint32_t h = 0; h < witness->cast->host_count; h++) {
        const struct sim_guest *found = find(witness, fleet, guest, h);

        if (found != NULL && found->state == GUEST_SHUTOFF &&
            found->reason == GUEST_REASON_SHUTDOWN && witness->stopping[guest]) {
            witness->down[guest] = true;
            witness->stopping[guest] = false;
        }
        if (found != NULL && found->state == GUEST_RUNNING) {
            witness->down[guest] = false;
        }
    }
}

void witness_meddle(struct witness *witness, uint32_t guest)
{
    witness->meddled[guest] = true;
    witness->stopping[guest] = false;
    witness->down[guest] = false;
}

void witness_check(struct witness *witness, struct sim_fleet *fleet)
{
    witness->checks++;
    for (uint32_t i = 0; i < witness->cast->guest_count; i++) {
        check_guest(witness, fleet, i);
        watch_stop(witness, fleet, i);
    }
    for (uint32_t h = 0; h < witness->cast->host_count; h++) {
        check_room(witness, fleet, h);
    }
    outfit_check(witness->outfit, witness, fleet);
}

void witness_disturb(struct witness *witness, const struct sim_fleet *fleet)
{
    for (uint32_t h = 0; h < witness->cast->host_count; h++) {
        uint64_t charge_kib = witness_charge_kib(witness, fleet, h);

        witness->disturbed_ms[h] = witness->now_ms;
        witness->allowed_kib[h] =
            charge_kib > limit_kib(witness, h) ? charge_kib : limit_kib(witness, h);
    }
    for (uint32_t i = 0; i < witness->cast->guest_count; i++) {
        witness->strangers[i][0] = '\0'; /* Seen anew at the next look. */
    }
}

/* The file. */

void witness_save(struct witness *witness, const char *es_xml, bool in_order)
{
    struct witness_revision *revision;

    witness->in_order = in_order;
    witness->saved_ms = witness->now_ms;
    if (in_order) {
        revision = ARENA_NEW(witness->arena, struct witness_revision);
        *revision = (struct witness_revision){ witness->revisions, "", *witness->cast };
        digest_of(es_xml, strlen(es_xml), revision->digest);
        witness->revisions = revision;
    }
}

static const struct witness_revision *find_revision(const struct witness *witness,
                                                    const char *digest)
{
    const struct witness_revision *revision = witness->revisions;

    while (revision != NULL && strcmp(revision->digest, digest) != 0) {
        revision = revision->next;
    }
    return revision;
}

/* Holds. */

static bool is_named(const struct witness *witness, const struct witness_hold *hold, uint32_t host)
{
    return host != CAST_NOBODY && strcmp(hold->name, witness->cast->hosts[host]) == 0;
}

bool witness_is_held(const struct witness *witness, uint32_t guest, uint32_t at, uint32_t goal)
{
    for (size_t i = 0; i < witness->hold_count; i++) {
        const struct witness_hold *hold = &witness->holds[i];

        if (hold->scope == JOURNAL_SCOPE_FLEET ||
            (hold->scope == JOURNAL_SCOPE_GUEST &&
             strcmp(hold->name, guest_name(witness, guest)) == 0) ||
            (hold->scope == JOURNAL_SCOPE_HOST &&
             (is_named(witness, hold, at) || is_named(witness, hold, goal)))) {
            return true;
        }
    }
    return false;
}

static void keep_hold(struct witness *witness, const struct journal_hold *hold)
{
    size_t i = 0;

    while (i < witness->hold_count && (witness->holds[i].scope != hold->scope ||
                                       strcmp(witness->holds[i].name, hold->name) != 0)) {
        i++;
    }
    if (hold->released) {
        if (i < witness->hold_count) {
            witness->holds[i] = witness->holds[--witness->hold_count];
        }
    } else if (i < WITNESS_HOLDS) {
        witness->hold_count += i == witness->hold_count;
        witness->holds[i].scope = hold->scope;
        (void)snprintf(witness->holds[i].name, sizeof(witness->holds[i].name), "%s", hold->name);
    }
}

/* Moves. */

/* What happened to a host while it was looked at, or after, nobody could know. */
static bool is_known(const struct witness *witness, uint32_t host)
{
    return witness->disturbed_ms[host] < witness->known_ms[host];
}

struct opening {
    struct witness *witness;
    const struct cast *cast; /* As the file was that the move serves. */
    const struct witness_move *move;
};

static void check_apart(const struct opening *opening, const struct sim_fleet *fleet)
{
    struct witness *witness = opening->witness;
    const struct witness_move *move = opening->move;

    for (uint32_t i = 0; i < opening->cast->guest_count && move->mode != MOVE_STOP; i++) {
        if (cast_are_apart(opening->cast, move->guest, i) &&
            find(witness, fleet, i, move->to) != NULL && is_known(witness, move->to)) {
            witness_blame(witness, "%s moves to %s, where %s is, of which it must be apart",
                          guest_name(witness, move->guest), witness->cast->hosts[move->to],
                          guest_name(witness, i));
        }
    }
}

/* The fleet at the instant at which a move begins. */
static void check_opening(void *context, struct sim_fleet *fleet)
{
    const struct opening *opening = context;
    struct witness *witness = opening->witness;
    const struct witness_move *move = opening->move;
    uint64_t charge_kib = witness_charge_kib(witness, fleet, move->to);
    unsigned seen = 0;

    check_apart(opening, fleet);
    if (!is_known(witness, move->to) && charge_kib > witness->allowed_kib[move->to]) {
        witness->allowed_kib[move->to] = charge_kib;
    }
    for (uint32_t h = 0; h < witness->cast->host_count; h++) {
        seen += find(witness, fleet, move->guest, h) != NULL && is_known(witness, h) &&
                !witness->rescue->left[move->guest][h].open &&
                sim_fleet_find_host(fleet, witness->cast->hosts[h])->power == SIM_POWER_ON;
    }
    if (seen > 1) {
        witness_blame(witness, "%s is on %u hosts and moves", guest_name(witness, move->guest),
                      seen);
    }
}

static void check_revision(struct witness *witness, const struct witness_move *move,
                           const struct witness_revision *revision, bool detour)
{
    const struct cast_guest *wish = &revision->cast.guests[move->guest];
    const char *name = wish->name;

    if (!wish->listed) {
        witness_blame(witness, "%s moves, and the file does not name it", name);
    } else if (move->mode == MOVE_FORCED) {
        rescue_open(witness->rescue, witness, move); /* It is where a person has said. */
    } else if (!detour && wish->goal != move->to) {
        witness_blame(witness, "%s moves to %s for good, and the file wants it on %s", name,
                      witness->cast->hosts[move->to], witness->cast->hosts[wish->goal]);
    }
    if (witness->in_order && revision != witness->revisions && witness->life != NULL &&
        witness->saved_ms < witness->known_ms[move->from]) {
        witness_blame(witness, "%s moves for a file that was replaced before", name);
    }
}

static void check_rules(struct witness *witness, const struct witness_move *move,
                        const struct cast *cast)
{
    const char *name = guest_name(witness, move->guest);

    if (move->mode == MOVE_FORCED) {
        return; /* A person has asked for it all the same. */
    }
    if (cast->own_guests[move->guest].pin) {
        witness_blame(witness, "%s is pinned and moves", name);
    }
    if (cast->own_hosts[move->to].maintenance) {
        witness_blame(witness, "%s moves to %s, which is in maintenance", name,
                      cast->hosts[move->to]);
    }
    if (witness_is_held(witness, move->guest, move->from, move->to) ||
        witness_is_held(witness, move->guest, move->from, cast->guests[move->guest].goal)) {
        witness_blame(witness, "%s is held and begins to move", name);
    }
}

static void open_move(struct witness *witness, const struct journal_move *record)
{
    const struct witness_revision *revision = find_revision(witness, record->es_digest);
    struct witness_move *move = witness->moves;
    struct opening opening = { .witness = witness };

    while (move->key.seq != 0 && move < &witness->moves[WITNESS_MOVES - 1]) {
        move++;
    }
    *move = (struct witness_move){
        .key = record->key,
        .guest = cast_guest(witness->cast, record->guest),
        .from = cast_host(witness->cast, record->from),
        .to = cast_host(witness->cast, record->to),
        .mode = record->mode,
        .by_hand = record->by_hand,
    };
    witness->moves_begun++;
    if (move->guest == CAST_NOBODY || move->from == CAST_NOBODY || move->to == CAST_NOBODY) {
        witness_blame(witness, "a move of '%s' begins, which nobody knows", record->guest);
        move->key.seq = 0;
    } else if (revision == NULL) {
        witness_blame(witness, "%s moves for a file that is not in order", record->guest);
    } else if (move->from == move->to) {
        if (!witness->owed[move->guest]) {
            witness_blame(witness, "%s is started, and nobody owes it that", record->guest);
        }
    } else {
        opening.cast = &revision->cast;
        opening.move = move;
        check_revision(witness, move, revision, record->detour);
        check_rules(witness, move, &revision->cast);
        life_edit(witness->life, check_opening, &opening);
    }
}

static void keep_move(struct witness *witness, const struct journal_move *record)
{
    if (record->key.seq > witness->last_seq && record->state == JOURNAL_MOVE_OPEN) {
        witness->last_seq = record->key.seq;
        open_move(witness, record);
        return;
    }
    for (size_t i = 0; i < WITNESS_MOVES; i++) {
        if (witness->moves[i].key.seq == record->key.seq) {
            witness->moves[i].by_hand = record->by_hand;
        }
        if (witness->moves[i].key.seq == record->key.seq && record->state != JOURNAL_MOVE_OPEN) {
            witness->turned[witness->moves[i].guest] |= record->state != JOURNAL_MOVE_DONE;
            witness->moves[i].key.seq = 0;
        }
    }
}

/* What takes a guest away from where it is, begun while somebody holds it. */
static void keep_step(struct witness *witness, const struct journal_step *step)
{
    bool leaves = step->kind == OP_MIGRATE || step->kind == OP_STOP;

    for (size_t i = 0; i < WITNESS_MOVES && leaves; i++) {
        const struct witness_move *move = &witness->moves[i];

        if (move->key.seq == step->move.seq && step->state == JOURNAL_STEP_INTENDED &&
            witness_is_held(witness, move->guest, move->from, move->to)) {
            witness_blame(witness, "%s is held and %s is begun", guest_name(witness, move->guest),
                          op_kind_name(step->kind));
        }
    }
}

/* What takes no room on 'host' just now may come to take it again. */
static void allow_return(struct witness *witness, uint32_t guest, const char *host)
{
    uint32_t index = cast_host(witness->cast, host);

    if (index != CAST_NOBODY) {
        witness->regained_kib[index] += 2 * witness->cast->guests[guest].memory_kib;
    }
}

static void keep_owed(struct witness *witness, const struct journal_owed *owed)
{
    uint32_t guest = cast_guest(witness->cast, owed->guest);

    if (guest != CAST_NOBODY) {
        /* It went down with its host, and others may have its room: it may have been theirs before. */
        if (!owed->paid && !witness->owed[guest] && !witness->stopping[guest]) {
            allow_return(witness, guest, owed->host);
        }
        witness->owed[guest] = !owed->paid;
        witness->early[guest] = !owed->paid && owed->early;
    }
}

void witness_keep(struct witness *witness, const struct journal_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) { /* Debts first: they go with their moves. */
        if (batch->records[i].kind == JOURNAL_OWED) {
            keep_owed(witness, &batch->records[i].owed);
        }
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct journal_record *record = &batch->records[i];

        if (record->kind == JOURNAL_MOVE) {
            keep_move(witness, &record->move);
        } else if (record->kind == JOURNAL_STEP) {
            keep_step(witness, &record->step);
        } else if (record->kind == JOURNAL_HOLD) {
            keep_hold(witness, &record->hold);
        }
        rescue_keep(witness->rescue, witness, record);
    }
}

/* Operations. */

static int64_t now_ms(const struct witness *witness)
{
    return witness->life_began_ms + loop_now_ms(witness->life->loop);
}

void witness_look(struct witness *witness, const char *host)
{
    uint32_t index = cast_host(witness->cast, host);

    if (index != CAST_NOBODY) {
        witness->asked_ms[index] = now_ms(witness);
    }
}

void witness_begin(struct witness *witness, struct life *life)
{
    witness->life = life;
    witness->life_began_ms = witness->now_ms;
    for (uint32_t h = 0; h < CAST_HOSTS; h++) {
        witness->known_ms[h] = -1;
    }
}

void witness_hear(struct witness *witness, const struct event *event)
{
    for (uint32_t h = 0; h < witness->cast->host_count && event->kind == EVENT_OBSERVED; h++) {
        const struct observed_host *host =
            observed_find_host(event->observed, witness->cast->hosts[h]);

        if (host != NULL && host->reachable) {
            witness->known_ms[h] = witness->asked_ms[h];
        }
    }
}

/* The last step of the open move is this operation. */
static bool is_next(struct journal *journal, const struct journal_move *move, enum op_kind kind,
                    const char *host)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal_step *steps;
    size_t count;
    struct err err;

    return journal->ops->steps(journal, &arena, move->key, &steps, &count, &err) == 0 &&
           count > 0 && steps[count - 1].kind == kind &&
           steps[count - 1].state == JOURNAL_STEP_INTENDED &&
           strcmp(steps[count - 1].host, host) == 0;
}

/* The journal as whoever comes after a crash would read it: some open move (of the guest that is called so) wants
 * the operation.  A forced one may be open beside that in whose place it is. */
static bool is_intended(const struct witness *witness, const struct op *op, const char *guest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal *journal = witness->life->real_journal;
    struct journal_move *moves;
    size_t count;
    struct err err;

    if (journal->ops->moves(journal, &arena, true, guest, 0, &moves, &count, &err) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if ((guest == NULL ? moves[i].mode == MOVE_FORCED : strcmp(moves[i].uuid, op->uuid) == 0) &&
            is_next(journal, &moves[i], op->kind, op->host)) {
            return true;
        }
    }
    return false;
}

void witness_start(struct witness *witness, const struct op *op)
{
    uint32_t guest;

    witness->operations++;
    if (op->kind == OP_RELEASE || op->kind == OP_FENCE) { /* Of a host, and of no one guest. */
        if (op->kind == OP_FENCE && !is_intended(witness, op, NULL)) {
            witness_blame(witness, "%s is fenced, and no forced move wants that", op->host);
        }
        return;
    }
    guest = cast_guest_of(witness->cast, op->uuid);
    if (guest == CAST_NOBODY || witness->cast->guests[guest].stranger) {
        witness_blame(witness, "%s of '%s', which no file names", op_kind_name(op->kind),
                      op->guest);
        return;
    }
    if (op->kind != OP_PREFLIGHT && !is_intended(witness, op, op->guest) &&
        !rescue_is_sweep(witness->rescue, witness->cast, op)) {
        witness_blame(witness, "%s of %s on %s begins without a committed intent",
                      op_kind_name(op->kind), op->guest, op->host);
    }
    witness->stopping[guest] |= op->kind == OP_STOP;
    /* Where only running guests count, one that is off counts from the moment it has autostart: it had it before its
     * move, which reserves nothing. */
    if (op->kind == OP_AUTOSTART && !witness->policy->charge_off) {
        allow_return(witness, guest, op->host);
    }
    if (op->kind == OP_MIGRATE) {
        if (witness->migrating[guest]) {
            witness_blame(witness, "a second migration of %s begins", op->guest);
        }
        witness->migrating[guest] = true;
    }
}

void witness_init(struct witness *witness, struct play *play)
{
    *witness = (struct witness){
        .arena = &play->world.arena,
        .cast = &play->cast,
        .policy = &play->world.config.policy,
        .outfit = &play->outfit,
        .rescue = &play->rescue,
    };
    for (uint32_t h = 0; h < CAST_HOSTS; h++) {
        witness->allowed_kib[h] = UINT64_MAX; /* Until the first disturbance. */
    }
}

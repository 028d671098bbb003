/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue.h"

#include <string.h>

#include "base/base.h"
#include "life.h"
#include "mishap.h"
#include "play.h"
#include "reconciler/force.h"
#include "reconciler/reconciler.h"
#include "reconciler/stage.h"

#define PATIENCE_MS INT64_C(60000)

/* Asking. */

struct asking {
    struct play *play;
    const struct mishap *mishap;
    const char *dead;               /* Who is vouched for, or NULL. */
    uint64_t taken_kib[CAST_HOSTS]; /* By guests that are asked for. */
    uint32_t goals[CAST_GUESTS];    /* Where each is asked for, or CAST_NOBODY. */
};

static const struct sim_guest *find_on(const struct asking *asking, const struct sim_fleet *fleet,
                                       uint32_t guest, uint32_t host)
{
    const struct cast *cast = &asking->play->cast;

    return sim_fleet_find_guest(sim_fleet_find_host(fleet, cast->hosts[host]),
                                cast->guests[guest].uuid);
}

static bool is_on(const struct asking *asking, const struct sim_fleet *fleet, uint32_t host)
{
    return sim_fleet_find_host(fleet, asking->play->cast.hosts[host])->power == SIM_POWER_ON;
}

/* As careful people choose: it answers, has room, and nobody is there of whom the guest is kept apart. */
static bool may_take(const struct asking *asking, const struct sim_fleet *fleet, uint32_t guest,
                     uint32_t host)
{
    const struct play *play = asking->play;
    const struct cast *cast = &play->cast;
    uint64_t sum_kib = witness_charge_kib(&play->witness, fleet, host) + asking->taken_kib[host] +
                       cast->guests[guest].memory_kib;

    if (!is_on(asking, fleet, host) || cast->own_hosts[host].maintenance ||
        sum_kib > (uint64_t)cast->memory_mib[host] * 1024) {
        return false;
    }
    for (uint32_t i = 0; i < cast->guest_count; i++) {
        if (i != guest && cast->guests[i].cluster != 0 &&
            cast->guests[i].cluster == cast->guests[guest].cluster) {
            return false;
        }
    }
    return true;
}

static void choose_for_all(struct asking *asking, const struct sim_fleet *fleet)
{
    const struct cast *cast = &asking->play->cast;

    for (uint32_t i = 0; i < cast->guest_count; i++) {
        uint32_t to = 0;

        if (!cast->guests[i].listed || find_on(asking, fleet, i, asking->mishap->host) == NULL) {
            continue;
        }
        while (to < cast->host_count && !may_take(asking, fleet, i, to)) {
            to++;
        }
        if (to < cast->host_count) {
            asking->goals[i] = to;
            asking->taken_kib[to] += cast->guests[i].memory_kib;
        }
    }
}

static void choose_for_one(struct asking *asking, const struct sim_fleet *fleet)
{
    const struct cast *cast = &asking->play->cast;
    uint32_t first = asking->mishap->guest;
    uint32_t to = asking->mishap->number / 8 % (uint32_t)cast->host_count;

    for (uint32_t i = 0; i < cast->guest_count; i++) {
        uint32_t guest = (uint32_t)((first + i) % cast->guest_count);

        if (cast->guests[guest].listed &&
            find_on(asking, fleet, guest, asking->mishap->host) != NULL &&
            may_take(asking, fleet, guest, to)) {
            asking->goals[guest] = to;
            return;
        }
    }
}

static void choose(void *context, struct sim_fleet *fleet)
{
    struct asking *asking = context;
    const struct mishap *mishap = asking->mishap;
    const struct sim_host *host =
        sim_fleet_find_host(fleet, asking->play->cast.hosts[mishap->host]);

    if (host->power == SIM_POWER_ON && mishap->number % 4 != 0) {
        return; /* Seldom does somebody ask who need not. */
    }
    if (host->power == SIM_POWER_OFF && mishap->number % 2 == 1) {
        asking->dead = host->name;
    }
    (mishap->kind == MISHAP_EVACUATE ? choose_for_all : choose_for_one)(asking, fleet);
}

static void ask_for(const struct asking *asking, uint32_t guest)
{
    struct play *play = asking->play;
    struct rescue *rescue = &play->rescue;
    const struct force_request request = {
        .guest = play->cast.guests[guest].name,
        .to = play->cast.hosts[asking->goals[guest]],
        .dead = asking->dead,
        .user = "somebody",
        .patience_ms = asking->mishap->number % 3 == 0 ? PATIENCE_MS : 0,
    };

    if (rescue->asked_count < RESCUE_ASKED) {
        rescue->asked[rescue->asked_count++] =
            (struct rescue_request){ guest, asking->goals[guest] };
        reconciler_force(play->life->reconciler, &request, play_answer, play_ask(play));
    }
}

/* The file first, as the commands do. */
void rescue_ask(struct play *play, const struct mishap *mishap)
{
    struct asking asking = { .play = play, .mishap = mishap };
    bool any = false;

    if (!play_can_ask(play) || !play->witness.in_order) {
        return;
    }
    for (uint32_t i = 0; i < CAST_GUESTS; i++) {
        asking.goals[i] = CAST_NOBODY;
    }
    life_edit(play->life, choose, &asking);
    for (uint32_t i = 0; i < play->cast.guest_count; i++) {
        if (asking.goals[i] != CAST_NOBODY) {
            play->cast.guests[i].goal = asking.goals[i];
            any = true;
        }
    }
    if (any) {
        play->good_es_xml = cast_es_xml(&play->cast, ++play->saves);
        play_save(play, play->good_es_xml, true, mishap->unnoticed);
    }
    for (uint32_t i = 0; i < play->cast.guest_count; i++) {
        if (asking.goals[i] != CAST_NOBODY) {
            ask_for(&asking, i);
        }
    }
}

/* Lifting a fence. */

bool rescue_is_under_way(const struct witness *witness, uint32_t guest)
{
    for (size_t i = 0; i < WITNESS_MOVES; i++) {
        const struct witness_move *move = &witness->moves[i];

        if (move->key.seq != 0 && move->guest == guest && move->mode == MOVE_FORCED) {
            return true;
        }
    }
    return false;
}

void rescue_lift_host(struct rescue *rescue, const struct witness *witness, struct sim_fleet *fleet,
                      struct sim_host *host)
{
    uint32_t index = cast_host(witness->cast, host->name);

    for (size_t g = 0; host->fenced && g < host->guest_count; g++) {
        uint32_t guest = cast_guest_of(witness->cast, host->guests[g].uuid);
        const struct rescue_leftover *left = &rescue->left[guest][index];

        if (host->guests[g].autostart && host->guard == OBSERVED_GUARD_NONE &&
            ((left->open && left->protection == JOURNAL_PROTECTION_FENCED) ||
             rescue_is_under_way(witness, guest))) {
            host->guests[g].autostart = false;
            rescue->cleaned[guest] = true;
        }
    }
    host->fenced = false;
    host->fence_ms = 0;
    host->power = SIM_POWER_ON;
    fleet->changed = true;
}

struct lifting {
    struct play *play;
    const char *host;
};

static void lift(void *context, struct sim_fleet *fleet)
{
    const struct lifting *lifting = context;
    struct sim_host *host = sim_fleet_find_host(fleet, lifting->host);

    if (host->fenced) {
        rescue_lift_host(&lifting->play->rescue, &lifting->play->witness, fleet, host);
    }
}

void rescue_lift(struct play *play, const struct mishap *mishap)
{
    struct lifting lifting = { play, play->cast.hosts[mishap->host] };

    for (uint32_t i = 0; i < play->cast.guest_count; i++) {
        if (rescue_is_under_way(&play->witness, i)) {
            return;
        }
    }
    play_edit(play, lift, &lifting);
}

/* Looking on. */

void rescue_open(struct rescue *rescue, struct witness *witness, const struct witness_move *move)
{
    rescue->begun_ms[move->guest] = witness->now_ms;
    for (size_t i = 0; i < rescue->asked_count; i++) {
        if (rescue->asked[i].guest == move->guest && rescue->asked[i].to == move->to) {
            return;
        }
    }
    witness_blame(witness, "%s is moved by force, and nobody asked for it",
                  witness->cast->guests[move->guest].name);
}

struct arrival {
    struct rescue *rescue;
    struct witness *witness;
    const struct journal_move *move;
};

static void check_arrival(void *context, struct sim_fleet *fleet)
{
    const struct arrival *arrival = context;
    const struct journal_move *move = arrival->move;
    const struct sim_host *host = sim_fleet_find_host(fleet, move->to);
    const struct sim_guest *guest = sim_fleet_find_guest(host, move->uuid);
    bool runs = move->original != GUEST_SHUTOFF;

    if (host->power == SIM_POWER_ON && (guest == NULL || sim_fleet_is_active(guest) != runs)) {
        witness_blame(arrival->witness, "%s was moved to %s by force, and is %s there", move->guest,
                      move->to, guest == NULL ? "not" : observed_state_name(guest->state));
    }
}

bool rescue_is_left_off(const struct rescue *rescue, uint32_t guest, uint32_t host,
                        const struct sim_guest *found)
{
    const struct rescue_leftover *left = &rescue->left[guest][host];

    return left->open && left->kept && !sim_fleet_is_active(found);
}

/* Whatever somebody else does there meanwhile is not looked at. */
static void end_move(struct rescue *rescue, struct witness *witness,
                     const struct journal_move *move)
{
    struct arrival arrival = { rescue, witness, move };
    uint32_t guest = cast_guest(witness->cast, move->guest);
    uint32_t to = cast_host(witness->cast, move->to);

    if (move->mode == MOVE_FORCED && move->state == JOURNAL_MOVE_DONE && guest != CAST_NOBODY &&
        to != CAST_NOBODY) {
        rescue->moved++;
        if (witness->disturbed_ms[to] < rescue->begun_ms[guest]) {
            life_edit(witness->life, check_arrival, &arrival);
        }
    }
}

void rescue_keep(struct rescue *rescue, struct witness *witness,
                 const struct journal_record *record)
{
    if (record->kind == JOURNAL_MOVE) {
        end_move(rescue, witness, &record->move);
    } else if (record->kind == JOURNAL_LEFTOVER) {
        uint32_t guest = cast_guest(witness->cast, record->leftover.guest);
        uint32_t host = cast_host(witness->cast, record->leftover.host);

        if (guest != CAST_NOBODY && host != CAST_NOBODY) {
            rescue->left[guest][host] = (struct rescue_leftover){
                !record->leftover.cleared,
                strcmp(record->leftover.to, record->leftover.host) != 0,
                record->leftover.protection,
            };
        }
    }
}

bool rescue_is_sweep(const struct rescue *rescue, const struct cast *cast, const struct op *op)
{
    uint32_t guest = cast_guest_of(cast, op->uuid);
    uint32_t host = cast_host(cast, op->host);

    return (op->kind == OP_UNDEFINE || stage_is_supply_op(op->kind)) && guest != CAST_NOBODY &&
           host != CAST_NOBODY && rescue->left[guest][host].open;
}

void rescue_judge(const struct rescue *rescue, struct witness *witness)
{
    for (uint32_t i = 0; i < witness->cast->guest_count; i++) {
        for (uint32_t h = 0; h < witness->cast->host_count; h++) {
            if (rescue->left[i][h].open && !witness->meddled[i]) {
                witness_blame(witness,
                              "in the end %s still keeps %s, which it lost while it was dead",
                              witness->cast->hosts[h], witness->cast->guests[i].name);
            }
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/resurrect.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "diff/capacity.h"
#include "diff/evacuate.h"
#include "diff/verify.h"
#include "model/desired.h"
#include "model/es_edit.h"
#include "model/observed.h"
#include "model/policy.h"

/* The world as it would be if the host answered. */
struct supposed {
    struct arena *arena;
    const char *host;
    const char *only; /* Nobody else is moved; NULL: all are that the host has, or had. */
    struct plan_input input;
    struct observed observed;
    struct desired desired;
    bool *concerned; /* By guest of the file: it is down because of the host. */
};

/* A host that answers and has a process of the guest, or NULL. */
static const char *find_running(const struct observed *observed, const char *guest)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];
        const struct observed_guest *seen =
            host->reachable ? observed_find_guest_named(host, guest) : NULL;

        if (seen != NULL && observed_is_active(seen)) {
            return host->name;
        }
    }
    return NULL;
}

static bool is_seen(const struct observed *observed, const char *guest)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        if (observed_find_guest_named(&observed->hosts[i], guest) != NULL) {
            return true;
        }
    }
    return false;
}

/* A move that ends, or began, on the host and is not settled: a forced one takes its place. */
static bool is_given_up(const struct supposed *supposed, const struct observed_move *move)
{
    return strcmp(move->from, supposed->host) == 0 || strcmp(move->to, supposed->host) == 0;
}

/* What such a move may have left on its target: a definition that is not started. */
static bool is_given_up_on(const struct supposed *supposed, const struct observed *observed,
                           const char *host, const struct observed_guest *seen)
{
    for (size_t i = 0; i < observed->in_flight_count; i++) {
        const struct observed_move *move = &observed->in_flight[i];

        if (is_given_up(supposed, move) && strcmp(move->to, host) == 0 &&
            strcmp(move->guest, seen->name) == 0) {
            return seen->state == GUEST_SHUTOFF;
        }
    }
    return false;
}

/* A guest of the dead host as a planner is to see it: stopped, and to be started if it ran. */
static struct observed_guest suppose_stopped(const struct observed_guest *seen)
{
    struct observed_guest guest = *seen;

    guest.owed_start = observed_is_active(seen) || seen->owed_start;
    guest.state = GUEST_SHUTOFF;
    guest.reason = GUEST_REASON_UNKNOWN;
    guest.job = GUEST_JOB_NONE;
    guest.supplies = (struct supply_list){ .count = 0 }; /* Nothing can be copied from there. */
    return guest;
}

/* One that runs elsewhere is there, and not on the dead host. */
static void suppose_guests(struct supposed *supposed, const struct observed *observed,
                           const struct observed_host *seen, struct observed_host *host)
{
    bool dead = strcmp(seen->name, supposed->host) == 0;
    struct observed_guest *guests =
        ARENA_ARRAY(supposed->arena, struct observed_guest, seen->guest_count + 1);

    host->guests = guests;
    host->guest_count = 0;
    for (size_t i = 0; i < seen->guest_count; i++) {
        const struct observed_guest *guest = &seen->guests[i];

        if (dead ? find_running(observed, guest->name) == NULL
                 : !is_given_up_on(supposed, observed, seen->name, guest)) {
            guests[host->guest_count++] = dead ? suppose_stopped(guest) : *guest;
        }
    }
}

/* The dead host answers, and has room for what it has. */
static void suppose_hosts(struct supposed *supposed, const struct observed *observed)
{
    struct observed_host *hosts =
        ARENA_ARRAY(supposed->arena, struct observed_host, observed->host_count + 1);

    supposed->observed.hosts = hosts;
    for (size_t i = 0; i < observed->host_count; i++) {
        struct observed_host *host = &hosts[i];

        *host = observed->hosts[i];
        suppose_guests(supposed, observed, &observed->hosts[i], host);
        if (strcmp(host->name, supposed->host) == 0) {
            assert(!host->reachable);
            host->reachable = true;
            host->memory_kib = host->memory_kib == 0 ? CAPACITY_SIZE_MAX_KIB : host->memory_kib;
        }
    }
}

static void suppose_moves(struct supposed *supposed, const struct observed *observed)
{
    struct observed_move *moves =
        ARENA_ARRAY(supposed->arena, struct observed_move, observed->in_flight_count + 1);

    supposed->observed.in_flight = moves;
    supposed->observed.in_flight_count = 0;
    for (size_t i = 0; i < observed->in_flight_count; i++) {
        if (!is_given_up(supposed, &observed->in_flight[i])) {
            moves[supposed->observed.in_flight_count++] = observed->in_flight[i];
        }
    }
}

/* Why a guest that was last seen on the host as 'seen' is not to be elsewhere, or NULL.  One that was off is moved
 * only if it is asked for by name, and stays off. */
static const char *refuse_as_seen(const struct supposed *supposed,
                                  const struct desired_guest *guest,
                                  const struct observed_guest *seen, enum plan_code *code)
{
    *code = PLAN_UNSAFE;
    if (!seen->persistent) {
        return "it was transient, and its definition is gone with the host: define it anew";
    }
    if (seen->state == GUEST_PAUSED) {
        return "it was paused when it was last seen, and what was in its memory is lost: start it "
               "by hand if it is to run";
    }
    if (seen->state == GUEST_CRASHED || seen->state == GUEST_OTHER) {
        return "it was neither running nor off when it was last seen: start it by hand if it is to "
               "run";
    }
    *code = PLAN_POLICY;
    if (seen->state == GUEST_SHUTOFF && !seen->owed_start && supposed->only == NULL) {
        return "it was off when it was last seen, and stays so";
    }
    *code = PLAN_UNCLEAR;
    if (guest->memory_kib == 0 && seen->memory_kib == 0 && seen->config_memory_kib == 0) {
        return "nobody knows how much memory it takes: declare it in the file (guestMemory)";
    }
    return NULL;
}

/* What is said against a guest that the host has taken down. */
static const char *refuse_concerned(const struct supposed *supposed, const struct plan_input *input,
                                    const struct desired_guest *guest,
                                    const struct observed_guest *seen, enum plan_code *code)
{
    const struct plan_exclusion *exclusion = plan_find_exclusion(input, guest->name);

    if (exclusion != NULL) {
        *code = exclusion->code;
        return exclusion->reason;
    }
    if (seen != NULL) {
        return refuse_as_seen(supposed, guest, seen, code);
    }
    *code = PLAN_MISSING;
    if (supposed->only == NULL &&
        strcmp(input->desired->hosts[guest->host].name, supposed->host) != 0) {
        return text_format(
            supposed->arena,
            "no host that answers has it, and where it was is not known: if it was on "
            "'%s', start it by hand from its last definition, which the journal has",
            supposed->host);
    }
    return text_format(supposed->arena,
                       "nobody has seen it on '%s' when that answered: it is not known to have run "
                       "there, nor how it is defined",
                       supposed->host);
}

/* Why the guest of the file is kept out of planning, or NULL; finds out whether it is concerned. */
static const char *refuse(struct supposed *supposed, const struct plan_input *input, uint32_t index,
                          enum plan_code *code)
{
    const struct desired_guest *guest = &input->desired->guests[index];
    const struct observed_host *dead = observed_find_host(input->observed, supposed->host);
    const struct observed_guest *seen =
        dead == NULL ? NULL : observed_find_guest_named(dead, guest->name);
    const char *running = find_running(input->observed, guest->name);

    *code = PLAN_POLICY;
    if (supposed->only != NULL && strcmp(supposed->only, guest->name) != 0) {
        return "it is not asked for";
    }
    supposed->concerned[index] = supposed->only != NULL || (seen != NULL && running == NULL) ||
                                 !is_seen(input->observed, guest->name);
    if (running != NULL) {
        return text_format(supposed->arena, "it runs on '%s'", running);
    }
    return supposed->concerned[index] ? refuse_concerned(supposed, input, guest, seen, code)
                                      : "it is not on that host";
}

static void suppose_exclusions(struct supposed *supposed, const struct plan_input *input)
{
    const struct desired *desired = input->desired;
    struct plan_exclusion *exclusions =
        ARENA_ARRAY(supposed->arena, struct plan_exclusion, desired->guest_count + 1);

    supposed->concerned = ARENA_ARRAY(supposed->arena, bool, desired->guest_count + 1);
    supposed->input.exclusions = exclusions;
    supposed->input.exclusion_count = 0;
    for (uint32_t i = 0; i < desired->guest_count; i++) {
        enum plan_code code;
        const char *reason = refuse(supposed, input, i, &code);

        if (reason != NULL) {
            exclusions[supposed->input.exclusion_count++] =
                (struct plan_exclusion){ desired->guests[i].name, code, reason };
        }
    }
}

static void suppose(struct supposed *supposed, const struct plan_input *input)
{
    supposed->observed = *input->observed;
    suppose_hosts(supposed, input->observed);
    suppose_moves(supposed, input->observed);
    supposed->input = *input;
    supposed->input.observed = &supposed->observed;
    supposed->input.recorded = true; /* The dead host cannot be asked. */
    suppose_exclusions(supposed, input);
}

static bool is_concerned(const struct supposed *supposed, const char *guest)
{
    return supposed->concerned[desired_find_guest(supposed->input.desired, guest)];
}

/* The file with the edits; those that change nothing are left out. */
static void edit_file(struct supposed *supposed, struct resurrection *resurrection,
                      const struct es_edit *edits, size_t count)
{
    const struct desired *before = supposed->input.desired;
    struct desired_guest *guests =
        ARENA_ARRAY(supposed->arena, struct desired_guest, before->guest_count + 1);
    struct es_edit *kept = ARENA_ARRAY(supposed->arena, struct es_edit, count + 1);

    memcpy(guests, before->guests, before->guest_count * sizeof(*guests));
    for (size_t i = 0; i < count; i++) {
        struct desired_guest *guest = &guests[desired_find_guest(before, edits[i].guest)];
        uint32_t host = desired_find_host(before, edits[i].host);

        if (guest->host != host) {
            guest->host = host;
            kept[resurrection->edit_count++] = edits[i];
        }
    }
    resurrection->edits = kept;
    supposed->desired = *before;
    supposed->desired.guests = guests;
    supposed->input.desired = &supposed->desired;
}

static bool comes_before(const struct policy *policy, const struct plan_move *a,
                         const struct plan_move *b)
{
    int32_t left = policy_guest_priority(policy, a->guest);
    int32_t right = policy_guest_priority(policy, b->guest);

    if (left != right) {
        return left > right;
    }
    return a->memory_kib != b->memory_kib ? a->memory_kib > b->memory_kib
                                          : strcmp(a->guest, b->guest) < 0;
}

static void shift_side(struct plan_side *side, uint64_t by_kib)
{
    side->before_kib += by_kib;
    side->during_kib += by_kib;
    side->after_kib += by_kib;
}

/* Charges to each move what those before it bring and take, or (if 'undo') takes that off again.  Unsigned sums
 * wrap, and come out right. */
static void charge_earlier(struct plan_move *moves, size_t count, bool undo)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t left_kib = 0;
        uint64_t arrived_kib = 0;

        for (size_t k = 0; k < i; k++) {
            bool same = moves[k].hugepage_kib == moves[i].hugepage_kib;

            left_kib += same ? moves[k].memory_kib : 0;
            arrived_kib += same && strcmp(moves[k].to, moves[i].to) == 0 ? moves[k].memory_kib : 0;
        }
        shift_side(&moves[i].source, undo ? left_kib : -left_kib);
        shift_side(&moves[i].target, undo ? -arrived_kib : arrived_kib);
    }
}

/* Everybody arrives, so that any order will do: who is to run first comes first. */
static void put_in_order(const struct supposed *supposed, struct plan_move *moves, size_t count)
{
    charge_earlier(moves, count, true);
    for (size_t i = 1; i < count; i++) {
        struct plan_move move = moves[i];
        size_t at = i;

        while (at > 0 && comes_before(supposed->input.policy, &move, &moves[at - 1])) {
            moves[at] = moves[at - 1];
            at--;
        }
        moves[at] = move;
    }
    charge_earlier(moves, count, false);
    for (size_t i = 0; i < count; i++) {
        moves[i].seq = (uint32_t)i + 1;
    }
}

static int compare_blocks(const void *a, const void *b)
{
    return strcmp(((const struct plan_block *)a)->guest, ((const struct plan_block *)b)->guest);
}

/* Who is down and stays so: by the search for hosts, or by the plan. */
static void collect_blocks(const struct supposed *supposed, const struct evacuation *evacuation,
                           struct plan *plan)
{
    struct plan_block *blocks = ARENA_ARRAY(supposed->arena, struct plan_block,
                                            evacuation->block_count + plan->block_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < evacuation->block_count; i++) {
        if (is_concerned(supposed, evacuation->blocked[i].guest)) {
            blocks[count++] = evacuation->blocked[i];
        }
    }
    for (size_t i = 0; i < plan->block_count; i++) {
        size_t k = 0;

        while (k < count && strcmp(blocks[k].guest, plan->blocked[i].guest) != 0) {
            k++;
        }
        if (k == count && is_concerned(supposed, plan->blocked[i].guest)) {
            blocks[count++] = plan->blocked[i];
        }
    }
    qsort(blocks, count, sizeof(*blocks), compare_blocks);
    plan->blocked = blocks;
    plan->block_count = count;
}

static int plan_moves(struct supposed *supposed, const struct evacuation *evacuation,
                      struct resurrection *resurrection, struct err *err)
{
    struct plan *plan = &resurrection->plan;
    struct plan_move *moves;

    edit_file(supposed, resurrection, evacuation->edits, evacuation->edit_count);
    *plan = plan_build(supposed->arena, &supposed->input);
    moves = ARENA_ARRAY(supposed->arena, struct plan_move, plan->move_count + 1);
    if (plan->move_count > 0) {
        memcpy(moves, plan->moves, plan->move_count * sizeof(*moves));
    }
    put_in_order(supposed, moves, plan->move_count);
    plan->moves = moves;
    if (verify_plan(&supposed->input, plan, 0, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        moves[i].mode = MOVE_FORCED;
        moves[i].reason =
            text_format(supposed->arena, "'%s', where it ran, is dead", supposed->host);
    }
    plan->interruptions = 0; /* They are down already. */
    plan->warning_count = 0; /* Of a world that is only supposed. */
    collect_blocks(supposed, evacuation, plan);
    plan->complete = plan->block_count == 0;
    return 0;
}

int resurrect_host(struct arena *arena, const struct plan_input *input, const char *host,
                   struct resurrection *resurrection, struct err *err)
{
    struct supposed supposed = { .arena = arena, .host = host };
    struct evacuation evacuation = { .edit_count = 0 };
    uint32_t index = desired_find_host(input->desired, host);

    *resurrection = (struct resurrection){ .edit_count = 0 };
    suppose(&supposed, input);
    if (index != DESIRED_NONE) {
        evacuation = evacuate_find(arena, &supposed.input, index);
    }
    return plan_moves(&supposed, &evacuation, resurrection, err);
}

int resurrect_guest(struct arena *arena, const struct plan_input *input, const char *host,
                    const char *guest, const char *to, struct resurrection *resurrection,
                    struct err *err)
{
    struct supposed supposed = { .arena = arena, .host = host, .only = guest };
    const struct es_edit edit = { .guest = guest, .host = to };
    const struct evacuation evacuation = { .edits = &edit, .edit_count = 1 };

    *resurrection = (struct resurrection){ .edit_count = 0 };
    suppose(&supposed, input);
    return plan_moves(&supposed, &evacuation, resurrection, err);
}

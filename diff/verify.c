/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "diff/replay.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/profile.h"
#include "model/quantity.h"
#include "model/supply.h"

struct verifier {
    struct arena *arena;
    const struct plan *plan;
    struct err *err;
    struct replay world;
    uint32_t *last_moves; /* By guest: index of its last move in the plan. */
    size_t index;         /* Of the move that is looked at. */
};

/* One move with its names resolved. */
struct step {
    const struct plan_move *move;
    const struct desired_guest *want;
    struct replay_guest *who;
    uint32_t guest;
    uint32_t from;
    uint32_t to;
    uint32_t goal;
};

PRINTF(3, 4) static int refuse(struct verifier *verifier, const char *rule, const char *fmt, ...)
{
    const struct plan_move *move = &verifier->plan->moves[verifier->index];
    char why[ERR_TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(verifier->err, ERR_REFUSED, "move %zu (%s to %s): %s: %s", verifier->index + 1,
                   move->guest, move->to, rule, why);
}

static void load_last_moves(struct verifier *verifier)
{
    for (size_t i = 0; i < verifier->plan->move_count; i++) {
        uint32_t guest = replay_find_guest(&verifier->world, verifier->plan->moves[i].guest);

        if (guest != REPLAY_NONE) {
            verifier->last_moves[guest] = (uint32_t)i;
        }
    }
}

/* Names, identity and the claims that need no arithmetic. */
static int check_names(struct verifier *verifier, struct step *step)
{
    const struct plan_move *move = step->move;
    const struct desired *desired = verifier->world.input->desired;

    if (move->seq != verifier->index + 1) {
        return refuse(verifier, "seq", "is numbered %u", move->seq);
    }
    step->guest = replay_find_guest(&verifier->world, move->guest);
    step->from = replay_find_host(&verifier->world, move->from);
    step->to = replay_find_host(&verifier->world, move->to);
    if (step->guest == REPLAY_NONE) {
        return refuse(verifier, "guest", "the file does not list '%s'", move->guest);
    }
    if (step->from == REPLAY_NONE || step->to == REPLAY_NONE) {
        return refuse(verifier, "host", "nobody knows '%s'",
                      step->from == REPLAY_NONE ? move->from : move->to);
    }
    step->who = &verifier->world.guests[step->guest];
    step->want = &desired->guests[step->guest];
    step->goal = step->want->host;
    return 0;
}

/* The guest is where the move begins, and in one place only. */
static int check_presence(struct verifier *verifier, const struct step *step)
{
    const struct replay_guest *who = step->who;

    if (who->moving) {
        return refuse(verifier, "in-flight", "a move of it is not settled");
    }
    if (who->sightings != 1) {
        return refuse(verifier, "presence", "it is on %u hosts", who->sightings);
    }
    if (who->host != step->from) {
        return refuse(verifier, "presence", "it is on '%s', not on '%s'",
                      verifier->world.hosts[who->host].name, step->move->from);
    }
    /* A plan that was read back may lack it. */
    if (!text_equal(who->seen->uuid, step->move->uuid)) {
        return refuse(verifier, "presence", "its UUID is %s, not %s", who->seen->uuid,
                      step->move->uuid == NULL ? "the plan's (none)" : step->move->uuid);
    }
    if (who->seen->job != GUEST_JOB_NONE) {
        return refuse(verifier, "in-flight", "a job of it runs on '%s'", step->move->from);
    }
    return 0;
}

static int check_hosts(struct verifier *verifier, const struct step *step)
{
    const struct observed_host *source = verifier->world.hosts[step->from].seen;
    const struct observed_host *target = verifier->world.hosts[step->to].seen;
    const struct policy_host *own = policy_find_host(verifier->world.input->policy, step->move->to);
    const struct observed_guest *twin;

    if (step->from == step->to) {
        return refuse(verifier, "host", "it is there already");
    }
    if (source == NULL || !source->reachable) {
        return refuse(verifier, "unreachable-host", "'%s' does not answer", step->move->from);
    }
    if (target == NULL || !target->reachable) {
        return refuse(verifier, "unreachable-host", "'%s' does not answer", step->move->to);
    }
    twin = observed_find_guest(target, step->move->uuid);
    if (twin != NULL && strcmp(twin->name, step->move->guest) != 0) {
        return refuse(verifier, "presence", "its UUID is taken on '%s'", step->move->to);
    }
    if (own != NULL && own->maintenance) {
        return refuse(verifier, "maintenance", "'%s' takes no guest", step->move->to);
    }
    return 0;
}

static int compare_exclusions(const void *a, const void *b)
{
    return strcmp(((const struct plan_exclusion *)a)->guest,
                  ((const struct plan_exclusion *)b)->guest);
}

static int check_permission(struct verifier *verifier, const struct step *step)
{
    const struct plan_input *input = verifier->world.input;
    const struct policy_guest *own = policy_find_guest(input->policy, step->move->guest);
    struct plan_exclusion key = { .guest = step->move->guest };

    if (input->exclusion_count > 0 && bsearch(&key, input->exclusions, input->exclusion_count,
                                              sizeof(key), compare_exclusions) != NULL) {
        return refuse(verifier, "excluded", "it is kept out of planning");
    }
    if (own != NULL && own->pin) {
        return refuse(verifier, "pinned", "it does not move");
    }
    if (step->want->pending_action != NULL && !input->policy->adopt_pending_actions) {
        return refuse(verifier, "policy", "action %s of the file is not deployed",
                      step->want->pending_action);
    }
    if (step->move->detour && own != NULL && own->no_detour) {
        return refuse(verifier, "detour", "policy allows it none");
    }
    return 0;
}

static int check_hop(struct verifier *verifier, const struct step *step)
{
    const struct plan_move *last = &verifier->plan->moves[verifier->last_moves[step->guest]];

    if (step->move->detour == (step->to == step->goal)) {
        return refuse(verifier, "hop", "the file puts it on '%s'",
                      verifier->world.hosts[step->goal].name);
    }
    if (strcmp(last->to, verifier->world.hosts[step->goal].name) != 0) {
        return refuse(verifier, "hop", "it ends on '%s', a temporary host", last->to);
    }
    return 0;
}

static int check_park(struct verifier *verifier, const struct step *step)
{
    const struct policy_guest *own =
        policy_find_guest(verifier->world.input->policy, step->move->guest);

    if (own == NULL || !own->park) {
        return refuse(verifier, "mode", "policy does not let it be parked");
    }
    return 0;
}

static int check_running_mode(struct verifier *verifier, const struct step *step, bool offline)
{
    enum move_mode mode = step->move->mode;

    if (mode == MOVE_STOP) {
        return check_park(verifier, step);
    }
    if (mode != (offline ? MOVE_OFFLINE : MOVE_LIVE)) {
        return refuse(verifier, "mode", "%s for a guest that runs and whose policy is %s",
                      op_mode_name(mode), offline ? "offline" : "live");
    }
    return 0;
}

static int check_paused_mode(struct verifier *verifier, const struct step *step, bool offline)
{
    enum guest_reason reason = step->who->seen->reason;
    bool known = reason != GUEST_REASON_UNKNOWN || verifier->world.input->recorded;

    if (!known || (reason != GUEST_REASON_USER && reason != GUEST_REASON_UNKNOWN)) {
        return refuse(verifier, "unsafe", "it is paused (%s)", observed_reason_name(reason));
    }
    if (offline || step->move->mode != MOVE_LIVE) {
        return refuse(verifier, "mode", "a paused guest moves live or not at all");
    }
    return 0;
}

static int check_mode(struct verifier *verifier, const struct step *step)
{
    const struct observed_guest *seen = step->who->seen;
    enum move_mode mode = step->move->mode;
    enum policy_mode policy = policy_guest_mode(verifier->world.input->policy, step->move->guest);
    bool owed = seen->owed_start || step->who->stopped;

    if (mode == MOVE_FORCED) {
        return refuse(verifier, "mode", "a forced move is never planned");
    }
    if (mode != MOVE_LIVE && !seen->persistent) {
        return refuse(verifier, "unsafe", "it is transient and would vanish");
    }
    if (step->who->stopped || (seen->state == GUEST_SHUTOFF && !step->who->started)) {
        if (mode == MOVE_STOP && owed && !step->who->stopped) {
            return check_park(verifier, step);
        }
        if (mode != (owed ? MOVE_OFFLINE : MOVE_COLD)) {
            return refuse(verifier, "mode", "%s for a guest that is off and owed %s start",
                          op_mode_name(mode), owed ? "a" : "no");
        }
        return 0;
    }
    if (seen->state == GUEST_RUNNING || step->who->started) {
        return check_running_mode(verifier, step, policy == POLICY_MODE_OFFLINE);
    }
    if (seen->state == GUEST_PAUSED) {
        return check_paused_mode(verifier, step, policy == POLICY_MODE_OFFLINE);
    }
    return refuse(verifier, "unsafe", "its state is '%s'", observed_state_name(seen->state));
}

/* What a fact allows.  An unknown one is good enough for a recorded observation only. */
enum answer {
    NO,
    YES,
    UNKNOWN,
};

static enum answer is_zero(int32_t value)
{
    return value == OBSERVED_UNKNOWN ? UNKNOWN : value == 0 ? YES : NO;
}

/* A guest's NVRAM goes along if the profile copies it and the guest is off meanwhile. */
static enum answer keeps_nvram(const struct verifier *verifier, const struct step *step)
{
    const struct profile *profile = verifier->world.input->policy->profile;
    const struct supply *file =
        supply_list_find(&step->who->seen->supplies, SUPPLY_STATE, SUPPLY_NVRAM);
    bool off = step->move->mode != MOVE_LIVE && step->move->mode != MOVE_FORCED;

    return off && file != NULL && profile_takes(profile, SUPPLY_STATE, file->name, file->device)
               ? YES
               : is_zero(step->who->seen->has_nvram);
}

static enum answer are_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? UNKNOWN : strcmp(a, b) == 0 ? YES : NO;
}

static enum answer is_not_older(uint64_t source, uint64_t target)
{
    return source == 0 || target == 0 ? UNKNOWN : target >= source ? YES : NO;
}

static enum answer knows_machine(const struct observed_host *host, const char *machine)
{
    if (machine == NULL || host->machine_count == 0) {
        return UNKNOWN;
    }
    for (size_t i = 0; i < host->machine_count; i++) {
        if (strcmp(host->machines[i], machine) == 0) {
            return YES;
        }
    }
    return NO;
}

static enum answer cpu_fits(const struct observed_guest *guest, const struct observed_host *source,
                            const struct observed_host *target)
{
    if (guest->cpu_mode == NULL) {
        return UNKNOWN;
    }
    if (strcmp(guest->cpu_mode, "host-passthrough") != 0 &&
        strcmp(guest->cpu_mode, "maximum") != 0) {
        return YES;
    }
    return are_same(source->cpu_fingerprint, target->cpu_fingerprint);
}

static enum answer knows_pages(const struct observed_guest *guest,
                               const struct observed_host *source,
                               const struct observed_host *target)
{
    bool matters = source->hugepage_count + target->hugepage_count > 0;

    return guest->hugepage_kib < 0 && matters ? UNKNOWN : YES;
}

static enum answer has_nodes(const struct observed_guest *guest, const struct observed_host *source,
                             const struct observed_host *target)
{
    if (guest->numa_nodes < 0) {
        return source->numa_nodes > 1 ? UNKNOWN : YES;
    }
    if (guest->numa_nodes > 1 && target->numa_nodes == 0) {
        return UNKNOWN;
    }
    return guest->numa_nodes > 1 && (uint32_t)guest->numa_nodes > target->numa_nodes ? NO : YES;
}

static int check_facts(struct verifier *verifier, const struct step *step)
{
    const struct observed_guest *guest = step->who->seen;
    const struct observed_host *source = verifier->world.hosts[step->from].seen;
    const struct observed_host *target = verifier->world.hosts[step->to].seen;
    bool live = step->move->mode == MOVE_LIVE;
    bool any_version = !live || verifier->world.input->policy->allow_downgrade;
    bool saved = guest->state == GUEST_SHUTOFF && guest->reason == GUEST_REASON_SAVED;
    const struct {
        const char *rule;
        const char *what;
        enum answer answer;
    } facts[] = {
        { "unsafe", "managed save image", saved ? NO : is_zero(guest->managed_save) },
        { "unsafe", "snapshots", is_zero(guest->snapshots) },
        { "unsafe", "NVRAM file", keeps_nvram(verifier, step) },
        { "unsafe", "emulated TPM", is_zero(guest->has_tpm) },
        { "incompatible", "host devices", live ? is_zero(guest->hostdevs) : YES },
        { "incompatible", "architecture", are_same(source->arch, target->arch) },
        { "incompatible", "machine type", knows_machine(target, guest->machine) },
        { "incompatible", "CPU", live ? cpu_fits(guest, source, target) : YES },
        { "incompatible", "QEMU version",
          any_version ? YES : is_not_older(source->qemu_version, target->qemu_version) },
        { "incompatible", "libvirt version",
          any_version ? YES : is_not_older(source->libvirt_version, target->libvirt_version) },
        { "incompatible", "size of memory pages", knows_pages(guest, source, target) },
        { "incompatible", "NUMA nodes", has_nodes(guest, source, target) },
    };

    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        if (facts[i].answer == NO) {
            return refuse(verifier, facts[i].rule, "%s", facts[i].what);
        }
        if (facts[i].answer == UNKNOWN && !verifier->world.input->recorded) {
            return refuse(verifier, facts[i].rule, "%s is unknown", facts[i].what);
        }
    }
    return 0;
}

static bool are_apart(const struct desired *desired, uint32_t a, uint32_t b)
{
    const struct desired_guest *one = &desired->guests[a];
    const struct desired_guest *two = &desired->guests[b];

    if (one->host == two->host) {
        return false;
    }
    for (uint32_t i = 0; i < one->cluster_count; i++) {
        for (uint32_t j = 0; j < two->cluster_count; j++) {
            if (desired->cluster_refs[one->first_cluster + i] ==
                desired->cluster_refs[two->first_cluster + j]) {
                return true;
            }
        }
    }
    return false;
}

static int check_apart(struct verifier *verifier, const struct step *step)
{
    const struct desired *desired = verifier->world.input->desired;

    for (uint32_t s = verifier->world.hosts[step->to].first; s != REPLAY_NONE;
         s = verifier->world.stays[s].next) {
        uint32_t other = verifier->world.stays[s].guest;

        if (other != step->guest && are_apart(desired, step->guest, other)) {
            return refuse(verifier, "apart", "'%s' of the same cluster is there",
                          desired->guests[other].name);
        }
    }
    return 0;
}

static int check_room(struct verifier *verifier, const struct step *step)
{
    const struct replay_stay *stay = &verifier->world.stays[step->who->stay];
    const struct replay_host *target = &verifier->world.hosts[step->to];
    const struct replay_account *memory =
        replay_account(&verifier->world, step->to, stay->page_kib);
    bool huge = stay->page_kib != 0;
    uint64_t kib = stay->kib;
    uint64_t cap = target->cpu_limit;

    if (memory->used_kib + kib > memory->limit_kib) {
        return refuse(
            verifier, "memory", "%s + %s exceeds %s%s%s on %s",
            quantity_size_text(verifier->arena, memory->used_kib),
            quantity_size_text(verifier->arena, kib),
            quantity_size_text(verifier->arena, memory->limit_kib), huge ? " in pages of " : "",
            huge ? quantity_size_text(verifier->arena, stay->page_kib) : "", target->name);
    }
    if (step->to == step->goal && target->cpu_listed > cap &&
        verifier->world.input->policy->cpu_policy == POLICY_CPU_WARN) {
        cap = target->cpu_listed;
    }
    if (target->cpu_used + stay->vcpus > cap) {
        return refuse(verifier, "cpu", "%llu + %llu vCPUs exceeds %llu on %s",
                      (unsigned long long)target->cpu_used, (unsigned long long)stay->vcpus,
                      (unsigned long long)cap, target->name);
    }
    return 0;
}

static int check_side(struct verifier *verifier, const char *which, const char *host,
                      const struct replay_account *site, const struct plan_side *side,
                      uint64_t during, uint64_t after)
{
    if (side->limit_kib != site->limit_kib || side->before_kib != site->used_kib ||
        side->during_kib != during || side->after_kib != after) {
        return refuse(verifier, "proof",
                      "of '%s' (%s) should be limit %llu, before %llu, during %llu, after %llu KiB",
                      host, which, (unsigned long long)site->limit_kib,
                      (unsigned long long)site->used_kib, (unsigned long long)during,
                      (unsigned long long)after);
    }
    return 0;
}

/* The memory of both ends: a stopped guest left its source when it was stopped, every other is charged
 * on both until the move is over. */
static int check_proof(struct verifier *verifier, const struct step *step)
{
    const struct plan_move *move = step->move;
    const struct replay_stay *stay = &verifier->world.stays[step->who->stay];
    const struct replay_account *source =
        replay_account(&verifier->world, step->from, stay->page_kib);
    const struct replay_account *target =
        replay_account(&verifier->world, step->to, stay->page_kib);
    uint64_t kib = stay->kib;
    uint64_t leaves = step->who->stopped ? 0 : kib;
    uint64_t arrives = move->mode == MOVE_STOP ? 0 : kib;

    if (move->memory_kib != kib) {
        return refuse(verifier, "proof", "it takes %llu KiB, not %llu", (unsigned long long)kib,
                      (unsigned long long)move->memory_kib);
    }
    if (move->hugepage_kib != stay->page_kib) {
        return refuse(verifier, "proof", "it takes pages of %llu KiB, not of %u (0 is ordinary)",
                      (unsigned long long)stay->page_kib, move->hugepage_kib);
    }
    if (check_side(verifier, "from", move->from, source, &move->source, source->used_kib,
                   source->used_kib - leaves) != 0) {
        return -1;
    }
    return check_side(verifier, "to", move->to, target, &move->target, target->used_kib + arrives,
                      target->used_kib + arrives);
}

/* A parked guest must be brought up again by this very plan. */
static int check_stop(struct verifier *verifier, const struct step *step)
{
    const struct plan_move *last = &verifier->plan->moves[verifier->last_moves[step->guest]];

    if (verifier->last_moves[step->guest] <= verifier->index || last->mode != MOVE_OFFLINE) {
        return refuse(verifier, "mode", "stopped and never moved");
    }
    return 0;
}

static int check_move(struct verifier *verifier, struct step *step)
{
    static int (*const rules[])(struct verifier *, const struct step *) = {
        check_presence, check_hosts, check_permission, check_hop, check_mode, check_facts,
    };

    if (check_names(verifier, step) != 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i](verifier, step) != 0) {
            return -1;
        }
    }
    if (step->move->mode == MOVE_STOP) {
        if (check_stop(verifier, step) != 0) {
            return -1;
        }
    } else if (check_apart(verifier, step) != 0 || check_room(verifier, step) != 0) {
        return -1;
    }
    return check_proof(verifier, step);
}

/* What the plan says of itself as a whole. */
static int check_claims(struct verifier *verifier, size_t first)
{
    const struct plan *plan = verifier->plan;
    const struct desired *desired = verifier->world.input->desired;
    uint64_t memory_kib = 0;
    size_t detours = 0;
    size_t stops = 0;

    for (size_t i = 0; i < plan->move_count; i++) {
        memory_kib += plan->moves[i].memory_kib;
        detours += plan->moves[i].detour;
        stops += plan->moves[i].mode == MOVE_OFFLINE;
    }
    if (first == 0 && (memory_kib != plan->memory_kib || detours != plan->detours ||
                       stops != plan->interruptions)) {
        return err_set(verifier->err, ERR_REFUSED,
                       "plan: summary: %zu detours, %zu interruptions and %llu KiB are its sums",
                       detours, stops, (unsigned long long)memory_kib);
    }
    for (size_t i = 0; plan->complete && i < desired->guest_count; i++) {
        uint32_t goal = desired->guests[i].host;

        const struct replay_guest *guest = &verifier->world.guests[i];

        if (guest->host != goal || guest->sightings != 1 || guest->moving) {
            return err_set(verifier->err, ERR_REFUSED, "plan: complete: '%s' does not end on '%s'",
                           desired->guests[i].name, verifier->world.hosts[goal].name);
        }
    }
    return 0;
}

/* Guests that the plan has stopped already and has not moved yet, if they are seen so: they take no room
 * until then. */
static void load_stopped(struct verifier *verifier, size_t first)
{
    for (size_t i = 0; i < first; i++) {
        const struct plan_move *move = &verifier->plan->moves[i];
        uint32_t guest = replay_find_guest(&verifier->world, move->guest);
        const struct replay_guest *who =
            guest == REPLAY_NONE ? NULL : &verifier->world.guests[guest];

        if (move->mode == MOVE_STOP && who != NULL && verifier->last_moves[guest] >= first &&
            who->sightings == 1 && !who->moving && !who->stopped &&
            who->seen->state == GUEST_SHUTOFF && who->seen->owed_start) {
            replay_move(&verifier->world, guest, who->host, MOVE_STOP);
        }
    }
}

int verify_plan(const struct plan_input *input, const struct plan *plan, size_t first,
                struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct verifier verifier = {
        .arena = &arena,
        .plan = plan,
        .err = err,
        .world = replay_build(&arena, input),
        .last_moves = ARENA_ARRAY(&arena, uint32_t, input->desired->guest_count),
    };

    load_last_moves(&verifier);
    load_stopped(&verifier, first);
    for (verifier.index = first; verifier.index < plan->move_count; verifier.index++) {
        struct step step = { .move = &plan->moves[verifier.index] };

        if (check_move(&verifier, &step) != 0) {
            return -1;
        }
        replay_move(&verifier.world, step.guest, step.to, step.move->mode);
    }
    return check_claims(&verifier, first);
}

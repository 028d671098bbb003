/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/lookup.h"
#include "diff/plan.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/quantity.h"

#define NOWHERE UINT32_MAX

/* Sizes beyond this are no machine's; bounded so that sums cannot overflow. */
#define SIZE_BOUND_KIB (UINT64_C(1) << 43)

/* A host while the plan is replayed. */
struct site {
    const char *name;
    const struct observed_host *host;
    const struct desired_host *declared;
    uint64_t limit_kib;
    uint64_t used_kib;
    uint64_t cpu_limit;
    uint64_t cpu_listed; /* What the file puts here, and unlisted guests. */
    uint64_t cpu_used;
    uint32_t first; /* Stays on this host. */
};

/* A guest of the file staying on a host. */
struct stay {
    uint32_t guest;
    uint32_t site;
    uint32_t next;
    uint64_t kib;
    uint64_t vcpus;
};

/* A guest of the file while the plan is replayed. */
struct actor {
    const struct observed_guest *seen; /* Of its only sighting. */
    uint32_t site;
    uint32_t stay;
    uint32_t sightings;
    uint64_t vcpus;     /* The most that any sighting or the file says. */
    uint32_t last_move; /* Index of its last move in the plan. */
    bool moving;        /* In flight before the plan begins. */
    bool stopped;       /* By a stop move of this plan: takes no room now. */
};

struct replay {
    struct arena *arena;
    const struct plan_input *input;
    const struct plan *plan;
    struct err *err;
    struct lookup site_names;
    struct lookup guest_names;
    struct site *sites;
    size_t site_count;
    struct actor *actors;
    struct stay *stays;
    size_t stay_count;
    size_t index; /* Of the move that is looked at. */
};

/* One move with its names resolved. */
struct step {
    const struct plan_move *move;
    const struct desired_guest *want;
    struct actor *actor;
    uint32_t guest;
    uint32_t from;
    uint32_t to;
    uint32_t goal;
};

PRINTF(3, 4) static int refuse(struct replay *replay, const char *rule, const char *fmt, ...)
{
    const struct plan_move *move = &replay->plan->moves[replay->index];
    char why[ERR_TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(replay->err, ERR_REFUSED, "move %zu (%s to %s): %s: %s", replay->index + 1,
                   move->guest, move->to, rule, why);
}

static const char *size_text(struct replay *replay, uint64_t kib)
{
    struct text text = text_new(replay->arena);

    quantity_print_size(&text, kib);
    return text.data;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a < b ? b : a;
}

static uint64_t size_of(const struct replay *replay, const struct desired_guest *want,
                        const struct observed_guest *seen)
{
    uint64_t kib = want != NULL ? want->memory_kib : 0;
    uint64_t extra = replay->input->policy->guest_overhead_kib;

    if (seen != NULL) {
        kib = most(kib, seen->memory_kib);
        kib = most(kib, seen->config_memory_kib);
    }
    kib = kib > SIZE_BOUND_KIB ? SIZE_BOUND_KIB : kib;
    return kib + (extra > SIZE_BOUND_KIB ? SIZE_BOUND_KIB : extra);
}

static uint64_t cpus_of(const struct desired_guest *want, const struct observed_guest *seen)
{
    return most(want != NULL ? want->vcpus : 0, seen != NULL ? seen->vcpus : 0);
}

static bool takes_room(const struct replay *replay, const struct observed_guest *seen)
{
    if (seen->state != GUEST_SHUTOFF) {
        return true;
    }
    return replay->input->policy->charge_off || seen->autostart || seen->owed_start;
}

static uint32_t find_site(const struct replay *replay, const char *name)
{
    return lookup_find(&replay->site_names, name);
}

static uint32_t add_site(struct replay *replay, const char *name)
{
    uint32_t found = find_site(replay, name);

    if (found != LOOKUP_NONE) {
        return found;
    }
    found = (uint32_t)replay->site_count++;
    replay->sites[found] = (struct site){ .name = name, .first = NOWHERE, .cpu_limit = UINT64_MAX };
    lookup_add(&replay->site_names, name, found);
    return found;
}

static void set_limits(const struct policy *policy, struct site *site)
{
    const struct policy_host *own = policy_find_host(policy, site->name);
    uint64_t memory = site->host->memory_kib;
    uint64_t cpus = site->host->cpus;

    if (site->declared != NULL && site->declared->memory_kib > 0 &&
        site->declared->memory_kib < memory) {
        memory = site->declared->memory_kib;
    }
    if (own != NULL && own->cpus > 0) {
        cpus = own->cpus;
    }
    site->limit_kib = policy_usable_kib(policy, site->name, memory);
    if (cpus > 0) {
        site->cpu_limit = cpus * policy->cpu_overcommit_milli / 1000;
    }
}

static void load_sites(struct replay *replay)
{
    const struct desired *desired = replay->input->desired;
    const struct observed *observed = replay->input->observed;
    size_t most_sites = desired->host_count + observed->host_count;

    replay->site_names = lookup_new(replay->arena, most_sites);
    replay->sites = ARENA_ARRAY(replay->arena, struct site, most_sites);
    for (size_t i = 0; i < desired->host_count; i++) {
        uint32_t site = add_site(replay, desired->hosts[i].name);

        replay->sites[site].declared = &desired->hosts[i];
    }
    for (size_t i = 0; i < observed->host_count; i++) {
        uint32_t site = add_site(replay, observed->hosts[i].name);

        replay->sites[site].host = &observed->hosts[i];
        set_limits(replay->input->policy, &replay->sites[site]);
    }
}

static void settle_in(struct replay *replay, uint32_t guest, uint32_t site, uint64_t kib,
                      uint64_t vcpus)
{
    struct site *where = &replay->sites[site];

    where->used_kib += kib;
    where->cpu_used += vcpus;
    if (guest == LOOKUP_NONE) {
        where->cpu_listed += vcpus;
        return;
    }
    replay->actors[guest].stay = (uint32_t)replay->stay_count;
    replay->stays[replay->stay_count] = (struct stay){ guest, site, where->first, kib, vcpus };
    where->first = (uint32_t)replay->stay_count++;
}

/* One end of a move in flight.  An end that shows the guest already is charged for that. */
struct end {
    const char *guest;
    const char *host;
};

static int compare_ends(const void *a, const void *b)
{
    const struct end *left = a;
    const struct end *right = b;
    int order = strcmp(left->guest, right->guest);

    return order != 0 ? order : strcmp(left->host, right->host);
}

/* Both ends of every move in flight, sorted, one entry for each guest and host. */
static size_t collect_ends(struct replay *replay, struct end **ends)
{
    const struct observed *observed = replay->input->observed;
    struct end *all = ARENA_ARRAY(replay->arena, struct end, 2 * observed->in_flight_count);
    size_t count = 0;
    size_t kept = 0;

    for (size_t i = 0; i < observed->in_flight_count; i++) {
        const struct observed_move *move = &observed->in_flight[i];

        all[count++] = (struct end){ move->guest, move->from };
        all[count++] = (struct end){ move->guest, move->to };
    }
    if (count > 1) {
        qsort(all, count, sizeof(*all), compare_ends);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_ends(&all[kept - 1], &all[i]) != 0) {
            all[kept++] = all[i];
        }
    }
    *ends = all;
    return kept;
}

/* The most that is known of a guest in flight, gathered over its sightings. */
struct flight {
    uint64_t kib;
    uint64_t vcpus;
    bool seen;
    bool charged;
};

static void load_sighting(struct replay *replay, uint32_t site, const struct observed_guest *seen,
                          const struct end *ends, size_t end_count, const struct lookup *flying,
                          struct flight *flights)
{
    uint32_t guest = lookup_find(&replay->guest_names, seen->name);
    const struct desired_guest *want =
        guest == LOOKUP_NONE ? NULL : &replay->input->desired->guests[guest];
    struct end key = { seen->name, replay->sites[site].name };
    uint32_t flight = lookup_find(flying, seen->name);
    bool charged = takes_room(replay, seen);

    if (guest != LOOKUP_NONE) {
        struct actor *actor = &replay->actors[guest];

        actor->seen = seen;
        actor->site = site;
        actor->sightings++;
        actor->vcpus = most(actor->vcpus, cpus_of(want, seen));
        actor->moving =
            actor->moving || seen->job == GUEST_JOB_OUTGOING || seen->job == GUEST_JOB_INCOMING;
    }
    if (flight != LOOKUP_NONE) {
        flights[flight].kib = most(flights[flight].kib, size_of(replay, want, seen));
        flights[flight].vcpus = most(flights[flight].vcpus, cpus_of(want, seen));
        flights[flight].seen = true;
        flights[flight].charged = flights[flight].charged || charged;
    }
    if (end_count == 0 || bsearch(&key, ends, end_count, sizeof(*ends), compare_ends) == NULL) {
        settle_in(replay, guest, site, charged ? size_of(replay, want, seen) : 0,
                  charged ? cpus_of(want, seen) : 0);
    }
}

/* Charges both ends of the moves in flight. */
static void load_ends(struct replay *replay, const struct end *ends, size_t count,
                      const struct lookup *flying, const struct flight *flights)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t guest = lookup_find(&replay->guest_names, ends[i].guest);
        uint32_t site = find_site(replay, ends[i].host);
        uint32_t flight = lookup_find(flying, ends[i].guest);
        struct flight known = flights[flight];

        if (guest != LOOKUP_NONE) {
            const struct desired_guest *want = &replay->input->desired->guests[guest];

            known.kib = most(known.kib, size_of(replay, want, NULL));
            known.vcpus = most(known.vcpus, cpus_of(want, NULL));
            replay->actors[guest].moving = true;
        }
        if (site != LOOKUP_NONE && (guest != LOOKUP_NONE || known.seen)) {
            settle_in(replay, guest, site, known.charged ? known.kib : 0,
                      known.charged ? known.vcpus : 0);
        }
    }
}

static void load_guests(struct replay *replay)
{
    const struct desired *desired = replay->input->desired;
    const struct observed *observed = replay->input->observed;
    struct lookup flying = lookup_new(replay->arena, observed->in_flight_count);
    struct flight *flights = ARENA_ARRAY(replay->arena, struct flight, observed->in_flight_count);
    struct end *ends;
    size_t end_count = collect_ends(replay, &ends);
    size_t stays = end_count;

    for (size_t i = 0; i < observed->in_flight_count; i++) {
        const struct observed_move *move = &observed->in_flight[i];

        lookup_add(&flying, move->guest, (uint32_t)i);
        if (move->mode != MOVE_COLD || replay->input->policy->charge_off) {
            flights[lookup_find(&flying, move->guest)].charged = true;
        }
    }
    replay->guest_names = lookup_new(replay->arena, desired->guest_count);
    replay->actors = ARENA_ARRAY(replay->arena, struct actor, desired->guest_count);
    for (size_t i = 0; i < desired->guest_count; i++) {
        lookup_add(&replay->guest_names, desired->guests[i].name, (uint32_t)i);
        replay->actors[i].site = NOWHERE;
        replay->actors[i].vcpus = desired->guests[i].vcpus;
    }
    for (size_t h = 0; h < observed->host_count; h++) {
        stays += observed->hosts[h].guest_count;
    }
    replay->stays = ARENA_ARRAY(replay->arena, struct stay, stays);
    for (size_t h = 0; h < observed->host_count; h++) {
        const struct observed_host *host = &observed->hosts[h];

        for (size_t g = 0; g < host->guest_count; g++) {
            load_sighting(replay, find_site(replay, host->name), &host->guests[g], ends, end_count,
                          &flying, flights);
        }
    }
    load_ends(replay, ends, end_count, &flying, flights);
}

/* What the file asks of each host's CPUs. */
static void load_cpu_wishes(struct replay *replay)
{
    const struct desired *desired = replay->input->desired;

    for (size_t i = 0; i < desired->guest_count; i++) {
        const char *host = desired->hosts[desired->guests[i].host].name;

        replay->sites[find_site(replay, host)].cpu_listed += replay->actors[i].vcpus;
    }
}

static void load_last_moves(struct replay *replay)
{
    for (size_t i = 0; i < replay->plan->move_count; i++) {
        uint32_t guest = lookup_find(&replay->guest_names, replay->plan->moves[i].guest);

        if (guest != LOOKUP_NONE) {
            replay->actors[guest].last_move = (uint32_t)i;
        }
    }
}

/* Names, identity and the claims that need no arithmetic. */
static int check_names(struct replay *replay, struct step *step)
{
    const struct plan_move *move = step->move;
    const struct desired *desired = replay->input->desired;

    if (move->seq != replay->index + 1) {
        return refuse(replay, "seq", "is numbered %u", move->seq);
    }
    step->guest = lookup_find(&replay->guest_names, move->guest);
    step->from = find_site(replay, move->from);
    step->to = find_site(replay, move->to);
    if (step->guest == LOOKUP_NONE) {
        return refuse(replay, "guest", "the file does not list '%s'", move->guest);
    }
    if (step->from == LOOKUP_NONE || step->to == LOOKUP_NONE) {
        return refuse(replay, "host", "nobody knows '%s'",
                      step->from == LOOKUP_NONE ? move->from : move->to);
    }
    step->actor = &replay->actors[step->guest];
    step->want = &desired->guests[step->guest];
    step->goal = find_site(replay, desired->hosts[step->want->host].name);
    return 0;
}

/* The guest is where the move begins, and in one place only. */
static int check_presence(struct replay *replay, const struct step *step)
{
    const struct actor *actor = step->actor;

    if (actor->moving) {
        return refuse(replay, "in-flight", "a move of it is not settled");
    }
    if (actor->sightings != 1) {
        return refuse(replay, "presence", "it is on %u hosts", actor->sightings);
    }
    if (actor->site != step->from) {
        return refuse(replay, "presence", "it is on '%s', not on '%s'",
                      replay->sites[actor->site].name, step->move->from);
    }
    if (strcmp(actor->seen->uuid, step->move->uuid) != 0) {
        return refuse(replay, "presence", "its UUID is %s, not %s", actor->seen->uuid,
                      step->move->uuid);
    }
    if (actor->seen->job != GUEST_JOB_NONE) {
        return refuse(replay, "in-flight", "a job of it runs on '%s'", step->move->from);
    }
    return 0;
}

static int check_hosts(struct replay *replay, const struct step *step)
{
    const struct observed_host *source = replay->sites[step->from].host;
    const struct observed_host *target = replay->sites[step->to].host;
    const struct policy_host *own = policy_find_host(replay->input->policy, step->move->to);

    if (step->from == step->to) {
        return refuse(replay, "host", "it is there already");
    }
    if (source == NULL || !source->reachable) {
        return refuse(replay, "unreachable-host", "'%s' does not answer", step->move->from);
    }
    if (target == NULL || !target->reachable) {
        return refuse(replay, "unreachable-host", "'%s' does not answer", step->move->to);
    }
    if (own != NULL && own->maintenance) {
        return refuse(replay, "maintenance", "'%s' takes no guest", step->move->to);
    }
    return 0;
}

static int compare_exclusions(const void *a, const void *b)
{
    return strcmp(((const struct plan_exclusion *)a)->guest,
                  ((const struct plan_exclusion *)b)->guest);
}

static int check_permission(struct replay *replay, const struct step *step)
{
    const struct plan_input *input = replay->input;
    const struct policy_guest *own = policy_find_guest(input->policy, step->move->guest);
    struct plan_exclusion key = { .guest = step->move->guest };

    if (input->exclusion_count > 0 && bsearch(&key, input->exclusions, input->exclusion_count,
                                              sizeof(key), compare_exclusions) != NULL) {
        return refuse(replay, "excluded", "it is kept out of planning");
    }
    if (own != NULL && own->pin) {
        return refuse(replay, "pinned", "it does not move");
    }
    if (step->want->pending_action != NULL && !input->policy->adopt_pending_actions) {
        return refuse(replay, "policy", "action %s of the file is not deployed",
                      step->want->pending_action);
    }
    if (step->move->detour && own != NULL && own->no_detour) {
        return refuse(replay, "detour", "policy allows it none");
    }
    return 0;
}

static int check_hop(struct replay *replay, const struct step *step)
{
    const struct plan_move *last = &replay->plan->moves[step->actor->last_move];

    if (step->move->detour == (step->to == step->goal)) {
        return refuse(replay, "hop", "the file puts it on '%s'", replay->sites[step->goal].name);
    }
    if (strcmp(last->to, replay->sites[step->goal].name) != 0) {
        return refuse(replay, "hop", "it ends on '%s', a temporary host", last->to);
    }
    return 0;
}

static int check_running_mode(struct replay *replay, const struct step *step, bool offline)
{
    enum move_mode mode = step->move->mode;
    const struct policy_guest *own = policy_find_guest(replay->input->policy, step->move->guest);

    if (mode == MOVE_STOP) {
        if (own == NULL || !own->park) {
            return refuse(replay, "mode", "policy does not let it be parked");
        }
        return 0;
    }
    if (mode != (offline ? MOVE_OFFLINE : MOVE_LIVE)) {
        return refuse(replay, "mode", "%s for a guest that runs and whose policy is %s",
                      op_mode_name(mode), offline ? "offline" : "live");
    }
    return 0;
}

static int check_paused_mode(struct replay *replay, const struct step *step, bool offline)
{
    enum guest_reason reason = step->actor->seen->reason;
    bool known = reason != GUEST_REASON_UNKNOWN || replay->input->recorded;

    if (!known || (reason != GUEST_REASON_USER && reason != GUEST_REASON_UNKNOWN)) {
        return refuse(replay, "unsafe", "it is paused (%s)", observed_reason_name(reason));
    }
    if (offline || step->move->mode != MOVE_LIVE) {
        return refuse(replay, "mode", "a paused guest moves live or not at all");
    }
    return 0;
}

static int check_mode(struct replay *replay, const struct step *step)
{
    const struct observed_guest *seen = step->actor->seen;
    enum move_mode mode = step->move->mode;
    enum policy_mode policy = policy_guest_mode(replay->input->policy, step->move->guest);
    bool owed = seen->owed_start || step->actor->stopped;

    if (mode == MOVE_FORCED) {
        return refuse(replay, "mode", "a forced move is never planned");
    }
    if (mode != MOVE_LIVE && !seen->persistent) {
        return refuse(replay, "unsafe", "it is transient and would vanish");
    }
    if (step->actor->stopped || seen->state == GUEST_SHUTOFF) {
        if (mode != (owed ? MOVE_OFFLINE : MOVE_COLD)) {
            return refuse(replay, "mode", "%s for a guest that is off and owed %s start",
                          op_mode_name(mode), owed ? "a" : "no");
        }
        return 0;
    }
    if (seen->state == GUEST_RUNNING) {
        return check_running_mode(replay, step, policy == POLICY_MODE_OFFLINE);
    }
    if (seen->state == GUEST_PAUSED) {
        return check_paused_mode(replay, step, policy == POLICY_MODE_OFFLINE);
    }
    return refuse(replay, "unsafe", "its state is '%s'", observed_state_name(seen->state));
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

static int check_facts(struct replay *replay, const struct step *step)
{
    const struct observed_guest *guest = step->actor->seen;
    const struct observed_host *source = replay->sites[step->from].host;
    const struct observed_host *target = replay->sites[step->to].host;
    bool live = step->move->mode == MOVE_LIVE;
    bool any_version = !live || replay->input->policy->allow_downgrade;
    bool saved = guest->state == GUEST_SHUTOFF && guest->reason == GUEST_REASON_SAVED;
    const struct {
        const char *rule;
        const char *what;
        enum answer answer;
    } facts[] = {
        { "unsafe", "managed save image", saved ? NO : is_zero(guest->managed_save) },
        { "unsafe", "snapshots", is_zero(guest->snapshots) },
        { "unsafe", "NVRAM file", is_zero(guest->has_nvram) },
        { "unsafe", "emulated TPM", is_zero(guest->has_tpm) },
        { "incompatible", "host devices", live ? is_zero(guest->hostdevs) : YES },
        { "incompatible", "architecture", are_same(source->arch, target->arch) },
        { "incompatible", "machine type", knows_machine(target, guest->machine) },
        { "incompatible", "CPU", live ? cpu_fits(guest, source, target) : YES },
        { "incompatible", "QEMU version",
          any_version ? YES : is_not_older(source->qemu_version, target->qemu_version) },
        { "incompatible", "libvirt version",
          any_version ? YES : is_not_older(source->libvirt_version, target->libvirt_version) },
    };

    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        if (facts[i].answer == NO) {
            return refuse(replay, facts[i].rule, "%s", facts[i].what);
        }
        if (facts[i].answer == UNKNOWN && !replay->input->recorded) {
            return refuse(replay, facts[i].rule, "%s is unknown", facts[i].what);
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

static int check_apart(struct replay *replay, const struct step *step)
{
    const struct desired *desired = replay->input->desired;

    for (uint32_t s = replay->sites[step->to].first; s != NOWHERE; s = replay->stays[s].next) {
        uint32_t other = replay->stays[s].guest;

        if (other != step->guest && are_apart(desired, step->guest, other)) {
            return refuse(replay, "apart", "'%s' of the same cluster is there",
                          desired->guests[other].name);
        }
    }
    return 0;
}

static int check_room(struct replay *replay, const struct step *step)
{
    const struct stay *stay = &replay->stays[step->actor->stay];
    const struct site *target = &replay->sites[step->to];
    uint64_t kib = stay->kib;
    uint64_t cap = target->cpu_limit;

    if (target->used_kib + kib > target->limit_kib) {
        return refuse(replay, "memory", "%s + %s exceeds %s on %s",
                      size_text(replay, target->used_kib), size_text(replay, kib),
                      size_text(replay, target->limit_kib), target->name);
    }
    if (step->to == step->goal && replay->input->policy->cpu_policy == POLICY_CPU_WARN) {
        cap = most(cap, target->cpu_listed);
    }
    if (target->cpu_used + stay->vcpus > cap) {
        return refuse(replay, "cpu", "%llu + %llu vCPUs exceeds %llu on %s",
                      (unsigned long long)target->cpu_used, (unsigned long long)stay->vcpus,
                      (unsigned long long)cap, target->name);
    }
    return 0;
}

static int check_side(struct replay *replay, const char *which, const struct site *site,
                      const struct plan_side *side, uint64_t during, uint64_t after)
{
    if (side->limit_kib != site->limit_kib || side->before_kib != site->used_kib ||
        side->during_kib != during || side->after_kib != after) {
        return refuse(replay, "proof",
                      "of '%s' (%s) should be limit %llu, before %llu, during %llu, after %llu KiB",
                      site->name, which, (unsigned long long)site->limit_kib,
                      (unsigned long long)site->used_kib, (unsigned long long)during,
                      (unsigned long long)after);
    }
    return 0;
}

/* The memory of both ends: a stopped guest left its source when it was stopped, every other is charged
 * on both until the move is over. */
static int check_proof(struct replay *replay, const struct step *step)
{
    const struct plan_move *move = step->move;
    const struct site *source = &replay->sites[step->from];
    const struct site *target = &replay->sites[step->to];
    uint64_t kib = replay->stays[step->actor->stay].kib;
    uint64_t leaves = step->actor->stopped ? 0 : kib;
    uint64_t arrives = move->mode == MOVE_STOP ? 0 : kib;

    if (move->memory_kib != kib) {
        return refuse(replay, "proof", "it takes %llu KiB, not %llu", (unsigned long long)kib,
                      (unsigned long long)move->memory_kib);
    }
    if (check_side(replay, "from", source, &move->source, source->used_kib,
                   source->used_kib - leaves) != 0) {
        return -1;
    }
    return check_side(replay, "to", target, &move->target, target->used_kib + arrives,
                      target->used_kib + arrives);
}

/* A parked guest must be brought up again by this very plan. */
static int check_stop(struct replay *replay, const struct step *step)
{
    const struct plan_move *last = &replay->plan->moves[step->actor->last_move];

    if (step->actor->last_move <= replay->index || last->mode != MOVE_OFFLINE) {
        return refuse(replay, "mode", "stopped and never moved");
    }
    return 0;
}

static int check_move(struct replay *replay, struct step *step)
{
    static int (*const rules[])(struct replay *, const struct step *) = {
        check_presence, check_hosts, check_permission, check_hop, check_mode, check_facts,
    };

    if (check_names(replay, step) != 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i](replay, step) != 0) {
            return -1;
        }
    }
    if (step->move->mode == MOVE_STOP) {
        if (check_stop(replay, step) != 0) {
            return -1;
        }
    } else if (check_apart(replay, step) != 0 || check_room(replay, step) != 0) {
        return -1;
    }
    return check_proof(replay, step);
}

static void leave(struct replay *replay, struct site *site, uint32_t stay)
{
    uint32_t *link = &site->first;

    while (*link != stay) {
        link = &replay->stays[*link].next;
    }
    *link = replay->stays[stay].next;
}

static void make_move(struct replay *replay, const struct step *step)
{
    struct site *source = &replay->sites[step->from];
    struct site *target = &replay->sites[step->to];
    struct stay *stay = &replay->stays[step->actor->stay];

    if (!step->actor->stopped) {
        source->used_kib -= stay->kib;
        source->cpu_used -= stay->vcpus;
    }
    if (step->move->mode == MOVE_STOP) {
        step->actor->stopped = true;
        return;
    }
    step->actor->stopped = false;
    step->actor->site = step->to;
    leave(replay, source, step->actor->stay);
    stay->site = step->to;
    stay->next = target->first;
    target->first = step->actor->stay;
    target->used_kib += stay->kib;
    target->cpu_used += stay->vcpus;
}

/* What the plan says of itself as a whole. */
static int check_claims(struct replay *replay, size_t first)
{
    const struct plan *plan = replay->plan;
    const struct desired *desired = replay->input->desired;
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
        return err_set(replay->err, ERR_REFUSED,
                       "plan: summary: %zu detours, %zu interruptions and %llu KiB are its sums",
                       detours, stops, (unsigned long long)memory_kib);
    }
    for (size_t i = 0; plan->complete && i < desired->guest_count; i++) {
        uint32_t goal = find_site(replay, desired->hosts[desired->guests[i].host].name);

        if (replay->actors[i].site != goal || replay->actors[i].sightings != 1) {
            return err_set(replay->err, ERR_REFUSED, "plan: complete: '%s' does not end on '%s'",
                           desired->guests[i].name, replay->sites[goal].name);
        }
    }
    return 0;
}

int verify_plan(const struct plan_input *input, const struct plan *plan, size_t first,
                struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct replay replay = { .arena = &arena, .input = input, .plan = plan, .err = err };

    load_sites(&replay);
    load_guests(&replay);
    load_cpu_wishes(&replay);
    load_last_moves(&replay);
    for (replay.index = first; replay.index < plan->move_count; replay.index++) {
        struct step step = { .move = &plan->moves[replay.index] };

        if (check_move(&replay, &step) != 0) {
            return -1;
        }
        make_move(&replay, &step);
    }
    return check_claims(&replay, first);
}

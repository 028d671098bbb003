/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "diff/plan.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"

/* Sizes beyond this are no machine's; bounded so that sums cannot overflow. */
#define SIZE_BOUND_KIB (UINT64_C(1) << 43)

static uint64_t most(uint64_t a, uint64_t b)
{
    return a < b ? b : a;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t pages_kib(const struct observed_hugepages *pages)
{
    return least(pages->total, SIZE_BOUND_KIB / pages->page_kib) * pages->page_kib;
}

static uint64_t page_of(const struct observed_guest *seen)
{
    return seen->hugepage_kib > 0 ? (uint64_t)seen->hugepage_kib : 0;
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

static uint32_t add_host(struct replay *replay, const char *name)
{
    uint32_t found = replay_find_host(replay, name);

    if (found != REPLAY_NONE) {
        return found;
    }
    found = (uint32_t)replay->host_count++;
    replay->hosts[found] =
        (struct replay_host){ .name = name, .first = REPLAY_NONE, .cpu_limit = UINT64_MAX };
    lookup_add(&replay->host_names, name, found);
    return found;
}

static void set_limits(const struct policy *policy, struct replay_host *host)
{
    const struct policy_host *own = policy_find_host(policy, host->name);
    uint64_t memory = host->seen->memory_kib;
    uint64_t cpus = host->seen->cpus;

    if (host->declared != NULL && host->declared->memory_kib > 0 &&
        host->declared->memory_kib < memory) {
        memory = host->declared->memory_kib;
    }
    if (own != NULL && own->cpus > 0) {
        cpus = own->cpus;
    }
    host->memory.limit_kib = policy_usable_kib(policy, host->name, memory);
    for (size_t i = 0; i < host->seen->hugepage_count; i++) {
        host->memory.limit_kib -=
            least(host->memory.limit_kib, pages_kib(&host->seen->hugepages[i]));
    }
    if (cpus > 0) {
        host->cpu_limit = cpus * policy->cpu_overcommit_milli / 1000;
    }
}

static void load_hosts(struct arena *arena, struct replay *replay)
{
    const struct desired *desired = replay->input->desired;
    const struct observed *observed = replay->input->observed;
    size_t most_hosts = desired->host_count + observed->host_count;

    replay->host_names = lookup_new(arena, most_hosts);
    replay->hosts = ARENA_ARRAY(arena, struct replay_host, most_hosts);
    for (size_t i = 0; i < desired->host_count; i++) {
        uint32_t host = add_host(replay, desired->hosts[i].name);

        replay->hosts[host].declared = &desired->hosts[i];
    }
    for (size_t i = 0; i < observed->host_count; i++) {
        uint32_t host = add_host(replay, observed->hosts[i].name);

        replay->hosts[host].seen = &observed->hosts[i];
        set_limits(replay->input->policy, &replay->hosts[host]);
    }
}

/* What somebody takes on one host. */
struct share {
    uint64_t kib;
    uint64_t page_kib;
    uint64_t vcpus;
};

static void settle_in(struct replay *replay, uint32_t guest, uint32_t host, struct share share)
{
    struct replay_host *where = &replay->hosts[host];
    uint64_t vcpus = share.vcpus;

    replay_account(replay, host, share.page_kib)->used_kib += share.kib;
    where->cpu_used += vcpus;
    if (guest == REPLAY_NONE) {
        where->cpu_listed += vcpus;
        return;
    }
    replay->guests[guest].stay = (uint32_t)replay->stay_count;
    replay->stays[replay->stay_count] =
        (struct replay_stay){ guest, host, where->first, share.kib, share.page_kib, vcpus };
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
static size_t collect_ends(struct arena *arena, struct replay *replay, struct end **ends)
{
    const struct observed *observed = replay->input->observed;
    struct end *all = ARENA_ARRAY(arena, struct end, 2 * observed->in_flight_count);
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
    uint64_t page_kib;
    uint64_t vcpus;
    bool seen;
    bool charged;
};

static void load_sighting(struct replay *replay, uint32_t host, uint32_t guest,
                          const struct observed_guest *seen, const struct end *ends,
                          size_t end_count, const struct lookup *flying, struct flight *flights)
{
    const struct desired_guest *want =
        guest == REPLAY_NONE ? NULL : &replay->input->desired->guests[guest];
    struct end key = { seen->name, replay->hosts[host].name };
    uint32_t flight = end_count == 0 ? REPLAY_NONE : lookup_find(flying, seen->name);
    bool charged = takes_room(replay, seen);

    if (guest != REPLAY_NONE) {
        struct replay_guest *this = &replay->guests[guest];

        this->seen = seen;
        this->host = host;
        this->sightings++;
        this->vcpus = most(this->vcpus, cpus_of(want, seen));
        this->moving =
            this->moving || seen->job == GUEST_JOB_OUTGOING || seen->job == GUEST_JOB_INCOMING;
    }
    if (flight != REPLAY_NONE) {
        flights[flight].kib = most(flights[flight].kib, size_of(replay, want, seen));
        flights[flight].page_kib = most(flights[flight].page_kib, page_of(seen));
        flights[flight].vcpus = most(flights[flight].vcpus, cpus_of(want, seen));
        flights[flight].seen = true;
        flights[flight].charged = flights[flight].charged || charged;
    }
    if (end_count == 0 || bsearch(&key, ends, end_count, sizeof(*ends), compare_ends) == NULL) {
        struct share share = { .page_kib = page_of(seen) };

        if (charged) {
            share.kib = size_of(replay, want, seen);
            share.vcpus = cpus_of(want, seen);
        }
        settle_in(replay, guest, host, share);
    }
}

/* Charges both ends of the moves in flight. */
static void load_ends(struct replay *replay, const struct end *ends, size_t count,
                      const struct lookup *flying, const struct flight *flights)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t guest = replay_find_guest(replay, ends[i].guest);
        uint32_t host = replay_find_host(replay, ends[i].host);
        uint32_t flight = lookup_find(flying, ends[i].guest);
        struct flight known = flights[flight];

        if (guest != REPLAY_NONE) {
            const struct desired_guest *want = &replay->input->desired->guests[guest];

            known.kib = most(known.kib, size_of(replay, want, NULL));
            known.vcpus = most(known.vcpus, cpus_of(want, NULL));
            replay->guests[guest].moving = true;
        }
        if (host != REPLAY_NONE && (guest != REPLAY_NONE || known.seen)) {
            settle_in(replay, guest, host,
                      (struct share){ known.charged ? known.kib : 0, known.page_kib,
                                      known.charged ? known.vcpus : 0 });
        }
    }
}

/* Which guests of the file a host was seen with. */
static const uint32_t *know_guests(struct arena *arena, const struct replay *replay,
                                   const struct observed_host *host)
{
    uint32_t *guests = ARENA_ARRAY(arena, uint32_t, host->guest_count);

    if (host->guest_count > 0) {
        lookup_find_all(&replay->guest_names,
                        (struct lookup_names){ &host->guests[0].name, sizeof(host->guests[0]),
                                               host->guest_count },
                        guests);
    }
    return guests;
}

static void load_guests(struct arena *arena, struct replay *replay)
{
    const struct desired *desired = replay->input->desired;
    const struct observed *observed = replay->input->observed;
    struct lookup flying = lookup_new(arena, observed->in_flight_count);
    struct flight *flights = ARENA_ARRAY(arena, struct flight, observed->in_flight_count);
    struct end *ends;
    size_t end_count = collect_ends(arena, replay, &ends);
    size_t stays = end_count;

    for (size_t i = 0; i < observed->in_flight_count; i++) {
        const struct observed_move *move = &observed->in_flight[i];

        lookup_add(&flying, move->guest, (uint32_t)i);
        if (move->mode != MOVE_COLD || replay->input->policy->charge_off) {
            flights[lookup_find(&flying, move->guest)].charged = true;
        }
    }
    replay->guest_names = lookup_new(arena, desired->guest_count);
    replay->guests = ARENA_ARRAY(arena, struct replay_guest, desired->guest_count);
    if (desired->guest_count > 0) {
        lookup_add_all(&replay->guest_names,
                       (struct lookup_names){ &desired->guests[0].name, sizeof(desired->guests[0]),
                                              desired->guest_count });
    }
    for (size_t i = 0; i < desired->guest_count; i++) {
        replay->guests[i].host = REPLAY_NONE;
        replay->guests[i].vcpus = desired->guests[i].vcpus;
    }
    for (size_t h = 0; h < observed->host_count; h++) {
        stays += observed->hosts[h].guest_count;
    }
    replay->stays = ARENA_ARRAY(arena, struct replay_stay, stays);
    for (size_t h = 0; h < observed->host_count; h++) {
        const struct observed_host *host = &observed->hosts[h];
        uint32_t index = replay_find_host(replay, host->name);
        const uint32_t *known = know_guests(arena, replay, host);

        for (size_t g = 0; g < host->guest_count; g++) {
            load_sighting(replay, index, known[g], &host->guests[g], ends, end_count, &flying,
                          flights);
        }
    }
    load_ends(replay, ends, end_count, &flying, flights);
}

/* What the file asks of each host's CPUs. */
static void load_cpu_wishes(struct replay *replay)
{
    const struct desired *desired = replay->input->desired;

    for (size_t i = 0; i < desired->guest_count; i++) {
        replay->hosts[desired->guests[i].host].cpu_listed += replay->guests[i].vcpus;
    }
}

static void unlink_stay(struct replay *replay, struct replay_host *host, uint32_t stay)
{
    uint32_t *link = &host->first;

    while (*link != stay) {
        link = &replay->stays[*link].next;
    }
    *link = replay->stays[stay].next;
}

struct replay replay_build(struct arena *arena, const struct plan_input *input)
{
    struct replay replay = { .arena = arena, .input = input };

    load_hosts(arena, &replay);
    load_guests(arena, &replay);
    load_cpu_wishes(&replay);
    return replay;
}

uint32_t replay_find_host(const struct replay *replay, const char *name)
{
    return lookup_find(&replay->host_names, name);
}

uint32_t replay_find_guest(const struct replay *replay, const char *name)
{
    return lookup_find(&replay->guest_names, name);
}

struct replay_account *replay_account(struct replay *replay, uint32_t host, uint64_t page_kib)
{
    struct replay_host *where = &replay->hosts[host];
    struct replay_account *account = &where->memory;

    while (account->page_kib != page_kib && account->next != NULL) {
        account = account->next;
    }
    if (account->page_kib != page_kib) {
        account->next = ARENA_NEW(replay->arena, struct replay_account);
        account = account->next;
        account->page_kib = page_kib;
        for (size_t i = 0; where->seen != NULL && i < where->seen->hugepage_count; i++) {
            const struct observed_hugepages *pages = &where->seen->hugepages[i];

            account->limit_kib += pages->page_kib == page_kib ? pages_kib(pages) : 0;
        }
    }
    return account;
}

void replay_move(struct replay *replay, uint32_t guest, uint32_t host, enum move_mode mode)
{
    struct replay_guest *this = &replay->guests[guest];
    struct replay_stay *stay = &replay->stays[this->stay];
    struct replay_host *source = &replay->hosts[this->host];
    struct replay_host *target = &replay->hosts[host];

    if (!this->stopped) {
        replay_account(replay, this->host, stay->page_kib)->used_kib -= stay->kib;
        source->cpu_used -= stay->vcpus;
    }
    this->stopped = mode == MOVE_STOP;
    if (this->stopped) {
        return;
    }
    this->started = this->started || mode == MOVE_OFFLINE;
    unlink_stay(replay, source, this->stay);
    stay->host = host;
    stay->next = target->first;
    target->first = this->stay;
    replay_account(replay, host, stay->page_kib)->used_kib += stay->kib;
    target->cpu_used += stay->vcpus;
    this->host = host;
}

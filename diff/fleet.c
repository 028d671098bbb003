/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/fleet.h"

#include <string.h>

#include "base/arena.h"
#include "diff/capacity.h"
#include "diff/diff.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"

/* What a guest takes on one host. */
struct charge {
    uint64_t memory_kib;
    uint32_t pool;
    uint32_t vcpus;
};

/* Work space of fleet_build(). */
struct builder {
    struct fleet fleet;
    const uint32_t *of_desired; /* Index of each host of the file, and of the observation. */
    const uint32_t *of_observed;
};

static void open_host(struct fleet_host *host, const char *name, const struct plan_input *input,
                      const struct desired_host *desired, const struct observed_host *seen)
{
    const struct policy_host *own;

    *host = (struct fleet_host){
        .name = name,
        .seen = seen,
        .reachable = seen != NULL && seen->reachable,
        .vcpu_limit = UINT64_MAX,
        .occupants = FLEET_NONE,
    };
    own = policy_find_host(input->policy, host->name);
    host->maintenance = own != NULL && own->maintenance;
    if (seen != NULL) {
        host->ordinary.limit_kib =
            capacity_ordinary_kib(seen, capacity_limit_kib(input->policy, seen, desired));
        host->vcpu_limit = capacity_vcpu_limit(input->policy, seen);
    }
}

/* Merges the hosts of the file and of the observation, both sorted by name. */
static void merge_hosts(struct builder *b, uint32_t *of_desired, uint32_t *of_observed)
{
    const struct desired *desired = b->fleet.input->desired;
    const struct observed *observed = b->fleet.input->observed;
    size_t d = 0;
    size_t o = 0;

    while (d < desired->host_count || o < observed->host_count) {
        const struct desired_host *want = d < desired->host_count ? &desired->hosts[d] : NULL;
        const struct observed_host *seen = o < observed->host_count ? &observed->hosts[o] : NULL;
        int order = want == NULL ? 1 : seen == NULL ? -1 : strcmp(want->name, seen->name);
        uint32_t index = (uint32_t)b->fleet.host_count++;

        open_host(&b->fleet.hosts[index], order <= 0 ? want->name : seen->name, b->fleet.input,
                  order <= 0 ? want : NULL, order >= 0 ? seen : NULL);
        if (order <= 0) {
            of_desired[d++] = index;
        }
        if (order >= 0) {
            of_observed[o++] = index;
        }
    }
}

/* Page sizes are powers of two, so that a set of them is a sum. */
static uint32_t find_page_sizes(const struct observed *observed)
{
    uint32_t sizes = 0;

    for (size_t h = 0; h < observed->host_count; h++) {
        for (size_t g = 0; g < observed->hosts[h].guest_count; g++) {
            int32_t kib = observed->hosts[h].guests[g].hugepage_kib;

            sizes |= kib > 0 ? (uint32_t)kib : 0;
        }
    }
    return sizes;
}

static uint32_t count_sizes(uint32_t sizes)
{
    uint32_t count = 0;

    for (; sizes != 0; sizes &= sizes - 1) {
        count++;
    }
    return count;
}

static void open_pools(struct arena *arena, struct fleet *fleet)
{
    fleet->page_sizes = find_page_sizes(fleet->input->observed);
    fleet->pool_count = 1 + count_sizes(fleet->page_sizes);
    if (fleet->pool_count == 1) {
        return;
    }
    fleet->pools =
        ARENA_ARRAY(arena, struct fleet_memory, (fleet->pool_count - 1) * (fleet->host_count + 1));
    for (uint32_t pool = 1; pool < fleet->pool_count; pool++) {
        for (uint32_t h = 0; h < fleet->host_count; h++) {
            const struct observed_host *seen = fleet->hosts[h].seen;

            fleet_memory(fleet, pool, h)->limit_kib =
                seen == NULL ? 0 : capacity_pool_kib(seen, fleet_page_kib(fleet, pool));
        }
    }
}

static void take_room(struct fleet *fleet, uint32_t host, struct charge charge)
{
    fleet_memory(fleet, charge.pool, host)->charged_kib += charge.memory_kib;
    fleet->hosts[host].vcpus += charge.vcpus;
}

static void link_place(struct fleet *fleet, uint32_t place)
{
    struct fleet_place *this = &fleet->places[place];
    struct fleet_host *host = &fleet->hosts[this->host];

    this->previous = FLEET_NONE;
    this->next = host->occupants;
    if (this->next != FLEET_NONE) {
        fleet->places[this->next].previous = place;
    }
    host->occupants = place;
}

static void unlink_place(struct fleet *fleet, uint32_t place)
{
    const struct fleet_place *this = &fleet->places[place];

    if (this->next != FLEET_NONE) {
        fleet->places[this->next].previous = this->previous;
    }
    if (this->previous != FLEET_NONE) {
        fleet->places[this->previous].next = this->next;
    } else {
        fleet->hosts[this->host].occupants = this->next;
    }
}

static uint32_t add_place(struct fleet *fleet, uint32_t guest, uint32_t host)
{
    uint32_t place = (uint32_t)fleet->place_count++;

    fleet->places[place] = (struct fleet_place){ .guest = guest, .host = host };
    link_place(fleet, place);
    return place;
}

static uint32_t host_of(const struct builder *b, const struct diff_sighting *sighting)
{
    return b->of_observed[sighting->host - b->fleet.input->observed->hosts];
}

static const struct desired_guest *wanted(const struct builder *b, const struct diff_guest *guest)
{
    return guest->desired == DESIRED_NONE ? NULL : &b->fleet.input->desired->guests[guest->desired];
}

static struct charge charge_of(const struct builder *b, const struct diff_guest *guest,
                               const struct observed_guest *seen)
{
    const struct policy *policy = b->fleet.input->policy;
    struct charge charge = { 0 };

    if (capacity_is_charged(policy, seen)) {
        charge.memory_kib = capacity_size_kib(policy, wanted(b, guest), seen);
        charge.vcpus = capacity_vcpus(wanted(b, guest), seen);
    }
    charge.pool = fleet_find_pool(&b->fleet, seen->hugepage_kib);
    return charge;
}

/* What a guest in flight takes on either host: the most that any sighting or the file says, as one end
 * may not tell the whole truth yet.  Only a guest that is off and stays off may take nothing. */
static struct charge charge_in_flight(const struct builder *b, const struct diff_guest *guest,
                                      const struct observed_move *moves, size_t count)
{
    const struct policy *policy = b->fleet.input->policy;
    struct charge most = { .memory_kib = capacity_size_kib(policy, wanted(b, guest), NULL),
                           .vcpus = capacity_vcpus(wanted(b, guest), NULL) };
    bool charged = policy->charge_off;

    for (size_t i = 0; i < count; i++) {
        charged = charged || moves[i].mode != MOVE_COLD;
    }
    for (size_t i = 0; i < guest->found_count; i++) {
        const struct observed_guest *seen = guest->sightings[i].guest;
        uint64_t size = capacity_size_kib(policy, wanted(b, guest), seen);
        uint32_t vcpus = capacity_vcpus(wanted(b, guest), seen);
        uint32_t pool = fleet_find_pool(&b->fleet, seen->hugepage_kib);

        charged = charged || capacity_is_charged(policy, seen);
        most.memory_kib = size > most.memory_kib ? size : most.memory_kib;
        most.vcpus = vcpus > most.vcpus ? vcpus : most.vcpus;
        most.pool = pool > most.pool ? pool : most.pool;
    }
    return charged ? most : (struct charge){ 0 };
}

static bool is_end_of(const struct observed_move *moves, size_t count, const char *host)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(moves[i].from, host) == 0 || strcmp(moves[i].to, host) == 0) {
            return true;
        }
    }
    return false;
}

/* Puts the guest on 'host' and lets it take room there. */
static void occupy(struct builder *b, const struct diff_guest *guest, uint32_t host,
                   struct charge charge)
{
    take_room(&b->fleet, host, charge);
    if (guest->desired != DESIRED_NONE) {
        b->fleet.guests[guest->desired].place = add_place(&b->fleet, guest->desired, host);
    } else {
        b->fleet.hosts[host].vcpu_file += charge.vcpus;
        fleet_memory(&b->fleet, charge.pool, host)->unlisted_kib += charge.memory_kib;
    }
}

/* Charges both ends of every move in flight of one guest, each host once. */
static void occupy_ends(struct builder *b, const struct diff_guest *guest,
                        const struct observed_move *moves, size_t count)
{
    struct charge charge = charge_in_flight(b, guest, moves, count);

    for (size_t i = 0; i < count; i++) {
        const char *ends[] = { moves[i].from, moves[i].to };

        for (size_t e = 0; e < 2; e++) {
            uint32_t host = fleet_find_host(&b->fleet, ends[e]);

            if (host != FLEET_NONE && !is_end_of(moves, i, ends[e]) &&
                (e == 0 || strcmp(ends[0], ends[1]) != 0)) {
                occupy(b, guest, host, charge);
            }
        }
    }
}

static bool has_migration_job(const struct diff_guest *guest)
{
    for (size_t i = 0; i < guest->found_count; i++) {
        enum guest_job job = guest->sightings[i].guest->job;

        if (job == GUEST_JOB_OUTGOING || job == GUEST_JOB_INCOMING) {
            return true;
        }
    }
    return false;
}

static void open_guest(struct builder *b, const struct diff_guest *guest, bool in_flight)
{
    const struct desired_guest *want = wanted(b, guest);
    struct fleet_guest *this = &b->fleet.guests[guest->desired];

    *this = (struct fleet_guest){
        .name = guest->name,
        .diff = guest,
        .at = FLEET_NONE,
        .origin = FLEET_NONE,
        .goal = b->of_desired[want->host],
        .place = FLEET_NONE,
        .in_flight = in_flight || has_migration_job(guest),
        .blocked = PLAN_CODE_COUNT,
    };
    if (guest->at != NULL) {
        struct charge charge = charge_of(b, guest, guest->at->guest);

        this->seen = guest->at->guest;
        this->at = host_of(b, guest->at);
        this->origin = this->at;
        this->charge_kib = charge.memory_kib;
        this->pool = charge.pool;
        this->vcpus = charge.vcpus;
    }
}

/* Adds what the file asks of the guest's host once everybody is in place. */
static void count_in_file(struct builder *b, const struct diff_guest *guest)
{
    uint32_t vcpus = capacity_vcpus(wanted(b, guest), NULL);

    for (size_t i = 0; i < guest->found_count; i++) {
        uint32_t seen = capacity_vcpus(NULL, guest->sightings[i].guest);

        vcpus = seen > vcpus ? seen : vcpus;
    }
    b->fleet.hosts[b->fleet.guests[guest->desired].goal].vcpu_file += vcpus;
}

static void add_guest(struct builder *b, const struct diff_guest *guest,
                      const struct observed_move *moves, size_t move_count)
{
    if (guest->desired != DESIRED_NONE) {
        open_guest(b, guest, move_count > 0);
        count_in_file(b, guest);
    }
    for (size_t i = 0; i < guest->found_count; i++) {
        const struct diff_sighting *sighting = &guest->sightings[i];

        if (!is_end_of(moves, move_count, guest->found[i])) {
            occupy(b, guest, host_of(b, sighting), charge_of(b, guest, sighting->guest));
        }
    }
    if (move_count > 0) {
        occupy_ends(b, guest, moves, move_count);
    }
}

static size_t count_places(const struct plan_input *input)
{
    size_t count = 2 * input->observed->in_flight_count;

    for (size_t i = 0; i < input->observed->host_count; i++) {
        count += input->observed->hosts[i].guest_count;
    }
    return count;
}

/* Guests and moves in flight are both sorted by guest: one walk over both. */
static void add_guests(struct builder *b, const struct diff *diff)
{
    const struct observed *observed = b->fleet.input->observed;
    size_t m = 0;

    for (size_t i = 0; i < diff->count; i++) {
        const char *name = diff->guests[i].name;
        size_t first;

        while (m < observed->in_flight_count && strcmp(observed->in_flight[m].guest, name) < 0) {
            m++;
        }
        first = m;
        while (m < observed->in_flight_count && strcmp(observed->in_flight[m].guest, name) == 0) {
            m++;
        }
        add_guest(b, &diff->guests[i], observed->in_flight + first, m - first);
    }
}

struct fleet fleet_build(struct arena *arena, const struct plan_input *input,
                         const struct diff *diff)
{
    const struct desired *desired = input->desired;
    const struct observed *observed = input->observed;
    uint32_t *of_desired = ARENA_ARRAY(arena, uint32_t, desired->host_count);
    uint32_t *of_observed = ARENA_ARRAY(arena, uint32_t, observed->host_count);
    struct builder b = {
        .fleet = {
            .input = input,
            .hosts = ARENA_ARRAY(arena, struct fleet_host,
                                 desired->host_count + observed->host_count + 1),
            .guests = ARENA_ARRAY(arena, struct fleet_guest, desired->guest_count),
            .guest_count = desired->guest_count,
            .places = ARENA_ARRAY(arena, struct fleet_place, count_places(input)),
        },
        .of_desired = of_desired,
        .of_observed = of_observed,
    };

    merge_hosts(&b, of_desired, of_observed);
    b.fleet.hosts[b.fleet.host_count].occupants = FLEET_NONE;
    open_pools(arena, &b.fleet);
    add_guests(&b, diff);
    return b.fleet;
}

static void give_room(struct fleet *fleet, const struct fleet_guest *guest)
{
    fleet_memory(fleet, guest->pool, guest->at)->charged_kib -= guest->charge_kib;
    fleet->hosts[guest->at].vcpus -= guest->vcpus;
}

static void relocate(struct fleet *fleet, struct fleet_guest *guest, uint32_t host)
{
    if (!guest->stopped) {
        give_room(fleet, guest);
    }
    take_room(fleet, host, (struct charge){ guest->charge_kib, guest->pool, guest->vcpus });
    guest->stopped = false;
    if (guest->at != host) {
        unlink_place(fleet, guest->place);
        fleet->places[guest->place].host = host;
        link_place(fleet, guest->place);
        guest->at = host;
    }
}

void fleet_move(struct fleet *fleet, uint32_t guest, uint32_t host)
{
    relocate(fleet, &fleet->guests[guest], host);
    fleet->guests[guest].hops++;
}

void fleet_stop(struct fleet *fleet, uint32_t guest)
{
    give_room(fleet, &fleet->guests[guest]);
    fleet->guests[guest].stopped = true;
}

void fleet_take_back(struct fleet *fleet, uint32_t guest, uint32_t host, bool stopped)
{
    struct fleet_guest *this = &fleet->guests[guest];

    if (this->at != host) {
        this->hops--;
    }
    relocate(fleet, this, host);
    if (stopped) {
        fleet_stop(fleet, guest);
    }
}

uint32_t fleet_find_pool(const struct fleet *fleet, int32_t hugepage_kib)
{
    if (hugepage_kib <= 0) {
        return 0;
    }
    return 1 + count_sizes(fleet->page_sizes & ((uint32_t)hugepage_kib - 1));
}

uint32_t fleet_page_kib(const struct fleet *fleet, uint32_t pool)
{
    uint32_t sizes = fleet->page_sizes;

    for (uint32_t smaller = 1; smaller < pool; smaller++) {
        sizes &= sizes - 1;
    }
    return pool == 0 ? 0 : sizes & -sizes;
}

uint32_t fleet_nowhere(const struct fleet *fleet)
{
    return (uint32_t)fleet->host_count;
}

enum move_mode fleet_mode(const struct fleet *fleet, uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];

    if (this->stopped) {
        return MOVE_OFFLINE;
    }
    return this->hops == 0 ? this->mode : this->later_mode;
}

bool fleet_is_movable(const struct fleet *fleet, uint32_t guest)
{
    const struct fleet_guest *this = &fleet->guests[guest];

    return (this->waiting && !this->hopeless) || this->displaceable;
}

/* A guest is in one cluster or two: no need to sort them first. */
static bool share_cluster(const struct desired *desired, uint32_t a, uint32_t b)
{
    const struct desired_guest *left = &desired->guests[a];
    const struct desired_guest *right = &desired->guests[b];

    for (uint32_t l = 0; l < left->cluster_count; l++) {
        for (uint32_t r = 0; r < right->cluster_count; r++) {
            if (desired->cluster_refs[left->first_cluster + l] ==
                desired->cluster_refs[right->first_cluster + r]) {
                return true;
            }
        }
    }
    return false;
}

uint32_t fleet_find_rival(const struct fleet *fleet, uint32_t guest, uint32_t host)
{
    return fleet_next_rival(fleet, guest, host, FLEET_NONE);
}

uint32_t fleet_next_rival(const struct fleet *fleet, uint32_t guest, uint32_t host, uint32_t rival)
{
    uint32_t from = rival + 1; /* FLEET_NONE is the last number: 0 follows. */
    uint32_t next = FLEET_NONE;

    if (fleet->input->desired->guests[guest].cluster_count == 0) {
        return FLEET_NONE;
    }
    /* The list's order depends on the moves made so far, the answer must not: take the least. */
    for (uint32_t p = fleet->hosts[host].occupants; p != FLEET_NONE; p = fleet->places[p].next) {
        uint32_t other = fleet->places[p].guest;

        if (other >= from && other < next && fleet_are_rivals(fleet, guest, other)) {
            next = other;
        }
    }
    return next;
}

bool fleet_are_rivals(const struct fleet *fleet, uint32_t a, uint32_t b)
{
    return fleet->guests[a].goal != fleet->guests[b].goal &&
           share_cluster(fleet->input->desired, a, b);
}

bool fleet_is_left(const struct fleet *fleet, uint32_t guest)
{
    return fleet->guests[guest].waiting && fleet->guests[guest].at != fleet->guests[guest].goal;
}

uint32_t fleet_find_host(const struct fleet *fleet, const char *name)
{
    size_t low = 0;
    size_t high = fleet->host_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(fleet->hosts[middle].name, name);

        if (order == 0) {
            return (uint32_t)middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return FLEET_NONE;
}

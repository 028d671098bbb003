/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/profile.h"
#include "model/supply.h"

#define STOPPED 8U /* Added to a guest's host. */
#define KINDS   3  /* Of memory: ordinary, and pages of two sizes. */

struct site {
    const char *name;
    const struct observed_host *seen;
    bool open; /* Takes guests. */
    uint64_t limit_kib[KINDS];
    uint64_t fixed_kib[KINDS];
    uint64_t cpu_limit;
    uint64_t cpu_file;
    uint64_t fixed_cpus;
};

struct piece {
    const struct desired_guest *want;
    const struct observed_guest *seen;
    const struct policy_guest *own;
    uint32_t at;
    uint32_t goal;
    uint64_t kib;
    size_t kind; /* Of memory. */
    uint64_t cpus;
    bool movable;
    bool no_detour;
    bool park;
    enum move_mode first;                         /* How it makes its first hop ... */
    enum move_mode later;                         /* ... and the others. */
    uint32_t runs[MOVE_MODE_COUNT][ORACLE_HOSTS]; /* By mode and host: a bit for each to go to. */
    uint32_t apart;                               /* A bit for each it must be apart from. */
};

struct world {
    const struct plan_input *input;
    struct site sites[ORACLE_HOSTS];
    size_t site_count;
    struct piece pieces[ORACLE_GUESTS]; /* The file's guests. */
    size_t piece_count;
    uint64_t pages[KINDS]; /* Size of the pages of each kind of memory; 0 = ordinary. */
    size_t kind_count;
};

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint32_t site_of(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->site_count; i++) {
        if (strcmp(world->sites[i].name, name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static bool read_sites(struct world *world)
{
    const struct plan_input *input = world->input;

    if (input->observed->host_count > ORACLE_HOSTS) {
        return false;
    }
    for (size_t i = 0; i < input->observed->host_count; i++) {
        const struct observed_host *seen = &input->observed->hosts[i];
        const struct policy_host *own = policy_find_host(input->policy, seen->name);
        uint32_t declared = desired_find_host(input->desired, seen->name);
        uint64_t memory = seen->memory_kib;
        uint64_t cpus = own != NULL && own->cpus > 0 ? own->cpus : seen->cpus;

        if (declared != DESIRED_NONE && input->desired->hosts[declared].memory_kib > 0 &&
            input->desired->hosts[declared].memory_kib < memory) {
            memory = input->desired->hosts[declared].memory_kib;
        }
        world->sites[world->site_count++] = (struct site){
            .name = seen->name,
            .seen = seen,
            .open = seen->reachable && !(own != NULL && own->maintenance),
            .limit_kib = { policy_usable_kib(input->policy, seen->name, memory) },
            .cpu_limit = cpus == 0 ? UINT64_MAX : cpus * input->policy->cpu_overcommit_milli / 1000,
        };
    }
    return true;
}

/* Takes what every host has set aside out of its ordinary memory, and counts what of it is of 'pages'. */
static void read_pools(struct world *world)
{
    for (size_t s = 0; s < world->site_count; s++) {
        struct site *site = &world->sites[s];

        for (size_t p = 0; p < site->seen->hugepage_count; p++) {
            uint64_t kib = site->seen->hugepages[p].total * site->seen->hugepages[p].page_kib;

            site->limit_kib[0] -= kib < site->limit_kib[0] ? kib : site->limit_kib[0];
            for (size_t k = 1; k < world->kind_count; k++) {
                site->limit_kib[k] +=
                    site->seen->hugepages[p].page_kib == world->pages[k] ? kib : 0;
            }
        }
    }
}

/* Which kind of memory the guest takes; KINDS if there are too many. */
static size_t kind_of(struct world *world, const struct observed_guest *seen)
{
    uint64_t pages = seen->hugepage_kib > 0 ? (uint64_t)seen->hugepage_kib : 0;
    size_t kind = 0;

    while (kind < world->kind_count && world->pages[kind] != pages) {
        kind++;
    }
    if (kind == world->kind_count && kind < KINDS) {
        world->pages[world->kind_count++] = pages;
    }
    return kind;
}

/* All kinds there are.  False if they are too many. */
static bool read_kinds(struct world *world)
{
    world->kind_count = 1;
    for (size_t s = 0; s < world->site_count; s++) {
        for (size_t g = 0; g < world->sites[s].seen->guest_count; g++) {
            if (kind_of(world, &world->sites[s].seen->guests[g]) == KINDS) {
                return false;
            }
        }
    }
    return true;
}

static uint64_t size_of(const struct world *world, const struct desired_guest *want,
                        const struct observed_guest *seen)
{
    uint64_t kib = most(seen->memory_kib, seen->config_memory_kib);

    return most(kib, want == NULL ? 0 : want->memory_kib) +
           world->input->policy->guest_overhead_kib;
}

static bool is_charged(const struct world *world, const struct observed_guest *seen)
{
    return seen->state != GUEST_SHUTOFF || world->input->policy->charge_off || seen->autostart ||
           seen->owed_start;
}

static bool is_excluded(const struct plan_input *input, const char *name)
{
    for (size_t i = 0; i < input->exclusion_count; i++) {
        if (strcmp(input->exclusions[i].guest, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_offline(const struct world *world, const struct piece *piece)
{
    return policy_guest_mode(world->input->policy, piece->want->name) == POLICY_MODE_OFFLINE;
}

/* How it makes its first hop, and the others. */
static enum move_mode mode_of(const struct world *world, const struct piece *piece, bool first)
{
    if (piece->seen->state == GUEST_SHUTOFF && !(piece->seen->owed_start && !first)) {
        return piece->seen->owed_start ? MOVE_OFFLINE : MOVE_COLD;
    }
    return is_offline(world, piece) ? MOVE_OFFLINE : MOVE_LIVE;
}

/* Its NVRAM is none, or goes along with a guest that is off. */
static bool keeps_nvram(const struct world *world, const struct piece *piece)
{
    const struct observed_guest *seen = piece->seen;
    const struct supply *file = supply_list_find(&seen->supplies, SUPPLY_STATE, SUPPLY_NVRAM);

    return seen->has_nvram <= 0 ||
           (file != NULL && (seen->state == GUEST_SHUTOFF || is_offline(world, piece)) &&
            profile_takes(world->input->policy->profile, file->kind, file->name, file->device));
}

/* Its state lets it be moved. */
static bool is_sound(const struct world *world, const struct piece *piece)
{
    const struct observed_guest *seen = piece->seen;

    if (seen->job != GUEST_JOB_NONE || seen->managed_save > 0 || seen->snapshots > 0 ||
        !keeps_nvram(world, piece) || seen->has_tpm > 0) {
        return false;
    }
    switch (seen->state) {
    case GUEST_RUNNING:
        return seen->persistent || !is_offline(world, piece);
    case GUEST_PAUSED:
        return seen->reason == GUEST_REASON_USER && !is_offline(world, piece);
    case GUEST_SHUTOFF:
        return seen->persistent;
    case GUEST_CRASHED:
    case GUEST_OTHER:
    case GUEST_STATE_COUNT:
        break;
    }
    return false;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL || strcmp(a, b) == 0;
}

static bool has_machine(const struct observed_host *host, const char *machine)
{
    for (size_t i = 0; i < host->machine_count; i++) {
        if (machine == NULL || strcmp(host->machines[i], machine) == 0) {
            return true;
        }
    }
    return host->machine_count == 0;
}

static bool can_run(const struct world *world, const struct piece *piece, uint32_t from,
                    uint32_t to, enum move_mode mode)
{
    const struct observed_host *source = world->sites[from].seen;
    const struct observed_host *target = world->sites[to].seen;
    bool own_cpu =
        piece->seen->cpu_mode != NULL && strcmp(piece->seen->cpu_mode, "host-passthrough") == 0;

    if (piece->seen->hugepage_kib < 0 && source->hugepage_count + target->hugepage_count > 0) {
        return false;
    }
    if (!same(source->arch, target->arch) || !has_machine(target, piece->seen->machine) ||
        (piece->seen->numa_nodes > 1 && target->numa_nodes > 0 &&
         target->numa_nodes < (uint32_t)piece->seen->numa_nodes)) {
        return false;
    }
    return mode != MOVE_LIVE ||
           (piece->seen->hostdevs <= 0 &&
            (!own_cpu || same(source->cpu_fingerprint, target->cpu_fingerprint)) &&
            (world->input->policy->allow_downgrade ||
             (target->qemu_version >= source->qemu_version &&
              target->libvirt_version >= source->libvirt_version)));
}

/* Everything but room and order. */
static bool is_movable(const struct world *world, const struct piece *piece)
{
    const struct plan_input *input = world->input;
    bool pending = piece->want->pending_action != NULL && !input->policy->adopt_pending_actions;

    if (is_excluded(input, piece->want->name) || (piece->own != NULL && piece->own->pin) ||
        pending || !world->sites[piece->at].seen->reachable || !world->sites[piece->goal].open ||
        !is_sound(world, piece)) {
        return false;
    }
    if (piece->at == piece->goal) {
        return piece->own == NULL || !piece->own->no_detour;
    }
    return can_run(world, piece, piece->at, piece->goal, mode_of(world, piece, true));
}

/* Charges what was seen of 'guest' and makes its piece.  False if it cannot tell where the guest is. */
static bool read_piece(struct world *world, uint32_t guest)
{
    const struct desired *desired = world->input->desired;
    struct piece *piece = &world->pieces[world->piece_count++];
    size_t sightings = 0;
    uint64_t cpus = desired->guests[guest].vcpus;

    *piece = (struct piece){ .want = &desired->guests[guest] };
    piece->own = policy_find_guest(world->input->policy, piece->want->name);
    piece->goal = site_of(world, desired->hosts[piece->want->host].name);
    for (uint32_t s = 0; s < world->site_count; s++) {
        const struct observed_host *host = world->sites[s].seen;

        for (size_t g = 0; g < host->guest_count; g++) {
            const struct observed_guest *seen = &host->guests[g];

            if (strcmp(seen->name, piece->want->name) != 0) {
                continue;
            }
            sightings++;
            piece->at = s;
            piece->seen = seen;
            piece->kib = is_charged(world, seen) ? size_of(world, piece->want, seen) : 0;
            piece->cpus =
                is_charged(world, seen) ? most(seen->vcpus, desired->guests[guest].vcpus) : 0;
            cpus = most(cpus, seen->vcpus);
            piece->kind = kind_of(world, seen);
            world->sites[s].fixed_kib[piece->kind] += piece->kib;
            world->sites[s].fixed_cpus += piece->cpus;
        }
    }
    if (piece->goal == UINT32_MAX) {
        return false;
    }
    world->sites[piece->goal].cpu_file += cpus;
    piece->movable = sightings == 1 && is_movable(world, piece);
    /* Where a fixed guest is matters to its rivals only; one seen twice is too much for this model. */
    return sightings == 1;
}

static void read_strangers(struct world *world)
{
    for (size_t s = 0; s < world->site_count; s++) {
        const struct observed_host *host = world->sites[s].seen;

        for (size_t g = 0; g < host->guest_count; g++) {
            const struct observed_guest *seen = &host->guests[g];

            if (desired_find_guest(world->input->desired, seen->name) == DESIRED_NONE &&
                is_charged(world, seen)) {
                world->sites[s].fixed_kib[kind_of(world, seen)] += size_of(world, NULL, seen);
                world->sites[s].fixed_cpus += seen->vcpus;
                world->sites[s].cpu_file += seen->vcpus;
            }
        }
    }
}

static bool must_be_apart(const struct world *world, size_t a, size_t b)
{
    const struct desired *desired = world->input->desired;
    const struct desired_guest *one = world->pieces[a].want;
    const struct desired_guest *two = world->pieces[b].want;

    for (uint32_t i = 0; i < one->cluster_count && one->host != two->host; i++) {
        for (uint32_t j = 0; j < two->cluster_count; j++) {
            if (desired->cluster_refs[one->first_cluster + i] ==
                desired->cluster_refs[two->first_cluster + j]) {
                return true;
            }
        }
    }
    return false;
}

/* Works out what does not depend on where the others are. */
static void prepare(struct world *world, size_t piece)
{
    static const enum move_mode modes[] = { MOVE_LIVE, MOVE_OFFLINE, MOVE_COLD };
    struct piece *this = &world->pieces[piece];

    this->no_detour = this->own != NULL && this->own->no_detour;
    this->park = this->own != NULL && this->own->park && this->seen->persistent &&
                 (this->seen->state == GUEST_RUNNING || this->seen->owed_start);
    this->first = mode_of(world, this, true);
    this->later = mode_of(world, this, false);
    for (size_t i = 0; i < world->piece_count; i++) {
        this->apart |= must_be_apart(world, piece, i) ? 1U << i : 0;
    }
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        for (uint32_t from = 0; from < world->site_count; from++) {
            for (uint32_t to = 0; to < world->site_count; to++) {
                this->runs[modes[m]][from] |=
                    world->sites[to].open && can_run(world, this, from, to, modes[m]) ? 1U << to
                                                                                      : 0;
            }
        }
    }
}

static bool read_world(struct world *world, const struct plan_input *input)
{
    bool plain =
        input->observed->in_flight_count == 0 && input->desired->guest_count <= ORACLE_GUESTS;

    *world = (struct world){ .input = input };
    if (!plain || !read_sites(world) || !read_kinds(world)) {
        return false;
    }
    read_pools(world);
    for (uint32_t g = 0; g < input->desired->guest_count; g++) {
        if (!read_piece(world, g)) {
            return false;
        }
    }
    read_strangers(world);
    for (size_t i = 0; i < world->piece_count; i++) {
        prepare(world, i);
        if (world->pieces[i].movable) { /* From here on its place is part of the state. */
            world->sites[world->pieces[i].at].fixed_kib[world->pieces[i].kind] -=
                world->pieces[i].kib;
            world->sites[world->pieces[i].at].fixed_cpus -= world->pieces[i].cpus;
        }
    }
    return true;
}

/* Four bits a guest. */
static uint32_t place_in(uint64_t state, size_t piece)
{
    return (uint32_t)(state >> 4 * piece & 15);
}

static uint64_t with_place(uint64_t state, size_t piece, uint32_t place)
{
    return (state & ~(UINT64_C(15) << 4 * piece)) | (uint64_t)place << 4 * piece;
}

/* What a state takes on each host, and who is there. */
struct load {
    uint64_t kib[KINDS][ORACLE_HOSTS];
    uint64_t cpus[ORACLE_HOSTS];
    uint32_t pieces[ORACLE_HOSTS];
};

static struct load load_of(const struct world *world, uint64_t state)
{
    struct load load = { 0 };

    for (size_t s = 0; s < world->site_count; s++) {
        for (size_t k = 0; k < world->kind_count; k++) {
            load.kib[k][s] = world->sites[s].fixed_kib[k];
        }
        load.cpus[s] = world->sites[s].fixed_cpus;
    }
    for (size_t i = 0; i < world->piece_count; i++) {
        uint32_t site = place_in(state, i);

        load.pieces[site % STOPPED] |= 1U << i;
        if (world->pieces[i].movable && site < STOPPED) {
            load.kib[world->pieces[i].kind][site] += world->pieces[i].kib;
            load.cpus[site] += world->pieces[i].cpus;
        }
    }
    return load;
}

/* Room on 'site' for a piece, and no rival. */
static bool has_room(const struct world *world, const struct load *load, const struct piece *who,
                     uint32_t site)
{
    const struct site *where = &world->sites[site];
    uint64_t cap = where->cpu_limit;

    if (site == who->goal && world->input->policy->cpu_policy == POLICY_CPU_WARN) {
        cap = most(cap, where->cpu_file);
    }
    return (load->pieces[site] & who->apart) == 0 &&
           load->kib[who->kind][site] + who->kib <= where->limit_kib[who->kind] &&
           load->cpus[site] + who->cpus <= cap;
}

struct search {
    const struct world *world;
    uint64_t *states; /* Hashed; 'empty' where none. */
    struct oracle_cost *costs;
    bool *done;
    size_t mask;
    size_t count;
    size_t budget;
    uint32_t *heap;
    struct oracle_cost *keys;
    size_t heap_count;
    uint32_t frozen;   /* Pieces that stay in this search. */
    uint32_t required; /* Pieces that never may. */
};

#define EMPTY UINT64_MAX

static int compare_costs(const struct oracle_cost *a, const struct oracle_cost *b)
{
    if (a->interruptions != b->interruptions) {
        return a->interruptions < b->interruptions ? -1 : 1;
    }
    if (a->moves != b->moves) {
        return a->moves < b->moves ? -1 : 1;
    }
    return a->kib < b->kib ? -1 : a->kib > b->kib;
}

static void heap_push(struct search *search, uint32_t slot, struct oracle_cost key)
{
    size_t at = search->heap_count++;

    for (; at > 0 && compare_costs(&key, &search->keys[(at - 1) / 2]) < 0; at = (at - 1) / 2) {
        search->heap[at] = search->heap[(at - 1) / 2];
        search->keys[at] = search->keys[(at - 1) / 2];
    }
    search->heap[at] = slot;
    search->keys[at] = key;
}

static uint32_t heap_pop(struct search *search)
{
    uint32_t top = search->heap[0];
    size_t last = --search->heap_count;
    size_t at = 0;

    for (size_t child = 1; child < last; child = 2 * at + 1) {
        child +=
            child + 1 < last && compare_costs(&search->keys[child + 1], &search->keys[child]) < 0;
        if (compare_costs(&search->keys[child], &search->keys[last]) >= 0) {
            break;
        }
        search->heap[at] = search->heap[child];
        search->keys[at] = search->keys[child];
        at = child;
    }
    search->heap[at] = search->heap[last];
    search->keys[at] = search->keys[last];
    return top;
}

static uint32_t slot_of(const struct search *search, uint64_t state)
{
    uint64_t hash = state * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(hash ^ hash >> 32) & search->mask;

    while (search->states[at] != EMPTY && search->states[at] != state) {
        at = (at + 1) & search->mask;
    }
    return (uint32_t)at;
}

static bool is_away(const struct search *search, uint64_t state, size_t piece)
{
    return search->world->pieces[piece].movable && (search->frozen >> piece & 1) == 0 &&
           place_in(state, piece) != search->world->pieces[piece].goal;
}

/* A move at least for each that is away. */
static struct oracle_cost with_rest(const struct search *search, uint64_t state,
                                    struct oracle_cost cost)
{
    for (size_t i = 0; i < search->world->piece_count; i++) {
        if (is_away(search, state, i)) {
            cost.moves++;
            cost.kib += search->world->pieces[i].kib;
        }
    }
    return cost;
}

static void reach(struct search *search, uint64_t state, struct oracle_cost cost)
{
    uint32_t slot = slot_of(search, state);

    if (search->states[slot] == EMPTY) {
        if (search->count++ == search->budget) {
            return;
        }
        search->states[slot] = state;
    } else if (search->done[slot] || compare_costs(&cost, &search->costs[slot]) >= 0) {
        return;
    }
    search->costs[slot] = cost;
    if (search->heap_count < 8 * search->budget) {
        heap_push(search, slot, with_rest(search, state, cost));
    }
}

static void try_move(struct search *search, uint64_t state, const struct load *load,
                     struct oracle_cost cost, size_t piece, uint32_t to)
{
    const struct piece *who = &search->world->pieces[piece];
    uint32_t from = place_in(state, piece) % STOPPED;
    bool stopped = place_in(state, piece) >= STOPPED;
    enum move_mode mode = stopped ? MOVE_OFFLINE : from == who->at ? who->first : who->later;
    /* What it does next must show from where it is. */
    bool returns = who->first != who->later && to == who->at;

    if (to == from || returns || (who->runs[mode][from] >> to & 1) == 0 ||
        (to != who->goal && (stopped || who->no_detour)) ||
        !has_room(search->world, load, who, to)) {
        return;
    }
    cost.moves++;
    cost.kib += who->kib;
    cost.interruptions += mode == MOVE_OFFLINE;
    reach(search, with_place(state, piece, to), cost);
}

static void try_stop(struct search *search, uint64_t state, struct oracle_cost cost, size_t piece)
{
    const struct piece *who = &search->world->pieces[piece];
    uint32_t at = place_in(state, piece);

    if (who->park && at < STOPPED && at != who->goal &&
        (who->runs[MOVE_OFFLINE][at] >> who->goal & 1) != 0) {
        cost.moves++;
        cost.kib += who->kib;
        reach(search, with_place(state, piece, at + STOPPED), cost);
    }
}

/* The least cost with the frozen pieces where they are.  False if there is no way, or the budget ends. */
static bool run(struct search *search, uint64_t start, struct oracle_cost *cost)
{
    const struct world *world = search->world;

    search->count = 0;
    search->heap_count = 0;
    for (size_t i = 0; i <= search->mask; i++) {
        search->states[i] = EMPTY;
        search->done[i] = false;
    }
    reach(search, start, (struct oracle_cost){ 0 });
    while (search->heap_count > 0 && search->count <= search->budget) {
        uint32_t slot = heap_pop(search);
        uint64_t state = search->states[slot];
        struct load load;
        bool end = true;

        if (search->done[slot]) {
            continue;
        }
        search->done[slot] = true;
        for (size_t i = 0; i < world->piece_count; i++) {
            end = end && !is_away(search, state, i);
        }
        if (end) {
            *cost = search->costs[slot];
            return true;
        }
        load = load_of(world, state);
        for (size_t i = 0; i < world->piece_count; i++) {
            if (world->pieces[i].movable && (search->frozen >> i & 1) == 0) {
                for (uint32_t to = 0; to < world->site_count; to++) {
                    try_move(search, state, &load, search->costs[slot], i, to);
                }
                try_stop(search, state, search->costs[slot], i);
            }
        }
    }
    return false;
}

static struct search open_search(const struct world *world, size_t budget)
{
    size_t size = 64;

    while (size < 2 * budget + 2) {
        size *= 2;
    }
    return (struct search){
        .world = world,
        .states = malloc(size * sizeof(uint64_t)),
        .costs = malloc(size * sizeof(struct oracle_cost)),
        .done = malloc(size * sizeof(bool)),
        .mask = size - 1,
        .budget = budget,
        .heap = malloc(8 * budget * sizeof(uint32_t) + 64),
        .keys = malloc(8 * budget * sizeof(struct oracle_cost) + 64),
    };
}

static void close_search(struct search *search)
{
    free(search->states);
    free(search->costs);
    free(search->done);
    free(search->heap);
    free(search->keys);
}

/* The best that leaves exactly 'left' of the misplaced where they are. */
static bool try_leaving(struct search *search, uint64_t start, uint32_t away, size_t left,
                        struct oracle_cost *best, bool *tired)
{
    bool found = false;

    for (uint32_t frozen = away;; frozen = (frozen - 1) & away) {
        struct oracle_cost cost;

        search->frozen = frozen;
        if ((size_t)__builtin_popcount(frozen) == left && (frozen & search->required) == 0) {
            if (run(search, start, &cost) && (!found || compare_costs(&cost, best) < 0)) {
                *best = cost;
                best->left = left;
                found = true;
            }
            *tired = *tired || search->count > search->budget;
        }
        if (frozen == 0) {
            return found;
        }
    }
}

/* Looks with one budget.  False if that was too little; '*found' tells whether there is a plan. */
static bool ask(const struct world *world, size_t budget, uint32_t required,
                struct oracle_cost *cost, bool *found)
{
    struct search search = open_search(world, budget);
    uint64_t start = 0;
    uint32_t away = 0;
    bool tired = false;

    search.required = required;
    for (size_t i = 0; i < world->piece_count; i++) {
        const struct piece *piece = &world->pieces[i];

        start = with_place(start, i, piece->at);
        away |= piece->movable && piece->at != piece->goal ? 1U << i : 0;
    }
    *found = false;
    for (size_t left = 0; !tired && !*found && left <= (size_t)__builtin_popcount(away); left++) {
        *found = try_leaving(&search, start, away, left, cost, &tired);
    }
    close_search(&search);
    return !tired;
}

/* Most fleets are small: their tables should be too. */
static enum oracle_word ask_on(const struct world *world, size_t budget, uint32_t required,
                               struct oracle_cost *cost, bool *found)
{
    for (size_t some = 100; some < budget; some *= 20) {
        if (ask(world, some, required, cost, found)) {
            return ORACLE_KNOWS;
        }
    }
    return ask(world, budget, required, cost, found) ? ORACLE_KNOWS : ORACLE_TOO_LARGE;
}

enum oracle_word oracle_ask(const struct plan_input *input, size_t budget, struct oracle_cost *cost)
{
    struct world world;
    bool found; /* To leave everybody is a plan. */

    return read_world(&world, input) ? ask_on(&world, budget, 0, cost, &found) : ORACLE_TOO_LARGE;
}

enum oracle_word oracle_brings_home(const struct plan_input *input, size_t budget,
                                    const char *guest, bool *yes)
{
    struct world world;
    struct oracle_cost cost;
    uint32_t required = 0;

    if (!read_world(&world, input)) {
        return ORACLE_TOO_LARGE;
    }
    for (size_t i = 0; i < world.piece_count; i++) {
        required |= strcmp(world.pieces[i].want->name, guest) == 0 ? 1U << i : 0;
    }
    return ask_on(&world, budget, required, &cost, yes);
}

static bool ends_home(const struct plan *plan, const char *guest, const char *goal)
{
    for (size_t i = plan->move_count; i > 0; i--) {
        if (strcmp(plan->moves[i - 1].guest, guest) == 0) {
            return strcmp(plan->moves[i - 1].to, goal) == 0;
        }
    }
    return false;
}

struct oracle_cost oracle_price(const struct plan_input *input, const struct plan *plan)
{
    struct world world;
    struct oracle_cost cost = {
        .interruptions = plan->interruptions,
        .moves = plan->move_count,
        .kib = plan->memory_kib,
    };

    if (!read_world(&world, input)) {
        abort();
    }
    for (size_t i = 0; i < world.piece_count; i++) {
        const struct piece *piece = &world.pieces[i];

        cost.left += piece->movable && piece->at != piece->goal &&
                     !ends_home(plan, piece->want->name, world.sites[piece->goal].name);
    }
    return cost;
}

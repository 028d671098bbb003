/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/exact.h"

#include <string.h>

#include "base/arena.h"
#include "diff/exact_space.h"
#include "diff/fleet.h"

#define NONE UINT32_MAX

/* What a way costs: interruptions above moves, then memory. */
struct price {
    uint32_t moves; /* Interruptions above INTERRUPTION. */
    uint64_t kib;
};

#define INTERRUPTION (UINT32_C(1) << 16)

/* A placement, and the cheapest known way to it. */
struct node {
    struct exact_placement placement;
    struct price paid;
    struct price total; /* And what the rest costs at least. */
    uint32_t parent;
    uint8_t guest; /* The last move: whose place changed ... */
    uint8_t to;    /* ... and to where, EXACT_SPACE_STOP for a stop. */
    bool closed;
};

struct entry {
    struct price total;
    uint32_t node;
};

struct slot {
    uint32_t round; /* Of the search that used it. */
    uint32_t node;
};

struct search {
    struct arena *arena;
    struct exact_space space;
    struct node *nodes;
    uint32_t count;
    uint32_t capacity;
    struct slot *slots; /* Placements seen, hashed; at most half full. */
    uint32_t mask;
    uint32_t round;
    struct entry *heap;
    size_t heap_count;
    size_t heap_capacity;
    struct price limit; /* What is not cheaper is of no use. */
    size_t budget;
    bool exhausted; /* The budget was. */
    uint32_t end;   /* Node of the best end of this search, or NONE. */
};

static bool is_cheaper(struct price a, struct price b)
{
    return a.moves != b.moves ? a.moves < b.moves : a.kib < b.kib;
}

static bool comes_before(const struct entry *a, const struct entry *b)
{
    if (is_cheaper(a->total, b->total) || is_cheaper(b->total, a->total)) {
        return is_cheaper(a->total, b->total);
    }
    return a->node > b->node; /* The later one is nearer to the end. */
}

static void *grow(struct arena *arena, const void *items, size_t count, size_t capacity,
                  size_t size)
{
    void *grown = arena_alloc(arena, capacity, size);

    if (count > 0) {
        memcpy(grown, items, count * size);
    }
    return grown;
}

static void push(struct search *search, struct entry entry)
{
    size_t at = search->heap_count++;

    if (at == search->heap_capacity) {
        search->heap_capacity = at == 0 ? 256 : 2 * at;
        search->heap = grow(search->arena, search->heap, at, search->heap_capacity, sizeof(entry));
    }
    while (at > 0 && comes_before(&entry, &search->heap[(at - 1) / 2])) {
        search->heap[at] = search->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    search->heap[at] = entry;
}

static struct entry pop(struct search *search)
{
    struct entry top = search->heap[0];
    struct entry last = search->heap[--search->heap_count];
    size_t at = 0;

    for (size_t child = 1; child < search->heap_count; child = 2 * at + 1) {
        if (child + 1 < search->heap_count &&
            comes_before(&search->heap[child + 1], &search->heap[child])) {
            child++;
        }
        if (!comes_before(&search->heap[child], &last)) {
            break;
        }
        search->heap[at] = search->heap[child];
        at = child;
    }
    search->heap[at] = last;
    return top;
}

static uint32_t hash_of(const struct exact_placement *placement)
{
    uint64_t words[2];
    uint64_t hash;

    _Static_assert(sizeof(words) == sizeof(*placement), "a placement is two words");
    memcpy(words, placement, sizeof(words));
    hash = (words[0] ^ words[0] >> 29) * UINT64_C(0xBF58476D1CE4E5B9) ^
           (words[1] ^ words[1] >> 32) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(hash >> 32 ^ hash);
}

/* The slot of 'placement': taken by it, or free. */
static struct slot *slot_of(struct search *search, const struct exact_placement *placement)
{
    uint32_t at = hash_of(placement) & search->mask;

    while (search->slots[at].round == search->round &&
           memcmp(&search->nodes[search->slots[at].node].placement, placement,
                  sizeof(*placement)) != 0) {
        at = (at + 1) & search->mask;
    }
    return &search->slots[at];
}

static void grow_tables(struct search *search)
{
    uint32_t capacity = search->capacity == 0 ? 256 : 2 * search->capacity;

    search->nodes =
        grow(search->arena, search->nodes, search->count, capacity, sizeof(struct node));
    search->capacity = capacity;
    search->slots = ARENA_ARRAY(search->arena, struct slot, 2 * (size_t)capacity);
    search->mask = 2 * capacity - 1;
    for (uint32_t i = 0; i < search->count; i++) {
        *slot_of(search, &search->nodes[i].placement) = (struct slot){ search->round, i };
    }
}

/* What bringing everybody home from here costs at least: a move each, and one more if none of them can
 * go home now. */
static struct price remainder_of(const struct search *search,
                                 const struct exact_placement *placement,
                                 const struct exact_load *load)
{
    const struct exact_space *space = &search->space;
    struct price price = { 0 };
    bool stuck = true;

    for (unsigned g = 0; g < space->guest_count; g++) {
        if (exact_space_is_away(space, placement, g)) {
            price.moves += 1 + (exact_space_interrupts(space, placement, g) ? INTERRUPTION : 0);
            price.kib += space->guests[g].kib;
            stuck =
                stuck && !exact_space_may_enter(space, placement, load, g, space->guests[g].goal);
        }
    }
    price.moves += stuck && price.moves > 0;
    return price;
}

/* Notes that 'reached' is on the way, unless it was reached as cheaply before or costs too much. */
static void reach(struct search *search, struct node reached, const struct exact_load *load)
{
    struct price rest = remainder_of(search, &reached.placement, load);
    struct slot *slot;

    reached.total = (struct price){ reached.paid.moves + rest.moves, reached.paid.kib + rest.kib };
    if (!is_cheaper(reached.total, search->limit)) {
        return;
    }
    slot = slot_of(search, &reached.placement);
    if (slot->round == search->round) {
        if (!is_cheaper(reached.paid, search->nodes[slot->node].paid)) {
            return;
        }
        search->nodes[slot->node] = reached;
        push(search, (struct entry){ reached.total, slot->node });
        return;
    }
    if (search->budget == 0) {
        search->exhausted = true;
        return;
    }
    search->budget--;
    if (search->count == search->capacity) {
        grow_tables(search);
        slot = slot_of(search, &reached.placement);
    }
    *slot = (struct slot){ search->round, search->count };
    search->nodes[search->count] = reached;
    push(search, (struct entry){ reached.total, search->count++ });
}

/* Follows one change of placement; 'load' is that of the node it comes from. */
static void follow(struct search *search, uint32_t parent, const struct exact_load *load,
                   unsigned guest, unsigned to)
{
    const struct exact_space *space = &search->space;
    const struct node *from = &search->nodes[parent];
    const struct exact_guest *who = &space->guests[guest];
    uint8_t at = from->placement.at[guest];
    struct exact_load after = *load;
    struct node node = {
        .placement = from->placement,
        .paid = { from->paid.moves + 1, from->paid.kib + who->kib },
        .parent = parent,
        .guest = (uint8_t)guest,
        .to = (uint8_t)to,
    };

    if (at < EXACT_SPACE_STOPPED) {
        after.kib[who->pool][at] -= who->kib;
        after.vcpus[at] -= who->vcpus;
    }
    if (to == EXACT_SPACE_STOP) {
        node.placement.at[guest] = (uint8_t)(at + EXACT_SPACE_STOPPED);
    } else {
        node.paid.moves +=
            exact_space_interrupts(space, &from->placement, guest) ? INTERRUPTION : 0;
        node.placement.at[guest] = (uint8_t)to;
        after.kib[who->pool][to] += who->kib;
        after.vcpus[to] += who->vcpus;
        after.guests[at % EXACT_SPACE_STOPPED] &= (uint16_t) ~(1U << guest);
        after.guests[to] |= (uint16_t)(1U << guest);
    }
    /* Before its like are put in order: their loads are the same, and their rivals. */
    exact_space_normalize(space, &node.placement);
    reach(search, node, &after);
}

static bool moves(const struct exact_space *space, unsigned guest)
{
    return ((space->present & ~space->frozen) >> guest & 1) != 0;
}

/* True if a guest that is like this one stands where it does and comes before it. */
static bool is_second(const struct exact_space *space, const struct exact_placement *placement,
                      unsigned guest)
{
    for (unsigned g = guest; space->guests[g].twin != g;) {
        g = space->guests[g].twin;
        if (moves(space, g) && placement->at[g] == placement->at[guest]) {
            return true;
        }
    }
    return false;
}

static void expand(struct search *search, uint32_t node)
{
    const struct exact_space *space = &search->space;
    const struct exact_placement placement = search->nodes[node].placement;
    const struct exact_load load = exact_space_load(space, &placement);

    search->nodes[node].closed = true;
    for (unsigned g = 0; g < space->guest_count && !search->exhausted; g++) {
        if (!moves(space, g) || is_second(space, &placement, g)) {
            continue;
        }
        for (unsigned h = 0; h < space->host_count; h++) {
            if (exact_space_may_enter(space, &placement, &load, g, h)) {
                follow(search, node, &load, g, h);
            }
        }
        if (exact_space_may_stop(space, &placement, g)) {
            follow(search, node, &load, g, EXACT_SPACE_STOP);
        }
    }
}

static bool is_end(const struct search *search, const struct exact_placement *placement)
{
    for (unsigned g = 0; g < search->space.guest_count; g++) {
        if (exact_space_is_away(&search->space, placement, g)) {
            return false;
        }
    }
    return true;
}

/* Searches with the present guests frozen as they are.  Sets 'end', and lowers 'limit' to its price. */
static void run(struct search *search)
{
    struct node start = { .placement = search->space.start, .parent = NONE };
    struct exact_load load;

    search->round++;
    search->count = 0;
    search->heap_count = 0;
    search->end = NONE;
    if (search->capacity == 0) {
        grow_tables(search);
    }
    exact_space_normalize(&search->space, &start.placement);
    load = exact_space_load(&search->space, &start.placement);
    reach(search, start, &load);
    while (search->heap_count > 0 && !search->exhausted) {
        struct entry entry = pop(search);
        const struct node *node = &search->nodes[entry.node];

        if (node->closed || is_cheaper(node->total, entry.total)) {
            continue;
        }
        if (is_end(search, &node->placement)) {
            search->end = entry.node;
            search->limit = node->total;
            return;
        }
        expand(search, entry.node);
    }
}

/* Which of the real guests that are like 'guest' stands on 'at'. */
static unsigned find_actor(const struct exact_space *space, const uint8_t *places, unsigned guest,
                           uint8_t at)
{
    unsigned first = guest;

    while (space->guests[first].twin != first) {
        first = space->guests[first].twin;
    }
    for (unsigned g = first; g < space->guest_count; g++) {
        unsigned root = g;

        while (space->guests[root].twin != root) {
            root = space->guests[root].twin;
        }
        if (root == first && moves(space, g) && places[g] == at) {
            return g;
        }
    }
    return guest;
}

/* Writes down the way to the end that was found, with real guests and hosts. */
static void tell_way(const struct search *search, const struct exact_problem *problem,
                     struct arena *arena, struct exact_answer *answer)
{
    struct exact_placement places = search->space.start;
    size_t count = 0;
    uint32_t *way;

    for (uint32_t n = search->end; search->nodes[n].parent != NONE; n = search->nodes[n].parent) {
        count++;
    }
    way = ARENA_ARRAY(arena, uint32_t, count);
    answer->steps = ARENA_ARRAY(arena, struct trail_step, count);
    answer->step_count = count;
    for (uint32_t n = search->end; count > 0; n = search->nodes[n].parent) {
        way[--count] = n;
    }
    for (size_t i = 0; i < answer->step_count; i++) {
        const struct node *node = &search->nodes[way[i]];
        uint8_t at = search->nodes[node->parent].placement.at[node->guest];
        unsigned actor = find_actor(&search->space, places.at, node->guest, at);
        bool stop = node->to == EXACT_SPACE_STOP;

        answer->steps[i] = (struct trail_step){
            .guest = problem->guests[actor],
            .from = problem->hosts[at % EXACT_SPACE_STOPPED],
            .to = problem->hosts[stop ? search->space.guests[actor].goal : node->to],
            .stop = stop,
            .resumes = at >= EXACT_SPACE_STOPPED,
        };
        places.at[actor] = stop ? (uint8_t)(at + EXACT_SPACE_STOPPED) : node->to;
    }
}

/* The guests that are away at the start: the frozen are among them. */
static uint16_t find_away(const struct exact_space *space)
{
    uint16_t away = 0;

    for (unsigned g = 0; g < space->guest_count; g++) {
        away |= (uint16_t)(exact_space_is_away(space, &space->start, g) ? 1U << g : 0);
    }
    return away;
}

static uint16_t bit_of(const struct exact_problem *problem, uint32_t guest)
{
    for (unsigned g = 0; g < problem->guest_count; g++) {
        if (problem->guests[g] == guest) {
            return (uint16_t)(1U << g);
        }
    }
    return 0;
}

static unsigned count_bits(uint16_t set)
{
    unsigned count = 0;

    for (; set != 0; set &= (uint16_t)(set - 1)) {
        count++;
    }
    return count;
}

/* Looks for the best way that leaves just 'left' guests, whoever they are. */
static void try_leaving(struct search *search, const struct exact_problem *problem,
                        struct arena *arena, uint16_t away, unsigned left,
                        struct exact_answer *answer)
{
    uint16_t required = bit_of(problem, problem->required);
    uint16_t frozen = away;

    /* Every subset, the full one first: the empty way is the cheapest where it is one. */
    for (;; frozen = (uint16_t)((frozen - 1) & away)) {
        search->space.frozen = frozen;
        if (count_bits(frozen) == left && (frozen & required) == 0 &&
            exact_space_can_end(&search->space) && !search->exhausted) {
            run(search);
            if (search->end != NONE) {
                answer->found = true;
                tell_way(search, problem, arena, answer);
            }
        }
        if (frozen == 0) {
            return;
        }
    }
}

struct exact_answer exact_solve(struct arena *arena, const struct exact_problem *problem,
                                const struct trail_cost *bound)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct search search = { .arena = &scratch };
    struct exact_answer answer = { .proven = true };
    size_t remaining = problem->budget;
    uint16_t away;

    exact_space_build(&search.space, problem);
    away = find_away(&search.space);
    for (unsigned left = 0; left <= count_bits(away) && left <= bound->left && !answer.found;
         left++) {
        search.limit = (struct price){ UINT32_MAX, UINT64_MAX };
        if (left == bound->left) {
            search.limit = (struct price){
                (uint32_t)bound->interruptions * INTERRUPTION + (uint32_t)bound->steps,
                bound->moved_kib,
            };
        }
        /* Half of what remains for each, so that a hopeless wish for all does not use it up. */
        search.budget = (remaining + 1) / 2;
        search.exhausted = false;
        remaining -= search.budget;
        try_leaving(&search, problem, arena, away, left, &answer);
        remaining += search.budget;
        answer.proven = answer.proven && !search.exhausted;
    }
    answer.looked_at = problem->budget - remaining;
    return answer;
}

bool exact_fits(const struct trail *trail, struct exact_problem *problem)
{
    const struct fleet *fleet = trail->fleet;

    *problem = (struct exact_problem){ .trail = trail, .required = FLEET_NONE };
    if (fleet->pool_count > EXACT_SPACE_POOLS) {
        return false;
    }
    for (uint32_t h = 0; h < fleet->host_count; h++) {
        if (fleet->hosts[h].reachable) {
            if (problem->host_count == EXACT_HOSTS) {
                return false;
            }
            problem->hosts[problem->host_count++] = h;
        }
    }
    for (uint32_t g = 0; g < fleet->guest_count; g++) {
        if (fleet_is_movable(fleet, g)) {
            if (problem->guest_count == EXACT_GUESTS) {
                return false;
            }
            problem->guests[problem->guest_count++] = g;
        }
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/diff.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "diff/lookup.h"
#include "model/desired.h"
#include "model/observed.h"

static const char *const class_names[DIFF_CLASS_COUNT] = {
    [DIFF_PLACED] = "placed",       [DIFF_MISPLACED] = "misplaced", [DIFF_MISSING] = "missing",
    [DIFF_DUPLICATE] = "duplicate", [DIFF_UNMANAGED] = "unmanaged", [DIFF_UNKNOWN] = "unknown",
};

/* The observation turned round: sightings by guest instead of by host. */
struct join {
    struct diff_sighting *listed; /* Of the file's guests, in the file's order, hosts sorted. */
    size_t *first;                /* Where each guest's begin; one more entry than guests. */
    struct diff_sighting *others; /* Of everybody else, by name, then host. */
    size_t other_count;
};

static int compare_sightings(const void *a, const void *b)
{
    const struct diff_sighting *left = a;
    const struct diff_sighting *right = b;
    int order = strcmp(left->guest->name, right->guest->name);

    if (order == 0) {
        order = strcmp(left->host->name, right->host->name);
    }
    return order != 0 ? order : strcmp(left->guest->uuid, right->guest->uuid);
}

static struct lookup index_guests(struct arena *arena, const struct desired *desired)
{
    struct lookup names = lookup_new(arena, desired->guest_count);

    if (desired->guest_count > 0) {
        lookup_add_all(&names,
                       (struct lookup_names){ &desired->guests[0].name, sizeof(desired->guests[0]),
                                              desired->guest_count });
    }
    return names;
}

static size_t count_sightings(const struct observed *observed)
{
    size_t count = 0;

    for (size_t h = 0; h < observed->host_count; h++) {
        count += observed->hosts[h].guest_count;
    }
    return count;
}

/* The guest of the file each sighting is of, in the observation's order; counts them in 'first'. */
static uint32_t *recognise(struct arena *arena, const struct desired *desired,
                           const struct observed *observed, size_t *first)
{
    struct lookup names = index_guests(arena, desired);
    size_t total = count_sightings(observed);
    uint32_t *known = ARENA_ARRAY(arena, uint32_t, total);
    size_t done = 0;

    for (size_t h = 0; h < observed->host_count; h++) {
        const struct observed_host *host = &observed->hosts[h];

        if (host->guest_count > 0) {
            lookup_find_all(&names,
                            (struct lookup_names){ &host->guests[0].name, sizeof(host->guests[0]),
                                                   host->guest_count },
                            known + done);
            done += host->guest_count;
        }
    }
    for (size_t n = 0; n < total; n++) {
        if (known[n] != LOOKUP_NONE) {
            first[known[n] + 1]++;
        }
    }
    return known;
}

static void distribute(struct join *join, const struct observed *observed, const uint32_t *known,
                       size_t *next)
{
    size_t n = 0;

    for (size_t h = 0; h < observed->host_count; h++) {
        const struct observed_host *host = &observed->hosts[h];

        for (size_t g = 0; g < host->guest_count; g++, n++) {
            struct diff_sighting sighting = { .host = host, .guest = &host->guests[g] };

            if (known[n] == LOOKUP_NONE) {
                join->others[join->other_count++] = sighting;
            } else {
                join->listed[next[known[n]]++] = sighting;
            }
        }
    }
}

/* A counting sort by guest: going through the hosts in order leaves each guest's sightings sorted. */
static struct join join_sightings(struct arena *arena, struct arena *scratch,
                                  const struct desired *desired, const struct observed *observed)
{
    size_t total = count_sightings(observed);
    struct join join = {
        .listed = ARENA_ARRAY(arena, struct diff_sighting, total),
        .first = ARENA_ARRAY(scratch, size_t, desired->guest_count + 1),
        .others = ARENA_ARRAY(arena, struct diff_sighting, total),
    };
    const uint32_t *known = recognise(scratch, desired, observed, join.first);
    size_t *next = ARENA_ARRAY(scratch, size_t, desired->guest_count + 1);

    for (size_t i = 0; i < desired->guest_count; i++) {
        join.first[i + 1] += join.first[i];
    }
    memcpy(next, join.first, (desired->guest_count + 1) * sizeof(*next));
    distribute(&join, observed, known, next);
    if (join.other_count > 1) {
        qsort(join.others, join.other_count, sizeof(*join.others), compare_sightings);
    }
    return join;
}

/* True if some host that may hold a guest did not say what it holds. */
static bool any_host_is_silent(const struct desired *desired, const struct observed *observed)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        if (!observed->hosts[i].reachable) {
            return true;
        }
    }
    for (size_t i = 0; i < desired->host_count; i++) {
        if (observed_find_host(observed, desired->hosts[i].name) == NULL) {
            return true;
        }
    }
    return false;
}

static bool is_end_of(const struct observed_move *move, const char *host)
{
    return strcmp(move->from, host) == 0 || strcmp(move->to, host) == 0;
}

/* Index of the first in-flight move of 'guest' or, without one, of a later guest. */
static size_t first_move_of(const struct observed *observed, const char *guest)
{
    size_t low = 0;
    size_t high = observed->in_flight_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(observed->in_flight[middle].guest, guest) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The in-flight move of 'guest' whose ends are all the places it was seen at, or NULL. */
static const struct observed_move *covering_move(const struct observed *observed,
                                                 const struct diff_guest *guest)
{
    for (size_t i = first_move_of(observed, guest->name);
         i < observed->in_flight_count && strcmp(observed->in_flight[i].guest, guest->name) == 0;
         i++) {
        size_t covered = 0;

        while (covered < guest->found_count &&
               is_end_of(&observed->in_flight[i], guest->found[covered])) {
            covered++;
        }
        if (covered == guest->found_count) {
            return &observed->in_flight[i];
        }
    }
    return NULL;
}

/* The sending side of a migration that shows only in the jobs of its two hosts, or NULL. */
static const struct diff_sighting *sending_side(const struct diff_guest *guest)
{
    for (size_t i = 0; guest->found_count == 2 && i < 2; i++) {
        const struct diff_sighting *here = &guest->sightings[i];
        const struct diff_sighting *there = &guest->sightings[1 - i];

        if (here->host->reachable && here->guest->job == GUEST_JOB_OUTGOING &&
            there->guest->job == GUEST_JOB_INCOMING) {
            return here;
        }
    }
    return NULL;
}

/* Where a guest seen on several hosts is defined while one migration explains them all: at the
 * source, or at the target if only that answers.  NULL if no migration does. */
static const struct diff_sighting *defined_at(const struct observed *observed,
                                              const struct diff_guest *guest)
{
    const struct observed_move *move = covering_move(observed, guest);
    const struct diff_sighting *at = NULL;

    if (move == NULL) {
        return sending_side(guest);
    }
    for (size_t i = 0; i < guest->found_count; i++) {
        if (guest->sightings[i].host->reachable &&
            (at == NULL || strcmp(move->from, guest->found[i]) == 0)) {
            at = &guest->sightings[i];
        }
    }
    return at;
}

static size_t count_reachable(const struct diff_guest *guest)
{
    size_t count = 0;

    for (size_t i = 0; i < guest->found_count; i++) {
        count += guest->sightings[i].host->reachable;
    }
    return count;
}

static void classify(struct diff_guest *guest, const struct observed *observed, bool silent)
{
    if (guest->found_count == 0) {
        guest->class = silent ? DIFF_UNKNOWN : DIFF_MISSING;
        return;
    }
    if (count_reachable(guest) == 0) {
        guest->class = DIFF_UNKNOWN;
        return;
    }
    guest->at = guest->found_count == 1 ? guest->sightings : defined_at(observed, guest);
    if (guest->at == NULL) {
        guest->class = DIFF_DUPLICATE;
    } else if (strcmp(guest->at->host->name, guest->wanted) == 0) {
        guest->class = DIFF_PLACED;
    } else {
        guest->class = DIFF_MISPLACED;
    }
}

/* Writes the names of the hosts at 'found'. */
static void see(const char **found, struct diff_guest *guest, const struct diff_sighting *sightings,
                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        found[i] = sightings[i].host->name;
    }
    guest->sightings = sightings;
    guest->found = found;
    guest->found_count = count;
}

static size_t count_same_name(const struct join *join, size_t from)
{
    size_t count = 1;

    while (from + count < join->other_count &&
           strcmp(join->others[from].guest->name, join->others[from + count].guest->name) == 0) {
        count++;
    }
    return count;
}

static void add_unmanaged(struct arena *arena, struct diff_guest *guest, const struct join *join,
                          size_t *from)
{
    size_t count = count_same_name(join, *from);

    *guest = (struct diff_guest){
        .name = join->others[*from].guest->name,
        .class = DIFF_UNMANAGED,
        .desired = DESIRED_NONE,
    };
    see(ARENA_ARRAY(arena, const char *, count), guest, &join->others[*from], count);
    *from += count;
}

struct diff diff_compute(struct arena *arena, const struct desired *desired,
                         const struct observed *observed)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct join join = join_sightings(arena, &scratch, desired, observed);
    struct diff_guest *guests =
        ARENA_ARRAY(arena, struct diff_guest, desired->guest_count + join.other_count);
    const char **found = ARENA_ARRAY(arena, const char *, join.first[desired->guest_count]);
    struct diff diff = { .guests = guests, .silent = any_host_is_silent(desired, observed) };
    size_t other = 0;

    for (size_t i = 0; i < desired->guest_count; i++) {
        const struct desired_guest *want = &desired->guests[i];
        struct diff_guest *guest;

        while (other < join.other_count && strcmp(join.others[other].guest->name, want->name) < 0) {
            add_unmanaged(arena, &guests[diff.count++], &join, &other);
        }
        guest = &guests[diff.count++];
        guest->name = want->name;
        guest->wanted = desired->hosts[want->host].name;
        guest->desired = (uint32_t)i;
        see(&found[join.first[i]], guest, &join.listed[join.first[i]],
            join.first[i + 1] - join.first[i]);
        classify(guest, observed, diff.silent);
    }
    while (other < join.other_count) {
        add_unmanaged(arena, &guests[diff.count++], &join, &other);
    }
    for (size_t i = 0; i < diff.count; i++) {
        diff.counts[guests[i].class]++;
    }
    return diff;
}

static int compare_name(const void *name, const void *guest)
{
    return strcmp(name, ((const struct diff_guest *)guest)->name);
}

const struct diff_guest *diff_find_guest(const struct diff *diff, const char *name)
{
    return diff->count == 0
               ? NULL
               : bsearch(name, diff->guests, diff->count, sizeof(*diff->guests), compare_name);
}

const char *diff_class_name(enum diff_class class)
{
    assert(class < DIFF_CLASS_COUNT);
    return class_names[class];
}

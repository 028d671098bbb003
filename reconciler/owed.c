/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/owed.h"

#include "base/arena.h"
#include "base/text.h"
#include "diff/plan.h"
#include "model/observed.h"
#include "model/quantity.h"
#include "reconciler/ledger.h"

const struct observed_guest *owed_find_running(const struct observed *observed, const char *uuid,
                                               const char **host)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_guest *guest = observed_find_guest(&observed->hosts[i], uuid);

        if (observed->hosts[i].reachable && guest != NULL && guest->state == GUEST_RUNNING) {
            *host = observed->hosts[i].name;
            return guest;
        }
    }
    return NULL;
}

bool owed_lacks_autostart(const struct journal_owed *owed, const struct observed_guest *running)
{
    return owed->autostart && running->persistent && !running->autostart;
}

static bool is_active(const struct observed *observed, const char *uuid)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_guest *guest = observed_find_guest(&observed->hosts[i], uuid);

        if (guest != NULL && observed_is_active(guest)) {
            return true;
        }
    }
    return false;
}

/* Off on a host that answers, and known to no other, not even to one that does not answer now. */
static const struct observed_guest *find_only(const struct observed *observed, const char *uuid,
                                              const char **host)
{
    const struct observed_guest *found = NULL;

    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_guest *guest = observed_find_guest(&observed->hosts[i], uuid);

        if (guest == NULL) {
            continue;
        }
        /* What left a host by a migration runs elsewhere. */
        if (found != NULL || !observed->hosts[i].reachable || guest->state != GUEST_SHUTOFF ||
            guest->reason == GUEST_REASON_MIGRATED) {
            return NULL;
        }
        found = guest;
        *host = observed->hosts[i].name;
    }
    return found;
}

/* Guests that were stopped early and are off, by name. */
static const char *const *find_early(struct arena *arena, const struct observed *observed,
                                     const struct ledger *ledger, size_t *count)
{
    const char **names = ARENA_ARRAY(arena, const char *, ledger->owed_count);

    *count = 0;
    for (size_t i = 0; i < ledger->owed_count; i++) {
        if (ledger->owed[i].early && !is_active(observed, ledger->owed[i].uuid)) {
            names[(*count)++] = ledger->owed[i].guest;
        }
    }
    return names;
}

enum owed_standing owed_judge(struct arena *arena, const struct plan_input *input,
                              const struct ledger *ledger, const struct journal_owed *owed,
                              struct owed_place *place)
{
    const char *const *others;
    size_t count;

    if (is_active(input->observed, owed->uuid)) {
        return OWED_ACTIVE;
    }
    place->guest = find_only(input->observed, owed->uuid, &place->host);
    if (place->guest == NULL) {
        return OWED_UNCERTAIN;
    }
    if (!owed->early) {
        return OWED_STARTABLE;
    }
    others = find_early(arena, input->observed, ledger, &count);
    place->room = restart_room(input, place->guest, place->host, others, count);
    return place->room.fit == CAPACITY_FITS ? OWED_STARTABLE : OWED_NO_ROOM;
}

const char *owed_text(struct arena *arena, const struct journal_owed *owed,
                      enum owed_standing standing, const struct owed_place *place)
{
    if (standing == OWED_UNCERTAIN) {
        return text_format(arena,
                           "'%s' is DOWN and must run: it is not started, because "
                           "no host that answers is the only one to know it",
                           owed->guest);
    }
    if (place->room.fit == CAPACITY_NO_CPU) {
        return text_format(arena,
                           "'%s' is DOWN and must run: while it was off, its CPUs on '%s' were "
                           "taken: free them there, or make room where es.xml wants it",
                           owed->guest, place->host);
    }
    return text_format(arena,
                       "'%s' is DOWN and must run: it needs %s on '%s', where while it was off "
                       "others have left %s: free the rest, or make room where es.xml wants it",
                       owed->guest, quantity_size_text(arena, place->room.needs_kib), place->host,
                       quantity_size_text(arena, place->room.free_kib));
}

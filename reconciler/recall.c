/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/recall.h"

#include <string.h>

#include "base/arena.h"
#include "model/observed.h"
#include "reconciler/ledger.h"

static struct observed_guest guest_of(const struct ledger *ledger,
                                      const struct journal_place *place)
{
    return (struct observed_guest){
        .name = place->guest,
        .uuid = place->uuid,
        .state = place->running ? GUEST_RUNNING : GUEST_SHUTOFF,
        .persistent = true,
        .autostart = place->autostart,
        .owed_start = ledger_find_owed(ledger, place->uuid) != NULL,
        .managed_save = OBSERVED_UNKNOWN,
        .has_nvram = OBSERVED_UNKNOWN,
        .has_tpm = OBSERVED_UNKNOWN,
        .snapshots = OBSERVED_UNKNOWN,
        .hostdevs = OBSERVED_UNKNOWN,
        .hugepage_kib = OBSERVED_UNKNOWN,
        .numa_nodes = OBSERVED_UNKNOWN,
    };
}

/* Those of 'places' that say so of 'host'; one that was seen elsewhere since is not there. */
static void recall_from(const struct ledger *ledger, const struct journal_place *places,
                        size_t count, struct observed_host *host, struct observed_guest *guests)
{
    for (size_t i = 0; i < count; i++) {
        const struct journal_place *place = &places[i];

        if (strcmp(place->host, host->name) == 0 &&
            ledger_last_seen(ledger, place->guest) == place &&
            ledger_find_definition(ledger, place->uuid) != NULL) {
            guests[host->guest_count++] = guest_of(ledger, place);
        }
    }
}

static void recall_host(struct arena *arena, const struct ledger *ledger,
                        struct observed_host *host)
{
    struct observed_guest *guests =
        ARENA_ARRAY(arena, struct observed_guest, ledger->place_count + ledger->sighting_count + 1);

    recall_from(ledger, ledger->places, ledger->place_count, host, guests);
    recall_from(ledger, ledger->sightings, ledger->sighting_count, host, guests);
    observed_sort_guests(guests, host->guest_count);
    host->guests = guests;
}

void recall_guests(struct arena *arena, const struct ledger *ledger, struct observed *observed)
{
    struct observed_host *hosts =
        ARENA_ARRAY(arena, struct observed_host, observed->host_count + 1);

    for (size_t i = 0; i < observed->host_count; i++) {
        hosts[i] = observed->hosts[i];
        if (!hosts[i].reachable && hosts[i].guest_count == 0) {
            recall_host(arena, ledger, &hosts[i]);
        }
    }
    observed->hosts = hosts;
}

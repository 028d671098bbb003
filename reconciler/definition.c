/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/definition.h"

#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/supply_json.h"
#include "reconciler/ledger.h"

void definition_record(struct arena *arena, struct journal_record records[2],
                       const struct observed_guest *guest, int64_t now_ms)
{
    struct journal_object *object = &records[0].object;
    struct journal_definition *definition = &records[1].definition;

    records[0].kind = JOURNAL_OBJECT;
    records[1].kind = JOURNAL_DEFINITION;
    *object = (struct journal_object){ .bytes = guest->xml, .length = strlen(guest->xml) };
    *definition = (struct journal_definition){
        .uuid = guest->uuid,
        .guest = guest->name,
        .at_ms = now_ms,
        .supplies = guest->supplies.count == 0 ? NULL : supply_json_write(arena, &guest->supplies),
    };
    digest_of(object->bytes, object->length, object->digest);
    memcpy(definition->digest, object->digest, DIGEST_TEXT_SIZE);
}

static bool is_known(const struct ledger *ledger, const struct journal_definition *definition)
{
    const struct journal_definition *known = ledger_find_definition(ledger, definition->uuid);

    return known != NULL && strcmp(known->digest, definition->digest) == 0 &&
           text_equal(known->supplies, definition->supplies);
}

static size_t count_guests(const struct observed *observed)
{
    size_t count = 0;

    for (size_t i = 0; i < observed->host_count; i++) {
        count += observed->hosts[i].guest_count;
    }
    return count;
}

struct journal_record *definition_changes(struct arena *arena, const struct observed *observed,
                                          const struct desired *desired,
                                          const struct ledger *ledger, int64_t now_ms,
                                          size_t *count)
{
    struct journal_record *records =
        ARENA_ARRAY(arena, struct journal_record, 2 * count_guests(observed));
    size_t used = 0;

    for (size_t h = 0; h < observed->host_count; h++) {
        const struct observed_host *host = &observed->hosts[h];

        for (size_t g = 0; host->reachable && g < host->guest_count; g++) {
            const struct observed_guest *guest = &host->guests[g];

            if (guest->xml == NULL || desired_find_guest(desired, guest->name) == DESIRED_NONE) {
                continue;
            }
            definition_record(arena, &records[used], guest, now_ms);
            used += is_known(ledger, &records[used + 1].definition) ? 0 : 2;
        }
    }
    *count = used;
    return records;
}

const struct journal_definition *definition_newest(const struct ledger *ledger, const char *guest)
{
    const struct journal_definition *newest = NULL;

    for (size_t i = 0; i < ledger->definition_count; i++) {
        const struct journal_definition *definition = &ledger->definitions[i];

        if (strcmp(definition->guest, guest) == 0 &&
            (newest == NULL || definition->at_ms > newest->at_ms)) {
            newest = definition;
        }
    }
    return newest;
}

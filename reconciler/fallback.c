/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/fallback.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/policy.h"
#include "reconciler/journal/journal.h"
#include "reconciler/ledger.h"
#include "reconciler/view.h"

bool fallback_follows(const struct policy *policy, const struct journal_move *move)
{
    return move->overran && !move->fallback &&
           policy_guest_fallback(policy, move->guest) != POLICY_FALLBACK_NONE;
}

static bool has_overrun(const struct journal_retry *retry, const char *es_digest)
{
    return retry != NULL && retry->overran && strcmp(retry->es_digest, es_digest) == 0;
}

bool fallback_is_due(const struct ledger *ledger, const struct policy *policy, const char *guest,
                     const char *es_digest, enum move_mode mode)
{
    if (!has_overrun(ledger_find_retry(ledger, guest), es_digest)) {
        return false;
    }
    switch (policy_guest_fallback(policy, guest)) {
    case POLICY_FALLBACK_NONE:
        return false;
    case POLICY_FALLBACK_OFFLINE:
        return mode == MOVE_OFFLINE;
    case POLICY_FALLBACK_POSTCOPY:
        return mode == MOVE_LIVE;
    }
    return false;
}

static int compare_guests(const void *a, const void *b)
{
    return strcmp(((const struct policy_guest *)a)->name, ((const struct policy_guest *)b)->name);
}

static void set_offline(struct policy_guest *guest)
{
    guest->has_mode = true;
    guest->mode = POLICY_MODE_OFFLINE;
    guest->fell_back = true;
}

void fallback_apply(struct arena *arena, struct view *view, const struct ledger *ledger)
{
    const struct policy *policy = view->input.policy;
    struct policy_guest *guests =
        ARENA_ARRAY(arena, struct policy_guest, policy->guest_count + ledger->retry_count + 1);
    size_t count = policy->guest_count;

    if (count > 0) {
        memcpy(guests, policy->guests, count * sizeof(*guests));
    }
    for (size_t i = 0; i < ledger->retry_count; i++) {
        const struct journal_retry *retry = &ledger->retries[i];
        const struct policy_guest *own = policy_find_guest(policy, retry->guest);

        if (!has_overrun(retry, view->input.es_xml_sha256) ||
            policy_guest_fallback(policy, retry->guest) != POLICY_FALLBACK_OFFLINE) {
            continue;
        }
        if (own == NULL) {
            guests[count] = (struct policy_guest){ .name = retry->guest };
            set_offline(&guests[count++]);
        } else {
            set_offline(&guests[own - policy->guests]);
        }
    }
    if (count > 1) {
        qsort(guests, count, sizeof(*guests), compare_guests);
    }
    view->policy = *policy;
    view->policy.guests = guests;
    view->policy.guest_count = count;
    view->input.policy = &view->policy;
}

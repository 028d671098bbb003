/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/guard.h"

#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/observed.h"
#include "reconciler/hold.h"
#include "reconciler/ledger.h"
#include "reconciler/leftover.h"

bool guard_holds(const struct observed_host *host)
{
    if (host->reachable && host->guard == OBSERVED_GUARD_HOLDING) {
        return true;
    }
    for (size_t i = 0; host->reachable && i < host->guest_count; i++) {
        if (host->guests[i].held) {
            return true;
        }
    }
    return false;
}

/* Why nothing of the host is released yet, or NULL. */
static const char *find_unsettled(struct arena *arena, const struct ledger *ledger,
                                  const char *host)
{
    const struct journal_hold *hold = ledger_find_hold(ledger, JOURNAL_SCOPE_FLEET, "");

    for (size_t i = 0; i < ledger->leftover_count; i++) {
        const struct journal_leftover *leftover = &ledger->leftovers[i];

        if (strcmp(leftover->host, host) == 0 && leftover_is_bereft(leftover)) {
            return text_format(arena, "the volumes of '%s' are not given back to it yet",
                               leftover->guest);
        }
        if (strcmp(leftover->host, host) == 0) {
            return text_format(arena, "it still has a definition of '%s', which runs on '%s' since",
                               leftover->guest, leftover->to);
        }
    }
    for (size_t i = 0; i < ledger->move_count; i++) {
        const struct journal_move *move = &ledger->moves[i];

        if (strcmp(move->from, host) == 0 || strcmp(move->to, host) == 0) {
            return text_format(arena, "the move of '%s' from '%s' to '%s' is not settled",
                               move->guest, move->from, move->to);
        }
    }
    hold = hold != NULL ? hold : ledger_find_hold(ledger, JOURNAL_SCOPE_HOST, host);
    return hold == NULL ? NULL : hold_text(arena, hold);
}

/* Another host that knows the guest, as it answers or was last seen; or NULL. */
static const struct observed_host *find_other(const struct observed *observed,
                                              const struct observed_host *host, const char *uuid)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_host *other = &observed->hosts[i];

        if (strcmp(other->name, host->name) != 0 && observed_find_guest(other, uuid) != NULL) {
            return other;
        }
    }
    return NULL;
}

/* A silent host on which the guest was when it was last seen, by a controller before this one, say; or NULL. */
static const char *find_silent_place(const struct observed *observed, const struct ledger *ledger,
                                     const struct observed_host *host,
                                     const struct observed_guest *guest)
{
    const struct journal_place *place = ledger_last_seen(ledger, guest->name);
    const struct observed_host *other;

    if (place == NULL || strcmp(place->host, host->name) == 0 ||
        strcmp(place->uuid, guest->uuid) != 0) {
        return NULL;
    }
    other = observed_find_host(observed, place->host);
    return other != NULL && other->reachable ? NULL : place->host;
}

/* Why 'guest' must stay held back on 'host'; false if it need not. */
static bool keeps(struct arena *arena, const struct observed *observed, const struct ledger *ledger,
                  const struct observed_host *host, const struct observed_guest *guest,
                  struct guard_kept *kept)
{
    const struct journal_hold *hold = ledger_find_hold(ledger, JOURNAL_SCOPE_GUEST, guest->name);
    const struct observed_host *other = find_other(observed, host, guest->uuid);
    const char *silent = find_silent_place(observed, ledger, host, guest);

    *kept = (struct guard_kept){ .guest = guest->name };
    if (other != NULL) {
        kept->needs_a_person = true;
        kept->reason = text_format(
            arena,
            "'%s' is held back on '%s', because '%s' knows it, too%s: remove the definition that "
            "is wrong",
            guest->name, host->name, other->name, other->reachable ? "" : " (it does not answer)");
    } else if (silent != NULL) {
        kept->needs_a_person = true;
        kept->reason = text_format(arena,
                                   "'%s' is held back on '%s', because it was last seen on '%s', "
                                   "which does not answer: if it does not run there, say "
                                   "'berth-guard release --start %s' on '%s'",
                                   guest->name, host->name, silent, guest->name, host->name);
    } else if (hold != NULL) {
        kept->reason = hold_text(arena, hold);
    }
    return kept->reason != NULL;
}

struct guard_judgement guard_judge(struct arena *arena, const struct observed *observed,
                                   const struct ledger *ledger, const struct observed_host *host)
{
    struct guard_judgement judgement = {
        .waits = find_unsettled(arena, ledger, host->name),
        .guests = ARENA_ARRAY(arena, const char *, host->guest_count),
        .kept = ARENA_ARRAY(arena, struct guard_kept, host->guest_count),
    };

    for (size_t i = 0; judgement.waits == NULL && i < host->guest_count; i++) {
        const struct observed_guest *guest = &host->guests[i];

        if (!guest->held) {
            continue;
        }
        if (keeps(arena, observed, ledger, host, guest, &judgement.kept[judgement.kept_count])) {
            judgement.kept_count++;
        } else {
            judgement.guests[judgement.guest_count++] = guest->name;
        }
    }
    judgement.all = judgement.waits == NULL && judgement.kept_count == 0;
    return judgement;
}

const char *guard_text(struct arena *arena, const struct observed_host *host,
                       const struct guard_judgement *judgement)
{
    const char *why = judgement->waits != NULL    ? judgement->waits
                      : judgement->kept_count > 0 ? judgement->kept[0].reason
                                                  : "its guests may start now";

    return text_format(arena, "'%s' has booted and is held back: %s", host->name, why);
}

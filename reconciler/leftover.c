/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/leftover.h"

#include <stddef.h>
#include <string.h>

#include "model/observed.h"
#include "reconciler/journal/journal.h"
#include "reconciler/ledger.h"

/* On another host that answers. */
static bool runs_elsewhere(const struct journal_leftover *leftover, const struct observed *observed)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];
        const struct observed_guest *guest =
            host->reachable ? observed_find_guest(host, leftover->uuid) : NULL;

        if (guest != NULL && strcmp(host->name, leftover->host) != 0 && observed_is_active(guest)) {
            return true;
        }
    }
    return false;
}

/* It runs there, or is defined where it was brought since: by force, or by a move after that. */
static bool is_elsewhere(const struct journal_leftover *leftover, const struct ledger *ledger,
                         const struct observed *observed)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];

        if (host->reachable && strcmp(host->name, leftover->host) != 0 &&
            observed_find_guest(host, leftover->uuid) != NULL &&
            ledger_find_leftover(ledger, leftover->uuid, host->name) == NULL) {
            return true;
        }
    }
    return runs_elsewhere(leftover, observed);
}

static enum leftover_standing judge_running(const struct journal_leftover *leftover,
                                            const struct observed *observed)
{
    const struct observed_host *to = observed_find_host(observed, leftover->to);

    if (runs_elsewhere(leftover, observed)) {
        return LEFTOVER_TWICE;
    }
    return to != NULL && to->reachable && observed_find_guest(to, leftover->uuid) == NULL
               ? LEFTOVER_RETURNED
               : LEFTOVER_DOUBTFUL;
}

bool leftover_is_bereft(const struct journal_leftover *leftover)
{
    return strcmp(leftover->to, leftover->host) == 0;
}

enum leftover_standing leftover_judge(const struct journal_leftover *leftover,
                                      const struct ledger *ledger, const struct observed *observed)
{
    const struct observed_host *host = observed_find_host(observed, leftover->host);
    const struct observed_guest *guest;

    if (host == NULL || !host->reachable) {
        return LEFTOVER_SILENT;
    }
    guest = observed_find_guest(host, leftover->uuid);
    if (guest == NULL) {
        return LEFTOVER_GONE;
    }
    if (leftover_is_bereft(leftover) && !is_elsewhere(leftover, ledger, observed)) {
        return LEFTOVER_BEREFT;
    }
    if (guest->state != GUEST_SHUTOFF) {
        return judge_running(leftover, observed);
    }
    return is_elsewhere(leftover, ledger, observed) ? LEFTOVER_SWEEP : LEFTOVER_NOWHERE;
}

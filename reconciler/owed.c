/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/owed.h"

#include "model/observed.h"

bool owed_is_running(const struct observed *observed, const char *uuid)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_guest *guest = observed_find_guest(&observed->hosts[i], uuid);

        if (observed->hosts[i].reachable && guest != NULL && guest->state == GUEST_RUNNING) {
            return true;
        }
    }
    return false;
}

bool owed_is_active(const struct observed *observed, const char *uuid)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_guest *guest = observed_find_guest(&observed->hosts[i], uuid);

        if (guest != NULL && observed_is_active(guest)) {
            return true;
        }
    }
    return false;
}

const struct observed_guest *owed_find_startable(const struct observed *observed, const char *uuid,
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

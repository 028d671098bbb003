/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validate.h"

#include "base/arena.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/fault.h"
#include "model/policy.h"
#include "model/quantity.h"

/* What es.xml and berth.conf declare, the smaller; 0 = neither says anything. */
static uint64_t declared_kib(const struct desired_host *host, const struct policy *policy)
{
    const struct policy_host *own = policy_find_host(policy, host->name);
    uint64_t configured = own == NULL ? 0 : own->memory_kib;

    if (host->memory_kib == 0 || (configured != 0 && configured < host->memory_kib)) {
        return configured;
    }
    return host->memory_kib;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* What the file puts on each host.  A guest of undeclared memory counts with its overhead alone: the
 * least it can need, as a fault must hold whatever is observed later. */
static uint64_t *needed_kib(struct arena *arena, const struct desired *desired, uint64_t overhead)
{
    uint64_t *needed = ARENA_ARRAY(arena, uint64_t, desired->host_count);

    for (size_t i = 0; i < desired->guest_count; i++) {
        const struct desired_guest *guest = &desired->guests[i];
        uint64_t *sum = &needed[guest->host];

        *sum = add_saturated(*sum, add_saturated(guest->memory_kib, overhead));
    }
    return needed;
}

static void report(struct faults *faults, const struct desired_host *host, uint64_t needed,
                   uint64_t declared, uint64_t usable)
{
    struct text text = text_new(faults->arena);

    quantity_print_size(&text, needed);
    text_append(&text, ", it has ");
    quantity_print_size(&text, usable);
    text_append(&text, " (");
    quantity_print_size(&text, declared);
    text_append(&text, " declared, ");
    quantity_print_size(&text, declared - usable);
    text_append(&text, " reserved)");
    fault_add(faults, host->line, "host '%s' cannot hold the guests placed on it: they need %s",
              host->name, text.data);
}

void validate_capacity(const struct desired *desired, const struct policy *policy,
                       struct faults *faults)
{
    const uint64_t *needed = needed_kib(faults->arena, desired, policy->guest_overhead_kib);

    for (size_t i = 0; i < desired->host_count; i++) {
        const struct desired_host *host = &desired->hosts[i];
        uint64_t declared = declared_kib(host, policy);
        uint64_t usable = policy_usable_kib(policy, host->name, declared);

        if (declared != 0 && needed[i] > usable) {
            report(faults, host, needed[i], declared, usable);
        }
    }
}

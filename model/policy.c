/* SPDX-License-Identifier: Apache-2.0 */
#include "model/policy.h"

#include "base/base.h"
#include "base/text.h"
#include "model/profile.h"

#define KIB_PER_GIB ((uint64_t)1024 * 1024)

struct policy policy_default(void)
{
    return (struct policy){
        .reserve = { .kib = 8 * KIB_PER_GIB },
        .cpu_overcommit_milli = 1000,
        .cpu_policy = POLICY_CPU_WARN,
        .charge_off = true,
        .mode = POLICY_MODE_AUTO,
        .timeout_ms = INT64_C(10) * 60 * 1000,
        .stop_timeout_ms = INT64_C(5) * 60 * 1000,
        .start_timeout_ms = INT64_C(2) * 60 * 1000,
        .outage_wait_ms = INT64_C(15) * 60 * 1000,
        .outage_limit = 3,
        .max_downtime_ms = 1000,
        .auto_converge = true,
        .profile = profile_default(),
    };
}

const struct policy_host *policy_find_host(const struct policy *policy, const char *name)
{
    return text_find(name, policy->hosts, policy->host_count, sizeof(*policy->hosts));
}

const struct policy_guest *policy_find_guest(const struct policy *policy, const char *name)
{
    return text_find(name, policy->guests, policy->guest_count, sizeof(*policy->guests));
}

bool policy_mode_from_name(const char *name, enum policy_mode *mode)
{
    static const char *const names[] = {
        [POLICY_MODE_AUTO] = "auto",
        [POLICY_MODE_LIVE] = "live",
        [POLICY_MODE_OFFLINE] = "offline",
    };
    size_t index = text_index(names, ARRAY_LEN(names), name);

    if (index == ARRAY_LEN(names)) {
        return false;
    }
    *mode = (enum policy_mode)index;
    return true;
}

enum policy_mode policy_guest_mode(const struct policy *policy, const char *guest)
{
    const struct policy_guest *own = policy_find_guest(policy, guest);

    return own != NULL && own->has_mode ? own->mode : policy->mode;
}

bool policy_guest_postcopy(const struct policy *policy, const char *guest)
{
    const struct policy_guest *own = policy_find_guest(policy, guest);

    return own != NULL && own->has_postcopy ? own->postcopy : policy->postcopy;
}

bool policy_guest_auto_converge(const struct policy *policy, const char *guest)
{
    const struct policy_guest *own = policy_find_guest(policy, guest);

    return own != NULL && own->has_auto_converge ? own->auto_converge : policy->auto_converge;
}

enum policy_fallback policy_guest_fallback(const struct policy *policy, const char *guest)
{
    const struct policy_guest *own = policy_find_guest(policy, guest);

    return own != NULL && own->has_fallback ? own->fallback : policy->fallback;
}

int32_t policy_guest_priority(const struct policy *policy, const char *guest)
{
    const struct policy_guest *own = policy_find_guest(policy, guest);

    return own == NULL ? 0 : own->priority;
}

uint64_t policy_usable_kib(const struct policy *policy, const char *host, uint64_t memory_kib)
{
    const struct policy_host *own = policy_find_host(policy, host);
    struct policy_reserve reserve = policy->reserve;
    uint64_t memory = memory_kib;
    uint64_t kept;

    if (own != NULL && own->memory_kib != 0 && own->memory_kib < memory) {
        memory = own->memory_kib;
    }
    if (own != NULL && own->has_reserve) {
        reserve = own->reserve;
    }
    kept = reserve.kib != 0 ? reserve.kib : memory / 100 * reserve.percent;
    return kept < memory ? memory - kept : 0;
}

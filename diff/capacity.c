/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/capacity.h"

#include "diff/fleet.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t capacity_size_kib(const struct policy *policy, const struct desired_guest *desired,
                           const struct observed_guest *observed)
{
    uint64_t size = desired == NULL ? 0 : desired->memory_kib;

    if (observed != NULL) {
        size = larger(size, larger(observed->memory_kib, observed->config_memory_kib));
    }
    return smaller(size, CAPACITY_SIZE_MAX_KIB) +
           smaller(policy->guest_overhead_kib, CAPACITY_SIZE_MAX_KIB);
}

uint32_t capacity_vcpus(const struct desired_guest *desired, const struct observed_guest *observed)
{
    uint32_t file = desired == NULL ? 0 : desired->vcpus;
    uint32_t seen = observed == NULL ? 0 : observed->vcpus;

    return file > seen ? file : seen;
}

bool capacity_is_charged(const struct policy *policy, const struct observed_guest *observed)
{
    return observed_is_active(observed) || policy->charge_off || observed->autostart ||
           observed->owed_start;
}

uint64_t capacity_limit_kib(const struct policy *policy, const struct observed_host *observed,
                            const struct desired_host *desired)
{
    uint64_t memory = observed->memory_kib;

    if (desired != NULL && desired->memory_kib != 0) {
        memory = smaller(memory, desired->memory_kib);
    }
    return policy_usable_kib(policy, observed->name, memory);
}

static uint64_t pages_kib(const struct observed_hugepages *pages)
{
    return pages->total > CAPACITY_SIZE_MAX_KIB / pages->page_kib ? CAPACITY_SIZE_MAX_KIB
                                                                  : pages->total * pages->page_kib;
}

uint64_t capacity_pool_kib(const struct observed_host *observed, uint64_t page_kib)
{
    const struct observed_hugepages *pages =
        observed_find_hugepages(observed->hugepages, observed->hugepage_count, page_kib);

    return pages == NULL ? 0 : pages_kib(pages);
}

uint64_t capacity_ordinary_kib(const struct observed_host *observed, uint64_t limit_kib)
{
    for (size_t i = 0; i < observed->hugepage_count; i++) {
        uint64_t set_aside = pages_kib(&observed->hugepages[i]);

        limit_kib = limit_kib > set_aside ? limit_kib - set_aside : 0;
    }
    return limit_kib;
}

uint64_t capacity_vcpu_limit(const struct policy *policy, const struct observed_host *observed)
{
    const struct policy_host *own = policy_find_host(policy, observed->name);
    uint64_t cpus = own != NULL && own->cpus != 0 ? own->cpus : observed->cpus;

    return cpus == 0 ? UINT64_MAX : cpus * policy->cpu_overcommit_milli / 1000;
}

uint64_t capacity_vcpu_cap(const struct policy *policy, const struct fleet_host *host)
{
    return policy->cpu_policy == POLICY_CPU_STRICT ? host->vcpu_limit
                                                   : larger(host->vcpu_limit, host->vcpu_file);
}

uint64_t capacity_free_kib(const struct fleet_memory *memory)
{
    return capacity_is_over(memory) ? 0 : memory->limit_kib - memory->charged_kib;
}

bool capacity_is_over(const struct fleet_memory *memory)
{
    return memory->charged_kib > memory->limit_kib;
}

enum capacity_fit capacity_fit(const struct fleet *fleet, uint32_t guest, uint32_t host)
{
    const struct fleet_guest *who = &fleet->guests[guest];
    const struct fleet_host *where = &fleet->hosts[host];
    const struct fleet_memory *memory = fleet_memory_for(fleet, guest, host);
    uint64_t cap =
        host == who->goal ? capacity_vcpu_cap(fleet->input->policy, where) : where->vcpu_limit;

    if (memory->charged_kib + who->charge_kib > memory->limit_kib) {
        return CAPACITY_NO_MEMORY;
    }
    return where->vcpus + who->vcpus > cap ? CAPACITY_NO_CPU : CAPACITY_FITS;
}

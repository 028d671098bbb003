/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Capacity: what a guest takes, what a host may hold, and whether the one fits into the other
 * (planner.md, 'Rules').  Pure; the planner's reading of the rules, the verifier has its own.
 */

#include <stdbool.h>
#include <stdint.h>

struct desired_guest;
struct desired_host;
struct fleet;
struct fleet_host;
struct fleet_memory;
struct observed_guest;
struct observed_host;
struct policy;

/* Largest size that is believed.  Far beyond any machine, and small enough that no sum overflows. */
#define CAPACITY_SIZE_MAX_KIB (UINT64_C(1) << 43)

/* Charged size of a guest: the largest of its live maximum, its inactive definition and the file's
 * size, and the overhead.  'desired' NULL = not in the file; 'observed' NULL = not seen. */
uint64_t capacity_size_kib(const struct policy *policy, const struct desired_guest *desired,
                           const struct observed_guest *observed);

/* vCPUs of a guest, the larger of the file's number and the one seen. */
uint32_t capacity_vcpus(const struct desired_guest *desired, const struct observed_guest *observed);

/* True if the guest takes room where it is: it is not off, or policy charges guests that are off, or
 * it may start at any moment. */
bool capacity_is_charged(const struct policy *policy, const struct observed_guest *observed);

/* Memory that guests may take on a host in all: of the reported and the declared (may be NULL) memory the
 * smaller, capped and reserved by policy. */
uint64_t capacity_limit_kib(const struct policy *policy, const struct observed_host *observed,
                            const struct desired_host *desired);

/* What a host sets aside in huge pages of 'page_kib'; guests may take all of it, and nobody else any. */
uint64_t capacity_pool_kib(const struct observed_host *observed, uint64_t page_kib);

/* What is left for ordinary guests of 'limit_kib', that host's memory in all. */
uint64_t capacity_ordinary_kib(const struct observed_host *observed, uint64_t limit_kib);

/* vCPUs that a host may carry; UINT64_MAX if it did not say how many CPUs it has. */
uint64_t capacity_vcpu_limit(const struct policy *policy, const struct observed_host *observed);

/* vCPUs that final hops may bring a host to: its limit or, unless policy is strict, what the file
 * itself asks of it. */
uint64_t capacity_vcpu_cap(const struct policy *policy, const struct fleet_host *host);

/* Memory left of one kind on one host; 0 if it is over its limit. */
uint64_t capacity_free_kib(const struct fleet_memory *memory);

/* True if more is charged than may be: no guest of that kind of memory may come. */
bool capacity_is_over(const struct fleet_memory *memory);

enum capacity_fit {
    CAPACITY_FITS,
    CAPACITY_NO_MEMORY,
    CAPACITY_NO_CPU,
};

/* Whether 'guest' fits on 'host' as it is now, the guest still being charged where it is.  A hop to
 * another host than the file's is measured by the stricter CPU rule of detours. */
enum capacity_fit capacity_fit(const struct fleet *fleet, uint32_t guest, uint32_t host);

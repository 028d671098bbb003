/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * validate: rules that need more than es.xml alone: a host must be able to hold, by its *declared*
 * memory, what the file puts on it (contract.md §2).  A limit known only from observation is the
 * planner's affair ('no-capacity').  Pure.
 */

struct desired;
struct faults;
struct policy;

/* Adds a fault for each host whose guests (memory + overhead) exceed physicalMemorySize or berth.conf's
 * memory, the smaller, less reserve. */
void validate_capacity(const struct desired *desired, const struct policy *policy,
                       struct faults *faults);

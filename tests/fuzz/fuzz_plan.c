/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Both inputs of 'berth plan' at once, es.xml and an observation with a form feed between them: whatever
 * can be read can be planned, the verifier accepts the plan, its JSON reads back to the same bytes, and it
 * can be shown.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "diff/render.h"
#include "diff/verify.h"
#include "model/desired.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "model/observed.h"
#include "model/observed_json.h"
#include "model/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static struct text written(struct arena *arena, const struct plan *plan)
{
    struct text text = text_new(arena);

    plan_json_write(&text, plan);
    return text;
}

static void check(struct arena *arena, const struct plan_input *input)
{
    struct plan plan = plan_build(arena, input);
    struct text first = written(arena, &plan);
    struct text shown = text_new(arena);
    struct text second;
    struct plan again;
    struct err err;

    require(verify_plan(input, &plan, 0, &err) == 0);
    require(plan_json_read(arena, first.data, first.length, &again, &err) == 0);
    second = written(arena, &again);
    require(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
    render_plan(arena, &shown, &plan, false);
    render_dot(&shown, &plan);
}

/* As it comes, and with every rule turned the other way. */
static void plan_both_ways(struct arena *arena, struct plan_input *input, struct policy *policy)
{
    policy->reserve = (struct policy_reserve){ 0 };
    check(arena, input);
    policy->mode = POLICY_MODE_OFFLINE;
    policy->cpu_policy = POLICY_CPU_STRICT;
    policy->charge_off = false;
    policy->adopt_pending_actions = true;
    policy->guest_overhead_kib = 1024;
    input->recorded = false;
    check(arena, input);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *text = (const char *)bytes;
    const char *cut = length == 0 ? NULL : memchr(text, '\f', length);
    struct faults faults = fault_list(&arena);
    struct policy policy = policy_default();
    struct desired desired;
    struct observed observed;
    struct err err;
    struct plan_input input = {
        .desired = &desired,
        .observed = &observed,
        .policy = &policy,
        .es_xml_sha256 = "0000000000000000000000000000000000000000000000000000000000000000",
        .recorded = true,
    };

    if (cut != NULL && es_xml_read(&arena, text, (size_t)(cut - text), &desired, &faults) == 0 &&
        observed_json_read(&arena, cut + 1, length - (size_t)(cut - text) - 1, &observed, &err) ==
            0) {
        plan_both_ways(&arena, &input, &policy);
    }
    return 0;
}

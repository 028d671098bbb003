/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/following.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "diff/plan_json.h"
#include "diff/verify.h"

bool following_holds(const struct following *following, const struct plan_input *input,
                     const char *policy_digest)
{
    struct err err;

    return following->valid && following->next < following->plan.move_count &&
           strcmp(policy_digest, following->policy_digest) == 0 &&
           strcmp(following->plan.es_xml_sha256, input->es_xml_sha256) == 0 &&
           verify_plan(input, &following->plan, following->next, &err) == 0;
}

/* The objective of planner.md, most important first. */
struct cost {
    uint64_t parts[4];
};

static struct cost cost_of(const struct plan *plan, size_t first)
{
    struct cost cost = { { plan->block_count, 0, plan->move_count - first, 0 } };

    for (size_t i = first; i < plan->move_count; i++) {
        cost.parts[1] += plan->moves[i].mode != MOVE_LIVE && plan->moves[i].mode != MOVE_COLD;
        cost.parts[3] += plan->moves[i].memory_kib;
    }
    return cost;
}

bool following_is_beaten(const struct following *following, const struct plan *fresh)
{
    struct cost ours = cost_of(&following->plan, following->next);
    struct cost theirs = cost_of(fresh, 0);

    for (size_t i = 0; i < ARRAY_LEN(ours.parts); i++) {
        if (ours.parts[i] != theirs.parts[i]) {
            return theirs.parts[i] < ours.parts[i];
        }
    }
    return false;
}

/* What is followed is made from what is journaled, so that both are the same. */
void following_adopt(struct following *following, const struct plan *plan,
                     const char *policy_digest, struct text *json)
{
    size_t begin = json->length;
    struct err err;
    int status;

    arena_deinit(&following->arena);
    plan_json_write(json, plan);
    status = plan_json_read(&following->arena, json->data + begin, json->length - begin,
                            &following->plan, &err);
    assert(status == 0);
    memcpy(following->policy_digest, policy_digest, DIGEST_TEXT_SIZE);
    following->next = 0;
    following->valid = status == 0;
}

const struct plan_move *following_peek(const struct following *following)
{
    return following->valid && following->next < following->plan.move_count
               ? &following->plan.moves[following->next]
               : NULL;
}

const struct plan_move *following_take(struct following *following)
{
    const struct plan_move *move = following_peek(following);

    following->next += move != NULL;
    return move;
}

bool following_moves(const struct following *following, const char *guest)
{
    for (size_t i = following->next; following->valid && i < following->plan.move_count; i++) {
        if (strcmp(following->plan.moves[i].guest, guest) == 0) {
            return true;
        }
    }
    return false;
}

void following_deinit(struct following *following)
{
    arena_deinit(&following->arena);
    *following = (struct following){ 0 };
}

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

const struct plan_move *following_take(struct following *following)
{
    if (!following->valid || following->next >= following->plan.move_count) {
        return NULL;
    }
    return &following->plan.moves[following->next++];
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

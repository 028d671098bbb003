/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/quota.h"

#include <assert.h>

#include "base/base.h"

static struct quota_peer *find(struct quota *quota, uint64_t key)
{
    for (size_t i = 0; i < ARRAY_LEN(quota->peers); i++) {
        if (quota->peers[i].at_ms != 0 && quota->peers[i].key == key) {
            return &quota->peers[i];
        }
    }
    return NULL;
}

/* What the peer has used up by now, as it is forgotten with time. */
static int64_t level_at(const struct quota_peer *peer, int64_t now_ms)
{
    int64_t forgotten = (now_ms - peer->at_ms) * QUOTA_REQUESTS_SECOND;

    return forgotten < peer->level_milli ? peer->level_milli - forgotten : 0;
}

/* A place that is free, or whose peer has gone and has used up nothing: else coming back under another
 * name would be a way round. */
static struct quota_peer *find_place(struct quota *quota, int64_t now_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(quota->peers); i++) {
        struct quota_peer *peer = &quota->peers[i];

        if (peer->at_ms == 0 || (peer->connections == 0 && level_at(peer, now_ms) == 0)) {
            return peer;
        }
    }
    return NULL;
}

bool quota_enter(struct quota *quota, uint64_t key, size_t most, int64_t now_ms)
{
    struct quota_peer *peer = find(quota, key);

    assert(now_ms > 0);
    if (peer == NULL) {
        peer = find_place(quota, now_ms);
        if (peer == NULL) {
            return false;
        }
        *peer = (struct quota_peer){ .key = key, .at_ms = now_ms };
    }
    if (peer->connections >= most) {
        return false;
    }
    peer->connections++;
    return true;
}

void quota_leave(struct quota *quota, uint64_t key)
{
    struct quota_peer *peer = find(quota, key);

    assert(peer != NULL && peer->connections > 0);
    peer->connections--;
}

bool quota_spend(struct quota *quota, uint64_t key, int64_t now_ms)
{
    struct quota_peer *peer = find(quota, key);

    assert(peer != NULL);
    peer->level_milli = level_at(peer, now_ms);
    peer->at_ms = now_ms;
    if (peer->level_milli + 1000 > QUOTA_REQUESTS_BURST * 1000) {
        return false;
    }
    peer->level_milli += 1000;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/retry.h"

#include <string.h>

#include "base/backoff.h"
#include "model/observed.h"
#include "model/policy.h"
#include "reconciler/ledger.h"

#define HOUR_MS (INT64_C(60) * 60 * 1000)

/* Long waits double up to this. */
#define LONG_CAP_MS (6 * HOUR_MS)

/* Stops in vain are counted together, whatever the file says, unless there was peace for so long. */
#define PEACE_MS (24 * HOUR_MS)

static bool is_of(const struct journal_retry *retry, const char *es_digest)
{
    return retry != NULL && strcmp(retry->es_digest, es_digest) == 0;
}

/* It has asked a running guest to shut down. */
static bool has_stopped(const struct journal_move *move)
{
    return move->tried && !journal_move_is_restart(move) &&
           (move->mode == MOVE_OFFLINE || move->mode == MOVE_STOP);
}

static uint32_t outages_after(const struct journal_retry *before, const struct journal_move *move,
                              int64_t now_ms)
{
    bool counts =
        is_of(before, move->es_digest) || (before != NULL && now_ms - before->failed_ms < PEACE_MS);

    return (counts ? before->outages : 0) + (has_stopped(move) ? 1 : 0);
}

static int64_t longest_ms(const struct policy *policy)
{
    return policy->outage_wait_ms > LONG_CAP_MS ? policy->outage_wait_ms : LONG_CAP_MS;
}

/* The wait after 'times' failures (>= 1) that cost the guest something. */
static int64_t long_wait_ms(const struct policy *policy, uint32_t times)
{
    int64_t longest = longest_ms(policy);
    int64_t wait = policy->outage_wait_ms;

    for (uint32_t i = 1; i < times && wait < longest; i++) {
        wait = wait > longest / 2 ? longest : wait * 2;
    }
    return wait;
}

/* How long the guest of 'retry' is left in peace on top of the usual pause; INT64_MAX = parked. */
static int64_t peace_ms(const struct journal_retry *retry, const struct journal_move *move,
                        const struct policy *policy)
{
    if (has_stopped(move)) {
        return retry->outages >= policy->outage_limit ? INT64_MAX
                                                      : long_wait_ms(policy, retry->outages);
    }
    if (move->overran) {
        return long_wait_ms(policy, retry->attempts) + move->deadline_ms - move->begun_ms;
    }
    return 0;
}

/* The start of a guest that is down has failed: what it waited for before that, it waits for still. */
static int64_t after_restart_ms(const struct journal_retry *before, const char *es_digest,
                                int64_t next_ms)
{
    return is_of(before, es_digest) && before->next_ms > next_ms ? before->next_ms : next_ms;
}

struct journal_retry retry_after(const struct journal_retry *before,
                                 const struct journal_move *move, const struct policy *policy,
                                 bool at_once, int64_t now_ms)
{
    struct err err = { .code = move->error };
    bool same = is_of(before, move->es_digest);
    struct journal_retry retry = {
        .guest = move->guest,
        .code = move->error,
        .attempts = same && before->code == move->error ? before->attempts + 1 : 1,
        .reason = move->error_text,
        .next_ms = INT64_MAX,
        .off_ms = INT64_MAX,
        .outages = outages_after(before, move, now_ms),
        .failed_ms = now_ms,
        .overran = move->overran || (same && before->overran),
    };
    int64_t peace;

    memcpy(retry.es_digest, move->es_digest, DIGEST_TEXT_SIZE);
    if (at_once) {
        retry.next_ms = now_ms;
        retry.off_ms = now_ms;
    } else if (err_is_retryable(&err) || journal_move_is_restart(move)) {
        /* Who is down is tried for ever, whatever it was. */
        retry.off_ms = now_ms + backoff_delay_ms(retry.attempts, move->key.seq);
        peace = peace_ms(&retry, move, policy);
        retry.next_ms = peace == INT64_MAX ? INT64_MAX : retry.off_ms + peace;
    }
    if (journal_move_is_restart(move)) {
        retry.next_ms = after_restart_ms(before, move->es_digest, retry.next_ms);
    }
    return retry;
}

int64_t retry_until_ms(const struct journal_retry *retry, bool off)
{
    return off ? retry->off_ms : retry->next_ms;
}

bool retry_is_given_up(const struct journal_retry *retry)
{
    return retry->next_ms == INT64_MAX && retry->off_ms != INT64_MAX;
}

bool retry_finds_off(const struct observed *observed, const char *guest)
{
    bool off = false;

    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_guest *found = observed_find_guest_named(&observed->hosts[i], guest);

        if (found != NULL && (found->state != GUEST_SHUTOFF || !observed->hosts[i].reachable)) {
            return false;
        }
        off |= found != NULL;
    }
    return off;
}

/* The longest that a guest waits after what 'retry' tells. */
static int64_t patience_ms(const struct journal_retry *retry, bool off, const struct policy *policy)
{
    bool was_long = !off && (retry->outages > 0 || retry->overran);

    return BACKOFF_CAP_MS + policy->timeout_ms + (was_long ? longest_ms(policy) : 0);
}

bool retry_waits(const struct journal_retry *retry, const char *es_digest, bool off,
                 const struct policy *policy, int64_t now_ms)
{
    int64_t until = retry_until_ms(retry, off);

    if (!is_of(retry, es_digest)) {
        return false;
    }
    return until == INT64_MAX ||
           (until > now_ms && until - now_ms <= patience_ms(retry, off, policy));
}

int64_t retry_next_ms(const struct ledger *ledger, const struct retry_question *question,
                      int64_t now_ms)
{
    int64_t earliest = 0;

    for (size_t i = 0; i < ledger->retry_count; i++) {
        const struct journal_retry *retry = &ledger->retries[i];
        int64_t until = retry_until_ms(retry, retry_finds_off(question->observed, retry->guest));
        bool counts = is_of(retry, question->es_digest) && retry->attempts < question->tries &&
                      (question->only == NULL || strcmp(question->only, retry->guest) == 0);

        if (counts && until > now_ms && until - now_ms <= question->limit_ms &&
            (earliest == 0 || until < earliest)) {
            earliest = until;
        }
    }
    return earliest;
}

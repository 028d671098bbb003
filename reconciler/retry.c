/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/retry.h"

#include <string.h>

#include "base/backoff.h"
#include "reconciler/ledger.h"

static bool says_the_same(const struct journal_retry *before, const struct journal_move *move)
{
    return before != NULL && before->code == move->error &&
           strcmp(before->es_digest, move->es_digest) == 0;
}

struct journal_retry retry_after(const struct journal_retry *before,
                                 const struct journal_move *move, bool at_once, int64_t now_ms)
{
    struct err err = { .code = move->error };
    struct journal_retry retry = {
        .guest = move->guest,
        .code = move->error,
        .attempts = says_the_same(before, move) ? before->attempts + 1 : 1,
        .reason = move->error_text,
        .next_ms = INT64_MAX,
        .overran = move->overran || (before != NULL && before->overran &&
                                     strcmp(before->es_digest, move->es_digest) == 0),
    };

    memcpy(retry.es_digest, move->es_digest, DIGEST_TEXT_SIZE);
    if (at_once) {
        retry.next_ms = now_ms;
    } else if (err_is_retryable(&err) || strcmp(move->from, move->to) == 0) {
        /* Who is down is tried for ever, whatever it was. */
        retry.next_ms = now_ms + backoff_delay_ms(retry.attempts, move->key.seq) +
                        (move->overran ? move->deadline_ms - move->begun_ms : 0);
    }
    return retry;
}

bool retry_waits(const struct journal_retry *retry, const char *es_digest, int64_t timeout_ms,
                 int64_t now_ms)
{
    if (strcmp(retry->es_digest, es_digest) != 0) {
        return false;
    }
    return retry->next_ms == INT64_MAX ||
           (retry->next_ms > now_ms && retry->next_ms - now_ms <= BACKOFF_CAP_MS + timeout_ms);
}

int64_t retry_next_ms(const struct ledger *ledger, const char *es_digest, const char *only,
                      uint32_t tries, int64_t now_ms, int64_t limit_ms)
{
    int64_t earliest = 0;

    for (size_t i = 0; i < ledger->retry_count; i++) {
        const struct journal_retry *retry = &ledger->retries[i];
        bool counts = strcmp(retry->es_digest, es_digest) == 0 && retry->attempts < tries &&
                      (only == NULL || strcmp(only, retry->guest) == 0);

        if (counts && retry->next_ms > now_ms && retry->next_ms - now_ms <= limit_ms &&
            (earliest == 0 || retry->next_ms < earliest)) {
            earliest = retry->next_ms;
        }
    }
    return earliest;
}

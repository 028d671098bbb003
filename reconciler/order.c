/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/order.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/desired.h"
#include "reconciler/ledger.h"

#define REASON_MAX_BYTES 512u

static const char *const verb_names[ORDER_VERB_COUNT] = {
    [ORDER_CANCEL] = "cancel", [ORDER_HOLD] = "hold",   [ORDER_RELEASE] = "release",
    [ORDER_RETRY] = "retry",   [ORDER_CHECK] = "check",
};

/* What the file does not name any more can still be held. */
static int address_absent(struct order *order, const char *name, struct err *err)
{
    bool lets_go = order->verb == ORDER_RELEASE;

    if (lets_go && order->scope != JOURNAL_SCOPE_COUNT) {
        order->name = name;
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "cannot %s '%.64s': the file names no such guest or host%s",
                   verb_names[order->verb], name,
                   lets_go ? "; if it did before, say whether it was a guest or a host" : "");
}

int order_address(struct order *order, const char *name, const struct desired *desired,
                  struct err *err)
{
    bool is_guest;
    bool is_host;

    if (name == NULL || *name == '\0') {
        order->scope = JOURNAL_SCOPE_FLEET;
        order->name = "";
        return 0;
    }
    is_guest =
        order->scope != JOURNAL_SCOPE_HOST && desired_find_guest(desired, name) != DESIRED_NONE;
    is_host =
        order->scope != JOURNAL_SCOPE_GUEST && desired_find_host(desired, name) != DESIRED_NONE;
    if (is_guest && is_host) {
        return err_set(err, ERR_INVALID, "cannot %s '%s': a guest and a host have this name",
                       verb_names[order->verb], name);
    }
    if (!is_guest && !is_host) {
        return address_absent(order, name, err);
    }
    order->scope = is_guest ? JOURNAL_SCOPE_GUEST : JOURNAL_SCOPE_HOST;
    order->name = name;
    return 0;
}

static struct journal_record hold_record(const struct order *order, int64_t now_ms)
{
    return (struct journal_record){
        .kind = JOURNAL_HOLD,
        .hold = { .scope = order->scope,
                  .name = order->name,
                  .user = order->user,
                  .reason = order->reason,
                  .since_ms = now_ms },
    };
}

static bool add_release(const struct order *order, const struct ledger *ledger,
                        struct journal_record *record)
{
    const struct journal_hold *hold = ledger_find_hold(ledger, order->scope, order->name);

    if (hold == NULL) {
        return false;
    }
    *record = (struct journal_record){ .kind = JOURNAL_HOLD, .hold = *hold };
    record->hold.released = true;
    return true;
}

static bool add_retry(const struct order *order, const struct ledger *ledger,
                      struct journal_record *record)
{
    const struct journal_retry *retry = ledger_find_retry(ledger, order->name);

    if (order->scope != JOURNAL_SCOPE_GUEST || retry == NULL) {
        return false;
    }
    *record = (struct journal_record){ .kind = JOURNAL_RETRY, .retry = *retry };
    record->retry.cleared = true;
    return true;
}

/* One that a person runs step by step has nobody who is at work on it: from now on it is anybody's, and goes back. */
static bool add_turn(const struct order *order, const struct ledger *ledger,
                     struct journal_record *record)
{
    const struct journal_move *move = ledger_find_move(ledger, order->name);

    if (order->verb != ORDER_CANCEL || move == NULL || !move->by_hand) {
        return false;
    }
    *record = (struct journal_record){ .kind = JOURNAL_MOVE, .move = *move };
    record->move.by_hand = false;
    record->move.cancel_requested = true;
    record->move.back = true;
    return true;
}

/* For 'berth history': who asked for what. */
static struct journal_record event_record(const struct order *order, struct ledger *ledger,
                                          int64_t now_ms)
{
    bool is_guest = order->scope == JOURNAL_SCOPE_GUEST;
    bool is_host = order->scope == JOURNAL_SCOPE_HOST;

    return (struct journal_record){
        .kind = JOURNAL_EVENT,
        .event = { .key = ledger_key(ledger),
                   .at_ms = now_ms,
                   .kind = verb_names[order->verb],
                   .guest = is_guest ? order->name : NULL,
                   .host = is_host ? order->name : NULL,
                   .text = order->user },
    };
}

/* Who releases a guest wants it moved, and so does who retries one that was cancelled. */
static int let_go(const struct order *order, const struct ledger *ledger,
                  struct journal_record records[ORDER_RECORDS_MAX], size_t *count, struct err *err)
{
    *count += add_release(order, ledger, &records[*count]) ? 1 : 0;
    *count += add_retry(order, ledger, &records[*count]) ? 1 : 0;
    if (*count > 0) {
        return 0;
    }
    if (order->verb == ORDER_RETRY) {
        return err_set(err, ERR_NOT_FOUND,
                       "cannot retry '%s': it is neither held, parked nor waiting", order->name);
    }
    return err_set(err, ERR_NOT_FOUND, "cannot release %s%s%s: nobody holds it",
                   order->scope == JOURNAL_SCOPE_FLEET ? "the fleet" : "'", order->name,
                   order->scope == JOURNAL_SCOPE_FLEET ? "" : "'");
}

int order_records(const struct order *order, struct ledger *ledger, int64_t now_ms,
                  struct journal_record records[ORDER_RECORDS_MAX], size_t *count, struct err *err)
{
    *count = 0;
    if (order->reason != NULL && strlen(order->reason) > REASON_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "cannot %s: the reason is longer than %u bytes",
                       verb_names[order->verb], REASON_MAX_BYTES);
    }
    if (order->verb == ORDER_CHECK) {
        return 0;
    }
    if (order->verb == ORDER_CANCEL || order->verb == ORDER_HOLD) {
        records[(*count)++] = hold_record(order, now_ms);
        *count += add_turn(order, ledger, &records[*count]) ? 1 : 0;
    } else if (let_go(order, ledger, records, count, err) != 0) {
        return -1;
    }
    records[(*count)++] = event_record(order, ledger, now_ms);
    return 0;
}

const char *order_text(struct arena *arena, const struct order *order)
{
    const char *what =
        order->scope == JOURNAL_SCOPE_FLEET ? "the fleet" : text_format(arena, "'%s'", order->name);

    switch (order->verb) {
    case ORDER_CANCEL:
        return text_format(arena,
                           "cancel requested: %s stays where it is and is held until 'berth "
                           "release %s'",
                           what, order->name);
    case ORDER_HOLD:
        return text_format(arena, "%s is held: nothing of it is moved until 'berth release%s%s'",
                           what, *order->name == '\0' ? "" : " ", order->name);
    case ORDER_RELEASE:
        return text_format(arena, "%s may be moved again", what);
    case ORDER_RETRY:
        return text_format(arena, "%s is tried again at once", what);
    case ORDER_CHECK:
        return "the file and the hosts are looked at now";
    case ORDER_VERB_COUNT:
        break;
    }
    return "";
}

const char *order_verb_name(enum order_verb verb)
{
    assert(verb < ORDER_VERB_COUNT);
    return verb_names[verb];
}

enum order_verb order_verb_from_name(const char *name)
{
    return (enum order_verb)text_index(verb_names, ORDER_VERB_COUNT, name);
}

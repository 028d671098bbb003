/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Order: what a person asks of a controller, and the journal records that carry it out.
 *
 * The same whether a running controller takes it over its API or a command writes it into the journal
 * because none runs.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "reconciler/journal/journal.h"

struct arena;
struct desired;
struct err;
struct ledger;

enum order_verb {
    ORDER_CANCEL, /* End the running move, or one that is run by hand, with its guest where it was, and hold the guest. */
    ORDER_HOLD,   /* Nothing of the scope is moved ... */
    ORDER_RELEASE, /* ... until this. */
    ORDER_RETRY,   /* Forget that moving a guest failed. */
    ORDER_CHECK,   /* Look at the file and the hosts now, and correct what drifted. */
    ORDER_VERB_COUNT,
};

struct order {
    enum order_verb verb;
    enum journal_scope scope;
    const char *name;   /* Of the guest or host; "" for the fleet. */
    const char *user;   /* Who asks. */
    const char *reason; /* In that person's words, or NULL. */
};

#define ORDER_RECORDS_MAX 3

/* Finds out what 'name' (NULL or "" = the fleet) is in 'desired' and fills scope and name of 'order'.
 * ERR_NOT_FOUND: neither a guest nor a host of the file, unless 'scope' says which of them is to be released;
 * ERR_INVALID: both, and 'scope' was not given (JOURNAL_SCOPE_COUNT). */
int order_address(struct order *order, const char *name, const struct desired *desired,
                  struct err *err);

/* The records that carry 'order' out and say who gave it, ORDER_RECORDS_MAX at most; strings are shared with the arguments.
 * ORDER_CANCEL: 'order' names the guest that is moving, or whose move is run by hand.  ERR_NOT_FOUND: there is nothing to release or to
 * retry. */
int order_records(const struct order *order, struct ledger *ledger, int64_t now_ms,
                  struct journal_record records[ORDER_RECORDS_MAX], size_t *count, struct err *err);

/* What was done, one sentence for a person, in 'arena'. */
const char *order_text(struct arena *arena, const struct order *order);

/* Stable names; the reverse returns ORDER_VERB_COUNT for no such name. */
const char *order_verb_name(enum order_verb verb);
enum order_verb order_verb_from_name(const char *name);

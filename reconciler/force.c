/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/force.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "diff/settle.h"
#include "model/observed.h"
#include "model/policy.h"
#include "reconciler/definition.h"
#include "reconciler/ledger.h"

struct judge {
    const struct force_request *request;
    const struct observed *fleet;
    const struct policy *policy;
    const struct ledger *ledger;
    const struct journal_definition *definition; /* The last one of the guest. */
    const struct journal_place *place;           /* Or NULL. */
    struct force_suspect *suspects;
    size_t count;
};

/* The open move of the guest that comes after 'last' (NULL: the first), or NULL.  One that did not come to its end is
 * open, and so is a forced one that did not either. */
static const struct journal_move *next_open(const struct judge *judge,
                                            const struct journal_move *last)
{
    const struct ledger *ledger = judge->ledger;

    for (size_t i = last == NULL ? 0 : (size_t)(last - ledger->moves) + 1; i < ledger->move_count;
         i++) {
        if (strcmp(ledger->moves[i].guest, judge->request->guest) == 0) {
            return &ledger->moves[i];
        }
    }
    return NULL;
}

/* The guest as 'host' had it when it last answered, or NULL. */
static const struct observed_guest *last_known(const struct judge *judge, const char *host)
{
    const struct observed_host *found = observed_find_host(judge->fleet, host);

    return found == NULL ? NULL : observed_find_guest(found, judge->definition->uuid);
}

/* The open move that has made our definition on the target of the request, or NULL. */
static const struct journal_move *find_maker(const struct judge *judge)
{
    const struct journal_move *open = next_open(judge, NULL);

    while (open != NULL && (!open->target_made || strcmp(open->to, judge->request->to) != 0)) {
        open = next_open(judge, open);
    }
    return open;
}

static bool is_ours(const struct judge *judge, const struct observed_host *host,
                    enum settle_view view)
{
    return view == SETTLE_OFF && strcmp(judge->request->to, host->name) == 0 &&
           find_maker(judge) != NULL;
}

static int check_answering(const struct judge *judge, const struct observed_host *host,
                           struct err *err)
{
    const char *guest = judge->request->guest;
    enum settle_view view = settle_view_of(host, guest, judge->definition->uuid);

    if (view == SETTLE_ABSENT || is_ours(judge, host, view)) {
        return 0;
    }
    if (view == SETTLE_OFF || view == SETTLE_OFF_MIGRATED) {
        return err_set(err, ERR_CONFLICT,
                       "cannot move '%s' by force: '%s' answers and has it, shut off: move it "
                       "from there, or remove that definition",
                       guest, host->name);
    }
    return err_set(err, ERR_CONFLICT,
                   "cannot move '%s' by force: it is on '%s', which answers: move it from there",
                   guest, host->name);
}

static bool is_fenced(const struct judge *judge, const char *host)
{
    const struct policy_host *policy = policy_find_host(judge->policy, host);

    return policy != NULL && policy->fenced;
}

/* 'host' has a definition for all that is known: it had when it last answered, or has not answered to this run
 * at all, or a journaled move or place says so. */
static bool holds(const struct judge *judge, const char *host)
{
    const struct observed_host *found = observed_find_host(judge->fleet, host);
    const struct journal_move *open = next_open(judge, NULL);

    while (open != NULL && strcmp(open->from, host) != 0 && strcmp(open->to, host) != 0) {
        open = next_open(judge, open);
    }
    return found == NULL || found->as_of_ms == 0 || last_known(judge, host) != NULL ||
           (judge->place != NULL && strcmp(judge->place->host, host) == 0) || open != NULL;
}

static bool has_autostart(const struct judge *judge, const char *host)
{
    const struct observed_guest *known = last_known(judge, host);

    if (known != NULL) {
        return known->autostart;
    }
    return judge->place == NULL || strcmp(judge->place->host, host) != 0 || judge->place->autostart;
}

static bool is_guarded(const struct judge *judge, const char *host)
{
    const struct observed_host *known = observed_find_host(judge->fleet, host);
    const struct observed_guest *guest = last_known(judge, host);

    if (guest != NULL && guest->exempt) {
        return false;
    }
    if (known != NULL && known->as_of_ms != 0 && known->guard != OBSERVED_GUARD_UNKNOWN) {
        return known->guard != OBSERVED_GUARD_NONE;
    }
    return judge->place != NULL && strcmp(judge->place->host, host) == 0 && judge->place->guarded;
}

/* What will keep the guest from starting on 'host' as that boots; fencing last, because it alone must be kept
 * up by people. */
static int find_protection(const struct judge *judge, struct force_suspect *suspect,
                           struct err *err)
{
    if (!has_autostart(judge, suspect->host)) {
        suspect->protection = JOURNAL_PROTECTION_AUTOSTART_OFF;
    } else if (is_guarded(judge, suspect->host)) {
        suspect->protection = JOURNAL_PROTECTION_GUARDED;
    } else if (judge->request->revokes && suspect->attested) { /* Of the move's source alone. */
        suspect->protection = JOURNAL_PROTECTION_REVOKED;
    } else if (!suspect->attested) {
        suspect->protection = JOURNAL_PROTECTION_FENCED;
    } else {
        return err_set(err, ERR_REFUSED,
                       "will not start '%s' elsewhere: once '%s' comes back it would run twice; "
                       "what prevents that is autostart off, berth-guard, or no access to its "
                       "volumes there, or a fence ([host] fence)",
                       judge->request->guest, suspect->host);
    }
    return 0;
}

static int add_suspect(struct judge *judge, const char *host, struct err *err)
{
    const struct force_request *request = judge->request;
    struct force_suspect suspect = {
        .host = host,
        .attested = request->dead != NULL && strcmp(request->dead, host) == 0,
    };

    suspect.holds = suspect.attested || holds(judge, host);
    if (judge->count == FORCE_SUSPECTS_MAX) {
        return err_set(err, ERR_REFUSED, "will not start '%s' elsewhere: too many hosts are silent",
                       request->guest);
    }
    if (!suspect.attested && !is_fenced(judge, host)) {
        return err_set(
            err, ERR_REFUSED,
            "will not start '%s' elsewhere: '%s' does not answer and may run it; give it "
            "a fence ([host] fence), or vouch for its death with --source-is-dead=%s",
            request->guest, host, host);
    }
    judge->suspects[judge->count++] = suspect;
    return suspect.holds ? find_protection(judge, &judge->suspects[judge->count - 1], err) : 0;
}

/* Every host that answers must not have it; every other is a suspect. */
static int find_suspects(struct judge *judge, struct err *err)
{
    const struct journal_place *place = judge->place;

    for (size_t i = 0; i < judge->fleet->host_count; i++) {
        const struct observed_host *host = &judge->fleet->hosts[i];

        if (host->reachable ? check_answering(judge, host, err) != 0
                            : add_suspect(judge, host->name, err) != 0) {
            return -1;
        }
    }
    if (place != NULL && observed_find_host(judge->fleet, place->host) == NULL) {
        return add_suspect(judge, place->host, err); /* The file names that host no more. */
    }
    return 0;
}

static const struct force_suspect *find_suspect(const struct judge *judge, const char *host)
{
    for (size_t i = 0; i < judge->count; i++) {
        if (strcmp(judge->suspects[i].host, host) == 0) {
            return &judge->suspects[i];
        }
    }
    return NULL;
}

/* The one attested, else the one where it was last known. */
static const char *choose_from(const struct judge *judge)
{
    if (judge->request->dead != NULL) {
        return judge->request->dead;
    }
    for (size_t i = 0; i < judge->count; i++) {
        const struct observed_guest *known = last_known(judge, judge->suspects[i].host);

        if (known != NULL && observed_is_active(known)) {
            return judge->suspects[i].host;
        }
    }
    for (size_t i = 0; i < judge->count; i++) {
        if (judge->suspects[i].holds) {
            return judge->suspects[i].host;
        }
    }
    return judge->suspects[0].host;
}

static int check_dead(const struct judge *judge, struct err *err)
{
    const struct force_request *request = judge->request;
    const struct observed_host *host;

    if (request->dead != NULL && find_suspect(judge, request->dead) == NULL) {
        host = observed_find_host(judge->fleet, request->dead);
        return err_set(err, host == NULL ? ERR_NOT_FOUND : ERR_REFUSED,
                       host == NULL ? "cannot move '%s' by force: the fleet has no host '%s'"
                                    : "will not move '%s' by force: '%s' answers and is not dead",
                       request->guest, request->dead);
    }
    if (judge->count == 0) {
        return err_set(err, ERR_CONFLICT,
                       "cannot move '%s' by force: every host answers, and none has it",
                       request->guest);
    }
    return 0;
}

static int check_target(const struct judge *judge, struct err *err)
{
    const struct observed_host *host = observed_find_host(judge->fleet, judge->request->to);

    if (host == NULL || !host->reachable) {
        return err_set(err, ERR_CONFLICT, "cannot start '%s' on '%s': %s", judge->request->guest,
                       judge->request->to, host == NULL ? "no such host" : "it does not answer");
    }
    return 0;
}

/* What was off when it was last known stays off, unless Berth owes it a start. */
static enum guest_state original_state(const struct judge *judge, const char *from)
{
    const struct observed_guest *known = last_known(judge, from);

    if (ledger_find_owed(judge->ledger, judge->definition->uuid) != NULL) {
        return GUEST_RUNNING;
    }
    for (const struct journal_move *open = next_open(judge, NULL); open != NULL;
         open = next_open(judge, open)) {
        if (open->original != GUEST_SHUTOFF) {
            return GUEST_RUNNING;
        }
    }
    if (known != NULL) {
        return observed_is_active(known) ? GUEST_RUNNING : GUEST_SHUTOFF;
    }
    return judge->place != NULL && !judge->place->running ? GUEST_SHUTOFF : GUEST_RUNNING;
}

static bool had_autostart(const struct judge *judge, const char *from)
{
    const struct journal_owed *owed = ledger_find_owed(judge->ledger, judge->definition->uuid);
    const struct observed_guest *known = last_known(judge, from);
    bool had = owed != NULL && owed->autostart;

    for (const struct journal_move *open = next_open(judge, NULL); open != NULL;
         open = next_open(judge, open)) {
        had |= open->autostart;
    }
    return had ||
           (known != NULL ? known->autostart : judge->place != NULL && judge->place->autostart);
}

/* What open moves have left on the target of this one, which goes on with it. */
static void take_over(const struct judge *judge, struct force_order *order)
{
    const struct observed_host *target = observed_find_host(judge->fleet, order->to);
    const struct journal_move *maker = find_maker(judge);

    if (observed_find_guest(target, order->uuid) != NULL) {
        order->target_made = true;
        order->target_digest = maker->target_digest;
        order->source_removed = maker->source_removed;
    }
    for (const struct journal_move *open = next_open(judge, NULL); open != NULL;
         open = next_open(judge, open)) {
        order->made |= strcmp(open->to, order->to) == 0 ? open->made : 0;
    }
}

static void fill(const struct judge *judge, struct force_order *order)
{
    const char *from = choose_from(judge);

    *order = (struct force_order){
        .guest = judge->request->guest,
        .uuid = judge->definition->uuid,
        .from = from,
        .to = judge->request->to,
        .user = judge->request->user,
        .xml_digest = judge->definition->digest,
        .original = original_state(judge, from),
        .autostart = had_autostart(judge, from),
        .target_digest = "",
        .suspects = judge->suspects,
        .suspect_count = judge->count,
    };
    take_over(judge, order);
}

int force_judge(struct arena *arena, const struct force_request *request,
                const struct observed *fleet, const struct policy *policy,
                const struct ledger *ledger, struct force_order *order, struct err *err)
{
    struct judge judge = {
        .request = request,
        .fleet = fleet,
        .policy = policy,
        .ledger = ledger,
        .definition = definition_newest(ledger, request->guest),
        .place = ledger_last_seen(ledger, request->guest),
        .suspects = ARENA_ARRAY(arena, struct force_suspect, FORCE_SUSPECTS_MAX),
    };

    if (judge.definition == NULL) {
        return err_set(err, ERR_NOT_FOUND,
                       "cannot move '%s' by force: the journal has no definition of it",
                       request->guest);
    }
    if (check_target(&judge, err) != 0 || find_suspects(&judge, err) != 0 ||
        check_dead(&judge, err) != 0) {
        return -1;
    }
    fill(&judge, order);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/leftovers.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "model/op.h"
#include "model/policy.h"
#include "reconciler/controller.h"
#include "reconciler/fencing.h"
#include "reconciler/leftover.h"
#include "reconciler/moves.h"
#include "reconciler/operation.h"
#include "reconciler/pass.h"

#define SWEEP_TIMEOUT_MS INT64_C(60000)

static void note_cleared(struct reconciler *reconciler, const struct journal_leftover *leftover,
                         const char *text)
{
    struct journal_record records[2] = { { .kind = JOURNAL_LEFTOVER, .leftover = *leftover },
                                         { .kind = JOURNAL_EVENT } };
    struct event event = {
        .kind = EVENT_SWEPT, .guest = leftover->guest, .host = leftover->host, .text = text
    };

    records[0].leftover.cleared = true;
    records[1].event = (struct journal_event){
        .key = ledger_key(&reconciler->ledger),
        .at_ms = controller_wall(reconciler),
        .kind = "swept",
        .guest = leftover->guest,
        .host = leftover->host,
        .text = text,
    };
    controller_note(reconciler, records, ARRAY_LEN(records));
    controller_emit(reconciler, &event);
}

/* Once for each time that it comes to this. */
static void tell(struct reconciler *reconciler, const struct journal_leftover *leftover,
                 const char *text)
{
    struct event event = {
        .kind = EVENT_ALARM, .guest = leftover->guest, .host = leftover->host, .text = text
    };

    if (controller_is_new(&reconciler->told_left, text)) {
        controller_emit(reconciler, &event);
    }
}

static void take_next(struct reconciler *reconciler);

/* One thing of it is removed, or could not be. */
static void on_swept(void *context, const struct actuator_completion *completion)
{
    struct reconciler *reconciler = context;
    const struct journal_leftover *leftover = &reconciler->leftovers.sweeping;

    if (reconciler->ended) {
        return;
    }
    if (completion->status == 0) {
        take_next(reconciler);
        return;
    }
    tell(reconciler, leftover,
         text_format(
             &reconciler->arena,
             reconciler->leftovers.gives
                 ? "what '%s' needs for '%s', and was taken from it while it was dead, is not "
                   "given back: %s"
                 : "what '%s' had kept of '%s' while it was dead is not removed: %s",
             leftover->host, leftover->guest, completion->err.text));
    controller_next_pass(reconciler);
}

/* Once between two rests: one that cannot be removed keeps no other from it. */
static bool is_due(struct reconciler *reconciler, const struct journal_leftover *leftover)
{
    return controller_is_new(&reconciler->swept, text_format(&reconciler->arena, "%s/%s",
                                                             leftover->host, leftover->uuid));
}

static void start(struct reconciler *reconciler, const struct op *op)
{
    (void)calls_start(&reconciler->calls, op, on_swept, NULL, reconciler);
}

static struct op op_of(const struct reconciler *reconciler, enum op_kind kind)
{
    const struct journal_leftover *leftover = &reconciler->leftovers.sweeping;

    return (struct op){
        .kind = kind,
        .epoch = reconciler->ledger.epoch,
        .guest = leftover->guest,
        .uuid = leftover->uuid,
        .host = leftover->host,
        .timeout_ms = SWEEP_TIMEOUT_MS,
    };
}

static void change(struct reconciler *reconciler, enum supply_kind kind)
{
    const struct policy *policy = &reconciler->world.config->policy;
    bool gives = reconciler->leftovers.gives;
    struct op op = op_of(reconciler, gives ? OP_PROVIDE : OP_WITHDRAW);

    op.supply = kind;
    op.supplies = reconciler->leftovers.supplies;
    op.profile = policy->profile;
    op.other = gives ? NULL : reconciler->leftovers.sweeping.to;
    op.mode = MOVE_OFFLINE;
    op.timeout_ms = operation_timeout_ms(op.kind, policy, &op.supplies);
    start(reconciler, &op);
}

/* The definition is gone: then what the platform provided, a mount before what is mounted.  Given back it is in the
 * opposite order. */
static void take_next(struct reconciler *reconciler)
{
    static const enum supply_kind order[] = { SUPPLY_INTERFACE, SUPPLY_CONFIG, SUPPLY_VOLUME,
                                              SUPPLY_BRIDGE, SUPPLY_NAT_BRIDGE };
    struct leftovers *left = &reconciler->leftovers;

    while (left->next < ARRAY_LEN(order)) {
        size_t at = left->gives ? ARRAY_LEN(order) - 1 - left->next : left->next;

        left->next++;
        if ((supply_list_kinds(&left->supplies) & SUPPLY_BIT(order[at])) != 0) {
            change(reconciler, order[at]);
            return;
        }
    }
    note_cleared(reconciler, &left->sweeping, left->text);
    controller_next_pass(reconciler);
}

static void undefine(struct reconciler *reconciler, const struct observed_guest *guest)
{
    struct op op = op_of(reconciler, OP_UNDEFINE);

    op.xml = guest->xml;
    start(reconciler, &op);
}

/* It is off again, or could not be switched off: a person was told that it runs twice. */
static void on_cut(void *context, const struct actuator_completion *completion)
{
    struct reconciler *reconciler = context;
    const struct journal_leftover *leftover = &reconciler->leftovers.sweeping;

    if (reconciler->ended) {
        return;
    }
    if (completion->status != 0) {
        tell(reconciler, leftover,
             text_format(&reconciler->arena, "'%s' still RUNS TWICE: %s", leftover->guest,
                         completion->err.text));
    }
    controller_next_pass(reconciler);
}

static void on_cut_intended(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;
    struct op op = op_of(reconciler, OP_FENCE);

    if (reconciler->ended) {
        return;
    }
    if (result != JOURNAL_COMMITTED) {
        controller_lost(reconciler, err);
        return;
    }
    op.timeout_ms = FENCING_TIMEOUT_MS;
    (void)calls_start(&reconciler->calls, &op, on_cut, NULL, reconciler);
}

/* The host was to have no power until it is swept, which nothing else has kept from running the guest. */
static void cut_power(struct reconciler *reconciler, const struct journal_leftover *leftover)
{
    struct journal_record record = { .kind = JOURNAL_EVENT };

    record.event = (struct journal_event){
        .key = ledger_key(&reconciler->ledger),
        .at_ms = controller_wall(reconciler),
        .kind = "alarm",
        .guest = leftover->guest,
        .host = leftover->host,
        .text = text_format(&reconciler->arena,
                            "it runs twice: the power of '%s', which was to stay off, is cut again",
                            leftover->host),
    };
    reconciler->leftovers = (struct leftovers){ .sweeping = *leftover };
    ledger_submit(&reconciler->ledger, &record, 1, on_cut_intended, reconciler);
}

/* Runs there for good, not on its way by somebody's migration. */
static bool runs_on(const struct observed_host *host, const char *uuid)
{
    const struct observed_guest *guest = host->reachable ? observed_find_guest(host, uuid) : NULL;

    return guest != NULL && guest->state == GUEST_RUNNING && guest->job == GUEST_JOB_NONE;
}

/* The guest really runs on both, nothing but the fence was to prevent that, and nobody holds the host. */
static bool is_to_be_cut(const struct reconciler *reconciler,
                         const struct journal_leftover *leftover)
{
    const struct observed *observed = &reconciler->snapshot.observed;
    const struct policy_host *own =
        policy_find_host(&reconciler->world.config->policy, leftover->host);
    bool elsewhere = false;

    for (size_t i = 0; i < observed->host_count; i++) {
        elsewhere |= strcmp(observed->hosts[i].name, leftover->host) != 0 &&
                     runs_on(&observed->hosts[i], leftover->uuid);
    }
    return leftover->protection == JOURNAL_PROTECTION_FENCED && elsewhere && own != NULL &&
           own->fenced && runs_on(observed_find_host(observed, leftover->host), leftover->uuid) &&
           ledger_find_hold(&reconciler->ledger, JOURNAL_SCOPE_HOST, leftover->host) == NULL &&
           ledger_find_hold(&reconciler->ledger, JOURNAL_SCOPE_FLEET, "") == NULL;
}

static const char *sweeping_text(const struct observed_guest *guest, bool gives)
{
    if (gives) {
        return "what was taken from it for a forced move that failed is given back";
    }
    return guest != NULL ? "the definition that a dead host had kept is removed"
                         : "the host does not have it any more";
}

static void sweep(struct reconciler *reconciler, const struct journal_leftover *leftover,
                  enum leftover_standing standing)
{
    const struct observed *observed = &reconciler->snapshot.observed;
    bool gives = standing == LEFTOVER_BEREFT;
    const struct observed_guest *guest =
        observed_find_guest(observed_find_host(observed, leftover->host), leftover->uuid);
    struct leftovers *left = &reconciler->leftovers;
    struct err ignored; /* It could not have been moved either. */

    if (standing == LEFTOVER_TWICE) {
        cut_power(reconciler, leftover);
        return;
    }
    *left = (struct leftovers){
        .sweeping = *leftover,
        .gives = gives,
        .text = sweeping_text(guest, gives),
    };
    if (moves_supplies_of(reconciler, leftover->guest, &left->supplies, &ignored) != 0) {
        left->supplies = (struct supply_list){ .count = 0 };
    }
    if (guest != NULL && !gives) {
        undefine(reconciler, guest);
    } else {
        take_next(reconciler);
    }
}

/* What is to be done about it now: told, noted, or (true) swept. */
static bool settle(struct reconciler *reconciler, const struct journal_leftover *leftover,
                   enum leftover_standing standing)
{
    struct arena *arena = &reconciler->arena;
    const char *guest = leftover->guest;
    const char *host = leftover->host;

    switch (standing) {
    case LEFTOVER_SILENT:
        if (leftover->protection == JOURNAL_PROTECTION_FENCED) {
            tell(reconciler, leftover,
                 text_format(arena,
                             "'%s' must stay without power: as it boots, libvirt would start '%s', "
                             "which runs on '%s'; let it boot without libvirt, and remove "
                             "/etc/libvirt/qemu/autostart/%s.xml there first",
                             host, guest, leftover->to, guest));
        }
        break;
    case LEFTOVER_NOWHERE:
        tell(reconciler, leftover,
             text_format(arena,
                         "'%s', which was dead, has '%s' shut off, and no host that answers has it "
                         "since it was started on '%s': it stays so; if it is certain to run "
                         "nowhere, start it on '%s' ('virsh start %s')",
                         host, guest, leftover->to, host, guest));
        break;
    case LEFTOVER_STANDING_COUNT:
        break;
    case LEFTOVER_RETURNED:
        note_cleared(reconciler, leftover, "it runs on the host that was dead, and nowhere else");
        break;
    case LEFTOVER_GONE:
    case LEFTOVER_SWEEP:
    case LEFTOVER_BEREFT:
        return is_due(reconciler, leftover);
    case LEFTOVER_TWICE:
        if (is_to_be_cut(reconciler, leftover)) {
            tell(reconciler, leftover,
                 text_format(arena,
                             "'%s' RUNS TWICE: '%s', which was to stay without power, has started "
                             "it; its power is cut again",
                             guest, host));
            return is_due(reconciler, leftover);
        }
        tell(reconciler, leftover,
             text_format(arena,
                         "'%s' RUNS TWICE: on '%s', which was dead, and elsewhere: neither is "
                         "touched; end the one on '%s' at once ('virsh destroy')",
                         guest, host, host));
        break;
    case LEFTOVER_DOUBTFUL:
        tell(reconciler, leftover,
             text_format(arena,
                         "'%s' runs on '%s', which was dead, and may run on '%s', where it was "
                         "started since: look at once",
                         guest, host, leftover->to));
        break;
    }
    return false;
}

/* A host that answers is not dead, whatever anybody said. */
static void withdraw_attests(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->ledger.attest_count; i++) {
        struct journal_record record = { .kind = JOURNAL_ATTEST,
                                         .attest = reconciler->ledger.attests[i] };
        const struct observed_host *host =
            observed_find_host(&reconciler->snapshot.observed, record.attest.host);

        if (host != NULL && host->reachable) {
            record.attest.withdrawn = true;
            controller_note(reconciler, &record, 1);
        }
    }
}

/* An open move decides for itself what of its guest stays on its hosts, and a forced one on all.  With any other
 * host a move may have to wait for what is left over there to be gone. */
static bool is_for_a_move(const struct ledger *ledger, const struct journal_leftover *leftover)
{
    for (size_t i = 0; i < ledger->move_count; i++) {
        const struct journal_move *move = &ledger->moves[i];

        if (strcmp(move->guest, leftover->guest) == 0 &&
            (move->mode == MOVE_FORCED || strcmp(move->from, leftover->host) == 0 ||
             strcmp(move->to, leftover->host) == 0)) {
            return true;
        }
    }
    return false;
}

bool leftovers_sweep_next(struct reconciler *reconciler)
{
    withdraw_attests(reconciler);
    for (size_t i = 0; i < reconciler->ledger.leftover_count; i++) {
        const struct journal_leftover *leftover = &reconciler->ledger.leftovers[i];

        enum leftover_standing standing;

        if (is_for_a_move(&reconciler->ledger, leftover)) {
            continue;
        }
        standing = leftover_judge(leftover, &reconciler->ledger, &reconciler->snapshot.observed);
        if (settle(reconciler, leftover, standing)) {
            sweep(reconciler, leftover, standing);
            return true;
        }
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/view.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "reconciler/config.h"
#include "reconciler/fallback.h"
#include "reconciler/hold.h"
#include "reconciler/ledger.h"
#include "reconciler/leftover.h"
#include "reconciler/retry.h"
#include "reconciler/source.h"
#include "reconciler/waiting.h"

static const struct observed_guest *mark_owed(struct arena *arena, const struct ledger *ledger,
                                              const struct observed_host *host)
{
    struct observed_guest *guests =
        ARENA_ARRAY(arena, struct observed_guest, host->guest_count + 1);

    for (size_t i = 0; i < host->guest_count; i++) {
        guests[i] = host->guests[i];
        guests[i].owed_start = ledger_find_owed(ledger, guests[i].uuid) != NULL;
    }
    return guests;
}

static void join_owed(struct arena *arena, const struct ledger *ledger, struct observed *observed)
{
    struct observed_host *hosts;

    if (ledger->owed_count == 0) {
        return;
    }
    hosts = ARENA_ARRAY(arena, struct observed_host, observed->host_count + 1);
    for (size_t i = 0; i < observed->host_count; i++) {
        hosts[i] = observed->hosts[i];
        hosts[i].guests = mark_owed(arena, ledger, &observed->hosts[i]);
    }
    observed->hosts = hosts;
}

/* What a dead host keeps of a guest that was started elsewhere is not the guest: nobody starts, moves or counts
 * it, nor what is remembered of it while the host is silent.  One that runs there is shown as it is. */
static bool is_left_over(const struct ledger *ledger, const struct observed_host *host,
                         const struct observed_guest *guest)
{
    const struct journal_leftover *leftover = ledger_find_leftover(ledger, guest->uuid, host->name);

    return (guest->state == GUEST_SHUTOFF || !host->reachable) && leftover != NULL &&
           !leftover_is_bereft(leftover);
}

static void hide_leftovers_of(struct arena *arena, const struct ledger *ledger,
                              struct observed_host *host)
{
    struct observed_guest *guests =
        ARENA_ARRAY(arena, struct observed_guest, host->guest_count + 1);
    size_t kept = 0;

    for (size_t i = 0; i < host->guest_count; i++) {
        if (!is_left_over(ledger, host, &host->guests[i])) {
            guests[kept++] = host->guests[i];
        }
    }
    host->guests = guests;
    host->guest_count = kept;
}

static void hide_leftovers(struct arena *arena, const struct ledger *ledger,
                           struct observed *observed)
{
    struct observed_host *hosts;

    if (ledger->leftover_count == 0) {
        return;
    }
    hosts = ARENA_ARRAY(arena, struct observed_host, observed->host_count + 1);
    for (size_t i = 0; i < observed->host_count; i++) {
        hosts[i] = observed->hosts[i];
        hide_leftovers_of(arena, ledger, &hosts[i]);
    }
    observed->hosts = hosts;
}

/* Whoever runs on a host that was dead may run twice: it is left alone until that is clear. */
static void exclude_returned(struct view *view, const struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->leftover_count; i++) {
        const struct journal_leftover *leftover = &ledger->leftovers[i];
        const struct observed_host *host = observed_find_host(&view->observed, leftover->host);

        if (host != NULL && host->reachable && !leftover_is_bereft(leftover) &&
            observed_find_guest(host, leftover->uuid) != NULL &&
            desired_find_guest(view->input.desired, leftover->guest) != DESIRED_NONE) {
            view_exclude(view, leftover->guest, PLAN_DUPLICATE,
                         "it runs on a host that was dead when it was started elsewhere");
        }
    }
}

static int compare_moves(const void *a, const void *b)
{
    const struct observed_move *left = a;
    const struct observed_move *right = b;

    return strcmp(left->guest, right->guest);
}

static void join_moves(struct arena *arena, const struct ledger *ledger, struct observed *observed)
{
    struct observed_move *moves = ARENA_ARRAY(arena, struct observed_move, ledger->move_count + 1);

    for (size_t i = 0; i < ledger->move_count; i++) {
        moves[i] = (struct observed_move){
            /* The observation outlives this reading of the journal. */
            .guest = arena_strdup(arena, ledger->moves[i].guest),
            .from = arena_strdup(arena, ledger->moves[i].from),
            .to = arena_strdup(arena, ledger->moves[i].to),
            .mode = ledger->moves[i].mode,
            .since_ms = ledger->moves[i].begun_ms,
        };
    }
    qsort(moves, ledger->move_count, sizeof(*moves), compare_moves);
    observed->in_flight = moves;
    observed->in_flight_count = ledger->move_count;
}

static enum plan_code code_of(enum err_code code)
{
    switch (code) {
    case ERR_UNSAFE:
        return PLAN_UNSAFE;
    case ERR_INCOMPATIBLE:
    case ERR_EXISTS:
    case ERR_NOT_FOUND:
        return PLAN_INCOMPATIBLE;
    case ERR_CANCELLED:
        return PLAN_HELD;
    case ERR_NONE:
    case ERR_INVALID:
    case ERR_CONFLICT:
    case ERR_BUSY:
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
    case ERR_IO:
    case ERR_FAILED:
    case ERR_DENIED:
    case ERR_REFUSED:
    case ERR_INTERNAL:
    case ERR_CODE_COUNT:
        break;
    }
    return PLAN_POLICY;
}

/* True if 'retry' keeps its guest out of the plan still: its time has not come, or nothing has changed of what made
 * it fail for good. */
static bool is_kept_out(struct arena *arena, const struct view *view, const struct config *config,
                        const struct journal_retry *retry)
{
    const char *wanted = desired_host_of(view->input.desired, retry->guest);
    bool off = retry_finds_off(&view->observed, retry->guest);
    char digest[DIGEST_TEXT_SIZE];

    if (wanted == NULL ||
        !retry_waits(retry, view->input.es_xml_sha256, off, &config->policy, view->now_ms)) {
        return false;
    }
    if (retry_until_ms(retry, off) != INT64_MAX) {
        return true;
    }
    view_facts_digest(arena, view, retry->guest, wanted, !retry_is_given_up(retry), digest);
    /* What a person has stopped waits for a person, whatever else changes. */
    return retry->code == ERR_CANCELLED || strcmp(digest, retry->observed_digest) == 0;
}

static struct plan_exclusion exclusion_of(struct arena *arena, const struct view *view,
                                          const struct journal_retry *retry)
{
    struct plan_exclusion exclusion = { .guest = retry->guest, .code = PLAN_BACKOFF };
    int64_t until_ms = retry_until_ms(retry, retry_finds_off(&view->observed, retry->guest));
    char duration[CLOCK_TEXT_SIZE];

    if (until_ms == INT64_MAX) {
        exclusion.code = retry_is_given_up(retry) ? PLAN_BACKOFF : code_of(retry->code);
        exclusion.reason =
            text_format(arena, "%s ('berth retry %s' tries again)", retry->reason, retry->guest);
        return exclusion;
    }
    clock_format_duration(until_ms - view->now_ms, duration);
    exclusion.reason = text_format(
        arena, "%s; tried %" PRIu32 " time%s, next try in %s ('berth retry %s' tries at once)",
        retry->reason, retry->attempts, retry->attempts == 1 ? "" : "s", duration, retry->guest);
    return exclusion;
}

void view_exclude(struct view *view, const char *guest, enum plan_code code, const char *reason)
{
    struct plan_exclusion *exclusions = view->exclusions;
    size_t count = view->input.exclusion_count;
    size_t at = count; /* They mostly come in order. */

    while (at > 0 && strcmp(exclusions[at - 1].guest, guest) > 0) {
        at--;
    }
    if (at > 0 && strcmp(exclusions[at - 1].guest, guest) == 0) {
        return;
    }
    assert(count < view->exclusion_capacity);
    memmove(&exclusions[at + 1], &exclusions[at], (count - at) * sizeof(*exclusions));
    exclusions[at] = (struct plan_exclusion){ .guest = guest, .code = code, .reason = reason };
    view->input.exclusion_count = count + 1;
}

static void exclude_retries(struct arena *arena, struct view *view, const struct ledger *ledger,
                            const struct config *config)
{
    for (size_t i = 0; i < ledger->retry_count; i++) {
        const struct journal_retry *retry = &ledger->retries[i];

        if (is_kept_out(arena, view, config, retry)) {
            struct plan_exclusion exclusion = exclusion_of(arena, view, retry);

            view_exclude(view, exclusion.guest, exclusion.code, exclusion.reason);
        }
    }
}

/* Everything but 'only' stays where it is. */
static void exclude_unasked(struct arena *arena, struct view *view, const struct desired *desired,
                            const char *only)
{
    const char *reason = text_format(arena, "not asked for: only '%s' is", only);

    for (size_t i = 0; i < desired->guest_count; i++) {
        if (strcmp(desired->guests[i].name, only) != 0) {
            view_exclude(view, desired->guests[i].name, PLAN_HELD, reason);
        }
    }
}

static int compare_hosts(const void *a, const void *b)
{
    return strcmp(((const struct policy_host *)a)->name, ((const struct policy_host *)b)->name);
}

void view_close_hosts(struct arena *arena, struct view *view, const char *const *names,
                      size_t count)
{
    const struct policy *policy = view->input.policy;
    struct policy_host *hosts =
        ARENA_ARRAY(arena, struct policy_host, policy->host_count + count + 1);
    size_t used = policy->host_count;

    if (used > 0) {
        memcpy(hosts, policy->hosts, used * sizeof(*hosts));
    }
    for (size_t i = 0; i < count; i++) {
        const struct policy_host *own = policy_find_host(policy, names[i]);

        if (own == NULL) {
            hosts[used++] = (struct policy_host){ .name = names[i], .maintenance = true };
        } else {
            hosts[own - policy->hosts].maintenance = true;
        }
    }
    if (used > 1) {
        qsort(hosts, used, sizeof(*hosts), compare_hosts);
    }
    view->policy = *policy;
    view->policy.hosts = hosts;
    view->policy.host_count = used;
    view->input.policy = &view->policy;
}

static bool is_on(const struct observed *observed, const char *host, const char *guest)
{
    const struct observed_host *found = observed_find_host(observed, host);

    return found != NULL && observed_find_guest_named(found, guest) != NULL;
}

static bool hold_concerns(const struct journal_hold *hold, const struct view *view,
                          const struct desired_guest *guest)
{
    switch (hold->scope) {
    case JOURNAL_SCOPE_FLEET:
        return true;
    case JOURNAL_SCOPE_HOST:
        return strcmp(view->input.desired->hosts[guest->host].name, hold->name) == 0 ||
               is_on(&view->observed, hold->name, guest->name);
    case JOURNAL_SCOPE_GUEST:
        return strcmp(guest->name, hold->name) == 0;
    case JOURNAL_SCOPE_COUNT:
        break;
    }
    return false;
}

/* A held host gives nobody away and takes nobody. */
static void exclude_held(struct arena *arena, struct view *view, const struct journal_hold *hold)
{
    const struct desired *desired = view->input.desired;
    const char *reason = hold_text(arena, hold);

    for (size_t i = 0; i < desired->guest_count; i++) {
        if (hold_concerns(hold, view, &desired->guests[i])) {
            view_exclude(view, desired->guests[i].name, PLAN_HELD, reason);
        }
    }
    if (hold->scope == JOURNAL_SCOPE_HOST) {
        view_close_hosts(arena, view, &hold->name, 1);
    }
}

static void join_ledger(struct arena *arena, struct view *view, const struct ledger *ledger,
                        const struct config *config)
{
    hide_leftovers(arena, ledger, &view->observed);
    exclude_returned(view, ledger);
    join_owed(arena, ledger, &view->observed);
    join_moves(arena, ledger, &view->observed);
    for (size_t i = 0; i < ledger->hold_count; i++) {
        exclude_held(arena, view, &ledger->holds[i]);
    }
    exclude_retries(arena, view, ledger, config);
    fallback_apply(arena, view, ledger);
}

void view_build(struct view *view, struct arena *arena, const struct revision *revision,
                const struct observed *observed, const struct ledger *ledger,
                const struct config *config, const char *only, int64_t now_ms)
{
    *view = (struct view){ .observed = *observed };
    view->input = (struct plan_input){
        .desired = &revision->desired,
        .observed = &view->observed,
        .policy = &config->policy,
        .es_xml_sha256 = revision->digest,
    };
    view->timetable = &config->timetable;
    config_policy_digest(config, view->policy_digest);
    view->now_ms = now_ms;
    view->exclusion_capacity = revision->desired.guest_count;
    view->exclusions = ARENA_ARRAY(arena, struct plan_exclusion, view->exclusion_capacity + 1);
    view->input.exclusions = view->exclusions;
    if (only != NULL) {
        exclude_unasked(arena, view, &revision->desired, only);
    }
    if (ledger != NULL) {
        join_ledger(arena, view, ledger, config);
    }
    waiting_exclude(arena, view);
}

struct plan view_plan(struct arena *arena, struct view *view)
{
    struct plan plan = plan_build(arena, &view->input);
    const char *objection;

    while (plan.move_count > 0 &&
           (objection = waiting_objection(arena, view, &plan.moves[0])) != NULL) {
        view_exclude(view, plan.moves[0].guest, PLAN_WINDOW, objection);
        plan = plan_build(arena, &view->input);
    }
    return plan;
}

void view_drop_unasked(struct plan *plan, const char *only)
{
    const struct plan_block *block = only == NULL ? NULL : plan_find_block(plan, only);

    if (block != NULL) {
        plan->blocked = block;
        plan->block_count = 1;
    } else if (only != NULL) {
        plan->block_count = 0;
    }
}

const char *const *view_hosts(struct arena *arena, const struct revision *revision,
                              const struct ledger *ledger, size_t *count)
{
    size_t moves = ledger == NULL ? 0 : ledger->move_count;
    size_t leftovers = ledger == NULL ? 0 : ledger->leftover_count;
    const char **names =
        ARENA_ARRAY(arena, const char *, revision->desired.host_count + 2 * moves + leftovers + 1);
    size_t used = 0;

    for (size_t i = 0; i < revision->desired.host_count; i++) {
        names[used++] = revision->desired.hosts[i].name;
    }
    for (size_t i = 0; i < moves; i++) {
        names[used++] = ledger->moves[i].from;
        names[used++] = ledger->moves[i].to;
    }
    for (size_t i = 0; i < leftovers; i++) {
        names[used++] = ledger->leftovers[i].host;
    }
    *count = text_sort_unique(names, used);
    return names;
}

static void print_guest(struct text *text, const struct observed_host *host,
                        const struct observed_guest *guest, bool with_state)
{
    text_printf(text, "guest %s %s %d %d %d %d %d %d %d %d %d %d %s %s\n", host->name, guest->uuid,
                with_state ? (int)guest->state : -1,
                !with_state || guest->state == GUEST_RUNNING ? 0 : (int)guest->reason,
                (int)guest->persistent, (int)guest->managed_save, (int)guest->has_nvram,
                (int)guest->has_tpm, (int)guest->snapshots, (int)guest->hostdevs,
                (int)guest->hugepage_kib, (int)guest->numa_nodes,
                guest->machine == NULL ? "-" : guest->machine,
                guest->cpu_mode == NULL ? "-" : guest->cpu_mode);
    if (guest->xml != NULL) {
        text_append(text, guest->xml);
    }
}

void view_facts_digest(struct arena *arena, const struct view *view, const char *guest,
                       const char *target, bool with_state, char hex[DIGEST_TEXT_SIZE])
{
    const struct observed *observed = &view->observed;
    const struct observed_host *host = observed_find_host(observed, target);
    struct text text = text_new(arena);

    text_printf(&text, "policy %s\n", view->policy_digest);
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_guest *found = observed_find_guest_named(&observed->hosts[i], guest);

        if (found != NULL) {
            print_guest(&text, &observed->hosts[i], found, with_state);
        }
    }
    if (host != NULL) {
        text_printf(&text, "target %s %d %" PRIu64 " %" PRIu64 " %zu %u %s\n", host->name,
                    (int)host->reachable, host->qemu_version, host->libvirt_version,
                    host->machine_count, host->numa_nodes,
                    host->cpu_fingerprint == NULL ? "-" : host->cpu_fingerprint);
        for (size_t i = 0; i < host->hugepage_count; i++) {
            text_printf(&text, "pages %" PRIu64 " %" PRIu64 "\n", host->hugepages[i].page_kib,
                        host->hugepages[i].total);
        }
    }
    digest_of(text.data, text.length, hex);
}

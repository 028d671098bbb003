/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "diff/capacity.h"
#include "diff/compat.h"
#include "diff/diff.h"
#include "diff/fleet.h"
#include "diff/obstacle.h"
#include "diff/schedule.h"
#include "diff/screen.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/quantity.h"

static const char *const code_names[PLAN_CODE_COUNT] = {
#define PLAN_CODE(name, text) [PLAN_##name] = text,
    PLAN_CODES
#undef PLAN_CODE
};

static const char *const method_names[PLAN_METHOD_COUNT] = {
    [PLAN_DIRECT] = "direct",
    [PLAN_EXACT] = "exact",
    [PLAN_HEURISTIC] = "heuristic",
};

/* Work space of plan_build(). */
struct planner {
    struct arena *arena;   /* Of the plan. */
    struct arena *scratch; /* Of what the plan is found with. */
    const struct plan_input *input;
    struct diff diff;
    struct fleet fleet;
    struct compat compat;
    struct plan_block *blocks; /* One at most for a guest of the file. */
    size_t block_count;
    const char **warnings;
    size_t warning_count;
};

static void warn(struct planner *planner, const char *text)
{
    planner->warnings[planner->warning_count++] = text;
}

static void warn_of_skipped_checks(struct planner *planner)
{
    for (size_t i = 0; i < COMPAT_CHECK_COUNT; i++) {
        size_t count = planner->compat.skipped[i];

        if (count > 0) {
            warn(planner,
                 text_format(planner->arena,
                             "check skipped for %zu guest%s: %s (not in the observation)", count,
                             count == 1 ? "" : "s", compat_check_name((enum compat_check)i)));
        }
    }
}

/* What the file asks of the hosts, in KiB, by account of the fleet. */
static uint64_t *sum_goals(struct planner *planner)
{
    const struct fleet *fleet = &planner->fleet;
    const struct plan_input *input = planner->input;
    uint64_t *goals = ARENA_ARRAY(planner->scratch, uint64_t, fleet_account_count(fleet));

    for (size_t i = 0; i < fleet->guest_count; i++) {
        const struct fleet_guest *guest = &fleet->guests[i];

        goals[fleet_account(fleet, guest->pool, guest->goal)] +=
            guest->seen != NULL
                ? guest->charge_kib
                : capacity_size_kib(input->policy, &input->desired->guests[i], NULL);
    }
    return goals;
}

static const char *silence_of(struct arena *arena, const struct observed_host *host)
{
    return host == NULL || host->error == NULL ? "" : text_format(arena, ": %s", host->error);
}

static void warn_of_memory(struct planner *planner, uint32_t pool, uint32_t host, uint64_t goal_kib)
{
    const struct fleet_memory *memory = fleet_memory(&planner->fleet, pool, host);
    const char *name = planner->fleet.hosts[host].name;
    const char *kind = quantity_pages_text(planner->arena, fleet_page_kib(&planner->fleet, pool));

    if (goal_kib > memory->limit_kib) {
        warn(planner, text_format(planner->arena, "the file puts %s on '%s', which may hold %s%s",
                                  quantity_size_text(planner->arena, goal_kib), name,
                                  quantity_size_text(planner->arena, memory->limit_kib), kind));
    }
    if (capacity_is_over(memory)) {
        warn(planner, text_format(planner->arena, "'%s' stays %s over its limit of %s%s", name,
                                  quantity_size_text(planner->arena,
                                                     memory->charged_kib - memory->limit_kib),
                                  quantity_size_text(planner->arena, memory->limit_kib), kind));
    }
}

static void warn_of_host(struct planner *planner, uint32_t index, const uint64_t *goals)
{
    const struct fleet_host *host = &planner->fleet.hosts[index];

    if (!host->reachable) {
        warn(planner, text_format(planner->arena, "'%s' does not answer%s", host->name,
                                  silence_of(planner->arena, host->seen)));
        return;
    }
    for (uint32_t pool = 0; pool < planner->fleet.pool_count; pool++) {
        warn_of_memory(planner, pool, index, goals[fleet_account(&planner->fleet, pool, index)]);
    }
    if (host->vcpu_file > host->vcpu_limit) {
        warn(planner,
             text_format(planner->arena, "the file puts %llu vCPUs on '%s', which may carry %llu",
                         (unsigned long long)host->vcpu_file, host->name,
                         (unsigned long long)host->vcpu_limit));
    }
}

/* Memory of single nodes is not counted: libvirt does not tell from outside who has how much of which. */
static void warn_of_bindings(struct planner *planner)
{
    size_t count = 0;

    for (size_t i = 0; i < planner->fleet.guest_count; i++) {
        const struct fleet_guest *guest = &planner->fleet.guests[i];

        count += guest->hops > 0 && guest->seen->numa_nodes > 0;
    }
    if (count > 0) {
        warn(planner,
             text_format(planner->arena,
                         "%zu guest%s that %s %s bound to NUMA nodes: the memory of single "
                         "nodes is not counted",
                         count, count == 1 ? "" : "s", count == 1 ? "moves" : "move",
                         count == 1 ? "is" : "are"));
    }
}

/* After the moves were made on the fleet: what they do not mend. */
static void collect_warnings(struct planner *planner)
{
    const uint64_t *goals = sum_goals(planner);

    warn_of_skipped_checks(planner);
    warn_of_bindings(planner);
    for (uint32_t h = 0; h < planner->fleet.host_count; h++) {
        warn_of_host(planner, h, goals);
    }
    text_sort(planner->warnings, planner->warning_count, sizeof(*planner->warnings));
}

/* For each step the next one that brings somebody to the host it leaves, or the count: by a walk from the
 * end. */
static size_t *find_followers(struct planner *planner, const struct schedule *schedule)
{
    size_t *followers = ARENA_ARRAY(planner->scratch, size_t, schedule->count);
    size_t *arrivals = ARENA_ARRAY(planner->scratch, size_t, planner->fleet.host_count);

    for (size_t h = 0; h < planner->fleet.host_count; h++) {
        arrivals[h] = schedule->count;
    }
    for (size_t i = schedule->count; i-- > 0;) {
        followers[i] = arrivals[schedule->steps[i].from];
        if (!schedule->steps[i].stop) {
            arrivals[schedule->steps[i].to] = i;
        }
    }
    return followers;
}

/* The guest that could not come to the host this step leaves while its guest is there, or NULL. */
static const struct fleet_guest *find_enabled(const struct planner *planner,
                                              const struct schedule *schedule, size_t index,
                                              const size_t *followers)
{
    const struct fleet *fleet = &planner->fleet;
    const struct trail_step *step = &schedule->steps[index];
    enum capacity_fit fit;
    bool crowded;
    uint32_t next;

    if (followers[index] == schedule->count) {
        return NULL;
    }
    next = schedule->steps[followers[index]].guest;
    fit = capacity_fit(fleet, next, step->from);
    crowded =
        fit == CAPACITY_NO_CPU ||
        (fit == CAPACITY_NO_MEMORY && fleet->guests[next].pool == fleet->guests[step->guest].pool);
    return next != step->guest && (crowded || fleet_are_rivals(fleet, next, step->guest))
               ? &fleet->guests[next]
               : NULL;
}

static bool has_fallen_back(const struct planner *planner, const char *guest)
{
    const struct policy_guest *own = policy_find_guest(planner->fleet.input->policy, guest);

    return own != NULL && own->fell_back;
}

static const char *reason_of(struct planner *planner, const struct trail_step *step,
                             const struct fleet_guest *enabled)
{
    const struct fleet *fleet = &planner->fleet;
    const struct fleet_guest *guest = &fleet->guests[step->guest];
    const struct fleet_host *source = &fleet->hosts[guest->at];
    const struct fleet_memory *left = fleet_memory_for(fleet, step->guest, guest->at);
    const char *for_now = step->to != guest->goal ? ", for now" : "";

    if (step->stop) {
        return text_format(
            planner->arena, "%s to make room on '%s'%s%s%s",
            guest->hops == 0 && guest->seen->state == GUEST_SHUTOFF ? "stays off" : "stopped early",
            source->name, enabled == NULL ? "" : " for '", enabled == NULL ? "" : enabled->name,
            enabled == NULL ? "" : "'");
    }
    if (guest->stopped) {
        return "the file puts it there, and it runs again";
    }
    if (guest->hops == 0 && capacity_is_over(left)) {
        return text_format(
            planner->arena, "brings '%s' down, which is %s over its limit%s", source->name,
            quantity_size_text(planner->arena, left->charged_kib - left->limit_kib), for_now);
    }
    if (step->to == guest->goal && guest->hops > 0) {
        return guest->origin == guest->goal ? "goes back to where the file puts it"
                                            : "goes on to where the file puts it";
    }
    if (enabled != NULL) {
        return text_format(planner->arena, "makes room on '%s' for '%s'%s", source->name,
                           enabled->name, for_now);
    }
    if (step->to == guest->goal && fleet_mode(fleet, step->guest) == MOVE_OFFLINE &&
        has_fallen_back(planner, guest->name)) {
        return "the file puts it there, and live it did not get there in time";
    }
    return step->to == guest->goal ? "the file puts it there" : "makes way for others, for now";
}

static struct plan_side side_of(const struct fleet_memory *memory, uint64_t during, uint64_t after)
{
    return (struct plan_side){
        .limit_kib = memory->limit_kib,
        .before_kib = memory->charged_kib,
        .during_kib = during,
        .after_kib = after,
    };
}

/* Makes one step on the fleet and writes it down with its proof. */
static struct plan_move make_move(struct planner *planner, const struct trail_step *step,
                                  const struct fleet_guest *enabled, uint32_t seq)
{
    struct fleet *fleet = &planner->fleet;
    const struct fleet_guest *guest = &fleet->guests[step->guest];
    const struct fleet_memory *source = fleet_memory_for(fleet, step->guest, guest->at);
    const struct fleet_memory *target = fleet_memory_for(fleet, step->guest, step->to);
    uint64_t kib = guest->charge_kib;
    uint64_t leaves = guest->stopped ? 0 : kib;
    uint64_t arrives = step->stop ? 0 : kib;
    struct plan_move move = {
        .seq = seq,
        .guest = guest->name,
        .uuid = guest->seen->uuid,
        .from = fleet->hosts[guest->at].name,
        .to = fleet->hosts[step->to].name,
        .mode = step->stop ? MOVE_STOP : fleet_mode(fleet, step->guest),
        .detour = step->to != guest->goal,
        .hugepage_kib = fleet_page_kib(fleet, guest->pool),
        .memory_kib = kib,
        .source = side_of(source, source->charged_kib, source->charged_kib - leaves),
        .target = side_of(target, target->charged_kib + arrives, target->charged_kib + arrives),
        .reason = reason_of(planner, step, enabled),
    };

    if (step->stop) {
        fleet_stop(fleet, step->guest);
    } else {
        fleet_move(fleet, step->guest, step->to);
    }
    return move;
}

static void add_moves(struct planner *planner, struct plan *plan, const struct schedule *schedule)
{
    struct plan_move *moves = ARENA_ARRAY(planner->arena, struct plan_move, schedule->count);
    const size_t *followers = find_followers(planner, schedule);

    for (size_t i = 0; i < schedule->count; i++) {
        moves[i] = make_move(planner, &schedule->steps[i],
                             find_enabled(planner, schedule, i, followers), (uint32_t)i + 1);
        plan->detours += moves[i].detour;
        plan->interruptions += moves[i].mode == MOVE_OFFLINE;
        plan->memory_kib += moves[i].memory_kib;
    }
    plan->moves = moves;
    plan->move_count = schedule->count;
}

static int compare_blocks(const void *a, const void *b)
{
    return strcmp(((const struct plan_block *)a)->guest, ((const struct plan_block *)b)->guest);
}

/* Explains, on the fleet as the moves leave it, every guest that no order was found for. */
static void block_the_rest(struct planner *planner)
{
    struct fleet *fleet = &planner->fleet;
    const struct obstacle_map *map = obstacle_map_new(planner->scratch, fleet);

    for (uint32_t i = 0; i < fleet->guest_count; i++) {
        if (fleet_is_left(fleet, i)) {
            planner->blocks[planner->block_count++] = obstacle_explain(planner->arena, map, i);
        }
    }
    if (planner->block_count > 1) {
        qsort(planner->blocks, planner->block_count, sizeof(*planner->blocks), compare_blocks);
    }
}

struct plan plan_build(struct arena *arena, const struct plan_input *input)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct planner planner = {
        .arena = arena,
        .scratch = &scratch,
        .input = input,
        .diff = diff_compute(&scratch, input->desired, input->observed),
    };
    struct plan plan = { .es_xml_sha256 = input->es_xml_sha256 };
    struct schedule schedule;

    planner.fleet = fleet_build(&scratch, input, &planner.diff);
    planner.compat = (struct compat){ .arena = arena, .fleet = &planner.fleet };
    planner.blocks = ARENA_ARRAY(arena, struct plan_block, planner.fleet.guest_count);
    planner.warnings = ARENA_ARRAY(
        arena, const char *,
        COMPAT_CHECK_COUNT + 1 + (1 + 2 * planner.fleet.pool_count) * planner.fleet.host_count);
    planner.block_count =
        screen_guests(arena, &planner.fleet, &planner.diff, &planner.compat, planner.blocks);
    schedule = schedule_find(&scratch, &planner.fleet, &planner.diff);
    add_moves(&planner, &plan, &schedule);
    if (schedule.left > 0 || planner.block_count > 0) {
        block_the_rest(&planner);
    }
    collect_warnings(&planner);
    plan.blocked = planner.blocks;
    plan.block_count = planner.block_count;
    plan.warnings = planner.warnings;
    plan.warning_count = planner.warning_count;
    plan.placed = planner.diff.counts[DIFF_PLACED];
    plan.bandwidth_mib_s = input->policy->bandwidth_mib_s;
    plan.complete = plan.block_count == 0;
    plan.method = schedule.method;
    /* Each misplaced guest must move once at least, so a complete direct plan cannot be shorter. */
    plan.optimal = schedule.proven || (plan.complete && plan.interruptions == 0 &&
                                       plan.move_count == planner.diff.counts[DIFF_MISPLACED]);
    return plan;
}

static int compare_exclusion(const void *name, const void *item)
{
    return strcmp(name, ((const struct plan_exclusion *)item)->guest);
}

const struct plan_exclusion *plan_find_exclusion(const struct plan_input *input, const char *guest)
{
    return input->exclusion_count == 0 ? NULL
                                       : bsearch(guest, input->exclusions, input->exclusion_count,
                                                 sizeof(*input->exclusions), compare_exclusion);
}

const struct plan_block *plan_find_block(const struct plan *plan, const char *guest)
{
    const struct plan_block key = { .guest = guest };

    return plan->block_count == 0 ? NULL
                                  : bsearch(&key, plan->blocked, plan->block_count,
                                            sizeof(*plan->blocked), compare_blocks);
}

const char *plan_code_name(enum plan_code code)
{
    assert(code < PLAN_CODE_COUNT);
    return code_names[code];
}

const char *plan_method_name(enum plan_method method)
{
    assert(method < PLAN_METHOD_COUNT);
    return method_names[method];
}

enum plan_code plan_code_from_name(const char *name)
{
    return (enum plan_code)text_index(code_names, PLAN_CODE_COUNT, name);
}

enum plan_method plan_method_from_name(const char *name)
{
    return (enum plan_method)text_index(method_names, PLAN_METHOD_COUNT, name);
}

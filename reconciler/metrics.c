/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "diff/diff.h"
#include "diff/estimate.h"
#include "diff/plan.h"
#include "model/observed.h"
#include "reconciler/drift.h"
#include "reconciler/event.h"
#include "reconciler/ledger.h"
#include "reconciler/status.h"

/* Upper bounds in thousandths, ascending; 0 ends a list that is not full. */
static const uint64_t duration_bounds[METRICS_BUCKETS_MAX] = {
    1000, 5000, 10000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000,
};
static const uint64_t downtime_bounds[METRICS_BUCKETS_MAX] = {
    10, 30, 50, 100, 200, 300, 500, 1000, 2000, 4000,
};
static const uint64_t pass_bounds[METRICS_BUCKETS_MAX] = {
    1, 5, 10, 50, 100, 500, 1000, 5000, 10000, 30000,
};
static const uint64_t error_bounds[METRICS_BUCKETS_MAX] = {
    50, 100, 200, 300, 500, 1000, 2000, 5000,
};

static size_t bound_count(const uint64_t bounds[METRICS_BUCKETS_MAX])
{
    size_t count = 0;

    while (count < METRICS_BUCKETS_MAX && bounds[count] != 0) {
        count++;
    }
    return count;
}

static void observe(struct metrics_histogram *histogram, const uint64_t bounds[METRICS_BUCKETS_MAX],
                    int64_t value)
{
    uint64_t milli = value < 0 ? 0 : (uint64_t)value;
    size_t i = 0;

    while (i < bound_count(bounds) && milli > bounds[i]) {
        i++;
    }
    histogram->counts[i]++;
    histogram->sum += milli;
}

void metrics_init(struct metrics *metrics, int64_t started_ms)
{
    *metrics = (struct metrics){ .started_ms = started_ms };
}

void metrics_deinit(struct metrics *metrics)
{
    arena_deinit(&metrics->promise_arena);
}

/* A plan is a value of its pass: what it says of its moves is kept here until it is replaced. */
static void keep_promises(struct metrics *metrics, const struct plan *plan)
{
    struct arena *arena = &metrics->promise_arena;

    arena_deinit(arena);
    metrics->promises = ARENA_ARRAY(arena, struct metrics_promise, plan->move_count);
    metrics->promise_count = plan->move_count;
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct plan_move *move = &plan->moves[i];

        metrics->promises[i] = (struct metrics_promise){
            .guest = arena_strdup(arena, move->guest),
            .to = arena_strdup(arena, move->to),
            .lasts_ms = estimate_move_ms(move->mode, move->memory_kib, plan->bandwidth_mib_s),
        };
    }
}

static int64_t promised_ms(const struct metrics *metrics, const struct journal_move *move)
{
    for (size_t i = 0; i < metrics->promise_count; i++) {
        const struct metrics_promise *promise = &metrics->promises[i];

        if (strcmp(promise->guest, move->guest) == 0 && strcmp(promise->to, move->to) == 0) {
            return promise->lasts_ms;
        }
    }
    return 0;
}

static void count_estimate(struct metrics *metrics, const struct journal_move *move,
                           int64_t elapsed_ms)
{
    bool foretold = move->predicted_ms > 0 && move->predicted_ms != INT64_MAX;
    int64_t promise_ms = foretold ? move->predicted_ms : promised_ms(metrics, move);
    int64_t took_ms = foretold ? move->total_ms : elapsed_ms;
    int64_t off_ms = took_ms > promise_ms ? took_ms - promise_ms : promise_ms - took_ms;

    if (promise_ms > 0) {
        observe(&metrics->estimate_errors, error_bounds,
                (int64_t)((double)off_ms / (double)promise_ms * 1000));
    }
}

static void count_move(struct metrics *metrics, const struct event *event)
{
    const struct journal_move *move = event->move;

    if (journal_move_is_restart(move)) {
        return;
    }
    metrics->moves[move->mode][move->state]++;
    metrics->move_bytes += move->bytes;
    if (move->state != JOURNAL_MOVE_DONE) {
        return;
    }
    observe(&metrics->move_durations, duration_bounds, event->elapsed_ms);
    count_estimate(metrics, move, event->elapsed_ms);
    if (move->mode == MOVE_LIVE && move->total_ms > 0) { /* Else its host did not report it. */
        observe(&metrics->downtimes, downtime_bounds, move->downtime_ms);
    }
}

void metrics_count(struct metrics *metrics, const struct event *event)
{
    switch (event->kind) {
    case EVENT_OBSERVED:
        metrics->passes++;
        break;
    case EVENT_PASS:
        observe(&metrics->pass_durations, pass_bounds, event->elapsed_ms);
        break;
    case EVENT_PLAN:
        metrics->plans++;
        keep_promises(metrics, event->plan);
        break;
    case EVENT_MOVE_END:
        count_move(metrics, event);
        break;
    case EVENT_RETRY:
        metrics->retries++;
        break;
    case EVENT_ALARM:
        metrics->alarms++;
        break;
    case EVENT_RELEASE:
        metrics->releases[event->err == NULL]++;
        break;
    case EVENT_JOURNAL_LOST:
        metrics->journal_errors++;
        break;
    case EVENT_FAULTS:
    case EVENT_FILE_VALID:
    case EVENT_FILE_POLLED:
    case EVENT_FOLLOWING:
    case EVENT_CONFIG_FAULTS:
    case EVENT_CONFIG_RESTART:
    case EVENT_NO_LOCKS:
    case EVENT_CONFIG_TAKEN:
    case EVENT_MOVE_BEGIN:
    case EVENT_MOVE_RESUME:
    case EVENT_STEP_BEGIN:
    case EVENT_STEP_END:
    case EVENT_STEP_SKIPPED:
    case EVENT_STEP_REFUSED:
    case EVENT_PROGRESS:
    case EVENT_FORECAST:
    case EVENT_MOVE_STUCK:
    case EVENT_DRIFT:
    case EVENT_DRIFT_OVER:
    case EVENT_ORDER:
    case EVENT_SWEPT:
        break;
    }
}

static void head(struct text *text, const char *name, const char *type, const char *help)
{
    text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: the format escapes a backslash, a quote and a line end. */
static void append_value(struct text *text, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n') {
            text_append(text, "\\n");
        } else {
            if (*c == '\\' || *c == '"') {
                text_append(text, "\\");
            }
            text_append_bytes(text, c, 1);
        }
    }
}

static void labelled(struct text *text, const char *name, const char *label, const char *value,
                     uint64_t number)
{
    text_printf(text, "%s{%s=\"", name, label);
    append_value(text, value);
    text_printf(text, "\"} %" PRIu64 "\n", number);
}

static void counter(struct text *text, const char *name, const char *help, uint64_t number)
{
    head(text, name, "counter", help);
    text_printf(text, "%s %" PRIu64 "\n", name, number);
}

static void gauge(struct text *text, const char *name, const char *help, uint64_t number)
{
    head(text, name, "gauge", help);
    text_printf(text, "%s %" PRIu64 "\n", name, number);
}

static void append_milli(struct text *text, uint64_t milli)
{
    text_printf(text, "%" PRIu64 ".%03" PRIu64, milli / 1000, milli % 1000);
}

static void histogram(struct text *text, const char *name, const char *help,
                      const struct metrics_histogram *histogram,
                      const uint64_t bounds[METRICS_BUCKETS_MAX])
{
    uint64_t count = 0;
    size_t bucket_count = bound_count(bounds);

    head(text, name, "histogram", help);
    for (size_t i = 0; i < bucket_count; i++) {
        count += histogram->counts[i];
        text_printf(text, "%s_bucket{le=\"", name);
        append_milli(text, bounds[i]);
        text_printf(text, "\"} %" PRIu64 "\n", count);
    }
    count += histogram->counts[bucket_count];
    text_printf(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, count, name);
    append_milli(text, histogram->sum);
    text_printf(text, "\n%s_count %" PRIu64 "\n", name, count);
}

static void write_moves(struct text *text, const struct metrics *metrics)
{
    head(text, "berth_moves_total", "counter", "Moves that ended, by mode and how.");
    for (enum move_mode mode = 0; mode < MOVE_MODE_COUNT; mode++) {
        for (enum journal_move_state state = 0; state < JOURNAL_MOVE_STATE_COUNT; state++) {
            if (state != JOURNAL_MOVE_OPEN) {
                text_printf(text, "berth_moves_total{mode=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                            op_mode_name(mode), journal_move_state_name(state),
                            metrics->moves[mode][state]);
            }
        }
    }
}

static void write_counts(struct text *text, const struct metrics *metrics)
{
    write_moves(text, metrics);
    counter(text, "berth_move_bytes_total", "Bytes that live moves sent, as hosts report it.",
            metrics->move_bytes);
    histogram(text, "berth_move_duration_seconds", "What moves that got there took.",
              &metrics->move_durations, duration_bounds);
    histogram(text, "berth_move_downtime_seconds",
              "How long guests stood still at the end of a live move, as hosts report it.",
              &metrics->downtimes, downtime_bounds);
    histogram(text, "berth_estimate_error_ratio",
              "How far off the estimate of a move was, as a part of the estimate.",
              &metrics->estimate_errors, error_bounds);
    counter(text, "berth_passes_total", "Looks at every host, and decisions made of them.",
            metrics->passes);
    histogram(text, "berth_pass_duration_seconds", "What a pass took.", &metrics->pass_durations,
              pass_bounds);
    counter(text, "berth_plans_total", "Plans that were made and followed.", metrics->plans);
    counter(text, "berth_retries_total", "Moves that failed and were put off or parked.",
            metrics->retries);
    counter(text, "berth_alarms_total", "Times that a person had to look at once.",
            metrics->alarms);
    head(text, "berth_releases_total", "counter",
         "Hosts and guests that were released after a boot, by how.");
    labelled(text, "berth_releases_total", "result", "done", metrics->releases[true]);
    labelled(text, "berth_releases_total", "result", "failed", metrics->releases[false]);
    counter(text, "berth_journal_errors_total", "Times that the journal could not be written.",
            metrics->journal_errors);
}

static void write_guests(struct text *text, const struct status *status)
{
    if (status->diff == NULL) {
        return;
    }
    head(text, "berth_guests", "gauge", "Guests by how they differ from the file.");
    for (enum diff_class class = 0; class < DIFF_CLASS_COUNT; class ++) {
        labelled(text, "berth_guests", "class", diff_class_name(class),
                 status->diff->counts[class]);
    }
}

static void write_blocked(struct text *text, const struct status *status)
{
    uint64_t counts[PLAN_CODE_COUNT] = { 0 };

    for (size_t i = 0; i < status->block_count; i++) {
        counts[status->blocked[i].code]++;
    }
    head(text, "berth_blocked_guests", "gauge", "Guests that are not moved, by why.");
    for (enum plan_code code = 0; code < PLAN_CODE_COUNT; code++) {
        labelled(text, "berth_blocked_guests", "code", plan_code_name(code), counts[code]);
    }
}

static void write_ledger(struct text *text, const struct ledger *ledger)
{
    uint64_t parked = 0;

    for (size_t i = 0; i < ledger->retry_count; i++) {
        parked += ledger->retries[i].next_ms == INT64_MAX ? 1 : 0;
    }
    gauge(text, "berth_backoff_guests", "Guests whose move failed and is tried again later.",
          ledger->retry_count - parked);
    gauge(text, "berth_parked_guests", "Guests whose move failed and is not tried by itself.",
          parked);
    gauge(text, "berth_open_moves", "Moves that have begun and have not ended.",
          ledger->move_count);
    gauge(text, "berth_owed_starts", "Guests that were stopped and must run again.",
          ledger->owed_count);
    gauge(text, "berth_holds", "Holds on guests, hosts and the fleet.", ledger->hold_count);
}

static void write_drift(struct text *text, const struct status *status)
{
    int64_t oldest_ms = status->at_ms;

    for (size_t i = 0; i < status->drift->count; i++) {
        int64_t since_ms = status->drift->items[i].since_ms;

        oldest_ms = since_ms < oldest_ms ? since_ms : oldest_ms;
    }
    gauge(text, "berth_drift_guests", "What differs although the file did not change.",
          status->drift->count);
    head(text, "berth_drift_age_seconds", "gauge", "Age of the oldest drift; 0 if there is none.");
    text_append(text, "berth_drift_age_seconds ");
    append_milli(text, (uint64_t)(status->at_ms - oldest_ms));
    text_append(text, "\n");
}

static uint64_t count_held(const struct observed_host *host)
{
    uint64_t count = 0;

    for (size_t i = 0; i < host->guest_count; i++) {
        count += host->guests[i].held ? 1 : 0;
    }
    return count;
}

static void write_hosts(struct text *text, const struct observed *observed)
{
    head(text, "berth_host_reachable", "gauge", "1 if the host answered when last asked.");
    for (size_t i = 0; i < observed->host_count; i++) {
        labelled(text, "berth_host_reachable", "host", observed->hosts[i].name,
                 observed->hosts[i].reachable ? 1 : 0);
    }
    head(text, "berth_host_held_guests", "gauge",
         "Guests that berth-guard keeps the host from starting.");
    for (size_t i = 0; i < observed->host_count; i++) {
        labelled(text, "berth_host_held_guests", "host", observed->hosts[i].name,
                 count_held(&observed->hosts[i]));
    }
    head(text, "berth_host_last_seen_timestamp_seconds", "gauge", "When the host last answered.");
    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];

        if (host->as_of_ms > 0) {
            labelled(text, "berth_host_last_seen_timestamp_seconds", "host", host->name,
                     (uint64_t)host->as_of_ms / 1000);
        }
    }
}

void metrics_write(struct text *text, const struct metrics *metrics, const struct status *status)
{
    head(text, "berth_build_info", "gauge", "1; the version is a label.");
    labelled(text, "berth_build_info", "version", BERTH_VERSION, 1);
    gauge(text, "process_start_time_seconds", "When the controller started.",
          (uint64_t)metrics->started_ms / 1000);
    gauge(text, "berth_desired_valid", "1 if es.xml, as it is now, can be acted on.",
          status->valid ? 1 : 0);
    write_counts(text, metrics);
    write_guests(text, status);
    write_blocked(text, status);
    if (status->ledger != NULL) {
        write_ledger(text, status->ledger);
    }
    if (status->drift != NULL) {
        write_drift(text, status);
    }
    if (status->observed != NULL) {
        write_hosts(text, status->observed);
    }
}

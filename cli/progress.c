/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "model/observed.h"
#include "reconciler/event.h"
#include "reconciler/journal/journal.h"

#define BAR_CELLS     24
#define PLAIN_LINE_MS 5000 /* Without a terminal, a line at most this often. */
#define MIB           (1024.0 * 1024.0)
#define RANGE_MAX     10 /* A range that is wider says nothing. */

static void clear_bar(struct progress *progress)
{
    if (progress->bar_shown) {
        (void)fputs("\r\033[K", stderr);
        progress->bar_shown = false;
    }
}

static void paint(const struct progress *progress, const char *code)
{
    if (progress->colour) {
        (void)fputs(code, stderr);
    }
}

/* A range where what the guest writes makes a difference. */
static void show_left(const struct progress *progress)
{
    int64_t least = gauge_left_ms(&progress->gauge);
    int64_t most = gauge_left_most_ms(&progress->gauge);
    char text[CLOCK_TEXT_SIZE];

    if (most == GAUGE_NEVER) {
        (void)fputs("  does not converge at this rate", stderr);
        return;
    }
    if (most / RANGE_MAX > least) {
        (void)fprintf(stderr, "  more than %s left", clock_format_duration(least, text));
        return;
    }
    (void)fprintf(stderr, "  %s", clock_format_duration(least, text));
    if (most > least + least / 4 + 1000) {
        (void)fprintf(stderr, "..%s", clock_format_duration(most, text));
    }
    (void)fputs(" left", stderr);
}

static void show_copy(const struct progress *progress, const struct actuator_progress *raw)
{
    (void)fprintf(stderr, "  %.0f MiB/s", progress->gauge.rate / MIB);
    if (raw->iteration > 1) {
        (void)fprintf(stderr, ", pass %" PRIu64 ", writes %.0f MiB/s", raw->iteration,
                      (double)raw->dirty_bytes_s / MIB);
    }
    if (raw->throttle_percent > 0) {
        (void)fprintf(stderr, ", slowed by %" PRIu32 " %%", raw->throttle_percent);
    }
    show_left(progress);
}

static void show_bar(struct progress *progress, const struct actuator_progress *raw)
{
    int filled = (int)(progress->gauge.fraction * BAR_CELLS);

    (void)fputs("\r      [", stderr);
    for (int i = 0; i < BAR_CELLS; i++) {
        (void)fputc(i < filled ? '#' : '.', stderr);
    }
    (void)fprintf(stderr, "] %3d %%  %-10s", (int)(progress->gauge.fraction * 100),
                  gauge_phase_name(raw->phase));
    if (gauge_left_ms(&progress->gauge) >= 0) {
        show_copy(progress, raw);
    }
    (void)fputs("\033[K", stderr);
    progress->bar_shown = true;
}

static void show_plain(struct progress *progress, const struct actuator_progress *raw)
{
    if (raw->elapsed_ms - progress->last_line_ms < PLAIN_LINE_MS) {
        return;
    }
    progress->last_line_ms = raw->elapsed_ms;
    (void)fprintf(stderr, "      %s: %d %%", gauge_phase_name(raw->phase),
                  (int)(progress->gauge.fraction * 100));
    if (gauge_left_ms(&progress->gauge) >= 0) {
        (void)fputc(',', stderr);
        show_copy(progress, raw);
    }
    (void)fputc('\n', stderr);
}

static void on_progress(struct progress *progress, const struct actuator_progress *raw)
{
    gauge_feed(&progress->gauge, raw);
    if (raw->phase == ACTUATOR_PHASE_WAIT) {
        return;
    }
    if (progress->terminal) {
        show_bar(progress, raw);
    } else {
        show_plain(progress, raw);
    }
}

static void on_move_begin(struct progress *progress, const struct event *event)
{
    const struct journal_move *move = event->move;

    gauge_reset(&progress->gauge);
    progress->last_line_ms = 0;
    progress->told[0] = '\0';
    if (event->kind == EVENT_MOVE_RESUME) {
        (void)fprintf(stderr,
                      "%s: an earlier run left its move from %s to %s (%s) open: settling it\n",
                      move->guest, move->from, move->to, op_mode_name(move->mode));
    } else if (journal_move_is_restart(move)) {
        (void)fprintf(stderr, "%s: was stopped earlier and must run: starting it on %s\n",
                      move->guest, move->from);
    } else {
        (void)fprintf(stderr, "[%zu/%zu] %s: %s -> %s, %s%s%s\n", event->number, event->total,
                      move->guest, move->from, move->to, op_mode_name(move->mode),
                      move->fallback ? " (its fallback: live it was not done in time)" : "",
                      move->detour ? " (on its way: a temporary host)" : "");
    }
}

static const char *step_sentence(enum op_kind op)
{
    static const char *const sentences[OP_KIND_COUNT] = {
        [OP_PREFLIGHT] = "check both hosts",
        [OP_MIGRATE] = "migrate from",
        [OP_ADOPT] = "follow the migration that runs on",
        [OP_STOP] = "shut the guest down on",
        [OP_DEFINE] = "define it on",
        [OP_UNDEFINE] = "remove its definition from",
        [OP_AUTOSTART] = "set autostart on",
        [OP_START] = "start it on",
        [OP_RESUME] = "let it run on, on",
        [OP_DESTROY] = "end the paused leftover on",
        [OP_PROVIDE] = "provide what it needs on",
        [OP_WITHDRAW] = "withdraw what it needed on",
        [OP_FENCE] = "cut the power of",
        [OP_RELEASE] = "let guests start on",
    };

    return sentences[op];
}

/* "CREATE_BRIDGES: provide its bridges on"; of operations that the procedure has no name for without one. */
static const char *step_words(struct arena *arena, const struct event *event)
{
    static const char *const things[SUPPLY_KIND_COUNT] = {
        [SUPPLY_BRIDGE] = "bridges",
        [SUPPLY_NAT_BRIDGE] = "NAT bridges",
        [SUPPLY_INTERFACE] = "interfaces",
        [SUPPLY_VOLUME] = "volumes",
        [SUPPLY_CONFIG] = "configuration volume",
        [SUPPLY_POOL] = "storage pools",
        [SUPPLY_STATE] = "state",
    };
    const char *thing = things[event->supply];
    const char *words =
        thing == NULL               ? step_sentence(event->op)
        : event->op == OP_PREFLIGHT ? text_format(arena, "prove that its %s are the same", thing)
        : event->op == OP_PROVIDE   ? text_format(arena, "provide its %s on", thing)
                                    : text_format(arena, "withdraw its %s from", thing);

    return event->step == NULL ? words : text_format(arena, "%s: %s", event->step, words);
}

static bool is_plain_step(enum op_kind op)
{
    return op != OP_PREFLIGHT && op != OP_MIGRATE && op != OP_AUTOSTART;
}

/* A terminal's line is finished when the step ends; elsewhere each is a line of its own. */
static void on_step_begin(struct progress *progress, const struct event *event)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    if (!is_plain_step(event->op) || (!progress->terminal && event->step == NULL)) {
        return;
    }
    clear_bar(progress);
    (void)fprintf(stderr, "      %s %s ...%s", step_words(&arena, event), event->host,
                  progress->terminal ? "" : "\n");
    progress->bar_shown = progress->terminal;
}

static void on_step_end(struct progress *progress, const struct event *event)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char took[CLOCK_TEXT_SIZE];

    clear_bar(progress);
    if (event->err != NULL) {
        (void)fprintf(stderr, "      %s%s%s: %s\n", step_words(&arena, event),
                      event->op == OP_PREFLIGHT ? "" : " ",
                      event->op == OP_PREFLIGHT ? "" : event->host,
                      text_visible(&arena, event->err->text));
        (void)snprintf(progress->told, sizeof(progress->told), "%s", event->err->text);
    } else if (is_plain_step(event->op)) {
        (void)fprintf(stderr, "      %s %s: %s%s%s%s\n", step_words(&arena, event), event->host,
                      clock_format_duration(event->elapsed_ms, took),
                      event->note == NULL ? "" : " (",
                      event->note == NULL ? "" : text_visible(&arena, event->note),
                      event->note == NULL ? "" : ")");
    }
}

/* 'how': "skipped" or "refused". */
static void on_step_passed_over(struct progress *progress, const struct event *event,
                                const char *how)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    clear_bar(progress);
    (void)fprintf(stderr, "      %s: %s, %s\n", event->step, how,
                  text_visible(&arena, event->text));
}

/* The step that failed has said why already. */
static bool is_told(const struct progress *progress, const struct journal_move *move)
{
    return move->error_text == NULL || strcmp(progress->told, move->error_text) == 0;
}

static void on_move_end(struct progress *progress, const struct event *event)
{
    const struct journal_move *move = event->move;
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *error = text_visible(&arena, move->error_text == NULL ? "" : move->error_text);
    char took[CLOCK_TEXT_SIZE];

    clear_bar(progress);
    (void)clock_format_duration(event->elapsed_ms, took);
    if (move->state != JOURNAL_MOVE_DONE) {
        paint(progress, "\033[31m");
        (void)fprintf(stderr, "      %s after %s%s%s\n", journal_move_state_name(move->state), took,
                      is_told(progress, move) ? "" : ": ", is_told(progress, move) ? "" : error);
        paint(progress, "\033[0m");
        return;
    }
    paint(progress, "\033[32m");
    (void)fprintf(stderr, "      done in %s", took);
    paint(progress, "\033[0m");
    if (move->downtime_ms > 0) {
        (void)fprintf(stderr, ", paused for %" PRId64 " ms", move->downtime_ms);
    }
    if (move->bytes > 0) {
        (void)fprintf(stderr, ", %.0f MiB copied", (double)move->bytes / MIB);
    }
    (void)fprintf(stderr, "%s%s\n", move->error_text == NULL ? "" : "; but: ", error);
}

static void on_observed(struct progress *progress, const struct event *event)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t i = 0; !progress->hosts_told && i < event->observed->host_count; i++) {
        const struct observed_host *host = &event->observed->hosts[i];

        if (!host->reachable) {
            (void)fprintf(stderr, "host %s is not reachable: %s\n", host->name,
                          text_visible(&arena, host->error));
        }
    }
    progress->hosts_told = true;
}

static void on_forecast(struct progress *progress, const struct event *event)
{
    clear_bar(progress);
    (void)fprintf(stderr, "      %s\n", event->text);
}

static void on_retry(struct progress *progress, const struct event *event)
{
    char wait[CLOCK_TEXT_SIZE];

    clear_bar(progress);
    if (event->wait_ms < 0) {
        (void)fprintf(stderr,
                      "      %s stays as it is until something changes; 'berth retry %s' "
                      "tries again\n",
                      event->guest, event->guest);
    } else if (event->wait_ms == 0) {
        (void)fprintf(stderr, "      %s falls back now\n", event->guest);
    } else {
        (void)fprintf(stderr, "      %s may be tried again in %s; 'berth retry %s' tries at once\n",
                      event->guest, clock_format_duration(event->wait_ms, wait), event->guest);
    }
}

static void on_warning(struct progress *progress, const char *word, const char *subject,
                       const char *text)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    clear_bar(progress);
    paint(progress, "\033[1;31m");
    (void)fprintf(stderr, "%s: %s%s%s", word, subject == NULL ? "" : subject,
                  subject == NULL ? "" : ": ", text_visible(&arena, text));
    paint(progress, "\033[0m");
    (void)fputc('\n', stderr);
}

static void on_release(struct progress *progress, const struct event *event)
{
    const char *subject = event->guest != NULL ? event->guest : event->host;

    if (event->err != NULL) {
        on_warning(progress, "NOT RELEASED", subject, event->err->text);
        return;
    }
    clear_bar(progress);
    (void)fprintf(stderr, "%s has booted: %s%s may start\n", event->host,
                  event->guest == NULL ? "its guests" : "", event->guest == NULL ? "" : subject);
}

static void on_swept(struct progress *progress, const struct event *event)
{
    clear_bar(progress);
    (void)fprintf(stderr, "%s on %s: %s\n", event->guest, event->host, event->text);
}

struct progress progress_new(void)
{
    return (struct progress){
        .terminal = cli_is_terminal(STDERR_FILENO),
        .colour = cli_has_colour(STDERR_FILENO),
    };
}

void progress_show(struct progress *progress, const struct event *event)
{
    switch (event->kind) {
    case EVENT_OBSERVED:
        on_observed(progress, event);
        break;
    case EVENT_MOVE_BEGIN:
    case EVENT_MOVE_RESUME:
        on_move_begin(progress, event);
        break;
    case EVENT_STEP_BEGIN:
        on_step_begin(progress, event);
        break;
    case EVENT_STEP_END:
        on_step_end(progress, event);
        break;
    case EVENT_STEP_SKIPPED:
        on_step_passed_over(progress, event, "skipped");
        break;
    case EVENT_STEP_REFUSED:
        on_step_passed_over(progress, event, "refused");
        break;
    case EVENT_PROGRESS:
        on_progress(progress, event->progress);
        break;
    case EVENT_FORECAST:
        on_forecast(progress, event);
        break;
    case EVENT_MOVE_END:
        on_move_end(progress, event);
        break;
    case EVENT_MOVE_STUCK:
        on_warning(progress, "UNCLEAR", event->guest, event->text);
        break;
    case EVENT_RETRY:
        on_retry(progress, event);
        break;
    case EVENT_RELEASE:
        on_release(progress, event);
        break;
    case EVENT_SWEPT:
        on_swept(progress, event);
        break;
    case EVENT_ALARM:
        on_warning(progress, "ALARM", event->guest, event->text);
        break;
    case EVENT_NO_LOCKS:
        on_warning(progress, "WARNING", NULL, event->text);
        break;
    case EVENT_DRIFT:
        on_warning(progress, "DRIFT", event->guest, event->text);
        break;
    case EVENT_JOURNAL_LOST:
        on_warning(progress, "STOPPED", NULL, event->err->text);
        break;
    case EVENT_FILE_VALID: /* Of who follows the file. */
    case EVENT_FILE_POLLED:
    case EVENT_FOLLOWING:
    case EVENT_CONFIG_FAULTS:
    case EVENT_CONFIG_RESTART:
    case EVENT_CONFIG_TAKEN:
    case EVENT_FAULTS: /* Shown by the command, which knows the file. */
    case EVENT_PASS:
    case EVENT_PLAN:
    case EVENT_DRIFT_OVER:
    case EVENT_ORDER:
        break;
    }
    (void)fflush(stderr);
}

void progress_end(struct progress *progress)
{
    clear_bar(progress);
    (void)fflush(stderr);
}

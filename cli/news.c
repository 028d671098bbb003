/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/news.h"

#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "cli/document.h"
#include "cli/page.h"
#include "reconciler/gauge.h"

struct kind {
    const char *name;
    enum event_kind kind;
};

static const struct kind kinds[] = {
    { "observed", EVENT_OBSERVED },
    { "move-begin", EVENT_MOVE_BEGIN },
    { "move-resume", EVENT_MOVE_RESUME },
    { "step-begin", EVENT_STEP_BEGIN },
    { "step", EVENT_STEP_END },
    { "step-skipped", EVENT_STEP_SKIPPED },
    { "step-refused", EVENT_STEP_REFUSED },
    { "progress", EVENT_PROGRESS },
    { "forecast", EVENT_FORECAST },
    { "move-end", EVENT_MOVE_END },
    { "move-unclear", EVENT_MOVE_STUCK },
    { "parked", EVENT_RETRY },
    { "backoff", EVENT_RETRY },
    { "alarm", EVENT_ALARM },
    { "drift", EVENT_DRIFT },
    { "released", EVENT_RELEASE },
    { "release-failed", EVENT_RELEASE },
    { "swept", EVENT_SWEPT },
    { "journal-lost", EVENT_JOURNAL_LOST },
};

static uint64_t amount(const struct json_t *object, const char *name)
{
    int64_t value = document_number(object, name);

    return value > 0 ? (uint64_t)value : 0;
}

/* Members of 'move' that progress shows. */
static bool read_move(struct arena *arena, const struct json_t *move, struct news *news)
{
    struct journal_move *to = &news->move;
    const char *mode = document_string(arena, move, "mode");
    const char *state = document_string(arena, move, "state");

    to->guest = document_string(arena, move, "guest");
    to->from = document_string(arena, move, "from");
    to->to = document_string(arena, move, "to");
    if (to->guest == NULL || to->from == NULL || to->to == NULL || mode == NULL || state == NULL) {
        return false;
    }
    to->mode = op_mode_from_name(mode);
    to->state = journal_move_state_from_name(state);
    to->detour = text_equal(document_string(arena, move, "hop"), "detour");
    to->fallback = document_flag(move, "fallback");
    to->error_text = document_string(arena, move, "text");
    to->downtime_ms = document_number(move, "downtime_ms");
    to->bytes = amount(move, "bytes");
    news->event.move = to;
    return to->mode < MOVE_MODE_COUNT && to->state < JOURNAL_MOVE_STATE_COUNT;
}

static bool read_step(struct arena *arena, const struct json_t *root, struct news *news)
{
    const char *op = document_string(arena, root, "op");
    const char *result = document_string(arena, root, "result");
    const char *supply = document_string(arena, root, "supply");

    if (op == NULL || news->event.host == NULL) {
        return false;
    }
    news->event.op = op_kind_from_name(op);
    news->event.supply = supply == NULL ? SUPPLY_NONE : supply_kind_from_name(supply);
    if (news->event.supply == SUPPLY_KIND_COUNT) { /* Of a later version. */
        news->event.supply = SUPPLY_NONE;
    }
    if (news->event.kind == EVENT_STEP_END && !text_equal(result, "done")) {
        news->event.err = &news->err;
    }
    return news->event.op < OP_KIND_COUNT;
}

static bool read_progress(struct arena *arena, const struct json_t *root, struct news *news)
{
    struct actuator_progress *progress = &news->progress;
    const char *phase = document_string(arena, root, "phase");

    for (enum actuator_phase i = ACTUATOR_PHASE_SETUP; i <= ACTUATOR_PHASE_WAIT; i++) {
        if (text_equal(phase, gauge_phase_name(i))) {
            progress->phase = i;
            news->event.progress = progress;
        }
    }
    progress->elapsed_ms = document_number(root, "elapsed_ms");
    progress->total_bytes = amount(root, "total_bytes");
    progress->remaining_bytes = amount(root, "remaining_bytes");
    progress->rate_bytes_s = amount(root, "rate_bytes_s");
    progress->dirty_bytes_s = amount(root, "dirty_bytes_s");
    progress->written_bytes_s = amount(root, "written_bytes_s");
    progress->iteration = amount(root, "iteration");
    progress->throttle_percent = (uint32_t)amount(root, "throttle_percent");
    return news->event.progress != NULL;
}

static void read_hosts(struct arena *arena, const struct json_t *root, struct news *news)
{
    size_t count = document_count(root, "unreachable");
    struct observed_host *hosts = ARENA_ARRAY(arena, struct observed_host, count + 1);

    for (size_t i = 0; i < count; i++) {
        const struct json_t *host = document_item(root, "unreachable", i);
        const char *name = document_string(arena, host, "host");
        const char *text = document_string(arena, host, "text");

        hosts[i].name = name == NULL ? "?" : name;
        hosts[i].error = text == NULL ? "" : text;
    }
    news->observed.hosts = hosts;
    news->observed.host_count = count;
    news->event.observed = &news->observed;
}

static bool is_of_move(enum event_kind kind)
{
    return kind == EVENT_MOVE_BEGIN || kind == EVENT_MOVE_RESUME || kind == EVENT_FORECAST ||
           kind == EVENT_MOVE_END || kind == EVENT_MOVE_STUCK;
}

static bool read_details(struct arena *arena, const struct json_t *root, struct news *news)
{
    enum event_kind kind = news->event.kind;

    if (is_of_move(kind)) {
        return read_move(arena, document_object(root, "move"), news);
    }
    if (kind == EVENT_STEP_BEGIN || kind == EVENT_STEP_END) {
        return read_step(arena, root, news);
    }
    if (kind == EVENT_PROGRESS) {
        return read_progress(arena, root, news);
    }
    if (kind == EVENT_OBSERVED) {
        read_hosts(arena, root, news);
    } else if (kind == EVENT_JOURNAL_LOST) {
        news->event.err = &news->err;
    } else if (kind == EVENT_RELEASE) {
        news->event.err = *news->event.text == '\0' ? NULL : &news->err;
        return news->event.host != NULL;
    }
    if (kind == EVENT_SWEPT) {
        return news->event.host != NULL && news->event.guest != NULL;
    }
    if (kind == EVENT_STEP_SKIPPED || kind == EVENT_STEP_REFUSED) {
        return news->event.step != NULL;
    }
    return kind != EVENT_RETRY || news->event.guest != NULL;
}

bool news_read(struct arena *arena, const char *name, const struct document *data,
               struct news *news)
{
    const struct json_t *root = data->root;
    size_t i = 0;

    while (i < ARRAY_LEN(kinds) && strcmp(kinds[i].name, name) != 0) {
        i++;
    }
    if (i == ARRAY_LEN(kinds)) {
        return false;
    }
    *news = (struct news){ .event = { .kind = kinds[i].kind } };
    news->event.guest = document_string(arena, root, "guest");
    news->event.host = document_string(arena, root, "host");
    news->event.text = document_string(arena, root, "text");
    news->event.text = news->event.text == NULL ? "" : news->event.text;
    news->event.step = document_string(arena, root, "step");
    news->event.note = document_string(arena, root, "note");
    news->event.number = amount(root, "number");
    news->event.total = amount(root, "total");
    news->event.elapsed_ms = document_number(root, "elapsed_ms");
    news->event.wait_ms = document_number(root, "wait_ms");
    (void)err_set(&news->err, ERR_FAILED, "%s", news->event.text);
    return read_details(arena, root, news);
}

bool news_is_worth_a_line(const char *name)
{
    static const char *const silent[] = { "progress", "observed", "pass", "step-begin" };

    return text_index(silent, ARRAY_LEN(silent), name) == ARRAY_LEN(silent);
}

static const char *or_nothing(const char *value)
{
    return value == NULL ? "" : value;
}

/* What the event is about, in words of its own kind. */
static const char *subject_of(struct arena *arena, const struct json_t *root)
{
    const struct json_t *move = document_object(root, "move");
    const char *op = document_string(arena, root, "op");
    const char *verb = document_string(arena, root, "verb");
    const char *guest = document_string(arena, root, "guest");
    const char *state = document_string(arena, move, "state");

    if (move != NULL) {
        return text_format(arena, "%s%s%s", page_move(arena, move),
                           text_equal(state, "open") ? "" : ": ",
                           text_equal(state, "open") ? "" : or_nothing(state));
    }
    if (op != NULL) {
        return text_format(arena, "%s on %s: %s", op,
                           or_nothing(document_string(arena, root, "host")),
                           or_nothing(document_string(arena, root, "result")));
    }
    if (verb != NULL) {
        const char *name = document_string(arena, root, "name");

        return text_format(arena, "%s %s by %s", verb, name == NULL ? "the fleet" : name,
                           or_nothing(document_string(arena, root, "user")));
    }
    if (document_is_number(root, "moves")) {
        return text_format(arena, "%lld moves, %lld blocked",
                           (long long)document_number(root, "moves"),
                           (long long)document_number(root, "blocked"));
    }
    return guest != NULL ? guest : or_nothing(document_string(arena, root, "host"));
}

static const char *why(struct arena *arena, const struct json_t *root)
{
    const char *text = document_string(arena, root, "text");
    const char *reason = document_string(arena, root, "reason");
    const char *of_move = document_string(arena, document_object(root, "move"), "text");
    const char *of_file = document_string(arena, document_item(root, "faults", 0), "text");

    return text != NULL ? text : reason != NULL ? reason : of_move != NULL ? of_move : of_file;
}

const char *news_line(struct arena *arena, const char *name, const struct document *data)
{
    const char *at = document_string(arena, data->root, "at");
    const char *subject = subject_of(arena, data->root);
    const char *reason = why(arena, data->root);

    return text_format(arena, "%s  %-12s  %s%s%s", or_nothing(at), text_visible(arena, name),
                       subject, *subject == '\0' || reason == NULL ? "" : ": ", or_nothing(reason));
}

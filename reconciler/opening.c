/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/opening.h"

#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "reconciler/timetable.h"

#define NEVER INT64_MAX

/* Openings that follow each other without a gap are one, of at most so many. */
#define JOINED_MAX 2000

/* How often it opens and closes, at most, on the way to a start that is looked for. */
#define CHANGES_MAX 60

#define GATES_MAX 3 /* Of guest or fleet, and both hosts. */

/* What has a say in a move. */
struct question {
    const struct timetable *timetable;
    const struct opening_move *move;
    const struct timetable_gate *gates[GATES_MAX];
    size_t gate_count;
};

/* How it stands at an instant, until when, and because of what: a window, or else a blackout. */
struct span {
    bool open;
    int64_t until_ms; /* NEVER: it stays so. */
    const struct timetable_gate *gate;
    const struct timetable_window *window;
    const struct timetable_blackout *blackout;
};

/* The end of an opening of 'window' that 'at_ms' is in, or 'at_ms'. */
static int64_t opening_end(const struct timetable_window *window, int64_t at_ms)
{
    int64_t begin_ms;

    return calendar_next(&window->opens, at_ms - window->lasts_ms, &begin_ms) && begin_ms <= at_ms
               ? begin_ms + window->lasts_ms
               : at_ms;
}

/* Follows openings from 'span->until_ms' on, until they have lasted 'enough_ms'. */
static void join_openings(const struct timetable_gate *gate, int64_t at_ms, int64_t enough_ms,
                          struct span *span)
{
    for (int joined = 0; joined < JOINED_MAX; joined++) {
        int64_t begun_ms = span->until_ms;

        for (size_t i = 0; i < gate->count; i++) {
            int64_t end_ms = opening_end(gate->windows[i], begun_ms);

            if (end_ms > span->until_ms) {
                span->until_ms = end_ms;
                span->window = gate->windows[i];
            }
        }
        if (span->until_ms == begun_ms || span->until_ms - at_ms > enough_ms) {
            return;
        }
    }
}

static struct span look_at_gate(const struct timetable_gate *gate, int64_t at_ms, int64_t enough_ms)
{
    struct span span = { .until_ms = at_ms, .gate = gate };

    join_openings(gate, at_ms, enough_ms, &span);
    span.open = span.until_ms > at_ms;
    if (span.open) {
        return span;
    }
    span.until_ms = NEVER;
    span.window = gate->windows[0];
    for (size_t i = 0; i < gate->count; i++) {
        int64_t begin_ms;

        if (calendar_next(&gate->windows[i]->opens, at_ms, &begin_ms) && begin_ms < span.until_ms) {
            span.until_ms = begin_ms;
            span.window = gate->windows[i];
        }
    }
    return span;
}

static bool is_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool concerns(const struct timetable_blackout *blackout, const struct opening_move *move)
{
    const struct timetable_scope *scope = &blackout->scope;

    return (scope->fleet && move->guest != NULL) ||
           is_listed(scope->guests, scope->guest_count, move->guest) ||
           is_listed(scope->hosts, scope->host_count, move->from) ||
           is_listed(scope->hosts, scope->host_count, move->to);
}

/* Cuts 'span', which is open, short by the blackouts; one that is on closes it. */
static void look_at_blackouts(const struct question *question, int64_t at_ms, struct span *span)
{
    for (size_t i = 0; i < question->timetable->blackout_count; i++) {
        const struct timetable_blackout *blackout = &question->timetable->blackouts[i];

        if (blackout->until_ms <= at_ms || !concerns(blackout, question->move)) {
            continue;
        }
        if (blackout->from_ms <= at_ms) {
            *span = (struct span){ .until_ms = blackout->until_ms, .blackout = blackout };
            return;
        }
        if (blackout->from_ms < span->until_ms) {
            *span =
                (struct span){ .open = true, .until_ms = blackout->from_ms, .blackout = blackout };
        }
    }
}

static struct span look(const struct question *question, int64_t at_ms)
{
    struct span span = { .open = true, .until_ms = NEVER };

    for (size_t i = 0; i < question->gate_count; i++) {
        struct span one = look_at_gate(question->gates[i], at_ms, question->move->lasts_ms);

        if (!one.open) {
            return one;
        }
        span = one.until_ms < span.until_ms ? one : span;
    }
    look_at_blackouts(question, at_ms, &span);
    return span;
}

static bool is_enough(const struct question *question, const struct span *span, int64_t at_ms)
{
    return span->open &&
           (span->until_ms == NEVER || span->until_ms - at_ms >= question->move->lasts_ms);
}

/* A gate of one's own, if there is one. */
static void add_gate(struct question *question, const struct timetable_gate *gate)
{
    if (gate != NULL && gate->count > 0) {
        question->gates[question->gate_count++] = gate;
    }
}

static struct question ask(const struct timetable *timetable, const struct opening_move *move)
{
    struct question question = { .timetable = timetable, .move = move };

    if (move->guest != NULL) {
        const struct timetable_gate *own = timetable_find_guest(timetable, move->guest);

        add_gate(&question, own != NULL ? own : &timetable->fleet);
    }
    if (move->from != NULL) {
        add_gate(&question, timetable_find_host(timetable, move->from));
    }
    if (move->to != NULL) {
        add_gate(&question, timetable_find_host(timetable, move->to));
    }
    return question;
}

/* What is found on the way to a start. */
struct search {
    int64_t start_ms;   /* NEVER: none within reach. */
    int64_t longest_ms; /* Of what is open but not for long enough; 0 = nothing is. */
    struct span longest;
};

static struct search find_start(const struct question *question, int64_t now_ms)
{
    struct search search = { .start_ms = NEVER };
    int64_t at_ms = now_ms;

    for (int change = 0; change < CHANGES_MAX; change++) {
        struct span span = look(question, at_ms);

        if (is_enough(question, &span, at_ms)) {
            search.start_ms = at_ms;
            return search;
        }
        if (span.open && span.until_ms - at_ms > search.longest_ms) {
            search.longest_ms = span.until_ms - at_ms;
            search.longest = span;
        }
        if (span.until_ms == NEVER) {
            return search;
        }
        at_ms = span.until_ms;
    }
    return search;
}

static const char *zone_of(const struct question *question, const struct span *span)
{
    return span->window != NULL ? span->window->opens.zone : question->timetable->zone;
}

/* "window 'night'", "window 'night' of 'kvm1'", "blackout 'xmas'" */
static void print_cause(struct text *text, const struct span *span)
{
    if (span->window == NULL) {
        text_printf(text, "blackout '%s'", span->blackout->name);
        return;
    }
    text_printf(text, "window '%s'", span->window->name);
    if (span->gate->owner != NULL) {
        text_printf(text, " of '%s'", span->gate->owner);
    }
}

static void print_duration(struct text *text, int64_t ms)
{
    char buffer[CLOCK_TEXT_SIZE];

    text_append(text, clock_format_duration(ms, buffer));
}

static void print_closed(struct text *text, const struct question *question,
                         const struct span *span)
{
    text_append(text, "waits for ");
    text_append(text, span->window == NULL ? "the end of " : "");
    print_cause(text, span);
    if (span->until_ms == NEVER) {
        text_append(text, ", which does not open any more");
        return;
    }
    text_append(text, span->window == NULL ? ", which is " : ", which opens ");
    timetable_print_instant(text, zone_of(question, span), span->until_ms);
}

static void print_too_short(struct text *text, const struct question *question,
                            const struct span *span)
{
    text_append(text, "needs about ");
    print_duration(text, question->move->lasts_ms);
    text_append(text, ", and ");
    print_cause(text, span);
    text_append(text, span->window == NULL ? " begins " : " closes ");
    timetable_print_instant(text, zone_of(question, span), span->until_ms);
}

/* Nothing that is to come is long enough. */
static void print_never(struct text *text, const struct question *question,
                        const struct search *search)
{
    text_append(text, "needs about ");
    print_duration(text, question->move->lasts_ms);
    text_append(text, ", and ");
    print_cause(text, &search->longest);
    text_append(text, " leaves at most ");
    print_duration(text, search->longest_ms);
}

const char *opening_objection(struct arena *arena, const struct timetable *timetable,
                              const struct opening_move *move, int64_t now_ms)
{
    struct question question = ask(timetable, move);
    struct span now = look(&question, now_ms);
    struct text text = text_new(arena);
    struct search search;

    if (is_enough(&question, &now, now_ms)) {
        return NULL;
    }
    search = find_start(&question, now_ms);
    if (search.start_ms == NEVER && search.longest_ms > 0) {
        print_never(&text, &question, &search);
        return text.data;
    }
    if (now.open) {
        print_too_short(&text, &question, &now);
    } else {
        print_closed(&text, &question, &now);
    }
    if (search.start_ms != NEVER && (now.open || search.start_ms != now.until_ms)) {
        text_append(&text, "; it can start ");
        timetable_print_instant(&text, zone_of(&question, &now), search.start_ms);
    } else if (search.start_ms == NEVER && now.until_ms != NEVER) {
        text_append(&text, ", but what it needs is never open at once");
    }
    return text.data;
}

bool opening_is_open(const struct timetable *timetable, const struct opening_move *move,
                     int64_t now_ms)
{
    struct question question = ask(timetable, move);

    return look(&question, now_ms).open;
}

static int64_t sooner(int64_t change_ms, int64_t now_ms, int64_t first_ms)
{
    return change_ms > now_ms && change_ms < first_ms ? change_ms : first_ms;
}

int64_t opening_next_change(const struct timetable *timetable, int64_t now_ms)
{
    int64_t first_ms = NEVER;
    int64_t next_ms;

    for (size_t i = 0; i < timetable->window_count; i++) {
        const struct timetable_window *window = &timetable->windows[i];

        first_ms = sooner(opening_end(window, now_ms), now_ms, first_ms);
        if (calendar_next(&window->opens, now_ms, &next_ms)) {
            first_ms = sooner(next_ms, now_ms, first_ms);
        }
    }
    for (size_t i = 0; i < timetable->blackout_count; i++) {
        first_ms = sooner(timetable->blackouts[i].from_ms, now_ms, first_ms);
        first_ms = sooner(timetable->blackouts[i].until_ms, now_ms, first_ms);
    }
    if (timetable->drift != NULL && calendar_next(timetable->drift, now_ms, &next_ms)) {
        first_ms = sooner(next_ms, now_ms, first_ms);
    }
    return first_ms;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/render.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/text.h"
#include "diff/diff.h"
#include "diff/estimate.h"
#include "diff/lookup.h"
#include "diff/plan.h"
#include "model/check.h"
#include "model/quantity.h"

#define BOLD   "\033[1m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

/* A table of cells, row by row; the last column is as wide as it likes. */
struct table {
    const char **cells;
    size_t columns;
    size_t rows;
    unsigned right; /* Bit i: column i is set to the right. */
};

static size_t column_width(const struct table *table, size_t column)
{
    size_t most = 0;

    for (size_t row = 0; row < table->rows; row++) {
        const char *cell = table->cells[row * table->columns + column];
        size_t width = text_columns(cell, strlen(cell));

        most = width > most ? width : most;
    }
    return most;
}

static void print_row(struct text *text, const struct table *table, const size_t *widths,
                      size_t row)
{
    for (size_t column = 0; column < table->columns; column++) {
        const char *cell = table->cells[row * table->columns + column];
        size_t padding = widths[column] - text_columns(cell, strlen(cell));
        bool right = (table->right >> column & 1) != 0;

        text_append(text, column == 0 ? "" : "  ");
        text_fill(text, ' ', right ? padding : 0);
        text_append(text, cell);
        text_fill(text, ' ', right || column + 1 == table->columns ? 0 : padding);
    }
}

/* The first row is the heading.  Cells may hold names from outside. */
static void print_table(struct arena *arena, struct text *text, const struct table *table,
                        bool colour)
{
    size_t *widths = ARENA_ARRAY(arena, size_t, table->columns);

    for (size_t cell = 0; cell < table->rows * table->columns; cell++) {
        table->cells[cell] = text_visible(arena, table->cells[cell]);
    }
    for (size_t column = 0; column < table->columns; column++) {
        widths[column] = column_width(table, column);
    }
    for (size_t row = 0; row < table->rows; row++) {
        bool bold = colour && row == 0;

        text_append(text, bold ? BOLD : "");
        print_row(text, table, widths, row);
        text_append(text, bold ? PLAIN "\n" : "\n");
    }
}

/* "12 GiB", or "12 GiB in 2 MiB pages" */
static const char *room_after(struct arena *arena, const struct plan_move *move)
{
    const struct plan_side *side = &move->target;
    uint64_t room = side->limit_kib > side->after_kib ? side->limit_kib - side->after_kib : 0;
    const char *size = room == 0 ? "none" : quantity_size_text(arena, room);

    return text_format(arena, "%s%s", size, quantity_pages_text(arena, move->hugepage_kib));
}

/* What a move is on its guest's way. */
enum hop {
    HOP_ONLY,  /* Straight home. */
    HOP_AWAY,  /* To a temporary host. */
    HOP_ON,    /* From there to where it belongs, ... */
    HOP_BACK,  /* ... which is where it was at first. */
    HOP_STOP,  /* None yet: it is stopped early. */
    HOP_START, /* After that. */
};

static enum hop hop_of(const struct plan_move *first, const struct plan_move *move)
{
    if (move->detour) {
        return HOP_AWAY;
    }
    if (move->mode == MOVE_STOP) {
        return HOP_STOP;
    }
    if (first == move) {
        return HOP_ONLY;
    }
    if (first->mode == MOVE_STOP) {
        return HOP_START;
    }
    return strcmp(first->from, move->to) == 0 ? HOP_BACK : HOP_ON;
}

static enum hop *find_hops(struct arena *arena, const struct plan *plan)
{
    enum hop *hops = ARENA_ARRAY(arena, enum hop, plan->move_count);
    struct lookup firsts = lookup_new(arena, plan->move_count);

    for (size_t i = 0; i < plan->move_count; i++) {
        lookup_add(&firsts, plan->moves[i].guest, (uint32_t)i);
        hops[i] = hop_of(&plan->moves[lookup_find(&firsts, plan->moves[i].guest)], &plan->moves[i]);
    }
    return hops;
}

static const char *hop_text(enum hop hop)
{
    static const char *const texts[] = {
        [HOP_ONLY] = "",        [HOP_AWAY] = " (for now)", [HOP_ON] = " (at last)",
        [HOP_BACK] = " (back)", [HOP_STOP] = " (later)",   [HOP_START] = " (runs again)",
    };

    return texts[hop];
}

static int64_t duration_of(const struct plan *plan, const struct plan_move *move)
{
    return move->forecast.source != ESTIMATE_NONE
               ? (int64_t)move->forecast.likely_ms
               : estimate_move_ms(move->mode, move->memory_kib, plan->bandwidth_mib_s);
}

/* Somebody has seen how long such moves take. */
#define MOMENT_MS 1000

static bool is_experience(const struct plan_move *move)
{
    return move->forecast.source == ESTIMATE_FLEET || move->forecast.source == ESTIMATE_GUEST;
}

static const char *duration_text(struct arena *arena, int64_t ms)
{
    char buffer[CLOCK_TEXT_SIZE];

    return ms < MOMENT_MS ? "a moment" : arena_strdup(arena, clock_format_duration(ms, buffer));
}

/* "41 s", or "41 s (35 s to 52 s)" where earlier moves tell; of a moment no more can be told. */
static const char *takes_text(struct arena *arena, const struct plan *plan,
                              const struct plan_move *move)
{
    const char *likely = duration_text(arena, duration_of(plan, move));

    return is_experience(move) && move->forecast.most_ms >= MOMENT_MS
               ? text_format(arena, "%s (%s to %s)", likely,
                             duration_text(arena, (int64_t)move->forecast.least_ms),
                             duration_text(arena, (int64_t)move->forecast.most_ms))
               : likely;
}

#define MOVE_COLUMNS 9

static void print_moves(struct arena *arena, struct text *text, const struct plan *plan,
                        bool colour)
{
    const char **cells = ARENA_ARRAY(arena, const char *, MOVE_COLUMNS *(plan->move_count + 1));
    const char **cell = cells;
    const enum hop *hops = find_hops(arena, plan);
    struct table table = { cells, MOVE_COLUMNS, plan->move_count + 1, 1U << 0 | 3U << 5 | 1U << 7 };
    static const char *const heading[MOVE_COLUMNS] = {
        "#", "guest", "from", "to", "how", "memory", "takes", "room left there", "why",
    };

    for (size_t i = 0; i < MOVE_COLUMNS; i++) {
        *cell++ = heading[i];
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct plan_move *move = &plan->moves[i];

        *cell++ = text_format(arena, "%u", move->seq);
        *cell++ = move->guest;
        *cell++ = move->from;
        *cell++ = text_format(arena, "→ %s%s", move->to, hop_text(hops[i]));
        *cell++ = op_mode_name(move->mode);
        *cell++ = quantity_size_text(arena, move->memory_kib);
        *cell++ = takes_text(arena, plan, move);
        *cell++ = room_after(arena, move);
        *cell++ = move->reason;
    }
    print_table(arena, text, &table, colour);
}

static void print_overrun(struct text *text, const struct plan_move *move)
{
    text_printf(text, "%s was not done in time when it was last moved live", move->guest);
    if (move->forecast.written_bytes_s > 0) {
        text_append(text, ": it wrote ");
        quantity_print_size(text, move->forecast.written_bytes_s / 1024);
        text_append(text, " a second");
    }
    text_append(text, ".\n");
}

/* What "takes" goes by, unless it is a guess for all, and who may take longer than it says. */
static void print_forecast(struct text *text, const struct plan *plan)
{
    size_t counts[ESTIMATE_SOURCE_COUNT] = { 0 };

    for (size_t i = 0; i < plan->move_count; i++) {
        counts[plan->moves[i].forecast.source]++;
    }
    if (counts[ESTIMATE_GUEST] + counts[ESTIMATE_FLEET] > 0) {
        text_printf(
            text,
            "How long live moves take: %zu as the same guest's took, %zu by its size as other "
            "guests' took, %zu by its size alone.\n",
            counts[ESTIMATE_GUEST], counts[ESTIMATE_FLEET], counts[ESTIMATE_SIZE]);
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        if (plan->moves[i].forecast.overran) {
            print_overrun(text, &plan->moves[i]);
        }
    }
}

static void print_blocked(struct text *text, const struct plan *plan, bool colour)
{
    text_printf(text, "%sBlocked%s\n", colour ? YELLOW : "", colour ? PLAIN : "");
    for (size_t i = 0; i < plan->block_count; i++) {
        const struct plan_block *block = &plan->blocked[i];

        text_printf(text, "  %s: %s: %s\n", block->guest, plan_code_name(block->code),
                    text_visible(text->arena, block->reason));
        for (size_t line = 0; line < block->certificate.unblock_count; line++) {
            text_printf(text, "    %s%s\n", line == 0 ? "to unblock: " : "        or: ",
                        text_visible(text->arena, block->certificate.unblock[line]));
        }
    }
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ", about 3 min 20 s at 1000 MiB/s": one move at a time. */
static void print_duration(struct text *text, const struct plan *plan)
{
    int64_t total = 0;
    bool experience = false;

    for (size_t i = 0; i < plan->move_count; i++) {
        total += duration_of(plan, &plan->moves[i]);
        experience |= is_experience(&plan->moves[i]);
    }
    text_printf(text, ", about %s", duration_text(text->arena, total));
    if (plan->moves[0].mode != MOVE_FORCED && !experience) {
        text_printf(text, " at %llu MiB/s",
                    (unsigned long long)estimate_rate_mib_s(plan->bandwidth_mib_s));
    }
}

static void print_moves_summary(struct text *text, const struct plan *plan)
{
    if (plan->move_count == 0) {
        text_append(text, "Nothing can be moved");
        return;
    }
    text_printf(text, "%zu move%s, ", plan->move_count, plural(plan->move_count));
    quantity_print_size(text, plan->memory_kib);
    if (plan->detours > 0) {
        text_printf(text, ", %zu to a temporary host", plan->detours);
    }
    if (plan->moves[0].mode == MOVE_FORCED) { /* Then all are. */
        text_append(text, ", by force");
    } else if (plan->interruptions == 0) {
        text_append(text, ", no guest interrupted");
    } else {
        text_printf(text, ", %zu guest%s interrupted", plan->interruptions,
                    plural(plan->interruptions));
    }
    print_duration(text, plan);
}

static void print_summary(struct text *text, const struct plan *plan)
{
    if (plan->move_count > 0 || plan->block_count > 0) {
        print_moves_summary(text, plan);
        if (plan->block_count > 0) {
            text_printf(text, "; %zu guest%s blocked", plan->block_count,
                        plural(plan->block_count));
        }
        text_append(text, ".\n");
    } else if (plan->placed > 0) {
        text_printf(text, "Nothing to do: %s%zu guest%s where the file wants %s.\n",
                    plan->placed == 1 ? "the " : "all ", plan->placed,
                    plan->placed == 1 ? " is" : "s are", plan->placed == 1 ? "it" : "them");
    } else {
        text_append(text, "Nothing to do: every guest is where the file wants it.\n");
    }
}

void render_plan(struct arena *arena, struct text *text, const struct plan *plan, bool colour)
{
    if (plan->move_count > 0) {
        print_moves(arena, text, plan, colour);
        text_append(text, "\n");
        print_forecast(text, plan);
    }
    if (plan->block_count > 0) {
        print_blocked(text, plan, colour);
        text_append(text, "\n");
    }
    for (size_t i = 0; i < plan->warning_count; i++) {
        text_printf(text, "%sWarning:%s %s\n", colour ? YELLOW : "", colour ? PLAIN : "",
                    text_visible(arena, plan->warnings[i]));
    }
    if (plan->warning_count > 0) {
        text_append(text, "\n");
    }
    print_summary(text, plan);
}

/* ": 22 passed, 1 warned, 1 failed" */
static void print_check_counts(struct text *text, const struct plan_move *move)
{
    static const enum check_result order[] = { CHECK_PASSED, CHECK_SKIPPED, CHECK_WARNED,
                                               CHECK_FAILED };
    const char *before = ": ";

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        size_t count = check_count(move->checks, move->check_count, order[i]);

        if (count > 0) {
            text_printf(text, "%s%zu %s", before, count, check_result_name(order[i]));
            before = ", ";
        }
    }
    text_append(text, "\n");
}

static void print_check(struct arena *arena, struct text *text, const struct check *check,
                        bool colour)
{
    bool stands_out = colour && (check->result == CHECK_FAILED || check->result == CHECK_WARNED);

    text_printf(text, "  %s%-7s%s  %-16s  %s\n", stands_out ? YELLOW : "",
                check_result_name(check->result), stands_out ? PLAIN : "",
                check_kind_name(check->kind), text_visible(arena, check_text(arena, check)));
}

void render_checks(struct arena *arena, struct text *text, const struct plan *plan, bool all,
                   bool colour)
{
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct plan_move *move = &plan->moves[i];

        if (move->check_count == 0) {
            continue;
        }
        text_printf(text, "\nChecks of move %u, %s %s → %s", move->seq, move->guest, move->from,
                    move->to);
        print_check_counts(text, move);
        for (size_t k = 0; k < move->check_count; k++) {
            if (all || move->checks[k].result != CHECK_PASSED) {
                print_check(arena, text, &move->checks[k], colour);
            }
        }
    }
}

static const char *arrow_style(enum move_mode mode)
{
    switch (mode) {
    case MOVE_LIVE:
        break;
    case MOVE_COLD:
        return ", style=dotted";
    case MOVE_OFFLINE:
    case MOVE_STOP:
    case MOVE_FORCED:
    case MOVE_MODE_COUNT:
        return ", style=dashed";
    }
    return "";
}

static const char *arrow_colour(enum hop hop)
{
    static const char *const colours[] = {
        [HOP_ONLY] = "",
        [HOP_STOP] = ", color=darkorange, fontcolor=darkorange",
        [HOP_AWAY] = ", color=darkorange, fontcolor=darkorange",
        [HOP_ON] = ", color=darkgreen, fontcolor=darkgreen",
        [HOP_BACK] = ", color=darkgreen, fontcolor=darkgreen",
        [HOP_START] = ", color=darkgreen, fontcolor=darkgreen",
    };

    return colours[hop];
}

void render_dot(struct text *text, const struct plan *plan)
{
    const enum hop *hops = find_hops(text->arena, plan);

    text_append(text, "digraph plan {\n    rankdir=LR;\n    nodesep=0.4;\n    ranksep=1.2;\n"
                      "    node [shape=box, style=rounded];\n    edge [fontsize=10];\n");
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct plan_move *move = &plan->moves[i];

        /* Names are host names (contract.md): nothing in them needs escaping. */
        text_printf(text, "    \"%s\" -> \"%s\" [label=\"%u. %s%s\\n", move->from, move->to,
                    move->seq, move->guest, hop_text(hops[i]));
        quantity_print_size(text, move->memory_kib);
        text_printf(text, ", %s\"%s%s];\n", op_mode_name(move->mode), arrow_style(move->mode),
                    arrow_colour(hops[i]));
    }
    text_append(text, "}\n");
}

static const char *list_found(struct arena *arena, const struct diff_guest *guest)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < guest->found_count; i++) {
        text_printf(&text, "%s%s", i == 0 ? "" : ", ", guest->found[i]);
    }
    return guest->found_count == 0 ? "-" : text.data;
}

#define DIFF_COLUMNS 4

void render_diff(struct arena *arena, struct text *text, const struct diff *diff, bool colour)
{
    const char **cells = ARENA_ARRAY(arena, const char *, DIFF_COLUMNS *(diff->count + 1));
    struct table table = { cells, DIFF_COLUMNS, 1, 0 };

    cells[0] = "guest";
    cells[1] = "class";
    cells[2] = "found";
    cells[3] = "wanted";
    for (size_t i = 0; i < diff->count; i++) {
        const struct diff_guest *guest = &diff->guests[i];
        const char **cell = &cells[DIFF_COLUMNS * table.rows];

        if (guest->class == DIFF_PLACED || guest->class == DIFF_UNMANAGED) {
            continue;
        }
        cell[0] = guest->name;
        cell[1] = diff_class_name(guest->class);
        cell[2] = list_found(arena, guest);
        cell[3] = text_format(arena, "→ %s", guest->wanted);
        table.rows++;
    }
    if (table.rows > 1) {
        print_table(arena, text, &table, colour);
    }
}

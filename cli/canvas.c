/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/canvas.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "cli/document.h"
#include "cli/page.h"
#include "model/quantity.h"

#define ROWS_FOR_EVENTS  12 /* Fewer rows have no place for what was. */
#define ROWS_FOR_KEYS    4
#define COLUMNS_FOR_BARS 64
#define BAR_MIN          8
#define BAR_MAX          40
#define NAME_COLUMNS     24
#define WRONG_MAX        3 /* Lines on top about what is wrong. */

/* Lines as they are added. */
struct lines {
    struct arena *arena;
    const struct canvas_view *view;
    struct canvas_line *items;
    size_t count;
    size_t capacity;
};

/* The first 'columns' characters of 'text', the last of them '~' if there are more. */
static const char *cut(struct arena *arena, const char *text, size_t columns)
{
    size_t count = 0;
    size_t keep = 0; /* Bytes of all characters but the last that fits. */
    size_t i = 0;

    for (; text[i] != '\0'; i++) {
        if (((unsigned char)text[i] & 0xC0) == 0x80) {
            continue;
        }
        if (count + 1 == columns) {
            keep = i;
        }
        if (count++ == columns) {
            break;
        }
    }
    if (count <= columns) {
        return text;
    }
    return columns == 0 ? "" : text_format(arena, "%.*s~", (int)keep, text);
}

static void add(struct lines *lines, enum canvas_style style, const char *text)
{
    if (lines->count == lines->capacity) {
        size_t capacity = lines->capacity == 0 ? 64 : 2 * lines->capacity;
        struct canvas_line *items = ARENA_ARRAY(lines->arena, struct canvas_line, capacity);

        if (lines->count > 0) {
            memcpy(items, lines->items, lines->count * sizeof(*items));
        }
        lines->items = items;
        lines->capacity = capacity;
    }
    lines->items[lines->count++] =
        (struct canvas_line){ style, cut(lines->arena, text, lines->view->columns) };
}

/* "[####......]" */
static const char *bar(struct arena *arena, int64_t part, int64_t whole, size_t cells)
{
    struct text text = text_new(arena);
    double share = whole <= 0 || part <= 0 ? 0 : (double)part / (double)whole;
    size_t filled = share >= 1 ? cells : (size_t)(share * (double)cells);

    text_append(&text, "[");
    text_fill(&text, '#', filled);
    text_fill(&text, '.', cells - filled);
    text_append(&text, "]");
    return text.data;
}

/* Cells of a bar beside 'others' columns of something else. */
static size_t bar_cells(const struct lines *lines, size_t others)
{
    size_t columns = lines->view->columns;
    size_t rest = columns > others ? columns - others : 0;

    return rest < BAR_MIN ? BAR_MIN : rest > BAR_MAX ? BAR_MAX : rest;
}

static void add_title(struct lines *lines)
{
    const struct json_t *status = lines->view->status;
    const char *digest = document_string(lines->arena, status, "es_xml_sha256");

    if (status == NULL) {
        add(lines, CANVAS_TITLE, "berth watch");
        return;
    }
    add(lines, CANVAS_TITLE,
        text_format(lines->arena, "%s  pid %" PRId64 "  %.12s  %s",
                    document_word(lines->arena, status, "at"),
                    document_number(status, "controller_pid"),
                    digest == NULL ? "no revision" : digest,
                    document_word(lines->arena, status, "es_xml")));
}

static void add_health(struct lines *lines)
{
    const struct json_t *status = lines->view->status;
    size_t wrong = 0;
    size_t count = document_count(status, "conditions");

    if (lines->view->trouble != NULL) {
        add(lines, CANVAS_BAD, lines->view->trouble);
    }
    for (size_t i = 0; i < count; i++) {
        const struct json_t *condition = document_item(status, "conditions", i);

        if (page_is_false(lines->arena, condition) && wrong++ < WRONG_MAX) {
            add(lines, CANVAS_BAD, page_condition(lines->arena, status, condition));
        }
    }
    if (wrong > WRONG_MAX) {
        add(lines, CANVAS_BAD,
            text_format(lines->arena, "and %zu more: 'berth status' tells", wrong - WRONG_MAX));
    }
    if (count > 0 && wrong == 0 && lines->view->trouble == NULL) {
        add(lines, CANVAS_GOOD, "all is well");
    }
}

static void add_moving(struct lines *lines)
{
    const struct json_t *moving = document_object(lines->view->status, "moving");
    int64_t percent = document_number(moving, "percent");

    if (moving != NULL) {
        add(lines, CANVAS_BUSY, page_moving(lines->arena, moving));
        add(lines, CANVAS_BUSY,
            text_format(lines->arena, "%s %3" PRId64 " %%",
                        bar(lines->arena, percent, 100, bar_cells(lines, 8)), percent));
    }
}

static void add_heading(struct lines *lines, const char *heading)
{
    if (lines->count > 0) {
        add(lines, CANVAS_PLAIN, "");
    }
    add(lines, CANVAS_TITLE, heading);
}

static const char *size_text(struct arena *arena, int64_t kib)
{
    struct text text = text_new(arena);

    quantity_print_size(&text, kib > 0 ? (uint64_t)kib : 0);
    return text.data;
}

/* Narrow screens have room for a bar or for figures. */
static const char *memory_bar(struct lines *lines, int64_t used, int64_t memory)
{
    size_t columns = lines->view->columns;

    return columns < COLUMNS_FOR_BARS
               ? ""
               : text_format(lines->arena, "%s ",
                             bar(lines->arena, used, memory, bar_cells(lines, NAME_COLUMNS + 40)));
}

static void add_host(struct lines *lines, const struct json_t *host)
{
    struct arena *arena = lines->arena;
    int64_t used = document_number(host, "used_kib");
    int64_t memory = document_number(host, "memory_kib");
    int width = lines->view->columns < COLUMNS_FOR_BARS ? 0 : NAME_COLUMNS;
    const char *name = cut(arena, document_word(lines->arena, host, "name"), NAME_COLUMNS);

    if (!document_flag(host, "reachable")) {
        add(lines, CANVAS_BAD,
            text_format(arena, "  %-*s does not answer: %s", width, name,
                        document_word(lines->arena, host, "error")));
        return;
    }
    add(lines, CANVAS_PLAIN,
        text_format(arena, "  %-*s %s%s of %s, %" PRId64 " guests", width, name,
                    memory_bar(lines, used, memory), size_text(arena, used),
                    size_text(arena, memory), document_number(host, "guests")));
}

static void add_hosts(struct lines *lines)
{
    const struct json_t *hosts = lines->view->hosts;

    if (document_count(hosts, "hosts") > 0) {
        add_heading(lines, "Hosts");
    }
    for (size_t i = 0; i < document_count(hosts, "hosts"); i++) {
        add_host(lines, document_item(hosts, "hosts", i));
    }
}

static void add_guests(struct lines *lines)
{
    const struct json_t *guests = lines->view->guests;
    bool first = true;

    for (size_t i = 0; i < document_count(guests, "guests"); i++) {
        const struct json_t *guest = document_item(guests, "guests", i);
        const char *class = document_word(lines->arena, guest, "class");
        const char *host = document_string(lines->arena, guest, "host");

        if (strcmp(class, "placed") == 0 || strcmp(class, "unmanaged") == 0) {
            continue;
        }
        if (first) {
            add_heading(lines, "Not in their place");
            first = false;
        }
        add(lines, CANVAS_PLAIN,
            text_format(lines->arena, "  %-*s %s: %s%s%sbelongs on %s", NAME_COLUMNS,
                        cut(lines->arena, document_word(lines->arena, guest, "name"), NAME_COLUMNS),
                        class, host == NULL ? "" : "is on ", host == NULL ? "" : host,
                        host == NULL ? "" : ", ", document_word(lines->arena, guest, "wanted")));
    }
}

typedef const char *sentence_fn(struct lines *lines, const struct json_t *item);

static const char *say_move(struct lines *lines, const struct json_t *item)
{
    return page_move(lines->arena, item);
}

static const char *say_block(struct lines *lines, const struct json_t *item)
{
    return page_block(lines->arena, item);
}

static const char *say_retry(struct lines *lines, const struct json_t *item)
{
    return page_retry(lines->arena, lines->view->status, item);
}

static const char *say_hold(struct lines *lines, const struct json_t *item)
{
    return page_hold(lines->arena, item);
}

static const char *say_drift(struct lines *lines, const struct json_t *item)
{
    return page_drift(lines->arena, lines->view->status, item);
}

static void add_part(struct lines *lines, const char *heading, const char *name, sentence_fn *say)
{
    const struct json_t *status = lines->view->status;
    size_t count = document_count(status, name);

    if (count > 0) {
        add_heading(lines, heading);
    }
    for (size_t i = 0; i < count; i++) {
        add(lines, CANVAS_PLAIN,
            text_format(lines->arena, "  %s", say(lines, document_item(status, name, i))));
    }
}

static void add_help(struct lines *lines)
{
    static const char *const help[] = {
        "up, down, k, j       scroll by a line",
        "page up, page down   scroll by a page",
        "home, end            to the top, to the end",
        "?, h                 this, and back",
        "q, Ctrl-C            quit; berthd goes on",
        "",
        "'berth hold', 'release', 'retry', 'cancel' and 'check' steer berthd from another terminal.",
    };

    for (size_t i = 0; i < ARRAY_LEN(help); i++) {
        add(lines, CANVAS_PLAIN, help[i]);
    }
}

static void add_middle(struct lines *lines)
{
    if (lines->view->help) {
        add_help(lines);
        return;
    }
    add_hosts(lines);
    add_guests(lines);
    add_part(lines, "Queue", "queue", say_move);
    add_part(lines, "Blocked", "blocked", say_block);
    add_part(lines, "To be tried again", "retries", say_retry);
    add_part(lines, "Held", "holds", say_hold);
    add_part(lines, "Drift", "drift", say_drift);
}

/* The newest that fit into 'rows', a heading included. */
static void add_events(struct lines *lines, size_t rows)
{
    const struct canvas_view *view = lines->view;
    size_t shown = view->event_count < rows - 1 ? view->event_count : rows - 1;

    add(lines, CANVAS_TITLE, "Events");
    for (size_t i = view->event_count - shown; i < view->event_count; i++) {
        add(lines, CANVAS_FAINT, view->events[i]);
    }
}

/* Copies 'count' lines from 'first' on; lines that are not there are empty. */
static void copy(struct lines *to, const struct lines *from, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        bool there = i < from->count;

        add(to, there ? from->items[i].style : CANVAS_PLAIN, there ? from->items[i].text : "");
    }
}

static struct lines new_lines(struct arena *arena, const struct canvas_view *view)
{
    return (struct lines){ .arena = arena, .view = view };
}

static const char *keys_line(struct arena *arena, size_t above, size_t below)
{
    return above + below == 0
               ? "q quit  ? help"
               : text_format(arena, "q quit  ? help  arrows scroll: %zu above, %zu below", above,
                             below);
}

struct canvas canvas_draw(struct arena *arena, const struct canvas_view *view)
{
    struct lines all = new_lines(arena, view);
    struct lines top = new_lines(arena, view);
    struct lines middle = new_lines(arena, view);
    struct lines events = new_lines(arena, view);
    size_t keys = view->rows >= ROWS_FOR_KEYS ? 1 : 0;
    size_t rows = view->rows - keys; /* For all but the keys. */
    size_t room;
    size_t hidden;
    size_t scroll;

    add_title(&top);
    add_health(&top);
    add_moving(&top);
    if (view->rows >= ROWS_FOR_EVENTS) {
        add(&top, CANVAS_PLAIN, "");
    }
    add_middle(&middle);
    if (view->rows >= ROWS_FOR_EVENTS) {
        add_events(&events, view->rows / 4);
    }
    copy(&all, &top, 0, top.count < rows ? top.count : rows);
    room = rows - all.count;
    events.count = events.count < room ? events.count : 0;
    room -= events.count;
    hidden = middle.count > room ? middle.count - room : 0;
    scroll = view->scroll < hidden ? view->scroll : hidden;
    copy(&all, &middle, scroll, room);
    copy(&all, &events, 0, events.count);
    if (keys > 0) {
        add(&all, CANVAS_FAINT, keys_line(arena, scroll, hidden - scroll));
    }
    return (struct canvas){ .lines = all.items, .count = all.count, .scroll = scroll };
}

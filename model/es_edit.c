/* SPDX-License-Identifier: Apache-2.0 */
#include "model/es_edit.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_layout.h"
#include "model/es_xml.h"
#include "model/fault.h"

#define COMMENT_BEGIN "<!--"
#define COMMENT_END   "-->"

/* The bytes of 'extent' give way to 'text'. */
struct change {
    struct es_extent extent;
    const char *text;
    size_t order; /* Of changes at one place. */
};

struct editor {
    struct arena *arena; /* Of what goes with the editing. */
    const char *bytes;
    size_t length;
    struct desired desired;
    struct es_layout layout;
    const struct es_layout_machine **machines; /* By id. */
    const struct es_layout_place **places;     /* By id, then by the machine they stand in. */
    const struct es_layout_place **last;       /* In each machine, parallel to layout.machines. */
    struct desired_guest *guests;              /* As they are to be, parallel to desired.guests. */
    struct change *changes;
    size_t change_count;
};

/* How an element stands in its lines. */
struct setting {
    size_t line;  /* Where its first line begins. */
    size_t blank; /* The blanks before it begin here; equals 'line' if there is nothing else. */
    size_t tail;  /* Behind the element and, if 'alone', a comment that follows it. */
    size_t next;  /* If 'alone': where the next line begins. */
    bool alone;   /* Its lines hold nothing but it, a comment behind it, and blanks. */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_blanks(const struct editor *editor, size_t at)
{
    while (at < editor->length && is_blank(editor->bytes[at])) {
        at++;
    }
    return at;
}

static size_t skip_blanks_back(const struct editor *editor, size_t at)
{
    while (at > 0 && is_blank(editor->bytes[at - 1])) {
        at--;
    }
    return at;
}

static bool begins_line(const struct editor *editor, size_t at)
{
    return at > 0 && editor->bytes[at - 1] == '\n';
}

/* Where the line that holds 'at' begins. */
static size_t line_of(const struct editor *editor, size_t at)
{
    while (at > 0 && editor->bytes[at - 1] != '\n') {
        at--;
    }
    return at;
}

/* Bytes of the line end at 'at', 0 if there is none. */
static size_t line_end(const struct editor *editor, size_t at)
{
    size_t carriage = at < editor->length && editor->bytes[at] == '\r';

    return at + carriage < editor->length && editor->bytes[at + carriage] == '\n' ? carriage + 1
                                                                                  : 0;
}

/* Behind the comment that begins at 'at' and ends in the same line; 'at' if there is none. */
static size_t skip_comment(const struct editor *editor, size_t at)
{
    const size_t mark = sizeof(COMMENT_BEGIN) - 1;
    const size_t end_mark = sizeof(COMMENT_END) - 1;

    if (editor->length - at < mark || memcmp(editor->bytes + at, COMMENT_BEGIN, mark) != 0) {
        return at;
    }
    for (size_t i = at + mark; i + end_mark <= editor->length && editor->bytes[i] != '\n'; i++) {
        if (memcmp(editor->bytes + i, COMMENT_END, end_mark) == 0) {
            return i + end_mark;
        }
    }
    return at;
}

static struct setting setting_of(const struct editor *editor, struct es_extent extent)
{
    struct setting setting = { .line = line_of(editor, extent.begin), .tail = extent.end };
    size_t tail = skip_comment(editor, skip_blanks(editor, extent.end));
    size_t rest = skip_blanks(editor, tail);

    setting.blank = skip_blanks_back(editor, extent.begin);
    setting.alone = begins_line(editor, setting.blank) && line_end(editor, rest) > 0;
    if (setting.alone) {
        setting.tail = skip_blanks_back(editor, tail);
        setting.next = rest + line_end(editor, rest);
    }
    return setting;
}

static int compare_machines(const void *a, const void *b)
{
    const struct es_layout_machine *const *left = a;
    const struct es_layout_machine *const *right = b;

    return strcmp((*left)->id, (*right)->id);
}

static int compare_places(const void *a, const void *b)
{
    const struct es_layout_place *const *left = a;
    const struct es_layout_place *const *right = b;
    int order = strcmp((*left)->id, (*right)->id);

    return order != 0
               ? order
               : ((*left)->machine > (*right)->machine) - ((*left)->machine < (*right)->machine);
}

static void index_layout(struct editor *editor)
{
    const struct es_layout *layout = &editor->layout;

    editor->machines =
        ARENA_ARRAY(editor->arena, const struct es_layout_machine *, layout->machine_count + 1);
    editor->last =
        ARENA_ARRAY(editor->arena, const struct es_layout_place *, layout->machine_count + 1);
    editor->places =
        ARENA_ARRAY(editor->arena, const struct es_layout_place *, layout->place_count + 1);
    for (size_t i = 0; i < layout->machine_count; i++) {
        editor->machines[i] = &layout->machines[i];
    }
    for (size_t i = 0; i < layout->place_count; i++) {
        editor->places[i] = &layout->places[i];
        editor->last[layout->places[i].machine] = &layout->places[i];
    }
    qsort(editor->machines, layout->machine_count, sizeof(*editor->machines), compare_machines);
    qsort(editor->places, layout->place_count, sizeof(*editor->places), compare_places);
}

/* The definition of a host, whose id no other machine has. */
static const struct es_layout_machine *find_machine(const struct editor *editor, uint32_t host)
{
    const struct es_layout_machine wanted = { .id = editor->desired.hosts[host].id };
    const struct es_layout_machine *key = &wanted;
    const struct es_layout_machine *const *found =
        bsearch(&key, editor->machines, editor->layout.machine_count, sizeof(*editor->machines),
                compare_machines);

    return found == NULL ? NULL : *found;
}

/* The reference that places a guest: its host has no second one, but machines that are no hosts may refer to
 * it as well. */
static const struct es_layout_place *find_place(const struct editor *editor,
                                                const struct es_layout_machine *machine,
                                                const char *id)
{
    const struct es_layout_place wanted = {
        .id = id,
        .machine = (uint32_t)(machine - editor->layout.machines),
    };
    const struct es_layout_place *key = &wanted;
    const struct es_layout_place *const *found = bsearch(
        &key, editor->places, editor->layout.place_count, sizeof(*editor->places), compare_places);

    return found == NULL ? NULL : *found;
}

static void add_change(struct editor *editor, struct es_extent extent, const char *text)
{
    editor->changes[editor->change_count] = (struct change){ extent, text, editor->change_count };
    editor->change_count++;
}

/* Takes the reference away: its lines, if it has them for itself, else it and the blanks on one side. */
static void cut(struct editor *editor, struct es_extent extent)
{
    struct setting setting = setting_of(editor, extent);

    if (setting.alone) {
        extent = (struct es_extent){ setting.line, setting.next };
    } else if (begins_line(editor, setting.blank)) {
        extent.end = skip_blanks(editor, extent.end);
    } else {
        extent.begin = setting.blank;
    }
    add_change(editor, extent, "");
}

static const char *copy(const struct editor *editor, size_t begin, size_t end)
{
    return text_copy(editor->arena, editor->bytes + begin, end - begin);
}

/* The indentation of whatever stands last in the host before its end tag, which begins a line at 'line'.
 * Where the host has no line of its own before that one: one step more than the end tag. */
static const char *indent_in(const struct editor *editor, const struct es_layout_machine *host,
                             size_t line)
{
    const char *own = copy(editor, line, host->stop.begin);
    size_t above = line;

    while (above > 0 && (above = line_of(editor, above - 1)) >= host->start.end) {
        size_t text = skip_blanks(editor, above);

        if (line_end(editor, text) == 0) {
            return copy(editor, above, text);
        }
    }
    return text_format(editor->arena, "%s%s", own, strchr(own, '\t') != NULL ? "\t" : "  ");
}

static void paste_after(struct editor *editor, struct es_extent neighbour, const char *element)
{
    struct setting setting = setting_of(editor, neighbour);
    const char *before = copy(editor, setting.blank, neighbour.begin);

    if (setting.alone) {
        size_t end = skip_blanks(editor, setting.tail);

        add_change(
            editor, (struct es_extent){ setting.next, setting.next },
            text_format(editor->arena, "%s%s%s", before, element, copy(editor, end, setting.next)));
    } else {
        add_change(editor, (struct es_extent){ neighbour.end, neighbour.end },
                   text_format(editor->arena, "%s%s",
                               begins_line(editor, setting.blank) ? "" : before, element));
    }
}

/* The host has no reference yet. */
static void paste_last(struct editor *editor, const struct es_layout_machine *host,
                       const char *element)
{
    size_t line = skip_blanks_back(editor, host->stop.begin);

    if (begins_line(editor, line) && line > host->start.end) {
        size_t end = line - (line >= 2 && editor->bytes[line - 2] == '\r' ? 2 : 1);

        add_change(editor, (struct es_extent){ line, line },
                   text_format(editor->arena, "%s%s%s", indent_in(editor, host, line), element,
                               copy(editor, end, line)));
    } else {
        add_change(editor, (struct es_extent){ host->stop.begin, host->stop.begin }, element);
    }
}

/* Bytes that mean something else elsewhere cannot just be moved. */
static bool declares_namespace(const struct editor *editor, const struct es_layout_machine *machine)
{
    const char *tag = copy(editor, machine->start.begin, machine->start.end);

    for (const char *s = strchr(tag, 'x'); s != NULL; s = strchr(s + 1, 'x')) {
        if (strncmp(s, "xmlns", strlen("xmlns")) == 0) {
            return true;
        }
    }
    return false;
}

static int move_reference(struct editor *editor, const struct desired_guest *guest, uint32_t host,
                          struct err *err)
{
    const struct es_layout_machine *source = find_machine(editor, guest->host);
    const struct es_layout_machine *target = find_machine(editor, host);
    const struct es_layout_place *place =
        source == NULL ? NULL : find_place(editor, source, guest->id);
    const struct es_layout_place *neighbour;
    const char *element;

    if (place == NULL || target == NULL) {
        return err_set(err, ERR_INTERNAL, "cannot find where guest '%s' is placed in the file",
                       guest->name);
    }
    if (declares_namespace(editor, source) || declares_namespace(editor, target)) {
        return err_set(
            err, ERR_REFUSED,
            "cannot move the reference to guest '%s' from line %u: '%s' or '%s' declares "
            "an XML namespace of its own; edit the file by hand",
            guest->name, guest->line, editor->desired.hosts[guest->host].name,
            editor->desired.hosts[host].name);
    }
    element = copy(editor, place->extent.begin, setting_of(editor, place->extent).tail);
    neighbour = editor->last[target - editor->layout.machines];
    cut(editor, place->extent);
    if (neighbour != NULL) {
        paste_after(editor, neighbour->extent, element);
    } else {
        paste_last(editor, target, element);
    }
    return 0;
}

static int plan_edit(struct editor *editor, const struct es_edit *edit, bool *named,
                     struct err *err)
{
    uint32_t guest = desired_find_guest(&editor->desired, edit->guest);
    uint32_t host = desired_find_host(&editor->desired, edit->host);

    if (guest == DESIRED_NONE || host == DESIRED_NONE) {
        return err_set(err, ERR_NOT_FOUND, "the file has no %s '%s'",
                       guest == DESIRED_NONE ? "guest" : "host",
                       guest == DESIRED_NONE ? edit->guest : edit->host);
    }
    if (named[guest]) {
        return err_set(err, ERR_INVALID, "guest '%s' is given two places", edit->guest);
    }
    named[guest] = true;
    if (editor->guests[guest].host == host) {
        return 0;
    }
    editor->guests[guest].host = host;
    return move_reference(editor, &editor->desired.guests[guest], host, err);
}

static int compare_changes(const void *a, const void *b)
{
    const struct change *left = a;
    const struct change *right = b;

    if (left->extent.begin != right->extent.begin) {
        return left->extent.begin < right->extent.begin ? -1 : 1;
    }
    return left->order < right->order ? -1 : 1;
}

/* What one change takes away, another may come into the middle of, or take away as well. */
static struct text rewrite(struct editor *editor, struct arena *arena)
{
    struct text text = text_new_sized(arena, editor->length);
    size_t done = 0;

    qsort(editor->changes, editor->change_count, sizeof(*editor->changes), compare_changes);
    for (size_t i = 0; i < editor->change_count; i++) {
        const struct change *change = &editor->changes[i];

        if (change->extent.begin > done) {
            text_append_bytes(&text, editor->bytes + done, change->extent.begin - done);
        }
        text_append(&text, change->text);
        if (change->extent.end > done) {
            done = change->extent.end;
        }
    }
    text_append_bytes(&text, editor->bytes + done, editor->length - done);
    return text;
}

/* Proves that the result says what it should, however the file is written. */
static int verify(const struct editor *editor, const struct text *text, struct err *err)
{
    struct faults faults = fault_list(editor->arena);
    struct desired wanted = editor->desired;
    struct desired found;
    const char *difference;

    if (es_xml_read(editor->arena, text->data, text->length, &found, &faults) != 0) {
        return err_set(err, ERR_REFUSED,
                       "cannot edit the file: it would be at fault then, line %u: %s",
                       faults.items[0].line, faults.items[0].text);
    }
    wanted.guests = editor->guests;
    difference = desired_difference(&wanted, &found);
    if (difference != NULL) {
        return err_set(err, ERR_REFUSED,
                       "cannot edit the file: %s would not be as it should; edit it by hand",
                       difference);
    }
    return 0;
}

static int read_file(struct editor *editor, struct err *err)
{
    struct faults faults = fault_list(editor->arena);

    if (es_xml_locate(editor->arena, editor->bytes, editor->length, &editor->desired,
                      &editor->layout, &faults) != 0) {
        return err_set(err, ERR_INVALID, "cannot edit the file: line %u: %s", faults.items[0].line,
                       faults.items[0].text);
    }
    index_layout(editor);
    editor->guests =
        ARENA_ARRAY(editor->arena, struct desired_guest, editor->desired.guest_count + 1);
    for (size_t i = 0; i < editor->desired.guest_count; i++) {
        editor->guests[i] = editor->desired.guests[i];
    }
    return 0;
}

int es_edit_apply(struct arena *arena, const char *bytes, size_t length,
                  const struct es_edit *edits, size_t count, const char **edited,
                  size_t *edited_length, struct err *err)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct editor editor = { .arena = &scratch, .bytes = bytes, .length = length };
    struct text text;
    bool *named;

    if (read_file(&editor, err) != 0) {
        return -1;
    }
    named = ARENA_ARRAY(&scratch, bool, editor.desired.guest_count + 1);
    editor.changes = ARENA_ARRAY(&scratch, struct change, 2 * count + 1);
    for (size_t i = 0; i < count; i++) {
        if (plan_edit(&editor, &edits[i], named, err) != 0) {
            return -1;
        }
    }
    text = rewrite(&editor, arena);
    if (verify(&editor, &text, err) != 0) {
        return -1;
    }
    *edited = text.data;
    *edited_length = text.length;
    return 0;
}

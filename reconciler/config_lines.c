/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/config_lines.h"

#include <ini.h>
#include <string.h>

#include "base/text.h"
#include "model/fault.h"

#define LINE_MAX_BYTES ((size_t)INI_MAX_LINE - 3) /* inih cuts what is longer. */
#define ECHO_MAX_BYTES 64

static const char *const blanks = " \t\r";

/* One line of those that are read. */
struct line {
    const struct config_lines *lines;
    uint32_t number;
};

const char *config_lines_echo(struct arena *arena, const char *s)
{
    char *copy = text_copy(arena, s, strnlen(s, ECHO_MAX_BYTES));

    for (char *c = copy; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return copy;
}

/* A comment may stand behind it. */
static void read_header(const struct line *line, const char *text)
{
    const struct config_lines *lines = line->lines;
    const char *end = strchr(text, ']');
    const char *rest = end == NULL ? NULL : end + 1 + strspn(end + 1, blanks);
    const char *inside;
    size_t kind;

    if (rest == NULL || (*rest != '\0' && *rest != ';' && *rest != '#')) {
        fault_add(lines->faults, line->number, "not a section header such as [fleet]");
        lines->section(lines->context, line->number, NULL, "");
        return;
    }
    inside = text_trim(lines->arena, text + 1, (size_t)(end - text) - 1, blanks);
    kind = strcspn(inside, blanks);
    lines->section(lines->context, line->number, text_copy(lines->arena, inside, kind),
                   text_trim(lines->arena, inside + kind, strlen(inside + kind), blanks));
}

/* inih's handler. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
    const struct line *line = user;

    (void)section;
    line->lines->key(line->lines->context, line->number, name, value);
    return 1;
}

/* inih gets one line at a time.  Given the whole file it cuts the names of sections at 50 bytes, which
 * would give one host's settings to another, knows only the first malformed line, and takes an indented
 * key for the rest of the value above. */
static void read_line(struct line *line, const char *text)
{
    struct faults *faults = line->lines->faults;

    text += strspn(text, blanks);
    if (*text == '\0' || *text == ';' || *text == '#') {
        return;
    }
    if (strlen(text) > LINE_MAX_BYTES) {
        fault_add(faults, line->number, "longer than %zu bytes", LINE_MAX_BYTES);
    } else if (*text == '[') {
        read_header(line, text);
    } else if (ini_parse_string(text, on_key, line) != 0) {
        fault_add(faults, line->number, "not a section, 'key = value' or comment");
    }
}

void config_lines_read(const struct config_lines *lines, char *bytes, size_t length)
{
    struct line line = { .lines = lines };
    char *text = bytes;

    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) { /* A byte order mark. */
        text += 3;
    }
    while (text < bytes + length) {
        char *end = memchr(text, '\n', (size_t)(bytes + length - text));

        if (end == NULL) {
            end = bytes + length;
        }
        *end = '\0';
        line.number++;
        if (strlen(text) < (size_t)(end - text)) {
            fault_add(lines->faults, line.number, "holds a NUL byte");
        }
        read_line(&line, text);
        text = end + 1;
    }
}

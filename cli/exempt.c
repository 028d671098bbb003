/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exempt.h"

#include <fnmatch.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"

#define FILE_MAX_BYTES ((size_t)65536)
#define PATTERNS_MAX   1000u
#define BLANKS         " \t\r"

/* Appends the words of 'value'. */
static int add_patterns(struct arena *arena, struct exempt *exempt, const char *value,
                        struct err *err)
{
    for (value += strspn(value, BLANKS); *value != '\0'; value += strspn(value, BLANKS)) {
        size_t length = strcspn(value, BLANKS);

        if (exempt->count == PATTERNS_MAX) {
            return err_set(err, ERR_INVALID, "more than %u names", PATTERNS_MAX);
        }
        exempt->patterns[exempt->count++] = text_copy(arena, value, length);
        value += length;
    }
    return 0;
}

static int read_line(struct arena *arena, struct exempt *exempt, const char *line, struct err *err)
{
    const char *equals = strchr(line, '=');
    const char *key;

    if (line[0] == '\0' || line[0] == '#') {
        return 0;
    }
    key = text_trim(arena, line, equals == NULL ? strlen(line) : (size_t)(equals - line), BLANKS);
    if (equals == NULL || strcmp(key, "exempt") != 0) {
        return err_set(err, ERR_INVALID, "'%.60s': only 'exempt = NAME...' is known",
                       text_visible(arena, key));
    }
    return add_patterns(arena, exempt, equals + 1, err);
}

static int read_lines(struct arena *arena, const char *path, const char *bytes, size_t length,
                      struct exempt *exempt, struct err *err)
{
    const char *end = bytes + length;
    unsigned number = 0;

    while (bytes < end) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t size = (size_t)((stop == NULL ? end : stop) - bytes);

        number++;
        if (memchr(bytes, '\0', size) != NULL) {
            return err_set(err, ERR_INVALID, "%s:%u: not text", path, number);
        }
        if (read_line(arena, exempt, text_trim(arena, bytes, size, BLANKS), err) != 0) {
            return err_wrap(err, "%s:%u", path, number);
        }
        bytes = stop == NULL ? end : stop + 1;
    }
    return 0;
}

int exempt_read(struct arena *arena, const char *path, struct exempt *exempt, struct err *err)
{
    struct exempt read = { .patterns = ARENA_ARRAY(arena, const char *, PATTERNS_MAX) };
    struct err why;
    char *bytes;
    size_t length;

    *exempt = (struct exempt){ 0 };
    if (file_read(arena, path, FILE_MAX_BYTES, &bytes, &length, &why) != 0) {
        if (why.code == ERR_NOT_FOUND) {
            return 0;
        }
        *err = why;
        return -1;
    }
    if (read_lines(arena, path, bytes, length, &read, err) != 0) {
        return -1;
    }
    *exempt = read;
    return 0;
}

bool exempt_has(const struct exempt *exempt, const char *guest)
{
    for (size_t i = 0; i < exempt->count; i++) {
        if (fnmatch(exempt->patterns[i], guest, 0) == 0) {
            return true;
        }
    }
    return false;
}

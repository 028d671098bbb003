/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/ssh_command.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

static void append_quoted(struct text *line, const char *s)
{
    text_append(line, "'");
    while (*s != '\0') {
        size_t plain = strcspn(s, "'");

        text_append_bytes(line, s, plain);
        s += plain;
        if (*s == '\'') {
            text_append(line, "'\\''");
            s++;
        }
    }
    text_append(line, "'");
}

const char *ssh_command_quote(struct arena *arena, const char *s)
{
    struct text word = text_new(arena);

    append_quoted(&word, s);
    return word.data;
}

static bool is_plain(const char *word)
{
    return *word != '\0' && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789_-+=./:,@%^")] == '\0';
}

const char *ssh_command_show(struct arena *arena, const char *const *argv, size_t most)
{
    static const char cut[] = "...";
    struct text line = text_new(arena);
    size_t end = most - (sizeof(cut) - 1);

    assert(most >= sizeof(cut));
    for (size_t i = 0; argv[i] != NULL && line.length <= most; i++) {
        text_append(&line, i == 0 ? "" : " ");
        if (is_plain(argv[i])) {
            text_append(&line, argv[i]);
        } else {
            append_quoted(&line, argv[i]);
        }
    }
    if (line.length > most) {
        while (end > 0 && ((unsigned char)line.data[end] & 0xc0U) == 0x80U) {
            end--; /* Nothing is cut within a character. */
        }
        return text_visible(arena, text_format(arena, "%.*s%s", (int)end, line.data, cut));
    }
    return text_visible(arena, line.data);
}

int ssh_command_line(struct arena *arena, const char *const *argv, const char **line,
                     struct err *err)
{
    struct text text = text_new(arena);

    if (argv[0] == NULL || argv[0][0] == '\0') {
        return err_set(err, ERR_INVALID, "cannot run a command without a program");
    }
    for (size_t i = 0; argv[i] != NULL; i++) {
        text_append(&text, i == 0 ? "" : " ");
        append_quoted(&text, argv[i]);
        if (text.length > SSH_COMMAND_MAX_BYTES) {
            return err_set(err, ERR_INVALID,
                           "cannot run '%.100s' on a host: its arguments take more than %zu bytes",
                           argv[0], SSH_COMMAND_MAX_BYTES);
        }
    }
    *line = text.data;
    return 0;
}

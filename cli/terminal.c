/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <locale.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/err.h"
#include "base/heap.h"
#include "cli/canvas.h"

#define ESCAPE_MS 50 /* How long the rest of a key's sequence may take. */

struct curses_terminal {
    struct terminal terminal;
    SCREEN *screen;
    attr_t attributes[CANVAS_STYLES];
};

static struct curses_terminal *self(struct terminal *terminal)
{
    return CONTAINER_OF(terminal, struct curses_terminal, terminal);
}

static void size(struct terminal *base, size_t *rows, size_t *columns)
{
    (void)base;
    *rows = LINES > 0 ? (size_t)LINES : 0;
    *columns = COLS > 0 ? (size_t)COLS : 0;
}

/* Some characters are two columns wide: what does not fit is left out. */
static void draw_text(const char *text)
{
    int column = 0;

    while (*text != '\0') {
        wchar_t wide;
        int length = mbtowc(&wide, text, MB_CUR_MAX);
        int columns = length > 0 ? wcwidth(wide) : 1;

        if (length <= 0) {
            length = 1;
            wide = L'?';
        }
        columns = columns < 0 ? 1 : columns;
        if (column + columns > COLS) {
            return;
        }
        (void)addnwstr(&wide, 1);
        column += columns;
        text += length;
    }
}

static void draw(struct terminal *base, const struct canvas *canvas)
{
    struct curses_terminal *terminal = self(base);

    (void)erase();
    for (size_t i = 0; i < canvas->count && (int)i < LINES; i++) {
        (void)move((int)i, 0);
        (void)attrset((int)terminal->attributes[canvas->lines[i].style]);
        draw_text(canvas->lines[i].text);
    }
    (void)attrset(A_NORMAL);
    (void)refresh();
}

static enum terminal_key key(struct terminal *base)
{
    (void)base;
    switch (getch()) {
    case ERR:
        return TERMINAL_NONE;
    case 'q':
    case 'Q':
        return TERMINAL_QUIT;
    case '?':
    case 'h':
        return TERMINAL_HELP;
    case KEY_UP:
    case 'k':
        return TERMINAL_UP;
    case KEY_DOWN:
    case 'j':
        return TERMINAL_DOWN;
    case KEY_PPAGE:
        return TERMINAL_PAGE_UP;
    case KEY_NPAGE:
    case ' ':
        return TERMINAL_PAGE_DOWN;
    case KEY_HOME:
        return TERMINAL_HOME;
    case KEY_END:
        return TERMINAL_END;
    default:
        return TERMINAL_OTHER;
    }
}

static void resize(struct terminal *base)
{
    struct winsize window;

    (void)base;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0) {
        (void)resizeterm(window.ws_row, window.ws_col);
    }
    (void)clearok(stdscr, TRUE);
}

static void suspend(struct terminal *base)
{
    (void)base;
    (void)endwin();
    (void)clearok(stdscr, TRUE);
}

static void terminal_close(struct terminal *base)
{
    struct curses_terminal *terminal = self(base);

    (void)endwin();
    delscreen(terminal->screen);
    free(terminal);
}

static void set_styles(struct curses_terminal *terminal, bool colour)
{
    static const short colours[CANVAS_STYLES] = {
        [CANVAS_GOOD] = COLOR_GREEN, [CANVAS_BAD] = COLOR_RED, [CANVAS_BUSY] = COLOR_CYAN
    };

    terminal->attributes[CANVAS_TITLE] = A_BOLD;
    terminal->attributes[CANVAS_FAINT] = A_DIM;
    terminal->attributes[CANVAS_BAD] = A_BOLD;
    if (!colour || !has_colors() || start_color() != OK || use_default_colors() != OK) {
        return;
    }
    for (short i = 0; i < CANVAS_STYLES; i++) {
        if (colours[i] != 0 && init_pair((short)(i + 1), colours[i], -1) == OK) {
            terminal->attributes[i] = (attr_t)COLOR_PAIR(i + 1);
        }
    }
}

struct terminal *terminal_open(bool colour, struct err *err)
{
    static const struct terminal_ops ops = { size, draw, key, resize, suspend, terminal_close };
    struct curses_terminal *terminal = HEAP_NEW(struct curses_terminal);

    terminal->terminal.ops = &ops;
    (void)setlocale(LC_CTYPE, ""); /* For what is drawn alone. */
    terminal->screen = newterm(NULL, stdout, stdin);
    if (terminal->screen == NULL) {
        const char *name = getenv("TERM");

        free(terminal);
        (void)err_set(err, ERR_INVALID, "cannot draw on a terminal of the type '%.64s'",
                      name == NULL ? "" : name);
        return NULL;
    }
    (void)cbreak();
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(ESCAPE_MS);
    (void)curs_set(0);
    set_styles(terminal, colour);
    return &terminal->terminal;
}

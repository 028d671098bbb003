/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/module.h"
#include "base/text.h"
#include "cli/canvas.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/document.h"
#include "cli/news.h"
#include "cli/terminal.h"

#define EVENTS_KEPT    200
#define EVENT_SIZE     256
#define REFRESH_MS     500  /* At most this often while something happens, ... */
#define IDLE_MS        5000 /* ... and this often while nothing does. */
#define TURN_MS        250
#define DEAF_TURNS_MAX 100 /* Without a key though there is something to read: nobody is there. */

/* The look of the fleet on a terminal. */
struct show {
    struct cli *cli;
    struct daemon daemon;
    struct terminal *terminal;
    int wakers[2]; /* Of keys and of signals. */
    struct document status;
    struct document hosts;
    struct document guests;
    char events[EVENTS_KEPT][EVENT_SIZE]; /* Number n is at n % EVENTS_KEPT. */
    size_t event_count;                   /* That have come. */
    char trouble[ERR_TEXT_SIZE];
    bool stale; /* Something has happened since the documents were read. */
    int64_t read_at_ms;
    size_t scroll;
    size_t page; /* Lines of a page. */
    bool help;
    size_t deaf_turns;
    bool over;
    int exit;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void end(struct show *show, int status)
{
    show->over = true;
    show->exit = status;
}

/* Reads the document into '*document', which stays as it is if that fails. */
static int get(struct show *show, const char *path, const char *format, struct document *document)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct document read = { .root = NULL };
    struct text bytes = text_new(&arena);
    struct err err;

    if (daemon_get(&show->daemon, path, format, &read, &bytes, &err) != 0) {
        (void)snprintf(show->trouble, sizeof(show->trouble), "%s", err.text);
        return -1;
    }
    document_deinit(document);
    *document = read;
    return 0;
}

/* Large fleets have many guests, and mostly all of them are in their place. */
static bool has_misplaced(const struct show *show)
{
    const struct json_t *guests = document_object(show->status.root, "guests");

    return document_number(guests, "misplaced") + document_number(guests, "missing") +
               document_number(guests, "duplicate") + document_number(guests, "unknown") >
           0;
}

static void read_documents(struct show *show)
{
    show->stale = false;
    show->read_at_ms = now_ms();
    show->trouble[0] = '\0';
    if (get(show, "/v1/status", "berth.status/1", &show->status) != 0 ||
        get(show, "/v1/hosts", "berth.hosts/1", &show->hosts) != 0) {
        return;
    }
    if (has_misplaced(show)) {
        (void)get(show, "/v1/guests", "berth.guests/1", &show->guests);
    } else {
        document_deinit(&show->guests);
    }
}

static void draw(struct show *show)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    size_t count = show->event_count < EVENTS_KEPT ? show->event_count : EVENTS_KEPT;
    const char **events = ARENA_ARRAY(&arena, const char *, count + 1);
    struct canvas_view view = {
        .status = show->status.root,
        .hosts = show->hosts.root,
        .guests = show->guests.root,
        .events = events,
        .event_count = count,
        .trouble = show->trouble[0] == '\0' ? NULL : text_visible(&arena, show->trouble),
        .scroll = show->scroll,
        .help = show->help,
    };
    struct canvas canvas;

    for (size_t i = 0; i < count; i++) {
        events[i] = show->events[(show->event_count - count + i) % EVENTS_KEPT];
    }
    show->terminal->ops->size(show->terminal, &view.rows, &view.columns);
    canvas = canvas_draw(&arena, &view);
    show->scroll = canvas.scroll;
    show->page = view.rows / 2;
    show->terminal->ops->draw(show->terminal, &canvas);
}

static void take_event(struct show *show)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(document) struct document data = { .root = NULL };
    const struct client *client = show->daemon.client;
    struct err err;

    show->stale = true;
    if (news_is_worth_a_line(client->name) &&
        document_parse(&data, client->data, strlen(client->data), NULL, &err) == 0) {
        (void)snprintf(show->events[show->event_count++ % EVENTS_KEPT], EVENT_SIZE, "%s",
                       news_line(&arena, client->name, &data));
    }
}

static void suspend(struct show *show)
{
    show->terminal->ops->suspend(show->terminal);
    (void)raise(SIGSTOP);
    show->terminal->ops->resize(show->terminal);
}

static bool take_signal(struct show *show)
{
    struct signalfd_siginfo signal;

    if (read(show->wakers[1], &signal, sizeof(signal)) != (ssize_t)sizeof(signal)) {
        return false;
    }
    if (signal.ssi_signo == SIGWINCH) {
        show->terminal->ops->resize(show->terminal);
    } else if (signal.ssi_signo == SIGTSTP) {
        suspend(show);
    } else {
        end(show, signal.ssi_signo == SIGINT ? CLI_OK : CLI_CANCELLED);
    }
    return true;
}

static void scroll_by(struct show *show, size_t lines, bool up)
{
    if (up) {
        show->scroll = show->scroll > lines ? show->scroll - lines : 0;
    } else {
        show->scroll += lines; /* The canvas knows the end. */
    }
}

static void obey(struct show *show, enum terminal_key key)
{
    switch (key) {
    case TERMINAL_QUIT:
        end(show, CLI_OK);
        break;
    case TERMINAL_HELP:
        show->help = !show->help;
        show->scroll = 0;
        break;
    case TERMINAL_UP:
    case TERMINAL_DOWN:
        scroll_by(show, 1, key == TERMINAL_UP);
        break;
    case TERMINAL_PAGE_UP:
    case TERMINAL_PAGE_DOWN:
        scroll_by(show, show->page, key == TERMINAL_PAGE_UP);
        break;
    case TERMINAL_HOME:
        show->scroll = 0;
        break;
    case TERMINAL_END:
        show->scroll = SIZE_MAX / 2;
        break;
    case TERMINAL_NONE:
    case TERMINAL_OTHER:
        break;
    }
}

/* A terminal that has gone can be read for ever, and nothing comes. */
static void take_input(struct show *show, bool early)
{
    enum terminal_key key = show->terminal->ops->key(show->terminal);
    bool any = key != TERMINAL_NONE;

    while (key != TERMINAL_NONE && !show->over) {
        obey(show, key);
        key = show->terminal->ops->key(show->terminal);
    }
    while (!show->over && take_signal(show)) {
        any = true;
    }
    show->deaf_turns = early && !any ? show->deaf_turns + 1 : 0;
    if (show->deaf_turns > DEAF_TURNS_MAX) {
        end(show, CLI_CANCELLED);
    }
}

static void take_turn(struct show *show)
{
    int64_t begun_ms = now_ms();
    struct err err;

    switch (daemon_follow(&show->daemon, show->wakers, ARRAY_LEN(show->wakers), TURN_MS, &err)) {
    case CLIENT_QUIET:
        take_input(show, now_ms() - begun_ms < TURN_MS / 2);
        break;
    case CLIENT_BEGUN:
        show->stale = true;
        show->read_at_ms = 0;
        break;
    case CLIENT_EVENT:
        take_event(show);
        break;
    case CLIENT_LOST:
        (void)snprintf(show->trouble, sizeof(show->trouble), "%s", err.text);
        break;
    }
}

static void run_show(struct show *show)
{
    read_documents(show);
    draw(show);
    while (!show->over) {
        int64_t age_ms;

        take_turn(show);
        age_ms = now_ms() - show->read_at_ms;
        if (!show->over && age_ms >= (show->stale ? REFRESH_MS : IDLE_MS)) {
            read_documents(show);
        }
        if (!show->over) {
            draw(show);
        }
    }
}

/* Never called: the signal is blocked.  Where SIGTSTP has a handler ncurses leaves it alone; else it would
 * ignore, and so lose, one that comes while it draws. */
static void on_stop(int number)
{
    (void)number;
}

static int open_signals(sigset_t *before)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
    sigset_t signals;

    (void)sigemptyset(&signals);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        (void)sigaddset(&signals, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &signals, before);
    (void)signal(SIGTSTP, on_stop);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* On a terminal. */
static int watch_screen(struct show *show)
{
    __typeof__(terminal_open) *open_terminal;
    sigset_t before;
    struct err err;

    open_terminal = (__typeof__(open_terminal))module_find("client", "draws on a terminal",
                                                           "terminal_open", &err);
    if (open_terminal == NULL) {
        return cli_fail(&err);
    }
    show->wakers[0] = STDIN_FILENO;
    show->wakers[1] = open_signals(&before);
    if (show->wakers[1] < 0) {
        cli_error(NULL, "watch: cannot wait for signals");
        return CLI_FAILED;
    }
    show->terminal = open_terminal(show->cli->colour, &err);
    if (show->terminal != NULL) {
        run_show(show);
        show->terminal->ops->close(show->terminal);
    }
    (void)close(show->wakers[1]);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    document_deinit(&show->status);
    document_deinit(&show->hosts);
    document_deinit(&show->guests);
    return show->terminal == NULL ? cli_fail(&err) : show->exit;
}

static int print_event(struct show *show)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(document) struct document data = { .root = NULL };
    const struct client *client = show->daemon.client;
    struct text line = text_new(&arena);
    struct err err;

    if (document_parse(&data, client->data, strlen(client->data), NULL, &err) != 0 ||
        (!show->cli->json && !news_is_worth_a_line(client->name))) {
        return CLI_OK;
    }
    text_printf(&line, "%s\n",
                show->cli->json ? client->data : news_line(&arena, client->name, &data));
    return cli_print(line.data, line.length);
}

/* Where nobody sees a screen: a line an event, until somebody ends it. */
static int watch_lines(struct show *show)
{
    bool lost = false;
    int status = CLI_OK;

    while (status == CLI_OK) {
        struct err err;

        switch (daemon_follow(&show->daemon, NULL, 0, IDLE_MS, &err)) {
        case CLIENT_EVENT:
            status = print_event(show);
            break;
        case CLIENT_BEGUN:
            (void)fprintf(stderr, "berthd tells events from now on\n");
            lost = false;
            break;
        case CLIENT_LOST:
            if (!lost) {
                cli_error(NULL, "watch: %s: waiting for it", err.text);
            }
            lost = true;
            break;
        case CLIENT_QUIET:
            break;
        }
    }
    return status;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 0, 0);
    struct show *show = ARENA_NEW(&cli->arena, struct show);
    struct err err;

    if (status >= 0) {
        return status;
    }
    show->cli = cli;
    if (daemon_find(cli, &show->daemon, &err) != 0) {
        return cli_fail(&err);
    }
    if (show->daemon.client == NULL) {
        cli_error("'berth status' tells what the journal knows", "watch: no berthd runs");
        return CLI_FAILED;
    }
    status = !cli->json && cli_is_terminal(STDOUT_FILENO) && isatty(STDIN_FILENO) == 1
                 ? watch_screen(show)
                 : watch_lines(show);
    daemon_deinit(&show->daemon);
    return status;
}

static const struct cli_command command = {
    .name = "watch",
    .arguments = "",
    .summary = "look at the fleet and what berthd does to it, as it happens",
    .details =
        "On a terminal a screen: hosts, guests that are not in their place, the running move, what waits\n"
        "and why, events; '?' tells the keys, 'q' quits.  Elsewhere, and with --json, a line an event.",
    .run = run,
};

const struct cli_command *cmd_watch_command(void)
{
    return &command;
}

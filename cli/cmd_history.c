/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/records.h"
#include "cli/revisions.h"
#include "reconciler/journal/journal.h"
#include "reconciler/journal_json.h"
#include "reconciler/json_member.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     100000

/* What is told, both oldest first. */
struct past {
    struct journal_move *moves;
    size_t move_count;
    struct journal_event *events;
    size_t event_count;
};

static int read_past(struct cli *cli, struct journal *journal, const char *guest, size_t limit,
                     struct past *past, struct err *err)
{
    return journal->ops->moves(journal, &cli->arena, false, guest, limit, &past->moves,
                               &past->move_count, err) == 0
               ? journal->ops->events(journal, &cli->arena, guest, limit, &past->events,
                                      &past->event_count, err)
               : -1;
}

static int read_steps(struct cli *cli, struct journal *journal, const struct journal_move *move,
                      struct journal_step **steps, size_t *count, struct err *err)
{
    return journal->ops->steps(journal, &cli->arena, move->key, steps, count, err);
}

static int print_move(struct cli *cli, struct journal *journal, const struct journal_move *move,
                      bool steps_too, struct text *text, struct err *err)
{
    struct journal_step *steps = NULL;
    size_t count = 0;

    if (steps_too && read_steps(cli, journal, move, &steps, &count, err) != 0) {
        return -1;
    }
    records_print_move(text, move, cli_now_ms());
    for (size_t i = 0; i < count; i++) {
        records_print_step(text, &steps[i]);
    }
    return 0;
}

/* True if the move was begun before the event: by their keys, which order what happens within a millisecond,
 * and when a clock was set back. */
static bool comes_first(const struct journal_move *move, const struct journal_event *event)
{
    return move->key.epoch != event->key.epoch ? move->key.epoch < event->key.epoch
                                               : move->key.seq < event->key.seq;
}

/* Moves and events in the order in which they happened, the newest 'limit' of them. */
static int print_past(struct cli *cli, struct journal *journal, const struct past *past,
                      const char *guest, size_t limit, struct text *text, struct err *err)
{
    size_t all = past->move_count + past->event_count;
    size_t i = 0;
    size_t k = 0;

    while (i + k < all) {
        bool is_move = k == past->event_count ||
                       (i < past->move_count && comes_first(&past->moves[i], &past->events[k]));
        bool is_shown = all - i - k <= limit;

        if (is_shown && !is_move) {
            records_print_event(text, &past->events[k]);
        } else if (is_shown &&
                   print_move(cli, journal, &past->moves[i], guest != NULL, text, err) != 0) {
            return -1;
        }
        i += is_move;
        k += !is_move;
    }
    return 0;
}

static int write_move(struct cli *cli, struct journal *journal, const struct journal_move *move,
                      bool steps_too, struct text *text, struct err *err)
{
    struct journal_step *steps;
    size_t count;

    journal_json_move(text, move);
    if (!steps_too) {
        return 0;
    }
    if (read_steps(cli, journal, move, &steps, &count, err) != 0) {
        return -1;
    }
    text->data[--text->length] = '\0'; /* Reopen the move's object. */
    json_member_name(text, "steps");
    text_append(text, "[");
    for (size_t i = 0; i < count; i++) {
        json_member_next(text);
        text_append(text, "\n  ");
        journal_json_step(text, &steps[i]);
    }
    text_append(text, "]}");
    return 0;
}

static int write_past(struct cli *cli, struct journal *journal, const struct past *past,
                      const char *guest, struct text *text, struct err *err)
{
    text_append(text, "{");
    json_member_string(text, "format", "berth.history/1");
    json_member_name(text, "moves");
    text_append(text, "[");
    for (size_t i = 0; i < past->move_count; i++) {
        json_member_next(text);
        text_append(text, "\n ");
        if (write_move(cli, journal, &past->moves[i], guest != NULL, text, err) != 0) {
            return -1;
        }
    }
    text_append(text, "]");
    journal_json_events(text, past->events, past->event_count, INT64_MIN);
    text_append(text, "}\n");
    return 0;
}

static int tell(struct cli *cli, struct journal *journal, const char *guest, size_t limit,
                struct text *text, struct err *err)
{
    struct past past;

    if (read_past(cli, journal, guest, limit, &past, err) != 0) {
        return -1;
    }
    return cli->json ? write_past(cli, journal, &past, guest, text, err)
                     : print_past(cli, journal, &past, guest, limit, text, err);
}

/* No journal yet: nothing was ever done. */
static int print_nothing(struct cli *cli)
{
    static const char json[] = "{\"format\":\"berth.history/1\",\"moves\":[],\"events\":[]}\n";

    return cli->json ? cli_print(json, sizeof(json) - 1) : CLI_OK;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    const char *limit_text = NULL;
    bool revisions = false;
    const struct cli_option options[] = {
        { .name = "limit",
          .letter = 'n',
          .value = "N",
          .help = "the newest N (default 50)",
          .text = &limit_text },
        { .name = "revisions",
          .help = "the revisions of es.xml in place of the moves",
          .flag = &revisions },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 1);
    struct text text = text_new(&cli->arena);
    uint64_t limit = LIMIT_DEFAULT;
    struct journal *journal;
    struct err err;

    if (status >= 0) {
        return status;
    }
    if (limit_text != NULL && !text_to_u64(limit_text, LIMIT_MAX, &limit)) {
        cli_error(NULL, "--limit: '%s' is no number up to %d", limit_text, LIMIT_MAX);
        return CLI_INVALID;
    }
    if (revisions) {
        return revisions_print(cli, limit);
    }
    journal = journal_open_readonly(cli->config.state_dir, &err);
    if (journal == NULL) {
        return err.code == ERR_NOT_FOUND ? print_nothing(cli) : cli_fail(&err);
    }
    if (tell(cli, journal, argc > 0 ? argv[0] : NULL, limit, &text, &err) != 0) {
        status = cli_fail(&err);
    } else {
        status = cli_print(text.data, text.length);
    }
    journal_close(journal);
    return status;
}

static const struct cli_command command = {
    .name = "history",
    .arguments = "[GUEST]",
    .summary = "what was moved, asked for and noticed, when, and how it ended",
    .details =
        "Newest last.  With GUEST, what was of that guest, and each step of its moves.  With --revisions, the\n"
        "texts of es.xml that were acted on: 'berth rollback' puts one of them back.",
    .run = run,
};

const struct cli_command *cmd_history_command(void)
{
    return &command;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/records.h"
#include "cli/revisions.h"
#include "reconciler/journal/journal.h"
#include "reconciler/journal_json.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     100000

static int print_steps(struct cli *cli, struct journal *journal, const struct journal_move *move,
                       struct text *text, struct err *err)
{
    struct journal_step *steps;
    size_t count;

    if (journal->ops->steps(journal, &cli->arena, move->key, &steps, &count, err) != 0) {
        return -1;
    }
    if (cli->json) {
        text->data[--text->length] = '\0'; /* Reopen the move's object. */
        text_append(text, ",\"steps\":[");
    }
    for (size_t i = 0; i < count; i++) {
        if (cli->json) {
            text_append(text, i == 0 ? "\n  " : ",\n  ");
            journal_json_step(text, &steps[i]);
        } else {
            records_print_step(text, &steps[i]);
        }
    }
    if (cli->json) {
        text_append(text, "]}");
    }
    return 0;
}

static int print_history(struct cli *cli, struct journal *journal, const char *guest, size_t limit,
                         struct text *text, struct err *err)
{
    struct journal_move *moves;
    size_t count;

    if (journal->ops->moves(journal, &cli->arena, false, guest, limit, &moves, &count, err) != 0) {
        return -1;
    }
    if (cli->json) {
        text_append(text, "{\"format\":\"berth.history/1\",\"moves\":[");
    }
    for (size_t i = 0; i < count; i++) {
        if (cli->json) {
            text_append(text, i == 0 ? "\n " : ",\n ");
            journal_json_move(text, &moves[i]);
        } else {
            records_print_move(text, &moves[i], cli_now_ms());
        }
        if (guest != NULL && print_steps(cli, journal, &moves[i], text, err) != 0) {
            return -1;
        }
    }
    if (cli->json) {
        text_append(text, "]}\n");
    }
    return 0;
}

/* No journal yet: nothing was ever done. */
static int print_nothing(struct cli *cli)
{
    static const char json[] = "{\"format\":\"berth.history/1\",\"moves\":[]}\n";

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
    if (print_history(cli, journal, argc > 0 ? argv[0] : NULL, limit, &text, &err) != 0) {
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
    .summary = "what was moved, when, and how it ended",
    .details =
        "Newest last.  With GUEST, that guest's moves and each of their steps.  With --revisions, the\n"
        "texts of es.xml that were acted on: 'berth rollback' puts one of them back.",
    .run = run,
};

const struct cli_command *cmd_history_command(void)
{
    return &command;
}

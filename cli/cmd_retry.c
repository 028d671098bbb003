/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/entry.h"
#include "model/json_token.h"
#include "reconciler/ledger.h"

static int clear(struct ledger *ledger, struct loop *loop, const char *guest, struct err *err)
{
    const struct journal_retry *retry = ledger_find_retry(ledger, guest);
    struct journal_record record = { .kind = JOURNAL_RETRY };

    if (retry == NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot retry '%s': it is neither parked nor waiting",
                       guest);
    }
    record.retry = *retry;
    record.retry.cleared = true;
    return entry_write(ledger, loop, &record, 1, err);
}

static int retry_guest(struct cli *cli, const char *guest, struct err *err)
{
    struct loop *loop = loop_uv_new();
    struct journal *journal = journal_open(loop, cli->config.state_dir, err);
    struct ledger ledger;
    int status = -1;

    if (journal != NULL) {
        ledger_init(&ledger, journal);
        if (ledger_load(&ledger, err) == 0) {
            status = clear(&ledger, loop, guest, err);
        }
        journal_close(journal);
        ledger_deinit(&ledger);
    }
    loop_uv_free(loop);
    return status;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 1, 1);
    struct text text = text_new(&cli->arena);
    struct err err;

    if (status >= 0) {
        return status;
    }
    if (retry_guest(cli, argv[0], &err) != 0) {
        return cli_fail(&err);
    }
    if (cli->json) {
        text_append(&text, "{\"format\":\"berth.retry/1\",\"guest\":");
        json_token_write_string(&text, argv[0]);
        text_append(&text, "}\n");
    } else {
        text_printf(&text, "%s may be moved again: 'berth apply' tries\n", argv[0]);
    }
    return cli_print(text.data, text.length);
}

static const struct cli_command command = {
    .name = "retry",
    .arguments = "GUEST",
    .summary = "forget that moving a guest failed, so that it is tried again at once",
    .details = "For a guest that is parked after a permanent error, or waits for its next try.",
    .run = run,
};

const struct cli_command *cmd_retry_command(void)
{
    return &command;
}

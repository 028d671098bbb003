/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/entry.h"

#include "base/err.h"
#include "base/loop_uv.h"
#include "cli/cli.h"
#include "reconciler/journal/journal.h"

struct waiting {
    struct loop *loop;
    enum journal_result result;
    struct err err;
};

int entry_open(struct entry *entry, const struct cli *cli, struct err *err)
{
    *entry = (struct entry){ .loop = loop_uv_new() };
    entry->journal = journal_open(entry->loop, cli->config.state_dir, err);
    if (entry->journal == NULL) {
        return -1;
    }
    ledger_init(&entry->ledger, entry->journal);
    return ledger_load(&entry->ledger, err);
}

static void on_written(void *context, enum journal_result result, const struct err *err)
{
    struct waiting *waiting = context;

    waiting->result = result;
    if (err != NULL) {
        waiting->err = *err;
    }
    loop_stop(waiting->loop);
}

int entry_write(struct entry *entry, const struct journal_record *records, size_t count,
                struct err *err)
{
    struct waiting waiting = { .loop = entry->loop };

    ledger_submit(&entry->ledger, records, count, on_written, &waiting);
    loop_run(entry->loop);
    if (waiting.result != JOURNAL_COMMITTED) {
        *err = waiting.err;
        return -1;
    }
    return 0;
}

void entry_deinit(struct entry *entry)
{
    if (entry->journal != NULL) {
        journal_close(entry->journal);
        ledger_deinit(&entry->ledger);
    }
    if (entry->loop != NULL) {
        loop_uv_free(entry->loop);
    }
}

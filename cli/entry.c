/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/entry.h"

#include "base/err.h"
#include "base/loop.h"
#include "reconciler/journal/journal.h"
#include "reconciler/ledger.h"

struct waiting {
    struct loop *loop;
    enum journal_result result;
    struct err err;
};

static void on_written(void *context, enum journal_result result, const struct err *err)
{
    struct waiting *waiting = context;

    waiting->result = result;
    if (err != NULL) {
        waiting->err = *err;
    }
    loop_stop(waiting->loop);
}

int entry_write(struct ledger *ledger, struct loop *loop, const struct journal_record *records,
                size_t count, struct err *err)
{
    struct waiting waiting = { .loop = loop };

    ledger_submit(ledger, records, count, on_written, &waiting);
    loop_run(loop);
    if (waiting.result != JOURNAL_COMMITTED) {
        *err = waiting.err;
        return -1;
    }
    return 0;
}

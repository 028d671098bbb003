/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary.h"

#include "base/text.h"
#include "diff/plan.h"
#include "model/json_token.h"

void summary_json(struct text *text, const struct summary *summary)
{
    text_printf(text,
                "{\"format\":\"berth.apply/1\",\"status\":%d,\"moved\":%zu,\"failed\":%zu,"
                "\"unfinished\":%zu,\"blocked\":[",
                summary->status, summary->moved, summary->failed, summary->stuck);
    for (size_t i = 0; i < summary->block_count; i++) {
        const struct plan_block *block = &summary->blocks[i];

        text_append(text, i == 0 ? "\n {\"guest\":" : ",\n {\"guest\":");
        json_token_write_string(text, block->guest);
        text_printf(text, ",\"code\":\"%s\",\"reason\":", plan_code_name(block->code));
        json_token_write_string(text, block->reason);
        text_append(text, "}");
    }
    text_append(text, "]}\n");
}

void summary_text(struct text *text, const struct summary *summary)
{
    if (summary->moved + summary->failed + summary->stuck == 0) {
        return;
    }
    text_printf(text, "%zu guest%s moved", summary->moved, summary->moved == 1 ? "" : "s");
    if (summary->failed > 0) {
        text_printf(text, ", %zu move%s failed", summary->failed, summary->failed == 1 ? "" : "s");
    }
    if (summary->stuck > 0) {
        text_printf(text, ", %zu unfinished: 'berth apply' takes %s up", summary->stuck,
                    summary->stuck == 1 ? "it" : "them");
    }
    if (summary->blocked > 0) {
        text_printf(text, ", %zu guest%s blocked", summary->blocked,
                    summary->blocked == 1 ? " is" : "s are");
    }
    text_append(text, "\n");
}

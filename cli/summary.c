/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary.h"

#include "base/text.h"
#include "diff/plan.h"
#include "reconciler/json_member.h"

void summary_json(struct text *text, const struct summary *summary)
{
    text_append(text, "{");
    json_member_string(text, "format", "berth.apply/1");
    json_member_signed(text, "status", summary->status);
    json_member_number(text, "moved", summary->moved);
    json_member_number(text, "failed", summary->failed);
    json_member_number(text, "unfinished", summary->stuck);
    summary_json_blocked(text, summary->blocks, summary->block_count);
    text_append(text, "}\n");
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

void summary_json_blocked(struct text *text, const struct plan_block *blocks, size_t count)
{
    json_member_name(text, "blocked");
    text_append(text, "[");
    for (size_t i = 0; i < count; i++) {
        json_member_next(text);
        text_append(text, "\n {");
        json_member_string(text, "guest", blocks[i].guest);
        json_member_string(text, "code", plan_code_name(blocks[i].code));
        json_member_string(text, "reason", blocks[i].reason);
        text_append(text, "}");
    }
    text_append(text, "]");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/hold.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "reconciler/journal/journal.h"

const char *hold_text(struct arena *arena, const struct journal_hold *hold)
{
    char since[CLOCK_TEXT_SIZE];
    const char *what = hold->scope == JOURNAL_SCOPE_FLEET ? "the fleet"
                       : hold->scope == JOURNAL_SCOPE_HOST
                           ? text_format(arena, "host '%s'", hold->name)
                           : text_format(arena, "'%s'", hold->name);

    clock_format(hold->since_ms, since);
    return text_format(
        arena, "%s is held by %s since %s%s%s ('berth release%s%s' lets it move again)", what,
        text_visible(arena, hold->user), since, hold->reason == NULL ? "" : ": ",
        hold->reason == NULL ? "" : text_visible(arena, hold->reason),
        hold->scope == JOURNAL_SCOPE_FLEET ? "" : " ", hold->name);
}

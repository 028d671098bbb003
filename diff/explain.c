/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/explain.h"

#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "diff/diff.h"
#include "diff/plan.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/quantity.h"

static const char *state_text(const struct observed_guest *guest)
{
    switch (guest->state) {
    case GUEST_RUNNING:
        return "runs";
    case GUEST_SHUTOFF:
        return "is shut off";
    case GUEST_PAUSED:
        return "is paused";
    case GUEST_CRASHED:
        return "has crashed";
    case GUEST_OTHER:
    case GUEST_STATE_COUNT:
        break;
    }
    return "is in an odd state";
}

static void print_sighting(struct text *text, const struct diff_sighting *sighting)
{
    text_printf(text, "%s on '%s'%s", state_text(sighting->guest), sighting->host->name,
                sighting->host->reachable ? "" : " as last seen (that host does not answer now)");
}

/* "'vm1' runs on 'kvm1' and belongs on 'kvm2' (line 12 of the file)." */
static void print_place(struct text *text, const struct plan_input *input,
                        const struct diff_guest *guest, bool displaced)
{
    text_printf(text, "'%s' ", text_visible(text->arena, guest->name));
    for (size_t i = 0; i < guest->found_count; i++) {
        text_append(text, i == 0 ? "" : i + 1 == guest->found_count ? " and " : ", ");
        print_sighting(text, &guest->sightings[i]);
    }
    if (guest->found_count == 0) {
        text_append(text, "was seen on no host");
    }
    if (guest->class == DIFF_UNMANAGED) {
        text_append(text,
                    " and is not in the file: Berth counts its memory and never touches it.\n");
    } else if (guest->class == DIFF_PLACED) {
        text_append(text, displaced
                              ? ", where the file wants it; it makes way for others and comes "
                                "back.\n"
                              : ", where the file wants it.\n");
    } else {
        text_printf(text, " and belongs on '%s' (line %u of the file).\n", guest->wanted,
                    input->desired->guests[guest->desired].line);
    }
}

static void print_move(struct text *text, const struct plan *plan, const struct plan_move *move)
{
    const struct plan_side *side = &move->target;
    uint64_t room = side->limit_kib > side->after_kib ? side->limit_kib - side->after_kib : 0;

    if (move->mode == MOVE_STOP) {
        text_printf(text, "Move %u of %zu stops it on '%s': %s.\n", move->seq, plan->move_count,
                    move->from, text_visible(text->arena, move->reason));
        return;
    }
    text_printf(text, "Move %u of %zu takes it %s from '%s' to '%s'%s: %s. ", move->seq,
                plan->move_count, op_mode_name(move->mode), move->from, move->to,
                move->detour ? " for a while" : "", text_visible(text->arena, move->reason));
    text_printf(text, "'%s' then has ", move->to);
    if (room == 0) {
        text_append(text, "nothing");
    } else {
        quantity_print_size(text, room);
    }
    text_printf(text, " left%s.\n", quantity_pages_text(text->arena, move->hugepage_kib));
}

static void print_block(struct text *text, const struct plan_block *block)
{
    text_printf(text, "It is not moved (%s): %s.\n", plan_code_name(block->code),
                text_visible(text->arena, block->reason));
    for (size_t i = 0; i < block->certificate.unblock_count; i++) {
        text_printf(text, "%s%s.\n", i == 0 ? "To unblock it: " : "Or: ",
                    text_visible(text->arena, block->certificate.unblock[i]));
    }
}

static size_t count_moves(const struct plan *plan, const char *guest)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->move_count; i++) {
        count += strcmp(plan->moves[i].guest, guest) == 0;
    }
    return count;
}

bool explain_guest(struct arena *arena, struct text *text, const struct plan_input *input,
                   const struct plan *plan, const char *guest)
{
    struct diff diff = diff_compute(arena, input->desired, input->observed);
    const struct diff_guest *found = diff_find_guest(&diff, guest);
    const struct plan_block *block = plan_find_block(plan, guest);

    if (found == NULL) {
        return false;
    }
    print_place(text, input, found, count_moves(plan, guest) > 0);
    for (size_t i = 0; i < plan->move_count; i++) {
        if (strcmp(plan->moves[i].guest, guest) == 0) {
            print_move(text, plan, &plan->moves[i]);
        }
    }
    if (block != NULL) {
        print_block(text, block);
    }
    return true;
}

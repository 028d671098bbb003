/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/records.h"
#include "cli/tale.h"
#include "reconciler/journal/journal.h"
#include "reconciler/json_member.h"
#include "reconciler/procedure.h"

#define STEPS_FORMAT "berth.steps/1"

/* The steps that the one at 'place' has to wait for, by the journal: nobody asks a host. */
static uint32_t lacking_of(const struct tale *tale, size_t place)
{
    enum procedure_state state = tale->rows[place].state;

    return tale->move->state != JOURNAL_MOVE_OPEN || state == PROCEDURE_DONE ||
                   state == PROCEDURE_SKIPPED
               ? 0
               : procedure_needs(place) & ~procedure_held(tale->rows);
}

static void print_lacking(struct text *text, uint32_t lacking)
{
    const char *before = ", after";

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if ((lacking & PROCEDURE_BIT(i)) != 0) {
            text_printf(text, "%s %s", before, procedure_step(i));
            before = "";
        }
    }
}

static void print_row(struct text *text, const struct procedure_row *row, uint32_t lacking)
{
    char took[CLOCK_TEXT_SIZE];

    text_printf(text, "    %-9s  %s", procedure_state_name(row->state), row->name);
    if (row->state == PROCEDURE_SKIPPED) {
        text_printf(text, ": %s\n", row->text);
        return;
    }
    text_printf(text, " on %s", row->host);
    if (row->ended_ms > 0) {
        text_printf(text, ", %s", clock_format_duration(row->ended_ms - row->begun_ms, took));
    }
    print_lacking(text, lacking);
    if (row->text != NULL) {
        text_printf(text, ": %s", text_visible(text->arena, row->text));
    }
    text_append(text, "\n");
}

/* Who goes on with an open move, and the pid of what runs. */
static const char *owner_of(const struct tale *tale, int64_t pid)
{
    if (tale->move->state != JOURNAL_MOVE_OPEN) {
        return NULL;
    }
    if (tale->move->by_hand) {
        return "hand";
    }
    return pid != 0 ? "controller" : "nobody";
}

static void print_owner(struct text *text, const struct tale *tale, int64_t pid)
{
    const char *owner = owner_of(tale, pid);

    if (owner == NULL) {
        return;
    }
    if (strcmp(owner, "hand") == 0) {
        text_append(text, "    it is run by hand, step by step\n");
    } else if (pid != 0) {
        text_printf(text, "    process %" PRId64 " goes on with it\n", pid);
    } else {
        text_append(text, "    nobody is at work on it: 'berth apply' or berthd takes it up\n");
    }
}

static void print_tale(struct text *text, const struct tale *tale, int64_t pid)
{
    const struct journal_move *move = tale->move;

    records_print_move(text, move, cli_now_ms());
    if (move->mode == MOVE_LIVE) {
        for (size_t i = 0; i < tale->count; i++) {
            records_print_step(text, &tale->steps[i]);
        }
        print_owner(text, tale, pid);
        return;
    }
    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        print_row(text, &tale->rows[i], move->by_hand ? lacking_of(tale, i) : 0);
    }
    if (move->state == JOURNAL_MOVE_OPEN && (move->back || move->cancel_requested)) {
        text_printf(text, "    it goes back to %s\n", move->from);
    }
    print_owner(text, tale, pid);
}

static void write_lacking(struct text *json, uint32_t lacking)
{
    json_member_name(json, "after");
    text_append(json, "[");
    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if ((lacking & PROCEDURE_BIT(i)) != 0) {
            json_member_next(json);
            text_printf(json, "\"%s\"", procedure_step(i));
        }
    }
    text_append(json, "]");
}

static void write_row(struct text *json, const struct procedure_row *row, uint32_t lacking)
{
    text_append(json, "{");
    json_member_string(json, "step", row->name);
    json_member_string(json, "state", procedure_state_name(row->state));
    json_member_string(json, "host", row->host);
    json_member_string(json, "text", row->text);
    json_member_instant(json, "begun", row->begun_ms);
    json_member_instant(json, "ended", row->ended_ms);
    write_lacking(json, lacking);
    text_append(json, "}");
}

/* Of a live move, which the procedure does not know, operations are told. */
static void write_operation(struct text *json, const struct journal_step *step)
{
    const char *name = procedure_name(step->kind, step->supply);

    text_append(json, "{");
    json_member_string(json, "step", name != NULL ? name : op_kind_name(step->kind));
    json_member_string(json, "state", journal_step_state_name(step->state));
    json_member_string(json, "host", step->host);
    json_member_string(json, "text", step->error_text != NULL ? step->error_text : step->note);
    json_member_instant(json, "begun", step->begun_ms);
    json_member_instant(json, "ended", step->ended_ms);
    text_append(json, "}");
}

static void write_tale(struct text *json, const struct tale *tale, int64_t pid)
{
    const struct journal_move *move = tale->move;
    bool live = move->mode == MOVE_LIVE;

    json_member_string(json, "from", move->from);
    json_member_string(json, "to", move->to);
    json_member_string(json, "mode", op_mode_name(move->mode));
    json_member_string(json, "state", journal_move_state_name(move->state));
    json_member_flag(json, "back", move->back);
    json_member_flag(json, "by_hand", move->by_hand);
    json_member_string(json, "owner", owner_of(tale, pid));
    json_member_signed(json, "controller_pid", pid);
    json_member_string(json, "next", tale_next(tale));
    json_member_name(json, "steps");
    text_append(json, "[");
    for (size_t i = 0; i < (live ? tale->count : PROCEDURE_STEPS); i++) {
        json_member_next(json);
        text_append(json, "\n ");
        if (live) {
            write_operation(json, &tale->steps[i]);
        } else {
            write_row(json, &tale->rows[i], lacking_of(tale, i));
        }
    }
    text_append(json, "]");
}

static int print(struct cli *cli, const char *guest, const struct tale *tale)
{
    struct text text = text_new(&cli->arena);
    int64_t pid = journal_holder(cli->config.state_dir);

    if (!cli->json && tale->move == NULL) {
        text_printf(&text, "%s has not been moved\n", text_visible(&cli->arena, guest));
    } else if (!cli->json) {
        print_tale(&text, tale, pid);
    } else {
        text_append(&text, "{");
        json_member_string(&text, "format", STEPS_FORMAT);
        json_member_string(&text, "guest", guest);
        if (tale->move == NULL) {
            json_member_name(&text, "steps");
            text_append(&text, "[]");
        } else {
            write_tale(&text, tale, pid);
        }
        text_append(&text, "}\n");
    }
    return cli_print(text.data, text.length);
}

static int tell(struct cli *cli, struct journal *journal, const char *guest)
{
    struct tale tale;
    struct err err;

    if (tale_read(&cli->arena, journal, guest, &tale, &err) != 0) {
        return cli_fail(&err);
    }
    return print(cli, guest, &tale);
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 1, 1);
    struct journal *journal;
    struct err err;

    if (status >= 0) {
        return status;
    }
    journal = journal_open_readonly(cli->config.state_dir, &err);
    if (journal == NULL) { /* No journal yet: nothing was ever done. */
        return err.code == ERR_NOT_FOUND ? print(cli, argv[0], &(struct tale){ .move = NULL })
                                         : cli_fail(&err);
    }
    status = tell(cli, journal, argv[0]);
    journal_close(journal);
    return status;
}

static const struct cli_command command = {
    .name = "steps",
    .arguments = "GUEST",
    .summary = "the steps of a guest's move: done, next, left, and skipped, with the reason",
    .details =
        "Of the move that is under way or stands still, or else of the guest's last one.  A move that stops\n"
        "the guest is told in the steps of the procedure that Berth replaces, STOP_GUEST for example.",
    .run = run,
};

const struct cli_command *cmd_steps_command(void)
{
    return &command;
}

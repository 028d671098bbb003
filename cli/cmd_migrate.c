/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/handrun.h"
#include "cli/revive.h"
#include "diff/resurrect.h"
#include "model/es_edit.h"
#include "model/quantity.h"

/* What holds for this run alone. */
struct wish {
    const char *to;
    const char *mode; /* Or NULL, as the next: what berth.conf says. */
    const char *timeout;
    const char *step; /* The only one that is taken, or NULL. */
};

/* A mode that only this command has. */
#define FORCED "offline-force"

static int compare_guests(const void *a, const void *b)
{
    const struct policy_guest *left = a;
    const struct policy_guest *right = b;

    return strcmp(left->name, right->name);
}

/* The guest's own settings, with another mode. */
static void set_mode(struct cli *cli, const char *guest, enum policy_mode mode)
{
    struct policy *policy = &cli->config.policy;
    const struct policy_guest *own = policy_find_guest(policy, guest);
    struct policy_guest *guests =
        ARENA_ARRAY(&cli->arena, struct policy_guest, policy->guest_count + 1);
    size_t index = own == NULL ? policy->guest_count : (size_t)(own - policy->guests);
    size_t count = policy->guest_count + (own == NULL);

    if (policy->guest_count > 0) {
        memcpy(guests, policy->guests, policy->guest_count * sizeof(*guests));
    }
    guests[index].name = guest;
    guests[index].has_mode = true;
    guests[index].mode = mode;
    qsort(guests, count, sizeof(*guests), compare_guests);
    policy->guests = guests;
    policy->guest_count = count;
}

static int bad_option(const char *option, const char *value, const char *why)
{
    cli_error("try 'berth migrate --help'", "migrate: --%s: '%s' %s", option, value, why);
    return CLI_INVALID;
}

/* A controller that runs knows nothing of a wish that is not in berth.conf. */
static int refuse_wish(const struct edit *edit, const char *option)
{
    cli_error(
        "set it in berth.conf, or stop berthd for this move",
        "migrate: --%s: berthd (pid %lld) makes the move, by berth.conf, which says otherwise",
        option, (long long)edit->controller);
    return CLI_INVALID;
}

static int take_wish(struct edit *edit, const struct wish *wish, const char *guest)
{
    struct policy *policy = &edit->cli->config.policy;
    enum policy_mode mode = POLICY_MODE_AUTO;
    int64_t timeout_ms = 0;

    if (wish->mode != NULL) {
        if (!policy_mode_from_name(wish->mode, &mode)) {
            return bad_option("mode", wish->mode,
                              "is none of auto, live, offline and offline-force");
        }
        if (edit->controller != 0 && mode != policy_guest_mode(policy, guest)) {
            return refuse_wish(edit, "mode");
        }
        set_mode(edit->cli, guest, mode);
    }
    if (wish->step != NULL) {
        int status = mode == POLICY_MODE_OFFLINE
                         ? handrun_check(edit, wish->step)
                         : bad_option("step", wish->step, "is for --mode offline");

        if (status != 0) {
            return status;
        }
    }
    if (wish->timeout != NULL) {
        if (!quantity_parse_duration(wish->timeout, &timeout_ms) || timeout_ms == 0) {
            return bad_option("timeout", wish->timeout, "is no time such as 90s, 10m or 2h");
        }
        if (edit->controller != 0 && timeout_ms != policy->timeout_ms) {
            return refuse_wish(edit, "timeout");
        }
        policy->timeout_ms = timeout_ms;
    }
    return 0;
}

/* A typing error is told before anything is asked of a host. */
static int check_names(const struct edit *edit, const struct es_edit *place)
{
    const char *file = edit->cli->config.es_xml;

    if (desired_find_guest(&edit->before.desired, place->guest) == DESIRED_NONE) {
        cli_error(NULL, "migrate: '%s' names no guest '%s'", file, place->guest);
        return CLI_INVALID;
    }
    if (desired_find_host(&edit->before.desired, place->host) == DESIRED_NONE) {
        cli_error(NULL, "migrate: --to: '%s' names no host '%s'", file, place->host);
        return CLI_INVALID;
    }
    return 0;
}

/* The host that does not answer and had the guest, or NULL. */
static const char *find_dead(const struct observed *observed, const char *guest)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        if (!observed->hosts[i].reachable &&
            observed_find_guest_named(&observed->hosts[i], guest) != NULL) {
            return observed->hosts[i].name;
        }
    }
    return NULL;
}

/* Fills the plan; the names are the file's. */
static int plan_forced(struct edit *edit, const struct es_edit *place)
{
    struct resurrection resurrection;
    const char *dead;
    struct err err;
    int status = revive_look(edit, edit->dead);

    if (status != 0) {
        return status;
    }
    dead = edit->dead != NULL ? edit->dead : find_dead(&edit->sight.view.observed, place->guest);
    if (dead == NULL) {
        cli_error("if it does not answer, --source-is-dead=HOST tells where it ran",
                  "migrate: no host that had '%s' is dead", place->guest);
        return CLI_FAILED;
    }
    if (resurrect_guest(&edit->cli->arena, &edit->sight.view.input, dead, place->guest, place->host,
                        &resurrection, &err) != 0) {
        return cli_fail(&err);
    }
    status = edit_place(edit, resurrection.edits, resurrection.edit_count);
    if (status == 0) {
        edit_force(edit, &resurrection.plan);
    }
    return status;
}

static int force(struct edit *edit, const struct wish *wish, const char *guest)
{
    const struct es_edit place = { .guest = guest, .host = wish->to };
    uint32_t host = 0;
    int status = edit_begin(edit);

    if (status == 0) {
        status = check_names(edit, &place);
    }
    if (status == 0 && edit->dead != NULL) {
        status = edit_find_host(edit, edit->dead, &host);
    }
    if (status == 0) {
        status = plan_forced(edit, &place);
    }
    if (status != 0) {
        return status;
    }
    return edit->blocked_count > 0 ? edit_refuse(edit) : edit_carry_out(edit);
}

static int carry_out(struct edit *edit, const struct es_edit *place)
{
    int status;

    edit_add_blocks(edit, place, 1);
    if (edit->blocked_count > 0) {
        return edit_refuse(edit);
    }
    status = edit_carry_out(edit);
    if (edit->step != NULL && !edit->dry_run) {
        handrun_tell_next(edit, place->guest);
    }
    return status;
}

static int migrate(struct edit *edit, const struct wish *wish, const char *guest)
{
    const struct es_edit place = { .guest = guest, .host = wish->to };
    bool by_hand = false;
    int status = edit_begin(edit);

    edit->only = guest;
    edit->step = wish->step;
    if (status == 0) {
        status = check_names(edit, &place);
    }
    if (status == 0) {
        status = take_wish(edit, wish, guest);
    }
    if (status == 0) {
        status = handrun_check_alone(edit, &place);
    }
    if (status == 0 && edit->controller == 0) {
        status = handrun_go_on(edit, &place, &by_hand);
    }
    if (by_hand) {
        return status;
    }
    if (status == 0) {
        status = edit_place(edit, &place, 1);
    }
    if (status == 0) {
        status = edit_plan(edit);
    }
    if (status == 0 && edit->step != NULL) {
        status = handrun_check_first(edit, &place, &by_hand);
    }
    return status != 0 || by_hand ? status : carry_out(edit, &place);
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(edit) struct edit edit = { .cli = cli, .checks = true };
    struct wish wish = { .to = NULL };
    const struct cli_option options[] = {
        { .name = "to", .value = "HOST", .help = "where it is to be", .text = &wish.to },
        { .name = "mode",
          .value = "MODE",
          .help = "auto, live, offline or offline-force, for this run",
          .text = &wish.mode },
        { .name = "source-is-dead",
          .value = "HOST",
          .help = "with offline-force: you have made sure that HOST is off and stays so",
          .text = &edit.dead },
        { .name = "step",
          .value = "STEP",
          .help = "with offline: only this step, the move stays open",
          .text = &wish.step },
        { .name = "timeout",
          .value = "DURATION",
          .help = "cancel a live migration after DURATION, for this run",
          .text = &wish.timeout },
        EDIT_OPTIONS(edit),
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 1, 1);

    if (status >= 0) {
        return status;
    }
    if (wish.to == NULL) {
        cli_error("try 'berth migrate --help'", "migrate: --to HOST is missing");
        return CLI_INVALID;
    }
    if (wish.mode == NULL || strcmp(wish.mode, FORCED) != 0) {
        return edit.dead == NULL ? migrate(&edit, &wish, argv[0])
                                 : bad_option("source-is-dead", edit.dead, "is for --mode " FORCED);
    }
    if (wish.step != NULL) {
        return bad_option("step", wish.step, "is for --mode offline");
    }
    return wish.timeout == NULL ? force(&edit, &wish, argv[0])
                                : bad_option("timeout", wish.timeout, "is for live moves");
}

static const struct cli_command command = {
    .name = "migrate",
    .arguments = "GUEST",
    .summary = "put a guest on another host: in es.xml, and then in fact",
    .details =
        "Shows what changes in es.xml and the plan for it, asks, and moves the guest as 'berth apply\n"
        "--only GUEST' does; where berthd runs, that does it.  If the guest cannot be moved now, nothing\n"
        "is changed.  In es.xml only the lines of its placement change; the file is replaced whole, and\n"
        "not if somebody else has changed it meanwhile.  --dry-run also makes the checks before the move, and\n"
        "shows those that did not pass; it exits with 4 if one failed.\n"
        "--step takes one step of an offline move, in any order in which it finds what it builds upon, and\n"
        "leaves the rest to you: 'berth steps GUEST' tells them all, and without --step every step that is left\n"
        "is taken.\n"
        "--mode offline-force is for a guest whose host is dead: it is started on the other one from its last\n"
        "known definition, on the conditions of 'berth evacuate'.",
    .run = run,
};

const struct cli_command *cmd_migrate_command(void)
{
    return &command;
}

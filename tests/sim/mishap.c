/* SPDX-License-Identifier: Apache-2.0 */
#include "mishap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "play.h"
#include "reconciler/reconciler.h"

#define MISHAPS_MAX 48u
#define GROWTH_KIB  (UINT64_C(32) * 1024)
#define SECOND_MS   INT64_C(1000)
#define MINUTE_MS   (60 * SECOND_MS)

static const char *const kind_names[MISHAP_KINDS] = {
    [MISHAP_PLACE] = "place",   [MISHAP_SWAP] = "swap",     [MISHAP_HALF] = "half",
    [MISHAP_LIST] = "list",     [MISHAP_BREAK] = "break",   [MISHAP_SAVE] = "save",
    [MISHAP_ORDER] = "order",   [MISHAP_CARRY] = "carry",   [MISHAP_MIGRATE] = "migrate",
    [MISHAP_STOP] = "stop",     [MISHAP_START] = "start",   [MISHAP_COPY] = "copy",
    [MISHAP_DELETE] = "delete", [MISHAP_RESIZE] = "resize", [MISHAP_FREEZE] = "freeze",
    [MISHAP_CUT] = "cut",       [MISHAP_WELL] = "well",     [MISHAP_FAULT] = "fault",
    [MISHAP_DISK] = "disk",     [MISHAP_JUMP] = "jump",     [MISHAP_KILL] = "kill",
    [MISHAP_END] = "end",       [MISHAP_FORCE] = "force",   [MISHAP_EVACUATE] = "evacuate",
    [MISHAP_LIFT] = "lift",     [MISHAP_HAND] = "hand",
};

/* Drawing. */

static struct sim_fault draw_fault(const struct cast *cast, struct dice *dice)
{
    static const unsigned ops[] = {
        OP_PREFLIGHT,       OP_MIGRATE,         OP_MIGRATE,       OP_ADOPT, OP_STOP,
        OP_DEFINE,          OP_UNDEFINE,        OP_AUTOSTART,     OP_START, OP_DESTROY,
        SIM_TARGET_OBSERVE, SIM_TARGET_OBSERVE, SIM_TARGET_NOTICE
    };
    static const enum err_code errors[] = { ERR_TIMEOUT,     ERR_BUSY,         ERR_FAILED,
                                            ERR_UNREACHABLE, ERR_INCOMPATIBLE, ERR_UNSAFE,
                                            ERR_NONE };
    static const enum sim_when whens[] = { SIM_WHEN_BEFORE, SIM_WHEN_MIDDLE, SIM_WHEN_LOST,
                                           SIM_WHEN_AFTER, SIM_WHEN_HANG };
    static const enum sim_when notices[] = { SIM_WHEN_LOST, SIM_WHEN_TWICE, SIM_WHEN_BEFORE };
    struct sim_fault fault = {
        .op = ops[dice_roll(dice, ARRAY_LEN(ops))],
        .error = errors[dice_roll(dice, ARRAY_LEN(errors))],
        .when = whens[dice_roll(dice, ARRAY_LEN(whens))],
        .times = 1 + dice_roll(dice, 4),
        .delay_ms = dice_one_in(dice, 2) ? 0 : (int64_t)dice_roll(dice, 15000),
    };

    if (fault.op == SIM_TARGET_NOTICE) {
        fault.when = notices[dice_roll(dice, ARRAY_LEN(notices))];
        fault.times = 1 + dice_roll(dice, 20);
    }
    if (dice_one_in(dice, 2)) {
        fault.host = cast->hosts[dice_roll(dice, cast->host_count)];
    }
    return fault;
}

static enum mishap_kind draw_kind(struct dice *dice)
{
    static const unsigned char weights[MISHAP_KINDS] = {
        [MISHAP_PLACE] = 24,  [MISHAP_SWAP] = 16,  [MISHAP_HALF] = 2,   [MISHAP_LIST] = 4,
        [MISHAP_BREAK] = 6,   [MISHAP_SAVE] = 4,   [MISHAP_ORDER] = 12, [MISHAP_CARRY] = 7,
        [MISHAP_MIGRATE] = 5, [MISHAP_STOP] = 4,   [MISHAP_START] = 4,  [MISHAP_COPY] = 1,
        [MISHAP_DELETE] = 1,  [MISHAP_RESIZE] = 1, [MISHAP_FREEZE] = 4, [MISHAP_CUT] = 4,
        [MISHAP_FAULT] = 20,  [MISHAP_DISK] = 2,   [MISHAP_JUMP] = 2,   [MISHAP_KILL] = 5,
        [MISHAP_END] = 2,
    };
    uint64_t sum = 0;
    uint64_t roll;
    unsigned kind = 0;

    for (unsigned i = 0; i < MISHAP_KINDS; i++) {
        sum += weights[i];
    }
    roll = dice_roll(dice, sum);
    while (roll >= weights[kind]) {
        roll -= weights[kind++];
    }
    return (enum mishap_kind)kind;
}

static struct mishap draw_one(const struct cast *cast, struct dice *dice, int64_t length_ms)
{
    struct mishap mishap = {
        .at_ms = (int64_t)dice_roll(dice, (uint64_t)length_ms),
        .kind = draw_kind(dice),
        .guest = (uint32_t)dice_roll(dice, cast->guest_count),
        .host = (uint32_t)dice_roll(dice, cast->host_count),
        .number = (uint32_t)dice_roll(dice, 1000),
        .ms = (int64_t)dice_roll(dice, 3 * MINUTE_MS),
        .unnoticed = dice_one_in(dice, 8),
        .fault = draw_fault(cast, dice),
    };

    if (mishap.kind == MISHAP_JUMP) {
        mishap.ms = (int64_t)dice_roll(dice, 240 * MINUTE_MS) - 120 * MINUTE_MS;
    } else if (mishap.kind == MISHAP_DISK) {
        mishap.number = 1 + mishap.number % 3;
    }
    return mishap;
}

/* What ends it, or comes soon after it; false if nothing does. */
static bool draw_sequel(const struct mishap *mishap, struct dice *dice, struct mishap *sequel)
{
    *sequel = *mishap;
    sequel->at_ms += mishap->ms;
    if (mishap->kind == MISHAP_FREEZE || mishap->kind == MISHAP_CUT) {
        sequel->kind = MISHAP_WELL;
        return true;
    }
    if (mishap->kind == MISHAP_DISK) {
        sequel->number = 0;
        return true;
    }
    if (mishap->kind == MISHAP_BREAK) {
        sequel->kind = MISHAP_SAVE;
        sequel->at_ms = mishap->at_ms + (int64_t)dice_roll(dice, 20000);
        return true;
    }
    /* Two edits within a second. */
    sequel->at_ms = mishap->at_ms + (int64_t)dice_roll(dice, 1000);
    sequel->guest += 1;
    return mishap->kind == MISHAP_PLACE && dice_one_in(dice, 4);
}

static int compare(const void *a, const void *b)
{
    const struct mishap *left = a;
    const struct mishap *right = b;

    return (left->at_ms > right->at_ms) - (left->at_ms < right->at_ms);
}

void mishap_sort(struct mishap *mishaps, size_t count)
{
    qsort(mishaps, count, sizeof(*mishaps), compare); /* glibc's is stable. */
}

struct mishap *mishap_draw(const struct cast *cast, struct dice *dice, int64_t length_ms,
                           size_t *count)
{
    struct mishap *mishaps = ARENA_ARRAY(cast->arena, struct mishap, MISHAPS_MAX);
    size_t wanted = 1 + dice_roll(dice, MISHAPS_MAX - 2);

    *count = 0;
    while (*count < wanted) {
        struct mishap sequel;

        mishaps[*count] = draw_one(cast, dice, length_ms);
        if (*count > 0 && dice_one_in(dice, 2)) { /* Misfortunes never come singly. */
            mishaps[*count].at_ms = mishaps[*count - 1].at_ms + (int64_t)dice_roll(dice, 3000);
        }
        if (draw_sequel(&mishaps[(*count)++], dice, &sequel)) {
            sequel.guest %= (uint32_t)cast->guest_count;
            mishaps[(*count)++] = sequel;
        }
    }
    mishap_sort(mishaps, *count);
    return mishaps;
}

/* The file. */

static const char *broken_text(struct play *play, uint32_t number)
{
    const char *good = play->good_es_xml;
    struct arena *arena = &play->world.arena;
    const char *end;

    switch (number % 5) {
    case 0:
        return NULL;
    case 1:
        return "";
    case 2:
        return text_copy(arena, good, strlen(good) / 2);
    case 3:
        return text_format(arena, "%s<", good);
    default: /* A guest that nobody defines. */
        end = strstr(good, "</machine>");
        return end == NULL ? "<a/>"
                           : text_format(arena, "%.*s<machine id=\"nobody\"/>%s", (int)(end - good),
                                         good, end);
    }
}

static void save(struct play *play, const struct mishap *mishap)
{
    if (mishap->kind != MISHAP_SAVE || mishap->number % 2 == 1) {
        play->good_es_xml = cast_es_xml(&play->cast, ++play->saves);
    }
    play_save(play, play->good_es_xml, true, mishap->unnoticed);
}

static void edit_file(struct play *play, const struct mishap *mishap)
{
    struct cast_guest *guest = &play->cast.guests[mishap->guest];

    if (mishap->kind == MISHAP_BREAK) {
        play_save(play, broken_text(play, mishap->number), false, mishap->unnoticed);
        return;
    }
    if (mishap->kind == MISHAP_PLACE) {
        guest->goal = mishap->host;
    } else if (mishap->kind == MISHAP_SWAP) {
        struct cast_guest *other = &play->cast.guests[mishap->number % play->cast.guest_count];
        uint32_t goal = guest->goal;

        guest->goal = other->goal;
        other->goal = goal;
    } else if (mishap->kind == MISHAP_LIST && !guest->stranger) {
        guest->listed = !guest->listed;
    }
    save(play, mishap);
}

/* The fleet. */

struct meddling {
    struct play *play;
    const struct mishap *mishap;
    const struct cast_guest *guest;
    struct sim_host *at; /* The only host that has it, or NULL. */
    struct sim_guest *found;
    struct sim_host *host;
};

/* Where the guest is, if it is on one host alone, which answers, and not on its way. */
static bool find_guest(struct meddling *meddling, struct sim_fleet *fleet)
{
    unsigned seen = 0;

    meddling->host = sim_fleet_find_host(fleet, meddling->play->cast.hosts[meddling->mishap->host]);
    for (size_t h = 0; h < fleet->host_count; h++) {
        struct sim_guest *found = sim_fleet_find_guest(&fleet->hosts[h], meddling->guest->uuid);

        if (found != NULL) {
            seen++;
            meddling->at = &fleet->hosts[h];
            meddling->found = found;
        }
    }
    return seen == 1 && meddling->at->power == SIM_POWER_ON &&
           sim_fleet_find_migration(fleet, meddling->guest->uuid, NULL, NULL) == NULL;
}

/* Somebody can bring it to the host: what Berth is at, a careful person leaves alone. */
static bool may_go(const struct meddling *meddling)
{
    const struct play *play = meddling->play;

    return meddling->host != meddling->at && meddling->host->power == SIM_POWER_ON &&
           witness_move_of(&play->witness, meddling->mishap->guest) == NULL &&
           sim_fleet_find_guest_named(meddling->host, meddling->guest->name) == NULL &&
           meddling->found->memory_kib <= sim_fleet_free_kib(meddling->host, 0);
}

static void carry(struct meddling *meddling, struct sim_fleet *fleet)
{
    struct sim_guest copy = *meddling->found;

    outfit_bring(&meddling->play->outfit, fleet, meddling->mishap->guest, meddling->host);
    (void)sim_fleet_add_guest(fleet, meddling->host, &copy);
    sim_fleet_remove_guest(fleet, meddling->at,
                           sim_fleet_find_guest(meddling->at, meddling->guest->uuid));
}

static void migrate(const struct meddling *meddling, struct sim_fleet *fleet, int64_t wall_ms)
{
    const struct sim_migration migration = {
        .uuid = meddling->guest->uuid,
        .from = meddling->at->name,
        .to = meddling->host->name,
        .begun_ms = wall_ms,
        .duration_ms = meddling->mishap->ms,
        .persistent = true,
    };

    outfit_bring(&meddling->play->outfit, fleet, meddling->mishap->guest, meddling->host);
    sim_fleet_add_migration(fleet, &migration, meddling->host, meddling->found);
}

static void copy_definition(const struct meddling *meddling, struct sim_fleet *fleet)
{
    struct sim_guest copy = *meddling->found;
    struct sim_guest *added = sim_fleet_add_guest(fleet, meddling->host, &copy);

    sim_fleet_set_state(fleet, added, GUEST_SHUTOFF, GUEST_REASON_UNKNOWN);
    added->autostart = false;
}

static void start(const struct meddling *meddling, struct sim_fleet *fleet)
{
    if (rescue_is_under_way(&meddling->play->witness, meddling->mishap->guest)) {
        return; /* Whoever has asked for that does not do this. */
    }
    outfit_bring(&meddling->play->outfit, fleet, meddling->mishap->guest, meddling->at);
    if (meddling->found->memory_kib <= sim_fleet_free_kib(meddling->at, 0)) {
        sim_fleet_set_state(fleet, meddling->found, GUEST_RUNNING, GUEST_REASON_BOOTED);
    }
}

static void meddle(void *context, struct sim_fleet *fleet)
{
    struct meddling *meddling = context;
    struct play *play = meddling->play;
    uint32_t guest = meddling->mishap->guest;
    enum mishap_kind kind = meddling->mishap->kind;
    int64_t wall_ms = play->life != NULL ? loop_wall_ms(play->life->loop) : play->world.wall_ms;

    if (!find_guest(meddling, fleet)) {
        return;
    }
    if (kind == MISHAP_STOP && meddling->found->state == GUEST_RUNNING) {
        sim_fleet_end_process(fleet, meddling->at, meddling->found, GUEST_REASON_SHUTDOWN);
    } else if (kind == MISHAP_START && meddling->found->state == GUEST_SHUTOFF) {
        start(meddling, fleet);
    } else if (kind == MISHAP_RESIZE && sim_fleet_free_kib(meddling->at, 0) >= GROWTH_KIB) {
        meddling->found->config_memory_kib = meddling->found->memory_kib + GROWTH_KIB;
        fleet->changed = true;
    } else if (!may_go(meddling)) {
        return;
    } else if (kind == MISHAP_CARRY) {
        carry(meddling, fleet);
    } else if (kind == MISHAP_MIGRATE && meddling->found->state == GUEST_RUNNING &&
               !play->outfit.lone) {
        migrate(meddling, fleet, wall_ms);
    } else if (kind == MISHAP_COPY) {
        copy_definition(meddling, fleet);
    } else if (kind == MISHAP_DELETE) {
        sim_fleet_remove_guest(fleet, meddling->at, meddling->found);
        play->witness.gone[guest] = true;
    }
    witness_meddle(&play->witness, guest);
}

/* As a libvirtd shows that stood still in the middle of a migration which its other side has given up. */
static void leave_half(void *context, struct sim_fleet *fleet)
{
    struct meddling *meddling = context;
    const struct play *play = meddling->play;
    const struct witness_move *move = witness_move_of(&play->witness, meddling->mishap->guest);
    struct sim_host *target;
    struct sim_guest *half;

    if (move == NULL || move->mode != MOVE_LIVE || !find_guest(meddling, fleet) ||
        meddling->found->state != GUEST_RUNNING) {
        return;
    }
    target = sim_fleet_find_host(fleet, play->cast.hosts[move->to]);
    if (target != meddling->at && meddling->found->memory_kib <= sim_fleet_free_kib(target, 0)) {
        struct sim_guest copy = *meddling->found;

        witness_meddle(&meddling->play->witness, meddling->mishap->guest);
        copy.persistent = false;
        half = sim_fleet_add_guest(fleet, target, &copy);
        sim_fleet_set_state(fleet, half, GUEST_PAUSED, GUEST_REASON_STARTING_UP);
    }
}

static void add_fault(void *context, struct sim_fleet *fleet)
{
    const struct sim_fault *fault = context;
    struct sim_fault *grown = ARENA_ARRAY(fleet->arena, struct sim_fault, fleet->fault_count + 1);

    if (fleet->fault_count > 0) {
        memcpy(grown, fleet->faults, fleet->fault_count * sizeof(*grown));
    }
    grown[fleet->fault_count++] = *fault;
    fleet->faults = grown;
    fleet->changed = true;
}

struct switching {
    const char *host;
    enum sim_power power;
};

static void switch_host(void *context, struct sim_fleet *fleet)
{
    const struct switching *switching = context;

    sim_fleet_find_host(fleet, switching->host)->power = switching->power;
    fleet->changed = true;
}

static void switch_power(struct play *play, const struct mishap *mishap)
{
    struct switching switching = {
        .host = play->cast.hosts[mishap->host],
        .power = mishap->kind == MISHAP_CUT      ? SIM_POWER_OFF
                 : mishap->kind == MISHAP_FREEZE ? SIM_POWER_FROZEN
                                                 : SIM_POWER_ON,
    };

    play_edit(play, switch_host, &switching);
}

/* The controller. */

struct jump {
    struct play *play;
    int64_t ms;
};

/* The clocks of the hosts do not jump: what the fleet keeps by the clock of the controller moves with it. */
static void jump(void *context, struct sim_fleet *fleet)
{
    const struct jump *jump = context;

    for (size_t h = 0; h < fleet->host_count; h++) {
        for (size_t g = 0; g < fleet->hosts[h].guest_count; g++) {
            struct sim_guest *guest = &fleet->hosts[h].guests[g];

            guest->stops_ms += guest->stops_ms != 0 ? jump->ms : 0;
        }
    }
    for (size_t i = 0; i < fleet->migration_count; i++) {
        fleet->migrations[i].begun_ms += jump->ms;
    }
    fleet->changed = true;
    if (jump->play->life != NULL) {
        loop_manual_jump(jump->play->life->loop, jump->ms);
    } else {
        jump->play->world.wall_ms += jump->ms;
    }
}

static void jump_clock(struct play *play, int64_t ms)
{
    struct jump jumping = { play, ms };

    play_edit(play, jump, &jumping);
}

static void give_order(struct play *play, const struct mishap *mishap)
{
    static const enum order_verb verbs[] = { ORDER_HOLD,   ORDER_HOLD,  ORDER_RELEASE,
                                             ORDER_CANCEL, ORDER_RETRY, ORDER_CHECK };
    const char *const names[] = { play->cast.guests[mishap->guest].name,
                                  play->cast.guests[mishap->guest].name,
                                  play->cast.hosts[mishap->host], "", "nobody" };
    const struct order order = {
        .verb = verbs[mishap->number % ARRAY_LEN(verbs)],
        .scope = JOURNAL_SCOPE_COUNT,
        .user = "somebody",
    };
    const char *name = names[mishap->number / ARRAY_LEN(verbs) % ARRAY_LEN(names)];

    if (!play_can_ask(play)) {
        return;
    }
    reconciler_order(play->life->reconciler, &order, order.verb == ORDER_CANCEL ? NULL : name,
                     play_answer, play_ask(play));
}

static void set_disk(struct play *play, enum life_disk disk)
{
    play->disk = disk;
    if (play->life != NULL) {
        play->life->disk = disk;
    }
}

void mishap_happen(struct play *play, const struct mishap *mishap)
{
    struct meddling meddling = {
        .play = play,
        .mishap = mishap,
        .guest = &play->cast.guests[mishap->guest],
    };
    struct sim_fault fault = mishap->fault;

    switch (mishap->kind) {
    case MISHAP_PLACE:
    case MISHAP_SWAP:
    case MISHAP_LIST:
    case MISHAP_BREAK:
    case MISHAP_SAVE:
        edit_file(play, mishap);
        return;
    case MISHAP_ORDER:
        give_order(play, mishap);
        return;
    case MISHAP_CARRY:
    case MISHAP_MIGRATE:
    case MISHAP_STOP:
    case MISHAP_START:
    case MISHAP_COPY:
    case MISHAP_DELETE:
    case MISHAP_RESIZE:
        play_edit(play, meddle, &meddling);
        return;
    case MISHAP_HALF:
        play_edit(play, leave_half, &meddling);
        return;
    case MISHAP_FREEZE:
    case MISHAP_CUT:
    case MISHAP_WELL:
        switch_power(play, mishap);
        return;
    case MISHAP_FORCE:
    case MISHAP_EVACUATE:
        rescue_ask(play, mishap);
        return;
    case MISHAP_LIFT:
        rescue_lift(play, mishap);
        return;
    case MISHAP_FAULT:
        play_edit(play, add_fault, &fault);
        return;
    case MISHAP_DISK:
        set_disk(play, (enum life_disk)mishap->number);
        return;
    case MISHAP_JUMP:
        jump_clock(play, mishap->ms);
        return;
    case MISHAP_HAND:
        play->hand = mishap;
        if (play_can_ask(play)) {
            life_end(play->life);
        }
        return;
    case MISHAP_KILL:
    case MISHAP_END:
        if (play->life != NULL && (mishap->kind == MISHAP_KILL || play_can_ask(play))) {
            (mishap->kind == MISHAP_KILL ? life_kill : life_end)(play->life);
        }
        return;
    case MISHAP_KINDS:
        return;
    }
}

static void heal(void *context, struct sim_fleet *fleet)
{
    struct play *play = context;

    fleet->fault_count = 0;
    for (size_t h = 0; h < fleet->host_count; h++) {
        rescue_lift_host(&play->rescue, &play->witness, fleet, &fleet->hosts[h]);
        for (size_t g = 0; g < fleet->hosts[h].guest_count; g++) {
            fleet->hosts[h].guests[g].deaf = false;
        }
    }
    for (size_t i = 0; i < fleet->migration_count; i++) {
        fleet->migrations[i].stalled = false;
    }
    fleet->changed = true;
}

void mishap_end_all(struct play *play)
{
    set_disk(play, LIFE_DISK_GOOD);
    play_edit(play, heal, play);
    if (play->renews) {
        play->good_es_xml = cast_es_xml(&play->cast, ++play->saves);
    }
    play_save(play, play->good_es_xml, true, false);
}

static void print_fault(struct text *text, const struct sim_fault *fault)
{
    static const char *const whens[SIM_WHEN_COUNT] = { "before", "middle", "lost",
                                                       "after",  "hang",   "twice" };

    text_printf(text, " %s%s%s %s %s %" PRIu64 " times, %" PRId64 " ms",
                fault->op < OP_KIND_COUNT         ? op_kind_name((enum op_kind)fault->op)
                : fault->op == SIM_TARGET_OBSERVE ? "observe"
                                                  : "notice",
                fault->host == NULL ? "" : " on ", fault->host == NULL ? "" : fault->host,
                whens[fault->when], err_code_name(fault->error), fault->times, fault->delay_ms);
}

void mishap_print(struct text *text, const struct cast *cast, const struct mishap *mishap)
{
    text_append(text, kind_names[mishap->kind]);
    if (mishap->kind == MISHAP_FAULT) {
        print_fault(text, &mishap->fault);
    } else {
        text_printf(text, " %s %s, number %u, %" PRId64 " ms%s", cast->guests[mishap->guest].name,
                    cast->hosts[mishap->host], mishap->number, mishap->ms,
                    mishap->unnoticed ? ", unnoticed" : "");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"
#include "model/profile.h"
#include "model/supply.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

#define BRIDGE "vmeth77"

/* What a guest needs to be connected. */
static const struct supply links[] = {
    { .kind = SUPPLY_BRIDGE, .name = BRIDGE },
    { .kind = SUPPLY_NAT_BRIDGE, .name = "vmnat77" },
    { .kind = SUPPLY_INTERFACE, .name = "vf7" },
};

/* What the guest of the rig needs. */
struct needs {
    struct supply items[3];
    struct supply_list list;
};

static const struct supply_list *need_one(struct needs *needs, enum supply_kind kind,
                                          const char *name)
{
    needs->items[0] = (struct supply){ .kind = kind, .name = name };
    needs->list = (struct supply_list){ .items = needs->items, .count = 1 };
    return &needs->list;
}

static const struct supply_list *need_bridge(struct needs *needs)
{
    return need_one(needs, SUPPLY_BRIDGE, BRIDGE);
}

/* Its volume, too. */
static const struct supply_list *need_both(struct rig *rig, struct needs *needs)
{
    (void)need_bridge(needs);
    needs->items[1] = (struct supply){
        .kind = SUPPLY_VOLUME,
        .name = world_volume_name(rig->world, &rig->arena, rig->volume),
        .device = text_format(&rig->arena, "/dev/exc/%s", rig->volume),
    };
    needs->list.count = 2;
    return &needs->list;
}

/* The mount of its configuration volume as well, which no two hosts have at once. */
static const struct supply_list *need_all(struct rig *rig, struct needs *needs)
{
    (void)need_both(rig, needs);
    needs->items[2] = needs->items[1];
    needs->items[2].kind = SUPPLY_CONFIG;
    needs->list.count = 3;
    return &needs->list;
}

/* An operation about these needs on 'host'. */
static struct op about(struct rig *rig, enum op_kind kind, const char *host,
                       enum supply_kind supply, const struct supply_list *needs)
{
    struct op op = rig_op(rig, kind);

    op.host = host;
    op.supply = supply;
    op.supplies = *needs;
    op.profile = world_profile(rig->world);
    op.mode = MOVE_OFFLINE;
    op.family[0] = op.family[1] = "X10M"; /* As es.xml would say; the platform may have rules. */
    return op;
}

/* Which kinds the checks before a move find on the two hosts. */
static const struct rig_done *survey(struct rig *rig, const struct supply_list *needs)
{
    struct op op = about(rig, OP_PREFLIGHT, "kvm1", SUPPLY_NONE, needs);
    const struct rig_done *done = rig_succeed(rig, &op);

    ck_assert_uint_eq(done->known[0], supply_list_kinds(needs));
    ck_assert_uint_eq(done->known[1], supply_list_kinds(needs));
    return done;
}

static void provide(struct rig *rig, const char *host, enum supply_kind kind,
                    const struct supply_list *needs, const char *note)
{
    struct op op = about(rig, OP_PROVIDE, host, kind, needs);
    const struct rig_done *done = rig_succeed(rig, &op);

    ck_assert_pstr_eq(done->note, note);
    ck_assert_uint_eq(done->present[0], note == NULL ? 0 : SUPPLY_BIT(kind));
}

static void assert_note(struct rig *rig, const struct op *op, const char *note)
{
    ck_assert_pstr_eq(rig_succeed(rig, op)->note, note);
}

static void withdraw(struct rig *rig, const char *host, enum supply_kind kind,
                     const struct supply_list *needs, const char *note)
{
    struct op op = about(rig, OP_WITHDRAW, host, kind, needs);

    assert_note(rig, &op, note);
}

START_TEST(a_link_is_made_once_and_removed_once)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    enum supply_kind kind = links[_i].kind;
    struct needs needs;
    const struct supply_list *list = need_one(&needs, kind, links[_i].name);

    ck_assert_uint_eq(survey(rig, list)->present[1], 0);
    provide(rig, "kvm2", kind, list, NULL);
    ck_assert_uint_eq(survey(rig, list)->present[1], SUPPLY_BIT(kind));
    ck_assert_uint_eq(survey(rig, list)->present[0], 0);
    provide(rig, "kvm2", kind, list, "already there");
    withdraw(rig, "kvm2", kind, list, NULL);
    ck_assert_uint_eq(survey(rig, list)->present[1], 0);
    withdraw(rig, "kvm2", kind, list, "already gone");
}
END_TEST

START_TEST(a_link_that_another_guest_uses_is_kept_and_that_is_success)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    enum supply_kind kind = links[_i].kind;
    struct needs needs;
    const struct supply_list *list = need_one(&needs, kind, links[_i].name);
    const char *neighbour = rig_new_name(rig);

    world_make_neighbour(rig->world, neighbour, "kvm1", kind, links[_i].name);
    withdraw(rig, "kvm1", kind, list, text_format(&rig->arena, "kept: used by '%s'", neighbour));
    ck_assert_uint_eq(survey(rig, list)->present[0], SUPPLY_BIT(kind));
    world_remove_guest(rig->world, neighbour);
}
END_TEST

/* Nothing was begun then that would have to be taken back. */
static void assert_refused(struct rig *rig, const struct supply_list *list, enum err_code code,
                           const char *word)
{
    struct op op = about(rig, OP_PREFLIGHT, "kvm1", SUPPLY_NONE, list);
    const struct check *check = rig_check(rig_fail(rig, &op, code), CHECK_SUPPLIES);

    ck_assert_int_eq(check->result, CHECK_FAILED);
    ck_assert_msg(strstr(check->evidence, word) != NULL, "%s", check->evidence);
}

START_TEST(an_interface_that_the_target_does_not_have_is_refused)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct needs needs;

    assert_refused(rig, need_one(&needs, SUPPLY_INTERFACE, "vf77"), ERR_INCOMPATIBLE, "'vf77'");
}
END_TEST

START_TEST(an_interface_that_a_guest_of_the_target_runs_with_is_refused)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct needs needs;
    const struct supply_list *list = need_one(&needs, SUPPLY_INTERFACE, "vf7");
    const char *neighbour = rig_new_name(rig);

    world_make_neighbour(rig->world, neighbour, "kvm2", SUPPLY_INTERFACE, "vf7");
    (void)survey(rig, list);
    world_start(rig->world, neighbour, "kvm2");
    assert_refused(rig, list, ERR_CONFLICT, neighbour);
    world_remove_guest(rig->world, neighbour);
}
END_TEST

START_TEST(a_guest_with_an_interface_moves_live_to_where_that_is)
{
    AUTO(rig) struct rig *rig = rig_open_empty();
    struct needs needs;
    const struct supply_list *list = need_one(&needs, SUPPLY_INTERFACE, "vf7");
    const struct observed_guest *guest;
    struct op migrate;

    (void)snprintf(rig->guest, sizeof(rig->guest), "%s", rig_new_name(rig));
    world_make_neighbour(rig->world, rig->guest, "kvm1", SUPPLY_INTERFACE, "vf7");
    guest = observed_find_guest_named(rig_look(rig, "kvm1"), rig->guest);
    ck_assert_ptr_nonnull(guest);
    ck_assert(supply_list_has(&guest->supplies, SUPPLY_INTERFACE, "vf7"));
    rig->uuid = guest->uuid;
    world_start(rig->world, rig->guest, "kvm1");
    migrate = rig_op(rig, OP_MIGRATE);
    (void)rig_fail(rig, &migrate, ERR_FAILED);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
    provide(rig, "kvm2", SUPPLY_INTERFACE, list, NULL);
    (void)rig_succeed(rig, &migrate);
    rig_assert_only_on(rig, "kvm2", GUEST_RUNNING);
    withdraw(rig, "kvm1", SUPPLY_INTERFACE, list, NULL);
}
END_TEST

START_TEST(a_volume_goes_from_one_host_to_the_other_and_back)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_OFF);
    struct needs needs;
    const struct supply_list *list = need_both(rig, &needs);

    ck_assert_uint_eq(survey(rig, list)->present[0], SUPPLY_BIT(SUPPLY_VOLUME));
    ck_assert_uint_eq(survey(rig, list)->present[1], 0);
    withdraw(rig, "kvm1", SUPPLY_VOLUME, list, NULL);
    withdraw(rig, "kvm1", SUPPLY_VOLUME, list, "already gone");
    provide(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
    provide(rig, "kvm2", SUPPLY_VOLUME, list, "already there");
    ck_assert_uint_eq(survey(rig, list)->present[0], 0);
    ck_assert_uint_eq(survey(rig, list)->present[1], SUPPLY_BIT(SUPPLY_VOLUME));
    withdraw(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
    provide(rig, "kvm1", SUPPLY_VOLUME, list, NULL);
}
END_TEST

START_TEST(a_guest_without_its_volume_cannot_start_and_starts_with_it)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_OFF);
    struct needs needs;
    const struct supply_list *list = need_both(rig, &needs);
    struct op start = about(rig, OP_START, "kvm1", SUPPLY_NONE, list);

    withdraw(rig, "kvm1", SUPPLY_VOLUME, list, NULL);
    ck_assert_int_eq(rig_fail(rig, &start, ERR_FAILED)->status, -1);
    provide(rig, "kvm1", SUPPLY_VOLUME, list, NULL);
    (void)rig_succeed(rig, &start);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(nothing_is_taken_from_a_guest_that_runs)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_IDLE);
    struct needs needs;
    const struct supply_list *list = need_both(rig, &needs);
    struct op op = about(rig, OP_WITHDRAW, "kvm1", SUPPLY_VOLUME, list);

    (void)rig_fail(rig, &op, ERR_BUSY);
    ck_assert_uint_eq(survey(rig, list)->present[0], SUPPLY_BIT(SUPPLY_VOLUME));
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(a_guest_whose_volume_another_host_has_too_is_not_started)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_OFF);
    struct needs needs;
    const struct supply_list *list = need_both(rig, &needs);
    struct op start = about(rig, OP_START, "kvm1", SUPPLY_NONE, list);

    provide(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
    (void)rig_fail(rig, &start, ERR_UNSAFE);
    rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
    withdraw(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
    (void)rig_succeed(rig, &start);
    (void)rig_succeed(rig, &start); /* It runs, whoever has the volume. */
}
END_TEST

START_TEST(what_the_platform_brings_to_the_target_is_skipped_before_and_checked_then)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_IDLE);
    struct needs needs;
    const struct supply_list *list = need_all(rig, &needs);
    struct op op = about(rig, OP_PREFLIGHT, "kvm1", SUPPLY_NONE, list);
    const struct rig_done *done;

    op.mode = MOVE_LIVE;
    done = rig_succeed(rig, &op);
    ck_assert_int_eq(rig_check(done, CHECK_STORAGE)->result, CHECK_SKIPPED);
    op.prepared = true;
    (void)rig_fail(rig, &op, ERR_INCOMPATIBLE);
    provide(rig, "kvm2", SUPPLY_BRIDGE, list, NULL);
    provide(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
    done = rig_succeed(rig, &op);
    ck_assert_int_eq(rig_check(done, CHECK_STORAGE)->result, CHECK_PASSED);
    ck_assert_uint_eq(done->present[1], SUPPLY_BIT(SUPPLY_BRIDGE) | SUPPLY_BIT(SUPPLY_VOLUME));
    withdraw(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
    withdraw(rig, "kvm2", SUPPLY_BRIDGE, list, NULL);
}
END_TEST

/* What the checks before an offline move learn of the volume, and kvm2 is asked to have. */
static struct op proof_of(struct rig *rig, const struct supply_list *needs)
{
    struct op op = about(rig, OP_PROVIDE, "kvm2", SUPPLY_VOLUME, &survey(rig, needs)->supplies);

    op.kind = OP_PREFLIGHT;
    op.peer = NULL;
    op.other = "kvm1";
    op.prepared = true;
    return op;
}

START_TEST(what_was_behind_a_volume_is_learnt_before_and_found_where_it_is_attached_then)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_IDLE);
    struct needs needs;
    const struct supply_list *list = need_both(rig, &needs);
    const struct op op = proof_of(rig, list);
    const struct supply_list known = supply_list_of(&op.supplies, SUPPLY_VOLUME);

    ck_assert_uint_eq(known.count, 1);
    ck_assert_ptr_nonnull(known.items[0].identity);
    (void)rig_fail(rig, &op, ERR_UNSAFE); /* It has nothing there yet. */
    provide(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
    ck_assert_int_eq(rig_check(rig_succeed(rig, &op), CHECK_STORAGE)->result, CHECK_PASSED);
    withdraw(rig, "kvm2", SUPPLY_VOLUME, list, NULL);
}
END_TEST

START_TEST(another_volume_in_its_place_is_told_with_what_each_of_them_is)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_OFF);
    struct needs needs;
    const struct op op = proof_of(rig, need_both(rig, &needs));
    const char *identity = supply_list_of(&op.supplies, SUPPLY_VOLUME).items[0].identity;
    const char *end = strlen(identity) > 20 ? identity + strlen(identity) - 20 : identity;
    const struct check *check;

    world_attach_wrong(rig->world, "kvm2", rig->volume);
    check = rig_check(rig_fail(rig, &op, ERR_UNSAFE), CHECK_STORAGE);
    ck_assert_int_eq(check->result, CHECK_FAILED);
    ck_assert_ptr_nonnull(strstr(check->evidence, "not the same storage on 'kvm2' ("));
    ck_assert_ptr_nonnull(strstr(check->evidence, "as on 'kvm1' ("));
    ck_assert_ptr_nonnull(strstr(check->evidence, text_format(&rig->arena, "%s)", end)));
}
END_TEST

/* An operation about one volume of a pool of kvm2's, with libvirt alone. */
static struct op about_pool(struct rig *rig, enum op_kind kind, const char *pool,
                            const char *volume, struct supply *item)
{
    const struct supply_list list = { item, 1 };
    struct op op;

    *item = (struct supply){ .kind = SUPPLY_POOL, .name = pool, .volume = volume };
    op = about(rig, kind, "kvm2", SUPPLY_POOL, &list);
    op.profile = profile_default();
    return op;
}

static void assert_pool(struct rig *rig, enum op_kind kind, const char *pool, const char *volume,
                        const char *note)
{
    struct supply item;
    struct op op = about_pool(rig, kind, pool, volume, &item);

    assert_note(rig, &op, note);
}

START_TEST(a_pool_is_started_or_refreshed_once_and_stays)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    const char *pool = rig_new_name(rig);

    world_make_pool(rig->world, "kvm2", pool);
    world_fill_pool(rig->world, "kvm2", pool, "v 1");
    assert_pool(rig, OP_PROVIDE, pool, "v 1", NULL);
    assert_pool(rig, OP_PROVIDE, pool, "v 1", "already there");
    assert_pool(rig, OP_WITHDRAW, pool, "v 1", "kept: it is the host's own");
    assert_pool(rig, OP_PROVIDE, pool, "v 1", "already there");
    world_fill_pool(rig->world, "kvm2", pool, "v2");
    assert_pool(rig, OP_PROVIDE, pool, "v2", NULL);
    assert_pool(rig, OP_PROVIDE, pool, "v2", "already there");
    world_remove_pool(rig->world, "kvm2", pool);
}
END_TEST

START_TEST(a_pool_that_is_missing_is_not_made_and_one_that_the_profile_leaves_alone_stays_off)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    const char *pool = rig_new_name(rig);
    struct profile alone = *profile_default();
    struct supply item;
    struct op op = about_pool(rig, OP_PROVIDE, pool, "v1", &item);

    (void)rig_fail(rig, &op, ERR_INCOMPATIBLE);
    world_make_pool(rig->world, "kvm2", pool);
    world_fill_pool(rig->world, "kvm2", pool, "v1");
    alone.supplies[SUPPLY_POOL].start = false;
    op.profile = &alone;
    (void)rig_fail(rig, &op, ERR_REFUSED);
    op.profile = profile_default();
    ck_assert_ptr_null(rig_succeed(rig, &op)->note);
    world_remove_pool(rig->world, "kvm2", pool);
}
END_TEST

/* An operation about the guest's NVRAM, 'path', on 'host', which comes from 'other' or goes there. */
static struct op about_state(struct rig *rig, enum op_kind kind, const char *host,
                             const char *other, const char *path)
{
    const struct supply item = { .kind = SUPPLY_STATE, .name = SUPPLY_NVRAM, .device = path };
    struct supply *items = ARENA_NEW(&rig->arena, struct supply);
    struct op op;

    *items = item;
    op = about(rig, kind, host, kind == OP_START ? SUPPLY_NONE : SUPPLY_STATE,
               &(struct supply_list){ items, 1 });
    op.peer = kind == OP_START ? NULL : other;
    op.other = other;
    op.begun_ms = 1234;
    return op;
}

static const char *new_state(struct rig *rig)
{
    return text_format(&rig->arena, "/run/%s_VARS.fd", rig_new_name(rig));
}

START_TEST(what_a_guest_keeps_of_itself_is_copied_put_aside_and_comes_back)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    const char *path = new_state(rig);
    struct op go = about_state(rig, OP_PROVIDE, "kvm2", "kvm1", path);
    struct op leave = about_state(rig, OP_WITHDRAW, "kvm1", "kvm2", path);
    struct op back = about_state(rig, OP_PROVIDE, "kvm1", "kvm2", path);
    struct op clear = about_state(rig, OP_WITHDRAW, "kvm2", "kvm1", path);

    world_make_state(rig->world, "kvm1", path);
    (void)rig_fail(rig, &leave, ERR_UNSAFE);
    assert_note(rig, &go, NULL);
    assert_note(rig, &go, "already there");
    assert_note(rig, &leave, NULL);
    assert_note(rig, &leave, "already gone");
    assert_note(rig, &go, "already there");
    back.back = clear.back = true;
    assert_note(rig, &back, NULL);
    assert_note(rig, &back, "already there");
    assert_note(rig, &clear, NULL);
    assert_note(rig, &clear, "already gone");
    assert_note(rig, &go, NULL);
    world_remove_state(rig->world, "kvm1", path);
    world_remove_state(rig->world, "kvm2", path);
}
END_TEST

START_TEST(a_file_that_another_host_has_in_its_place_is_neither_replaced_nor_put_aside)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    const char *path = new_state(rig);
    struct op go = about_state(rig, OP_PROVIDE, "kvm2", "kvm1", path);
    struct op leave = about_state(rig, OP_WITHDRAW, "kvm1", "kvm2", path);
    struct op clear = about_state(rig, OP_WITHDRAW, "kvm2", "kvm1", path);

    world_make_state(rig->world, "kvm1", path);
    world_make_state(rig->world, "kvm2", path);
    (void)rig_fail(rig, &go, ERR_EXISTS);
    (void)rig_fail(rig, &leave, ERR_UNSAFE);
    clear.back = true;
    assert_note(rig, &clear, "kept: it is not what this move has brought");
    (void)rig_fail(rig, &go, ERR_EXISTS);
    world_remove_state(rig->world, "kvm1", path);
    world_remove_state(rig->world, "kvm2", path);
}
END_TEST

START_TEST(a_guest_whose_file_is_nowhere_gets_none_and_is_not_started)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    const char *path = new_state(rig);
    struct op go = about_state(rig, OP_PROVIDE, "kvm2", "kvm1", path);
    struct op start = about_state(rig, OP_START, "kvm1", "kvm2", path);

    (void)rig_fail(rig, &go, ERR_NOT_FOUND);
    (void)rig_fail(rig, &start, ERR_UNSAFE);
    world_make_state(rig->world, "kvm1", path);
    go.profile = profile_default();
    (void)rig_fail(rig, &go, ERR_REFUSED);
    assert_note(rig, &start, NULL);
    world_remove_state(rig->world, "kvm1", path);
}
END_TEST

START_TEST(nothing_that_a_guest_keeps_of_itself_moves_while_it_runs)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    const char *path = new_state(rig);
    struct op go = about_state(rig, OP_PROVIDE, "kvm2", "kvm1", path);
    struct op leave = about_state(rig, OP_WITHDRAW, "kvm1", "kvm2", path);

    world_make_state(rig->world, "kvm1", path);
    (void)rig_fail(rig, &go, ERR_BUSY);
    (void)rig_fail(rig, &leave, ERR_BUSY);
    world_remove_state(rig->world, "kvm1", path);
}
END_TEST

TCase *cases_supply(void)
{
    TCase *tcase = tcase_create("supply");

    tcase_add_loop_test(tcase, a_link_is_made_once_and_removed_once, 0, ARRAY_LEN(links));
    tcase_add_loop_test(tcase, a_link_that_another_guest_uses_is_kept_and_that_is_success, 0,
                        ARRAY_LEN(links));
    tcase_add_test(tcase, a_pool_is_started_or_refreshed_once_and_stays);
    tcase_add_test(
        tcase, a_pool_that_is_missing_is_not_made_and_one_that_the_profile_leaves_alone_stays_off);
    tcase_add_test(tcase, what_a_guest_keeps_of_itself_is_copied_put_aside_and_comes_back);
    tcase_add_test(tcase,
                   a_file_that_another_host_has_in_its_place_is_neither_replaced_nor_put_aside);
    tcase_add_test(tcase, a_guest_whose_file_is_nowhere_gets_none_and_is_not_started);
    tcase_add_test(tcase, nothing_that_a_guest_keeps_of_itself_moves_while_it_runs);
    tcase_add_test(tcase, an_interface_that_the_target_does_not_have_is_refused);
    tcase_add_test(tcase, an_interface_that_a_guest_of_the_target_runs_with_is_refused);
    tcase_add_test(tcase, a_guest_with_an_interface_moves_live_to_where_that_is);
    tcase_add_test(tcase, a_volume_goes_from_one_host_to_the_other_and_back);
    tcase_add_test(tcase, a_guest_without_its_volume_cannot_start_and_starts_with_it);
    tcase_add_test(tcase, nothing_is_taken_from_a_guest_that_runs);
    tcase_add_test(tcase, a_guest_whose_volume_another_host_has_too_is_not_started);
    tcase_add_test(tcase,
                   what_was_behind_a_volume_is_learnt_before_and_found_where_it_is_attached_then);
    tcase_add_test(tcase, another_volume_in_its_place_is_told_with_what_each_of_them_is);
    tcase_add_test(tcase,
                   what_the_platform_brings_to_the_target_is_skipped_before_and_checked_then);
    return tcase;
}

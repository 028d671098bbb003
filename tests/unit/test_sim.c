/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "actuators/sim.h"
#include "actuators/sim_fleet.h"
#include "actuators/sim_json.h"
#include "actuators/sim_xml.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "model/observed.h"
#include "model/op.h"

#define WALL_MS INT64_C(1795435200000) /* 2026-11-23T12:00:00Z */
#define UUID_1  "00000000-0000-4000-8000-000000000001"
#define UUID_2  "00000000-0000-4000-8000-000000000002"
#define GIB     1048576

/* Two hosts of 8 GiB; vm1 of 2 GiB runs on kvm1.  %s: faults, more of vm1, more guests of kvm2. */
#define FLEET                                                                                   \
    "{\"format\":\"berth.sim/1\",\"faults\":[%s],\"hosts\":["                                   \
    "{\"name\":\"kvm1\",\"memory_kib\":8388608,\"cpus\":8,\"storage\":{\"/dev/v1\":\"vol-1\"}," \
    "\"guests\":[{\"name\":\"vm1\",\"uuid\":\"" UUID_1                                          \
    "\",\"memory_kib\":2097152,\"vcpus\":2%s}]},"                                               \
    "{\"name\":\"kvm2\",\"memory_kib\":8388608,\"cpus\":8,\"storage\":{\"/dev/v1\":\"vol-1\"}," \
    "\"guests\":[%s]}]}"

#define VM2(memory) \
    "{\"name\":\"vm2\",\"uuid\":\"" UUID_2 "\",\"memory_kib\":" #memory ",\"vcpus\":1}"

/* What the sink heard last. */
struct heard {
    size_t done;
    size_t progress;
    struct actuator_completion completion;
    struct observed_host host; /* In 'arena'. */
    struct arena arena;
};

struct rig {
    struct loop *loop;
    struct actuator *actuator;
    struct heard heard;
};

static void on_done(void *context, const struct actuator_completion *completion)
{
    struct heard *heard = context;

    heard->done++;
    heard->completion = *completion;
    if (completion->observed != NULL) {
        heard->host = observed_copy_host(&heard->arena, completion->observed);
    }
}

static void on_progress(void *context, const struct actuator_progress *progress)
{
    struct heard *heard = context;

    ck_assert_uint_le(progress->processed_bytes, progress->total_bytes);
    heard->progress++;
}

static void listen_to(struct rig *rig, struct actuator *actuator)
{
    ck_assert_ptr_nonnull(actuator);
    rig->actuator = actuator;
    actuator->sink = (struct actuator_sink){ &rig->heard, on_done, on_progress, NULL };
}

static struct rig *rig_new(const char *faults, const char *more, const char *others)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = { 0 };
    char *json = text_format(&rig->heard.arena, FLEET, faults, more, others);

    rig->loop = loop_manual_new(WALL_MS);
    listen_to(rig, sim_open_memory(rig->loop, json, strlen(json), &err));
    return rig;
}

static void rig_free(struct rig *rig)
{
    actuator_close(rig->actuator);
    loop_manual_free(rig->loop);
    arena_deinit(&rig->heard.arena);
    free(rig);
}

AUTO_POINTER(rig, struct rig, rig_free);

static struct op op_of(enum op_kind kind)
{
    return (struct op){
        .kind = kind,
        .guest = "vm1",
        .uuid = UUID_1,
        .host = "kvm1",
        .peer = kind == OP_PREFLIGHT || kind == OP_MIGRATE || kind == OP_ADOPT ? "kvm2" : NULL,
        .timeout_ms = 10000,
        .live = { .persistent = true, .max_downtime_ms = 1000 },
    };
}

static void act(struct rig *rig, const struct op *op)
{
    size_t before = rig->heard.done;

    actuator_start(rig->actuator, op, 7);
    ck_assert_uint_eq(rig->heard.done, before);
    loop_run(rig->loop);
    ck_assert_uint_eq(rig->heard.done, before + 1);
    ck_assert_uint_eq(rig->heard.completion.ticket, 7);
}

static void succeed(struct rig *rig, const struct op *op)
{
    act(rig, op);
    ck_assert_msg(rig->heard.completion.status == 0, "%s", rig->heard.completion.err.text);
}

static void fail_with(struct rig *rig, const struct op *op, enum err_code code)
{
    act(rig, op);
    ck_assert_int_eq(rig->heard.completion.status, -1);
    ck_assert_str_eq(err_code_name(rig->heard.completion.err.code), err_code_name(code));
    ck_assert_uint_gt(strlen(rig->heard.completion.err.text), 0);
}

static const struct observed_host *look(struct rig *rig, const char *host)
{
    size_t before = rig->heard.done;

    actuator_observe(rig->actuator, host, 2000, 9);
    /* Only so far that the answer is there: what is under way stays so. */
    for (int i = 0; i < 300 && rig->heard.done == before; i++) {
        loop_manual_advance(rig->loop, 10);
    }
    ck_assert_uint_eq(rig->heard.done, before + 1);
    return &rig->heard.host;
}

static const struct observed_guest *guest_on(struct rig *rig, const char *host)
{
    return observed_find_guest(look(rig, host), UUID_1);
}

static void switch_power(struct rig *rig, const char *host, enum sim_power power)
{
    struct err err = { 0 };

    ck_assert_msg(sim_set_power(rig->actuator, host, power, &err) == 0, "%s", err.text);
}

static char *dump(struct rig *rig)
{
    struct text text = text_new(&rig->heard.arena);
    struct err err = { 0 };

    ck_assert_msg(sim_dump(rig->actuator, &text, &err) == 0, "%s", err.text);
    return text.data;
}

START_TEST(a_fleet_written_and_read_again_is_the_same)
{
    AUTO(rig)
    struct rig *rig = rig_new("{\"op\":\"observe\",\"host\":\"kvm1\",\"error\":\"timeout\","
                              "\"text\":\"a \\\"b\\\"\\n\",\"times\":3}",
                              ",\"disks\":[{\"path\":\"/dev/v1\",\"identity\":\"vol-1\","
                              "\"cache\":\"writeback\"}],\"bridges\":[\"br0\"],"
                              "\"files\":[\"/a\",\"/b\"],\"autostart\":true",
                              VM2(1048576));
    char *first = dump(rig);
    struct err err = { 0 };

    ck_assert_int_eq(sim_load(rig->actuator, first, strlen(first), &err), 0);
    ck_assert_str_eq(dump(rig), first);
    ck_assert_ptr_nonnull(strstr(first, "\"times\":3"));
}
END_TEST

/* Each text breaks FLEET in one place; the error must name the place. */
START_TEST(a_fault_in_the_file_is_named_with_its_path)
{
    static const struct {
        const char *bytes;
        const char *place;
    } cases[] = {
        { "", "line 1" },
        { "[]", "fleet" },
        { "{\"format\":\"berth.sim/2\"}", "fleet.format" },
        { "{\"format\":\"berth.sim/1\",\"host\":[]}", "fleet.host" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":{}}", "fleet.hosts" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a\",\"cpus\":1}]}",
          "hosts[0].memory_kib" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a b\",\"memory_kib\":1,"
          "\"cpus\":1}]}",
          "hosts[0].name" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a\",\"memory_kib\":-1,"
          "\"cpus\":1}]}",
          "hosts[0].memory_kib" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a\",\"memory_kib\":1,\"cpus\":1,"
          "\"guests\":[{\"name\":\"g\",\"uuid\":\"x\",\"memory_kib\":1,\"vcpus\":1}]}]}",
          "hosts[0].guests[0].uuid" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a\",\"memory_kib\":1,\"cpus\":1,"
          "\"guests\":[{\"name\":\"g\",\"uuid\":\"" UUID_1 "\",\"memory_kib\":1,\"vcpus\":1},"
          "{\"name\":\"g\",\"uuid\":\"" UUID_2 "\",\"memory_kib\":1,\"vcpus\":1}]}]}",
          "'g' is there twice" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a\",\"memory_kib\":1,\"cpus\":1},"
          "{\"name\":\"a\",\"memory_kib\":1,\"cpus\":1}]}",
          "'a' is there twice" },
        { "{\"format\":\"berth.sim/1\",\"faults\":[{\"op\":\"fly\"}]}", "faults[0].op" },
        { "{\"format\":\"berth.sim/1\",\"faults\":[{\"op\":\"stop\",\"error\":\"odd\"}]}",
          "faults[0].error" },
        { "{\"format\":\"berth.sim/1\",\"migrations\":[{\"guest\":\"" UUID_1
          "\",\"from\":\"a\",\"to\":\"b\"}]}",
          "migrations[0]" },
        { "{\"format\":\"berth.sim/1\",\"durations\":{\"stop_ms\":1.5}}", "durations.stop_ms" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a\",\"memory_kib\":1,\"cpus\":1,"
          "\"hugepages\":[{\"page_kib\":2048,\"total\":9007199254740992}]}]}",
          "hosts[0].hugepages[0]" },
        { "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"a\",\"memory_kib\":1,\"cpus\":1,"
          "\"guests\":[{\"name\":\"g\",\"uuid\":\"" UUID_1
          "\",\"memory_kib\":1,\"vcpus\":1,\"hugepage_kib\":5}]}]}",
          "hosts[0].guests[0].hugepage_kib" },
    };
    struct loop *loop = loop_manual_new(WALL_MS);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };

        ck_assert_ptr_null(sim_open_memory(loop, cases[i].bytes, strlen(cases[i].bytes), &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_msg(strstr(err.text, cases[i].place) != NULL, "%zu: %s", i, err.text);
    }
    loop_manual_free(loop);
}
END_TEST

START_TEST(a_definition_read_back_is_the_guest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const struct sim_disk disks[] = { { "/dev/v1", "vol-1", NULL },
                                             { "/dev/v2", "vol-2", "writeback" } };
    static const char *const bridges[] = { "br0", "br1" };
    static const char *const files[] = { "/boot/vmlinuz" };
    struct sim_guest guest = {
        .name = "vm1",
        .uuid = UUID_1,
        .state = GUEST_RUNNING,
        .memory_kib = 4 * GIB,
        .config_memory_kib = 2 * GIB,
        .vcpus = 3,
        .deaf = true,
        .has_tpm = true,
        .has_nvram = true,
        .hostdevs = 2,
        .hugepage_kib = 2048,
        .numa_nodes = 2,
        .machine = "pc-q35-7.2",
        .cpu_mode = "host-model",
        .disks = disks,
        .disk_count = 2,
        .bridges = { bridges, 2 },
        .files = { files, 1 },
    };
    char *xml = sim_xml_write(&arena, &guest);
    struct sim_guest read;
    struct err err = { 0 };

    ck_assert_msg(sim_xml_read(&arena, xml, &read, &err) == 0, "%s", err.text);
    ck_assert_str_eq(sim_xml_write(&arena, &read), xml);
    ck_assert_int_eq(read.state, GUEST_SHUTOFF);
    ck_assert_uint_eq(read.memory_kib, 2 * GIB);
    ck_assert_uint_eq(read.hugepage_kib, 2048);
    ck_assert_uint_eq(read.numa_nodes, 2);
    ck_assert_uint_eq(read.disk_count, 2);
    ck_assert_str_eq(read.disks[1].identity, "vol-2");
    ck_assert_ptr_null(read.disks[0].cache);
    ck_assert_str_eq(read.disks[1].cache, "writeback");
    ck_assert_uint_eq(read.bridges.count, 2);
    ck_assert_str_eq(read.bridges.items[1], "br1");
    ck_assert_uint_eq(read.files.count, 1);
}
END_TEST

START_TEST(a_definition_with_anything_else_in_it_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct sim_guest guest = {
        .name = "vm1",
        .uuid = UUID_1,
        .memory_kib = GIB,
        .vcpus = 1,
        .machine = "q35",
        .cpu_mode = "custom",
    };
    char *xml = sim_xml_write(&arena, &guest);
    struct sim_guest read;
    struct err err = { 0 };

    for (size_t cut = 0; cut < strlen(xml); cut++) {
        ck_assert_int_eq(sim_xml_read(&arena, text_copy(&arena, xml, cut), &read, &err), -1);
    }
    ck_assert_int_eq(sim_xml_read(&arena, text_format(&arena, "%s<!-- -->", xml), &read, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

START_TEST(a_migration_takes_as_long_as_its_memory_says)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_MIGRATE);
    int64_t begun_ms = loop_now_ms(rig->loop);

    succeed(rig, &op);
    ck_assert_int_eq(loop_now_ms(rig->loop) - begun_ms, 1000 + 2 * 100);
    ck_assert_uint_ge(rig->heard.progress, 5);
    ck_assert_int_eq(rig->heard.completion.stats.total_ms, 1200);
    ck_assert_uint_eq(rig->heard.completion.stats.bytes, UINT64_C(2) * GIB * 1024);
}
END_TEST

START_TEST(a_migration_under_way_shows_on_both_sides)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_MIGRATE);
    const struct observed_guest *guest;

    actuator_start(rig->actuator, &op, 1);
    loop_manual_advance(rig->loop, 100);
    guest = guest_on(rig, "kvm1");
    ck_assert_int_eq(guest->state, GUEST_RUNNING);
    ck_assert_int_eq(guest->job, GUEST_JOB_OUTGOING);
    guest = guest_on(rig, "kvm2");
    ck_assert_int_eq(guest->state, GUEST_PAUSED);
    ck_assert_int_eq(guest->reason, GUEST_REASON_STARTING_UP);
    ck_assert_int_eq(guest->job, GUEST_JOB_INCOMING);
    ck_assert(!guest->persistent);
}
END_TEST

START_TEST(a_migration_outlives_the_actuator_that_began_it)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_MIGRATE);
    struct op adopt = op_of(OP_ADOPT);
    struct err err = { 0 };
    char *json;

    actuator_start(rig->actuator, &op, 1);
    loop_manual_advance(rig->loop, 300);
    json = dump(rig);
    actuator_close(rig->actuator);
    listen_to(rig, sim_open_memory(rig->loop, json, strlen(json), &err));
    ck_assert_uint_eq(rig->heard.completion.ticket, 0);
    succeed(rig, &adopt);
    ck_assert_int_eq(loop_now_ms(rig->loop), 1200);
    ck_assert_ptr_null(guest_on(rig, "kvm1"));
    ck_assert_int_eq(guest_on(rig, "kvm2")->state, GUEST_RUNNING);
}
END_TEST

START_TEST(a_clock_set_back_does_not_make_a_migration_endless)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_MIGRATE);

    actuator_start(rig->actuator, &op, 1);
    loop_manual_advance(rig->loop, 500);
    loop_manual_jump(rig->loop, -24 * 3600 * 1000);
    loop_manual_advance(rig->loop, 2000);
    ck_assert_uint_eq(rig->heard.done, 1);
    ck_assert_int_eq(rig->heard.completion.status, 0);
}
END_TEST

START_TEST(a_fault_before_leaves_the_fleet_alone_and_is_used_up)
{
    AUTO(rig)
    struct rig *rig = rig_new("{\"op\":\"migrate\",\"guest\":\"vm1\",\"error\":\"failed\","
                              "\"text\":\"out of luck\"}",
                              "", "");
    struct op op = op_of(OP_MIGRATE);

    fail_with(rig, &op, ERR_FAILED);
    ck_assert_str_eq(rig->heard.completion.err.text, "out of luck");
    ck_assert_int_eq(guest_on(rig, "kvm1")->job, GUEST_JOB_NONE);
    ck_assert_ptr_null(guest_on(rig, "kvm2"));
    succeed(rig, &op);
}
END_TEST

START_TEST(a_fault_after_loses_only_the_reply)
{
    AUTO(rig)
    struct rig *rig =
        rig_new("{\"op\":\"migrate\",\"when\":\"after\",\"error\":\"timeout\"}", "", "");
    struct op op = op_of(OP_MIGRATE);

    fail_with(rig, &op, ERR_TIMEOUT);
    ck_assert_ptr_null(guest_on(rig, "kvm1"));
    ck_assert_int_eq(guest_on(rig, "kvm2")->state, GUEST_RUNNING);
    succeed(rig, &op);
}
END_TEST

START_TEST(a_fault_in_the_middle_leaves_the_guest_at_its_source)
{
    AUTO(rig)
    struct rig *rig =
        rig_new("{\"op\":\"migrate\",\"when\":\"middle\",\"error\":\"failed\"}", "", "");
    struct op op = op_of(OP_MIGRATE);

    fail_with(rig, &op, ERR_FAILED);
    ck_assert_int_ge(loop_now_ms(rig->loop), 600);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
    ck_assert_ptr_null(guest_on(rig, "kvm2"));
}
END_TEST

START_TEST(a_lost_reply_leaves_the_migration_running)
{
    AUTO(rig)
    struct rig *rig =
        rig_new("{\"op\":\"migrate\",\"when\":\"lost\",\"error\":\"unreachable\"}", "", "");
    struct op op = op_of(OP_MIGRATE);

    fail_with(rig, &op, ERR_UNREACHABLE);
    ck_assert_int_eq(guest_on(rig, "kvm1")->job, GUEST_JOB_OUTGOING);
    loop_manual_advance(rig->loop, 1000);
    ck_assert_ptr_null(guest_on(rig, "kvm1"));
}
END_TEST

START_TEST(a_hanging_migration_ends_when_it_is_cancelled)
{
    AUTO(rig) struct rig *rig = rig_new("{\"op\":\"migrate\",\"when\":\"hang\"}", "", "");
    struct op op = op_of(OP_MIGRATE);

    actuator_start(rig->actuator, &op, 3);
    loop_manual_advance(rig->loop, 3600 * 1000);
    ck_assert_uint_eq(rig->heard.done, 0);
    actuator_cancel(rig->actuator, 3);
    ck_assert_uint_eq(rig->heard.done, 0);
    loop_run(rig->loop);
    ck_assert_uint_eq(rig->heard.done, 1);
    ck_assert_int_eq(rig->heard.completion.err.code, ERR_CANCELLED);
    ck_assert_int_eq(guest_on(rig, "kvm1")->job, GUEST_JOB_NONE);
}
END_TEST

START_TEST(a_hanging_observation_is_unreachable_at_its_deadline)
{
    AUTO(rig)
    struct rig *rig = rig_new("{\"op\":\"observe\",\"host\":\"kvm1\",\"when\":\"hang\"}", "", "");

    actuator_observe(rig->actuator, "kvm1", 5000, 4);
    loop_manual_advance(rig->loop, 4999);
    ck_assert_uint_eq(rig->heard.done, 0);
    loop_manual_advance(rig->loop, 1);
    ck_assert_uint_eq(rig->heard.done, 1);
    ck_assert_int_eq(rig->heard.completion.err.code, ERR_UNREACHABLE);
    ck_assert(!rig->heard.host.reachable);
    ck_assert(look(rig, "kvm1")->reachable);
}
END_TEST

START_TEST(a_guest_that_finds_no_memory_is_refused)
{
    AUTO(rig) struct rig *rig = rig_new("", "", VM2(7000000));
    struct op op = op_of(OP_MIGRATE);

    fail_with(rig, &op, ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(rig->heard.completion.err.text, "memory"));
    op.kind = OP_PREFLIGHT;
    fail_with(rig, &op, ERR_FAILED);
}
END_TEST

/* kvm1 has a pool of 2 GiB that vm1 fills; kvm2 has one of %s pages of 2 MiB. */
static struct rig *rig_with_pools(const char *pages)
{
    struct rig *rig = rig_new("", ",\"hugepage_kib\":2048", "");
    struct err err = { 0 };
    char *json = text_format(
        &rig->heard.arena,
        "{\"format\":\"berth.sim/1\",\"hosts\":["
        "{\"name\":\"kvm1\",\"memory_kib\":8388608,\"cpus\":8,"
        "\"hugepages\":[{\"page_kib\":2048,\"total\":1024}],\"guests\":[{\"name\":\"vm1\","
        "\"uuid\":\"" UUID_1 "\",\"memory_kib\":2097152,\"vcpus\":2,\"hugepage_kib\":2048}]},"
        "{\"name\":\"kvm2\",\"memory_kib\":8388608,\"cpus\":8,"
        "\"hugepages\":[{\"page_kib\":2048,\"total\":%s}]}]}",
        pages);

    ck_assert_msg(sim_load(rig->actuator, json, strlen(json), &err) == 0, "%s", err.text);
    return rig;
}

START_TEST(a_guest_on_huge_pages_takes_pages_and_no_other_memory)
{
    AUTO(rig) struct rig *rig = rig_with_pools("1025");
    struct op op = op_of(OP_MIGRATE);

    ck_assert_uint_eq(look(rig, "kvm1")->hugepages[0].free, 0);
    ck_assert_uint_eq(look(rig, "kvm1")->free_kib, 6 * GIB);
    ck_assert_int_eq(guest_on(rig, "kvm1")->hugepage_kib, 2048);
    succeed(rig, &op);
    ck_assert_uint_eq(look(rig, "kvm1")->hugepages[0].free, 1024);
    ck_assert_uint_eq(look(rig, "kvm2")->hugepages[0].free, 1);
}
END_TEST

START_TEST(a_guest_that_finds_no_huge_pages_is_refused)
{
    AUTO(rig) struct rig *rig = rig_with_pools("1023");
    struct op op = op_of(OP_PREFLIGHT);

    fail_with(rig, &op, ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(rig->heard.completion.err.text, "huge pages"));
    op.kind = OP_MIGRATE;
    fail_with(rig, &op, ERR_FAILED);
}
END_TEST

START_TEST(a_guest_bound_to_nodes_that_the_target_lacks_is_refused)
{
    AUTO(rig) struct rig *rig = rig_new("", ",\"numa_nodes\":2", "");
    struct op op = op_of(OP_PREFLIGHT);

    fail_with(rig, &op, ERR_INCOMPATIBLE);
}
END_TEST

START_TEST(a_power_cut_ends_guests_and_a_boot_starts_autostart_ones)
{
    AUTO(rig) struct rig *rig = rig_new("", ",\"autostart\":true", VM2(1048576));

    switch_power(rig, "kvm1", SIM_POWER_OFF);
    switch_power(rig, "kvm2", SIM_POWER_OFF);
    ck_assert(!look(rig, "kvm1")->reachable);
    ck_assert_int_eq(rig->heard.completion.err.code, ERR_UNREACHABLE);
    switch_power(rig, "kvm1", SIM_POWER_ON);
    switch_power(rig, "kvm2", SIM_POWER_ON);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
    ck_assert_int_eq(look(rig, "kvm2")->guests[0].state, GUEST_SHUTOFF);
}
END_TEST

static void set_guard(void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_find_host(fleet, "kvm1")->guard = OBSERVED_GUARD_RELEASED;
}

/* A fleet whose kvm1 has just booted with a guard; 'vm1' has autostart there. */
static struct rig *rig_guarded(void)
{
    struct rig *rig = rig_new("", ",\"autostart\":true", "");
    struct err err = { 0 };

    ck_assert_int_eq(sim_edit(rig->actuator, set_guard, NULL, &err), 0);
    switch_power(rig, "kvm1", SIM_POWER_OFF);
    (void)look(rig, "kvm1");
    switch_power(rig, "kvm1", SIM_POWER_ON);
    return rig;
}

static struct op release_of(const char *guest)
{
    return (struct op){ .kind = OP_RELEASE, .host = "kvm1", .guest = guest, .timeout_ms = 10000 };
}

START_TEST(a_guard_keeps_a_booting_host_from_starting_guests)
{
    AUTO(rig) struct rig *rig = rig_guarded();

    ck_assert_int_eq(look(rig, "kvm1")->guard, OBSERVED_GUARD_HOLDING);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_SHUTOFF);
    ck_assert(guest_on(rig, "kvm1")->held && guest_on(rig, "kvm1")->autostart);
    ck_assert_int_eq(look(rig, "kvm2")->guard, OBSERVED_GUARD_UNKNOWN);
}
END_TEST

static void exempt_vm1(void *context, struct sim_fleet *fleet)
{
    (void)context;
    sim_fleet_find_guest(sim_fleet_find_host(fleet, "kvm1"), UUID_1)->exempt = true;
}

START_TEST(who_is_exempt_starts_on_a_booting_host_in_spite_of_its_guard)
{
    AUTO(rig) struct rig *rig = rig_guarded();
    struct op op = release_of(NULL);
    struct err err = { 0 };

    succeed(rig, &op);
    ck_assert_int_eq(sim_edit(rig->actuator, exempt_vm1, NULL, &err), 0);
    switch_power(rig, "kvm1", SIM_POWER_OFF);
    (void)look(rig, "kvm1");
    switch_power(rig, "kvm1", SIM_POWER_ON);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
    ck_assert(guest_on(rig, "kvm1")->exempt && !guest_on(rig, "kvm1")->held);
}
END_TEST

START_TEST(a_release_starts_what_is_held_and_the_next_boot_holds_it_again)
{
    AUTO(rig) struct rig *rig = rig_guarded();
    struct op op = release_of(NULL);

    for (int i = 0; i < 2; i++) { /* A second time it is done already. */
        succeed(rig, &op);
        ck_assert_int_eq(look(rig, "kvm1")->guard, OBSERVED_GUARD_RELEASED);
        ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
        ck_assert(!guest_on(rig, "kvm1")->held && guest_on(rig, "kvm1")->autostart);
    }
    switch_power(rig, "kvm1", SIM_POWER_OFF);
    (void)look(rig, "kvm1");
    switch_power(rig, "kvm1", SIM_POWER_ON);
    ck_assert_int_eq(look(rig, "kvm1")->guard, OBSERVED_GUARD_HOLDING);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_SHUTOFF);
}
END_TEST

START_TEST(a_release_of_one_guest_leaves_its_host_holding)
{
    AUTO(rig) struct rig *rig = rig_guarded();
    struct op other = release_of("vm9");
    struct op op = release_of("vm1");

    succeed(rig, &other);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_SHUTOFF);
    succeed(rig, &op);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
    ck_assert_int_eq(look(rig, "kvm1")->guard, OBSERVED_GUARD_HOLDING);
}
END_TEST

START_TEST(a_release_of_a_host_that_is_off_fails_and_does_nothing)
{
    AUTO(rig) struct rig *rig = rig_guarded();
    struct op op = release_of(NULL);

    switch_power(rig, "kvm1", SIM_POWER_OFF);
    fail_with(rig, &op, ERR_UNREACHABLE);
}
END_TEST

START_TEST(a_forced_move_attaches_a_volume_on_a_platform_without_a_profile)
{
    AUTO(rig) struct rig *rig = rig_new("],\"volumes\":[{\"name\":\"sys\"}", "", "");
    const struct supply volume = { .kind = SUPPLY_VOLUME, .name = "sys", .device = "/dev/sys" };
    struct op op = op_of(OP_PROVIDE);

    op.host = "kvm2";
    op.other = "kvm1";
    op.mode = MOVE_FORCED;
    op.supply = SUPPLY_VOLUME;
    op.supplies = (struct supply_list){ &volume, 1 };
    succeed(rig, &op);
    ck_assert_ptr_nonnull(strstr(dump(rig), "\"/dev/sys\""));
}
END_TEST

START_TEST(losing_the_target_leaves_the_guest_running_at_the_source)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_MIGRATE);

    actuator_start(rig->actuator, &op, 3);
    loop_manual_advance(rig->loop, 400);
    switch_power(rig, "kvm2", SIM_POWER_OFF);
    loop_run(rig->loop);
    ck_assert_int_eq(rig->heard.completion.err.code, ERR_FAILED);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
    switch_power(rig, "kvm2", SIM_POWER_ON);
    ck_assert_ptr_null(guest_on(rig, "kvm2"));
}
END_TEST

START_TEST(losing_the_source_loses_the_running_guest_but_not_its_definition)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_MIGRATE);

    actuator_start(rig->actuator, &op, 3);
    loop_manual_advance(rig->loop, 400);
    switch_power(rig, "kvm1", SIM_POWER_OFF);
    loop_run(rig->loop);
    ck_assert_int_eq(rig->heard.completion.err.code, ERR_UNREACHABLE);
    ck_assert_ptr_null(guest_on(rig, "kvm2"));
    switch_power(rig, "kvm1", SIM_POWER_ON);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_SHUTOFF);
}
END_TEST

START_TEST(a_frozen_side_holds_a_migration_and_its_cancellation_until_the_thaw)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_MIGRATE);

    actuator_start(rig->actuator, &op, 3);
    loop_manual_advance(rig->loop, 400);
    switch_power(rig, "kvm2", SIM_POWER_FROZEN);
    loop_manual_advance(rig->loop, 5000);
    actuator_cancel(rig->actuator, 3);
    loop_manual_advance(rig->loop, 5000);
    ck_assert_uint_eq(rig->heard.done, 0);
    ck_assert_int_eq(guest_on(rig, "kvm1")->job, GUEST_JOB_OUTGOING);
    switch_power(rig, "kvm2", SIM_POWER_ON);
    loop_run(rig->loop);
    ck_assert_int_eq(rig->heard.completion.err.code, ERR_CANCELLED);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
    ck_assert_ptr_null(guest_on(rig, "kvm2"));
}
END_TEST

START_TEST(an_operation_on_a_host_that_stays_frozen_is_given_up)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_STOP);

    switch_power(rig, "kvm1", SIM_POWER_FROZEN);
    fail_with(rig, &op, ERR_UNREACHABLE);
    switch_power(rig, "kvm1", SIM_POWER_ON);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
}
END_TEST

START_TEST(a_shutdown_goes_on_when_nobody_waits_for_it)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct op op = op_of(OP_STOP);

    actuator_start(rig->actuator, &op, 3);
    loop_manual_advance(rig->loop, 100);
    actuator_cancel(rig->actuator, 3);
    loop_manual_advance(rig->loop, 0);
    ck_assert_int_eq(rig->heard.completion.err.code, ERR_CANCELLED);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_RUNNING);
    loop_manual_advance(rig->loop, 1000);
    ck_assert_int_eq(guest_on(rig, "kvm1")->state, GUEST_SHUTOFF);
}
END_TEST

START_TEST(a_migration_written_into_the_file_by_hand_runs)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    char *json = dump(rig);
    char *tail = strstr(json, "\"migrations\":[") + strlen("\"migrations\":[");
    struct err err = { 0 };
    char *edited = text_format(&rig->heard.arena,
                               "%.*s{\"guest\":\"" UUID_1
                               "\",\"from\":\"kvm1\",\"to\":\"kvm2\",\"duration_ms\":3000}%s",
                               (int)(tail - json), json, tail);

    ck_assert_msg(sim_load(rig->actuator, edited, strlen(edited), &err) == 0, "%s", err.text);
    ck_assert_int_eq(guest_on(rig, "kvm1")->job, GUEST_JOB_OUTGOING);
    ck_assert_int_eq(guest_on(rig, "kvm2")->job, GUEST_JOB_INCOMING);
    loop_manual_advance(rig->loop, 3000);
    ck_assert_ptr_null(guest_on(rig, "kvm1"));
    ck_assert(guest_on(rig, "kvm2")->persistent);
}
END_TEST

START_TEST(a_half_state_without_a_migration_stays_until_somebody_ends_it)
{
    AUTO(rig)
    struct rig *rig = rig_new("", "",
                              "{\"name\":\"vm1\",\"uuid\":\"" UUID_1
                              "\",\"memory_kib\":2097152,\"vcpus\":2,\"persistent\":false,"
                              "\"state\":\"paused\",\"reason\":\"starting-up\"}");
    struct op op = op_of(OP_DESTROY);

    ck_assert_int_eq(guest_on(rig, "kvm2")->state, GUEST_PAUSED);
    fail_with(rig, &op, ERR_REFUSED);
    op.host = "kvm2";
    succeed(rig, &op);
    ck_assert_ptr_null(guest_on(rig, "kvm2"));
    succeed(rig, &op);
}
END_TEST

struct closer {
    struct rig *rig;
    size_t calls;
};

static void close_from_done(void *context, const struct actuator_completion *completion)
{
    struct closer *closer = context;

    ck_assert_int_eq(completion->status, 0);
    closer->calls++;
    actuator_close(closer->rig->actuator);
}

START_TEST(the_actuator_may_be_closed_from_a_completion)
{
    AUTO(rig) struct rig *rig = rig_new("", "", "");
    struct closer closer = { .rig = rig };
    struct op op = op_of(OP_AUTOSTART);
    struct err err = { 0 };
    char *json = dump(rig);

    rig->actuator->sink.done = close_from_done;
    rig->actuator->sink.context = &closer;
    actuator_start(rig->actuator, &op, 1);
    actuator_observe(rig->actuator, "kvm1", 1000, 2);
    loop_run(rig->loop);
    ck_assert_uint_eq(closer.calls, 1);
    listen_to(rig, sim_open_memory(rig->loop, json, strlen(json), &err));
}
END_TEST

/* Files. */

struct folder {
    char path[32];
    char fleet[64];
    char lock[72];
};

static struct folder folder_new(void)
{
    struct folder folder = { .path = "/tmp/berth-sim-XXXXXX" };

    ck_assert_ptr_nonnull(mkdtemp(folder.path));
    (void)snprintf(folder.fleet, sizeof(folder.fleet), "%s/fleet.json", folder.path);
    (void)snprintf(folder.lock, sizeof(folder.lock), "%s.lock", folder.fleet);
    return folder;
}

static void folder_remove(struct folder *folder)
{
    (void)unlink(folder->fleet);
    (void)unlink(folder->lock);
    ck_assert_int_eq(rmdir(folder->path), 0); /* Nothing else was left there. */
}

AUTO_VALUE(folder, struct folder, folder_remove);

static void write_fleet(const struct folder *folder, const char *faults)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *json = text_format(&arena, FLEET, faults, "", "");
    struct err err = { 0 };

    ck_assert_int_eq(file_replace(folder->fleet, json, strlen(json), 0600, &err), 0);
}

static struct rig *rig_on(const struct folder *folder)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = { 0 };

    rig->loop = loop_manual_new(WALL_MS);
    listen_to(rig, sim_open(rig->loop, folder->fleet, &err));
    return rig;
}

START_TEST(two_actuators_on_one_file_see_each_others_work)
{
    AUTO(folder) struct folder folder = folder_new();
    struct op op = op_of(OP_MIGRATE);

    write_fleet(&folder, "");
    {
        AUTO(rig) struct rig *first = rig_on(&folder);
        AUTO(rig) struct rig *second = rig_on(&folder);

        ck_assert_ptr_nonnull(guest_on(second, "kvm1"));
        succeed(first, &op);
        loop_manual_advance(second->loop, 5000);
        ck_assert_ptr_null(guest_on(second, "kvm1"));
        ck_assert_int_eq(guest_on(second, "kvm2")->state, GUEST_RUNNING);
    }
}
END_TEST

START_TEST(looking_does_not_rewrite_the_file)
{
    AUTO(folder) struct folder folder = folder_new();
    struct stat before;
    struct stat after;

    write_fleet(&folder, "");
    {
        AUTO(rig) struct rig *rig = rig_on(&folder);

        ck_assert_int_eq(stat(folder.fleet, &before), 0);
        ck_assert_ptr_nonnull(guest_on(rig, "kvm1"));
        loop_manual_advance(rig->loop, 5000);
        ck_assert_ptr_nonnull(guest_on(rig, "kvm1"));
        ck_assert_int_eq(stat(folder.fleet, &after), 0);
        ck_assert_uint_eq(before.st_ino, after.st_ino);
    }
}
END_TEST

START_TEST(a_fault_used_by_one_process_is_gone_for_the_next)
{
    AUTO(folder) struct folder folder = folder_new();
    struct op op = op_of(OP_AUTOSTART);

    write_fleet(&folder, "{\"op\":\"autostart\",\"error\":\"busy\"}");
    {
        AUTO(rig) struct rig *first = rig_on(&folder);

        fail_with(first, &op, ERR_BUSY);
    }
    {
        AUTO(rig) struct rig *second = rig_on(&folder);

        succeed(second, &op);
    }
}
END_TEST

/* What a child process does: 'count' operations that must each meet the scripted fault. */
static void use_faults(const struct folder *folder, int count)
{
    AUTO(rig) struct rig *rig = rig_on(folder);
    struct op op = op_of(OP_AUTOSTART);

    for (int i = 0; i < count; i++) {
        actuator_start(rig->actuator, &op, 7);
        loop_run(rig->loop);
        if (rig->heard.completion.err.code != ERR_BUSY) {
            _exit(1);
        }
    }
    _exit(0);
}

START_TEST(processes_at_the_same_time_lose_nothing_and_readers_see_no_mixture)
{
    AUTO(folder) struct folder folder = folder_new();
    struct op op = op_of(OP_AUTOSTART);
    pid_t children[4];
    size_t running = ARRAY_LEN(children);

    write_fleet(&folder, "{\"op\":\"autostart\",\"error\":\"busy\",\"times\":40}");
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        children[i] = fork();
        ck_assert_int_ge(children[i], 0);
        if (children[i] == 0) {
            use_faults(&folder, 10);
        }
    }
    while (running > 0) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *const *names;
        size_t count;
        struct err err = { 0 };
        int status;

        ck_assert_msg(sim_host_names(&arena, folder.fleet, &names, &count, &err) == 0, "%s",
                      err.text);
        if (waitpid(-1, &status, WNOHANG) > 0) {
            ck_assert_int_eq(status, 0);
            running--;
        }
    }
    {
        AUTO(rig) struct rig *rig = rig_on(&folder);

        succeed(rig, &op);
    }
}
END_TEST

START_TEST(a_file_that_became_unreadable_makes_every_answer_an_error)
{
    AUTO(folder) struct folder folder = folder_new();
    struct op op = op_of(OP_STOP);

    write_fleet(&folder, "");
    {
        AUTO(rig) struct rig *rig = rig_on(&folder);
        struct err err = { 0 };

        ck_assert_int_eq(file_replace(folder.fleet, "{", 1, 0600, &err), 0);
        fail_with(rig, &op, ERR_INVALID);
        ck_assert(!look(rig, "kvm1")->reachable);
        ck_assert_int_eq(unlink(folder.fleet), 0);
        fail_with(rig, &op, ERR_NOT_FOUND);
    }
}
END_TEST

START_TEST(the_names_of_hosts_come_sorted)
{
    AUTO(folder) struct folder folder = folder_new();
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *const *names;
    size_t count;
    struct err err = { 0 };

    write_fleet(&folder, "");
    ck_assert_int_eq(sim_host_names(&arena, folder.fleet, &names, &count, &err), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(names[0], "kvm1");
    ck_assert_str_eq(names[1], "kvm2");
    (void)unlink(folder.fleet);
    ck_assert_int_eq(sim_host_names(&arena, folder.fleet, &names, &count, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {
        a_fleet_written_and_read_again_is_the_same,
        a_fault_in_the_file_is_named_with_its_path,
        a_definition_read_back_is_the_guest,
        a_definition_with_anything_else_in_it_is_refused,
        a_guest_on_huge_pages_takes_pages_and_no_other_memory,
        a_guest_that_finds_no_huge_pages_is_refused,
        a_guest_bound_to_nodes_that_the_target_lacks_is_refused,
        a_migration_takes_as_long_as_its_memory_says,
        a_migration_under_way_shows_on_both_sides,
        a_migration_outlives_the_actuator_that_began_it,
        a_clock_set_back_does_not_make_a_migration_endless,
        a_fault_before_leaves_the_fleet_alone_and_is_used_up,
        a_fault_after_loses_only_the_reply,
        a_fault_in_the_middle_leaves_the_guest_at_its_source,
        a_lost_reply_leaves_the_migration_running,
        a_hanging_migration_ends_when_it_is_cancelled,
        a_hanging_observation_is_unreachable_at_its_deadline,
        a_guest_that_finds_no_memory_is_refused,
        a_power_cut_ends_guests_and_a_boot_starts_autostart_ones,
        a_guard_keeps_a_booting_host_from_starting_guests,
        who_is_exempt_starts_on_a_booting_host_in_spite_of_its_guard,
        a_release_starts_what_is_held_and_the_next_boot_holds_it_again,
        a_release_of_one_guest_leaves_its_host_holding,
        a_release_of_a_host_that_is_off_fails_and_does_nothing,
        a_forced_move_attaches_a_volume_on_a_platform_without_a_profile,
        losing_the_target_leaves_the_guest_running_at_the_source,
        losing_the_source_loses_the_running_guest_but_not_its_definition,
        a_frozen_side_holds_a_migration_and_its_cancellation_until_the_thaw,
        an_operation_on_a_host_that_stays_frozen_is_given_up,
        a_shutdown_goes_on_when_nobody_waits_for_it,
        a_migration_written_into_the_file_by_hand_runs,
        a_half_state_without_a_migration_stays_until_somebody_ends_it,
        the_actuator_may_be_closed_from_a_completion,
        two_actuators_on_one_file_see_each_others_work,
        looking_does_not_rewrite_the_file,
        a_fault_used_by_one_process_is_gone_for_the_next,
        processes_at_the_same_time_lose_nothing_and_readers_see_no_mixture,
        a_file_that_became_unreadable_makes_every_answer_an_error,
        the_names_of_hosts_come_sorted,
    };
    Suite *suite = suite_create("sim");
    TCase *tests = tcase_create("fleet");
    SRunner *runner = srunner_create(suite);
    int failed;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

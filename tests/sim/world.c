/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "actuators/sim.h"
#include "actuators/sim_fleet.h"
#include "actuators/sim_json.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_write.h"
#include "reconciler/journal/journal.h"

#define START_MS INT64_C(1700000000000)

/* Environment variable that tells the tests' processes the folder of this program. */
#define FOLDER "BERTH_SIM_FOLDER"

static void read_fleet(struct arena *arena, const char *json, struct sim_fleet *fleet)
{
    struct err err;

    ck_assert_msg(sim_json_read(arena, json, strlen(json), fleet, &err) == 0, "%s", err.text);
}

void world_touch(struct world *world)
{
    world->es_xml = text_format(&world->arena, "%s<!-- saved again -->\n", world->es_xml);
}

void world_edit(struct world *world, sim_edit_fn *edit, void *context)
{
    struct text text = text_new(&world->arena);
    struct loop *loop = loop_manual_new(world->wall_ms);
    struct err err;
    struct actuator *actuator = sim_open_memory(loop, world->fleet, strlen(world->fleet), &err);

    ck_assert_msg(actuator != NULL, "%s", err.text);
    ck_assert_msg(sim_edit(actuator, edit, context, &err) == 0, "%s", err.text);
    ck_assert_msg(sim_dump(actuator, &text, &err) == 0, "%s", err.text);
    world->fleet = text.data;
    actuator_close(actuator);
    loop_manual_free(loop);
}

struct switching {
    const char *host;
    enum sim_power power;
};

static void switch_host(void *context, struct sim_fleet *fleet)
{
    const struct switching *switching = context;
    struct sim_host *host = sim_fleet_find_host(fleet, switching->host);

    ck_assert_ptr_nonnull(host);
    host->power = switching->power;
    fleet->changed = true;
}

void world_power(struct world *world, const char *host, enum sim_power power)
{
    struct switching switching = { host, power };

    world_edit(world, switch_host, &switching);
}

void world_freeze(struct world *world, const char *host, bool frozen)
{
    world_power(world, host, frozen ? SIM_POWER_FROZEN : SIM_POWER_ON);
}

void world_wait(struct world *world, int64_t ms)
{
    world->wall_ms += ms;
}

static char *guest_uuid(struct arena *arena, size_t index)
{
    return text_format(arena, "00000000-0000-4000-8000-%012zx", index + 1);
}

static const char *reason_of(const char *state)
{
    if (strcmp(state, "incoming") == 0) {
        return "starting-up";
    }
    return strcmp(state, "paused") == 0 ? "user" : "unknown";
}

static void print_guest(struct world *world, struct text *text, const struct world_guest *guest,
                        size_t index)
{
    bool incoming = strcmp(guest->state, "incoming") == 0;

    text_printf(text,
                "{\"name\":\"%s\",\"uuid\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\","
                "\"memory_kib\":%u,\"vcpus\":1,\"persistent\":%s,\"autostart\":%s,\"deaf\":%s%s}",
                guest->name, guest_uuid(&world->arena, index), incoming ? "paused" : guest->state,
                reason_of(guest->state), guest->memory_mib * 1024, incoming ? "false" : "true",
                guest->autostart ? "true" : "false", guest->deaf ? "true" : "false",
                guest->more == NULL ? "" : guest->more);
}

static void print_fleet(struct world *world, const unsigned *memory_mib,
                        const struct world_guest *guests, size_t count, const char *faults)
{
    struct text text = text_new(&world->arena);

    text_printf(&text, "{\"format\":\"berth.sim/1\",\"faults\":[%s],\"hosts\":[", faults);
    for (unsigned host = 1; host <= world->host_count; host++) {
        char name[16];
        const char *comma = "";

        (void)snprintf(name, sizeof(name), "kvm%u", host);
        text_printf(&text, "%s{\"name\":\"%s\",\"memory_kib\":%u,\"cpus\":64,\"guests\":[",
                    host == 1 ? "" : ",", name, memory_mib[host - 1] * 1024);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(guests[i].host, name) == 0) {
                text_append(&text, comma);
                print_guest(world, &text, &guests[i], i);
                comma = ",";
            }
        }
        text_append(&text, "]}");
    }
    text_append(&text, "]}");
    world->fleet = text.data;
}

static int compare_guests(const void *a, const void *b)
{
    return strcmp(((const struct desired_guest *)a)->name, ((const struct desired_guest *)b)->name);
}

void world_want(struct world *world, const struct world_guest *guests, size_t count)
{
    struct desired_host *hosts = ARENA_ARRAY(&world->arena, struct desired_host, world->host_count);
    struct desired_guest *items = ARENA_ARRAY(&world->arena, struct desired_guest, count + 1);
    struct desired desired = {
        .hosts = hosts,
        .host_count = world->host_count,
        .guests = items,
        .guest_count = count,
    };
    struct text text = text_new(&world->arena);

    for (unsigned i = 0; i < world->host_count; i++) {
        hosts[i].name = text_format(&world->arena, "kvm%u", i + 1);
        hosts[i].id = text_format(&world->arena, "kvm%u_id", i + 1);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct desired_guest){
            .name = guests[i].name,
            .id = text_format(&world->arena, "%s_id", guests[i].name),
            .memory_kib = (uint64_t)guests[i].memory_mib * 1024,
            .vcpus = 1,
            .host = desired_find_host(&desired, guests[i].wanted),
        };
    }
    qsort(items, count, sizeof(*items), compare_guests);
    es_write_document(&text, &desired);
    world->es_xml = text.data;
}

void world_init_hosts(struct world *world, const unsigned *memory_mib, size_t host_count,
                      const struct world_guest *guests, size_t count, const char *faults)
{
    *world = (struct world){
        .wall_ms = START_MS,
        .host_count = host_count,
        .guest_count = count,
    };
    (void)snprintf(world->state_dir, sizeof(world->state_dir), "%s/XXXXXX", getenv(FOLDER));
    ck_assert_ptr_nonnull(mkdtemp(world->state_dir));
    world->config = config_default();
    world->config.policy.reserve = (struct policy_reserve){ 0 };
    print_fleet(world, memory_mib, guests, count, faults);
    world_want(world, guests, count);
}

void world_init(struct world *world, unsigned memory_mib, const struct world_guest *guests,
                size_t count, const char *faults)
{
    const unsigned equal[WORLD_HOSTS] = { memory_mib, memory_mib, memory_mib };

    world_init_hosts(world, equal, WORLD_HOSTS, guests, count, faults);
}

static const struct sim_guest *find(struct world *world, struct arena *arena, const char *guest,
                                    const char *host)
{
    struct sim_fleet fleet = { .arena = arena };
    const struct sim_host *found;

    (void)world;
    read_fleet(arena, world->fleet, &fleet);
    found = sim_fleet_find_host(&fleet, host);
    ck_assert_ptr_nonnull(found);
    return sim_fleet_find_guest_named(found, guest);
}

const char *world_state(struct world *world, const char *guest, const char *host)
{
    const struct sim_guest *found = find(world, &world->arena, guest, host);

    return found == NULL ? "absent" : observed_state_name(found->state);
}

void world_assert_is(struct world *world, const char *guest, const char *host, const char *state)
{
    ck_assert_msg(strcmp(world_state(world, guest, host), state) == 0,
                  "%s on %s is %s, expected %s (%s)", guest, host, world_state(world, guest, host),
                  state, world->last_text);
}

const char *world_runs_on(struct world *world, const char *guest)
{
    static const char *const hosts[] = { "kvm1", "kvm2", "kvm3", "kvm4", "kvm5",
                                         "kvm6", "kvm7", "kvm8", "kvm9" };

    for (size_t i = 0; i < world->host_count; i++) {
        if (strcmp(world_state(world, guest, hosts[i]), "running") == 0) {
            return hosts[i];
        }
    }
    return NULL;
}

bool world_has_autostart(struct world *world, const char *guest, const char *host)
{
    const struct sim_guest *found = find(world, &world->arena, guest, host);

    return found != NULL && found->autostart;
}

static struct journal *read_journal(struct world *world)
{
    struct err err;
    struct journal *journal = journal_open_readonly(world->state_dir, &err);

    ck_assert_msg(journal != NULL, "%s", err.text);
    return journal;
}

static size_t count_moves(struct world *world, bool open_only, struct journal_move **items)
{
    struct journal *journal = read_journal(world);
    struct err err;
    size_t count;

    ck_assert_msg(journal->ops->moves(journal, &world->arena, open_only, NULL, 1000, items, &count,
                                      &err) == 0,
                  "%s", err.text);
    journal_close(journal);
    return count;
}

size_t world_moves(struct world *world, struct journal_move **items)
{
    return count_moves(world, false, items);
}

size_t world_open_moves(struct world *world)
{
    struct journal_move *items;

    return count_moves(world, true, &items);
}

size_t world_owed(struct world *world)
{
    struct journal *journal = read_journal(world);
    struct journal_owed *items;
    struct err err;
    size_t count;

    ck_assert_msg(journal->ops->owed(journal, &world->arena, &items, &count, &err) == 0, "%s",
                  err.text);
    journal_close(journal);
    return count;
}

size_t world_holds(struct world *world)
{
    struct journal *journal = read_journal(world);
    struct journal_hold *items;
    struct err err;
    size_t count;

    ck_assert_msg(journal->ops->holds(journal, &world->arena, &items, &count, &err) == 0, "%s",
                  err.text);
    journal_close(journal);
    return count;
}

size_t world_revisions(struct world *world)
{
    struct journal *journal = read_journal(world);
    struct journal_revision *items;
    struct err err;
    size_t count;

    ck_assert_msg(journal->ops->revisions(journal, &world->arena, 0, &items, &count, &err) == 0,
                  "%s", err.text);
    journal_close(journal);
    return count;
}

static int damage_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)walk;
    return type == FTW_F ? truncate(path, 1) : 0;
}

void world_damage_objects(struct world *world)
{
    const char *folder = text_format(&world->arena, "%s/objects", world->state_dir);

    ck_assert_int_eq(nftw(folder, damage_file, 16, FTW_PHYS), 0);
}

void world_turn_off(struct world *world, const char *guest)
{
    char *name = strstr(world->fleet, text_format(&world->arena, "{\"name\":\"%s\"", guest));

    ck_assert_ptr_nonnull(name);
    world->fleet =
        text_format(&world->arena, "%.*s{\"state\":\"shutoff\",\"reason\":\"shutdown\",%s",
                    (int)(name - world->fleet), world->fleet, name + 1);
}

void world_add(struct world *world, const struct world_guest *guest, size_t index)
{
    struct text text = text_new(&world->arena);
    char *host = strstr(world->fleet, text_format(&world->arena, "{\"name\":\"%s\"", guest->host));
    char *guests = host == NULL ? NULL : strstr(host, "\"guests\":[");

    ck_assert_ptr_nonnull(guests);
    guests += strlen("\"guests\":[");
    text_append_bytes(&text, world->fleet, (size_t)(guests - world->fleet));
    print_guest(world, &text, guest, index);
    text_append(&text, guests[strspn(guests, " \n")] == ']' ? "" : ",");
    text_append(&text, guests);
    world->fleet = text.data;
}

void world_remove(struct world *world, const char *guest)
{
    struct text text = text_new(&world->arena);
    char *begin = strstr(world->fleet, text_format(&world->arena, "{\"name\":\"%s\"", guest));
    char *end = begin;
    int depth = 0;

    ck_assert_ptr_nonnull(begin);
    do {
        depth += (*end == '{') - (*end == '}');
        end++;
    } while (depth > 0);
    if (*end == ',') {
        end++;
    } else {
        while (strchr(", \n", begin[-1]) != NULL) {
            begin--;
        }
    }
    text_append_bytes(&text, world->fleet, (size_t)(begin - world->fleet));
    text_append(&text, end);
    world->fleet = text.data;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void world_set_up(void)
{
    char folder[] = "/dev/shm/berth-sim-XXXXXX";

    if (mkdtemp(folder) == NULL || setenv(FOLDER, folder, 1) != 0) {
        abort(); /* Outside of a test there is nobody to report to. */
    }
}

void world_tear_down(void)
{
    (void)nftw(getenv(FOLDER), remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void world_deinit(struct world *world)
{
    arena_deinit(&world->arena);
}

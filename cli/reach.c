/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reach.h"

#include <string.h>

#include "actuators/actuator.h"
#include "actuators/libvirt.h"
#include "actuators/libvirt_module.h"
#include "actuators/sim.h"
#include "base/err.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/loop_uv.h"
#include "cli/cli.h"
#include "model/observed_json.h"
#include "reconciler/calls.h"
#include "reconciler/journal/journal.h"
#include "reconciler/ledger.h"
#include "reconciler/reconciler.h"
#include "reconciler/snapshot.h"
#include "reconciler/view.h"

#define SIM_SCHEME "sim:"

static const char *sim_path(const char *uri)
{
    return strncmp(uri, SIM_SCHEME, strlen(SIM_SCHEME)) == 0 ? uri + strlen(SIM_SCHEME) : NULL;
}

/* A host that nothing fences is as good as any other until it must be. */
static struct fence_device fence_of(struct cli *cli, const char *host)
{
    struct config_fence fence;
    struct err err;

    if (config_fence_of(&cli->arena, &cli->config, host, &fence, &err) != 0) {
        return (struct fence_device){ .agent = NULL };
    }
    return (struct fence_device){ fence.agent, fence.options, fence.secrets };
}

/* libvirt_resolve_fn: the templates of berth.conf, with the host's own settings. */
static int describe_host(void *context, const char *name, struct libvirt_host *host,
                         struct err *err)
{
    struct cli *cli = context;

    host->name = name;
    host->fence = fence_of(cli, name);
    host->uri = config_uri(&cli->arena, &cli->config, name, err);
    if (host->uri == NULL) {
        return -1;
    }
    host->peer_uri = config_peer_uri(&cli->arena, &cli->config, name, err);
    if (host->peer_uri == NULL) {
        return -1;
    }
    err->code = ERR_NONE;
    host->ssh = config_ssh(&cli->arena, &cli->config, name, err);
    return host->ssh == NULL && err->code != ERR_NONE ? -1 : 0;
}

/* 'acts': for a controller. */
static struct actuator *open_hosts(struct cli *cli, struct loop *loop, bool acts, struct err *err)
{
    struct libvirt_settings settings = {
        .resolve = describe_host,
        .context = cli,
        .ssh_key = cli->config.ssh_key,
        .ssh_known_hosts = cli->config.ssh_known_hosts,
        .guard = cli->config.guard,
        .locks = acts,
    };

    if (sim_path(cli->config.uri) != NULL) {
        return sim_open(loop, sim_path(cli->config.uri), err);
    }
    return libvirt_module_open(loop, &settings, err);
}

struct actuator *reach_open(struct cli *cli, struct loop *loop, struct err *err)
{
    return open_hosts(cli, loop, false, err);
}

int reach_open_world(struct cli *cli, struct reconciler_world *world)
{
    struct err err;

    world->journal = journal_open(world->loop, cli->config.state_dir, &err);
    if (world->journal == NULL) {
        return cli_fail(&err);
    }
    world->actuator = open_hosts(cli, world->loop, true, &err);
    if (world->actuator == NULL) {
        journal_close(world->journal);
        return cli_fail(&err);
    }
    return 0;
}

void reach_close_world(struct reconciler_world *world)
{
    actuator_close(world->actuator);
    journal_close(world->journal);
}

struct actuator *reach_open_uris(struct cli *cli, struct loop *loop, const char *const *uris,
                                 size_t count, const char *const **hosts, size_t *host_count,
                                 struct err *err)
{
    struct libvirt_host *items = ARENA_ARRAY(&cli->arena, struct libvirt_host, count + 1);
    struct libvirt_settings settings = { .hosts = items, .host_count = count };

    if (count == 1 && sim_path(uris[0]) != NULL) {
        if (sim_host_names(&cli->arena, sim_path(uris[0]), hosts, host_count, err) != 0) {
            return NULL;
        }
        return sim_open(loop, sim_path(uris[0]), err);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct libvirt_host){ .name = uris[i], .uri = uris[i], .peer_uri = uris[i] };
    }
    *hosts = uris;
    *host_count = count;
    return libvirt_module_open(loop, &settings, err);
}

static void stop_loop(void *context)
{
    loop_stop(context);
}

void reach_look(struct cli *cli, struct loop *loop, struct actuator *actuator,
                const char *const *hosts, size_t count, struct observed *observed)
{
    struct snapshot snapshot;
    struct calls calls;
    struct observed_host *copies = ARENA_ARRAY(&cli->arena, struct observed_host, count + 1);

    calls_init(&calls, actuator);
    snapshot_init(&snapshot, loop, &calls);
    snapshot_take(&snapshot, hosts, count, stop_loop, loop);
    loop_run(loop);
    *observed = snapshot.observed;
    for (size_t i = 0; i < observed->host_count; i++) {
        copies[i] = observed_copy_host(&cli->arena, &observed->hosts[i]);
    }
    observed->hosts = copies;
    actuator_close(actuator);
    snapshot_deinit(&snapshot);
    calls_deinit(&calls);
}

static int read_recorded(struct cli *cli, const char *path, struct observed *observed)
{
    const char *file = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    AUTO(arena) struct arena scratch = ARENA_INIT; /* The text goes once it has been read. */
    struct err err;
    char *bytes;
    size_t length;

    if (file_read(&scratch, file, OBSERVED_JSON_MAX_BYTES, &bytes, &length, &err) != 0 ||
        observed_json_read(&cli->arena, bytes, length, observed, &err) != 0) {
        (void)err_wrap(&err, "observation '%s'", path);
        (void)cli_fail(&err);
        return CLI_INVALID;
    }
    return 0;
}

static int ask_hosts(struct cli *cli, const struct revision *revision, const struct ledger *ledger,
                     struct observed *observed)
{
    struct loop *loop = loop_uv_new();
    struct actuator *actuator;
    const char *const *hosts;
    struct err err;
    size_t count;

    actuator = reach_open(cli, loop, &err);
    if (actuator == NULL) {
        loop_uv_free(loop);
        return cli_fail(&err);
    }
    hosts = view_hosts(&cli->arena, revision, ledger, &count);
    reach_look(cli, loop, actuator, hosts, count, observed);
    loop_uv_free(loop);
    return 0;
}

/* The journal as the last run left it; none at all is an empty one. */
static int read_ledger(struct cli *cli, struct ledger *ledger)
{
    struct journal *journal;
    struct err err;
    int status;

    journal = journal_open_readonly(cli->config.state_dir, &err);
    if (journal == NULL) {
        return err.code == ERR_NOT_FOUND ? 0 : cli_fail(&err);
    }
    ledger_init(ledger, journal);
    status = ledger_load(ledger, &err);
    journal_close(journal);
    return status == 0 ? 0 : cli_fail(&err);
}

int reach_see_revision(struct cli *cli, struct reach_sight *sight)
{
    struct observed *observed = ARENA_NEW(&cli->arena, struct observed);
    bool recorded = sight->observed != NULL;
    int status = recorded ? 0 : read_ledger(cli, &sight->ledger);

    if (status == 0) {
        status = recorded ? read_recorded(cli, sight->observed, observed)
                          : ask_hosts(cli, &sight->revision, &sight->ledger, observed);
    }
    if (status != 0) {
        return status;
    }
    view_build(&sight->view, &cli->arena, &sight->revision, observed,
               recorded ? NULL : &sight->ledger, &cli->config, NULL,
               recorded && observed->at_ms > 0 ? observed->at_ms : cli_now_ms());
    sight->view.input.recorded = recorded;
    if (recorded) { /* What a recording says of moves in flight is all there is. */
        sight->view.observed.in_flight = observed->in_flight;
        sight->view.observed.in_flight_count = observed->in_flight_count;
    }
    return 0;
}

int reach_see(struct cli *cli, struct reach_sight *sight)
{
    int status = cli_load_revision(cli, sight->es, &sight->revision);

    return status == 0 ? reach_see_revision(cli, sight) : status;
}

void reach_sight_deinit(struct reach_sight *sight)
{
    ledger_deinit(&sight->ledger);
}

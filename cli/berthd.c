/* SPDX-License-Identifier: Apache-2.0 */

/* berthd: the controller as a daemon.  Follows es.xml and the hosts until it is told to end. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "base/err.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/eventlog.h"
#include "cli/reach.h"
#include "reconciler/event_json.h"
#include "reconciler/journal/journal.h"
#include "reconciler/metrics.h"
#include "reconciler/reconciler.h"

struct daemon {
    struct loop *loop;
    struct reconciler *reconciler;
    struct metrics metrics;
    struct backend backend;
    const char *es_xml;
    int status;
};

static void on_done(void *context, const struct reconciler_result *result)
{
    struct daemon *daemon = context;

    daemon->status = (int)result->status;
    loop_stop(daemon->loop);
}

/* Whoever follows the controller is told what its log is told, and how far the running move is. */
static void publish(struct daemon *daemon, const struct event *event)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text json = text_new(&arena);
    struct status status = reconciler_status(daemon->reconciler);

    event_json_write(&json, event, status.gauge, status.at_ms);
    api_publish(daemon->backend.api, event_json_name(event), json.data);
}

static void on_event(void *context, const struct event *event)
{
    struct daemon *daemon = context;

    eventlog_write(daemon->es_xml, event);
    metrics_count(&daemon->metrics, event);
    if (daemon->backend.api != NULL) {
        publish(daemon, event);
    }
}

static void on_signal(void *context)
{
    struct daemon *daemon = context;

    (void)fprintf(stderr, "event=ending\n");
    reconciler_end(daemon->reconciler);
}

/* Without it the fleet is kept where it belongs all the same: that it cannot be asked is told. */
static void open_api(struct cli *cli, struct daemon *daemon)
{
    struct api_backend seam = backend_seam(&daemon->backend);
    struct api_config config = cli->config.api;
    struct err err;

    config.socket = config_socket(&cli->arena, &cli->config);
    daemon->backend.api = api_open(daemon->loop, &config, &seam, &err);
    if (daemon->backend.api == NULL) {
        (void)fprintf(stderr, "event=api-closed text=\"%s\"\n",
                      text_visible(&cli->arena, err.text));
    }
}

static int serve(struct cli *cli, struct daemon *daemon)
{
    struct source source = source_file(cli->config.es_xml);
    struct reconciler_options options = { .program = "berthd", .user = "berthd", .follow = true };
    struct reconciler_world world = {
        .loop = daemon->loop,
        .source = &source,
        .config = &cli->config,
        .events = { daemon, on_event },
    };
    struct err err;

    world.journal = journal_open(daemon->loop, cli->config.state_dir, &err);
    if (world.journal == NULL) {
        return cli_fail(&err);
    }
    world.actuator = reach_open(cli, daemon->loop, &err);
    if (world.actuator == NULL) {
        journal_close(world.journal);
        return cli_fail(&err);
    }
    daemon->reconciler = reconciler_new(&world, &options);
    metrics_init(&daemon->metrics, loop_wall_ms(daemon->loop));
    daemon->backend = (struct backend){
        .reconciler = daemon->reconciler,
        .journal = world.journal,
        .metrics = &daemon->metrics,
    };
    loop_uv_on_signal(daemon->loop, SIGINT, on_signal, daemon);
    loop_uv_on_signal(daemon->loop, SIGTERM, on_signal, daemon);
    (void)fprintf(stderr, "event=started version=%s file=%s state_dir=%s\n", BERTH_VERSION,
                  cli->config.es_xml, cli->config.state_dir);
    open_api(cli, daemon);
    reconciler_run(daemon->reconciler, on_done, daemon);
    loop_run(daemon->loop);
    actuator_close(world.actuator);
    journal_close(world.journal);
    reconciler_free(daemon->reconciler); /* Answers who still waits: the API must be there. */
    api_close(daemon->backend.api);
    metrics_deinit(&daemon->metrics);
    return daemon->status;
}

static int run(struct cli *cli, int argc, char **argv);

static const struct cli_command command = {
    .name = "berthd",
    .arguments = "",
    .summary = "keep the fleet where es.xml says, until told to end",
    .details =
        "Runs in the foreground and logs to stderr, one line an event.  SIGTERM ends it: a live\n"
        "migration under way finishes by itself and is taken up by the next start, an offline move is\n"
        "brought to its end first.",
    .is_program = true,
    .run = run,
};

static int run(struct cli *cli, int argc, char **argv)
{
    struct daemon daemon = { .status = CLI_FAILED };
    int status = cli_parse(cli, &command, NULL, 0, &argc, argv, 0, 0);

    if (status >= 0) {
        return status;
    }
    status = cli_load_config(cli);
    if (status != 0) {
        return status;
    }
    daemon.loop = loop_uv_new();
    daemon.es_xml = cli->config.es_xml;
    status = serve(cli, &daemon);
    loop_uv_free(daemon.loop);
    return status;
}

int main(int argc, char **argv)
{
    struct cli cli = { .command = "berthd" };
    int status;

    cli_begin();
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("berthd %s\n", BERTH_VERSION);
        return cli_end(CLI_OK);
    }
    status = run(&cli, argc, argv);
    arena_deinit(&cli.arena);
    return cli_end(status);
}

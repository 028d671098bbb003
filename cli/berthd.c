/* SPDX-License-Identifier: Apache-2.0 */

/* berthd: the controller as a daemon.  Follows es.xml and the hosts until it is told to end. */

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/eventlog.h"
#include "cli/logline.h"
#include "cli/reach.h"
#include "model/fault.h"
#include "model/observed.h"
#include "reconciler/event_json.h"
#include "reconciler/headline.h"
#include "reconciler/hook.h"
#include "reconciler/journal/journal.h"
#include "reconciler/metrics.h"
#include "reconciler/reconciler.h"
#include "reconciler/reload.h"
#include "reconciler/service.h"

/* Two connections a host, with what ssh takes of each; the API's clients, the journal. */
#define DESCRIPTORS_WANTED   65536u
#define DESCRIPTORS_BASE     256u
#define DESCRIPTORS_PER_HOST 8u

struct daemon {
    struct loop *loop;
    struct reconciler *reconciler;
    struct metrics metrics;
    struct backend backend;
    char api_digest[DIGEST_TEXT_SIZE]; /* Of the settings with which it was opened. */
    struct hooks *hooks;
    struct service service;
    struct reload reload;
    struct eventlog log;
    rlim_t descriptors; /* How many may be open. */
    bool told_few;      /* That it is too few. */
    bool ending;
    int status;
};

static void on_told(void *context)
{
    const struct daemon *daemon = context;

    loop_stop(daemon->loop);
}

static void on_done(void *context, const struct reconciler_result *result)
{
    struct daemon *daemon = context;

    daemon->status = (int)result->status;
    hook_finish(daemon->hooks, on_told, daemon);
}

/* Whoever follows the controller is told what its log is told, and how far the running move is; hooks, what
 * they asked for. */
static void publish(struct daemon *daemon, const struct event *event)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text json = text_new(&arena);
    struct status status = reconciler_status(daemon->reconciler);

    event_json_write(&json, event, status.gauge, status.at_ms);
    if (daemon->backend.api != NULL) {
        api_publish(daemon->backend.api, event_json_name(event), json.data);
    }
    hook_tell(daemon->hooks, event, event_json_name(event), json.data);
}

/* Loops of poll(2) and the like over all there could be are slow: not as many as a machine may have. */
static void raise_descriptors(struct daemon *daemon)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    daemon->descriptors = limit.rlim_cur;
    if (limit.rlim_cur < DESCRIPTORS_WANTED) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
            daemon->descriptors = limit.rlim_cur;
        }
    }
}

/* Told once: hosts beyond the limit would just not answer. */
static void check_descriptors(struct daemon *daemon, const struct observed *observed)
{
    uint64_t needed = DESCRIPTORS_BASE + DESCRIPTORS_PER_HOST * (uint64_t)observed->host_count;
    struct logline line;

    if (daemon->told_few || needed <= daemon->descriptors) {
        return;
    }
    daemon->told_few = true;
    logline_begin(&line, "few-descriptors");
    logline_add(&line, "limit", "%" PRIu64, (uint64_t)daemon->descriptors);
    logline_add(&line, "needed", "%" PRIu64, needed);
    logline_quote(&line, "text", "raise LimitNOFILE= of the service, or 'ulimit -n'");
    logline_end(&line);
}

/* The service manager shows what goes on. */
static void show(struct daemon *daemon)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);
    struct status status = reconciler_status(daemon->reconciler);

    headline_write(&text, &status);
    service_status(&daemon->service, text.data);
}

static void on_event(void *context, const struct event *event)
{
    struct daemon *daemon = context;

    eventlog_write(&daemon->log, event);
    metrics_count(&daemon->metrics, event);
    show(daemon);
    if (event->kind == EVENT_FOLLOWING) {
        service_ready(&daemon->service);
    } else if (event->kind == EVENT_OBSERVED) {
        check_descriptors(daemon, event->observed);
    } else if (event->kind == EVENT_CONFIG_TAKEN) {
        hook_configure(daemon->hooks, &daemon->reload.config.hooks);
    }
    publish(daemon, event);
}

static void on_signal(void *context)
{
    struct daemon *daemon = context;
    struct logline line;

    if (daemon->ending) {
        return;
    }
    daemon->ending = true;
    logline_begin(&line, "ending");
    logline_end(&line);
    service_stopping(&daemon->service);
    reconciler_end(daemon->reconciler);
}

static void log_started(const struct config *config)
{
    struct logline line;

    logline_begin(&line, "started");
    logline_add(&line, "version", "%s", BERTH_VERSION);
    logline_add(&line, "file", "%s", config->es_xml);
    logline_add(&line, "state_dir", "%s", config->state_dir);
    logline_end(&line);
}

static void digest_api(const struct api_config *api, char digest[DIGEST_TEXT_SIZE])
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *const values[] = { api->socket, api->group, api->admin_group, api->listen,
                                   api->token_file };
    struct text text = text_new(&arena);

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        text_printf(&text, "%s\n", values[i] == NULL ? "" : values[i]);
    }
    digest_of(text.data, text.length, digest);
}

static int open_api(struct daemon *daemon, const struct config *config, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct api_backend seam = backend_seam(&daemon->backend);
    struct api_config api = config->api;

    digest_api(&api, daemon->api_digest);
    api.socket = config_socket(&arena, config);
    daemon->backend.openings++;
    daemon->backend.api = api_open(daemon->loop, &api, &seam, err);
    return daemon->backend.api == NULL ? -1 : 0;
}

/* Without it the fleet is kept where it belongs all the same: that it cannot be asked is told. */
static void begin_api(struct daemon *daemon)
{
    struct logline line;
    struct err err;

    if (open_api(daemon, &daemon->reload.config, &err) != 0) {
        logline_begin(&line, "api-closed");
        logline_quote(&line, "text", err.text);
        logline_end(&line);
    }
}

/* Opened anew as 'next' says, and where that fails as it was.  Its callers come again. */
static int renew_api(struct daemon *daemon, const struct config *next, struct err *err)
{
    char digest[DIGEST_TEXT_SIZE];

    digest_api(&next->api, digest);
    if (daemon->backend.api != NULL && strcmp(digest, daemon->api_digest) == 0) {
        return 0;
    }
    api_close(daemon->backend.api);
    daemon->backend.api = NULL;
    if (open_api(daemon, next, err) == 0) {
        return 0;
    }
    begin_api(daemon);
    return -1;
}

static int read_config(struct daemon *daemon, struct faults *faults, struct err *err)
{
    if (reload_read(&daemon->reload, faults, err) != 0) {
        return -1;
    }
    if (renew_api(daemon, &daemon->reload.next, err) != 0) {
        reload_drop(&daemon->reload);
        return -1;
    }
    return 0;
}

/* SIGHUP: berth.conf is taken whole, or not at all. */
static void on_hangup(void *context)
{
    struct daemon *daemon = context;
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);
    struct err err;
    struct event event = { .kind = EVENT_CONFIG_FAULTS, .faults = &faults, .err = &err };

    if (daemon->ending) {
        return;
    }
    service_reloading(&daemon->service);
    if (read_config(daemon, &faults, &err) != 0) {
        on_event(daemon, &event);
    } else {
        event = (struct event){ .kind = EVENT_CONFIG_RESTART };
        event.text = reload_restart(&daemon->reload, &arena);
        if (event.text != NULL) {
            on_event(daemon, &event);
        }
        reconciler_reload(daemon->reconciler);
    }
    service_reloaded(&daemon->service);
}

static void on_hook_news(void *context, const struct hook_news *news)
{
    static const char *const names[] = {
        [HOOK_FAILED] = "hook-failed",
        [HOOK_SAID] = "hook-output",
        [HOOK_DROPPED] = "hook-dropped",
    };
    struct logline line;

    (void)context;
    logline_begin(&line, names[news->kind]);
    logline_add(&line, "hook", "%s", news->way);
    if (news->event != NULL) {
        logline_add(&line, "about", "%s", news->event);
    }
    if (news->kind == HOOK_DROPPED) {
        logline_add(&line, "count", "%zu", news->count);
    } else {
        logline_quote(&line, "text", news->text);
    }
    logline_end(&line);
}

static void begin_hooks(struct daemon *daemon)
{
    const struct hook_listener listener = { daemon, on_hook_news };

    daemon->hooks = hook_open(daemon->loop, &listener);
    hook_configure(daemon->hooks, &daemon->reload.config.hooks);
}

static int serve(struct cli *cli, struct daemon *daemon)
{
    struct source source = source_file(cli->config.es_xml);
    struct reconciler_options options = { .program = "berthd", .user = "berthd", .follow = true };
    struct reconciler_world world = {
        .loop = daemon->loop,
        .source = &source,
        .config = &daemon->reload.config,
        .reload = &daemon->reload,
        .events = { daemon, on_event },
    };
    int status = reach_open_world(cli, &world);

    if (status != 0) {
        return status;
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
    loop_uv_on_signal(daemon->loop, SIGHUP, on_hangup, daemon);
    service_init(&daemon->service, daemon->loop);
    log_started(&cli->config);
    begin_hooks(daemon);
    begin_api(daemon);
    reconciler_run(daemon->reconciler, on_done, daemon);
    loop_run(daemon->loop);
    service_deinit(&daemon->service);
    reach_close_world(&world);
    reconciler_free(daemon->reconciler); /* Answers who still waits: the API must be there. */
    api_close(daemon->backend.api);
    metrics_deinit(&daemon->metrics);
    hook_close(daemon->hooks);
    return daemon->status;
}

/* Who ends is not killed by being told to end once more. */
static void ignore_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
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
    (void)umask(S_IRWXG | S_IRWXO); /* Whoever is to read a file of ours is let by name. */
    raise_descriptors(&daemon);
    daemon.loop = loop_uv_new();
    daemon.log = (struct eventlog){ cli->config.es_xml, cli_config_path(cli) };
    reload_init(&daemon.reload, cli_config_path(cli), cli->config_path == NULL, &cli->config);
    status = serve(cli, &daemon);
    ignore_signals();
    loop_uv_free(daemon.loop);
    reload_deinit(&daemon.reload);
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

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The actuator seam over real libvirt by hand: every command of the line begins at once unless it says
 * 'after', every report is a line, and the program ends with the last completion.
 *
 *   actuator_probe URI SSH KEY KNOWN_HOSTS HOST,HOST... COMMAND [, COMMAND]...
 *
 * URI and SSH are templates in which '%' stands for the host's name; '-' leaves a value out.  Commands:
 *
 *   observe HOST DEADLINE_MS
 *   watch DELAY_MS                                   every host, for so long: each notice is a line
 *   cancel DELAY_MS                                  every operation of the line
 *   after DELAY_MS COMMAND
 *   KIND GUEST UUID HOST [PEER] [SETTING=VALUE]...   KIND as in model/op.h
 *
 * Settings: timeout (ms), mode, downtime (ms), bandwidth (MiB/s), parallel, transient, postcopy,
 * downgrade, enable (0 or 1), xml (a file).
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/actuator.h"
#include "actuators/libvirt.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "model/observed.h"
#include "model/op.h"

#define MAX_COMMANDS 64

struct probe;

struct command {
    struct probe *probe;
    char *const *words;
    size_t word_count;
    struct loop_timer timer;
    const char *text;
    bool is_op;
    int64_t began_ms;
};

struct probe {
    struct arena arena;
    struct loop *loop;
    struct actuator *actuator;
    struct command commands[MAX_COMMANDS];
    size_t count;
    size_t open;
    int status;
    const char *hosts[MAX_COMMANDS];
    size_t host_count;
    struct loop_timer cancel;
    struct loop_timer watch;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "actuator_probe: %s\n", what);
    exit(2);
}

static const char *fill(struct arena *arena, const char *template, const char *host)
{
    struct text text = text_new(arena);

    if (strcmp(template, "-") == 0) {
        return NULL;
    }
    for (; *template != '\0'; template ++) {
        if (*template == '%') {
            text_append(&text, host);
        } else {
            text_append_bytes(&text, template, 1);
        }
    }
    return text.data;
}

static void print_host(const struct observed_host *host)
{
    printf("  host %s reachable=%d error=%s as_of=%" PRId64 " memory_kib=%" PRIu64
           " free_kib=%" PRIu64 " cpus=%" PRIu32 " qemu=%" PRIu64 " libvirt=%" PRIu64
           " hostname=%s arch=%s cpu=%s fingerprint=%.12s machines=%zu\n",
           host->name, host->reachable, host->error == NULL ? "-" : host->error, host->as_of_ms,
           host->memory_kib, host->free_kib, host->cpus, host->qemu_version, host->libvirt_version,
           host->hostname == NULL ? "-" : host->hostname, host->arch == NULL ? "-" : host->arch,
           host->cpu_model == NULL ? "-" : host->cpu_model,
           host->cpu_fingerprint == NULL ? "-" : host->cpu_fingerprint, host->machine_count);
    for (size_t i = 0; i < host->guest_count; i++) {
        const struct observed_guest *guest = &host->guests[i];

        printf("  guest %s %s %s/%s job=%s memory_kib=%" PRIu64 "/%" PRIu64 " vcpus=%" PRIu32
               " persistent=%d autostart=%d managed_save=%d snapshots=%" PRId32
               " nvram=%d tpm=%d hostdevs=%" PRId32 " machine=%s cpu=%s xml=%zu\n",
               guest->name, guest->uuid, observed_state_name(guest->state),
               observed_reason_name(guest->reason), observed_job_name(guest->job),
               guest->memory_kib, guest->config_memory_kib, guest->vcpus, guest->persistent,
               guest->autostart, guest->managed_save, guest->snapshots, guest->has_nvram,
               guest->has_tpm, guest->hostdevs, guest->machine == NULL ? "-" : guest->machine,
               guest->cpu_mode == NULL ? "-" : guest->cpu_mode,
               guest->xml == NULL ? 0 : strlen(guest->xml));
    }
}

static void close_one(struct probe *probe)
{
    if (--probe->open == 0) {
        loop_stop(probe->loop);
    }
}

static void on_done(void *context, const struct actuator_completion *completion)
{
    struct probe *probe = context;
    const struct command *command = &probe->commands[completion->ticket];

    printf("%s: %s in %" PRId64 " ms", command->text,
           completion->status == 0 ? "ok" : err_code_name(completion->err.code),
           loop_now_ms(probe->loop) - command->began_ms);
    if (completion->status < 0) {
        printf(": %s", completion->err.text);
    } else if (completion->stats.total_ms > 0) {
        printf(" total=%" PRId64 " ms downtime=%" PRId64 " ms bytes=%" PRIu64
               " iterations=%" PRIu64,
               completion->stats.total_ms, completion->stats.downtime_ms, completion->stats.bytes,
               completion->stats.iterations);
    }
    printf("\n");
    if (completion->observed != NULL) {
        print_host(completion->observed);
    }
    probe->status |= completion->status;
    close_one(probe);
}

static void on_progress(void *context, const struct actuator_progress *progress)
{
    const struct probe *probe = context;

    printf("  progress %s phase=%d elapsed=%" PRId64 " ms remaining=%" PRIu64 "/%" PRIu64
           " rate=%" PRIu64 " dirty=%" PRIu64 " iteration=%" PRIu64 "\n",
           probe->commands[progress->ticket].text, (int)progress->phase, progress->elapsed_ms,
           progress->remaining_bytes, progress->total_bytes, progress->rate_bytes_s,
           progress->dirty_bytes_s, progress->iteration);
    (void)fflush(stdout);
}

static void on_notice(void *context, const struct actuator_notice *notice)
{
    static const char *const kinds[] = {
        [ACTUATOR_NOTICE_ITERATION] = "iteration", [ACTUATOR_NOTICE_JOB_ENDED] = "job-ended",
        [ACTUATOR_NOTICE_LIFECYCLE] = "lifecycle", [ACTUATOR_NOTICE_MANY] = "many",
        [ACTUATOR_NOTICE_LINK_DOWN] = "link-down", [ACTUATOR_NOTICE_LINK_UP] = "link-up",
    };
    struct probe *probe = context;

    printf("  notice %s %s %s at %" PRId64 " ms\n", kinds[notice->kind], notice->host,
           notice->guest == NULL ? "-" : text_visible(&probe->arena, notice->guest),
           loop_now_ms(probe->loop));
    (void)fflush(stdout);
}

static void on_watched(void *context)
{
    struct probe *probe = context;

    actuator_watch(probe->actuator, NULL, 0);
    close_one(probe);
}

static void on_cancel(void *context)
{
    struct probe *probe = context;

    for (size_t i = 0; i < probe->count; i++) {
        if (probe->commands[i].is_op) {
            actuator_cancel(probe->actuator, i);
        }
    }
}

static uint64_t number(const char *s)
{
    uint64_t value = 0;

    if (s == NULL || !text_to_u64(s, INT64_MAX, &value)) {
        die("expected a number");
    }
    return value;
}

static const char *read_xml(struct arena *arena, const char *path)
{
    const size_t limit = (size_t)1024 * 1024;
    struct err err;
    size_t length;
    char *bytes;

    if (file_read(arena, path, limit, &bytes, &length, &err) < 0) {
        die(err.text);
    }
    return bytes;
}

static void set(struct probe *probe, struct op *op, const char *setting)
{
    const char *value = strchr(setting, '=') + 1;
    size_t length = (size_t)(value - setting);

    if (strncmp(setting, "timeout=", length) == 0) {
        op->timeout_ms = (int64_t)number(value);
    } else if (strncmp(setting, "mode=", length) == 0) {
        op->mode = op_mode_from_name(value);
    } else if (strncmp(setting, "downtime=", length) == 0) {
        op->live.max_downtime_ms = (uint32_t)number(value);
    } else if (strncmp(setting, "bandwidth=", length) == 0) {
        op->live.bandwidth_mib_s = number(value);
    } else if (strncmp(setting, "parallel=", length) == 0) {
        op->live.parallel = (uint32_t)number(value);
    } else if (strncmp(setting, "transient=", length) == 0) {
        op->live.persistent = number(value) == 0;
    } else if (strncmp(setting, "postcopy=", length) == 0) {
        op->live.postcopy = number(value) != 0;
    } else if (strncmp(setting, "downgrade=", length) == 0) {
        op->live.allow_downgrade = number(value) != 0;
    } else if (strncmp(setting, "enable=", length) == 0) {
        op->enable = number(value) != 0;
    } else if (strncmp(setting, "xml=", length) == 0) {
        op->xml = read_xml(&probe->arena, value);
    } else {
        die("no such setting");
    }
}

static void start(struct probe *probe, char *const *words, size_t count, uint64_t ticket)
{
    struct op op = { .kind = op_kind_from_name(words[0]),
                     .live = { .persistent = true, .max_downtime_ms = 1000 } };

    if (op.kind == OP_KIND_COUNT || count < 4) {
        die("no such command, or too few words");
    }
    op.guest = words[1];
    op.uuid = words[2];
    op.host = words[3];
    for (size_t i = 4; i < count; i++) {
        if (strchr(words[i], '=') != NULL) {
            set(probe, &op, words[i]);
        } else {
            op.peer = words[i];
        }
    }
    actuator_start(probe->actuator, &op, ticket);
}

static void run_command(void *context)
{
    struct command *command = context;
    struct probe *probe = command->probe;
    char *const *words = command->words;
    size_t ticket = (size_t)(command - probe->commands);

    command->began_ms = loop_now_ms(probe->loop);
    if (strcmp(words[0], "observe") == 0) {
        actuator_observe(probe->actuator, words[1],
                         command->word_count > 2 ? (int64_t)number(words[2]) : INT64_C(10000),
                         ticket);
    } else {
        command->is_op = true;
        start(probe, words, command->word_count, ticket);
    }
}

static void add_command(struct probe *probe, char *const *words, size_t count)
{
    struct command *command = &probe->commands[probe->count];
    int64_t delay_ms = 0;

    if (count > 2 && strcmp(words[0], "after") == 0) {
        delay_ms = (int64_t)number(words[1]);
        words += 2;
        count -= 2;
    }
    if (count < 2 || probe->count == MAX_COMMANDS) {
        die("expected commands, not too many");
    }
    if (strcmp(words[0], "cancel") == 0) {
        loop_timer_start(probe->loop, &probe->cancel, (int64_t)number(words[1]), on_cancel, probe);
        return;
    }
    if (strcmp(words[0], "watch") == 0) {
        probe->open++;
        actuator_watch(probe->actuator, probe->hosts, probe->host_count);
        loop_timer_start(probe->loop, &probe->watch, (int64_t)number(words[1]), on_watched, probe);
        return;
    }
    *command = (struct command){ .probe = probe, .words = words, .word_count = count };
    command->text = text_format(&probe->arena, "%s %s", words[0], words[1]);
    probe->count++;
    probe->open++;
    if (delay_ms == 0) {
        run_command(command);
    } else {
        loop_timer_start(probe->loop, &command->timer, delay_ms, run_command, command);
    }
}

static struct actuator *open_hosts(struct probe *probe, char **argv)
{
    struct libvirt_host hosts[MAX_COMMANDS] = { 0 };
    struct libvirt_settings settings = {
        .hosts = hosts,
        .ssh_key = fill(&probe->arena, argv[3], ""),
        .ssh_known_hosts = fill(&probe->arena, argv[4], ""),
    };
    struct actuator *actuator;
    struct err err;
    char *save = NULL;

    for (const char *name = strtok_r(argv[5], ",", &save);
         name != NULL && settings.host_count < MAX_COMMANDS; name = strtok_r(NULL, ",", &save)) {
        hosts[settings.host_count++] = (struct libvirt_host){
            .name = name,
            .uri = fill(&probe->arena, argv[1], name),
            .ssh = fill(&probe->arena, argv[2], name),
        };
        probe->hosts[probe->host_count++] = name;
    }
    actuator = libvirt_open(probe->loop, &settings, &err);
    if (actuator == NULL) {
        die(err.text);
    }
    return actuator;
}

int main(int argc, char **argv)
{
    struct probe probe = { .arena = ARENA_INIT };
    int first = 6;

    if (argc < 8) {
        die("usage: actuator_probe URI SSH KEY KNOWN_HOSTS HOST,HOST... COMMAND [, COMMAND]...");
    }
    probe.loop = loop_uv_new();
    probe.actuator = open_hosts(&probe, argv);
    probe.actuator->sink = (struct actuator_sink){ &probe, on_done, on_progress, on_notice };
    for (int i = first; i <= argc; i++) {
        if (i == argc || strcmp(argv[i], ",") == 0) {
            add_command(&probe, &argv[first], (size_t)(i - first));
            first = i + 1;
        }
    }
    if (probe.open > 0) {
        loop_run(probe.loop);
    }
    actuator_close(probe.actuator);
    loop_uv_free(probe.loop);
    arena_deinit(&probe.arena);
    return probe.status < 0 ? 1 : 0;
}

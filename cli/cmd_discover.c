/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "model/es_write.h"
#include "model/observed_json.h"

#define URIS_MAX 10000

/* A guest and the host it was found on. */
struct found {
    const struct observed_guest *guest;
    uint32_t host;
};

/* By name; of two with one name, the one that is active first. */
static int compare_found(const void *a, const void *b)
{
    const struct found *left = a;
    const struct found *right = b;
    int order = strcmp(left->guest->name, right->guest->name);

    if (order != 0) {
        return order;
    }
    if (observed_is_active(left->guest) != observed_is_active(right->guest)) {
        return observed_is_active(left->guest) ? -1 : 1;
    }
    return left->host < right->host ? -1 : left->host > right->host;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct desired_host *)a)->name, ((const struct desired_host *)b)->name);
}

/* Names each host by what it calls itself, if es.xml can say that. */
static int name_hosts(struct cli *cli, struct observed *observed, struct desired *desired)
{
    struct observed_host *named =
        ARENA_ARRAY(&cli->arena, struct observed_host, observed->host_count + 1);
    struct desired_host *hosts =
        ARENA_ARRAY(&cli->arena, struct desired_host, observed->host_count + 1);

    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];
        const char *name = host->hostname != NULL ? host->hostname : host->name;

        if (!host->reachable) {
            cli_error(NULL, "cannot describe '%s': %s", host->name, host->error);
            return CLI_FAILED;
        }
        if (!text_is_host_name(name)) {
            cli_error(NULL, "cannot describe '%s': it calls itself '%s', which is no host name",
                      host->name, name);
            return CLI_FAILED;
        }
        named[i] = *host;
        named[i].name = name;
    }
    observed_sort_hosts(named, observed->host_count);
    for (size_t i = 0; i < observed->host_count; i++) {
        hosts[i].name = named[i].name;
        hosts[i].id = text_format(&cli->arena, "%s_id", named[i].name);
        if (i > 0 && compare_names(&hosts[i - 1], &hosts[i]) == 0) {
            cli_error(NULL, "cannot describe the fleet: two hosts call themselves '%s'",
                      hosts[i].name);
            return CLI_FAILED;
        }
    }
    observed->hosts = named;
    desired->hosts = hosts;
    desired->host_count = observed->host_count;
    return 0;
}

static size_t collect(struct cli *cli, const struct observed *observed, struct found **items)
{
    size_t count = 0;
    size_t used = 0;

    for (size_t i = 0; i < observed->host_count; i++) {
        count += observed->hosts[i].guest_count;
    }
    *items = ARENA_ARRAY(&cli->arena, struct found, count + 1);
    for (size_t i = 0; i < observed->host_count; i++) {
        for (size_t g = 0; g < observed->hosts[i].guest_count; g++) {
            (*items)[used++] = (struct found){ &observed->hosts[i].guests[g], (uint32_t)i };
        }
    }
    qsort(*items, used, sizeof(**items), compare_found);
    return used;
}

static void describe_guests(struct cli *cli, const struct observed *observed,
                            struct desired *desired)
{
    struct found *found;
    size_t count = collect(cli, observed, &found);
    struct desired_guest *guests = ARENA_ARRAY(&cli->arena, struct desired_guest, count + 1);
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        const struct observed_guest *guest = found[i].guest;
        const char *host = observed->hosts[found[i].host].name;

        if (!text_is_host_name(guest->name)) {
            cli_error(NULL, "left out '%s' on '%s': its name is no host name", guest->name, host);
            continue;
        }
        if (used > 0 && strcmp(guests[used - 1].name, guest->name) == 0) {
            cli_error("'berth plan' will list it as duplicate until one definition is gone",
                      "'%s' is on '%s' too; it is written where it was found first", guest->name,
                      host);
            continue;
        }
        guests[used++] = (struct desired_guest){
            .name = guest->name,
            .id = text_format(&cli->arena, "%s_id", guest->name),
            .memory_kib =
                guest->config_memory_kib != 0 ? guest->config_memory_kib : guest->memory_kib,
            .vcpus = guest->vcpus,
            .host = found[i].host,
        };
    }
    desired->guests = guests;
    desired->guest_count = used;
}

static int look(struct cli *cli, const char *const *uris, size_t count, struct observed *observed)
{
    struct loop *loop = loop_uv_new();
    struct actuator *actuator;
    const char *const *hosts;
    struct err err;
    size_t host_count;

    actuator = reach_open_uris(cli, loop, uris, count, &hosts, &host_count, &err);
    if (actuator == NULL) {
        loop_uv_free(loop);
        return cli_fail(&err);
    }
    reach_look(cli, loop, actuator, hosts, host_count, observed);
    loop_uv_free(loop);
    return 0;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    int status = cli_parse(cli, &command, NULL, 0, &argc, argv, 1, URIS_MAX);
    const char **uris = ARENA_ARRAY(&cli->arena, const char *, (size_t)argc + 1);
    struct text text = text_new(&cli->arena);
    struct desired desired = { .host_count = 0 };
    struct observed observed = { .host_count = 0 };

    if (status >= 0) {
        return status;
    }
    for (int i = 0; i < argc; i++) {
        uris[i] = argv[i];
    }
    status = look(cli, uris, (size_t)argc, &observed);
    if (status == 0) {
        status = name_hosts(cli, &observed, &desired);
    }
    if (status != 0) {
        return status;
    }
    if (cli->json) {
        observed_json_write(&text, &observed);
    } else {
        describe_guests(cli, &observed, &desired);
        es_write_document(&text, &desired);
    }
    return cli_print(text.data, text.length);
}

static const struct cli_command command = {
    .name = "discover",
    .arguments = "URI...",
    .summary = "print an es.xml that describes what these hosts run now",
    .details =
        "Each URI is one libvirt connection (qemu:///system, qemu+ssh://root@kvm1/system, ...), or one\n"
        "simulated fleet (sim:FILE).  Hosts are called what they call themselves: the config's uri must\n"
        "reach them by these names.  The file's plan is empty: nothing moves until it is edited.\n"
        "--json prints the observation instead.",
    .run = run,
};

const struct cli_command *cmd_discover_command(void)
{
    return &command;
}

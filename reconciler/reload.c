/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/reload.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "model/fault.h"

void reload_init(struct reload *reload, const char *path, bool optional,
                 const struct config *config)
{
    *reload = (struct reload){
        .path = path,
        .optional = optional,
        .began = config,
        .config = *config,
    };
}

int reload_read(struct reload *reload, struct faults *faults, struct err *err)
{
    struct arena arena = ARENA_INIT;
    struct config config;

    *err = (struct err){ .code = ERR_NONE };
    if (config_read(&arena, reload->path, &config, faults, err) != 0) {
        arena_deinit(&arena);
        if (faults->count > 0 || err->code != ERR_NOT_FOUND || !reload->optional) {
            return -1;
        }
        config = config_default();
    }
    reload_drop(reload);
    reload->next = config;
    reload->next_arena = arena;
    reload->waits = true;
    return 0;
}

static void add(struct text *text, bool differs, const char *host, const char *key)
{
    if (!differs) {
        return;
    }
    text_append(text, text->length == 0 ? "" : ", ");
    if (host != NULL) {
        text_printf(text, "[host %s] ", host);
    }
    text_append(text, key);
}

static void compare_fleet(struct text *text, const struct config *old, const struct config *new)
{
    add(text, !text_equal(old->es_xml, new->es_xml), NULL, "es_xml");
    add(text, !text_equal(old->state_dir, new->state_dir), NULL, "state_dir");
    add(text, !text_equal(old->uri, new->uri), NULL, "uri");
    add(text, !text_equal(old->peer_uri, new->peer_uri), NULL, "peer_uri");
    add(text, !text_equal(old->ssh, new->ssh), NULL, "ssh");
    add(text, !text_equal(old->ssh_key, new->ssh_key), NULL, "ssh_key");
    add(text, !text_equal(old->ssh_known_hosts, new->ssh_known_hosts), NULL, "ssh_known_hosts");
    add(text, old->guard != new->guard, NULL, "guard");
}

static void compare_host(struct text *text, const struct config_host *old,
                         const struct config_host *new)
{
    add(text, !text_equal(old->uri, new->uri), old->name, "uri");
    add(text, !text_equal(old->peer_uri, new->peer_uri), old->name, "peer_uri");
    add(text, !text_equal(old->ssh, new->ssh), old->name, "ssh");
}

/* Both are sorted by name; a host without a section has no settings of its own. */
static void compare_hosts(struct text *text, const struct config *old, const struct config *new)
{
    size_t i = 0;
    size_t j = 0;

    while (i < old->host_count || j < new->host_count) {
        int order = i == old->host_count   ? 1
                    : j == new->host_count ? -1
                                           : strcmp(old->hosts[i].name, new->hosts[j].name);
        const char *name = order <= 0 ? old->hosts[i].name : new->hosts[j].name;
        const struct config_host none = { .name = name };

        compare_host(text, order <= 0 ? &old->hosts[i] : &none,
                     order >= 0 ? &new->hosts[j] : &none);
        i += order <= 0;
        j += order >= 0;
    }
}

const char *reload_restart(const struct reload *reload, struct arena *arena)
{
    struct text text = text_new(arena);

    compare_fleet(&text, reload->began, &reload->next);
    compare_hosts(&text, reload->began, &reload->next);
    return text.length == 0 ? NULL : text.data;
}

void reload_drop(struct reload *reload)
{
    arena_deinit(&reload->next_arena);
    reload->waits = false;
}

bool reload_take(struct reload *reload)
{
    if (!reload->waits) {
        return false;
    }
    arena_deinit(&reload->arena);
    reload->config = reload->next;
    reload->arena = reload->next_arena;
    reload->next_arena = ARENA_INIT;
    reload->waits = false;
    return true;
}

void reload_deinit(struct reload *reload)
{
    reload_drop(reload);
    arena_deinit(&reload->arena);
}

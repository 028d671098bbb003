/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/route.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "model/json_token.h"

#define PREFIX "/v1/"

/* A verb, and what its body may say. */
struct verb {
    bool takes_guest;
    bool needs_guest;
    bool takes_host;
    bool takes_reason;
    bool takes_target; /* And who is dead. */
};

static const struct verb verbs[API_VERB_COUNT] = {
    [API_CANCEL] = { .takes_guest = true },
    [API_HOLD] = { .takes_guest = true, .takes_host = true, .takes_reason = true },
    [API_RELEASE] = { .takes_guest = true, .takes_host = true },
    [API_RETRY] = { .takes_guest = true, .needs_guest = true },
    [API_CHECK] = { .takes_guest = false },
    [API_FORCE] = { .takes_guest = true, .needs_guest = true, .takes_target = true },
};

/* "guests/NAME" and "hosts/NAME"; a NAME that is none leads nowhere. */
static struct route find_named(struct arena *arena, const char *path)
{
    struct route route = { .kind = ROUTE_DOCUMENT };
    const char *slash = strchr(path, '/');
    const char *folder = slash == NULL ? path : text_copy(arena, path, (size_t)(slash - path));
    const char *name =
        slash == NULL || !text_is_host_name(slash + 1) ? NULL : arena_strdup(arena, slash + 1);

    if (name != NULL && strcmp(folder, api_document_name(API_GUESTS)) == 0) {
        route.document = API_GUESTS;
        route.query.guest = name;
    } else if (name != NULL && strcmp(folder, api_document_name(API_HOSTS)) == 0) {
        route.document = API_HOSTS;
        route.query.host = name;
    } else {
        route.kind = ROUTE_NONE;
    }
    return route;
}

struct route route_find(struct arena *arena, const char *path)
{
    struct route route = { .kind = ROUTE_DOCUMENT, .query = { .limit = API_LIMIT_DEFAULT } };
    enum api_document document;
    enum api_verb verb;

    if (strcmp(path, "/metrics") == 0) {
        route.document = API_METRICS;
        return route;
    }
    if (strncmp(path, PREFIX, strlen(PREFIX)) != 0) {
        return (struct route){ .kind = ROUTE_NONE };
    }
    path += strlen(PREFIX);
    document = api_document_from_name(path);
    verb = api_verb_from_name(path);
    if (document < API_DOCUMENT_COUNT && document != API_METRICS) {
        route.document = document;
        return route;
    }
    if (verb < API_VERB_COUNT) {
        return (struct route){ .kind = ROUTE_ACT, .verb = verb };
    }
    return strcmp(path, "events") == 0 ? (struct route){ .kind = ROUTE_EVENTS }
                                       : find_named(arena, path);
}

const char *route_methods(const struct route *route)
{
    return route->kind == ROUTE_ACT ? "POST" : "GET, HEAD";
}

bool route_takes(const struct route *route, const char *method)
{
    return route->kind == ROUTE_ACT ? strcmp(method, "POST") == 0
                                    : strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static int add_guest(struct route *route, struct arena *arena, const char *value, struct err *err)
{
    if (!text_is_host_name(value)) {
        return err_set(err, ERR_INVALID, "'guest' must be a host name");
    }
    route->query.guest = arena_strdup(arena, value);
    return 0;
}

static int add_limit(struct route *route, const char *value, struct err *err)
{
    uint64_t limit;

    if (!text_to_u64(value, API_LIMIT_MAX, &limit) || limit == 0) {
        return err_set(err, ERR_INVALID, "'limit' must be a number from 1 to %d", API_LIMIT_MAX);
    }
    route->query.limit = (size_t)limit;
    return 0;
}

static int add_since(struct route *route, const char *value, struct err *err)
{
    int64_t since_ms;

    if (!clock_parse(value, &since_ms)) {
        return err_set(err, ERR_INVALID, "'since' must be an instant such as 2026-11-23T12:00:00Z");
    }
    route->query.since_ms = since_ms;
    return 0;
}

int route_add_argument(struct route *route, struct arena *arena, const char *name,
                       const char *value, struct err *err)
{
    bool history = route->kind == ROUTE_DOCUMENT && route->document == API_HISTORY;

    if (value == NULL) {
        value = "";
    }
    if (history && strcmp(name, "guest") == 0) {
        return add_guest(route, arena, value, err);
    }
    if (history && strcmp(name, "limit") == 0) {
        return add_limit(route, value, err);
    }
    if (history && strcmp(name, "since") == 0) {
        return add_since(route, value, err);
    }
    if (route->kind == ROUTE_EVENTS && strcmp(name, "since") == 0) {
        route->last_id = arena_strdup(arena, value);
        return 0;
    }
    return err_set(err, ERR_INVALID, "the query takes no '%s'",
                   text_visible(arena, text_copy(arena, name, strnlen(name, 64))));
}

/* Where the value of the member 'name' goes, or NULL if the verb takes none. */
static const char **member_of(const struct verb *verb, struct api_act *act, const char *name)
{
    if (verb->takes_guest && strcmp(name, "guest") == 0) {
        return &act->guest;
    }
    if (verb->takes_host && strcmp(name, "host") == 0) {
        return &act->host;
    }
    if (verb->takes_target && strcmp(name, "to") == 0) {
        return &act->to;
    }
    if (verb->takes_target && strcmp(name, "source_is_dead") == 0) {
        return &act->dead;
    }
    return verb->takes_reason && strcmp(name, "reason") == 0 ? &act->reason : NULL;
}

static int read_member(struct json_token_reader *reader, struct arena *arena,
                       const struct verb *verb, struct api_act *act, struct err *err)
{
    const char **member;
    char name[32];

    if (json_token_name(reader, err) != 0) {
        return -1;
    }
    member = member_of(verb, act, reader->string);
    if (member == NULL) {
        return err_set(err, ERR_INVALID, "'%s' takes no member '%.64s'", api_verb_name(act->verb),
                       text_visible(arena, reader->string));
    }
    if (*member != NULL) {
        return err_set(err, ERR_INVALID, "'%s' is there twice", reader->string);
    }
    strcpy(name, reader->string); /* One of those above. */
    if (json_token_string(reader, err) != 0) {
        return err_wrap(err, "'%s'", name);
    }
    if (member != &act->reason && !text_is_host_name(reader->string)) {
        return err_set(err, ERR_INVALID, "'%s' must be a host name", name);
    }
    *member = arena_strdup(arena, reader->string);
    return 0;
}

static int read_members(struct json_token_reader *reader, struct arena *arena,
                        const struct verb *verb, struct api_act *act, struct err *err)
{
    bool first = true;
    bool more;

    json_token_skip_blanks(reader);
    if (!json_token_take(reader, '{')) {
        return err_set(err, ERR_INVALID, "the body must be a JSON object");
    }
    for (;;) {
        if (json_token_next(reader, '}', first, &more, err) != 0) {
            return -1;
        }
        if (!more) {
            return json_token_end(reader, err);
        }
        if (read_member(reader, arena, verb, act, err) != 0) {
            return -1;
        }
        first = false;
    }
}

int route_read_act(const struct route *route, struct arena *arena, const char *body, size_t length,
                   struct api_act *act, struct err *err)
{
    const struct verb *verb = &verbs[route->verb];
    struct json_token_reader reader = { .begin = body, .at = body, .end = body + length };
    struct api_act read = { .verb = route->verb };

    if (length > 0 && read_members(&reader, arena, verb, &read, err) != 0) {
        return -1;
    }
    if (verb->needs_guest && read.guest == NULL) {
        return err_set(err, ERR_INVALID, "'%s' needs a 'guest'", api_verb_name(read.verb));
    }
    if (verb->takes_target && read.to == NULL) {
        return err_set(err, ERR_INVALID, "'%s' needs a host 'to'", api_verb_name(read.verb));
    }
    if (read.guest != NULL && read.host != NULL) {
        return err_set(err, ERR_INVALID, "'%s' takes a 'guest' or a 'host', not both",
                       api_verb_name(read.verb));
    }
    *act = read;
    return 0;
}

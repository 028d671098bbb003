/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/api.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/text.h"
#include "reconciler/api/http.h"
#include "reconciler/api/request.h"
#include "reconciler/api/server.h"
#include "reconciler/api/stream.h"

static const char *const verb_names[API_VERB_COUNT] = {
    [API_CANCEL] = "cancel", [API_HOLD] = "hold",   [API_RELEASE] = "release",
    [API_RETRY] = "retry",   [API_CHECK] = "check", [API_FORCE] = "force",
};

static const char *const document_names[API_DOCUMENT_COUNT] = {
    [API_STATUS] = "status", [API_PLAN] = "plan",       [API_GUESTS] = "guests",
    [API_HOSTS] = "hosts",   [API_HISTORY] = "history", [API_METRICS] = "metrics",
};

static int open_all(struct api *api, const struct api_config *config, struct err *err)
{
    if (peer_access_init(&api->access, config, err) != 0 ||
        (config->token_file != NULL && token_read(&api->token, config->token_file, err) != 0) ||
        listener_open_unix(&api->unix_door.listener, config->socket, &api->access,
                           config->group != NULL, err) != 0 ||
        (config->listen != NULL &&
         listener_open_tcp(&api->tcp_door.listener, config->listen, err) != 0) ||
        http_open(api, err) != 0) {
        return -1;
    }
    door_open(&api->unix_door);
    door_open(&api->tcp_door);
    return 0;
}

struct api *api_open(struct loop *loop, const struct api_config *config,
                     const struct api_backend *backend, struct err *err)
{
    struct api *api = HEAP_NEW(struct api);

    api->loop = loop;
    api->backend = *backend;
    api->request_ms = config->request_ms > 0 ? config->request_ms : API_REQUEST_MS;
    api->act_ms = config->act_ms > 0 ? config->act_ms : API_ACT_MS;
    api->heartbeat_ms = config->heartbeat_ms > 0 ? config->heartbeat_ms : API_HEARTBEAT_MS;
    api->unix_door = (struct door){ .api = api, .listener = LISTENER_CLOSED };
    api->tcp_door = (struct door){ .api = api, .listener = LISTENER_CLOSED };
    ring_init(&api->ring, loop_wall_ms(loop));
    if (open_all(api, config, err) != 0) {
        api_close(api);
        return NULL;
    }
    return api;
}

void api_reply(struct api *api, uint64_t ticket, const struct err *err, const char *message)
{
    for (size_t i = 0; i < API_CONNECTIONS_MAX; i++) {
        struct request *request = api->connections[i].in_use ? api->connections[i].request : NULL;

        if (request != NULL && request->state == REQUEST_ACTING && request->ticket == ticket) {
            request_reply(request, err, message);
            return;
        }
    }
}

/* Unused where nothing is asserted. */
static __attribute__((unused)) bool is_event_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if (*c != '-' && (*c < 'a' || *c > 'z')) {
            return false;
        }
    }
    return *name != '\0';
}

void api_publish(struct api *api, const char *name, const char *json)
{
    assert(is_event_name(name));
    ring_add(&api->ring, name, json);
    for (size_t i = 0; i < API_CONNECTIONS_MAX; i++) {
        struct connection *connection = &api->connections[i];

        if (connection->in_use && connection->request != NULL &&
            connection->request->stream != NULL) {
            stream_wake(connection->request->stream);
        }
    }
}

void api_close(struct api *api)
{
    if (api == NULL) {
        return;
    }
    door_close(&api->unix_door);
    door_close(&api->tcp_door);
    for (size_t i = 0; i < API_CONNECTIONS_MAX; i++) {
        if (api->connections[i].in_use && api->connections[i].request != NULL) {
            request_end(api->connections[i].request);
        }
    }
    http_close(api);
    loop_timer_stop(api->loop, &api->sweep_timer);
    ring_deinit(&api->ring);
    free(api);
}

const char *api_verb_name(enum api_verb verb)
{
    assert(verb < API_VERB_COUNT);
    return verb_names[verb];
}

enum api_verb api_verb_from_name(const char *name)
{
    return (enum api_verb)text_index(verb_names, API_VERB_COUNT, name);
}

const char *api_document_name(enum api_document document)
{
    assert(document < API_DOCUMENT_COUNT);
    return document_names[document];
}

enum api_document api_document_from_name(const char *name)
{
    return (enum api_document)text_index(document_names, API_DOCUMENT_COUNT, name);
}

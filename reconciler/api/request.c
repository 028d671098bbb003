/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/request.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/heap.h"
#include "base/text.h"
#include "model/json_token.h"
#include "reconciler/api/answer.h"
#include "reconciler/api/http.h"
#include "reconciler/api/server.h"
#include "reconciler/api/stream.h"

/* Why a request is not answered as asked. */
struct refusal {
    unsigned status; /* 0: it is. */
    const char *code;
    const char *message;
    const char *hint; /* Or NULL. */
};

static const struct refusal no_refusal = { .status = 0 };

static struct refusal refuse(unsigned status, const char *code, const char *message,
                             const char *hint)
{
    return (struct refusal){ .status = status, .code = code, .message = message, .hint = hint };
}

static const char *header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->http, MHD_HEADER_KIND, name);
}

/* A page of the web whose name is made to lead here, too, sends its own name (DNS rebinding). */
static bool is_loopback_name(const char *host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t length = strlen(names[i]);

        if (strncasecmp(host, names[i], length) == 0 &&
            (host[length] == '\0' || host[length] == ':')) {
            return true;
        }
    }
    return false;
}

static struct refusal judge_tcp(const struct request *request)
{
    const struct api *api = request->connection->api;
    const char *host = header(request, MHD_HTTP_HEADER_HOST);
    const char *token = header(request, MHD_HTTP_HEADER_AUTHORIZATION);

    if (!request->connection->peer.is_tcp) {
        return no_refusal;
    }
    if (host == NULL || !is_loopback_name(host)) {
        return refuse(MHD_HTTP_FORBIDDEN, "denied", "the field Host names another machine",
                      "ask for localhost");
    }
    if (token != NULL && !token_matches(&api->token, token)) {
        return refuse(MHD_HTTP_UNAUTHORIZED, "unauthorized", "that is not the token", NULL);
    }
    return no_refusal;
}

/* A token that was given has been found to be the right one. */
static struct refusal judge_rights(const struct request *request)
{
    const struct connection *connection = request->connection;
    bool may_act = connection->peer.is_tcp ? header(request, MHD_HTTP_HEADER_AUTHORIZATION) != NULL
                                           : connection->peer.role == PEER_ADMIN;

    if (header(request, MHD_HTTP_HEADER_ORIGIN) != NULL) {
        return refuse(MHD_HTTP_FORBIDDEN, "denied", "a page of the web may not act", NULL);
    }
    if (may_act) {
        return no_refusal;
    }
    if (!connection->peer.is_tcp) {
        return refuse(MHD_HTTP_FORBIDDEN, "denied", "you may read but not act",
                      "root and the members of the admin group may");
    }
    return connection->api->token.is_set
               ? refuse(MHD_HTTP_UNAUTHORIZED, "unauthorized", "acting needs the token", NULL)
               : refuse(MHD_HTTP_FORBIDDEN, "denied", "nobody may act over TCP",
                        "use the Unix socket, or set token_file");
}

static bool is_json(const char *type)
{
    size_t length = strlen(ANSWER_JSON);

    return type != NULL && strncasecmp(type, ANSWER_JSON, length) == 0 &&
           (type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

/* Of an act: what can be told of its body before that comes. */
static struct refusal judge_body(const struct request *request)
{
    const char *length_text = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    bool chunked = header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
    uint64_t length = 0;

    if (length_text != NULL && (!text_to_u64(length_text, API_BODY_MAX, &length))) {
        return refuse(MHD_HTTP_CONTENT_TOO_LARGE, "too-large", "the body is too large", NULL);
    }
    if ((length > 0 || chunked) && !is_json(header(request, MHD_HTTP_HEADER_CONTENT_TYPE))) {
        return refuse(MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported-type",
                      "the body must be application/json", NULL);
    }
    return no_refusal;
}

static struct refusal judge_route(const struct request *request, const char *method)
{
    if (request->route.kind == ROUTE_NONE) {
        return refuse(MHD_HTTP_NOT_FOUND, "not-found", "there is no such path", NULL);
    }
    if (!route_takes(&request->route, method)) {
        return refuse(MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed",
                      "this path does not take that method", NULL);
    }
    return no_refusal;
}

/* A reader's answers wait in memory until they are taken, so there is an end to them. */
static struct refusal judge_load(const struct request *request)
{
    struct api *api = request->connection->api;

    if (!quota_spend(&api->quota, peer_key(&request->connection->peer), loop_now_ms(api->loop))) {
        return refuse(MHD_HTTP_TOO_MANY_REQUESTS, "too-many", "too many requests", NULL);
    }
    if (api->answer_bytes > API_ANSWERS_MAX) {
        return refuse(MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "too many answers are not taken yet",
                      NULL);
    }
    return no_refusal;
}

static struct refusal judge(const struct request *request, const char *method)
{
    bool acts = request->route.kind == ROUTE_ACT;
    struct refusal refusal = judge_load(request);

    if (refusal.status == 0) {
        refusal = judge_tcp(request);
    }
    if (refusal.status == 0) {
        refusal = judge_route(request, method);
    }
    if (refusal.status == 0 && acts) {
        refusal = judge_rights(request);
    }
    if (refusal.status == 0 && acts) {
        refusal = judge_body(request);
    }
    return refusal;
}

/* The query while it is read. */
struct arguments {
    struct request *request;
    bool wrong;
    struct err err;
    const char *seen[4];
    size_t count;
};

static enum MHD_Result on_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    struct arguments *arguments = context;
    struct request *request = arguments->request;

    (void)kind;
    arguments->wrong = true; /* Until it is known not to be. */
    if (strlen(name) != name_size || (value != NULL && strlen(value) != value_size)) {
        (void)err_set(&arguments->err, ERR_INVALID, "the query has a NUL in it");
        return MHD_NO;
    }
    for (size_t i = 0; i < arguments->count; i++) {
        if (strcmp(arguments->seen[i], name) == 0) {
            (void)err_set(&arguments->err, ERR_INVALID, "'%s' is there twice", name);
            return MHD_NO;
        }
    }
    if (route_add_argument(&request->route, &request->arena, name, value, &arguments->err) != 0) {
        return MHD_NO;
    }
    arguments->seen[arguments->count++] = name; /* No route takes more than three. */
    arguments->wrong = false;
    return MHD_YES;
}

/* Answers what can be answered without the body. */
static bool begin(struct request *request, const char *method)
{
    struct refusal refusal = judge(request, method);
    struct arguments arguments = { .request = request };
    const char *last_id;

    if (refusal.status != 0) {
        return answer_error(request, refusal.status, refusal.code, refusal.message, refusal.hint);
    }
    (void)MHD_get_connection_values_n(request->http, MHD_GET_ARGUMENT_KIND, on_argument,
                                      &arguments);
    if (arguments.wrong) {
        return answer_failure(request, &arguments.err);
    }
    last_id = header(request, "Last-Event-ID");
    if (last_id != NULL) { /* Of a reader that comes back: newer than what its address says. */
        request->route.last_id = arena_strdup(&request->arena, last_id);
    }
    return true;
}

bool request_begin(struct connection *connection, struct MHD_Connection *http, const char *method,
                   const char *path)
{
    struct request *request = HEAP_NEW(struct request);

    request->connection = connection;
    request->http = http;
    request->route = route_find(&request->arena, path);
    connection->request = request;
    return begin(request, method);
}

void request_add_body(struct request *request, const char *bytes, size_t length)
{
    if (length > sizeof(request->body) - request->body_length) {
        request->too_large = true;
        return;
    }
    memcpy(request->body + request->body_length, bytes, length);
    request->body_length += length;
}

static bool answer_with_document(struct request *request)
{
    const struct api_backend *backend = &request->connection->api->backend;
    AUTO(arena)
    struct arena arena = ARENA_INIT; /* Not the request's, which waits for the reader. */
    struct text text = text_new(&arena);
    struct err err;

    if (backend->document(backend->context, request->route.document, &request->route.query, &text,
                          &err) != 0) {
        return answer_failure(request, &err);
    }
    return answer_document(
        request, request->route.document == API_METRICS ? ANSWER_TEXT : ANSWER_JSON, &text);
}

static bool answer_with_reply(struct request *request)
{
    struct text text = text_new(&request->arena);

    if (request->failed) {
        return answer_failure(request, &request->err);
    }
    text_printf(&text, "{\"verb\":\"%s\",\"guest\":", api_verb_name(request->act.verb));
    json_token_write_string(&text, request->act.guest);
    text_append(&text, ",\"host\":");
    json_token_write_string(&text, request->act.host);
    text_append(&text, ",\"message\":");
    json_token_write_string(&text, request->message);
    text_append(&text, "}\n");
    return answer_document(request, ANSWER_JSON, &text);
}

static bool begin_act(struct request *request)
{
    struct api *api = request->connection->api;
    struct err err;

    if (request->too_large) {
        return answer_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
                            "the body is too large", NULL);
    }
    if (route_read_act(&request->route, &request->arena, request->body, request->body_length,
                       &request->act, &err) != 0) {
        return answer_failure(request, &err);
    }
    request->act.user = peer_user(&request->arena, &request->connection->peer);
    request->ticket = ++api->last_ticket;
    request->act_due_ms = loop_now_ms(api->loop) + api->act_ms;
    request->connection->due_ms = INT64_MAX; /* Until it is answered. */
    request->state = REQUEST_ACTING;
    api->backend.act(api->backend.context, &request->act, request->ticket);
    if (request->state == REQUEST_REPLIED) {
        return answer_with_reply(request);
    }
    http_suspend(request);
    return true;
}

bool request_continue(struct request *request)
{
    switch (request->state) {
    case REQUEST_READING:
        break;
    case REQUEST_REPLIED:
        return answer_with_reply(request);
    case REQUEST_ACTING:
    case REQUEST_ANSWERED:
        return true;
    }
    switch (request->route.kind) {
    case ROUTE_DOCUMENT:
        return answer_with_document(request);
    case ROUTE_EVENTS:
        return answer_stream(request);
    case ROUTE_ACT:
        return begin_act(request);
    case ROUTE_NONE:
        break;
    }
    return false;
}

void request_reply(struct request *request, const struct err *err, const char *message)
{
    request->state = REQUEST_REPLIED;
    request->failed = err != NULL;
    if (err != NULL) {
        request->err = *err;
    }
    request->message = arena_strdup_maybe(&request->arena, message);
    http_resume(request);
}

void request_check(struct request *request)
{
    const struct api *api = request->connection->api;
    struct err err;

    if (request->stream != NULL) {
        stream_check(request->stream);
    } else if (request->state == REQUEST_ACTING && loop_now_ms(api->loop) >= request->act_due_ms) {
        (void)err_set(&err, ERR_TIMEOUT, "no answer in %" PRId64 " s: it may still be done",
                      api->act_ms / 1000);
        request_reply(request, &err, NULL);
    }
}

void request_end(struct request *request)
{
    struct err err;

    if (request->stream != NULL) {
        stream_end(request->stream);
    } else if (request->state == REQUEST_ACTING) {
        (void)err_set(&err, ERR_BUSY, "the controller is ending: it may still be done");
        request_reply(request, &err, NULL);
    }
}

/* The stream, if there is one, goes with the response that reads it, before or after. */
void request_free(struct request *request)
{
    if (request->stream != NULL) {
        request->stream->request = NULL;
    }
    arena_deinit(&request->arena);
    free(request);
}

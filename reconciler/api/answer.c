/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/answer.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "model/json_token.h"
#include "reconciler/api/request.h"
#include "reconciler/api/server.h"
#include "reconciler/api/stream.h"

/* A body that libmicrohttpd sends as fast as it is taken, and then releases. */
struct body {
    struct api *api;
    size_t length;
    char bytes[];
};

static void body_free(void *context)
{
    struct body *body = context;

    body->api->answer_bytes -= body->length;
    free(body);
}

static struct MHD_Response *new_response(struct api *api, const struct text *text)
{
    struct body *body = malloc(sizeof(*body) + text->length);
    struct MHD_Response *response;

    if (body == NULL) {
        abort();
    }
    body->api = api;
    body->length = text->length;
    memcpy(body->bytes, text->data, text->length);
    api->answer_bytes += body->length;
    response = MHD_create_response_from_buffer_with_free_callback_cls(body->length, body->bytes,
                                                                      body_free, body);
    if (response == NULL) {
        abort();
    }
    return response;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES) {
        abort(); /* Out of memory: names and values are ours. */
    }
}

/* Hands 'response' over. */
static bool send_response(struct request *request, unsigned status, const char *type,
                          struct MHD_Response *response)
{
    enum MHD_Result result;

    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    add_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_UNAUTHORIZED) {
        add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    } else if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        add_header(response, MHD_HTTP_HEADER_ALLOW, route_methods(&request->route));
    } else if (status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
    result = MHD_queue_response(request->http, status, response);
    MHD_destroy_response(response);
    request->state = REQUEST_ANSWERED;
    connection_extend(request->connection);
    return result == MHD_YES;
}

bool answer_document(struct request *request, const char *type, const struct text *text)
{
    return send_response(request, MHD_HTTP_OK, type, new_response(request->connection->api, text));
}

bool answer_error(struct request *request, unsigned status, const char *code, const char *message,
                  const char *hint)
{
    struct text text = text_new(&request->arena);

    text_append(&text, "{\"error\":{\"code\":");
    json_token_write_string(&text, code);
    text_append(&text, ",\"message\":");
    json_token_write_string(&text, message);
    if (hint != NULL) {
        text_append(&text, ",\"hint\":");
        json_token_write_string(&text, hint);
    }
    text_append(&text, "}}\n");
    return send_response(request, status, ANSWER_JSON,
                         new_response(request->connection->api, &text));
}

static unsigned status_of(const struct err *err)
{
    switch (err->code) {
    case ERR_INVALID:
        return MHD_HTTP_BAD_REQUEST;
    case ERR_NOT_FOUND:
        return MHD_HTTP_NOT_FOUND;
    case ERR_DENIED:
        return MHD_HTTP_FORBIDDEN;
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_UNSAFE:
    case ERR_INCOMPATIBLE:
    case ERR_REFUSED:
    case ERR_CANCELLED:
        return MHD_HTTP_CONFLICT;
    case ERR_BUSY:
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
    case ERR_IO:
    case ERR_FAILED:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case ERR_NONE:
    case ERR_INTERNAL:
    case ERR_CODE_COUNT:
        break;
    }
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

bool answer_failure(struct request *request, const struct err *err)
{
    return answer_error(request, status_of(err), err_code_name(err->code), err->text, NULL);
}

static ssize_t on_read(void *context, uint64_t position, char *buffer, size_t size)
{
    ssize_t count = stream_read(context, buffer, size);

    (void)position;
    return count < 0 ? MHD_CONTENT_READER_END_OF_STREAM : count;
}

static void on_stream_end(void *context)
{
    stream_free(context);
}

bool answer_stream(struct request *request)
{
    struct api *api = request->connection->api;
    struct MHD_Response *response;

    if (api->stream_count >= API_STREAMS_MAX) {
        return answer_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
                            "too many follow the events already", NULL);
    }
    request->stream = stream_new(request, request->route.last_id);
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, request->stream,
                                                 on_stream_end);
    if (response == NULL) {
        abort();
    }
    if (!send_response(request, MHD_HTTP_OK, "text/event-stream", response)) {
        return false;
    }
    request->connection->due_ms = INT64_MAX; /* stream_check() looks after it. */
    return true;
}

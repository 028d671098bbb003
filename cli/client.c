/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/text.h"
#include "cli/sse.h"

#define CONNECT_MS 5000
#define RETRY_MS   2000 /* Unless the stream says otherwise. */
#define HTTP_OK    200

/* An event that has come and was not taken yet. */
struct pending {
    struct pending *next;
    char *name;
    char *data;
};

struct curl_client {
    struct client client;
    char *socket;
    CURLM *multi;
    CURL *stream; /* NULL = none runs. */
    struct curl_slist *headers;
    struct sse sse;
    bool begun;     /* The stream has answered 200. */
    bool announced; /* ... and the caller was told. */
    bool ended;     /* It is over because of 'why', which the caller is to be told. */
    struct err why;
    int64_t retry_at_ms;
    struct pending *first;
    struct pending **last;
    struct pending *shown; /* What client.name and client.data point to. */
};

/* What libcurl hands over while it asks. */
struct answer {
    struct text *text;
    size_t start;
    bool too_long;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct curl_client *self(struct client *client)
{
    return CONTAINER_OF(client, struct curl_client, client);
}

static CURL *new_request(const struct curl_client *client, const char *path)
{
    CURL *request = curl_easy_init();
    char url[1024] = "http://berthd";

    if (request == NULL || strlen(path) >= sizeof(url) - strlen(url)) {
        abort();
    }
    strcat(url, path);
    curl_easy_setopt(request, CURLOPT_URL, url);
    curl_easy_setopt(request, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    curl_easy_setopt(request, CURLOPT_PROXY, ""); /* Whatever the environment says. */
    curl_easy_setopt(request, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(request, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(request, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(request, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
    return request;
}

static int fail(const struct curl_client *client, CURLcode code, struct err *err)
{
    return err_set(err, code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNREACHABLE,
                   "cannot ask berthd at '%.120s': %s", client->socket, curl_easy_strerror(code));
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct answer *answer = context;

    if (size * count > CLIENT_ANSWER_MAX - (answer->text->length - answer->start)) {
        answer->too_long = true;
        return 0;
    }
    text_append_bytes(answer->text, bytes, size * count);
    return size * count;
}

static int ask(struct client *base, const char *path, const char *body, struct text *text,
               long *status, struct err *err)
{
    struct curl_client *client = self(base);
    CURL *request = new_request(client, path);
    struct curl_slist *headers = NULL;
    struct answer answer = { .text = text, .start = text->length };
    CURLcode code;

    if (body != NULL) {
        headers = curl_slist_append(NULL, "Content-Type: application/json");
        curl_easy_setopt(request, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(request, CURLOPT_HTTPHEADER, headers);
    }
    curl_easy_setopt(request, CURLOPT_TIMEOUT_MS,
                     (long)(body != NULL ? CLIENT_ACT_MS : CLIENT_LOOK_MS));
    curl_easy_setopt(request, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(request, CURLOPT_WRITEDATA, &answer);
    code = curl_easy_perform(request);
    curl_easy_getinfo(request, CURLINFO_RESPONSE_CODE, status);
    curl_easy_cleanup(request);
    curl_slist_free_all(headers);
    if (answer.too_long) {
        return err_set(err, ERR_FAILED, "cannot ask berthd at '%.120s': its answer has no end",
                       client->socket);
    }
    return code == CURLE_OK ? 0 : fail(client, code, err);
}

static void on_event(void *context, const char *name, const char *data)
{
    struct curl_client *client = context;
    struct pending *pending = HEAP_NEW(struct pending);

    pending->name = strdup(name);
    pending->data = strdup(data);
    if (pending->name == NULL || pending->data == NULL) {
        abort();
    }
    *client->last = pending;
    client->last = &pending->next;
}

static void free_pending(struct pending *pending)
{
    if (pending != NULL) {
        free(pending->name);
        free(pending->data);
        free(pending);
    }
}

/* The body of another answer is no stream. */
static size_t on_stream(char *bytes, size_t size, size_t count, void *context)
{
    struct curl_client *client = context;
    long status = 0;

    curl_easy_getinfo(client->stream, CURLINFO_RESPONSE_CODE, &status);
    if (status != HTTP_OK) {
        return 0;
    }
    client->begun = true;
    return sse_feed(&client->sse, bytes, size * count) ? size * count : 0;
}

static void begin_stream(struct curl_client *client, const char *path)
{
    char header[32 + SSE_ID_SIZE] = "Last-Event-ID: ";

    client->stream = new_request(client, path);
    client->begun = false;
    client->announced = false;
    sse_restart(&client->sse);
    client->headers = curl_slist_append(NULL, "Accept: text/event-stream");
    if (client->sse.id[0] != '\0') {
        strcat(header, client->sse.id);
        client->headers = curl_slist_append(client->headers, header);
    }
    curl_easy_setopt(client->stream, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->stream, CURLOPT_WRITEFUNCTION, on_stream);
    curl_easy_setopt(client->stream, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(client->stream, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(client->stream, CURLOPT_LOW_SPEED_TIME, (long)CLIENT_SILENCE_S);
    curl_multi_add_handle(client->multi, client->stream);
}

static void end_stream(struct curl_client *client)
{
    if (client->stream != NULL) {
        curl_multi_remove_handle(client->multi, client->stream);
        curl_easy_cleanup(client->stream);
        curl_slist_free_all(client->headers);
        client->stream = NULL;
    }
}

/* Lets libcurl work, and notices the end of the stream. */
static void work(struct curl_client *client)
{
    struct err *err = &client->why;
    int running = 0;
    int queued;
    long status = 0;
    CURLMsg *message;

    curl_multi_perform(client->multi, &running);
    message = curl_multi_info_read(client->multi, &queued);
    if (message == NULL) {
        return;
    }
    curl_easy_getinfo(client->stream, CURLINFO_RESPONSE_CODE, &status);
    if (status != 0 && status != HTTP_OK) {
        (void)err_set(err, ERR_REFUSED, "berthd at '%.120s' tells no events: HTTP status %ld",
                      client->socket, status);
    } else if (message->data.result == CURLE_OK) {
        (void)err_set(err, ERR_UNREACHABLE, "berthd at '%.120s' has ended the event stream",
                      client->socket);
    } else {
        (void)fail(client, message->data.result, err);
    }
    end_stream(client);
    client->ended = true;
    client->retry_at_ms =
        now_ms() + (client->sse.retry_ms > 0 ? client->sse.retry_ms : (int64_t)RETRY_MS);
}

static bool take_event(struct curl_client *client)
{
    struct pending *pending = client->first;

    if (pending == NULL) {
        return false;
    }
    client->first = pending->next;
    if (client->first == NULL) {
        client->last = &client->first;
    }
    free_pending(client->shown);
    client->shown = pending;
    client->client.name = pending->name;
    client->client.data = pending->data;
    return true;
}

/* Waits until something can be read, 'until_ms' or the time to try again; true: because of a waker. */
static bool wait_for(const struct curl_client *client, const int *wakers, size_t count,
                     int64_t until_ms)
{
    struct curl_waitfd extra[CLIENT_WAKERS_MAX] = { { 0 } };
    int64_t limit_ms =
        client->stream == NULL && client->retry_at_ms < until_ms ? client->retry_at_ms : until_ms;
    int64_t wait_ms = limit_ms - now_ms();
    bool woken = false;

    for (size_t i = 0; i < count; i++) {
        extra[i] = (struct curl_waitfd){ .fd = wakers[i], .events = CURL_WAIT_POLLIN };
    }
    curl_multi_poll(client->multi, extra, (unsigned)count, wait_ms > 0 ? (int)wait_ms : 0, NULL);
    for (size_t i = 0; i < count; i++) {
        woken = woken || extra[i].revents != 0;
    }
    return woken;
}

/* Waits if there is nothing to do at once; true: a waker ended it. */
static bool turn(struct curl_client *client, const char *path, const int *wakers, size_t count,
                 int64_t until_ms)
{
    if (client->stream == NULL && now_ms() >= client->retry_at_ms) {
        begin_stream(client, path);
    }
    if (client->stream != NULL) {
        work(client);
    }
    if (client->first != NULL || client->ended || (client->begun && !client->announced)) {
        return false;
    }
    return wait_for(client, wakers, count, until_ms);
}

static enum client_turn follow(struct client *base, const char *path, const int *wakers,
                               size_t count, int timeout_ms, struct err *err)
{
    struct curl_client *client = self(base);
    int64_t until_ms = now_ms() + timeout_ms;
    bool woken = false;

    for (;;) {
        if (client->begun && !client->announced) {
            client->announced = true;
            return CLIENT_BEGUN;
        }
        if (take_event(client)) {
            return CLIENT_EVENT;
        }
        if (client->ended) {
            client->ended = false;
            *err = client->why;
            return CLIENT_LOST;
        }
        if (woken || now_ms() > until_ms) {
            return CLIENT_QUIET;
        }
        woken = turn(client, path, wakers, count, until_ms);
    }
}

static void client_close(struct client *base)
{
    struct curl_client *client = self(base);

    end_stream(client);
    while (take_event(client)) {
    }
    free_pending(client->shown);
    sse_deinit(&client->sse);
    curl_multi_cleanup(client->multi);
    free(client->socket);
    free(client);
    curl_global_cleanup();
}

struct client *client_open(const char *socket)
{
    static const struct client_ops ops = { ask, follow, client_close };
    struct curl_client *client = HEAP_NEW(struct curl_client);

    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) {
        abort();
    }
    client->client.ops = &ops;
    client->socket = strdup(socket);
    client->multi = curl_multi_init();
    if (client->socket == NULL || client->multi == NULL) {
        abort();
    }
    client->last = &client->first;
    sse_init(&client->sse, on_event, client);
    return &client->client;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/webhook.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/loop.h"
#include "reconciler/api/token.h"

#define POLL_MS 1000 /* The thread is woken when it is to end. */

/* A message that waits, then its answer on the way to the loop. */
struct item {
    struct item *next;
    struct arena arena;
    struct webhook_message message;
    struct webhook_listener listener;
    bool failed;
    struct err err;
};

struct sender {
    struct webhook webhook;
    struct loop *loop;
    struct webhook_listener listener;
    pthread_t thread;
    CURLM *multi;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct item *first; /* Guarded by 'mutex', as what follows. */
    struct item **last;
    bool ending;
};

/* What of a try is left to be released. */
struct attempt {
    CURL *request;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
};

static struct sender *self(struct webhook *webhook)
{
    return CONTAINER_OF(webhook, struct sender, webhook);
}

static void item_free(struct item *item)
{
    struct arena arena = item->arena;

    free(item);
    arena_deinit(&arena);
}

static bool is_ending(struct sender *sender)
{
    bool ending;

    (void)pthread_mutex_lock(&sender->mutex);
    ending = sender->ending;
    (void)pthread_mutex_unlock(&sender->mutex);
    return ending;
}

/* Nobody reads what a server answers besides its status. */
static size_t on_answer(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

static int add_token(struct attempt *attempt, const char *path, struct err *err)
{
    static const char field[] = "Authorization: Bearer ";
    char header[sizeof(field) + TOKEN_MAX_BYTES];
    struct curl_slist *headers;

    memcpy(header, field, sizeof(field));
    if (token_copy(header + sizeof(field) - 1, path, err) != 0) {
        return -1;
    }
    headers = curl_slist_append(attempt->headers, header);
    explicit_bzero(header, sizeof(header));
    if (headers == NULL) {
        abort();
    }
    attempt->headers = headers;
    return 0;
}

static void forget(struct curl_slist *headers)
{
    for (struct curl_slist *header = headers; header != NULL; header = header->next) {
        explicit_bzero(header->data, strlen(header->data));
    }
    curl_slist_free_all(headers);
}

/* Encrypted, an answer of a proxy that the environment names is as good as the server's own; not
 * encrypted, it is for this machine. */
static void set_options(struct attempt *attempt, const struct webhook_message *message)
{
    CURL *request = attempt->request;
    bool encrypted = strncmp(message->url, "https:", strlen("https:")) == 0;
    long timeout_ms = (long)message->timeout_ms;

    curl_easy_setopt(request, CURLOPT_URL, message->url);
    curl_easy_setopt(request, CURLOPT_PROTOCOLS_STR, encrypted ? "https" : "http");
    if (!encrypted) {
        curl_easy_setopt(request, CURLOPT_PROXY, "");
    }
    curl_easy_setopt(request, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(request, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(request, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(request, CURLOPT_CONNECTTIMEOUT_MS,
                     timeout_ms < (long)WEBHOOK_CONNECT_MS ? timeout_ms : (long)WEBHOOK_CONNECT_MS);
    curl_easy_setopt(request, CURLOPT_USERAGENT, "berthd/" BERTH_VERSION);
    curl_easy_setopt(request, CURLOPT_POSTFIELDS, message->body);
    curl_easy_setopt(request, CURLOPT_HTTPHEADER, attempt->headers);
    curl_easy_setopt(request, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(request, CURLOPT_ERRORBUFFER, attempt->error);
}

static int attempt_begin(struct attempt *attempt, const struct webhook_message *message,
                         struct err *err)
{
    attempt->headers = curl_slist_append(NULL, "Content-Type: application/json");
    attempt->request = curl_easy_init();
    if (attempt->headers == NULL || attempt->request == NULL) {
        abort();
    }
    if (message->token_file != NULL && add_token(attempt, message->token_file, err) != 0) {
        return -1;
    }
    set_options(attempt, message);
    return 0;
}

static void attempt_deinit(struct attempt *attempt)
{
    curl_easy_cleanup(attempt->request);
    forget(attempt->headers);
}

AUTO_VALUE(attempt, struct attempt, attempt_deinit);

/* What the server said, or why it said nothing.  Trying again helps where somebody is busy or away. */
static int judge(struct attempt *attempt, CURLcode code, struct err *err)
{
    long status = 0;

    if (code != CURLE_OK) {
        return err_set(err, code == CURLE_PEER_FAILED_VERIFICATION ? ERR_DENIED : ERR_UNREACHABLE,
                       "cannot reach the webhook: %s",
                       attempt->error[0] != '\0' ? attempt->error : curl_easy_strerror(code));
    }
    curl_easy_getinfo(attempt->request, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
        return 0;
    }
    return err_set(err, status >= 500 || status == 408 || status == 429 ? ERR_FAILED : ERR_REFUSED,
                   "the webhook answered %ld", status);
}

/* Runs the one transfer until it is over, or this thread is to end. */
static int transfer(struct sender *sender, struct attempt *attempt, struct err *err)
{
    int running = 1;
    int left;
    const CURLMsg *done;
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;

    curl_multi_add_handle(sender->multi, attempt->request);
    while (running > 0 && !is_ending(sender)) {
        if (curl_multi_perform(sender->multi, &running) != CURLM_OK ||
            (running > 0 && curl_multi_poll(sender->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)) {
            break;
        }
    }
    while ((done = curl_multi_info_read(sender->multi, &left)) != NULL) {
        if (done->msg == CURLMSG_DONE) {
            code = done->data.result;
        }
    }
    curl_multi_remove_handle(sender->multi, attempt->request);
    return judge(attempt, code, err);
}

static int try_once(struct sender *sender, const struct webhook_message *message, struct err *err)
{
    AUTO(attempt) struct attempt attempt = { .error = "" };

    return attempt_begin(&attempt, message, err) != 0 ? -1 : transfer(sender, &attempt, err);
}

/* Ends early when this thread is to end. */
static void pause_ms(struct sender *sender, int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&sender->mutex);
    while (!sender->ending &&
           pthread_cond_timedwait(&sender->changed, &sender->mutex, &until) == 0) {
    }
    (void)pthread_mutex_unlock(&sender->mutex);
}

static void deliver(struct sender *sender, struct item *item)
{
    int64_t wait_ms = WEBHOOK_PAUSE_MS;

    for (unsigned tries = 1;; tries++) {
        item->failed = try_once(sender, &item->message, &item->err) != 0;
        if (!item->failed || !err_is_retryable(&item->err) || is_ending(sender)) {
            return;
        }
        if (tries == WEBHOOK_TRIES) {
            (void)err_wrap(&item->err, "given up after %u tries", tries);
            return;
        }
        pause_ms(sender, wait_ms);
        wait_ms *= 2;
    }
}

static void on_delivered(void *context)
{
    struct item *item = context;

    item->listener.done(item->listener.context, item->message.event,
                        item->failed ? &item->err : NULL);
    item_free(item);
}

static void drop_item(void *context)
{
    item_free(context);
}

/* NULL when this thread is to end. */
static struct item *wait_for_item(struct sender *sender)
{
    struct item *item = NULL;

    (void)pthread_mutex_lock(&sender->mutex);
    while (!sender->ending && sender->first == NULL) {
        (void)pthread_cond_wait(&sender->changed, &sender->mutex);
    }
    if (!sender->ending) {
        item = sender->first;
        sender->first = item->next;
        if (sender->first == NULL) {
            sender->last = &sender->first;
        }
    }
    (void)pthread_mutex_unlock(&sender->mutex);
    return item;
}

static void *run_sender(void *context)
{
    struct sender *sender = context;
    struct item *item;

    (void)pthread_setname_np(pthread_self(), "berth-webhook");
    while ((item = wait_for_item(sender)) != NULL) {
        deliver(sender, item);
        loop_post_owned(sender->loop, on_delivered, drop_item, item);
    }
    return NULL;
}

static void send_message(struct webhook *webhook, const struct webhook_message *message)
{
    struct sender *sender = self(webhook);
    struct item *item = HEAP_NEW(struct item);

    item->listener = sender->listener;
    item->message = (struct webhook_message){
        .url = arena_strdup(&item->arena, message->url),
        .event = arena_strdup(&item->arena, message->event),
        .body = arena_strdup(&item->arena, message->body),
        .timeout_ms = message->timeout_ms,
    };
    if (message->token_file != NULL) {
        item->message.token_file = arena_strdup(&item->arena, message->token_file);
    }
    (void)pthread_mutex_lock(&sender->mutex);
    *sender->last = item;
    sender->last = &item->next;
    (void)pthread_cond_signal(&sender->changed);
    (void)pthread_mutex_unlock(&sender->mutex);
}

static void sender_free(struct sender *sender)
{
    while (sender->first != NULL) {
        struct item *item = sender->first;

        sender->first = item->next;
        item_free(item);
    }
    curl_multi_cleanup(sender->multi);
    (void)pthread_cond_destroy(&sender->changed);
    (void)pthread_mutex_destroy(&sender->mutex);
    free(sender);
}

static void close_sender(struct webhook *webhook)
{
    struct sender *sender = self(webhook);

    (void)pthread_mutex_lock(&sender->mutex);
    sender->ending = true;
    (void)pthread_cond_signal(&sender->changed);
    (void)pthread_mutex_unlock(&sender->mutex);
    curl_multi_wakeup(sender->multi);
    (void)pthread_join(sender->thread, NULL);
    sender_free(sender);
}

static const struct webhook_ops sender_ops = { .send = send_message, .close = close_sender };

/* Waiting is by the clock that nobody sets. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

/* Signals are the loop's. */
static int start_thread(struct sender *sender)
{
    sigset_t all;
    sigset_t before;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&sender->thread, NULL, run_sender, sender);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct webhook *webhook_open(struct loop *loop, const struct webhook_listener *listener,
                             struct err *err)
{
    struct sender *sender = HEAP_NEW(struct sender);
    int error;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
    sender->webhook.ops = &sender_ops;
    sender->loop = loop;
    sender->listener = *listener;
    sender->last = &sender->first;
    sender->multi = curl_multi_init();
    if (sender->multi == NULL) {
        abort();
    }
    (void)pthread_mutex_init(&sender->mutex, NULL);
    init_condition(&sender->changed);
    error = start_thread(sender);
    if (error != 0) {
        sender_free(sender);
        (void)err_set_errno(err, ERR_FAILED, error, "cannot start the thread of webhooks");
        return NULL;
    }
    return &sender->webhook;
}

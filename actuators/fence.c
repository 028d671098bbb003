/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/fence.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/heap.h"
#include "base/loop.h"
#include "base/process.h"
#include "base/text.h"

#define STATUS_ON  0
#define STATUS_OFF 2
#define OFF_BAD    2 /* Of 'off': it does not understand what it was given. */

#define AGAIN_MS     INT64_C(1000)  /* Between two questions for the status. */
#define DOUBT_MS     INT64_C(10000) /* For that, if 'off' says that it has failed. */
#define SAID_MAX     120u           /* Bytes of the agent's words in our own. */
#define OPTIONS_ROOM 64u            /* For 'action' and line ends. */

struct fence {
    struct loop *loop;
    struct arena arena; /* Of the strings; never of a secret. */
    const char *host;
    const char *agent;
    fence_done_fn *done;
    void *context;
    int64_t deadline_ms; /* Monotonic. */
    struct process process;
    struct loop_timer timer;
    bool asks; /* 'status'; else 'off'. */
    char input[FENCE_INPUT_MAX + OPTIONS_ROOM];
    size_t options; /* Bytes of 'input' before the action. */
    size_t secrets; /* Where in 'input' what comes from the file begins. */
    char said[SAID_MAX];
    struct err err;
};

static void free_fence(struct fence *fence)
{
    loop_timer_stop(fence->loop, &fence->timer);
    process_deinit(&fence->process);
    explicit_bzero(fence->input, sizeof(fence->input));
    arena_deinit(&fence->arena);
    free(fence);
}

static void finish(void *context)
{
    struct fence *fence = context;
    fence_done_fn *done = fence->done;
    void *whom = fence->context;
    struct err err = fence->err;

    free_fence(fence);
    done(whom, err.code == ERR_NONE ? NULL : &err);
}

static int add_options(struct fence *fence, const char *bytes, size_t length, struct err *err)
{
    if (fence->options + length + 1 > FENCE_INPUT_MAX) {
        return err_set(err, ERR_INVALID, "cannot fence '%s': more than %d bytes of options",
                       fence->host, FENCE_INPUT_MAX);
    }
    memcpy(fence->input + fence->options, bytes, length);
    fence->options += length;
    if (length > 0 && bytes[length - 1] != '\n') {
        fence->input[fence->options++] = '\n';
    }
    return 0;
}

/* An option of its own for 'action' would be another one than is asked for. */
static int check_options(const struct fence *fence, struct err *err)
{
    const char *end = fence->input + fence->options;

    for (const char *line = fence->input; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t name = strcspn(line, "=\n");

        if ((*line != '#' && line[name] != '=' && line != next) ||
            (name == strlen("action") && strncmp(line, "action", name) == 0)) {
            return err_set(
                err, ERR_INVALID,
                "cannot fence '%s': what is not 'option=value', or an option 'action', is "
                "among what its agent is given",
                fence->host);
        }
        line = next + 1;
    }
    return 0;
}

static int add_secrets(struct fence *fence, const char *path, struct err *err)
{
    AUTO(fd) int fd = file_open_private(path, err);
    char bytes[FENCE_INPUT_MAX + 1];
    ssize_t count;
    int status;

    if (fd < 0) {
        return err_wrap(err, "cannot fence '%s'", fence->host);
    }
    count = read(fd, bytes, sizeof(bytes));
    status = count < 0
                 ? err_set_errno(err, ERR_IO, errno, "cannot fence '%s': '%s'", fence->host, path)
                 : add_options(fence, bytes, (size_t)count, err);
    explicit_bzero(bytes, sizeof(bytes));
    return status;
}

/* True if 'line' holds the value of a line of the secrets. */
static bool holds_secret(const struct fence *fence, const char *line)
{
    const char *end = fence->input + fence->options;
    const char *secret = fence->input + fence->secrets;

    while (secret < end) {
        const char *next = memchr(secret, '\n', (size_t)(end - secret));
        const char *value = memchr(secret, '=', (size_t)(next - secret));

        if (*secret != '#' && value != NULL && next > value + 1 &&
            memmem(line, strlen(line), value + 1, (size_t)(next - value) - 1) != NULL) {
            return true;
        }
        secret = next + 1;
    }
    return false;
}

/* The last thing it says is why it fails. */
static void on_line(void *context, const char *line)
{
    struct fence *fence = context;
    struct arena *arena = &fence->arena;

    if (*line != '\0' && !holds_secret(fence, line)) {
        (void)snprintf(fence->said, sizeof(fence->said), "%s", text_visible(arena, line));
    }
}

static void run(void *context);

static void fail(struct fence *fence, enum err_code code, const char *why)
{
    (void)err_set(&fence->err, code, "cannot fence '%s': '%s' %s%s%s", fence->host, fence->agent,
                  why, *fence->said == '\0' ? "" : ": ", fence->said);
    loop_timer_start(fence->loop, &fence->timer, 0, finish, fence);
}

/* How the answer of 'status' ends it, if it does: off, or time is up. */
static void judge(struct fence *fence, const struct process_end *end)
{
    bool says_on = end->outcome == PROCESS_EXITED && end->value == STATUS_ON;

    if (end->outcome == PROCESS_EXITED && end->value == STATUS_OFF) {
        loop_timer_start(fence->loop, &fence->timer, 0, finish, fence);
        return;
    }
    if (loop_now_ms(fence->loop) + AGAIN_MS < fence->deadline_ms) {
        loop_timer_start(fence->loop, &fence->timer, AGAIN_MS, run, fence);
        return;
    }
    fail(fence, ERR_FAILED,
         says_on ? "says that it is still on" : "does not tell whether it is on");
}

static void on_ended(void *context, const struct process_end *end)
{
    struct fence *fence = context;

    if (fence->asks) {
        judge(fence, end);
        return;
    }
    /* A status would end likewise, and not because the host is off. */
    if (end->outcome == PROCESS_EXITED && end->value == OFF_BAD) {
        fail(fence, ERR_FAILED, "does not understand 'off', or its options");
        return;
    }
    fence->asks = true;
    if (end->outcome == PROCESS_EXITED && end->value != 0 &&
        loop_now_ms(fence->loop) + DOUBT_MS < fence->deadline_ms) {
        fence->deadline_ms = loop_now_ms(fence->loop) + DOUBT_MS;
    }
    run(fence);
}

static void run(void *context)
{
    static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                               NULL };
    const struct process_listener listener = { context, on_line, on_ended };
    struct fence *fence = context;
    const char *action = fence->asks ? "action=status\n" : "action=off\n";
    struct process_spec spec = {
        .path = fence->agent,
        .environment = environment,
        .input = fence->input,
        .input_length = fence->options + strlen(action),
        .timeout_ms = fence->deadline_ms - loop_now_ms(fence->loop),
    };

    memcpy(fence->input + fence->options, action, strlen(action));
    if (!fence->asks) { /* One that hangs leaves time to ask: it may have worked. */
        spec.timeout_ms -= spec.timeout_ms / 3;
    }
    if (spec.timeout_ms <= 0) {
        fail(fence, ERR_TIMEOUT, "has not switched it off in time");
        return;
    }
    if (process_start(&fence->process, fence->loop, &spec, &listener, &fence->err) != 0) {
        loop_timer_start(fence->loop, &fence->timer, 0, finish, fence);
    }
}

static int prepare(struct fence *fence, const struct fence_device *device, struct err *err)
{
    if (device->agent == NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot fence '%s': berth.conf names no fence for it",
                       fence->host);
    }
    if (add_options(fence, device->options, strlen(device->options), err) != 0) {
        return -1;
    }
    fence->secrets = fence->options;
    if (device->secrets != NULL && add_secrets(fence, device->secrets, err) != 0) {
        return -1;
    }
    return check_options(fence, err);
}

struct fence *fence_begin(struct loop *loop, const struct fence_device *device, const char *host,
                          int64_t timeout_ms, fence_done_fn *done, void *context)
{
    struct fence *fence = HEAP_NEW(struct fence);

    fence->loop = loop;
    fence->host = arena_strdup(&fence->arena, host);
    fence->agent = arena_strdup_maybe(&fence->arena, device->agent);
    fence->done = done;
    fence->context = context;
    fence->deadline_ms = loop_now_ms(loop) + timeout_ms;
    loop_timer_start(loop, &fence->timer, 0,
                     prepare(fence, device, &fence->err) == 0 ? run : finish, fence);
    return fence;
}

void fence_abandon(struct fence *fence)
{
    if (fence != NULL) {
        free_fence(fence);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/hook.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/loop.h"
#include "base/module.h"
#include "base/process.h"
#include "base/text.h"
#include "reconciler/event.h"
#include "reconciler/journal/journal.h"
#include "reconciler/webhook.h"

#define ENVIRONMENT_MAX 16u

/* What a command finds of its surroundings, besides the event. */
static const char *const inherited[] = { "PATH", "HOME", "LANG", "TZ" };

static const char *const command_way = "command";
static const char *const webhook_way = "webhook";

/* An event on its way to a command. */
struct message {
    struct message *next;
    struct arena arena;
    const char *event;
    const char *json;
    const char *path; /* Of the command. */
    int64_t timeout_ms;
    const char *environment[ENVIRONMENT_MAX];
    size_t count;
};

struct runner {
    struct hooks *hooks;
    struct process process;
    struct message *message; /* NULL = idle. */
};

struct hooks {
    struct loop *loop;
    struct hook_listener listener;
    struct arena arena; /* Of 'config'. */
    struct hook_config config;

    struct runner runners[HOOK_COMMANDS_MAX];
    struct message *first; /* Of those that wait for a command. */
    struct message **last;
    size_t waiting;
    size_t commands_dropped;

    struct webhook *webhook; /* NULL = not needed yet. */
    size_t sending;          /* Given to it and not done. */
    size_t sends_dropped;

    hook_finished_fn *finished; /* NULL = it goes on. */
    void *context;
    struct loop_timer grace;
};

static void tell_failed(struct hooks *hooks, const char *way, const char *event, const char *text)
{
    const struct hook_news news = { .kind = HOOK_FAILED, .way = way, .event = event, .text = text };

    hooks->listener.news(hooks->listener.context, &news);
}

static void tell_dropped(struct hooks *hooks, const char *way, size_t *count)
{
    const struct hook_news news = { .kind = HOOK_DROPPED, .way = way, .count = *count };

    if (*count > 0) {
        *count = 0;
        hooks->listener.news(hooks->listener.context, &news);
    }
}

static bool is_idle(const struct hooks *hooks)
{
    for (size_t i = 0; i < HOOK_COMMANDS_MAX; i++) {
        if (hooks->runners[i].message != NULL) {
            return false;
        }
    }
    return hooks->first == NULL && hooks->sending == 0;
}

static void finish(void *context)
{
    struct hooks *hooks = context;
    hook_finished_fn *finished = hooks->finished;

    loop_timer_stop(hooks->loop, &hooks->grace);
    hooks->finished = NULL;
    if (finished != NULL) {
        finished(hooks->context);
    }
}

static void check_finished(struct hooks *hooks)
{
    if (hooks->finished != NULL && is_idle(hooks)) {
        finish(hooks);
    }
}

static void message_free(struct message *message)
{
    struct arena arena = message->arena;

    free(message);
    arena_deinit(&arena);
}

static void on_line(void *context, const char *line)
{
    const struct runner *runner = context;
    const struct hook_news news = {
        .kind = HOOK_SAID,
        .way = command_way,
        .event = runner->message->event,
        .text = line,
    };

    runner->hooks->listener.news(runner->hooks->listener.context, &news);
}

static void judge_end(struct runner *runner, const struct process_end *end)
{
    struct message *message = runner->message;
    const char *text = NULL;

    if (end->outcome == PROCESS_TIMED_OUT) {
        text = text_format(&message->arena, "'%s' took longer than %" PRId64 " s and was ended",
                           message->path, message->timeout_ms / 1000);
    } else if (end->outcome == PROCESS_KILLED) {
        text =
            text_format(&message->arena, "'%s' was ended by signal %d", message->path, end->value);
    } else if (end->value != 0) {
        text = text_format(&message->arena, "'%s' ended with status %d", message->path, end->value);
    }
    if (text != NULL) {
        tell_failed(runner->hooks, command_way, message->event, text);
    }
}

static void run_next(struct hooks *hooks);

static void on_ended(void *context, const struct process_end *end)
{
    struct runner *runner = context;
    struct hooks *hooks = runner->hooks;

    judge_end(runner, end);
    message_free(STEAL(runner->message));
    run_next(hooks);
    check_finished(hooks);
}

static int run(struct runner *runner, struct message *message, struct err *err)
{
    const struct process_listener listener = { runner, on_line, on_ended };
    const struct process_spec spec = {
        .path = message->path,
        .environment = message->environment,
        .input = message->json,
        .input_length = strlen(message->json),
        .timeout_ms = message->timeout_ms,
    };

    if (process_start(&runner->process, runner->hooks->loop, &spec, &listener, err) != 0) {
        return -1;
    }
    runner->message = message;
    return 0;
}

static struct runner *find_idle(struct hooks *hooks)
{
    for (size_t i = 0; i < HOOK_COMMANDS_MAX; i++) {
        if (hooks->runners[i].message == NULL) {
            return &hooks->runners[i];
        }
    }
    return NULL;
}

static struct message *take_first(struct hooks *hooks)
{
    struct message *message = hooks->first;

    hooks->first = message->next;
    if (hooks->first == NULL) {
        hooks->last = &hooks->first;
    }
    hooks->waiting--;
    return message;
}

static void run_next(struct hooks *hooks)
{
    struct runner *runner = find_idle(hooks);

    while (runner != NULL && hooks->first != NULL) {
        struct message *message = take_first(hooks);
        struct err err;

        if (run(runner, message, &err) != 0) {
            tell_failed(hooks, command_way, message->event, err.text);
            message_free(message);
        }
        runner = find_idle(hooks);
    }
    if (hooks->waiting < HOOK_WAITING_MAX) {
        tell_dropped(hooks, command_way, &hooks->commands_dropped);
    }
}

static void add_variable(struct message *message, const char *name, const char *value)
{
    if (value != NULL) {
        message->environment[message->count++] = text_format(&message->arena, "%s=%s", name, value);
    }
}

static void fill_environment(struct message *message, const struct event *event)
{
    const struct journal_move *move = event->move;

    for (size_t i = 0; i < ARRAY_LEN(inherited); i++) {
        add_variable(message, inherited[i], getenv(inherited[i]));
    }
    add_variable(message, "BERTH_EVENT", message->event);
    add_variable(message, "BERTH_GUEST", move != NULL ? move->guest : event->guest);
    if (event->kind == EVENT_STEP_END) {
        add_variable(message, "BERTH_HOST", event->host);
    }
    if (move != NULL) {
        add_variable(message, "BERTH_FROM", move->from);
        add_variable(message, "BERTH_TO", move->to);
    }
    if (event->kind == EVENT_MOVE_END) {
        add_variable(message, "BERTH_RESULT", journal_move_state_name(move->state));
    }
}

static void queue_command(struct hooks *hooks, const struct event *event, const char *name,
                          const char *json)
{
    struct message *message;

    if (hooks->waiting == HOOK_WAITING_MAX) {
        hooks->commands_dropped++;
        return;
    }
    message = HEAP_NEW(struct message);
    message->event = arena_strdup(&message->arena, name);
    message->json = arena_strdup(&message->arena, json);
    message->path = arena_strdup(&message->arena, hooks->config.command);
    message->timeout_ms = hooks->config.command_timeout_ms;
    fill_environment(message, event);
    *hooks->last = message;
    hooks->last = &message->next;
    hooks->waiting++;
    run_next(hooks);
}

static void on_sent(void *context, const char *event, const struct err *err)
{
    struct hooks *hooks = context;

    hooks->sending--;
    if (err != NULL) {
        tell_failed(hooks, webhook_way, event, err->text);
    }
    tell_dropped(hooks, webhook_way, &hooks->sends_dropped);
    check_finished(hooks);
}

static int need_webhook(struct hooks *hooks, struct err *err)
{
    const struct webhook_listener listener = { hooks, on_sent };
    __typeof__(webhook_open) *open_webhook;

    if (hooks->webhook == NULL) {
        open_webhook =
            (__typeof__(open_webhook))module_find("webhook", "sends webhooks", "webhook_open", err);
        hooks->webhook = open_webhook == NULL ? NULL : open_webhook(hooks->loop, &listener, err);
    }
    return hooks->webhook == NULL ? -1 : 0;
}

static void queue_send(struct hooks *hooks, const char *name, const char *json)
{
    const struct webhook_message message = {
        .url = hooks->config.webhook,
        .token_file = hooks->config.webhook_token_file,
        .event = name,
        .body = json,
        .timeout_ms = hooks->config.webhook_timeout_ms,
    };
    struct err err;

    if (need_webhook(hooks, &err) != 0) {
        tell_failed(hooks, webhook_way, name, err.text);
    } else if (hooks->sending > HOOK_WAITING_MAX) { /* One of them is being sent. */
        hooks->sends_dropped++;
    } else {
        hooks->sending++;
        hooks->webhook->ops->send(hooks->webhook, &message);
    }
}

struct hooks *hook_open(struct loop *loop, const struct hook_listener *listener)
{
    struct hooks *hooks = HEAP_NEW(struct hooks);

    hooks->loop = loop;
    hooks->listener = *listener;
    hooks->last = &hooks->first;
    for (size_t i = 0; i < HOOK_COMMANDS_MAX; i++) {
        hooks->runners[i].hooks = hooks;
    }
    return hooks;
}

void hook_configure(struct hooks *hooks, const struct hook_config *config)
{
    struct arena arena = ARENA_INIT;
    const char **events = ARENA_ARRAY(&arena, const char *, config->event_count + 1);
    struct hook_config own = *config;

    for (size_t i = 0; i < config->event_count; i++) {
        events[i] = arena_strdup(&arena, config->events[i]);
    }
    own.events = events;
    own.command = arena_strdup_maybe(&arena, config->command);
    own.webhook = arena_strdup_maybe(&arena, config->webhook);
    own.webhook_token_file = arena_strdup_maybe(&arena, config->webhook_token_file);
    arena_deinit(&hooks->arena);
    hooks->arena = arena;
    hooks->config = own;
}

static bool is_wanted(const struct hook_config *config, const char *name)
{
    return text_index(config->events, config->event_count, name) < config->event_count;
}

void hook_tell(struct hooks *hooks, const struct event *event, const char *name, const char *json)
{
    if (!is_wanted(&hooks->config, name)) {
        return;
    }
    if (hooks->config.command != NULL) {
        queue_command(hooks, event, name, json);
    }
    if (hooks->config.webhook != NULL) {
        queue_send(hooks, name, json);
    }
}

void hook_finish(struct hooks *hooks, hook_finished_fn *finished, void *context)
{
    hooks->finished = finished;
    hooks->context = context;
    loop_timer_start(hooks->loop, &hooks->grace, is_idle(hooks) ? 0 : HOOK_GRACE_MS, finish, hooks);
}

static size_t drop_commands(struct hooks *hooks)
{
    size_t count = hooks->commands_dropped + hooks->waiting;

    while (hooks->first != NULL) {
        message_free(take_first(hooks));
    }
    for (size_t i = 0; i < HOOK_COMMANDS_MAX; i++) {
        process_deinit(&hooks->runners[i].process);
        if (hooks->runners[i].message != NULL) {
            message_free(hooks->runners[i].message);
            count++;
        }
    }
    return count;
}

void hook_close(struct hooks *hooks)
{
    size_t commands;
    size_t sends;

    if (hooks == NULL) {
        return;
    }
    commands = drop_commands(hooks);
    sends = hooks->sends_dropped + hooks->sending;
    tell_dropped(hooks, command_way, &commands);
    tell_dropped(hooks, webhook_way, &sends);
    loop_timer_stop(hooks->loop, &hooks->grace);
    if (hooks->webhook != NULL) {
        hooks->webhook->ops->close(hooks->webhook);
    }
    arena_deinit(&hooks->arena);
    free(hooks);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_look.h"

#include <stdlib.h>

#include "actuators/libvirt_contact.h"
#include "actuators/libvirt_guard.h"
#include "actuators/libvirt_observe.h"
#include "actuators/libvirt_question.h"
#include "actuators/ssh.h"
#include "base/base.h"
#include "base/heap.h"
#include "base/loop.h"

/* So long a guard's word stands that holds nothing back: looks around a move do without it. */
#define GUARD_KNOWN_MS INT64_C(30000)

/* A host that does not say is not asked again: nothing waits for it. */
static const char *ask_locks(struct libvirt_look *look)
{
    struct libvirt_question question = { .kind = LIBVIRT_QUESTION_SETTING, .name = "lock_manager" };
    const struct libvirt_question_host host = { look->observed.name, look->locks_at, look->ssh,
                                                LIBVIRT_GUARD_ASK_MS };
    struct err ignored;

    if (libvirt_question_ask(&look->arena, &host, &question, 1, &ignored) < 0 ||
        question.answer == LIBVIRT_QUESTION_MISSING) {
        return NULL;
    }
    return question.answer == LIBVIRT_QUESTION_KNOWN ? question.text : "nop";
}

static void run(struct libvirt_job *job)
{
    struct libvirt_look *look = CONTAINER_OF(job, struct libvirt_look, job);

    look->status =
        libvirt_observe_host(&look->arena, look->connection, &look->observed, &look->err);
    if (look->status == 0 && look->guard_at != NULL) {
        struct libvirt_guard guard = libvirt_guard_ask(look->ssh, &look->arena, look->guard_at);

        libvirt_guard_apply(&look->arena, &guard, &look->observed);
    }
    if (look->status == 0 && look->locks_at != NULL) {
        look->observed.lock_manager = ask_locks(look);
    }
}

/* A guard that holds nothing any more, and exempts nobody, says the same until the host boots, and then nobody
 * is connected; or somebody edits whom it exempts. */
static void remember_guard(const struct libvirt_look *look)
{
    const struct observed_host *observed = &look->observed;
    struct libvirt_contact *contact = look->contact;

    if (observed->guard == OBSERVED_GUARD_HOLDING) {
        return;
    }
    for (size_t i = 0; i < observed->guest_count; i++) {
        if (observed->guests[i].held || observed->guests[i].exempt) {
            return;
        }
    }
    if (contact->guard == OBSERVED_GUARD_UNKNOWN) {
        contact->guard = observed->guard;
        contact->guard_asked_ms = loop_now_ms(look->means->loop);
    }
}

static void remember_locks(const struct libvirt_look *look)
{
    struct libvirt_contact *contact = look->contact;

    contact->locks_asked |= look->locks_at != NULL;
    if (contact->lock_manager == NULL) {
        contact->lock_manager = arena_strdup_maybe(look->means->arena, look->observed.lock_manager);
    }
}

static void done(struct libvirt_job *job)
{
    struct libvirt_look *look = CONTAINER_OF(job, struct libvirt_look, job);

    look->contact->looking = NULL;
    look->observed.reachable = true;
    look->observed.as_of_ms = loop_wall_ms(look->means->loop);
    if (look->status == 0) {
        remember_guard(look);
        remember_locks(look);
    }
    look->means->done(look->means->context, look);
}

static void release(struct libvirt_job *job)
{
    struct libvirt_look *look = CONTAINER_OF(job, struct libvirt_look, job);

    if (look->connection != NULL) {
        (void)virConnectClose(look->connection);
    }
    if (look->ssh != NULL) {
        ssh_leave(look->ssh);
    }
    arena_deinit(&look->arena);
    free(look);
}

static const struct libvirt_job_ops look_ops = {
    .run = run,
    .done = done,
    .release = release,
};

/* What the host has said before, and where to ask for what it has not. */
static void prepare_questions(struct libvirt_look *look)
{
    const struct libvirt_look_means *means = look->means;
    struct libvirt_contact *contact = look->contact;

    if (loop_now_ms(means->loop) - contact->guard_asked_ms > GUARD_KNOWN_MS) {
        contact->guard = OBSERVED_GUARD_UNKNOWN;
    }
    look->observed.guard = contact->guard;
    if (means->guards && contact->ssh != NULL && contact->guard == OBSERVED_GUARD_UNKNOWN) {
        look->guard_at = arena_strdup(&look->arena, contact->ssh);
    }
    look->observed.lock_manager = arena_strdup_maybe(&look->arena, contact->lock_manager);
    if (means->locks && contact->ssh != NULL && !contact->locks_asked) {
        look->locks_at = arena_strdup(&look->arena, contact->ssh);
    }
    if (look->guard_at != NULL || look->locks_at != NULL) {
        look->ssh = ssh_join(means->ssh);
    }
}

void libvirt_look_begin(const struct libvirt_look_means *means, struct libvirt_contact *contact)
{
    struct libvirt_look *look = HEAP_NEW(struct libvirt_look);

    look->job.ops = &look_ops;
    look->means = means;
    look->contact = contact;
    look->observed = observed_copy_host(&look->arena, &contact->link.identity);
    prepare_questions(look);
    look->connection = libvirt_link_lend(&contact->link, &look->used);
    contact->looking = look;
    libvirt_pool_submit(means->pool, &look->job);
}

void libvirt_look_drop(struct libvirt_contact *contact)
{
    if (contact->looking != NULL) {
        libvirt_pool_write_off(&contact->looking->job);
        contact->looking = NULL;
        libvirt_link_drop(&contact->link);
    }
}

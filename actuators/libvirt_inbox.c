/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_inbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/loop.h"

/* What waits for delivery. */
struct mail {
    bool whole; /* Of the host as a whole; then of no guest. */
    enum actuator_notice_kind kind;
    size_t count;
    struct {
        enum actuator_notice_kind kind;
        char *guest;
    } guests[LIBVIRT_INBOX_GUESTS];
};

struct libvirt_inbox {
    struct loop *loop;
    char *host;
    libvirt_inbox_fn *notice;
    void *context;
    pthread_mutex_t mutex; /* Guards everything below. */
    size_t holders;
    bool closed;
    bool posted; /* on_mail() is on its way, and will find this inbox. */
    struct mail mail;
};

static void empty(struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++) {
        free(mail->guests[i].guest);
    }
    mail->count = 0;
    mail->whole = false;
}

/* Unlocks the inbox and frees it if this was its last user. */
static void leave(struct libvirt_inbox *inbox)
{
    bool deserted = inbox->closed && inbox->holders == 0 && !inbox->posted;

    (void)pthread_mutex_unlock(&inbox->mutex);
    if (deserted) {
        empty(&inbox->mail);
        (void)pthread_mutex_destroy(&inbox->mutex);
        free(inbox->host);
        free(inbox);
    }
}

static char *copy_name(const char *name)
{
    char *copy = strdup(name);

    if (copy == NULL) {
        abort();
    }
    return copy;
}

static void put_whole(struct mail *mail, enum actuator_notice_kind kind)
{
    bool outweighed = mail->whole && mail->kind > kind;

    empty(mail);
    mail->kind = outweighed ? mail->kind : kind;
    mail->whole = true;
}

static void put_guest(struct mail *mail, enum actuator_notice_kind kind, const char *guest)
{
    size_t i = 0;

    if (mail->whole) {
        return;
    }
    while (i < mail->count && strcmp(mail->guests[i].guest, guest) != 0) {
        i++;
    }
    if (i == LIBVIRT_INBOX_GUESTS) {
        put_whole(mail, ACTUATOR_NOTICE_MANY);
    } else if (i == mail->count) {
        mail->guests[i].kind = kind;
        mail->guests[i].guest = copy_name(guest);
        mail->count++;
    } else if (mail->guests[i].kind < kind) {
        mail->guests[i].kind = kind;
    }
}

/* False once the inbox was closed from the notice: then nothing of its user's may be touched. */
static bool tell(struct libvirt_inbox *inbox, enum actuator_notice_kind kind, const char *guest)
{
    const struct actuator_notice notice = { .kind = kind, .host = inbox->host, .guest = guest };

    inbox->notice(inbox->context, &notice);
    return !inbox->closed; /* Only the loop thread, which this is, closes it. */
}

static void deliver(struct libvirt_inbox *inbox, const struct mail *mail)
{
    bool open = !mail->whole || tell(inbox, mail->kind, NULL);

    for (size_t i = 0; i < mail->count && open; i++) {
        open = tell(inbox, mail->guests[i].kind, mail->guests[i].guest);
    }
}

static bool is_empty(const struct mail *mail)
{
    return !mail->whole && mail->count == 0;
}

/* The loop has ended with a call to on_mail() on its way. */
static void drop_mail(void *context)
{
    struct libvirt_inbox *inbox = context;

    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->posted = false;
    leave(inbox);
}

static void on_mail(void *context);

/* Under the mutex: once the inbox is closed the loop may be gone, and nobody may post to it. */
static void post_if_due(struct libvirt_inbox *inbox)
{
    if (!inbox->closed && !inbox->posted && !is_empty(&inbox->mail)) {
        inbox->posted = true;
        loop_post_owned(inbox->loop, on_mail, drop_mail, inbox);
    }
}

/* Delivers what is there when it begins and leaves what comes meanwhile to another call, so that a flood
 * leaves the loop room for others. */
static void on_mail(void *context)
{
    struct libvirt_inbox *inbox = context;
    struct mail mail = { 0 };

    (void)pthread_mutex_lock(&inbox->mutex);
    if (!inbox->closed) {
        mail = inbox->mail;
        inbox->mail = (struct mail){ 0 };
    }
    (void)pthread_mutex_unlock(&inbox->mutex);
    deliver(inbox, &mail);
    empty(&mail);
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->posted = false;
    post_if_due(inbox);
    leave(inbox);
}

struct libvirt_inbox *libvirt_inbox_new(struct loop *loop, const char *host,
                                        libvirt_inbox_fn *notice, void *context)
{
    struct libvirt_inbox *inbox = HEAP_NEW(struct libvirt_inbox);

    inbox->loop = loop;
    inbox->host = copy_name(host);
    inbox->notice = notice;
    inbox->context = context;
    (void)pthread_mutex_init(&inbox->mutex, NULL);
    return inbox;
}

void libvirt_inbox_close(struct libvirt_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->closed = true;
    leave(inbox);
}

void libvirt_inbox_hold(struct libvirt_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->holders++;
    (void)pthread_mutex_unlock(&inbox->mutex);
}

void libvirt_inbox_release(struct libvirt_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    assert(inbox->holders > 0);
    inbox->holders--;
    leave(inbox);
}

void libvirt_inbox_put(struct libvirt_inbox *inbox, enum actuator_notice_kind kind,
                       const char *guest)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    if (inbox->closed) {
        /* Nobody hears it. */
    } else if (guest == NULL) {
        put_whole(&inbox->mail, kind);
    } else if (strnlen(guest, LIBVIRT_INBOX_NAME_MAX + 1) > LIBVIRT_INBOX_NAME_MAX) {
        put_whole(&inbox->mail, ACTUATOR_NOTICE_MANY);
    } else {
        put_guest(&inbox->mail, kind, guest);
    }
    post_if_due(inbox);
    (void)pthread_mutex_unlock(&inbox->mutex);
}

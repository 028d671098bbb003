/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_inbox: what was heard of one host, on its way from libvirt's event thread to the loop thread.
 *
 * However much a host tells, little is kept: at most one notice a guest until it is delivered, the
 * weightiest, and of too many guests one of the host as a whole.
 *
 * The loop thread opens and closes an inbox; each function that libvirt is given it for holds it until
 * libvirt lets go of it, which is some time after that was asked for.  Whoever comes last frees it.
 */

#include "actuators/actuator.h"

struct libvirt_inbox;
struct loop;

/* Guests that are told one by one; and the longest name that is believed. */
#define LIBVIRT_INBOX_GUESTS   64
#define LIBVIRT_INBOX_NAME_MAX 255

typedef void libvirt_inbox_fn(void *context, const struct actuator_notice *notice);

/* An inbox of 'host' that calls notice(context) on the thread of 'loop'. */
struct libvirt_inbox *libvirt_inbox_new(struct loop *loop, const char *host,
                                        libvirt_inbox_fn *notice, void *context);

/* Gives the inbox up: nothing is delivered any more, and the loop may end.  Also from notice(), on the
 * loop thread. */
void libvirt_inbox_close(struct libvirt_inbox *inbox);

/* Keeps the inbox in being until as many libvirt_inbox_release().  Any thread. */
void libvirt_inbox_hold(struct libvirt_inbox *inbox);
void libvirt_inbox_release(struct libvirt_inbox *inbox);

/* Puts a notice in; 'guest' is NULL of the host as a whole, which says all there is to say of its
 * guests.  Whoever holds it, any thread; never waits for the loop. */
void libvirt_inbox_put(struct libvirt_inbox *inbox, enum actuator_notice_kind kind,
                       const char *guest);

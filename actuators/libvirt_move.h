/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_move: the operations of model/op.h on real hosts, each as one straight run that checks, then
 * acts.  It belongs to a job's thread: everything here may block.
 *
 * An operation whose effect already holds succeeds.  Guests are found by UUID and must agree in name.
 * Live migrations are libvirt_migrate.h's, the proofs before a move libvirt_preflight.h's.
 */

#include <libvirt/libvirt.h>

#include "actuators/actuator.h"
#include "model/check.h"
#include "model/observed.h"

struct arena;
struct libvirt_job;
struct ssh;

/* Where QEMU's driver keeps managed save images, NAME.save, and looks for one at every start. */
#define LIBVIRT_SAVE_FOLDER "/var/lib/libvirt/qemu/save/"

/* One host of an operation. */
struct libvirt_move_end {
    struct observed_host host; /* Name, and what libvirt_connection_open() learned. */
    virConnectPtr connection;  /* Lent to this job alone; NULL if there is no such end. */
    virConnectPtr second;      /* Of the source of MIGRATE, for the call that blocks; else NULL. */
    const char *peer_uri;
    const char *ssh; /* Or NULL. */
};

struct libvirt_move {
    struct libvirt_job *job;
    struct arena *arena;
    const struct op *op;
    struct libvirt_move_end source; /* op->host: where a one-sided operation is done. */
    struct libvirt_move_end target; /* op->peer */
    struct ssh *ssh;                /* Joined for the job. */
    struct actuator_stats stats;    /* Out: of MIGRATE and ADOPT. */
    struct check_list checks;       /* Out: of PREFLIGHT, in 'arena'. */
    uint32_t present[2]; /* Out: of PREFLIGHT and PROVIDE, as in struct actuator_completion. */
    uint32_t known[2];
    struct supply_list supplies; /* Out: likewise, in 'arena'. */
    const char *note;            /* Out: of PROVIDE, WITHDRAW, MIGRATE and ADOPT, in 'arena'. */
};

/* Carries out move->op. */
int libvirt_move_run(struct libvirt_move *move, struct err *err);

/* "cannot stop guest 'vm1' on 'kvm1': ...".  Returns -1. */
int libvirt_move_fail(const struct libvirt_move *move, struct err *err, enum err_code code,
                      const char *fmt, ...) PRINTF(4, 5);

/* The same with what libvirt says. */
int libvirt_move_fail_libvirt(const struct libvirt_move *move, struct err *err);

/* The operation's guest on 'end' into '*domain', NULL if 'end' does not know its UUID.  ERR_CONFLICT if
 * the UUID has another name there. */
int libvirt_move_find(const struct libvirt_move *move, const struct libvirt_move_end *end,
                      virDomainPtr *domain, struct err *err);

/* 1 if the operation's guest is active on 'end', 0 if it is off or not known there, -1 with '*err'. */
int libvirt_move_is_active(const struct libvirt_move *move, const struct libvirt_move_end *end,
                           struct err *err);

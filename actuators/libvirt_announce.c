/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_announce.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_move.h"
#include "base/text.h"
#include "model/op.h"

/* As QEMU announces after a migration: five times within a second, at growing distances. */
#define COMMAND                                     \
    "{\"execute\":\"announce-self\",\"arguments\":" \
    "{\"initial\":50,\"max\":550,\"rounds\":5,\"step\":100}}"

/* An answer of QEMU's is no error to libvirt, whatever it says. */
static bool ask(virDomainPtr domain)
{
    char *answer = NULL;
    bool done = virDomainQemuMonitorCommand(domain, COMMAND, &answer,
                                            VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT) == 0 &&
                answer != NULL && strstr(answer, "\"error\"") == NULL;

    free(answer);
    return done;
}

void libvirt_announce_run(struct libvirt_move *move)
{
    AUTO(domain) virDomain *domain = NULL;
    struct err ignored;

    if (!move->op->live.announce || move->target.connection == NULL ||
        libvirt_move_find(move, &move->target, &domain, &ignored) < 0 || domain == NULL ||
        virDomainIsActive(domain) != 1) {
        return;
    }
    if (!ask(domain)) {
        move->note = text_format(move->arena, "QEMU on '%s' did not announce its addresses again",
                                 move->op->peer);
    }
}

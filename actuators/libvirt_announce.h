/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_announce: tells the network once more where a guest is after a live move.
 *
 * QEMU does so by itself as the guest goes on, within a second; where switches learn late, that may be in
 * vain.  libvirt has no call for it, so QEMU's own command is passed through (announce-self of QMP), for
 * which libvirt marks the guest as tainted ("custom-monitor") until it is started anew.
 */

struct libvirt_move;

/* Asks QEMU at the target of MIGRATE or ADOPT, if the operation wants it and the guest runs there.  That it
 * cannot be done fails nothing: move->note says so. */
void libvirt_announce_run(struct libvirt_move *move);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_module: libvirt.h for programs that often do without: the actuator, libvirt and libssh are
 * loaded when hosts are to be asked, not before.  Some fifty libraries come along with them, and loading
 * those takes three times as long as planning a small fleet from two files (base/module.h).
 */

struct actuator;
struct err;
struct libvirt_settings;
struct loop;

/* Loads the module, which then stays, and does what libvirt_open() does.  ERR_NOT_FOUND: the module, or a
 * library that it needs, is not installed. */
struct actuator *libvirt_module_open(struct loop *loop, const struct libvirt_settings *settings,
                                     struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_module.h"

#include <stddef.h>

#include "actuators/libvirt.h"
#include "base/module.h"

struct actuator *libvirt_module_open(struct loop *loop, const struct libvirt_settings *settings,
                                     struct err *err)
{
    __typeof__(libvirt_open) *open_libvirt = (__typeof__(open_libvirt))module_find(
        "libvirt", "speaks with libvirt", "libvirt_open", err);

    return open_libvirt == NULL ? NULL : open_libvirt(loop, settings, err);
}

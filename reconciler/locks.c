/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/locks.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "model/observed.h"

#define NAMED_MAX 3 /* Hosts that are called by name; of more it is told how many. */

static bool lacks_locks(const struct observed_host *host)
{
    return host->lock_manager != NULL && strcmp(host->lock_manager, "nop") == 0;
}

const char *locks_warning(struct arena *arena, const struct observed *observed)
{
    struct text text = text_new(arena);
    size_t count = 0;

    for (size_t i = 0; i < observed->host_count; i++) {
        if (lacks_locks(&observed->hosts[i]) && ++count <= NAMED_MAX) {
            text_printf(&text, "%s'%s'", count == 1 ? "" : ", ", observed->hosts[i].name);
        }
    }
    if (count > NAMED_MAX) {
        text_printf(&text, " and %zu more", count - NAMED_MAX);
    }
    return count == 0
               ? NULL
               : text_format(arena,
                             "no lock manager on %s keeps others from starting a guest on disks in "
                             "use: set lock_manager in qemu.conf",
                             text.data);
}

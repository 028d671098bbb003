/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

int fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fd: a file descriptor that its scope closes; -1 is none.  Any thread.
 */

#include "base/base.h"

/* Closes '*fd', if there is one, and leaves -1. */
void fd_close(int *fd);

/* Moves the descriptor out of '*fd', leaving -1, so that AUTO() no longer closes it. */
int fd_take(int *fd);

AUTO_VALUE(fd, int, fd_close);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scratch: a folder of a test's own, flat, gone with its files at the end of the block.
 */

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

struct scratch {
    char path[64];
};

static inline void scratch_deinit(struct scratch *scratch)
{
    DIR *folder = opendir(scratch->path);
    const struct dirent *entry;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)) != NULL) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    (void)closedir(folder);
    (void)rmdir(scratch->path);
}

AUTO_VALUE(scratch, struct scratch, scratch_deinit);

static inline struct scratch scratch_new(void)
{
    struct scratch scratch = { .path = "/tmp/berth-test-XXXXXX" };

    ck_assert_ptr_nonnull(mkdtemp(scratch.path));
    return scratch;
}

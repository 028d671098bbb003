/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Watch: says when a file may have changed, however it was saved.
 *
 * It watches directories, never the file: a rename onto the file ends a watch on the file.  It watches every
 * directory in which a name on the way to the file is looked up, behind symbolic links too, and follows
 * the way anew whenever one of these names changes.  So a link that is switched and a directory that is
 * renamed, deleted or made again are seen like a save.
 *
 * Level-triggered: a notice only says 'look at the file'.  One follows every save, many may be one.
 * What inotify cannot tell (its limits are reached, a directory must not be read, another client of a
 * network file system saved) is found by polling.  Loop thread.
 */

struct err;
struct loop;
struct watch;

struct watch_listener {
    void *context;
    /* The file may have changed, appeared or gone. */
    void (*changed)(void *context);
    /* Changes are noticed late from now on, for '*err'.  Once, until that is over. */
    void (*degraded)(void *context, const struct err *err);
};

/* Watches 'path', which need not exist; the string and the loop must stay.  The listener is called from the
 * loop, never from inside this call, and must not free the watch.  Never NULL. */
struct watch *watch_new(struct loop *loop, const char *path, const struct watch_listener *listener);

/* Ends it; NULL is allowed. */
void watch_free(struct watch *watch);

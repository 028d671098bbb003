/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/heap.h"
#include "base/loop.h"

/* How often the file's stamp is looked at: while inotify does not tell all, and while it should. */
#define POLL_MS  INT64_C(1000)
#define CHECK_MS INT64_C(10000)

/* As the kernel's own limit on the links of one path. */
#define LINKS_MAX 40

/* Directories looked into on the way; a longer way is polled. */
#define PLACES_MAX 64

#define EVENTS_BYTES 4096

#define LOOKUP_MASK                                                                   \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF | \
     IN_DELETE_SELF | IN_ONLYDIR | IN_MASK_ADD)
#define WRITE_MASK (IN_MODIFY | IN_CLOSE_WRITE)

/* A name that is looked up in a directory on the way to the file. */
struct place {
    int wd; /* The directory, as inotify calls it. */
    bool current;
    char name[NAME_MAX + 1];
};

struct watch {
    struct loop *loop;
    struct watch_listener listener;
    const char *path;
    int fd; /* Of inotify; -1 = none. */
    struct loop_watch ready;
    struct loop_timer timer;
    struct place places[PLACES_MAX];
    size_t place_count;
    uint64_t stamp;
    struct err trouble; /* Why inotify does not tell all; ERR_NONE. */
    bool told;
};

/* The way to the file: directories passed, free of links and without a '/' at the end, and names to come. */
struct way {
    char passed[PATH_MAX];
    char rest[PATH_MAX];
    unsigned links;
};

/* Changes whenever the file may have; a file that is absent has a stamp too. */
static uint64_t stamp_of(const char *path)
{
    struct stat status;
    uint64_t parts[7] = { 0 };
    uint64_t stamp = UINT64_C(0xcbf29ce484222325); /* FNV-1a over words. */

    if (stat(path, &status) == 0) {
        parts[0] = (uint64_t)status.st_dev;
        parts[1] = (uint64_t)status.st_ino;
        parts[2] = (uint64_t)status.st_size;
        parts[3] = (uint64_t)status.st_mtim.tv_sec;
        parts[4] = (uint64_t)status.st_mtim.tv_nsec;
        parts[5] = (uint64_t)status.st_ctim.tv_sec;
        parts[6] = (uint64_t)status.st_ctim.tv_nsec;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        stamp = (stamp ^ parts[i]) * UINT64_C(0x100000001b3);
    }
    return stamp;
}

/* False if the current directory is gone. */
static bool way_begin(struct way *way, const char *path)
{
    *way = (struct way){ 0 };
    if (path[0] != '/' && getcwd(way->passed, sizeof(way->passed)) == NULL) {
        return false;
    }
    if (strcmp(way->passed, "/") == 0) {
        way->passed[0] = '\0';
    }
    return snprintf(way->rest, sizeof(way->rest), "%s", path) < (int)sizeof(way->rest);
}

/* The next name to look up, taken off the rest; "" at the end or if no file can have it. */
static void way_take(struct way *way, char name[NAME_MAX + 1])
{
    const char *begin = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(begin, "/");
    const char *next = begin + length + strspn(begin + length, "/");

    if (length > NAME_MAX) {
        length = 0;
    }
    memcpy(name, begin, length);
    name[length] = '\0';
    memmove(way->rest, next, strlen(next) + 1);
}

static void way_leave(struct way *way)
{
    char *slash = strrchr(way->passed, '/');

    if (slash != NULL) {
        *slash = '\0';
    }
}

static const char *way_directory(const struct way *way)
{
    return way->passed[0] == '\0' ? "/" : way->passed;
}

/* Puts the link's 'target' before the rest. */
static bool way_turn(struct way *way, const char *target)
{
    char rest[PATH_MAX];
    int length = snprintf(rest, sizeof(rest), "%s/%s", target, way->rest);

    if (++way->links > LINKS_MAX || length >= (int)sizeof(rest)) {
        return false;
    }
    if (rest[0] == '/') {
        way->passed[0] = '\0';
    }
    memcpy(way->rest, rest, (size_t)length + 1);
    return true;
}

/* Goes through 'name'; false if the way ends there. */
static bool way_enter(struct way *way, const char *name)
{
    char target[PATH_MAX];
    size_t passed = strlen(way->passed);
    ssize_t length;

    if (passed + 1 + strlen(name) >= sizeof(way->passed)) {
        return false;
    }
    (void)snprintf(way->passed + passed, sizeof(way->passed) - passed, "/%s", name);
    length = readlink(way->passed, target, sizeof(target) - 1);
    if (length < 0) {
        return errno == EINVAL; /* No link: a directory, or the file. */
    }
    target[length] = '\0';
    way->passed[passed] = '\0';
    return way_turn(way, target);
}

static void set_trouble(struct watch *watch, const char *directory, int os_errno)
{
    if (os_errno == ENOSPC) {
        (void)err_set(&watch->trouble, ERR_IO,
                      "cannot watch '%s': no inotify watch is left (fs.inotify.max_user_watches)",
                      directory);
    } else if (os_errno == EMFILE) {
        (void)err_set(
            &watch->trouble, ERR_IO,
            "cannot watch '%s': no inotify instance (fs.inotify.max_user_instances) or no "
            "descriptor is left",
            directory);
    } else {
        (void)err_set_errno(&watch->trouble, os_errno == EACCES ? ERR_DENIED : ERR_IO, os_errno,
                            "cannot watch '%s'", directory);
    }
}

static void keep_place(struct watch *watch, int wd, const char *name)
{
    for (size_t i = 0; i < watch->place_count; i++) {
        struct place *place = &watch->places[i];

        if (place->wd == wd && strcmp(place->name, name) == 0) {
            place->current = true;
            return;
        }
    }
    if (watch->place_count < PLACES_MAX) {
        struct place *place = &watch->places[watch->place_count++];

        *place = (struct place){ .wd = wd, .current = true };
        memcpy(place->name, name, strlen(name) + 1);
    } else {
        (void)err_set(&watch->trouble, ERR_REFUSED, "cannot watch '%s': more than %d directories",
                      watch->path, PLACES_MAX);
    }
}

/* The way leads through 'directory' and 'name' in it.  A directory that may not be read still may be gone
 * through; one that has vanished meanwhile is told by the watches passed before. */
static void watch_place(struct watch *watch, const char *directory, const char *name, bool is_last)
{
    int wd = inotify_add_watch(watch->fd, directory, LOOKUP_MASK | (is_last ? WRITE_MASK : 0));

    if (wd >= 0) {
        keep_place(watch, wd, name);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        set_trouble(watch, directory, errno);
    }
}

/* Each directory is watched before the name is looked up in it, so whatever changes behind the walk's back
 * makes an event, and the way is followed anew. */
static void walk(struct watch *watch)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct way *way = ARENA_NEW(&arena, struct way); /* Paths: too much for a stack. */
    char name[NAME_MAX + 1];

    if (!way_begin(way, watch->path)) {
        set_trouble(watch, watch->path, errno);
        return;
    }
    for (way_take(way, name); name[0] != '\0'; way_take(way, name)) {
        if (strcmp(name, "..") == 0) {
            way_leave(way);
        } else if (strcmp(name, ".") != 0) {
            watch_place(watch, way_directory(way), name, way->rest[0] == '\0');
            if (!way_enter(way, name)) {
                return;
            }
        }
    }
}

static bool is_watched(const struct watch *watch, int wd)
{
    for (size_t i = 0; i < watch->place_count; i++) {
        if (watch->places[i].wd == wd) {
            return true;
        }
    }
    return false;
}

/* Forgets the places that the last walk did not come by, and directories without any other. */
static void sweep(struct watch *watch)
{
    for (size_t i = 0; i < watch->place_count;) {
        int wd = watch->places[i].wd;

        if (watch->places[i].current) {
            i++;
            continue;
        }
        watch->places[i] = watch->places[--watch->place_count];
        if (!is_watched(watch, wd)) {
            (void)inotify_rm_watch(watch->fd, wd); /* It may be gone with its directory. */
        }
    }
}

static void on_ready(void *context);

static void open_inotify(struct watch *watch)
{
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        set_trouble(watch, watch->path, errno);
    } else {
        loop_watch_start(watch->loop, &watch->ready, watch->fd, on_ready, watch);
    }
}

static void close_inotify(struct watch *watch)
{
    loop_watch_stop(watch->loop, &watch->ready);
    fd_close(&watch->fd);
    watch->place_count = 0;
}

/* Follows the way as it is now. */
static void arm(struct watch *watch)
{
    watch->trouble.code = ERR_NONE;
    if (watch->fd < 0) {
        open_inotify(watch);
    }
    if (watch->fd >= 0) {
        for (size_t i = 0; i < watch->place_count; i++) {
            watch->places[i].current = false;
        }
        walk(watch);
        sweep(watch);
    }
}

static void on_timer(void *context);

static void tell_trouble(struct watch *watch)
{
    bool in_trouble = watch->trouble.code != ERR_NONE;

    if (in_trouble && !watch->told) {
        watch->listener.degraded(watch->listener.context, &watch->trouble);
    }
    watch->told = in_trouble;
    loop_timer_start(watch->loop, &watch->timer, in_trouble ? POLL_MS : CHECK_MS, on_timer, watch);
}

/* The stamp is taken before the listener reads: what is saved in between is found by the next one. */
static void look(struct watch *watch)
{
    arm(watch);
    tell_trouble(watch);
    watch->stamp = stamp_of(watch->path);
    watch->listener.changed(watch->listener.context);
}

static void on_timer(void *context)
{
    struct watch *watch = context;

    if (stamp_of(watch->path) != watch->stamp) {
        look(watch);
    } else {
        arm(watch);
        tell_trouble(watch);
    }
}

/* Events of a directory itself have no name, that of an overflow has no directory. */
static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        return true;
    }
    for (size_t i = 0; i < watch->place_count; i++) {
        if (watch->places[i].wd == event->wd &&
            (event->len == 0 || strcmp(watch->places[i].name, event->name) == 0)) {
            return true;
        }
    }
    return false;
}

/* One buffer a call: the loop calls again while there is more. */
static void on_ready(void *context)
{
    struct watch *watch = context;
    _Alignas(struct inotify_event) char events[EVENTS_BYTES];
    ssize_t length = read(watch->fd, events, sizeof(events));
    bool concerned = false;

    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (length <= 0) { /* Not a thing that inotify does; another one may do better. */
        close_inotify(watch);
        concerned = true;
    }
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const void *)(events + at);

        concerned = concerned || concerns(watch, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    if (concerned) {
        look(watch);
    }
}

struct watch *watch_new(struct loop *loop, const char *path, const struct watch_listener *listener)
{
    struct watch *watch = HEAP_NEW(struct watch);

    watch->loop = loop;
    watch->path = path;
    watch->listener = *listener;
    watch->fd = -1;
    arm(watch);
    watch->stamp = stamp_of(path);
    loop_timer_start(loop, &watch->timer, 0, on_timer, watch); /* Tells trouble, if there is any. */
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch != NULL) {
        loop_timer_stop(watch->loop, &watch->timer);
        close_inotify(watch);
        free(watch);
    }
}

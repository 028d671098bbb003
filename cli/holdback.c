/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/holdback.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

#define SUFFIX ".xml"

/* More entries of a folder are not believed. */
#define ENTRIES_MAX 100000u

/* Of a path that is used or read. */
#define PATH_BYTES 2048

#define RECORD_MAX_BYTES ((size_t)256)
#define FOLDER_MODE      0700u
#define FILE_MODE        0600u

/* libvirt makes its folder so itself. */
#define AUTOSTART_MODE 0755u

#define LOCK_PAUSE_MS 100
#define LOCK_TRIES    600

static const char *const state_names[] = {
    [HOLDBACK_MISSED] = "missed", [HOLDBACK_HELD] = "held",     [HOLDBACK_RELEASED] = "released",
    [HOLDBACK_LATE] = "late",     [HOLDBACK_PARTLY] = "partly",
};

const char *holdback_state_name(enum holdback_state state)
{
    assert(state < HOLDBACK_STATE_COUNT);
    return state_names[state];
}

static int fail(struct err *err, const char *what, const char *path)
{
    int os_errno = errno;
    enum err_code code =
        os_errno == EACCES || os_errno == EPERM || os_errno == EROFS ? ERR_DENIED : ERR_IO;

    return err_set_errno(err, code, os_errno, "cannot %s '%s'", what, path);
}

static int read_boot(struct arena *arena, const char *root, const char **boot, struct err *err)
{
    const char *path = text_format(arena, "%s/proc/sys/kernel/random/boot_id", root);
    char *bytes;
    size_t length;

    if (file_read(arena, path, RECORD_MAX_BYTES, &bytes, &length, err) != 0) {
        return -1;
    }
    *boot = text_trim(arena, bytes, length, "\n");
    if (!text_is_uuid(*boot)) {
        return err_set(err, ERR_INVALID, "cannot tell which boot this is: '%s' holds no id", path);
    }
    return 0;
}

/* "BOOT STATE\n"; of another boot, or anything else, is nothing said of this one. */
static enum holdback_state read_state(const struct holdback *holdback)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    size_t id = strlen(holdback->boot);
    struct err ignored;
    char *bytes;
    size_t length;
    size_t state;

    if (file_read(&arena, holdback->record, RECORD_MAX_BYTES, &bytes, &length, &ignored) != 0 ||
        length <= id || strncmp(bytes, holdback->boot, id) != 0 || bytes[id] != ' ') {
        return HOLDBACK_MISSED;
    }
    state = text_index(state_names, ARRAY_LEN(state_names),
                       text_trim(&arena, bytes + id, length - id, " \n"));
    return state < ARRAY_LEN(state_names) ? (enum holdback_state)state : HOLDBACK_MISSED;
}

int holdback_open(struct arena *arena, const char *root, struct holdback *holdback, struct err *err)
{
    const char *boot;

    if (read_boot(arena, root, &boot, err) != 0) {
        return -1;
    }
    *holdback = (struct holdback){
        .autostart = text_format(arena, "%s/etc/libvirt/qemu/autostart", root),
        .definitions = text_format(arena, "%s/etc/libvirt/qemu", root),
        .autostarted = text_format(arena, "%s/run/libvirt/qemu/autostarted", root),
        .folder = text_format(arena, "%s/var/lib/berth-guard", root),
        .held = text_format(arena, "%s/var/lib/berth-guard/held", root),
        .record = text_format(arena, "%s/var/lib/berth-guard/boot", root),
        .boot = boot,
        .lock = -1,
    };
    holdback->state = read_state(holdback);
    return 0;
}

static int wait_for_lock(int fd)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return 0;
        }
        if (errno != EWOULDBLOCK) {
            return -1;
        }
        (void)nanosleep(&pause, NULL);
    }
    errno = EWOULDBLOCK;
    return -1;
}

int holdback_lock(struct holdback *holdback, struct err *err)
{
    AUTO(fd) int fd = -1;

    if (file_make_folder(holdback->folder, FOLDER_MODE, err) != 0 ||
        file_make_folder(holdback->held, FOLDER_MODE, err) != 0) {
        return -1;
    }
    fd = open(holdback->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail(err, "open", holdback->folder);
    }
    if (wait_for_lock(fd) != 0) {
        return errno == EWOULDBLOCK
                   ? err_set(err, ERR_BUSY, "another berth-guard has been at work for a minute")
                   : fail(err, "lock", holdback->folder);
    }
    holdback->lock = fd_take(&fd);
    holdback->state = read_state(holdback);
    return 0;
}

void holdback_close(struct holdback *holdback)
{
    fd_close(&holdback->lock);
}

bool holdback_is_late(const struct holdback *holdback)
{
    return access(holdback->autostarted, F_OK) == 0;
}

/* The guest whose link is called 'name', or NULL. */
static const char *guest_of(struct arena *arena, const char *name)
{
    size_t length = strlen(name);
    size_t suffix = strlen(SUFFIX);

    if (length <= suffix || strcmp(name + length - suffix, SUFFIX) != 0) {
        return NULL;
    }
    return text_copy(arena, name, length - suffix);
}

static bool is_link(DIR *folder, const char *name)
{
    struct stat status;

    return fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(status.st_mode);
}

static void add_name(struct arena *arena, struct holdback_names *names, const char *name)
{
    if ((names->count & (names->count - 1)) == 0) { /* Full at powers of two. */
        const char **items =
            ARENA_ARRAY(arena, const char *, names->count == 0 ? 1 : 2 * names->count);

        for (size_t i = 0; i < names->count; i++) {
            items[i] = names->items[i];
        }
        names->items = items;
    }
    names->items[names->count++] = name;
}

static void sort_names(struct holdback_names *names)
{
    text_sort(names->items, names->count, sizeof(*names->items));
}

static int read_folder(struct arena *arena, DIR *folder, const char *path,
                       struct holdback_names *guests, struct holdback_names *strange,
                       struct err *err)
{
    const struct dirent *entry;

    for (errno = 0; (entry = readdir(folder)) != NULL; errno = 0) {
        const char *guest;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (guests->count + strange->count == ENTRIES_MAX) {
            return err_set(err, ERR_INVALID, "cannot list '%s': it has more than %u entries", path,
                           ENTRIES_MAX);
        }
        guest = guest_of(arena, entry->d_name);
        if (guest != NULL && is_link(folder, entry->d_name)) {
            add_name(arena, guests, guest);
        } else {
            add_name(arena, strange, arena_strdup(arena, entry->d_name));
        }
    }
    return errno == 0 ? 0 : fail(err, "list", path);
}

static int list_folder(struct arena *arena, const char *path, struct holdback_names *guests,
                       struct holdback_names *strange, struct err *err)
{
    DIR *folder = opendir(path);
    int status;

    *guests = (struct holdback_names){ 0 };
    *strange = (struct holdback_names){ 0 };
    if (folder == NULL) {
        return errno == ENOENT ? 0 : fail(err, "list", path);
    }
    status = read_folder(arena, folder, path, guests, strange, err);
    (void)closedir(folder);
    sort_names(guests);
    sort_names(strange);
    return status;
}

int holdback_list_links(struct arena *arena, const struct holdback *holdback,
                        struct holdback_names *guests, struct holdback_names *strange,
                        struct err *err)
{
    return list_folder(arena, holdback->autostart, guests, strange, err);
}

int holdback_list_held(struct arena *arena, const struct holdback *holdback,
                       struct holdback_names *guests, struct holdback_names *strange,
                       struct err *err)
{
    return list_folder(arena, holdback->held, guests, strange, err);
}

static int path_of(char path[PATH_BYTES], const char *folder, const char *guest, struct err *err)
{
    int used = snprintf(path, PATH_BYTES, "%s/%s" SUFFIX, folder, guest);

    return used > 0 && used < PATH_BYTES
               ? 0
               : err_set(err, ERR_INVALID, "cannot use guest '%.100s': its name is too long",
                         guest);
}

static int read_link(const char *path, char target[PATH_BYTES], struct err *err)
{
    ssize_t length = readlink(path, target, PATH_BYTES);

    if (length < 0) {
        return fail(err, "read the link", path);
    }
    if (length == PATH_BYTES) {
        return err_set(err, ERR_INVALID, "cannot read the link '%s': it is too long", path);
    }
    target[length] = '\0';
    return 0;
}

static int paths_of(const struct holdback *holdback, const char *guest, char theirs[PATH_BYTES],
                    char ours[PATH_BYTES], struct err *err)
{
    if (path_of(theirs, holdback->autostart, guest, err) != 0) {
        return -1;
    }
    return path_of(ours, holdback->held, guest, err);
}

int holdback_keep(const struct holdback *holdback, const char *guest, struct err *err)
{
    char theirs[PATH_BYTES];
    char ours[PATH_BYTES];
    char target[PATH_BYTES];
    char fresh[PATH_BYTES];

    if (paths_of(holdback, guest, theirs, ours, err) != 0 || read_link(theirs, target, err) != 0) {
        return -1;
    }
    /* By way of a name of its own, because an older link may be there, and is to stay until this one is. */
    (void)snprintf(fresh, sizeof(fresh), "%s/link.new", holdback->folder);
    if (unlink(fresh) != 0 && errno != ENOENT) {
        return fail(err, "remove", fresh);
    }
    if (symlink(target, fresh) != 0 || rename(fresh, ours) != 0) {
        return fail(err, "make the link", ours);
    }
    return 0;
}

int holdback_take(const struct holdback *holdback, const char *guest, struct err *err)
{
    char theirs[PATH_BYTES];

    if (path_of(theirs, holdback->autostart, guest, err) != 0) {
        return -1;
    }
    return unlink(theirs) == 0 || errno == ENOENT ? 0 : fail(err, "remove", theirs);
}

static int sync_folder(const char *path, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    return fd >= 0 && fsync(fd) == 0 ? 0 : fail(err, "sync", path);
}

int holdback_sync(const struct holdback *holdback, struct err *err)
{
    if (sync_folder(holdback->held, err) != 0 || sync_folder(holdback->folder, err) != 0) {
        return -1;
    }
    return sync_folder(holdback->autostart, err);
}

bool holdback_is_defined(const struct holdback *holdback, const char *guest)
{
    char path[PATH_BYTES];
    struct err ignored;

    if (path_of(path, holdback->definitions, guest, &ignored) != 0 || access(path, F_OK) == 0) {
        return true;
    }
    /* A folder that is missing, say because it is not mounted yet, says nothing of its guests. */
    return errno != ENOENT || access(holdback->definitions, F_OK) != 0;
}

int holdback_give(const struct holdback *holdback, const char *guest, struct err *err)
{
    char theirs[PATH_BYTES];
    char ours[PATH_BYTES];
    char target[PATH_BYTES];

    if (paths_of(holdback, guest, theirs, ours, err) != 0 || read_link(ours, target, err) != 0 ||
        file_make_folder(holdback->autostart, AUTOSTART_MODE, err) != 0) {
        return -1;
    }
    if (symlink(target, theirs) != 0 && errno != EEXIST) {
        return fail(err, "make the link", theirs);
    }
    return sync_folder(holdback->autostart, err);
}

int holdback_forget(const struct holdback *holdback, const char *guest, struct err *err)
{
    char ours[PATH_BYTES];

    if (path_of(ours, holdback->held, guest, err) != 0) {
        return -1;
    }
    if (unlink(ours) != 0 && errno != ENOENT) {
        return fail(err, "remove", ours);
    }
    return sync_folder(holdback->held, err);
}

int holdback_mark(struct holdback *holdback, enum holdback_state state, struct err *err)
{
    char line[RECORD_MAX_BYTES];
    int length =
        snprintf(line, sizeof(line), "%s %s\n", holdback->boot, holdback_state_name(state));

    assert(length > 0 && (size_t)length < sizeof(line));
    if (file_replace(holdback->record, line, (size_t)length, FILE_MODE, err) != 0) {
        return -1;
    }
    holdback->state = state;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/text.h"

/* Only a person with sqlite3 can hold us up; a commit that waits longer fails and is tried again. */
#define BUSY_TIMEOUT_MS 5000

static int os_error(const char *path, int os_errno, struct err *err)
{
    enum err_code code = ERR_IO;

    if (os_errno == ENOENT || os_errno == ENOTDIR) {
        code = ERR_NOT_FOUND;
    } else if (os_errno == EACCES || os_errno == EPERM || os_errno == EROFS) {
        code = ERR_DENIED;
    }
    return err_set_errno(err, code, os_errno, "cannot open the journal in '%s'", path);
}

static enum err_code code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_INVALID;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return ERR_DENIED;
    default:
        return ERR_IO;
    }
}

/* SQLite keeps the primary code's text for an input/output error; errno says more. */
static int describe(sqlite3 *db, const char *path, const char *verb, struct err *err)
{
    enum err_code code = code_of(sqlite3_errcode(db));
    int os_errno = sqlite3_system_errno(db);

    if (code == ERR_INVALID) {
        return err_set(err, code,
                       "cannot %s the journal in '%s': %s; restore a copy of it, or move it away "
                       "to begin an empty one",
                       verb, path, sqlite3_errmsg(db));
    }
    if (code == ERR_IO && os_errno != 0) {
        return err_set_errno(err, code, os_errno, "cannot %s the journal in '%s': %s", verb, path,
                             sqlite3_errmsg(db));
    }
    return err_set(err, code, "cannot %s the journal in '%s': %s", verb, path, sqlite3_errmsg(db));
}

int database_error(sqlite3 *db, const char *verb, struct err *err)
{
    return describe(db, sqlite3_db_filename(db, "main"), verb, err);
}

/* A journal is input: nothing in its schema may run code or write behind our back. */
static int harden(sqlite3 *db, struct err *err)
{
    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return database_exec(db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", err);
}

static int connect_file(const char *name, const char *path, int flags, sqlite3 **db,
                        struct err *err)
{
    AUTO(database) sqlite3 *opened = NULL;

    if (sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        if (opened == NULL) {
            return err_set(err, ERR_IO, "cannot open the journal in '%s': out of memory", path);
        }
        return describe(opened, path, "open", err);
    }
    if (harden(opened, err) != 0) {
        return -1;
    }
    *db = STEAL(opened);
    return 0;
}

/* SQLite would create it with what the umask leaves of 0644; -wal and -shm take the mode from it. */
static int create_private(const char *path, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return errno == EEXIST ? 0 : os_error(path, errno, err);
    }
    return fchmod(fd, 0600) == 0 ? 0 : os_error(path, errno, err);
}

int database_open(const char *path, sqlite3 **db, struct err *err)
{
    if (create_private(path, err) != 0) {
        return -1;
    }
    return connect_file(path, path, SQLITE_OPEN_READWRITE, db, err);
}

static bool has_companion(struct arena *arena, const char *path, const char *suffix)
{
    return access(text_format(arena, "%s%s", path, suffix), F_OK) == 0;
}

/* Every byte that could mean something in a URI is escaped, the slashes too: "//" would begin a
 * host name. */
static char *immutable_uri(struct arena *arena, const char *path)
{
    struct text uri = text_new(arena);

    text_append(&uri, "file:");
    for (const char *c = path; *c != '\0'; c++) {
        text_printf(&uri, "%%%02X", (unsigned)(unsigned char)*c);
    }
    text_append(&uri, "?immutable=1");
    return uri.data;
}

int database_open_readonly(const char *path, sqlite3 **db, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    if (access(path, R_OK) != 0) {
        return os_error(path, errno, err);
    }
    if (has_companion(&arena, path, "-wal") && has_companion(&arena, path, "-shm")) {
        return connect_file(path, path, SQLITE_OPEN_READONLY, db, err);
    }
    return connect_file(immutable_uri(&arena, path), path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                        db, err);
}

/* A pragma that cannot do what it was asked says so in its answer, not in its status. */
static int use_write_ahead_log(sqlite3 *db, struct err *err)
{
    AUTO(statement) sqlite3_stmt *statement = NULL;

    if (database_prepare(db, "PRAGMA journal_mode = WAL", &statement, err) != 0) {
        return -1;
    }
    if (sqlite3_step(statement) != SQLITE_ROW) {
        return database_error(db, "open", err);
    }
    if (strcmp((const char *)sqlite3_column_text(statement, 0), "wal") != 0) {
        return err_set(err, ERR_IO,
                       "cannot keep a journal in '%s': its file system has no shared memory "
                       "mapping",
                       sqlite3_db_filename(db, "main"));
    }
    return 0;
}

int database_make_durable(sqlite3 *db, struct err *err)
{
    int persist = 1;

    if (use_write_ahead_log(db, err) != 0) {
        return -1;
    }
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    return database_exec(db, "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216",
                         err);
}

int database_exec(sqlite3 *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                : database_error(db, "use", err);
}

int database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct err *err)
{
    if (sqlite3_prepare_v2(db, sql, -1, statement, NULL) != SQLITE_OK) {
        return database_error(db, "use", err);
    }
    return 0;
}

int database_number(sqlite3 *db, const char *sql, int64_t *value, struct err *err)
{
    AUTO(statement) sqlite3_stmt *statement = NULL;
    int status;

    if (database_prepare(db, sql, &statement, err) != 0) {
        return -1;
    }
    status = sqlite3_step(statement);
    if (status != SQLITE_ROW && status != SQLITE_DONE) {
        return database_error(db, "read", err);
    }
    *value = status == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    return 0;
}

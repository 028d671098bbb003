/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Preloaded into a program that uses SQLite (LD_PRELOAD), this kills it at a commit of our choice,
 * so that a test can stop a controller at every point where its journal changes, without a hook in
 * the controller.
 *
 *   BERTH_CRASH_COMMIT=N            at the N-th COMMIT of the process, counted from 1
 *   BERTH_CRASH_WHEN=before|after   before it is carried out (it is lost) or after (nobody was told)
 *   BERTH_CRASH_LOG=FILE            gets a line for each COMMIT that began
 *
 * Only explicit COMMIT or END statements count.  Both ways to run one are watched, and a COMMIT that
 * sqlite3_exec() hands to sqlite3_step() is counted once.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default")))

struct sqlite3;
struct sqlite3_stmt;
typedef int exec_callback_fn(void *context, int count, char **values, char **names);
typedef int exec_fn(struct sqlite3 *db, const char *sql, exec_callback_fn *callback, void *context,
                    char **error);
typedef int step_fn(struct sqlite3_stmt *statement);
typedef const char *sql_fn(struct sqlite3_stmt *statement);

VISIBLE int sqlite3_exec(struct sqlite3 *db, const char *sql, exec_callback_fn *callback,
                         void *context, char **error);
VISIBLE int sqlite3_step(struct sqlite3_stmt *statement);

static atomic_ulong commits;
static _Thread_local bool in_exec;

/* The library's own function; dlsym returns a data pointer, which ISO C does not let us cast. */
static void find(const char *name, void *function)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (!symbol) {
        fprintf(stderr, "crash_at_commit: no '%s' in this program\n", name);
        abort();
    }
    memcpy(function, &symbol, sizeof(symbol));
}

static bool is_commit(const char *sql)
{
    if (!sql) {
        return false;
    }
    sql += strspn(sql, " \t\n");
    return !strncasecmp(sql, "COMMIT", 6) || !strncasecmp(sql, "END", 3);
}

static void note(unsigned long number)
{
    const char *path = getenv("BERTH_CRASH_LOG");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

    if (fd >= 0) {
        dprintf(fd, "commit %lu\n", number);
        close(fd);
    }
}

/* Kills the process if this is the moment that was asked for. */
static void crash_if(unsigned long number, const char *when)
{
    const char *wanted_number = getenv("BERTH_CRASH_COMMIT");
    const char *wanted_when = getenv("BERTH_CRASH_WHEN");

    if (wanted_number && strtoul(wanted_number, NULL, 10) == number &&
        !strcmp(wanted_when ? wanted_when : "before", when)) {
        raise(SIGKILL);
    }
}

static unsigned long commit_begins(void)
{
    unsigned long number = atomic_fetch_add(&commits, 1) + 1;

    note(number);
    crash_if(number, "before");
    return number;
}

int sqlite3_exec(struct sqlite3 *db, const char *sql, exec_callback_fn *callback, void *context,
                 char **error)
{
    exec_fn *real;
    unsigned long number;
    int status;

    find("sqlite3_exec", &real);
    if (!is_commit(sql)) {
        return real(db, sql, callback, context, error);
    }
    number = commit_begins();
    in_exec = true;
    status = real(db, sql, callback, context, error);
    in_exec = false;
    crash_if(number, "after");
    return status;
}

int sqlite3_step(struct sqlite3_stmt *statement)
{
    step_fn *real;
    sql_fn *sql;
    unsigned long number;
    int status;

    find("sqlite3_step", &real);
    find("sqlite3_sql", &sql);
    if (in_exec || !is_commit(sql(statement))) {
        return real(statement);
    }
    number = commit_begins();
    status = real(statement);
    crash_if(number, "after");
    return status;
}

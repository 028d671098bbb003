/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"

/* A file in memory and no pipe: nobody has to write while the program reads, or does not. */
static int open_input(const struct process_spec *spec)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd >= 0 && (write(fd, spec->input, spec->input_length) != (ssize_t)spec->input_length ||
                    lseek(fd, 0, SEEK_SET) != 0)) {
        fd_close(&fd);
    }
    return fd;
}

static int fill_actions(posix_spawn_file_actions_t *actions, int input, int output)
{
    int error = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);

    if (error == 0) {
        error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
    }
    return error == 0 ? posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1)
                      : error;
}

/* Signals as a program expects them: what this process ignores or blocks is none of its business. */
static int fill_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    int error;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                     POSIX_SPAWN_SETSIGDEF);
    if (error == 0) {
        error = posix_spawnattr_setpgroup(attributes, 0);
    }
    if (error == 0) {
        error = posix_spawnattr_setsigmask(attributes, &none);
    }
    return error == 0 ? posix_spawnattr_setsigdefault(attributes, &all) : error;
}

/* posix_spawn() takes strings that it promises not to write to. */
static int spawn(pid_t *pid, const struct process_spec *spec, int input, int output)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *arguments[] = { arena_strdup(&arena, spec->path), NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **environment;
    size_t count = 0;
    int error;

    while (spec->environment[count] != NULL) {
        count++;
    }
    environment = ARENA_ARRAY(&arena, char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        environment[i] = arena_strdup(&arena, spec->environment[i]);
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    error = fill_actions(&actions, input, output);
    if (error == 0) {
        error = fill_attributes(&attributes);
    }
    if (error == 0) {
        error = posix_spawn(pid, spec->path, &actions, &attributes, arguments, environment);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

static void hand_on(struct process *process)
{
    process->line[process->line_length] = '\0';
    process->line_length = 0;
    if (process->lines == PROCESS_LINES_MAX) {
        process->cut = true;
        return;
    }
    process->lines++;
    process->listener.line(process->listener.context, process->line);
}

static void take(struct process *process, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            hand_on(process);
        } else if (process->line_length < PROCESS_LINE_MAX - 1) {
            process->line[process->line_length++] = bytes[i];
        } else {
            process->cut = true;
        }
    }
}

static void stop_reading(struct process *process)
{
    loop_watch_stop(process->loop, &process->output_watch);
    fd_close(&process->output);
}

/* False if there is nothing more to read now, or ever. */
static bool read_some(struct process *process)
{
    char bytes[4096];
    ssize_t got = process->output < 0 ? -1 : read(process->output, bytes, sizeof(bytes));

    if (got > 0) {
        process->read += (size_t)got;
        take(process, bytes, (size_t)got);
    }
    if (got == 0 || process->read > PROCESS_OUTPUT_MAX) {
        process->cut |= got > 0;
        stop_reading(process);
    }
    return got > 0 && process->output >= 0;
}

static void on_output(void *context)
{
    (void)read_some(context);
}

static void let_go(struct process *process)
{
    loop_timer_stop(process->loop, &process->deadline);
    loop_watch_stop(process->loop, &process->exit_watch);
    stop_reading(process);
    fd_close(&process->pidfd);
    process->runs = false;
}

static struct process_end end_of(const struct process *process, const siginfo_t *info)
{
    struct process_end end = { .cut = process->cut, .value = info->si_status };

    if (process->timed_out) {
        end.outcome = PROCESS_TIMED_OUT;
    } else {
        end.outcome = info->si_code == CLD_EXITED ? PROCESS_EXITED : PROCESS_KILLED;
    }
    return end;
}

/* While it is a zombie its number, which is its group's too, is nobody else's: what it left behind in the
 * group is ended before it is buried. */
static void bury(struct process *process, siginfo_t *info)
{
    (void)kill(-process->pid, SIGKILL);
    (void)waitid(P_PID, (id_t)process->pid, info, WEXITED);
}

static void on_exit_seen(void *context)
{
    struct process *process = context;
    const struct process_listener listener = process->listener;
    siginfo_t info = { .si_pid = 0 };
    struct process_end end;

    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
        return;
    }
    bury(process, &info);
    while (read_some(process)) {
    }
    if (process->line_length > 0) {
        hand_on(process);
    }
    end = end_of(process, &info);
    let_go(process);
    listener.ended(listener.context, &end);
}

static void on_grace_over(void *context)
{
    const struct process *process = context;

    (void)kill(-process->pid, SIGKILL);
}

static void on_deadline(void *context)
{
    struct process *process = context;

    process->timed_out = true;
    (void)kill(-process->pid, SIGTERM);
    loop_timer_start(process->loop, &process->deadline, PROCESS_GRACE_MS, on_grace_over, process);
}

static int start(struct process *process, const struct process_spec *spec, int input, int output,
                 struct err *err)
{
    int error = spawn(&process->pid, spec, input, output);

    if (error != 0) {
        return err_set_errno(err, error == EACCES ? ERR_DENIED : ERR_NOT_FOUND, error,
                             "cannot run '%s'", spec->path);
    }
    process->pidfd = pidfd_open(process->pid, 0);
    if (process->pidfd < 0) {
        siginfo_t info;

        error = errno;
        bury(process, &info);
        return err_set_errno(err, ERR_IO, error, "cannot wait for '%s'", spec->path);
    }
    return 0;
}

int process_start(struct process *process, struct loop *loop, const struct process_spec *spec,
                  const struct process_listener *listener, struct err *err)
{
    int ends[2] = { -1, -1 };
    int input = open_input(spec);
    int status;

    assert(!process->runs);
    *process = (struct process){ .loop = loop, .listener = *listener, .pidfd = -1, .output = -1 };
    if (input < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        status = err_set_errno(err, ERR_IO, errno, "cannot run '%s'", spec->path);
        fd_close(&input);
        return status;
    }
    status = start(process, spec, input, ends[1], err);
    fd_close(&input);
    fd_close(&ends[1]);
    if (status != 0) {
        fd_close(&ends[0]);
        return -1;
    }
    process->output = ends[0];
    process->runs = true;
    loop_watch_start(loop, &process->output_watch, process->output, on_output, process);
    loop_watch_start(loop, &process->exit_watch, process->pidfd, on_exit_seen, process);
    loop_timer_start(loop, &process->deadline, spec->timeout_ms, on_deadline, process);
    return 0;
}

void process_deinit(struct process *process)
{
    siginfo_t info;

    if (process->runs) {
        bury(process, &info);
        let_go(process);
    }
}

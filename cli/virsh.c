/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/virsh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* A start may wait for storage; timeout(1) ends it for certain. */
#define TIMEOUT_S      "120"
#define TIMED_OUT      124 /* Exit statuses of timeout(1). */
#define KILLED         137
#define NOT_EXECUTABLE 126
#define NOT_THERE      127

#define OUTPUT_MAX_BYTES ((size_t)4096)

static int spawn(char **argv, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int os_errno;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    os_errno = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return os_errno;
}

/* What it says, to its end, as one line; more than 'size' bytes are read and dropped. */
static void read_output(int fd, char *bytes, size_t size)
{
    char dropped[256];
    size_t used = 0;

    for (;;) {
        bool full = used == size - 1;
        ssize_t got =
            full ? read(fd, dropped, sizeof(dropped)) : read(fd, bytes + used, size - 1 - used);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        used += got > 0 && !full ? (size_t)got : 0;
    }
    bytes[used] = '\0';
    for (char *end = strchr(bytes, '\n'); end != NULL; end = strchr(end, '\n')) {
        *end = ' ';
    }
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int judge(int status, const char *program, const char *command, const char *guest,
                 const char *said, struct err *err)
{
    if (status == 0) {
        return 0;
    }
    if (status == TIMED_OUT || status == KILLED) {
        return err_set(err, ERR_TIMEOUT, "'%s %s %.100s' was ended after %s s", program, command,
                       guest, TIMEOUT_S);
    }
    if (status == NOT_THERE || status == NOT_EXECUTABLE) {
        return err_set(err, ERR_NOT_FOUND, "cannot run '%s'", program);
    }
    return err_set(err, ERR_FAILED, "'%s %s %.100s' failed: %s", program, command, guest, said);
}

int virsh_run(struct arena *arena, const char *program, const char *command, const char *guest,
              const char **said, struct err *err)
{
    const char *const words[] = { "timeout", "--kill-after=5", TIMEOUT_S, program,    "-q",
                                  "-c",      "qemu:///system", command,   "--domain", guest };
    char *argv[ARRAY_LEN(words) + 1] = { 0 };
    char output[OUTPUT_MAX_BYTES];
    const char *line;
    int ends[2];
    pid_t pid;
    int os_errno;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        argv[i] = arena_strdup(arena, words[i]);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot run '%s'", program);
    }
    os_errno = spawn(argv, ends[1], &pid);
    (void)close(ends[1]);
    if (os_errno != 0) {
        (void)close(ends[0]);
        return err_set_errno(err, ERR_IO, os_errno, "cannot run '%s'", argv[0]);
    }
    read_output(ends[0], output, sizeof(output));
    (void)close(ends[0]);
    line = text_visible(arena, text_trim(arena, output, strlen(output), " "));
    if (judge(wait_for(pid), program, command, guest, line, err) != 0) {
        return -1;
    }
    if (said != NULL) {
        *said = line;
    }
    return 0;
}

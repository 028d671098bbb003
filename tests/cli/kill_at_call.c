/* SPDX-License-Identifier: Apache-2.0 */

/*
 * kill_at_call N PROGRAM [ARG]...: runs it, and kills it right before its N-th system call that could change a
 * file.  What is on disk then is what a kill, or a power cut after everything was written, would leave.  Ends
 * as the program did, or with 137 if it was killed.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED 137

static bool changes_a_file(unsigned long call)
{
    static const unsigned long calls[] = {
        SYS_symlinkat, SYS_unlinkat, SYS_renameat2, SYS_mkdirat, SYS_openat, SYS_write,
        SYS_fsync,     SYS_fchown,   SYS_fchmod,    SYS_linkat,  SYS_flock,
#ifdef SYS_rename /* Older machines have these, too. */
        SYS_symlink,   SYS_unlink,   SYS_rename,    SYS_mkdir,   SYS_open,   SYS_link,
        SYS_renameat,
#endif
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i] == call) {
            return true;
        }
    }
    return false;
}

static void run(char **argv)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
        (void)execv(argv[0], argv);
    }
    perror(argv[0]);
    _exit(126);
}

static bool stands_before_change(pid_t pid)
{
    struct __ptrace_syscall_info info;

    return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_a_file(info.entry.nr);
}

static int kill_now(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return KILLED;
}

static int follow(pid_t pid, long limit)
{
    int status;

    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        int signal = WSTOPSIG(status);

        if (signal == (SIGTRAP | 0x80)) {
            signal = 0;
            if (stands_before_change(pid) && --limit == 0) {
                return kill_now(pid);
            }
        } else if (signal == SIGTRAP) { /* It has just become the program. */
            signal = 0;
            (void)ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
        }
        (void)ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    pid_t pid;

    if (argc < 3) {
        (void)fputs("usage: kill_at_call N PROGRAM [ARG]...\n", stderr);
        return 2;
    }
    pid = fork();
    if (pid == 0) {
        run(argv + 2);
    }
    return follow(pid, strtol(argv[1], NULL, 10));
}

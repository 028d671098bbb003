/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs commands on hosts as the controller does, one a line of standard input, over logins that it keeps:
 *
 *   ssh_probe KEY KNOWN_HOSTS                          KEY "-": the agent's
 *
 *   run ADDRESS TIMEOUT_MS MAX_OUTPUT INPUT WORD...    INPUT and WORDs in hexadecimal, "-" = empty
 *   tidy IDLE_MS                                       ends logins that have been idle for so long
 *   crowd THREADS ROUNDS ADDRESS...                    commands at all addresses from many threads at once
 *   close ADDRESS                                      closes while a command is under way, and opens anew
 *
 * answers, a line each: "done STATUS SIGNAL OUT ERR" (OUT and ERR in hexadecimal) and then what ssh_check()
 * says, or "failed CODE TEXT"; to tidy "kept" or "none"; to crowd and close how many commands went well.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

#define WORDS_MAX   64
#define THREADS_MAX 16

/* What threads do at once. */
struct crowd {
    struct ssh *ssh;
    char **addresses;
    size_t count;
    size_t rounds;
    const char *pause; /* Seconds that a command takes. */
    atomic_size_t done;
};

static char *unhex(struct arena *arena, const char *hex)
{
    size_t length = strlen(hex) / 2;
    char *bytes = arena_alloc(arena, length + 1, 1);

    for (size_t i = 0; i < length; i++) {
        const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

        bytes[i] = (char)strtoul(digits, NULL, 16);
    }
    return bytes;
}

static void print_hex(const char *bytes, size_t length)
{
    (void)putchar(' ');
    for (size_t i = 0; i < length; i++) {
        (void)printf("%02x", (unsigned char)bytes[i]);
    }
    if (length == 0) {
        (void)putchar('-');
    }
}

static void run(struct ssh *ssh, char **words, size_t count)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *argv[WORDS_MAX + 1] = { NULL };
    struct ssh_call call = {
        .argv = argv,
        .timeout_ms = strtoll(words[1], NULL, 10),
        .max_output = strtoull(words[2], NULL, 10),
        .input = unhex(&arena, words[3]),
    };
    struct ssh_output output;
    struct err err = { 0 };

    for (size_t i = 4; i < count; i++) {
        argv[i - 4] = unhex(&arena, words[i]);
    }
    if (ssh_run(ssh, &arena, words[0], &call, &output, &err) < 0) {
        (void)printf("failed %s %s\n", err_code_name(err.code), err.text);
        return;
    }
    (void)printf("done %d %s", output.status, output.signal == NULL ? "-" : output.signal);
    print_hex(output.out, output.out_length);
    print_hex(output.err, strlen(output.err));
    if (ssh_check(&arena, words[0], "try it", &output, &err) < 0) {
        (void)printf(" %s", err.text);
    }
    (void)putchar('\n');
}

static void *run_rounds(void *context)
{
    struct crowd *crowd = context;
    const char *const argv[] = { "sleep", crowd->pause, NULL };
    const struct ssh_call call = { .argv = argv, .timeout_ms = 60000 };

    for (size_t i = 0; i < crowd->rounds * crowd->count; i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct ssh_output output;
        struct err err;

        if (ssh_run(crowd->ssh, &arena, crowd->addresses[i % crowd->count], &call, &output, &err) ==
                0 &&
            output.status == 0) {
            crowd->done++;
        }
    }
    ssh_leave(crowd->ssh);
    return NULL;
}

static void run_crowd(struct crowd *crowd, size_t threads, bool close)
{
    pthread_t running[THREADS_MAX];
    size_t count = 0;

    while (count < threads && count < THREADS_MAX) {
        (void)ssh_join(crowd->ssh);
        if (pthread_create(&running[count], NULL, run_rounds, crowd) != 0) {
            abort();
        }
        count++;
    }
    if (close) {
        ssh_close(crowd->ssh);
    }
    while (count > 0) {
        (void)pthread_join(running[--count], NULL);
    }
    (void)printf("%zu\n", (size_t)crowd->done);
}

/* Does what a line says; the ssh to go on with. */
static struct ssh *obey(struct ssh *ssh, const struct ssh_settings *settings, char **words,
                        size_t count)
{
    struct crowd crowd = { .ssh = ssh, .pause = "0" };

    if (count > 4 && strcmp(words[0], "run") == 0) {
        run(ssh, words + 1, count - 1);
    } else if (count == 2 && strcmp(words[0], "tidy") == 0) {
        (void)puts(ssh_tidy(ssh, strtoll(words[1], NULL, 10)) < 0 ? "none" : "kept");
    } else if (count > 3 && strcmp(words[0], "crowd") == 0) {
        crowd.addresses = words + 3;
        crowd.count = count - 3;
        crowd.rounds = strtoull(words[2], NULL, 10);
        run_crowd(&crowd, strtoull(words[1], NULL, 10), false);
    } else if (count == 2 && strcmp(words[0], "close") == 0) {
        crowd.addresses = words + 1;
        crowd.count = 1;
        crowd.rounds = 1;
        crowd.pause = "1";
        run_crowd(&crowd, 2, true);
        return ssh_open(settings);
    } else {
        (void)puts("failed usage what is this?");
    }
    return ssh;
}

int main(int argc, char **argv)
{
    bool agent = argc < 2 || strcmp(argv[1], "-") == 0;
    struct ssh_settings settings = { agent ? NULL : argv[1], argc < 3 ? NULL : argv[2] };
    struct ssh *ssh = ssh_open(&settings);
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        char *words[WORDS_MAX] = { NULL };
        size_t count = 0;
        char *save = NULL;

        for (char *word = strtok_r(line, " \n", &save); word != NULL && count < WORDS_MAX;
             word = strtok_r(NULL, " \n", &save)) {
            words[count++] = word;
        }
        ssh = obey(ssh, &settings, words, count);
        (void)fflush(stdout);
    }
    free(line);
    ssh_close(ssh);
    return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cli: what every command of 'berth' shares: options, config, the words for errors, and the exit
 * statuses of contract.md §6.
 *
 * Results go to stdout, everything else to stderr.  Errors read "berth: WHAT: WHY", one line, and a hint
 * on the next where there is one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/base.h"
#include "reconciler/config.h"
#include "reconciler/source.h"

struct err;
struct faults;

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_INVALID = 2,   /* Bad usage, config or es.xml. */
    CLI_PENDING = 3,   /* plan and diff with --exit-code: changes are pending. */
    CLI_BLOCKED = 4,   /* Some guest is blocked. */
    CLI_CANCELLED = 5, /* Cancelled or timed out. */
};

struct cli {
    struct arena arena;      /* Lives as long as the command. */
    const char *command;     /* "plan" */
    const char *config_path; /* -c, or NULL: the default path, which may be absent. */
    bool json;
    bool colour; /* stdout is a terminal, NO_COLOR is not set. */
    struct config config;
};

/* One option of a command beside the common ones (-c, --json, -h). */
struct cli_option {
    const char *name;  /* Long name. */
    const char *value; /* What its argument is called, or NULL: a flag. */
    const char *help;
    char letter;       /* Short name, or '\0'. */
    bool *flag;        /* Set to true, or NULL. */
    const char **text; /* Set to the argument, or NULL. */
};

struct cli_command {
    const char *name;
    const char *arguments; /* "[ES_XML]" */
    const char *summary;   /* One line. */
    const char *details;   /* Paragraphs of --help, or NULL. */
    bool is_program;       /* Run by its own name, not as 'berth NAME'; prints no JSON. */
    int (*run)(struct cli *cli, int argc, char **argv);
};

/* Reads options of 'command' (the 'count' at 'options' and the common ones) and checks the number of
 * other arguments.  Returns -1 to go on, with argv[0..*argc) holding the other arguments, or the exit
 * status to end with at once (after --help, or after an error it has printed). */
int cli_parse(struct cli *cli, const struct cli_command *command, const struct cli_option *options,
              size_t count, int *argc, char **argv, int min_arguments, int max_arguments);

/* cli_parse(), then cli_load_config(). */
int cli_start(struct cli *cli, const struct cli_command *command, const struct cli_option *options,
              size_t count, int *argc, char **argv, int min_arguments, int max_arguments);

/* The config file that is read: -c, or the default one. */
const char *cli_config_path(const struct cli *cli);

/* Reads the config file.  0, or the exit status after printing why not. */
int cli_load_config(struct cli *cli);

/* Reads and checks es.xml at 'path' (NULL: the config's).  0, or the exit status after printing the
 * faults. */
int cli_load_revision(struct cli *cli, const char *path, struct revision *revision);

/* Makes the process fit to print: a reader that went away and a file that may not grow are errors of the
 * write, and no file that is opened later takes the place of a standard stream that is closed. */
void cli_begin(void);

/* The exit status of a command that ends with 'status': what it printed must have been written. */
int cli_end(int status);

/* True if 'fd' is a terminal that obeys escape sequences; and if it is wanted coloured (NO_COLOR). */
bool cli_is_terminal(int fd);
bool cli_has_colour(int fd);

/* Prints "berth: WHAT: WHY", and "hint: ..." if there is a hint. */
void cli_error(const char *hint, const char *fmt, ...) PRINTF(2, 3);

/* Prints '*err' as cli_error() does, with the hint its code has, and returns the exit status for it. */
int cli_fail(const struct err *err);

/* Prints why the es.xml at 'file' is not acted on: its faults, or '*err' if there are none. */
void cli_refuse(const char *file, const struct faults *faults, const struct err *err);

/* Prints "FILE:LINE: message" for each fault, and how many were left out. */
void cli_print_faults(const char *file, const struct faults *faults);

/* Who runs this, for the journal: a name of /etc/passwd or "uid 1234". */
const char *cli_user(struct cli *cli);

/* Milliseconds since 1970: for what is shown next to times of the journal. */
int64_t cli_now_ms(void);

/* Writes 'length' bytes to stdout; a reader that went away or a full disk is CLI_FAILED, printed. */
int cli_print(const char *bytes, size_t length);

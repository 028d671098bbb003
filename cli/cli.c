/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "model/fault.h"

#define OPTIONS_MAX    16
#define COMMON_OPTIONS 3 /* --config, --json, --help */

/* Longest line of an error: two paths and a sentence. */
#define ERROR_MAX_BYTES 9216

/* Values of getopt_long() for long options, above every letter. */
#define LONG_BASE 256

static void print_option(const char *name, char letter, const char *value, const char *help)
{
    char left[64];
    int used = 0;

    used = letter == '\0' ? snprintf(left, sizeof(left), "      --%s", name)
                          : snprintf(left, sizeof(left), "  -%c, --%s", letter, name);
    if (value != NULL && used > 0 && (size_t)used < sizeof(left)) {
        (void)snprintf(left + used, sizeof(left) - (size_t)used, " %s", value);
    }
    printf("%-28s %s\n", left, help);
}

static void print_help(const struct cli_command *command, const struct cli_option *options,
                       size_t count)
{
    printf("usage: %s%s [options]%s%s\n\n%s\n", command->is_program ? "" : "berth ", command->name,
           command->arguments[0] == '\0' ? "" : " ", command->arguments, command->summary);
    if (command->details != NULL) {
        printf("\n%s\n", command->details);
    }
    printf("\nOptions:\n");
    for (size_t i = 0; i < count; i++) {
        print_option(options[i].name, options[i].letter, options[i].value, options[i].help);
    }
    print_option("config", 'c', "FILE", "read FILE in place of " CONFIG_DEFAULT_PATH);
    if (!command->is_program) {
        print_option("json", '\0', NULL, "print the result as JSON");
    }
    print_option("help", 'h', NULL, "print this");
}

static void build_long_options(const struct cli_option *options, size_t count, struct option *longs,
                               char *letters)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        longs[i] = (struct option){ options[i].name,
                                    options[i].value == NULL ? no_argument : required_argument,
                                    NULL, LONG_BASE + (int)i };
        if (options[i].letter != '\0') {
            letters[used++] = options[i].letter;
            if (options[i].value != NULL) {
                letters[used++] = ':';
            }
        }
    }
    longs[count] = (struct option){ "config", required_argument, NULL, 'c' };
    longs[count + 1] = (struct option){ "json", no_argument, NULL, LONG_BASE + OPTIONS_MAX };
    longs[count + 2] = (struct option){ "help", no_argument, NULL, 'h' };
    longs[count + 3] = (struct option){ 0 };
    memcpy(letters + used, "c:h", 4);
}

static const struct cli_option *find_option(const struct cli_option *options, size_t count,
                                            int found)
{
    for (size_t i = 0; i < count; i++) {
        if (found == LONG_BASE + (int)i ||
            (options[i].letter != '\0' && found == options[i].letter)) {
            return &options[i];
        }
    }
    return NULL;
}

static int bad_usage(const struct cli_command *command)
{
    (void)fprintf(stderr, "hint: try '%s%s --help'\n", command->is_program ? "" : "berth ",
                  command->name);
    return CLI_INVALID;
}

static void set_option(const struct cli_option *option)
{
    if (option->flag != NULL) {
        *option->flag = true;
    }
    if (option->text != NULL) {
        *option->text = optarg;
    }
}

static int check_count(const struct cli_command *command, int count, int min, int max)
{
    if (count >= min && count <= max) {
        return -1;
    }
    cli_error(NULL, "%s: %s", command->name,
              count < min ? "an argument is missing" : "too many arguments");
    return bad_usage(command);
}

int cli_parse(struct cli *cli, const struct cli_command *command, const struct cli_option *options,
              size_t count, int *argc, char **argv, int min_arguments, int max_arguments)
{
    struct option longs[OPTIONS_MAX + COMMON_OPTIONS + 1];
    char letters[2 * OPTIONS_MAX + 4];
    int found;
    int rest;

    build_long_options(options, count, longs, letters);
    argv[0] = text_format(&cli->arena, "berth: %s", command->name);
    optind = 1;
    while ((found = getopt_long(*argc, argv, letters, longs, NULL)) != -1) {
        const struct cli_option *option = find_option(options, count, found);

        if (option != NULL) {
            set_option(option);
        } else if (found == 'c') {
            cli->config_path = optarg;
        } else if (found == LONG_BASE + OPTIONS_MAX && !command->is_program) {
            cli->json = true;
        } else if (found == 'h') {
            print_help(command, options, count);
            return CLI_OK;
        } else {
            return bad_usage(command);
        }
    }
    rest = *argc - optind;
    memmove(argv, argv + optind, (size_t)rest * sizeof(*argv));
    argv[rest] = NULL;
    *argc = rest;
    return check_count(command, rest, min_arguments, max_arguments);
}

void cli_begin(void)
{
    int fd;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    do { /* Open in no way that a standard stream is used: writing to it fails, as if it were closed. */
        fd = open("/", O_PATH);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        (void)close(fd);
    }
}

int cli_end(int status)
{
    if ((fflush(stdout) == 0 && ferror(stdout) == 0) || status != CLI_OK) {
        return status;
    }
    cli_error(NULL, "cannot write the result: %s", strerror(errno));
    return CLI_FAILED;
}

bool cli_is_terminal(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

bool cli_has_colour(int fd)
{
    const char *no_colour = getenv("NO_COLOR");

    return cli_is_terminal(fd) && (no_colour == NULL || no_colour[0] == '\0');
}

void cli_error(const char *hint, const char *fmt, ...)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char line[ERROR_MAX_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    (void)fflush(stdout);
    (void)fprintf(stderr, "berth: %s\n", text_visible(&arena, line));
    if (hint != NULL) {
        (void)fprintf(stderr, "hint: %s\n", hint);
    }
}

static const char *hint_for(enum err_code code)
{
    switch (code) {
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
        return "'virsh -c URI list' from this machine shows whether libvirt answers there";
    case ERR_DENIED:
        return "run it as a user who may, or see the rights of the file or key it names";
    case ERR_BUSY:
        return "wait for the other one to end, or stop it";
    case ERR_NONE:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_IO:
    case ERR_FAILED:
    case ERR_UNSAFE:
    case ERR_INCOMPATIBLE:
    case ERR_REFUSED:
    case ERR_CANCELLED:
    case ERR_INTERNAL:
    case ERR_CODE_COUNT:
        break;
    }
    return NULL;
}

int cli_fail(const struct err *err)
{
    cli_error(hint_for(err->code), "%s", err->text);
    if (err->code == ERR_INVALID) {
        return CLI_INVALID;
    }
    return err->code == ERR_CANCELLED ? CLI_CANCELLED : CLI_FAILED;
}

void cli_refuse(const char *file, const struct faults *faults, const struct err *err)
{
    if (faults->count > 0) {
        cli_print_faults(file, faults);
        return;
    }
    (void)cli_fail(err);
    if (err->code == ERR_NOT_FOUND) {
        (void)fprintf(
            stderr, "hint: 'berth discover URI... > %s' writes one that describes what runs now\n",
            file);
    }
}

void cli_print_faults(const char *file, const struct faults *faults)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    (void)fflush(stdout);
    for (size_t i = 0; i < faults->count; i++) {
        const char *message = text_visible(&arena, faults->items[i].text);

        if (faults->items[i].line == 0) {
            (void)fprintf(stderr, "%s: %s\n", file, message);
        } else {
            (void)fprintf(stderr, "%s:%u: %s\n", file, faults->items[i].line, message);
        }
    }
    if (faults->dropped > 0) {
        (void)fprintf(stderr, "%s: and %zu more faults\n", file, faults->dropped);
    }
}

const char *cli_config_path(const struct cli *cli)
{
    return cli->config_path != NULL ? cli->config_path : CONFIG_DEFAULT_PATH;
}

int cli_load_config(struct cli *cli)
{
    const char *path = cli_config_path(cli);
    struct faults faults = fault_list(&cli->arena);
    struct err err = { .code = ERR_NONE };

    if (config_read(&cli->arena, path, &cli->config, &faults, &err) == 0) {
        return 0;
    }
    if (faults.count > 0) {
        cli_print_faults(path, &faults);
        return CLI_INVALID;
    }
    if (err.code == ERR_NOT_FOUND && cli->config_path == NULL) {
        cli->config = config_default();
        return 0;
    }
    (void)cli_fail(&err);
    return CLI_INVALID;
}

int cli_start(struct cli *cli, const struct cli_command *command, const struct cli_option *options,
              size_t count, int *argc, char **argv, int min_arguments, int max_arguments)
{
    int status = cli_parse(cli, command, options, count, argc, argv, min_arguments, max_arguments);

    if (status < 0) {
        status = cli_load_config(cli);
        status = status == 0 ? -1 : status;
    }
    return status;
}

int cli_load_revision(struct cli *cli, const char *path, struct revision *revision)
{
    const char *file = path != NULL ? path : cli->config.es_xml;
    struct source source = source_file(file);
    struct faults faults = fault_list(&cli->arena);
    struct err err = { .code = ERR_NONE };

    if (source_read_revision(&source, &cli->arena, &cli->config.policy, revision, &faults, &err) ==
        0) {
        return 0;
    }
    cli_refuse(file, &faults, &err);
    return CLI_INVALID;
}

const char *cli_user(struct cli *cli)
{
    const struct passwd *entry = getpwuid(getuid());

    return entry != NULL ? arena_strdup(&cli->arena, entry->pw_name)
                         : text_format(&cli->arena, "uid %u", (unsigned)getuid());
}

int64_t cli_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int cli_print(const char *bytes, size_t length)
{
    if (fwrite(bytes, 1, length, stdout) == length && fflush(stdout) == 0) {
        return CLI_OK;
    }
    cli_error(NULL, "cannot write the result: %s", strerror(errno));
    return CLI_FAILED;
}

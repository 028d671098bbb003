/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Golden cases: a folder with es.xml, observed.json and perhaps berth.conf and 'exclusions' becomes
 * plan.txt, diff.txt and plan.json, byte for byte.  UPDATE_GOLDEN=1 writes them anew.
 *
 * Usage: golden FOLDER...
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "diff/diff.h"
#include "diff/explain.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "diff/render.h"
#include "diff/verify.h"
#include "model/desired.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "model/observed.h"
#include "model/observed_json.h"
#include "reconciler/config.h"

#define EXCLUSIONS_MAX 16

/* Everything one case is made of. */
struct golden {
    struct arena *arena;
    const char *folder;
    struct desired desired;
    struct observed observed;
    struct config config;
    struct plan_exclusion exclusions[EXCLUSIONS_MAX];
    struct plan_input input;
};

static char *path_in(const struct golden *golden, const char *name)
{
    return text_format(golden->arena, "%s/%s", golden->folder, name);
}

/* The bytes of a file of the case, or NULL if it has none; anything else ends the program. */
static char *read_part(struct golden *golden, const char *name, size_t *length)
{
    struct err err;
    char *bytes;

    if (file_read(golden->arena, path_in(golden, name), ES_XML_MAX_BYTES, &bytes, length, &err) ==
        0) {
        return bytes;
    }
    if (err.code != ERR_NOT_FOUND) {
        (void)fprintf(stderr, "golden: %s\n", err.text);
        exit(EXIT_FAILURE);
    }
    return NULL;
}

static char *read_needed(struct golden *golden, const char *name, size_t *length)
{
    char *bytes = read_part(golden, name, length);

    if (bytes == NULL) {
        (void)fprintf(stderr, "golden: '%s' has no '%s'\n", golden->folder, name);
        exit(EXIT_FAILURE);
    }
    return bytes;
}

static void print_faults(const char *file, const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        (void)fprintf(stderr, "%s:%u: %s\n", file, faults->items[i].line, faults->items[i].text);
    }
    exit(EXIT_FAILURE);
}

static void load_desired(struct golden *golden)
{
    struct faults faults = fault_list(golden->arena);
    size_t length = 0;
    const char *bytes = read_needed(golden, "es.xml", &length);
    char *digest = arena_alloc(golden->arena, DIGEST_TEXT_SIZE, 1);

    if (es_xml_read(golden->arena, bytes, length, &golden->desired, &faults) != 0) {
        print_faults(path_in(golden, "es.xml"), &faults);
    }
    golden->input.es_xml_sha256 = digest_of(bytes, length, digest);
}

static void load_observed(struct golden *golden)
{
    struct err err;
    size_t length = 0;
    const char *bytes = read_needed(golden, "observed.json", &length);

    if (observed_json_read(golden->arena, bytes, length, &golden->observed, &err) != 0) {
        (void)fprintf(stderr, "golden: %s: %s\n", golden->folder, err.text);
        exit(EXIT_FAILURE);
    }
}

static void load_config(struct golden *golden)
{
    struct faults faults = fault_list(golden->arena);
    struct err err;
    size_t length = 0;

    golden->config = config_default();
    if (read_part(golden, "berth.conf", &length) != NULL &&
        config_read(golden->arena, path_in(golden, "berth.conf"), &golden->config, &faults, &err) !=
            0) {
        print_faults(path_in(golden, "berth.conf"), &faults);
    }
}

/* Lines "GUEST CODE REASON...", sorted by guest: what the controller would keep out of the plan. */
static void load_exclusions(struct golden *golden)
{
    size_t length = 0;
    char *bytes = read_part(golden, "exclusions", &length);
    char *rest = NULL;

    for (char *line = bytes == NULL ? NULL : strtok_r(bytes, "\n", &rest);
         line != NULL && golden->input.exclusion_count < EXCLUSIONS_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        char *words = NULL;
        const char *guest = strtok_r(line, " ", &words);
        const char *code = strtok_r(NULL, " ", &words);

        golden->exclusions[golden->input.exclusion_count++] =
            (struct plan_exclusion){ guest, plan_code_from_name(code), words };
    }
}

static void load(struct golden *golden)
{
    load_desired(golden);
    load_observed(golden);
    load_config(golden);
    load_exclusions(golden);
    golden->input.desired = &golden->desired;
    golden->input.observed = &golden->observed;
    golden->input.policy = &golden->config.policy;
    golden->input.exclusions = golden->exclusions;
    golden->input.recorded = true;
}

/* Compares 'text' with the file called 'name', or writes it.  Returns the number of failures. */
static int compare(struct golden *golden, const char *name, const struct text *text)
{
    struct err err;
    size_t length = 0;
    const char *update = getenv("UPDATE_GOLDEN");
    const char *expected;

    if (update != NULL && strcmp(update, "1") == 0) {
        if (file_replace(path_in(golden, name), text->data, text->length, 0644, &err) != 0) {
            (void)fprintf(stderr, "golden: %s\n", err.text);
            return 1;
        }
        return 0;
    }
    expected = read_part(golden, name, &length);
    if (expected != NULL && length == text->length && memcmp(expected, text->data, length) == 0) {
        return 0;
    }
    (void)fprintf(stderr, "golden: %s differs (UPDATE_GOLDEN=1 accepts); now it is:\n%s",
                  path_in(golden, name), text->data);
    return 1;
}

/* What people read: the plan, then each guest that is moved or blocked in a few sentences. */
static int compare_text(struct golden *golden, const struct plan *plan, const struct diff *diff)
{
    struct text text = text_new(golden->arena);

    render_plan(golden->arena, &text, plan, false);
    for (size_t i = 0; i < diff->count; i++) {
        if (diff->guests[i].class != DIFF_PLACED) {
            text_append(&text, "\n");
            (void)explain_guest(golden->arena, &text, &golden->input, plan, diff->guests[i].name);
        }
    }
    return compare(golden, "plan.txt", &text);
}

static int compare_diff(struct golden *golden, const struct diff *diff)
{
    struct text text = text_new(golden->arena);

    render_diff(golden->arena, &text, diff, false);
    return compare(golden, "diff.txt", &text);
}

static int compare_json(struct golden *golden, const struct plan *plan)
{
    struct text text = text_new(golden->arena);

    plan_json_write(&text, plan);
    return compare(golden, "plan.json", &text);
}

static int run(const char *folder)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct golden golden = { .arena = &arena, .folder = folder };
    struct plan plan;
    struct diff diff;
    struct err err;
    int failures = 0;

    load(&golden);
    plan = plan_build(&arena, &golden.input);
    diff = diff_compute(&arena, &golden.desired, &golden.observed);
    if (verify_plan(&golden.input, &plan, 0, &err) != 0) {
        (void)fprintf(stderr, "golden: %s: %s\n", folder, err.text);
        failures++;
    }
    failures += compare_text(&golden, &plan, &diff);
    failures += compare_diff(&golden, &diff);
    return failures + compare_json(&golden, &plan);
}

int main(int argc, char **argv)
{
    int failures = argc < 2;

    for (int i = 1; i < argc; i++) {
        failures += run(argv[i]);
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

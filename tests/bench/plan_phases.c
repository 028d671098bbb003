/* SPDX-License-Identifier: Apache-2.0 */

/* Times the parts of 'berth plan' in one process: plan_phases ES_XML OBSERVED_JSON prints seconds as
 * JSON.  For tests/bench/bench_plan.py. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "diff/verify.h"
#include "model/desired.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "model/observed.h"
#include "model/observed_json.h"
#include "model/policy.h"

#define FILE_MAX ((size_t)1 << 30)

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "plan_phases: %s\n", what);
    exit(EXIT_FAILURE);
}

static char *read_all(struct arena *arena, const char *path, size_t *length)
{
    struct err err;
    char *bytes;

    if (file_read(arena, path, FILE_MAX, &bytes, length, &err) != 0) {
        fail(err.text);
    }
    return bytes;
}

int main(int argc, char **argv)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct policy policy = policy_default();
    struct faults faults = fault_list(&arena);
    struct text text = text_new(&arena);
    struct plan_input input = { .policy = &policy, .es_xml_sha256 = "", .recorded = true };
    struct desired desired;
    struct observed observed;
    struct plan plan;
    struct err err;
    double times[6];
    char *bytes;
    size_t length;

    if (argc != 3) {
        fail("usage: plan_phases ES_XML OBSERVED_JSON");
    }
    policy.reserve = (struct policy_reserve){ 0 };
    times[0] = now();
    bytes = read_all(&arena, argv[1], &length);
    if (es_xml_read(&arena, bytes, length, &desired, &faults) != 0) {
        fail("es.xml has faults");
    }
    times[1] = now();
    bytes = read_all(&arena, argv[2], &length);
    if (observed_json_read(&arena, bytes, length, &observed, &err) != 0) {
        fail(err.text);
    }
    times[2] = now();
    input.desired = &desired;
    input.observed = &observed;
    plan = plan_build(&arena, &input);
    times[3] = now();
    if (verify_plan(&input, &plan, 0, &err) != 0) {
        fail(err.text);
    }
    times[4] = now();
    plan_json_write(&text, &plan);
    times[5] = now();
    printf("{\"read_es\":%f,\"read_observed\":%f,\"plan\":%f,\"verify\":%f,\"print\":%f}\n",
           times[1] - times[0], times[2] - times[1], times[3] - times[2], times[4] - times[3],
           times[5] - times[4]);
    return EXIT_SUCCESS;
}

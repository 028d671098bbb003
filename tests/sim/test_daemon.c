/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The whole daemon against everything that can happen to it, thousands of times, each from a seed (play.h).
 *
 * sim_daemon --seed N (or BERTH_SEED=N) performs one play, and says what happened in it.  Whenever a play
 * fails, its seed is printed with the fewest mishaps that are enough.
 */

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"
#include "play.h"
#include "tests/runner.h"

/* Debug builds, sanitizers among them, take their time: fewer seeds there. */
#ifdef MANY_FLEETS
#define SEEDS 1500
#else
#define SEEDS 50
#endif
#define SEEDS_A_TEST 50 /* One process each. */
#define MISHAPS_MAX  96u
#define SEED         "BERTH_SEED"

static struct play play;

/* What a play without the mishaps that are left out comes to, "" = well; and how many there are. */
static size_t perform(uint64_t seed, const bool left_out[MISHAPS_MAX], char blame[512])
{
    size_t count;

    play_perform(&play, seed, left_out);
    memcpy(blame, play.witness.blame, 512);
    count = play.mishap_count;
    play_deinit(&play);
    return count;
}

/* Performs it once more, and tells what happens. */
static void tell(struct text *text, uint64_t seed, const bool left_out[MISHAPS_MAX])
{
    play.chronicle = text;
    play_perform(&play, seed, left_out);
    text_printf(text, "%zu lives, %zu moves, %zu by force, %zu operations, %zu checks: %s\n",
                play.lives, play.witness.moves_begun, play.rescue.moved, play.witness.operations,
                play.witness.checks,
                play.witness.blame[0] == '\0' ? "all went well" : play.witness.blame);
    play_deinit(&play);
    play.chronicle = NULL;
}

/* One mishap after the other is left out, as long as something still goes wrong. */
static void shrink(uint64_t seed, bool left_out[MISHAPS_MAX], size_t count)
{
    char blame[512];

    for (size_t i = 0; i < count; i++) {
        left_out[i] = true;
        (void)perform(seed, left_out, blame);
        left_out[i] = blame[0] != '\0';
    }
}

static void run_seed(uint64_t seed)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);
    bool left_out[MISHAPS_MAX] = { false };
    char blame[512];
    size_t count = perform(seed, left_out, blame);

    if (blame[0] != '\0') {
        shrink(seed, left_out, count);
        tell(&text, seed, left_out);
        (void)fprintf(stderr, "seed %" PRIu64 ":\n%s", seed, text.data);
        ck_abort_msg("seed %" PRIu64 ": %s", seed, blame);
    }
}

START_TEST(every_play_keeps_all_promises_and_comes_to_rest)
{
    for (uint64_t i = 0; i < SEEDS_A_TEST; i++) {
        run_seed((uint64_t)_i * SEEDS_A_TEST + i);
    }
}
END_TEST

/* BERTH_SEED's, in all its length. */
START_TEST(this_play_keeps_all_promises_and_comes_to_rest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);
    const bool left_out[MISHAPS_MAX] = { false };
    uint64_t seed;

    ck_assert(text_to_u64(getenv(SEED), UINT64_MAX, &seed));
    tell(&text, seed, left_out);
    (void)fputs(text.data, stderr);
    ck_assert_str_eq(play.witness.blame, "");
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("daemon");
    TCase *tcase = tcase_create("plays");
    int status;

    if (argc == 3 && strcmp(argv[1], "--seed") == 0 && setenv(SEED, argv[2], 1) != 0) {
        return EXIT_FAILURE;
    }
    if (getenv(SEED) != NULL) {
        tcase_add_test(tcase, this_play_keeps_all_promises_and_comes_to_rest);
    } else {
        tcase_add_loop_test(tcase, every_play_keeps_all_promises_and_comes_to_rest, 0,
                            SEEDS / SEEDS_A_TEST);
    }
    tcase_set_timeout(tcase, 900);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}

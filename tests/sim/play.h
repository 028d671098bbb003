/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Play: the whole daemon against a random fleet and everything that can happen to it, from one seed.
 *
 * Several controllers live one after the other: they are killed at a commit, a call or any instant, end
 * because their disk is full or because they are told to, and are started again.  After every callback the
 * witness looks.  When nothing happens any more, the fleet must come to rest with every guest in its place or
 * a reason why not, and then nothing may be done or written any more.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cast.h"
#include "life.h"
#include "mishap.h"
#include "outfit.h"
#include "rescue.h"
#include "witness.h"
#include "world.h"

struct err;
struct text;

struct play_order {
    struct play_order *next;
    struct play *play;
    size_t answers;
};

struct play {
    struct text *chronicle; /* What happens is told here, or NULL; set before the play. */
    struct arena arena;     /* Of the cast. */
    struct world world;
    struct cast cast;
    struct outfit outfit;
    struct rescue rescue;
    struct witness witness;
    const struct mishap *mishaps;
    size_t mishap_count;
    const bool *left_out; /* Mishaps that do not happen, or NULL. */
    size_t next;          /* The mishap that comes next. */
    int64_t length_ms;    /* Then there is peace. */

    struct life *life; /* NULL between lives. */
    int64_t now_ms;    /* Since the beginning; when the life began, during one. */
    int64_t ended_ms;  /* How long the last life was. */
    struct loop_timer timer;
    enum life_disk disk;
    uint64_t saves;
    const char *saved;       /* What the file holds by somebody else's hand. */
    const char *good_es_xml; /* What was saved in order last. */
    struct play_order *orders;

    const struct mishap
        *hand;        /* What a person does by hand before the next controller starts, or NULL. */
    bool peace;       /* Nothing happens any more. */
    bool renews;      /* Then the file is saved as a new revision: what failed is tried at once. */
    bool releases;    /* Then a person releases what is held. */
    int64_t peace_ms; /* Since when. */
    int64_t quiet_ms; /* Since when nothing was done or written. */
    size_t activity;  /* Commits and operations, at that time. */
    size_t lives;
    size_t callbacks; /* Of the life. */
    bool may_end;     /* A controller has had a reason to end by itself. */
    bool over;
};

/* Performs the play of 'seed'.  'left_out' (or NULL) says which mishaps do not happen.  What went wrong is in
 * play->witness.blame; the caller deinitialises it in any case. */
void play_perform(struct play *play, uint64_t seed, const bool *left_out);

/* Tells something in the chronicle. */
void play_tell(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True if a controller lives that people can ask for something. */
bool play_can_ask(const struct play *play);

/* The instant it is. */
int64_t play_now_ms(const struct play *play);

/* Lets edit(context) do something to the fleet, with a controller or without, and tells the witness. */
void play_edit(struct play *play, sim_edit_fn *edit, void *context);

/* A person asks a controller for something: play_answer(play_ask(play)) is its answer, which must come once. */
struct play_order *play_ask(struct play *play);
void play_answer(void *context, const struct err *err, const char *text);

/* Saves 'es_xml', NULL = deletes the file. */
void play_save(struct play *play, const char *es_xml, bool in_order, bool unnoticed);

/* Releases everything. */
void play_deinit(struct play *play);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Journal: what the controller intended, did and learnt (R5), behind an asynchronous interface so that
 * a replicated one can take its place.
 *
 * Writing: a batch of records is submitted and completes exactly once, on the loop thread, never from
 * inside journal_submit().  All of a batch is kept or none.  Reading is synchronous, by key or range,
 * and sees everything that has completed.  Records are keyed (epoch, seq), never by rowid; a put of an
 * existing key replaces it.  es.xml texts, plans and domain XML live content-addressed in
 * state_dir/objects/SHA256 and are written, synced, before the batch that names them.
 *
 * One journal a state directory: opening takes a lock, a second opener gets ERR_BUSY with the first
 * one's pid.  journal_open_readonly() takes no lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "model/observed.h"
#include "model/op.h"

struct arena;
struct journal;
struct loop;

enum journal_result {
    JOURNAL_COMMITTED,
    JOURNAL_FENCED,  /* A later epoch owns the journal: stop acting. */
    JOURNAL_FAILED,  /* Nothing of the batch was kept. */
    JOURNAL_UNKNOWN, /* Read it back by its keys. */
};

struct journal_key {
    uint64_t epoch;
    uint64_t seq;
};

enum journal_move_state {
    JOURNAL_MOVE_OPEN,
    JOURNAL_MOVE_DONE,
    JOURNAL_MOVE_FAILED,      /* The guest is where and as it was. */
    JOURNAL_MOVE_ROLLED_BACK, /* It was stopped, and is back at the source. */
    JOURNAL_MOVE_CANCELLED,
    JOURNAL_MOVE_STATE_COUNT,
};

/* One move of one guest, from its intent to its outcome. */
struct journal_move {
    struct journal_key key;
    uint64_t run; /* seq of the run. */
    const char *guest;
    const char *uuid;
    const char *from;
    const char *to;
    enum move_mode mode;
    bool detour;               /* 'to' is a temporary host. */
    enum guest_state original; /* Of the guest before: RUNNING, PAUSED or SHUTOFF. */
    bool autostart;            /* Before; restored after. */
    bool persistent;
    char xml_digest[DIGEST_TEXT_SIZE];    /* Inactive definition, or "". */
    char target_digest[DIGEST_TEXT_SIZE]; /* Our definition as 'to' gives it back, or "". */
    char es_digest[DIGEST_TEXT_SIZE];     /* Revision it serves. */
    int64_t begun_ms;                     /* Wall clock, as the others. */
    int64_t deadline_ms;
    int64_t ended_ms; /* 0 = open. */
    enum journal_move_state state;
    bool tried;          /* An operation that can move the guest was committed. */
    bool back;           /* Going back to 'from'. */
    bool target_made;    /* We defined it on 'to'. */
    bool source_removed; /* We undefined it on 'from'. */
    bool cancel_requested;
    bool unclear;        /* Past its deadline without an answer: holds its guest, not the slot. */
    enum err_code error; /* Why it failed or was rolled back; ERR_NONE. */
    const char *error_text;
    int64_t total_ms; /* Figures of a live move; 0 = not reported. */
    int64_t downtime_ms;
    uint64_t bytes;
    uint64_t iterations;
    int64_t predicted_ms; /* total_ms as foretold early in the copy; 0 = not, INT64_MAX = never. */
    uint64_t written_bytes_s;  /* What the guest wrote then. */
    uint32_t throttle_percent; /* The most that it was slowed down by. */
    bool postcopy;             /* It was finished by post-copy. */
    bool overran;              /* Cancelled at its deadline, with the copy going on. */
    bool fallback;             /* In place of a live one that overran, as policy says. */
    char supplies_digest
        [DIGEST_TEXT_SIZE]; /* What the platform provides for the guest ("berth.supplies/1"),
                                               or "". */
    uint32_t
        made; /* Kinds of it (SUPPLY_BIT) that were not all on 'to' before, and that we provide there. */
    bool by_hand; /* A person runs it step by step: it stays open between. */
};

enum journal_step_state {
    JOURNAL_STEP_INTENDED,
    JOURNAL_STEP_DONE,
    JOURNAL_STEP_FAILED,
    JOURNAL_STEP_UNCLEAR, /* Ended by a crash; settled by looking. */
    JOURNAL_STEP_STATE_COUNT,
};

/* One operation of a move. */
struct journal_step {
    struct journal_key move;
    uint32_t number; /* From 1 within the move. */
    enum op_kind kind;
    const char *host;
    enum journal_step_state state;
    const char *error_text; /* Or NULL. */
    int64_t begun_ms;
    int64_t ended_ms;        /* 0 = not yet. */
    enum supply_kind supply; /* Of PROVIDE and WITHDRAW, else NONE. */
    const char *note;        /* Why there was less to do than asked, or NULL. */
};

/* A guest that was running before we stopped it and must run after. */
struct journal_owed {
    const char *uuid;
    const char *guest;
    const char *host; /* Where it was stopped. */
    int64_t since_ms;
    bool paid;      /* Seen running, or released. */
    bool autostart; /* It had autostart, which its stop cleared: given back with the start. */
    bool early;     /* Stopped before its turn: others may have taken its room since. */
};

/* Backoff and parking of one guest. */
struct journal_retry {
    const char *guest;
    char es_digest[DIGEST_TEXT_SIZE];
    enum err_code code;
    uint32_t attempts;
    int64_t next_ms;   /* Wall clock of the next try; INT64_MAX = parked. */
    int64_t off_ms;    /* The same if the guest is off then: nothing interrupts it. */
    uint32_t outages;  /* Tries that stopped it, or asked it to stop, in vain. */
    int64_t failed_ms; /* The last try. */
    const char *reason;
    char observed_digest[DIGEST_TEXT_SIZE]; /* What a parked guest waits to see change, or "". */
    bool overran; /* A live move of this revision did: its fallback is due, where it has one. */
    bool cleared;
};

/* A revision of es.xml that was acted on; its text is an object. */
struct journal_revision {
    char digest[DIGEST_TEXT_SIZE];
    int64_t at_ms;
};

/* The last inactive definition of a managed guest; its text is an object. */
struct journal_definition {
    const char *uuid;
    const char *guest;
    char digest[DIGEST_TEXT_SIZE];
    int64_t at_ms;
    const char
        *supplies; /* What it names that a platform may provide ("berth.supplies/1"), or NULL. */
};

/* One run of 'berth apply', or one life of berthd. */
struct journal_run {
    struct journal_key key;
    const char *program; /* "berth apply", "berthd" */
    const char *user;
    int64_t begun_ms;
    int64_t ended_ms; /* 0 = goes on, or died. */
    int exit_status;
};

/* A plan that was followed; its JSON is an object. */
struct journal_plan {
    struct journal_key key;
    uint64_t run;
    char es_digest[DIGEST_TEXT_SIZE];
    char policy_digest[DIGEST_TEXT_SIZE];
    char plan_digest[DIGEST_TEXT_SIZE];
    int64_t at_ms;
    int64_t replaced_ms; /* 0 = the active one. */
};

/* Something worth telling a person later. */
struct journal_event {
    struct journal_key key;
    int64_t at_ms;
    const char *kind;  /* "adopted", "alarm", "parked", "invalid-file", ... */
    const char *guest; /* Or NULL. */
    const char *host;  /* Or NULL. */
    const char *text;
};

enum journal_scope {
    JOURNAL_SCOPE_FLEET,
    JOURNAL_SCOPE_HOST,
    JOURNAL_SCOPE_GUEST,
    JOURNAL_SCOPE_COUNT,
};

/* A person wants nothing moved: in the whole fleet, from or to a host, or one guest. */
struct journal_hold {
    enum journal_scope scope;
    const char *name;   /* Of the host or guest; "" for the fleet. */
    const char *user;   /* Who said so. */
    const char *reason; /* In that person's words, or NULL. */
    int64_t since_ms;
    bool released;
};

/* Where a guest was last seen.  As a place: to be where the file wanted it; what differs from it later is drift, not a
 * wish of the file that is still to be carried out.  As a sighting: on another host, and in no move. */
struct journal_place {
    const char *guest;
    const char *uuid;
    const char *host;
    bool running; /* Had a process. */
    int64_t at_ms;
    bool
        forgotten; /* The file does not name the guest any more; a sighting: or it is in its place. */
    bool autostart; /* As the next two when last seen there: the host starts it as it boots. */
    bool guarded;   /* berth-guard keeps guests of this host from that. */
};

/* A person's word that a host is dead, for one forced move. */
struct journal_attest {
    struct journal_key key; /* Of the move. */
    const char *host;
    const char *user;
    int64_t at_ms;
    bool used;      /* The guest was started on the strength of it: it serves no other start. */
    bool withdrawn; /* The host has answered since, or the move has ended. */
};

/* What keeps a guest from running twice when the host comes back that it was taken from by force. */
enum journal_protection {
    JOURNAL_PROTECTION_FENCED,        /* It has no power, and must get none before it is swept. */
    JOURNAL_PROTECTION_GUARDED,       /* berth-guard holds its guests back. */
    JOURNAL_PROTECTION_AUTOSTART_OFF, /* It does not start this guest by itself. */
    JOURNAL_PROTECTION_REVOKED,       /* The platform has taken the guest's volumes away from it. */
    JOURNAL_PROTECTION_COUNT,
};

/* The definition of a guest that a dead host still has: to be removed when it answers again. */
struct journal_leftover {
    const char *uuid;
    const char *host; /* That was dead. */
    const char *guest;
    const char *
        to; /* Where it runs since; as 'host': nowhere else, and its volumes are to be given back. */
    int64_t since_ms;
    enum journal_protection protection;
    bool cleared;           /* It is gone there. */
    struct journal_key key; /* Of the first move that left it there; 0, 0 before format 6. */
};

/* A part of the past that is let go of, as far as nothing needs it any more: those of its records whose seq
 * lies in a window, and with the last window what has no seq. */
struct journal_prune {
    uint64_t after;    /* The window: above this, ... */
    uint64_t upto;     /* ... up to this. */
    uint64_t last;     /* No window reaches beyond: below the greatest seq. */
    uint64_t spare;    /* Goes although it is new: what has a seq up to this. */
    int64_t before_ms; /* Goes because it is old: what was over before this. */
};

struct journal_object {
    const char *bytes;
    size_t length;
    char digest[DIGEST_TEXT_SIZE]; /* Of the bytes; filled by whoever makes the object. */
};

enum journal_kind {
    JOURNAL_MOVE,
    JOURNAL_STEP,
    JOURNAL_OWED,
    JOURNAL_RETRY,
    JOURNAL_REVISION,
    JOURNAL_DEFINITION,
    JOURNAL_RUN,
    JOURNAL_PLAN,
    JOURNAL_EVENT,
    JOURNAL_HOLD,
    JOURNAL_PLACE,
    JOURNAL_ATTEST,
    JOURNAL_LEFTOVER,
    JOURNAL_SIGHTING,
    JOURNAL_OBJECT,
    JOURNAL_PRUNE, /* Alone in its batch; rows and objects go. */
};

struct journal_record {
    enum journal_kind kind;
    union {
        struct journal_move move;
        struct journal_step step;
        struct journal_owed owed;
        struct journal_retry retry;
        struct journal_revision revision;
        struct journal_definition definition;
        struct journal_run run;
        struct journal_plan plan;
        struct journal_event event;
        struct journal_hold hold;
        struct journal_place place;
        struct journal_attest attest;
        struct journal_leftover leftover;
        struct journal_place sighting;
        struct journal_object object;
        struct journal_prune prune;
    };
};

struct journal_batch {
    uint64_t epoch; /* Of the writer. */
    const struct journal_record *records;
    size_t count;
};

typedef void journal_done_fn(void *context, enum journal_result result, const struct err *err);

/*
 * The seam: what an implementation provides.  'err' of the callback is NULL when COMMITTED.
 *
 * Answers ascend: moves, runs, plans and events by key, revisions by time, steps by number, the rest
 * by guest or UUID.  'limit' (0 = all) keeps the newest, of open moves the oldest; 'guest' NULL means
 * every guest.  owed() leaves out what is paid, retries() what is cleared, holds() what is released,
 * places() and sightings() what is forgotten, attests() what is used or withdrawn, leftovers() what is cleared.  A
 * guest has one retry, one definition, one place and one sighting, a UUID one owed start, a scope and name one hold: the last one put.  next_seq() is one more than the greatest
 * seq of the current epoch, the greatest that any batch had.  What cannot be a record of ours is
 * ERR_INVALID, on the way in (FAILED) as on the way out.  active_plan() and object() may answer
 * ERR_NOT_FOUND, object() ERR_IO if its bytes do not match the digest.  find_old() sets the window of
 * 'prune' to the first few keys behind its 'after' that there are (empty, at 'last', behind the end), and says
 * whether a batch of it would remove a row; what it looks at is bounded.
 */
struct journal_ops {
    const char *name;
    void (*submit)(struct journal *self, const struct journal_batch *batch, journal_done_fn *done,
                   void *context);
    int (*moves)(struct journal *self, struct arena *arena, bool open_only, const char *guest,
                 size_t limit, struct journal_move **items, size_t *count, struct err *err);
    int (*steps)(struct journal *self, struct arena *arena, struct journal_key move,
                 struct journal_step **items, size_t *count, struct err *err);
    int (*owed)(struct journal *self, struct arena *arena, struct journal_owed **items,
                size_t *count, struct err *err);
    int (*retries)(struct journal *self, struct arena *arena, struct journal_retry **items,
                   size_t *count, struct err *err);
    int (*revisions)(struct journal *self, struct arena *arena, size_t limit,
                     struct journal_revision **items, size_t *count, struct err *err);
    int (*definitions)(struct journal *self, struct arena *arena, struct journal_definition **items,
                       size_t *count, struct err *err);
    int (*runs)(struct journal *self, struct arena *arena, size_t limit, struct journal_run **items,
                size_t *count, struct err *err);
    int (*active_plan)(struct journal *self, struct arena *arena, struct journal_plan *plan,
                       struct err *err);
    int (*events)(struct journal *self, struct arena *arena, const char *guest, size_t limit,
                  struct journal_event **items, size_t *count, struct err *err);
    int (*holds)(struct journal *self, struct arena *arena, struct journal_hold **items,
                 size_t *count, struct err *err);
    int (*places)(struct journal *self, struct arena *arena, struct journal_place **items,
                  size_t *count, struct err *err);
    int (*sightings)(struct journal *self, struct arena *arena, struct journal_place **items,
                     size_t *count, struct err *err);
    int (*attests)(struct journal *self, struct arena *arena, struct journal_attest **items,
                   size_t *count, struct err *err);
    int (*leftovers)(struct journal *self, struct arena *arena, struct journal_leftover **items,
                     size_t *count, struct err *err);
    int (*object)(struct journal *self, struct arena *arena, const char *digest, char **bytes,
                  size_t *length, struct err *err);
    int (*next_seq)(struct journal *self, uint64_t *seq, struct err *err);
    int (*find_old)(struct journal *self, struct journal_prune *prune, bool *found,
                    struct err *err);
    void (*close)(struct journal *self);
};

struct journal {
    const struct journal_ops *ops;
};

/* Opens (and creates or migrates) the journal in 'state_dir' for writing.  ERR_BUSY: another controller
 * has it, its pid in the text.  ERR_REFUSED: written by a later version.  ERR_INVALID: damaged.
 * ERR_DENIED: not ours, or others can write to it. */
struct journal *journal_open(struct loop *loop, const char *state_dir, struct err *err);

/* The same without a thread: a batch is committed before journal_submit() returns, and its callback
 * follows through a timer of 'loop'.  For a loop whose every step must be repeatable. */
struct journal *journal_open_inline(struct loop *loop, const char *state_dir, struct err *err);

/* Opens an existing journal for reading, also while a controller writes to it, and creates nothing:
 * for the thread that opens it.  ERR_NOT_FOUND: nothing was journaled there yet. */
struct journal *journal_open_readonly(const char *state_dir, struct err *err);

/* The pid of the controller that holds 'state_dir', or 0. */
int64_t journal_holder(const char *state_dir);

/* Writes a batch; strings and bytes may go after the call. */
static inline void journal_submit(struct journal *journal, const struct journal_batch *batch,
                                  journal_done_fn *done, void *context)
{
    journal->ops->submit(journal, batch, done, context);
}

/* Ends the journal: waits for batches under way, whose callbacks are not called, and releases it. */
static inline void journal_close(struct journal *journal)
{
    journal->ops->close(journal);
}

/* True if 'move' has brought its guest to another host: it is done, and was neither an early stop nor
 * a start where the guest is. */
bool journal_move_has_arrived(const struct journal_move *move);

/* True if the move only starts a guest, which Berth had stopped, where it is: 'from' and 'to' are one host. */
bool journal_move_is_restart(const struct journal_move *move);

/* Reads into 'arena' what the platform provides for the guest of 'move': nothing if the move has no list of it. */
int journal_read_supplies(struct journal *journal, struct arena *arena,
                          const struct journal_move *move, struct supply_list *supplies,
                          struct err *err);

/* Stable names for people and JSON; the reverse returns the COUNT value for no such name. */
const char *journal_move_state_name(enum journal_move_state state);
enum journal_move_state journal_move_state_from_name(const char *name);
const char *journal_step_state_name(enum journal_step_state state);
enum journal_step_state journal_step_state_from_name(const char *name);
const char *journal_scope_name(enum journal_scope scope);
enum journal_scope journal_scope_from_name(const char *name);
const char *journal_protection_name(enum journal_protection protection);
enum journal_protection journal_protection_from_name(const char *name);

/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/vigil.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"

#define LOOK_MS INT64_C(1000)

/* Longer than the pause of a switchover may be, and shorter than keepalive takes to give a host up. */
#define HALT_MS INT64_C(10000)

/* A cable that was out for some seconds needs a while to make up for it, and the guest runs meanwhile. */
#define COPY_MS INT64_C(30000)

static enum vigil_trouble halted(enum actuator_phase phase)
{
    switch (phase) {
    case ACTUATOR_PHASE_MEMORY:
        return VIGIL_COPY;
    case ACTUATOR_PHASE_POSTCOPY:
        return VIGIL_POSTCOPY;
    case ACTUATOR_PHASE_SWITCHOVER:
    case ACTUATOR_PHASE_CLEANUP:
        return VIGIL_SWITCHOVER;
    case ACTUATOR_PHASE_SETUP: /* To take memory for a large guest may last, and nothing is at stake. */
    case ACTUATOR_PHASE_WAIT:
        break;
    }
    return VIGIL_TROUBLE_COUNT;
}

static enum vigil_trouble judge(const struct vigil *vigil, int64_t now_ms)
{
    enum vigil_trouble trouble = halted(vigil->phase);

    if (now_ms - vigil->heard_ms >= vigil_patience_ms(VIGIL_SILENT)) {
        return VIGIL_SILENT;
    }
    return trouble != VIGIL_TROUBLE_COUNT && now_ms - vigil->moved_ms >= vigil_patience_ms(trouble)
               ? trouble
               : VIGIL_TROUBLE_COUNT;
}

/* Arms the next look before telling: what is told may end the watch. */
static void look(void *context)
{
    struct vigil *vigil = context;
    enum vigil_trouble trouble = judge(vigil, loop_now_ms(vigil->loop));

    loop_timer_start(vigil->loop, &vigil->timer, LOOK_MS, look, vigil);
    if (trouble != VIGIL_TROUBLE_COUNT && vigil_tell(vigil, trouble)) {
        vigil->notice(vigil->context, trouble);
    }
}

void vigil_begin(struct vigil *vigil, struct loop *loop, vigil_fn *notice, void *context)
{
    int64_t now_ms = loop_now_ms(loop);

    vigil_end(vigil);
    *vigil = (struct vigil){
        .loop = loop,
        .notice = notice,
        .context = context,
        .phase = ACTUATOR_PHASE_SETUP,
        .heard_ms = now_ms,
        .moved_ms = now_ms,
        .told = vigil->told,
    };
    loop_timer_start(loop, &vigil->timer, LOOK_MS, look, vigil);
}

void vigil_feed(struct vigil *vigil, const struct actuator_progress *progress)
{
    int64_t now_ms = loop_now_ms(vigil->loop);

    vigil->heard_ms = now_ms;
    if (progress->phase != vigil->phase || progress->processed_bytes > vigil->sent) {
        vigil->phase = progress->phase;
        vigil->moved_ms = now_ms;
    }
    if (progress->processed_bytes > vigil->sent) {
        vigil->sent = progress->processed_bytes;
    }
}

bool vigil_tell(struct vigil *vigil, enum vigil_trouble trouble)
{
    uint32_t bit = UINT32_C(1) << trouble;
    bool fresh = (vigil->told & bit) == 0;

    vigil->told |= bit;
    return fresh;
}

void vigil_end(struct vigil *vigil)
{
    if (vigil->timer.armed) {
        loop_timer_stop(vigil->loop, &vigil->timer);
    }
}

int64_t vigil_patience_ms(enum vigil_trouble trouble)
{
    return trouble == VIGIL_COPY ? COPY_MS : HALT_MS;
}

const char *vigil_text(struct arena *arena, enum vigil_trouble trouble, const char *guest,
                       const char *from, const char *to)
{
    char waited[CLOCK_TEXT_SIZE];

    (void)clock_format_duration(vigil_patience_ms(trouble), waited);
    switch (trouble) {
    case VIGIL_SILENT:
        return text_format(
            arena,
            "'%s' may be paused: '%s' has told nothing of its migration for %s; restart libvirt on '%s', or on "
            "'%s' if that is the one that does not answer, and do not start '%s' anywhere else",
            guest, from, waited, from, to, guest);
    case VIGIL_COPY:
        return text_format(arena,
                           "nothing of '%s' was copied to '%s' for %s; it runs on at '%s': see to "
                           "the network between them, or cancel the move",
                           guest, to, waited, from);
    case VIGIL_SWITCHOVER:
        return text_format(
            arena,
            "'%s' is paused between '%s' and '%s' for %s: see to libvirt on '%s' and to the network between "
            "them, then it goes on by itself; do not start it",
            guest, from, to, waited, to);
    case VIGIL_POSTCOPY:
        return text_format(arena,
                           "'%s' runs at '%s' and waits for memory that '%s' has not sent for %s: "
                           "see to the network between them; neither may be restarted",
                           guest, to, from, waited);
    case VIGIL_TROUBLE_COUNT:
        break;
    }
    return "";
}

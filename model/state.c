/* SPDX-License-Identifier: Apache-2.0 */
#include "model/state.h"

#include <inttypes.h>

#include "base/text.h"

/* The target puts its file aside only after the source did: where both have, the target's is the newer one. */
static enum state_act bring_back(const struct state_sight *sight, bool back)
{
    if (sight->here_aside && sight->there_aside) {
        return back && !sight->aside_same ? STATE_COPY_ASIDE : STATE_RESTORE;
    }
    return sight->here_aside ? STATE_RESTORE : sight->there_aside ? STATE_COPY_ASIDE : STATE_LOST;
}

enum state_act state_provide(const struct state_sight *sight, bool back)
{
    if (sight->here) {
        return sight->there && !sight->same ? STATE_FOREIGN : STATE_DONE;
    }
    return sight->there ? STATE_COPY : bring_back(sight, back);
}

enum state_act state_withdraw(const struct state_sight *sight, bool back)
{
    if (!sight->here) {
        return STATE_DONE;
    }
    if (sight->there) {
        return sight->same ? STATE_PUT_ASIDE : back ? STATE_KEEP : STATE_UNCOPIED;
    }
    return back ? STATE_PUT_ASIDE : STATE_UNCOPIED;
}

bool state_is_known(const struct state_sight *sight)
{
    return sight->there || sight->there_aside || sight->here_aside;
}

bool state_compares(const struct state_sight *sight)
{
    return sight->here && sight->there;
}

bool state_compares_aside(const struct state_sight *sight)
{
    return !sight->here && !sight->there && sight->here_aside && sight->there_aside;
}

const char *state_aside(struct arena *arena, const char *path, int64_t begun_ms)
{
    return text_format(arena, "%s.berth-moved-%" PRId64, path, begun_ms);
}

const char *state_coming(struct arena *arena, const char *path, int64_t begun_ms)
{
    return text_format(arena, "%s.berth-coming-%" PRId64, path, begun_ms);
}

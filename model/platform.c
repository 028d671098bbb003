/* SPDX-License-Identifier: Apache-2.0 */
#include "model/platform.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"

#define NUMBER_MAX \
    999999999 /* Of a generation or a part of a release; no real one has more digits. */

static const char *const fact_names[PLATFORM_FACT_COUNT] = {
#define PLATFORM_FACT(name, text) [PLATFORM_##name] = text,
    PLATFORM_FACTS
#undef PLATFORM_FACT
};

static const char *const scope_names[PLATFORM_SCOPE_COUNT] = {
    [PLATFORM_NEVER] = "no",
    [PLATFORM_LIVE] = "live",
    [PLATFORM_OFFLINE] = "offline",
    [PLATFORM_ALWAYS] = "always",
};

/* A hardware generation: "X10M", "X8M-2". */
struct generation {
    uint32_t rank;    /* By age. */
    uint32_t sockets; /* Behind the dash, or 0. */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The number at '*s', past it. */
static uint32_t take_number(const char **s)
{
    uint32_t number = 0;

    for (; is_digit(**s); ++*s) {
        number = number < NUMBER_MAX / 10 ? number * 10 + (uint32_t)(**s - '0') : NUMBER_MAX;
    }
    return number;
}

/* Reads a generation that begins at 's'; the M of "X8M" is a younger one than "X8". */
static bool read_generation(const char *s, struct generation *generation)
{
    bool later;

    if (*s != 'X' || !is_digit(s[1])) {
        return false;
    }
    s++;
    generation->rank = take_number(&s) * 2;
    later = *s == 'M';
    s += later;
    generation->rank += later;
    generation->sockets = 0;
    if (*s == '-' && is_digit(s[1])) {
        s++;
        generation->sockets = take_number(&s);
    }
    return !is_alphanumeric(*s);
}

/* The first word of 'text' that is a generation: a rack may be called "Exadata X10M Elastic". */
static bool find_generation(const char *text, struct generation *generation)
{
    for (const char *s = text; *s != '\0'; s++) {
        if ((s == text || !is_alphanumeric(s[-1])) && read_generation(s, generation)) {
            return true;
        }
    }
    return false;
}

/* True if 'text' is numbers with dots between them. */
static bool is_release(const char *text)
{
    while (is_digit(*text)) {
        (void)take_number(&text);
        if (*text == '\0') {
            return true;
        }
        text += *text == '.';
    }
    return false;
}

/* By number; one that has no further part is as if that were 0. */
static int compare_releases(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        uint32_t left = take_number(&a);
        uint32_t right = take_number(&b);

        if (left != right) {
            return left < right ? -1 : 1;
        }
        a += *a == '.';
        b += *b == '.';
    }
    return 0;
}

/* One check while it is made. */
struct judgement {
    struct check_list *list;
    enum check_kind kind;
    enum platform_fact fact;
    const struct platform_host *source; /* NULL: it cannot be asked. */
    const struct platform_host *target;
};

static const char *text_of(const struct judgement *judgement, const struct platform_host *host)
{
    return host->facts[judgement->fact].text;
}

static bool tell(const struct judgement *judgement, const struct platform_host *host)
{
    const struct platform_value *value = &host->facts[judgement->fact];

    if (value->text != NULL) {
        return true;
    }
    check_fail(judgement->list, judgement->kind, ERR_FAILED,
               "see what keeps it from that, or correct the profile",
               "'%s' does not tell its '%s': %s", host->name, platform_fact_name(judgement->fact),
               value->why == NULL ? "the profile does not say how to ask" : value->why);
    return false;
}

/* Do both hosts, as far as they can be asked, tell the fact? */
static bool is_told(const struct judgement *judgement)
{
    return (judgement->source == NULL || tell(judgement, judgement->source)) &&
           tell(judgement, judgement->target);
}

static void pass_both(const struct judgement *judgement)
{
    if (judgement->source == NULL) {
        check_pass(judgement->list, judgement->kind, "'%s' has %s", judgement->target->name,
                   text_of(judgement, judgement->target));
    } else {
        check_pass(judgement->list, judgement->kind, "'%s' has %s, '%s' has %s",
                   judgement->source->name, text_of(judgement, judgement->source),
                   judgement->target->name, text_of(judgement, judgement->target));
    }
}

static bool is_young_enough(const struct judgement *judgement, const struct platform_host *host,
                            const char *least)
{
    const char *text = text_of(judgement, host);
    struct generation need = { 0 };
    struct generation have = { 0 };
    bool known = find_generation(text, &have);

    (void)find_generation(least, &need);
    if (known && have.rank >= need.rank &&
        (need.sockets == 0 || have.sockets == 0 || have.sockets == need.sockets)) {
        return true;
    }
    check_fail(judgement->list, judgement->kind, ERR_INCOMPATIBLE,
               "place it on other hosts, or move it another way",
               known ? "'%s' is %s, and such a move needs %s or later"
                     : "'%s' is '%s', of which nobody can tell whether it is %s or later",
               host->name, text, least);
    return false;
}

static void judge_generation(struct judgement judgement, const char *least)
{
    judgement.kind = CHECK_GENERATION;
    judgement.fact = PLATFORM_GENERATION;
    if (is_told(&judgement) &&
        (judgement.source == NULL || is_young_enough(&judgement, judgement.source, least)) &&
        is_young_enough(&judgement, judgement.target, least)) {
        pass_both(&judgement);
    }
}

static bool is_new_enough(const struct judgement *judgement, const struct platform_host *host,
                          const char *least)
{
    const char *text = text_of(judgement, host);

    if (!is_release(text)) {
        check_fail(judgement->list, judgement->kind, ERR_INCOMPATIBLE, "correct the profile",
                   "the release of '%s', '%s', is not numbers with dots", host->name, text);
        return false;
    }
    if (least != NULL && compare_releases(text, least) < 0) {
        check_fail(judgement->list, judgement->kind, ERR_INCOMPATIBLE,
                   "update it, or move the guest another way",
                   "'%s' has release %s, and such a move needs %s or later", host->name, text,
                   least);
        return false;
    }
    return true;
}

/* 'least' may be NULL; 'forward': the target's may not be the older one. */
static void judge_release(struct judgement judgement, const char *least, bool forward)
{
    const struct platform_host *source = judgement.source;
    const struct platform_host *target = judgement.target;

    judgement.kind = CHECK_RELEASE;
    judgement.fact = PLATFORM_RELEASE;
    if (!is_told(&judgement) || (source != NULL && !is_new_enough(&judgement, source, least)) ||
        !is_new_enough(&judgement, target, least)) {
        return;
    }
    if (forward && source != NULL &&
        compare_releases(text_of(&judgement, target), text_of(&judgement, source)) < 0) {
        check_fail(judgement.list, judgement.kind, ERR_INCOMPATIBLE,
                   "update it, or choose another target",
                   "'%s' has release %s, older than %s of '%s'", target->name,
                   text_of(&judgement, target), text_of(&judgement, source), source->name);
        return;
    }
    pass_both(&judgement);
}

static void judge_same(struct judgement judgement, enum check_kind kind, enum platform_fact fact,
                       const char *change)
{
    judgement.kind = kind;
    judgement.fact = fact;
    if (judgement.source == NULL || !is_told(&judgement)) {
        return;
    }
    if (strcmp(text_of(&judgement, judgement.source), text_of(&judgement, judgement.target)) == 0) {
        check_pass(judgement.list, kind, "both hosts have %s",
                   text_of(&judgement, judgement.target));
    } else {
        check_fail(judgement.list, kind, ERR_INCOMPATIBLE, change, "'%s' has %s, and '%s' %s",
                   judgement.source->name, text_of(&judgement, judgement.source),
                   judgement.target->name, text_of(&judgement, judgement.target));
    }
}

static bool has(const struct judgement *judgement, const struct platform_host *host,
                const char *const *good, const char *change)
{
    const char *text = text_of(judgement, host);

    for (size_t i = 0; good[i] != NULL; i++) {
        if (strcmp(text, good[i]) == 0) {
            return true;
        }
    }
    check_fail(judgement->list, judgement->kind, ERR_INCOMPATIBLE, change,
               "'%s' of '%s' is '%s', and must be '%s'", platform_fact_name(judgement->fact),
               host->name, text, good[0]);
    return false;
}

static void judge_state(struct judgement judgement, enum check_kind kind, enum platform_fact fact,
                        const char *const *good, const char *change)
{
    judgement.kind = kind;
    judgement.fact = fact;
    if (is_told(&judgement) &&
        (judgement.source == NULL || has(&judgement, judgement.source, good, change)) &&
        has(&judgement, judgement.target, good, change)) {
        check_pass(judgement.list, kind, "'%s' is '%s' on %s", platform_fact_name(fact), good[0],
                   judgement.source == NULL ? "the target" : "both hosts");
    }
}

static bool holds(enum platform_scope scope, enum move_mode mode)
{
    return scope == PLATFORM_ALWAYS ||
           scope == (mode == MOVE_LIVE ? PLATFORM_LIVE : PLATFORM_OFFLINE);
}

static const char *least_generation(const struct platform_rules *rules, enum move_mode mode)
{
    return mode == MOVE_LIVE ? rules->live_generation : rules->offline_generation;
}

static const char *least_release(const struct platform_rules *rules, enum move_mode mode)
{
    return mode == MOVE_LIVE ? rules->live_release : rules->offline_release;
}

bool platform_needs(const struct platform_rules *rules, enum move_mode mode,
                    enum platform_fact fact)
{
    switch (fact) {
    case PLATFORM_GENERATION:
        return least_generation(rules, mode) != NULL;
    case PLATFORM_MODEL:
        return holds(rules->same_model, mode);
    case PLATFORM_CPUS:
        return holds(rules->same_cpus, mode);
    case PLATFORM_RELEASE:
        return least_release(rules, mode) != NULL || holds(rules->target_release, mode);
    case PLATFORM_SECURE_FABRIC:
        return holds(rules->secure_fabric, mode);
    case PLATFORM_STORAGE_SERVERS:
        return holds(rules->storage_servers, mode);
    case PLATFORM_LIVE_UPDATE:
        return holds(rules->live_update, mode);
    case PLATFORM_FACT_COUNT:
        break;
    }
    return false;
}

void platform_judge(struct check_list *list, const struct platform_rules *rules,
                    enum move_mode mode, const struct platform_host *source,
                    const struct platform_host *target)
{
    static const char *const on[] = { "yes", NULL };
    static const char *const nothing[] = { "none", "no", NULL };
    const struct judgement judgement = { .list = list,
                                         .source = mode == MOVE_FORCED ? NULL : source,
                                         .target = target };

    if (platform_needs(rules, mode, PLATFORM_GENERATION)) {
        judge_generation(judgement, least_generation(rules, mode));
    }
    if (platform_needs(rules, mode, PLATFORM_MODEL)) {
        judge_same(judgement, CHECK_MODEL, PLATFORM_MODEL,
                   "choose a target of the same model, or move it offline");
    }
    if (platform_needs(rules, mode, PLATFORM_CPUS)) {
        judge_same(judgement, CHECK_SAME_CPUS, PLATFORM_CPUS,
                   "choose a target with as many CPUs of the same type, or move it offline");
    }
    if (platform_needs(rules, mode, PLATFORM_RELEASE)) {
        judge_release(judgement, least_release(rules, mode), holds(rules->target_release, mode));
    }
    if (platform_needs(rules, mode, PLATFORM_SECURE_FABRIC)) {
        judge_state(judgement, CHECK_FABRIC, PLATFORM_SECURE_FABRIC, on,
                    "enable the secure fabric there, or move it offline");
    }
    if (platform_needs(rules, mode, PLATFORM_STORAGE_SERVERS)) {
        judge_same(judgement, CHECK_SERVERS, PLATFORM_STORAGE_SERVERS,
                   "give both hosts the same storage servers");
    }
    if (platform_needs(rules, mode, PLATFORM_LIVE_UPDATE)) {
        judge_state(judgement, CHECK_LIVE_UPDATE, PLATFORM_LIVE_UPDATE, nothing,
                    "finish that update first, by a restart of the host for example");
    }
}

const char *platform_bad_generation(const char *text)
{
    struct generation generation;

    return read_generation(text, &generation) ? NULL : "must be a generation such as X10M or X8M-2";
}

const char *platform_bad_release(const char *text)
{
    return is_release(text) ? NULL : "must be a release such as 26.1";
}

const char *platform_fact_name(enum platform_fact fact)
{
    assert(fact < PLATFORM_FACT_COUNT);
    return fact_names[fact];
}

enum platform_fact platform_fact_from_name(const char *name)
{
    return (enum platform_fact)text_index(fact_names, PLATFORM_FACT_COUNT, name);
}

const char *platform_scope_name(enum platform_scope scope)
{
    assert(scope < PLATFORM_SCOPE_COUNT);
    return scope_names[scope];
}

enum platform_scope platform_scope_from_name(const char *name)
{
    return (enum platform_scope)text_index(scope_names, PLATFORM_SCOPE_COUNT, name);
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_survey: the checks before a move that libvirt cannot answer, because it speaks for one host only
 * or not at all of the matter: which storage is behind a path, what the way between two hosts lets through,
 * how each is configured, what its clock says (migration.md, 'Live', preflight).
 *
 * Both hosts are asked over SSH at once, and nothing is changed on either.  Blocking, for at most two of
 * libvirt_question_ask()'s timeouts; the thread of the move.
 */

#include <stdbool.h>
#include <stdint.h>

struct check_list;
struct libvirt_move;
struct libvirt_xml_guest;

/* A clock as it was read from afar: it said 'clock_ms' at some instant between the two others, which are of
 * one clock here. */
struct libvirt_survey_reading {
    int64_t clock_ms;
    int64_t asked_ms;
    int64_t answered_ms;
};

/* Adds the checks of move->op; 'guest' is what libvirt says of its guest. */
void libvirt_survey_run(const struct libvirt_move *move, const struct libvirt_xml_guest *guest,
                        struct check_list *list);

/* How far two clocks are apart, at least and at most, in milliseconds.  Pure. */
void libvirt_survey_compare(const struct libvirt_survey_reading *a,
                            const struct libvirt_survey_reading *b, int64_t *least_ms,
                            int64_t *most_ms);

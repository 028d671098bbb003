/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Part: one operation of a move on one of its hosts, as the tables of what must hold (reconciler/stage.c) and of the
 * procedure's steps (reconciler/procedure.c) list it.
 */

#include "model/op.h"
#include "model/supply.h"

struct part {
    enum op_kind op;
    enum supply_kind supply; /* NONE: it is about the guest itself. */
    unsigned side;           /* 0 = on the source, 1 = on the target. */
};

/* Initializers of those about a supply; a proof is a PREFLIGHT of what is behind it. */
#define PART_PROVIDE(kind, side)        \
    {                                   \
        OP_PROVIDE, SUPPLY_##kind, side \
    }
#define PART_WITHDRAW(kind, side)        \
    {                                    \
        OP_WITHDRAW, SUPPLY_##kind, side \
    }
#define PART_PROVE(kind, side)            \
    {                                     \
        OP_PREFLIGHT, SUPPLY_##kind, side \
    }

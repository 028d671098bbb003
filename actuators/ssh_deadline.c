/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/ssh_deadline.h"

#include <limits.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ssh_deadline_in(int64_t delay_ms)
{
    return now_ms() + delay_ms;
}

int ssh_deadline_left_ms(int64_t deadline)
{
    int64_t left = deadline - now_ms();

    if (left < 0) {
        return 0;
    }
    return left > INT_MAX ? INT_MAX : (int)left;
}

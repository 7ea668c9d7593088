/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Whether this kernel may preempt a program on a tracepoint: the loader runs this program once, before it chooses hooks
 * (exporter/loading/preemption.py). While a task is preempted inside a program, the kernel skips the program for every
 * other task of that CPU. */

#include "registers.h"

#define PREEMPT_MASK 0xff /* include/linux/preempt.h: how often preemption was switched off */

#ifdef USE_FUNCTION_HOOKS
BPF_ARRAY(preemption, u64, 1);

int observe_preemption(u64 *context) {
    u32 zero = 0;
    u64 *observed = preemption.lookup(&zero);
    if (observed)
        *observed = 1 + (preempt_count() & PREEMPT_MASK);
    return 0;
}
#endif

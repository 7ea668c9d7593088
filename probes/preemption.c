/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Whether this kernel may preempt a program on a tracepoint: asked once by the loader, before it chooses hooks. A task
 * that is preempted inside a program keeps the kernel from running the program for any other task of that CPU. */

#define PREEMPT_MASK 0xff /* include/linux/preempt.h: how often preemption was switched off */

#ifdef ON_FUNCTIONS
BPF_ARRAY(preemption, u64, 1);

int observe_preemption(u64 *context) {
    u32 zero = 0;
    u64 *observed = preemption.lookup(&zero);
    if (observed)
        *observed = 1 + (preempt_count() & PREEMPT_MASK);
    return 0;
}
#endif

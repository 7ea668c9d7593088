/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Samples of the CPU clock: each sample inside a copy or cipher routine stands for the time since the sample before. */

#include "counts.h"
#include "registers.h"

#define WITHIN(start, end) || (instruction >= start && instruction < end)

/* COPY_ROUTINES and CIPHER_ROUTINES are lists of WITHIN(start, end), from /proc/kallsyms. */
static inline bool is_copy_routine(u64 instruction) { return false COPY_ROUTINES; }

static inline bool is_cipher_routine(u64 instruction) { return false CIPHER_ROUTINES; }

int copy_time_sample(void *context) {
    u64 instruction = sampled_instruction(context);
    bool copies = is_copy_routine(instruction);
    if (!copies && !is_cipher_routine(instruction))
        return 0;
    void *task = CURRENT_TASK();
    /* Work of kernel threads is not attributed to a process, and the counts of a process that exits are final. */
    if (READ_TASK(u32, task, task_struct, flags) & (PF_KTHREAD | PF_EXITING))
        return 0;
    struct row row = ROW_OF_TASK(task);
    row.kind = copies ? ROW_KIND_COPY_TIME : ROW_KIND_CIPHER_TIME;
    add_to_row(&row, LOAD(u64, context, bpf_perf_event_data, sample_period));
    return 0;
}

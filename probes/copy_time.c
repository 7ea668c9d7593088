/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Samples of the CPU clock: each that falls into a routine which copies stands for the time since the one before. */

#define WITHIN(start, end) || (instruction >= start && instruction < end)

/* COPY_ROUTINES: a WITHIN(first, behind the last) for each, from /proc/kallsyms. */
static inline bool copies(u64 instruction) { return false COPY_ROUTINES; }

int copy_time_sample(void *context) {
    if (!copies(sampled_instruction(context)))
        return 0;
    void *task = CURRENT();
    /* A kernel thread copies for nobody in particular, and changes its name with each work; what exits is final. */
    if (READ_TASK(u32, task, task_struct, flags) & (PF_KTHREAD | PF_EXITING))
        return 0;
    struct row row = ROW_OF(task);
    row.kind = ROW_KIND_COPY_TIME;
    add(&row, LOAD(u64, context, bpf_perf_event_data, sample_period));
    return 0;
}

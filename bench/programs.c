/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Programs to measure the product's against. Compiled behind the product's own files, whose types and macros they use. */

BPF_HASH(pids, u32, u64);
BPF_TABLE("percpu_hash", struct row, struct count, percpu_counts, MAP_ENTRIES);

#define NUMBER_OF_NONE 4095

/* The floor: what the kernel takes for calling any program at the exit of every system call. */
int empty(void *context) { return 0; }

int increment(void *context) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    pids.increment(pid);
    return 0;
}

/* The first thing every run does: registers by a typed pointer, and by a probe read. */
int filter_typed(u64 *context) {
    if (syscall_number((void *)context[0]) == NUMBER_OF_NONE)
        drop(DROPPED_COUNTS);
    return 0;
}

int filter_probed(u64 *context) {
    if (PROBE(u64, context[0], pt_regs, orig_ax) == NUMBER_OF_NONE)
        drop(DROPPED_COUNTS);
    return 0;
}

/* One row for every read, without a look at what was read: only the tables differ. */
static inline void identify(struct row *row, void *task) {
    row->start = READ_START(task);
    row->tgid = READ_TGID(task);
    row->operation = OPERATION_READ;
}

int count_shared(u64 *context) {
    if (syscall_number((void *)context[0]) != __NR_read)
        return 0;
    struct row row = {};
    identify(&row, CURRENT());
    add(&row, context[1]);
    return 0;
}

int count_percpu(u64 *context) {
    if (syscall_number((void *)context[0]) != __NR_read)
        return 0;
    struct row row = {};
    identify(&row, CURRENT());
    struct count *count = percpu_counts.lookup(&row);
    if (!count) {
        struct count zero = {};
        percpu_counts.insert(&row, &zero);
        count = percpu_counts.lookup(&row);
        if (!count)
            return 0;
    }
    count->events++;
    count->amount += context[1];
    return 0;
}

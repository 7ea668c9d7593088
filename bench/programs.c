/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Programs that the product's are measured against. They are compiled with its headers. */

#include "counts.h"
#include "syscall_table.h"

BPF_HASH(pids, u32, u64);
struct numbers {
    u64 events;
    u64 amount;
};
BPF_TABLE("hash", struct row, struct numbers, shared_counts, COUNTS_ENTRIES);
BPF_TABLE("percpu_hash", struct row, struct numbers, percpu_counts, COUNTS_ENTRIES);

#define NUMBER_OF_NONE 4095

/* The floor: the cost of calling any program at the exit of every system call. */
int empty(void *context) { return 0; }

int increment(void *context) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    pids.increment(pid);
    return 0;
}

/* The first step of every run: read a register by a typed pointer, and by a probe read. */
int filter_typed(u64 *context) {
    if (syscall_number((void *)context[0]) == NUMBER_OF_NONE)
        count_dropped_update(DROPPED_COUNTS);
    return 0;
}

int filter_probed(u64 *context) {
    if (PROBE(u64, context[0], pt_regs, orig_ax) == NUMBER_OF_NONE)
        count_dropped_update(DROPPED_COUNTS);
    return 0;
}

/* One row for all reads, whatever was read: only the maps differ. */
static inline void identify(struct row *row, void *task) {
    row->start = READ_START(task);
    row->tgid = READ_TGID(task);
    row->operation = OPERATION_READ;
}

int count_in_slot(u64 *context) {
    if (syscall_number((void *)context[0]) != __NR_read)
        return 0;
    struct row row = {};
    identify(&row, CURRENT_TASK());
    add_to_row(&row, context[1]);
    return 0;
}

int count_in_shared_hash(u64 *context) {
    if (syscall_number((void *)context[0]) != __NR_read)
        return 0;
    struct row row = {};
    identify(&row, CURRENT_TASK());
    struct numbers zero = {};
    struct numbers *numbers = shared_counts.lookup_or_try_init(&row, &zero);
    if (!numbers)
        return 0;
    __sync_fetch_and_add(&numbers->events, 1);
    __sync_fetch_and_add(&numbers->amount, context[1]);
    return 0;
}

int count_in_percpu_hash(u64 *context) {
    if (syscall_number((void *)context[0]) != __NR_read)
        return 0;
    struct row row = {};
    identify(&row, CURRENT_TASK());
    struct numbers zero = {};
    struct numbers *numbers = percpu_counts.lookup_or_try_init(&row, &zero);
    if (!numbers)
        return 0;
    numbers->events++;
    numbers->amount += context[1];
    return 0;
}

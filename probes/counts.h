/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The one map that every probe counts in. */

#include "kernel.h"
#include "types.h"

#define EINTR 4
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516

/* Shared between CPUs and added to atomically. This was measured to be as fast as a per-CPU map (docs/performance.md),
 * and there is one value to read and to keep in memory instead of one per CPU. */
BPF_TABLE("hash", struct row, struct count, counts, COUNTS_ENTRIES);

/* Updates that were lost because a map was full, by enum dropped. */
BPF_ARRAY(dropped, u64, DROPPED_ENTRIES);

static inline void count_dropped_update(u32 map) {
    u64 *updates = dropped.lookup(&map);
    if (updates)
        __sync_fetch_and_add(updates, 1);
}

/* The row's count, made when it is new; NULL when the map is full, which counts as a dropped update. */
static inline struct count *lookup_or_init_count(struct row *row) {
    struct count *count = counts.lookup(row);
    if (count)
        return count;
    struct count zero = {};
    zero.since_ns = bpf_ktime_get_boot_ns();
    counts.insert(row, &zero); /* another CPU may be first: then the look-up finds its count */
    count = counts.lookup(row);
    if (!count)
        count_dropped_update(DROPPED_COUNTS);
    return count;
}

static inline void add_to_row(struct row *row, u64 amount) {
    struct count *count = lookup_or_init_count(row);
    if (!count)
        return;
    __sync_fetch_and_add(&count->events, 1);
    if (amount) /* clang turns a constant 0 into an atomic OR, which is unknown before 981f94c3e921 (v5.12) */
        __sync_fetch_and_add(&count->amount, amount);
}

/* Results that make the kernel restart a call never reach the program: it sees EINTR or the restarted call. */
static inline u16 errno_of_result(s64 result) {
    u16 error = -result;
    return error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK ? EINTR : error;
}

static inline void add_error_to_row(struct row *row, s64 result) {
    row->kind = ROW_KIND_ERROR;
    row->errno_or_bucket = errno_of_result(result);
    row->source = row->destination = ENDPOINT_UNKNOWN;
    add_to_row(row, 0);
}

#define ROW_OF_TASK(task) {.start = READ_START(task), .tgid = READ_TGID(task)}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The one table that every probe counts in, and what is shared between them. This file comes first in the buffer that
 * BCC compiles: it rewrites map.method() only there, never in an included header. */
#include "types.h"
#include "kernel.h"
#include "files.h"

/* Shared between CPUs and added to atomically: measured as fast as a per-CPU table (docs/performance.md), with one
 * value to read and to keep in memory instead of one for each CPU. */
BPF_TABLE("hash", struct row, struct count, counts, MAP_ENTRIES);
BPF_ARRAY(dropped, u64, DROPPED_MAPS);

static inline void drop(u32 map) {
    u64 *updates = dropped.lookup(&map);
    if (updates)
        __sync_fetch_and_add(updates, 1);
}

/* The row's count, made when it is new; NULL, and counted as a loss, when the map is full. */
static inline struct count *count_of(struct row *row) {
    struct count *count = counts.lookup(row);
    if (count)
        return count;
    struct count zero = {};
    zero.since_ns = bpf_ktime_get_boot_ns();
    counts.insert(row, &zero); /* another CPU may be first: the look-up settles it */
    count = counts.lookup(row);
    if (!count)
        drop(DROPPED_COUNTS);
    return count;
}

static inline void add(struct row *row, u64 amount) {
    struct count *count = count_of(row);
    if (!count)
        return;
    __sync_fetch_and_add(&count->events, 1);
    if (amount) /* of a constant 0 clang makes an atomic OR, which is unknown before 981f94c3e921 (v5.12) */
        __sync_fetch_and_add(&count->amount, amount);
}

#define ROW_OF(task) {.start = READ_START(task), .tgid = READ_TGID(task)}

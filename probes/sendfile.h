/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * How long each successful sendfile took: from its entry (sendfile.c) to its exit, which syscalls.c sees. */

#include "counts.h"

/* Time of entry (CLOCK_MONOTONIC, in ns) by thread: empty without the probe in sendfile.c. */
BPF_TABLE("hash", u64, u64, sendfile_starts, SENDFILE_STARTS_ENTRIES);

/* Which bucket of exporter/model.py DURATION_BUCKETS_NS a duration is in; the last is for all that are longer. */
static inline u16 duration_bucket(u64 duration) {
    u64 bound = FIRST_BUCKET_NS;
    u16 bucket = 0;
#pragma unroll
    for (int i = 0; i < DURATION_BUCKETS; i++) {
        bucket += duration > bound;
        bound *= BUCKET_FACTOR;
    }
    return bucket;
}

/* `row` has been counted; it is changed into the row of the duration. */
static inline void count_sendfile_duration(struct row *row, s64 result) {
    u64 thread = bpf_get_current_pid_tgid();
    u64 *start = sendfile_starts.lookup(&thread);
    if (!start)
        return;
    u64 duration = bpf_ktime_get_ns() - *start;
    sendfile_starts.delete(&thread);
    if (result < 0)
        return;
    row->kind = ROW_KIND_DURATION;
    row->errno_or_bucket = duration_bucket(duration);
    row->source = row->destination = ENDPOINT_UNKNOWN;
    row->port = 0;
    add_to_row(row, duration);
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * How long each successful sendfile took. A program on the entry of that one system call notes the time; the exit is
 * seen by the probe of all exits (syscalls.c), so that no other call pays for it. */

#define FIRST_BUCKET_NS 16000 /* exporter/model.py DURATION_BUCKETS_NS */
#define BUCKETS 10            /* each four times the one before; the last is what is longer */

BPF_TABLE("hash", u64, u64, sendfile_starts, SENDFILE_STARTS_ENTRIES);

int sendfile_enter(void *context) {
    u64 thread = bpf_get_current_pid_tgid();
    u64 now = bpf_ktime_get_ns();
    if (sendfile_starts.update(&thread, &now))
        drop(DROPPED_SENDFILE_STARTS);
    return 0;
}

static inline u16 bucket_of(u64 duration) {
    u64 bound = FIRST_BUCKET_NS;
    u16 bucket = 0;
#pragma unroll
    for (int i = 0; i < BUCKETS; i++) {
        bucket += duration > bound;
        bound *= 4;
    }
    return bucket;
}

/* `row` is the caller's, spent: it is made into the row of the duration. */
static inline void sendfile_leave(struct row *row, s64 result) {
    u64 thread = bpf_get_current_pid_tgid();
    u64 *start = sendfile_starts.lookup(&thread);
    if (!start)
        return;
    u64 duration = bpf_ktime_get_ns() - *start;
    sendfile_starts.delete(&thread);
    if (result < 0)
        return;
    row->kind = ROW_KIND_DURATION;
    row->errno_or_bucket = bucket_of(duration);
    row->source = row->destination = ENDPOINT_UNKNOWN;
    row->port = 0;
    add(row, duration);
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Which processes are Kafka brokers, and which of their threads serve which listener. */

#include "counts.h"

/* One bit for each process id: whether it is a broker's. The serving process writes it. */
BPF_ARRAY(brokers, u64, BROKERS_ENTRIES);
/* The local port that a thread uses. A network thread of a broker serves one listener. */
BPF_TABLE("lru_hash", struct thread_key, u32, network_threads, NETWORK_THREADS_ENTRIES);

static inline bool is_broker(u32 tgid) {
    u32 word = tgid / 64;
    u64 *bits = brokers.lookup(&word);
    return bits && *bits >> (tgid & 63) & 1;
}

static inline void note_network_thread(u16 port) {
    void *task = CURRENT_TASK();
    struct thread_key key = {
        .start = READ_START(task), .tgid = READ_TGID(task), .tid = READ_TASK(u32, task, task_struct, pid)};
    if (!is_broker(key.tgid))
        return;
    u32 *noted = network_threads.lookup(&key);
    if (noted && *noted == port)
        return;
    u32 value = port;
    network_threads.update(&key, &value);
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The end of a process: from here on its counts are final, and its name can no longer be read from /proc. */

#include "counts.h"

BPF_TABLE("hash", struct process, struct exit_event, exits, EXITS_ENTRIES);

static inline int note_process_exit(void *task) {
    /* Threads still alive, without this one. The last two threads may both see 0: their events are the same. */
    if (LOAD(u32, LOAD(void *, task, task_struct, signal), signal_struct, live))
        return 0;
    void *leader = LOAD(void *, task, task_struct, group_leader);
    struct process process = {
        .start = LOAD(u64, leader, task_struct, start_boottime),
        .tgid = LOAD(u32, task, task_struct, tgid),
    };
    struct exit_event event = {};
    bpf_probe_read_kernel_str(event.comm, sizeof(event.comm), MEMBER(leader, task_struct, comm));
    if (exits.update(&process, &event))
        count_dropped_update(DROPPED_EXITS);
    return 0;
}

int process_exit(u64 *context) { return note_process_exit((void *)context[0]); }

#ifdef USE_FUNCTION_HOOKS
/* exit_fs(task): a little later in do_exit */
int process_exit_function(void *registers) { return note_process_exit(CURRENT_TASK()); }
#endif

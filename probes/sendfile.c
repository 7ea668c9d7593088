/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The entry of sendfile, whose time is noted for its duration. A program on the entry of that one system call is used,
 * so that no other call pays for it. */

#include "sendfile.h"

static inline int note_start(void) {
    u64 thread = bpf_get_current_pid_tgid();
    u64 now = bpf_ktime_get_ns();
    if (sendfile_starts.update(&thread, &now))
        count_dropped_update(DROPPED_SENDFILE_STARTS);
    return 0;
}

int sendfile_enter(void *context) { return note_start(); }

#ifdef USE_SYSCALL_FUNCTIONS
int sendfile_function(void *context) { return note_start(); }
#endif

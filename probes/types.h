/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What the maps hold. exporter/model.py has the same layouts for Python; the loader compares both. The enumerations
 * are generated from exporter/model.py. No padding is implicit, because keys are compared byte by byte. */

/* One row of counts. A process is (start, tgid): its id may be used again, the start time of its leader may not. */
struct row {
    u64 start; /* start_boottime of the thread-group leader, in ns */
    u32 tgid;
    u16 port;            /* local TCP port when it is watched, else 0 */
    u16 errno_or_bucket; /* errno of an error, bucket of a duration, enum copy_reason of a copy, else 0 */
    u8 operation;        /* enum operation */
    u8 source;           /* enum endpoint */
    u8 destination;      /* enum endpoint */
    u8 kind;             /* enum row_kind */
    u32 padding;
};

/* A row and its numbers, in one cache line. A slot that no row uses is all zeros. */
struct slot {
    struct row row;
    u64 events;
    u64 amount;   /* bytes; nanoseconds in a row of durations or of copy time */
    u64 since_ns; /* CLOCK_BOOTTIME of the row's first event */
    u64 padding[2];
};

struct process {
    u64 start;
    u32 tgid;
    u32 padding;
};

struct thread_key {
    u64 start; /* the process, as in struct row */
    u32 tgid;
    u32 tid;
};

struct exit_event {
    char comm[16]; /* of the thread-group leader, at its end */
};

/* A folder that a process has used files of. */
struct folder_key {
    u64 start; /* the process, as in struct row */
    u64 inode;
    u32 tgid;
    u32 device;
    u32 generation; /* of the inode, whose number may be used again */
    u32 padding;
};

#define FOLDER_TRANSFERS 4 /* as many as enum folder_transfer has: a power of two */
#define ROLES 8            /* room for as many as enum role has, and a power of two */
#define NAME_BYTES 256

struct folder {
    u64 bytes[ROLES * FOLDER_TRANSFERS]; /* by enum role, then by enum folder_transfer */
    u64 parent;                          /* inode number of the folder that contains this one */
    char name[NAME_BYTES];
};

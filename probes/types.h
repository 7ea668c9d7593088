/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What the maps hold. exporter/counting/maps.py unpacks the same layouts; `enum endpoint`, `enum row_kind` and `enum operation` are
 * generated from exporter/model.py, so that C and Python cannot disagree. No padding is implicit: keys are compared
 * byte by byte. */
#ifndef COPY_EXPORTER_TYPES_H
#define COPY_EXPORTER_TYPES_H

/* One row of counts. A process is (start, tgid): its id may be used again, the start time of its leader may not. */
struct row {
    u64 start; /* start_boottime of the thread-group leader, in ns */
    u32 tgid;
    u16 port;   /* local TCP port when it is watched, else 0 */
    u16 errno_or_bucket; /* errno of an error, bucket of a duration, else 0 */
    u8 operation;
    u8 source;
    u8 destination;
    u8 kind;
    u32 padding;
};

struct count {
    u64 events;
    u64 amount;   /* bytes; nanoseconds in a row of durations or of copy time */
    u64 since_ns; /* CLOCK_BOOTTIME of the row's first event */
};

struct process {
    u64 start;
    u32 tgid;
    u32 padding;
};

struct exit_event {
    char comm[16]; /* of the thread-group leader, at its end */
};

#define FOLDER_TRANSFERS 4 /* as many as enum folder_transfer has */
#define NAME_BYTES 256

/* A folder that a process has used files of. */
struct folder_key {
    u64 start; /* the process, as in struct row */
    u64 inode;
    u32 tgid;
    u32 device;
    u32 generation; /* of the inode: its number is used again */
    u32 padding;
};

struct folder {
    u64 bytes[FOLDER_TRANSFERS]; /* by enum folder_transfer */
    u64 parent;            /* inode number of the folder that it is in */
    char name[NAME_BYTES];
};

/* Indices into the map `dropped`, in the order of exporter/model.py DROPPABLE_MAPS. */
enum droppable {
    DROPPED_COUNTS,
    DROPPED_EXITS,
    DROPPED_SENDFILE_STARTS,
    DROPPED_MULTISHOTS,
    DROPPED_FOLDERS,
    DROPPED_MAPS
};

#endif

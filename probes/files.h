/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * From a file descriptor of the current task to its file, and from properties of a file or socket to an endpoint. */
#include "kernel.h"
#include "registers.h"

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_IFSOCK 0140000
#define FMODE_WRITE 2
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

#define S_DAX (1 << 13)

/* exporter/kernel/file_systems.py has the lists of file systems. */
#define HAS_MAGIC(number) case number:
#define IS_AMONG(file_systems, magic)                                                                                  \
    ({                                                                                                                 \
        bool found = false;                                                                                            \
        switch (magic) { file_systems(HAS_MAGIC) found = true; }                                                       \
        found;                                                                                                         \
    })

/* What O_DIRECT moves the bytes of this regular file from or to. */
static inline u8 endpoint_of_direct_file(void *inode) {
    void *superblock = READ(void *, inode, inode, i_sb);
    u64 magic = READ(u64, superblock, super_block, s_magic);
    if (IS_AMONG(MEMORY_FILE_SYSTEMS, magic) || READ(u32, inode, inode, i_flags) & S_DAX)
        return ENDPOINT_PAGE_CACHE;
    if (IS_AMONG(SERVED_FILE_SYSTEMS, magic))
        return ENDPOINT_REMOTE;
    bool has_disk = IS_AMONG(SEVERAL_DISKS_FILE_SYSTEMS, magic) || READ(void *, superblock, super_block, s_bdev);
    return has_disk ? ENDPOINT_DISK : ENDPOINT_UNKNOWN;
}

/* Of an open file on a disk or in memory these two agree; of memory that is not a file they hardly do. */
static inline bool is_open_file(void *file) {
    void *mapping = READ(void *, file, file, f_mapping);
    return mapping && mapping == READ(void *, READ(void *, file, file, f_inode), inode, i_mapping);
}

/* The inode below a file of overlayfs; NULL when it is not found. overlayfs keeps the file below in private_data, and
 * since 18e48d0e2c7b (v6.14) in the first member of what that points to. */
static inline void *inode_below(void *file) {
    void *kept = READ(void *, file, file, private_data);
    void *below = CAST(kept, file);
    if (!is_open_file(below))
        below = CAST(READ_POINTER(kept), file);
    return is_open_file(below) ? READ(void *, below, file, f_inode) : 0;
}

static inline u8 endpoint_of_file(u64 magic) {
    switch (magic) {
        PSEUDO_FILE_SYSTEMS(HAS_MAGIC)
        return ENDPOINT_PSEUDO;
        ANONYMOUS_FILE_SYSTEMS(HAS_MAGIC)
        return ENDPOINT_ANON;
    }
    return ENDPOINT_PAGE_CACHE;
}

/* NULL when the descriptor has been closed meanwhile. */
static inline void *file_of_fd(void *task, u32 fd) {
    void *files = READ_TASK(void *, task, task_struct, files);
    void *table = READ_TASK(void *, files, files_struct, fdt);
    if (fd >= READ_TASK(u32, table, fdtable, max_fds))
        return 0;
    u64 slots = READ_TASK(u64, table, fdtable, fd);
    return CAST(READ_POINTER(slots + 8ULL * fd), file);
}

static inline u8 endpoint_of_socket(u16 family, u16 type) {
    if (family == AF_UNIX)
        return ENDPOINT_UNIX;
    if (family != AF_INET && family != AF_INET6)
        return ENDPOINT_SOCKET;
    return type == SOCK_STREAM ? ENDPOINT_TCP : type == SOCK_DGRAM ? ENDPOINT_UDP : ENDPOINT_SOCKET;
}

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

/* File systems in memory accept O_DIRECT and ignore it: they copy nevertheless. */
static inline bool is_memory_only(u64 magic) {
    switch (magic) {
    case 0x01021994: /* TMPFS_MAGIC */
    case 0x858458f6: /* RAMFS_MAGIC */
    case 0x958458f6: /* HUGETLBFS_MAGIC */
        return true;
    }
    return false;
}

/* Files and directories without a page cache: include/uapi/linux/magic.h. */
static inline u8 endpoint_of_file(u64 magic) {
    switch (magic) {
    case 0x00009fa0: /* PROC_SUPER_MAGIC */
    case 0x62656572: /* SYSFS_MAGIC */
    case 0x0027e0eb: /* CGROUP_SUPER_MAGIC */
    case 0x63677270: /* CGROUP2_SUPER_MAGIC */
    case 0x64626720: /* DEBUGFS_MAGIC */
    case 0x74726163: /* TRACEFS_MAGIC */
    case 0x73636673: /* SECURITYFS_MAGIC */
    case 0xf97cff8c: /* SELINUX_MAGIC */
    case 0x43415d53: /* SMACK_MAGIC */
    case 0x5a3c69f0: /* AAFS_MAGIC */
    case 0x62656570: /* CONFIGFS_MAGIC */
    case 0x6165676c: /* PSTOREFS_MAGIC */
    case 0xde5e81e4: /* EFIVARFS_MAGIC */
    case 0x42494e4d: /* BINFMTFS_MAGIC */
    case 0x65735543: /* FUSE_CTL_SUPER_MAGIC */
    case 0x19800202: /* MQUEUE_MAGIC */
    case 0x07655821: /* RDTGROUP_SUPER_MAGIC */
    case 0x6e736673: /* NSFS_MAGIC */
        return ENDPOINT_PSEUDO;
    case 0x09041934: /* ANON_INODE_FS_MAGIC: regular files inside the kernel since cfd86ef7e8e7 (v6.16) */
    case 0x50494446: /* PID_FS_MAGIC */
    case 0x444d4142: /* DMA_BUF_MAGIC */
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

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

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define S_DAX (1 << 13)

/* File systems whose files another process (FUSE) or machine serves. */
static inline bool is_served(u64 magic) {
    switch (magic) {
    case 0x65735546: /* FUSE_SUPER_MAGIC: virtiofs and fuseblk too */
    case 0x01021997: /* V9FS_MAGIC */
    case 0x00006969: /* NFS_SUPER_MAGIC */
    case 0x0000517b: /* SMB_SUPER_MAGIC */
    case 0xff534d42: /* CIFS_SUPER_MAGIC */
    case 0xfe534d42: /* SMB2_SUPER_MAGIC */
    case 0x00c36400: /* CEPH_SUPER_MAGIC */
    case 0x5346414f: /* AFS_SUPER_MAGIC */
    case 0x6b414653: /* AFS_FS_MAGIC */
    case 0x73757245: /* CODA_SUPER_MAGIC */
    case 0x20030528: /* ORANGEFS_SUPER_MAGIC */
    case 0x786f4256: /* VBOXSF_SUPER_MAGIC */
    case 0x0bd00bd0: /* Lustre, which is not in magic.h */
        return true;
    }
    return false;
}

/* File systems over several devices have none in their super_block. */
static inline bool has_disk(void *superblock, u64 magic) {
    switch (magic) {
    case 0x9123683e: /* BTRFS_SUPER_MAGIC */
    case 0xca451a4e: /* BCACHEFS_SUPER_MAGIC */
        return true;
    }
    return READ(void *, superblock, super_block, s_bdev);
}

/* What O_DIRECT moves the bytes of this regular file from or to. */
static inline u8 endpoint_of_direct_file(void *inode) {
    void *superblock = READ(void *, inode, inode, i_sb);
    u64 magic = READ(u64, superblock, super_block, s_magic);
    if (is_memory_only(magic) || READ(u32, inode, inode, i_flags) & S_DAX)
        return ENDPOINT_PAGE_CACHE;
    if (is_served(magic))
        return ENDPOINT_REMOTE;
    return has_disk(superblock, magic) ? ENDPOINT_DISK : ENDPOINT_UNKNOWN;
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

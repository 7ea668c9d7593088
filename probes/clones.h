/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Whether copy_file_range made two files share blocks. No tracepoint shows it, so this asks what the kernel has asked
 * before it cloned (vfs_copy_file_range, generic_remap_file_range_prep); if it did not hold, the kernel copied. */

#include "endpoints.h"
#include "syscall_table.h"

/* Where the range began. The call has added its bytes to the offset that it used. */
static inline u64 range_start(struct endpoint_info *info, u64 offset_at, u64 bytes) {
    u64 end = READ(u64, info->file, file, f_pos);
    asm volatile("" : "+r"(end)); /* or clang makes one load of this and the next, which the verifier refuses */
    if (offset_at)
        bpf_probe_read_user(&end, sizeof(end), (void *)offset_at);
    return end - bytes;
}

/* A file system with a function of its own for copy_file_range (overlayfs, FUSE, NFS) is asked first, and shows nobody
 * what it or its server did. */
static inline bool may_clone(struct endpoint_info *from, struct endpoint_info *to) {
    return READ(void *, from->inode, inode, i_sb) == READ(void *, to->inode, inode, i_sb) &&
           !READ(void *, READ(void *, to->file, file, f_op), file_operations, copy_file_range) &&
           READ(void *, READ(void *, from->file, file, f_op), file_operations, remap_file_range);
}

/* Ranges are whole blocks; a part of a block only at the end of both files. */
static inline bool is_range_of_blocks(struct endpoint_info *from, struct endpoint_info *to, struct syscall *syscall,
                                      u64 bytes) {
    u64 in = range_start(from, syscall->argument[1], bytes), out = range_start(to, syscall->argument[3], bytes);
    u64 within_block = READ(u64, READ(void *, to->inode, inode, i_sb), super_block, s_blocksize) - 1;
    if ((in | out) & within_block)
        return false;
    return !(bytes & within_block) || (in + bytes == READ(u64, from->inode, inode, i_size) &&
                                       out + bytes == READ(u64, to->inode, inode, i_size));
}

static inline bool is_clone(struct endpoint_info *from, struct endpoint_info *to, struct syscall *syscall, u64 bytes) {
    return from->file && to->file && may_clone(from, to) && is_range_of_blocks(from, to, syscall, bytes);
}

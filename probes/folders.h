/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What brokers move from and to files, by the role of the thread and by the folder that contains the file: Kafka has one
 * folder for each partition of a topic. A folder is identified by its inode; its name is read once, when it is first seen.
 * Files that are renamed, deleted or rolled stay in their folder, and a folder that is renamed stays the same one. */

#include "brokers.h"
#include "endpoints.h"
#include "roles.h"

BPF_TABLE("hash", struct folder_key, struct folder, folders, FOLDERS_ENTRIES);
BPF_ARRAY(no_folder, struct folder, 1); /* only zeros, to copy from: a folder is too big for the stack */

static inline struct folder *add_folder(struct folder_key *key, void *dentry) {
    u32 first = 0;
    struct folder *zeros = no_folder.lookup(&first);
    if (!zeros)
        return 0;
    folders.insert(key, zeros); /* another CPU may be first: it reads the same name */
    struct folder *folder = folders.lookup(key);
    if (!folder) {
        count_dropped_update(DROPPED_FOLDERS);
        return 0;
    }
    void *parent = READ(void *, READ(void *, dentry, dentry, d_parent), dentry, d_inode);
    folder->parent = READ(u64, parent, inode, i_ino);
    bpf_probe_read_kernel_str(folder->name, NAME_BYTES, (void *)READ(u64, dentry, dentry, d_name_name));
    return folder;
}

/* `dentry` is a file's. Its folder is its parent even when the file is deleted. */
static inline void count_in_folder(struct row *row, void *dentry, u32 transfer, u64 bytes) {
    void *parent = READ(void *, dentry, dentry, d_parent);
    void *inode = READ(void *, parent, dentry, d_inode);
    struct folder_key key = {
        .start = row->start,
        .tgid = row->tgid,
        .device = READ(u32, READ(void *, inode, inode, i_sb), super_block, s_dev),
        .inode = READ(u64, inode, inode, i_ino),
        .generation = READ(u32, inode, inode, i_generation),
    };
    struct folder *folder = folders.lookup(&key);
    if (!folder)
        folder = add_folder(&key, parent);
    u32 index = role_of(CURRENT_TASK()) * FOLDER_TRANSFERS + transfer;
    if (folder)
        __sync_fetch_and_add(&folder->bytes[index & (ROLES * FOLDER_TRANSFERS - 1)], bytes);
}

static inline bool is_file_of_broker(struct row *row, struct endpoint_info *info) {
    return (info->endpoint == ENDPOINT_PAGE_CACHE || info->endpoint == ENDPOINT_DISK) && is_broker(row->tgid);
}

static inline void *dentry_of(struct endpoint_info *info) { return READ(void *, info->file, file, f_path_dentry); }

/* Between user memory and a file. */
static inline void count_copy_in_folder(struct row *row, struct endpoint_info *info, u64 bytes) {
    if (!is_file_of_broker(row, info))
        return;
    if (row->destination == ENDPOINT_USER)
        count_in_folder(row, dentry_of(info),
                        row->kind == ROW_KIND_DMA ? FOLDER_TRANSFER_DMA_READ : FOLDER_TRANSFER_CPU_READ, bytes);
    else if (row->kind == ROW_KIND_CPU_COPY)
        count_in_folder(row, dentry_of(info), FOLDER_TRANSFER_CPU_WRITTEN, bytes);
}

/* Between two files, inside the kernel. */
static inline void count_transfer_in_folders(struct row *row, struct endpoint_info *from, struct endpoint_info *to,
                                             u64 bytes) {
    if (is_file_of_broker(row, from))
        count_in_folder(row, dentry_of(from),
                        row->kind == ROW_KIND_ZERO_COPY ? FOLDER_TRANSFER_BY_REFERENCE : FOLDER_TRANSFER_CPU_READ,
                        bytes);
    if (row->kind == ROW_KIND_CPU_COPY && is_file_of_broker(row, to))
        count_in_folder(row, dentry_of(to), FOLDER_TRANSFER_CPU_WRITTEN, bytes);
}

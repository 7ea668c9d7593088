/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * From a file to the endpoint of a hop, and from two endpoints to the hop: for system calls and for io_uring.
 * docs/accounting.md has the table of hops that this follows. */

#include "brokers.h"
#include "counts.h"
#include "files.h"
#include "sockets_and_pages.h"

#define MSG_ZEROCOPY 0x4000000

/* One bit for each local TCP port that is watched; the serving process writes it. */
struct port_set {
    u64 words[1024];
};
BPF_ARRAY(ports, struct port_set, PORTS_ENTRIES);

/* One file, and which endpoint it is. */
struct endpoint_info {
    u8 endpoint;
    u16 port; /* the local TCP port, when it is watched */
    void *file;
    void *inode;
    void *sock;
};

static inline u16 watched_port_or_zero(u16 port) {
    u32 zero = 0;
    struct port_set *set = ports.lookup(&zero);
    if (!set || !((set->words[port >> 6] >> (port & 63)) & 1))
        return 0;
    note_network_thread(port);
    return port;
}

static inline u64 superblock_magic(void *inode) {
    return READ(u64, READ(void *, inode, inode, i_sb), super_block, s_magic);
}

static inline void resolve_socket(struct endpoint_info *info) {
    void *socket = CAST(READ(void *, info->file, file, private_data), socket);
    info->sock = READ(void *, socket, socket, sk);
    info->endpoint = endpoint_of_socket(READ(u16, info->sock, sock, skc_family), READ(u16, socket, socket, type));
    if (info->endpoint == ENDPOINT_TCP)
        info->port = watched_port_or_zero(READ(u16, info->sock, sock, skc_num));
}

/* `file` is NULL when the descriptor has been closed meanwhile. */
static inline void resolve_file(struct endpoint_info *info, void *file) {
    info->endpoint = ENDPOINT_UNKNOWN;
    info->port = 0;
    info->sock = 0;
    info->inode = 0;
    info->file = file;
    if (!info->file)
        return;
    info->inode = READ(void *, info->file, file, f_inode);
    switch (READ(u16, info->inode, inode, i_mode) & S_IFMT) {
    case S_IFSOCK: resolve_socket(info); break;
    case S_IFDIR:
    case S_IFREG: info->endpoint = endpoint_of_file(superblock_magic(info->inode)); break;
    case S_IFBLK: info->endpoint = ENDPOINT_PAGE_CACHE; break;
    case S_IFCHR: info->endpoint = ENDPOINT_DEVICE; break;
    case S_IFIFO: info->endpoint = ENDPOINT_PIPE; break;
    default: info->endpoint = ENDPOINT_ANON; break;
    }
}

static inline bool is_open_direct(struct endpoint_info *info) {
    return info->endpoint == ENDPOINT_PAGE_CACHE && READ(u32, info->file, file, f_flags) & O_DIRECT;
}

/* Where O_DIRECT leads. The inode of a block device is on devtmpfs, but its bytes are not. */
static inline u8 direct_endpoint(struct endpoint_info *info) {
    void *inode = info->inode;
    switch (READ(u16, inode, inode, i_mode) & S_IFMT) {
    case S_IFBLK: return ENDPOINT_DISK;
    case S_IFDIR: return ENDPOINT_PAGE_CACHE;
    }
    if (IS_AMONG(OVERLAY_FILE_SYSTEMS, superblock_magic(inode)))
        inode = inode_below(info->file);
    return inode ? endpoint_of_direct_file(inode) : ENDPOINT_UNKNOWN;
}

/* The kernel ignores MSG_ZEROCOPY on a socket without SO_ZEROCOPY. */
static inline bool sends_by_reference(u64 flags, struct endpoint_info *info) {
    return flags & MSG_ZEROCOPY && (info->endpoint == ENDPOINT_TCP || info->endpoint == ENDPOINT_UDP) &&
           READ(u64, info->sock, sock, sk_flags) & (1ULL << VALUE_SOCK_ZEROCOPY);
}

/* A hop between user memory and a file. */
static inline void fill_copy(struct row *row, struct endpoint_info *info, bool to_user, bool by_reference) {
    row->kind = by_reference ? ROW_KIND_ZERO_COPY : ROW_KIND_CPU_COPY;
    if (is_open_direct(info)) {
        info->endpoint = direct_endpoint(info);
        if (info->endpoint == ENDPOINT_DISK)
            row->kind = ROW_KIND_DMA;
    }
    row->source = to_user ? info->endpoint : ENDPOINT_USER;
    row->destination = to_user ? ENDPOINT_USER : info->endpoint;
    row->port = info->port;
}

/* Devices, pseudo files and anonymous inodes have no pages, so the kernel copies from and to them. */
static inline bool has_pages(u8 endpoint) {
    const u32 none = 1 << ENDPOINT_DEVICE | 1 << ENDPOINT_PSEUDO | 1 << ENDPOINT_ANON;
    return !(none >> endpoint & 1);
}

/* Sockets decide themselves whether they take pages (sockets_and_pages.h). A page cache gives its pages away but takes
 * none. */
static inline bool passes_pages(struct endpoint_info *from, struct endpoint_info *to) {
    if (!has_pages(from->endpoint) || !has_pages(to->endpoint) || to->endpoint == ENDPOINT_PAGE_CACHE)
        return false;
    return (!from->sock || socket_gives_pages(from->file, from->sock)) &&
           (!to->sock || socket_takes_pages(to->endpoint, to->sock));
}

/* Of a hop that was copied. */
static inline u16 copy_reason(struct endpoint_info *from, struct endpoint_info *to) {
    bool is_encrypted = to->endpoint == ENDPOINT_TCP && is_kernel_tls(to->sock) && !sends_as_tcp(to->sock);
    bool is_decrypted =
        from->endpoint == ENDPOINT_TCP && is_kernel_tls(from->sock) && !socket_gives_pages(from->file, from->sock);
    return is_encrypted || is_decrypted ? COPY_REASON_KERNEL_TLS : COPY_REASON_NONE;
}

/* A hop between two files, inside the kernel. */
static inline void fill_transfer(struct row *row, struct endpoint_info *from, struct endpoint_info *to,
                                 bool by_reference) {
    row->kind = by_reference ? ROW_KIND_ZERO_COPY : ROW_KIND_CPU_COPY;
    row->source = from->endpoint;
    row->destination = to->endpoint;
    row->port = to->port ? to->port : from->port;
    if (!by_reference)
        row->errno_or_bucket = copy_reason(from, to);
}

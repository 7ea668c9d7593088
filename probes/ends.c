/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * From a file to the end of a hop, and from ends to the hop: shared by what is counted at system calls and by io_uring.
 * docs/accounting.md has the table of hops that this follows. */

#include "abi.h"

#define MSG_ZEROCOPY 0x4000000

/* One bit for each local TCP port that is watched; the serving process writes it. */
struct port_set {
    u64 words[1024];
};
BPF_ARRAY(ports, struct port_set, 1);

/* What is behind one file. */
struct end {
    u8 endpoint;
    u16 port; /* the local TCP port, when it is watched */
    void *file;
    void *inode;
    void *sock;
};

static inline u16 watched(u16 port) {
    u32 zero = 0;
    struct port_set *set = ports.lookup(&zero);
    return set && (set->words[port >> 6] >> (port & 63)) & 1 ? port : 0;
}

static inline u64 magic_of(void *inode) {
    return READ(u64, READ(void *, inode, inode, i_sb), super_block, s_magic);
}

static inline void look_behind_socket(struct end *end) {
    void *socket = CAST(READ(void *, end->file, file, private_data), socket);
    end->sock = READ(void *, socket, socket, sk);
    end->endpoint = endpoint_of_socket(READ(u16, end->sock, sock, skc_family), READ(u16, socket, socket, type));
    if (end->endpoint == ENDPOINT_TCP)
        end->port = watched(READ(u16, end->sock, sock, skc_num));
}

/* `file` is NULL when there is none any more. */
static inline void look_behind(struct end *end, void *file) {
    end->endpoint = ENDPOINT_UNKNOWN;
    end->port = 0;
    end->sock = 0;
    end->inode = 0;
    end->file = file;
    if (!end->file)
        return;
    end->inode = READ(void *, end->file, file, f_inode);
    switch (READ(u16, end->inode, inode, i_mode) & S_IFMT) {
    case S_IFSOCK: look_behind_socket(end); break;
    case S_IFREG: end->endpoint = endpoint_of_regular_file(magic_of(end->inode)); break;
    case S_IFBLK: end->endpoint = ENDPOINT_PAGE_CACHE; break;
    case S_IFCHR: end->endpoint = ENDPOINT_DEVICE; break;
    case S_IFIFO: end->endpoint = ENDPOINT_PIPE; break;
    default: end->endpoint = ENDPOINT_ANON; break;
    }
}

/* The inode of a block device is on devtmpfs, which is not where its bytes are. */
static inline bool is_in_memory(struct end *end) {
    return (READ(u16, end->inode, inode, i_mode) & S_IFMT) == S_IFREG && is_memory_only(magic_of(end->inode));
}

static inline bool bypasses_page_cache(struct end *end) {
    return end->endpoint == ENDPOINT_PAGE_CACHE && READ(u32, end->file, file, f_flags) & O_DIRECT && !is_in_memory(end);
}

/* The kernel ignores MSG_ZEROCOPY on a socket without SO_ZEROCOPY. */
static inline bool sends_by_reference(u64 flags, struct end *end) {
    return flags & MSG_ZEROCOPY && (end->endpoint == ENDPOINT_TCP || end->endpoint == ENDPOINT_UDP) &&
           READ(u64, end->sock, sock, sk_flags) & (1ULL << VALUE_SOCK_ZEROCOPY);
}

/* Between user memory and what is behind one file. */
static inline void fill_copy(struct row *row, struct end *end, bool to_user, bool by_reference) {
    row->kind = by_reference ? ROW_KIND_ZERO_COPY : ROW_KIND_CPU_COPY;
    if (bypasses_page_cache(end)) {
        end->endpoint = ENDPOINT_DISK;
        row->kind = ROW_KIND_DMA;
    }
    row->source = to_user ? end->endpoint : ENDPOINT_USER;
    row->destination = to_user ? ENDPOINT_USER : end->endpoint;
    row->port = end->port;
}

/* Pipes and sockets hold whatever pages they are given. A page cache gives its pages away but takes none, and devices,
 * pseudo files and anonymous inodes have none: to and from these the kernel copies. */
static inline bool holds_pages(u8 endpoint) {
    const u32 others = 1 << ENDPOINT_PAGE_CACHE | 1 << ENDPOINT_DEVICE | 1 << ENDPOINT_PSEUDO | 1 << ENDPOINT_ANON;
    return !(others >> endpoint & 1);
}

static inline bool passes_pages(struct end *from, struct end *to) {
    bool has_pages = from->endpoint == ENDPOINT_PAGE_CACHE || holds_pages(from->endpoint);
    return has_pages && holds_pages(to->endpoint);
}

/* Between two files, inside the kernel. */
static inline void fill_transfer(struct row *row, struct end *from, struct end *to, bool by_reference) {
    row->kind = by_reference ? ROW_KIND_ZERO_COPY : ROW_KIND_CPU_COPY;
    row->source = from->endpoint;
    row->destination = to->endpoint;
    row->port = to->port ? to->port : from->port;
}

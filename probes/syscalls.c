/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Every system call that moves data, counted once, at its exit: the number, the arguments and the result are all there,
 * so that nothing has to be kept between entry and exit. docs/accounting.md has the table of hops that this follows. */
#include "abi.h"

#define MSG_ZEROCOPY 0x4000000
#define MESSAGES_MAX 1024 /* UIO_MAXIOV: the kernel takes no more in one call */
#define EINTR 4
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516
#define SIGSYS 31

/* One bit for each local TCP port that is watched; the serving process writes it. */
struct port_set {
    u64 words[1024];
};
BPF_ARRAY(ports, struct port_set, 1);

/* What is behind one descriptor. */
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

static inline void look_behind(struct end *end, void *task, u32 fd) {
    end->endpoint = ENDPOINT_UNKNOWN;
    end->port = 0;
    end->sock = 0;
    end->inode = 0;
    end->file = file_of(task, fd);
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
static inline bool sends_by_reference(struct syscall *syscall, struct end *end) {
    u64 flags = syscall->shape == SHAPE_SEND_2                                          ? syscall->argument[2]
                : syscall->shape == SHAPE_SEND_3 || syscall->shape == SHAPE_SEND_MANY ? syscall->argument[3]
                                                                                        : 0;
    return flags & MSG_ZEROCOPY && (end->endpoint == ENDPOINT_TCP || end->endpoint == ENDPOINT_UDP) &&
           READ(u64, end->sock, sock, sk_flags) & (1ULL << VALUE_SOCK_ZEROCOPY);
}

/* Between user memory and what is behind one descriptor. */
static inline void classify_copy(struct row *row, struct syscall *syscall, struct end *end) {
    bool to_user = syscall->shape == SHAPE_READ || syscall->shape == SHAPE_RECV_MANY;
    row->kind = KIND_CPU_COPY;
    if (syscall->shape == SHAPE_VMSPLICE) {
        to_user = end->file && !(READ(u32, end->file, file, f_mode) & FMODE_WRITE);
        row->kind = to_user ? KIND_CPU_COPY : KIND_ZERO_COPY;
    } else if (bypasses_page_cache(end)) {
        end->endpoint = ENDPOINT_DISK;
        row->kind = KIND_DMA;
    } else if (sends_by_reference(syscall, end)) {
        row->kind = KIND_ZERO_COPY;
    }
    row->source = to_user ? end->endpoint : ENDPOINT_USER;
    row->destination = to_user ? ENDPOINT_USER : end->endpoint;
    row->port = end->port;
}

/* Inferred, as vfs_copy_file_range decides: a file system that can clone does, within one superblock. */
static inline bool clones(struct end *from, struct end *to) {
    if (!from->file || !to->file)
        return false;
    void *operations = READ(void *, from->file, file, f_op);
    return READ(void *, operations, file_operations, remap_file_range) &&
           READ(void *, from->inode, inode, i_sb) == READ(void *, to->inode, inode, i_sb);
}

/* Pipes and sockets hold whatever pages they are given. A page cache gives its pages away but takes none, and devices,
 * pseudo files and anonymous inodes have none: to and from these the kernel copies. */
static inline bool holds_pages(u8 endpoint) {
    const u32 others = 1 << ENDPOINT_PAGE_CACHE | 1 << ENDPOINT_DEVICE | 1 << ENDPOINT_PSEUDO | 1 << ENDPOINT_ANON;
    return !(others >> endpoint & 1);
}

/* Between two descriptors, inside the kernel. */
static inline void classify_transfer(struct row *row, struct syscall *syscall, struct end *from, struct end *to) {
    bool has_pages = from->endpoint == ENDPOINT_PAGE_CACHE || holds_pages(from->endpoint);
    bool by_reference =
        syscall->call == CALL_COPY_FILE_RANGE ? clones(from, to) : has_pages && holds_pages(to->endpoint);
    row->kind = by_reference ? KIND_ZERO_COPY : KIND_CPU_COPY;
    row->source = from->endpoint;
    row->destination = to->endpoint;
    row->port = to->port ? to->port : from->port;
}

static inline void classify(struct row *row, struct syscall *syscall, void *task) {
    struct end end, to;
    look_behind(&end, task, syscall->shape == SHAPE_SENDFILE ? syscall->argument[1] : syscall->argument[0]);
    switch (syscall->shape) {
    case SHAPE_SENDFILE: look_behind(&to, task, syscall->argument[0]); break;
    case SHAPE_SPLICE: look_behind(&to, task, syscall->argument[2]); break;
    case SHAPE_TEE: look_behind(&to, task, syscall->argument[1]); break;
    default: classify_copy(row, syscall, &end); return;
    }
    classify_transfer(row, syscall, &end, &to);
}

/* sendmmsg and recvmmsg return a number of messages; the kernel has written the length of each into its header. */
static inline u64 bytes_of_messages(struct syscall *syscall, u32 messages) {
    u64 length_at = syscall->argument[1] + (syscall->compat ? 28 : 56);
    u64 size = syscall->compat ? 32 : 64; /* struct compat_mmsghdr, struct mmsghdr */
    u64 bytes = 0;
    u32 unread = 0;
    for (u64 i = 0; i < MESSAGES_MAX && i < messages; i++) {
        u32 length = 0;
        asm volatile("" : "+r"(i)); /* or clang counts down from a minimum, and the verifier loses the bound */
        unread |= bpf_probe_read_user(&length, sizeof(length), (void *)length_at);
        bytes += length;
        length_at += size;
    }
    if (unread)
        drop(DROPPED_COUNTS);
    return bytes;
}

/* The last thing in the program: the verifier walks the loop anew for each state that is alive around it. */
static inline void add_messages(struct row *row, struct syscall *syscall, u32 messages) {
    struct count *count = count_of(row);
    if (!count)
        return;
    __sync_fetch_and_add(&count->events, 1);
    __sync_fetch_and_add(&count->amount, bytes_of_messages(syscall, messages));
}

/* Results that tell the kernel to restart a call never reach the program: it sees EINTR or the restarted call. */
static inline u16 errno_of(s64 result) {
    u16 error = -result;
    return error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK ? EINTR : error;
}

/* SECCOMP_RET_TRAP puts the number back into the result register and sends SIGSYS: the call was never made. */
static inline bool was_trapped(void *task, u32 number, s64 result) {
    return result == number && READ_TASK(u64, task, task_struct, pending_signal) & (1ULL << (SIGSYS - 1));
}

int sys_exit(u64 *context) {
    void *registers = (void *)context[0];
    s64 result = context[1];
    u32 number = syscall_number(registers);
    if (!may_move_data(number))
        return 0;
    void *task = CURRENT();
    struct syscall syscall;
    if (!decode(&syscall, task, registers, number) || was_trapped(task, number, result))
        return 0;

    struct row row = ROW_OF(task);
    row.call = syscall.call;
    if (result < 0) {
        row.kind = KIND_ERROR;
        row.detail = errno_of(result);
        row.source = row.destination = ENDPOINT_UNKNOWN;
        add(&row, 0);
    } else {
        classify(&row, &syscall, task);
        if (syscall.shape == SHAPE_RECV_MANY || syscall.shape == SHAPE_SEND_MANY) {
            add_messages(&row, &syscall, result);
            return 0;
        }
        add(&row, result);
    }
    if (syscall.shape == SHAPE_SENDFILE)
        sendfile_leave(&row, result);
    return 0;
}

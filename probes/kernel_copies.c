/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The results of the kernel's functions that copy between user memory and a page cache, a pipe or TCP, whatever called
 * them: system calls, io_uring. Each program runs at the end of its function and sees its arguments and its result. */

#include "counts.h"
#include "registers.h"

#define MSG_SPLICE_PAGES 0x8000000
#define NETIF_F_SG 1

#if OFFSET_iov_iter_type >= 0
#define ITER_TYPE_MASK 0xfe /* before 8cd54c1c8480 (v5.14) bit 0 is the direction */
#else
#define ITER_TYPE_MASK 0xff
#endif

/* Only iterators over user memory count: splice and sendfile pass pipes and pages, loop devices and NFS kernel
 * memory. */
static inline bool is_user_memory(void *iterator) {
    u32 type = LOAD(u8, iterator, iov_iter, iter_type) & ITER_TYPE_MASK;
    return type == VALUE_ITER_IOVEC || type == VALUE_ITER_UBUF;
}

/* No call moves 2 GiB (MAX_RW_COUNT), and some functions return an int, whose sign is not extended in the register. */
static inline void count_copied(s32 bytes, u8 source, u8 destination) {
    if (bytes <= 0)
        return;
    void *task = CURRENT_TASK();
    struct row row = {};
    set_process_unless_kernel_thread(&row, task);
    row.kind = ROW_KIND_KERNEL_COPY;
    row.operation = OPERATION_NONE;
    row.source = source;
    row.destination = destination;
    add_to_row(&row, bytes);
}

static inline int count_kernel_copy(void *iterator, s32 bytes, u8 source, u8 destination) {
    if (is_user_memory(iterator))
        count_copied(bytes, source, destination);
    return 0;
}

/* filemap_read(iocb, iterator, already_read): the result includes already_read */
int filemap_read(u64 *arguments) {
    s32 bytes = arguments[3] - arguments[2];
    return count_kernel_copy((void *)arguments[1], bytes, ENDPOINT_PAGE_CACHE, ENDPOINT_USER);
}

/* shmem_file_read_iter(iocb, iterator) */
int shmem_file_read_iter(u64 *arguments) {
    return count_kernel_copy((void *)arguments[1], arguments[2], ENDPOINT_PAGE_CACHE, ENDPOINT_USER);
}

/* generic_perform_write(iocb, iterator), with a third argument before 800ba29547e1 (v5.18) */
int generic_perform_write(u64 *arguments) {
    s32 bytes = arguments[RETURN_generic_perform_write];
    return count_kernel_copy((void *)arguments[1], bytes, ENDPOINT_USER, ENDPOINT_PAGE_CACHE);
}

/* iomap_file_buffered_write(iocb, iterator, ...) */
int iomap_file_buffered_write(u64 *arguments) {
    s32 bytes = arguments[RETURN_iomap_file_buffered_write];
    return count_kernel_copy((void *)arguments[1], bytes, ENDPOINT_USER, ENDPOINT_PAGE_CACHE);
}

/* As tcp_sendmsg_locked decides: pages that splice passes; MSG_ZEROCOPY with the socket's option or by io_uring, if the
 * device supports scatter-gather. */
static inline bool sends_references(void *sock, void *message) {
    u32 flags = LOAD(u32, message, msghdr, msg_flags);
    if (flags & MSG_SPLICE_PAGES)
        return true;
    bool enabled = LOAD(u64, sock, sock, sk_flags) & (1ULL << VALUE_SOCK_ZEROCOPY);
#if OFFSET_msghdr_msg_ubuf
    enabled |= LOAD(void *, message, msghdr, msg_ubuf) != 0;
#endif
    return flags & MSG_ZEROCOPY && enabled && LOAD(u64, sock, sock, sk_route_caps) & NETIF_F_SG;
}

/* tcp_sendmsg_locked(sock, message, size) */
int tcp_sendmsg_locked(u64 *arguments) {
    void *message = (void *)arguments[1];
    if (sends_references((void *)arguments[0], message))
        return 0;
    return count_kernel_copy(MEMBER(message, msghdr, msg_iter), arguments[3], ENDPOINT_USER, ENDPOINT_TCP);
}

/* pipe_read(iocb, iterator) and pipe_write, anon_pipe_read and anon_pipe_write since v6.14 */
int pipe_read(u64 *arguments) {
    return count_kernel_copy((void *)arguments[1], arguments[2], ENDPOINT_PIPE, ENDPOINT_USER);
}

int pipe_write(u64 *arguments) {
    return count_kernel_copy((void *)arguments[1], arguments[2], ENDPOINT_USER, ENDPOINT_PIPE);
}

#if defined(HAVE_RDONLY_CAST) && OFFSET_fprobe_rethook < 0
#define ITERATOR(registers) CAST(function_argument(registers, 1), iov_iter)

/* The same for kernels that may preempt programs at the end of a function: a session program runs at the entry and at
 * the return of the function, with preemption off, and keeps a word in between. It returns 1 at the entry to skip the
 * return of a call that does not count. */
#define DEFINE_SESSION_PROBE(name, counts, before, source, destination)                                                \
    int name##_session(void *registers) {                                                                              \
        u64 *kept = session_cookie(registers);                                                                         \
        if (session_is_return(registers)) {                                                                            \
            count_copied(function_result(registers) - *kept, source, destination);                                     \
            return 0;                                                                                                  \
        }                                                                                                              \
        *kept = before;                                                                                                \
        return !(counts);                                                                                              \
    }

static inline bool sends_user_memory(void *registers) {
    void *message = CAST(function_argument(registers, 1), msghdr);
    return is_user_memory(MEMBER(message, msghdr, msg_iter)) &&
           !sends_references(CAST(function_argument(registers, 0), sock), message);
}

DEFINE_SESSION_PROBE(filemap_read, is_user_memory(ITERATOR(registers)), function_argument(registers, 2),
                     ENDPOINT_PAGE_CACHE, ENDPOINT_USER)
DEFINE_SESSION_PROBE(shmem_file_read_iter, is_user_memory(ITERATOR(registers)), 0, ENDPOINT_PAGE_CACHE, ENDPOINT_USER)
DEFINE_SESSION_PROBE(generic_perform_write, is_user_memory(ITERATOR(registers)), 0, ENDPOINT_USER, ENDPOINT_PAGE_CACHE)
DEFINE_SESSION_PROBE(iomap_file_buffered_write, is_user_memory(ITERATOR(registers)), 0, ENDPOINT_USER,
                     ENDPOINT_PAGE_CACHE)
DEFINE_SESSION_PROBE(tcp_sendmsg_locked, sends_user_memory(registers), 0, ENDPOINT_USER, ENDPOINT_TCP)
DEFINE_SESSION_PROBE(pipe_read, is_user_memory(ITERATOR(registers)), 0, ENDPOINT_PIPE, ENDPOINT_USER)
DEFINE_SESSION_PROBE(pipe_write, is_user_memory(ITERATOR(registers)), 0, ENDPOINT_USER, ENDPOINT_PIPE)
#endif

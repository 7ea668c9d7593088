/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What the kernel's functions that copy between user memory and a page cache, a pipe or TCP returned, whatever called
 * them: system calls, io_uring. Each runs at the end of its function and sees its arguments and its result. */

#define MSG_SPLICE_PAGES 0x8000000

/* Only iterators over user memory: splice and sendfile hand in pipes and pages, loop devices and NFS kernel memory. */
static inline bool is_user_memory(void *iterator) {
    u8 type = LOAD(u8, iterator, iov_iter, iter_type) & ITER_TYPE_MASK;
    return type == VALUE_ITER_IOVEC || type == VALUE_ITER_UBUF;
}

static inline int count_kernel_copy(void *iterator, s64 bytes, u8 source, u8 destination) {
    if (bytes <= 0 || !is_user_memory(iterator))
        return 0;
    void *task = CURRENT();
    struct row row = ROW_OF(task);
    row.kind = KIND_KERNEL_COPY;
    row.call = CALL_NONE;
    row.source = source;
    row.destination = destination;
    add(&row, bytes);
    return 0;
}

/* filemap_read(iocb, iterator, already_read): what was read before is part of the result */
int filemap_read(u64 *arguments) {
    s64 bytes = arguments[3] - arguments[2];
    return count_kernel_copy((void *)arguments[1], bytes, ENDPOINT_PAGE_CACHE, ENDPOINT_USER);
}

/* shmem_file_read_iter(iocb, iterator) */
int shmem_file_read_iter(u64 *arguments) {
    return count_kernel_copy((void *)arguments[1], arguments[2], ENDPOINT_PAGE_CACHE, ENDPOINT_USER);
}

/* generic_perform_write(iocb, iterator), with a position before 800ba29547e1 (v5.18) */
int generic_perform_write(u64 *arguments) {
    s64 bytes = arguments[RETURN_generic_perform_write];
    return count_kernel_copy((void *)arguments[1], bytes, ENDPOINT_USER, ENDPOINT_PAGE_CACHE);
}

/* iomap_file_buffered_write(iocb, iterator, ...) */
int iomap_file_buffered_write(u64 *arguments) {
    s64 bytes = arguments[RETURN_iomap_file_buffered_write];
    return count_kernel_copy((void *)arguments[1], bytes, ENDPOINT_USER, ENDPOINT_PAGE_CACHE);
}

/* tcp_sendmsg_locked(sock, message, size) */
int tcp_sendmsg_locked(u64 *arguments) {
    void *message = (void *)arguments[1];
    u32 flags = LOAD(u32, message, msghdr, msg_flags);
    bool by_reference = flags & MSG_SPLICE_PAGES ||
                        (flags & MSG_ZEROCOPY &&
                         LOAD(u64, (void *)arguments[0], sock, sk_flags) & (1ULL << VALUE_SOCK_ZEROCOPY));
    if (by_reference)
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

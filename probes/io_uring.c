/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Requests of io_uring that move data, counted when their completion is put into the ring. The request then still has
 * its file, an ordinary or a registered one, and the task that submitted it, whichever thread did the work. */

#include "endpoints.h"

#define SPLICE_F_FD_IN_FIXED (1U << 31)
#define IORING_CQE_F_BUFFER (1U << 0)
#define IORING_RECV_MULTISHOT (1U << 1)
#define IORING_RECVSEND_BUNDLE (1U << 4)

/* X(opcode, operation, layout). Opcodes are part of the kernel's interface and never change; they are not taken from
 * the installed headers, which may be older than the kernel. */
#define REQUESTS(X)                                                                                                    \
    X(1, READV, READ)                                                                                                  \
    X(2, WRITEV, WRITE)                                                                                                \
    X(4, READ_FIXED, READ)                                                                                             \
    X(5, WRITE_FIXED, WRITE)                                                                                           \
    X(9, SENDMSG, SEND)                                                                                                \
    X(10, RECVMSG, READ)                                                                                               \
    X(22, READ, READ)                                                                                                  \
    X(23, WRITE, WRITE)                                                                                                \
    X(26, SEND, SEND)                                                                                                  \
    X(27, RECV, READ)                                                                                                  \
    X(30, SPLICE, SPLICE)                                                                                              \
    X(33, TEE, TEE)                                                                                                    \
    X(47, SEND_ZC, SEND_ZC)                                                                                            \
    X(48, SENDMSG_ZC, SEND_ZC)                                                                                         \
    X(49, READ_MULTISHOT, READ)                                                                                        \
    X(60, READV_FIXED, READ)                                                                                           \
    X(61, WRITEV_FIXED, WRITE)

/* Where a request has its files. */
enum request_layout {
    REQUEST_READ,
    REQUEST_WRITE,
    REQUEST_SEND, /* with MSG_ flags */
    REQUEST_SEND_ZC,
    REQUEST_SPLICE, /* the file is the destination */
    REQUEST_TEE,    /* the same */
};

struct request {
    void *kiocb;
    u32 operation; /* enum operation */
    u32 layout;    /* enum request_layout */
};

#define DECODE_REQUEST(number, name, how)                                                                              \
    case number:                                                                                                       \
        request->operation = OPERATION_IO_URING_##name;                                                                \
        request->layout = REQUEST_##how;                                                                               \
        return true;

/* False when the request moves no data. */
static inline bool decode_request(struct request *request, void *kiocb) {
    request->kiocb = kiocb;
    switch ((u32)READ(u8, kiocb, io_kiocb, opcode)) { REQUESTS(DECODE_REQUEST) }
    return false;
}

/* The part of a request that depends on its opcode begins at its file. */
#define COMMAND(kiocb, type) CAST(MEMBER(kiocb, io_kiocb, file), type)

/* False when the process has ended: then its counts are final, and its leader may be gone. */
static inline bool set_submitter(struct row *row, void *kiocb) {
    void *task = READ(void *, kiocb, io_kiocb, task);
#if OFFSET_io_uring_task_task >= 0
    task = READ(void *, task, io_uring_task, task);
#endif
    if (!READ(u32, READ(void *, task, task_struct, signal), signal_struct, live))
        return false;
    row->start = READ(u64, READ(void *, task, task_struct, group_leader), task_struct, start_boottime);
    row->tgid = READ(u32, task, task_struct, tgid);
    return true;
}

/* The kernel looks up the source of a splice when it runs, and releases it: look it up again, which takes a thread of
 * the submitter. */
static inline void *splice_source(void *kiocb, u32 submitter) {
    void *splice = COMMAND(kiocb, io_splice);
    void *task = CURRENT_TASK();
    if (READ(u32, splice, io_splice, flags) & SPLICE_F_FD_IN_FIXED || READ_TGID(task) != submitter)
        return 0;
    return file_of_fd(task, READ(u32, splice, io_splice, splice_fd_in));
}

static inline void classify_request(struct row *row, struct request *request) {
    struct endpoint_info info, from;
    resolve_file(&info, CAST(READ(void *, request->kiocb, io_kiocb, file), file));
    switch (request->layout) {
    case REQUEST_SPLICE: resolve_file(&from, splice_source(request->kiocb, row->tgid)); break;
    case REQUEST_TEE: resolve_file(&from, 0); break;
    case REQUEST_SEND:
        fill_copy(row, &info, false,
                  sends_by_reference(READ(u32, COMMAND(request->kiocb, io_sr_msg), io_sr_msg, msg_flags), &info));
        return;
    default: fill_copy(row, &info, request->layout == REQUEST_READ, request->layout == REQUEST_SEND_ZC); return;
    }
    /* At least one file of a splice is a pipe, and both of a tee. */
    if (request->layout == REQUEST_TEE || (from.endpoint == ENDPOINT_UNKNOWN && info.endpoint != ENDPOINT_PIPE))
        from.endpoint = ENDPOINT_PIPE;
    fill_transfer(row, &from, &info, passes_pages(&from, &info));
}

static inline int count_request(struct request *request, s32 result) {
    struct row row = {};
    if (!set_submitter(&row, request->kiocb))
        return 0;
    row.operation = request->operation;
    if (result < 0) {
        add_error_to_row(&row, result);
        return 0;
    }
    classify_request(&row, request);
    add_to_row(&row, result);
    return 0;
}

/* Only the last completion of a request that completes more than once has the request with it. The completions before
 * have the ring and the program's own user_data, so these requests are kept here from their submission. */
struct multishot_key {
    u64 context; /* struct io_ring_ctx: the ring */
    u64 user_data;
};
BPF_TABLE("lru_hash", struct multishot_key, u64, multishots, MULTISHOTS_ENTRIES);

static inline bool is_multishot(struct request *request) {
    switch (request->operation) {
    case OPERATION_IO_URING_READ_MULTISHOT: return true;
    case OPERATION_IO_URING_RECV:
    case OPERATION_IO_URING_RECVMSG:
    case OPERATION_IO_URING_SEND:
        return READ(u16, COMMAND(request->kiocb, io_sr_msg), io_sr_msg, flags) &
               (IORING_RECV_MULTISHOT | IORING_RECVSEND_BUNDLE);
    }
    return false;
}

static inline struct multishot_key multishot_key_of(void *kiocb) {
    struct multishot_key key = {
        .context = (u64)READ(void *, kiocb, io_kiocb, ctx),
        .user_data = READ(u64, kiocb, io_kiocb, cqe_user_data),
    };
    return key;
}

/* False when the request is not known, or gone: another request may use its memory now. */
static inline bool find_multishot(struct request *request, struct multishot_key *key) {
    u64 *address = multishots.lookup(key);
    if (!address)
        return false;
    void *kiocb = CAST(*address, io_kiocb);
    struct multishot_key present = multishot_key_of(kiocb);
    return present.context == key->context && present.user_data == key->user_data &&
           decode_request(request, kiocb) && is_multishot(request);
}

/* A completion without its request. There are polls, accepts and messages of other rings too: those that move data have
 * used a provided buffer. */
static inline int count_multishot_completion(u64 *context) {
#if ARGUMENT_io_uring_complete_io_uring_cqe >= 0
    void *cqe = (void *)context[ARGUMENT_io_uring_complete_io_uring_cqe];
    struct multishot_key key = {.context = context[0], .user_data = LOAD(u64, cqe, io_uring_cqe, user_data)};
    s32 result = LOAD(s32, cqe, io_uring_cqe, res);
    u32 flags = LOAD(u32, cqe, io_uring_cqe, flags);
#else
    struct multishot_key key = {.context = context[0], .user_data = context[2]};
    s32 result = context[3];
    u32 flags = context[4];
#endif
    struct request request;
    if (!(flags & IORING_CQE_F_BUFFER))
        return 0;
    if (find_multishot(&request, &key))
        return count_request(&request, result);
    count_dropped_update(DROPPED_MULTISHOTS);
    return 0;
}

/* io_uring_complete(context, request, ...): the request has the other arguments too. */
int io_uring_complete(u64 *context) {
    struct request request;
    if (!context[1])
        return count_multishot_completion(context);
    if (!decode_request(&request, CAST(context[1], io_kiocb)))
        return 0;
    if (is_multishot(&request)) {
        struct multishot_key key = multishot_key_of(request.kiocb);
        multishots.delete(&key);
    }
    return count_request(&request, READ(s32, request.kiocb, io_kiocb, cqe_res));
}

/* io_uring_submit_req(request) */
int io_uring_submit(u64 *context) {
    struct request request;
    if (!decode_request(&request, CAST(context[0], io_kiocb)) || !is_multishot(&request))
        return 0;
    struct multishot_key key = multishot_key_of(request.kiocb);
    u64 address = (u64)request.kiocb;
    multishots.update(&key, &address);
    return 0;
}

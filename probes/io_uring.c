/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Requests of io_uring that move data, counted where their completion is put into the ring. The request still has its
 * file then, an ordinary or a registered one, and who submitted it, whichever thread has done the work. */

#define SPLICE_F_FD_IN_FIXED (1U << 31)
#define IORING_CQE_F_BUFFER (1U << 0)
#define IORING_RECV_MULTISHOT (1U << 1)
#define IORING_RECVSEND_BUNDLE (1U << 4)

/* Where a request has its files: X(opcode, call, shape). Opcodes are numbers of the kernel's interface with programs
 * and never change; the headers that this is compiled with may be older than the kernel. */
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

enum request_shape {
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
    u32 shape;
};

#define DECODE_REQUEST(number, name, how)                                                                              \
    case number:                                                                                                       \
        request->operation = OPERATION_IO_URING_##name;                                                                          \
        request->shape = REQUEST_##how;                                                                                \
        return true;

/* False when it moves no data. */
static inline bool decode_request(struct request *request, void *kiocb) {
    request->kiocb = kiocb;
    switch ((u32)READ(u8, kiocb, io_kiocb, opcode)) { REQUESTS(DECODE_REQUEST) }
    return false;
}

/* What a request keeps for its opcode begins where its file is. */
#define COMMAND(kiocb, type) CAST(MEMBER(kiocb, io_kiocb, file), type)

/* False when the process has ended: its counts are final by then, and its leader may be gone. */
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

/* The source of a splice is looked up when it runs, and let go of: look again, from a thread of the submitter. */
static inline void *splice_source(void *kiocb, u32 submitter) {
    void *splice = COMMAND(kiocb, io_splice);
    void *task = CURRENT();
    if (READ(u32, splice, io_splice, flags) & SPLICE_F_FD_IN_FIXED || READ_TGID(task) != submitter)
        return 0;
    return file_of(task, READ(u32, splice, io_splice, splice_fd_in));
}

static inline void classify_request(struct row *row, struct request *request) {
    struct end end, from;
    look_behind(&end, CAST(READ(void *, request->kiocb, io_kiocb, file), file));
    switch (request->shape) {
    case REQUEST_SPLICE: look_behind(&from, splice_source(request->kiocb, row->tgid)); break;
    case REQUEST_TEE: look_behind(&from, 0); break;
    case REQUEST_SEND:
        fill_copy(row, &end, false,
                  sends_by_reference(READ(u32, COMMAND(request->kiocb, io_sr_msg), io_sr_msg, msg_flags), &end));
        return;
    default: fill_copy(row, &end, request->shape == REQUEST_READ, request->shape == REQUEST_SEND_ZC); return;
    }
    /* One end of a splice is a pipe, and both of a tee. */
    if (request->shape == REQUEST_TEE || (from.endpoint == ENDPOINT_UNKNOWN && end.endpoint != ENDPOINT_PIPE))
        from.endpoint = ENDPOINT_PIPE;
    fill_transfer(row, &from, &end, passes_pages(&from, &end));
}

static inline int count_request(struct request *request, s32 result) {
    struct row row = {};
    if (!set_submitter(&row, request->kiocb))
        return 0;
    row.operation = request->operation;
    if (result < 0) {
        row.kind = ROW_KIND_ERROR;
        row.errno_or_bucket = errno_of(result);
        row.source = row.destination = ENDPOINT_UNKNOWN;
        add(&row, 0);
        return 0;
    }
    classify_request(&row, request);
    add(&row, result);
    return 0;
}

/* Requests that complete more than once say so only with their last completion. Each of the others carries no request,
 * only the ring and what the program called it: so these requests are kept from their submission on. */
struct shots {
    u64 context; /* struct io_ring_ctx: the ring */
    u64 user_data;
};
BPF_TABLE("lru_hash", struct shots, u64, multishots, MULTISHOTS_ENTRIES);

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

static inline struct shots shots_of(void *kiocb) {
    struct shots shots = {
        .context = (u64)READ(void *, kiocb, io_kiocb, ctx),
        .user_data = READ(u64, kiocb, io_kiocb, cqe_user_data),
    };
    return shots;
}

/* False when it is not known, or gone: another request may have its memory by now. */
static inline bool find_multishot(struct request *request, struct shots *shots) {
    u64 *address = multishots.lookup(shots);
    if (!address)
        return false;
    void *kiocb = CAST(*address, io_kiocb);
    struct shots present = shots_of(kiocb);
    return present.context == shots->context && present.user_data == shots->user_data &&
           decode_request(request, kiocb) && is_multishot(request);
}

/* Of all completions without a request (polls, accepts, messages of other rings) those that move data have taken a
 * buffer that was provided for them. */
static inline int count_shot(u64 *context) {
#if ARGUMENT_io_uring_complete_io_uring_cqe >= 0
    void *cqe = (void *)context[ARGUMENT_io_uring_complete_io_uring_cqe];
    struct shots shots = {.context = context[0], .user_data = LOAD(u64, cqe, io_uring_cqe, user_data)};
    s32 result = LOAD(s32, cqe, io_uring_cqe, res);
    u32 flags = LOAD(u32, cqe, io_uring_cqe, flags);
#else
    struct shots shots = {.context = context[0], .user_data = context[2]};
    s32 result = context[3];
    u32 flags = context[4];
#endif
    struct request request;
    if (!(flags & IORING_CQE_F_BUFFER))
        return 0;
    if (find_multishot(&request, &shots))
        return count_request(&request, result);
    drop(DROPPED_MULTISHOTS);
    return 0;
}

/* io_uring_complete(context, request, ...): what is left of the arguments is in the request too. */
int io_uring_complete(u64 *context) {
    struct request request;
    if (!context[1])
        return count_shot(context);
    if (!decode_request(&request, CAST(context[1], io_kiocb)))
        return 0;
    if (is_multishot(&request)) {
        struct shots shots = shots_of(request.kiocb);
        multishots.delete(&shots);
    }
    return count_request(&request, READ(s32, request.kiocb, io_kiocb, cqe_res));
}

/* io_uring_submit_req(request) */
int io_uring_submit(u64 *context) {
    struct request request;
    if (!decode_request(&request, CAST(context[0], io_kiocb)) || !is_multishot(&request))
        return 0;
    struct shots shots = shots_of(request.kiocb);
    u64 address = (u64)request.kiocb;
    multishots.update(&shots, &address);
    return 0;
}

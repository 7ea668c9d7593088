/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Requests of Linux native AIO. Where the kernel's functions take programs, they are counted when they complete, by their
 * result. Elsewhere the accepted ones are counted at the exit of io_submit, by the bytes that they ask for. */

#include "aio.h"
#include "endpoints.h"
#include "registers.h"

/* struct iocb (include/uapi/linux/aio_abi.h), without its end. */
struct request_block {
    u64 data;
    u32 key;
    u32 rw_flags;
    u16 opcode;
    u16 priority;
    u32 fd;
    u64 buffer;
    u64 bytes; /* the number of vectors of a vectored request */
};

/* 0 for requests that move no data. */
static inline u32 operation_of_opcode(u16 opcode) {
    switch (opcode) {
    case 0: return OPERATION_AIO_READ;
    case 1: return OPERATION_AIO_WRITE;
    case 7: return OPERATION_AIO_READV;
    case 8: return OPERATION_AIO_WRITEV;
    }
    return OPERATION_NONE;
}

static inline bool reads_data(u32 operation) {
    return operation == OPERATION_AIO_READ || operation == OPERATION_AIO_READV;
}

/* A request between its submission and its completion, by the address of its struct kiocb: completions run in whatever
 * task or interrupt is current. Those that the kernel refuses later have no completion, and give way. */
struct aio_request {
    u64 start;
    u32 tgid;
    u32 operation;
};
BPF_TABLE("lru_hash", u64, struct aio_request, aio_requests, AIO_REQUESTS_ENTRIES);

static inline int remember_request(u64 kiocb, u64 block) {
    void *task = CURRENT_TASK();
    struct aio_request request = {
        .start = READ_START(task),
        .tgid = READ_TGID(task),
        .operation = operation_of_opcode(COPY(u16, block + __builtin_offsetof(struct request_block, opcode))),
    };
    aio_requests.update(&kiocb, &request);
    return 0;
}

static inline int count_completion(u64 kiocb, s64 result) {
    struct aio_request *request = aio_requests.lookup(&kiocb);
    if (!request) { /* it is older than the probe, or gave way */
        count_dropped_update(DROPPED_AIO_REQUESTS);
        return 0;
    }
    struct row row = {.start = request->start, .tgid = request->tgid, .operation = request->operation};
    bool to_user = reads_data(request->operation);
    struct endpoint_info info;
    aio_requests.delete(&kiocb);
    if (result < 0) {
        add_error_to_row(&row, result);
        return 0;
    }
    resolve_file(&info, CAST(READ(void *, CAST(kiocb, kiocb), kiocb, ki_filp), file));
    fill_copy(&row, &info, to_user, false);
    add_to_row(&row, result);
    return 0;
}

/* aio_read(kiocb, iocb, vectored, compat), aio_write(the same) */
int aio_submit(u64 *context) { return remember_request(context[0], context[1]); }
int aio_submit_by_registers(void *registers) {
    return remember_request(function_argument(registers, 0), function_argument(registers, 1));
}

/* aio_complete_rw(kiocb, result) */
int aio_complete(u64 *context) { return count_completion(context[0], context[1]); }
int aio_complete_by_registers(void *registers) {
    return count_completion(function_argument(registers, 0), function_argument(registers, 1));
}

#define VECTORS_MAX 128    /* of a request */
#define IOCBS_MAX 256      /* of a call */
#define IOCBS_PER_PROGRAM 8 /* MAX_TAIL_CALL_CNT is 32, on some kernels 33 */

/* How many iocbs of the call have been counted. While a program runs, no other of its kind runs on this CPU. */
BPF_PERCPU_ARRAY(aio_position, u32, 1);

static inline u64 read_pointer(u64 address, bool compat) {
    u64 pointer = 0;
    bpf_probe_read_user(&pointer, compat ? 4 : 8, (void *)address);
    return pointer;
}

/* The bytes that a vectored request asks for. */
static inline u64 sum_vectors(struct request_block *block, bool compat) {
    u64 size = compat ? 4 : 8; /* of each member of struct iovec */
    u64 length_at = block->buffer + size;
    u64 bytes = 0;
    if (block->bytes > VECTORS_MAX)
        count_dropped_update(DROPPED_AIO_REQUESTS);
    for (u64 i = 0; i < VECTORS_MAX && i < block->bytes; i++) {
        asm volatile("" : "+r"(i));
        bytes += read_pointer(length_at, compat);
        length_at += 2 * size;
    }
    return bytes;
}

static inline void count_accepted(void *task, struct request_block *block, bool compat) {
    struct row row = ROW_OF_TASK(task);
    struct endpoint_info info;
    row.operation = operation_of_opcode(block->opcode);
    if (row.operation == OPERATION_NONE)
        return;
    bool vectored = row.operation == OPERATION_AIO_READV || row.operation == OPERATION_AIO_WRITEV;
    u64 bytes = vectored ? sum_vectors(block, compat) : block->bytes;
    resolve_file(&info, file_of_fd(task, block->fd));
    fill_copy(&row, &info, reads_data(row.operation), false);
    add_to_row(&row, bytes);
}

/* io_submit(context, number, iocbs) */
static inline u64 iocbs_of_call(void *registers, bool compat) {
    u64 argument[4];
    if (compat)
        load_compat_arguments(argument, registers);
    else
        load_arguments(argument, registers);
    return argument[2];
}

static inline void count_iocb(void *task, u64 pointer_at, bool compat) {
    struct request_block block = {};
    if (bpf_probe_read_user(&block, sizeof(block), (void *)read_pointer(pointer_at, compat)))
        count_dropped_update(DROPPED_AIO_REQUESTS);
    else
        count_accepted(task, &block, compat);
}

/* Called by the program in syscalls.c, then by itself for the next iocbs: io_submit has accepted the first `context[1]`
 * of them. */
int io_submit_exit(u64 *context) {
    void *task = CURRENT_TASK();
    u64 accepted = context[1];
    u32 zero = 0;
    u32 *position = aio_position.lookup(&zero);
    if (!position)
        return 0;
    bool compat = is_compat(task);
    u64 size = compat ? 4 : 8;
    u64 first = *position;
    u64 pointer_at = iocbs_of_call((void *)context[0], compat) + first * size;
    *position = first + IOCBS_PER_PROGRAM;
    for (u64 i = 0; i < IOCBS_PER_PROGRAM && first + i < accepted; i++) {
        asm volatile("" : "+r"(i));
        count_iocb(task, pointer_at, compat);
        pointer_at += size;
    }
    if (*position < accepted && *position < IOCBS_MAX)
        aio_programs.call(context, 0);
    if (*position < accepted)
        count_dropped_update(DROPPED_AIO_REQUESTS);
    *position = 0;
    return 0;
}

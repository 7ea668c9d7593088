/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Every system call that moves data, counted once, at its exit: the number, the arguments and the result are all there,
 * so that nothing has to be kept between entry and exit. */

#include "clones.h"
#include "endpoints.h"
#include "folders.h"
#include "preemption.h"
#include "sendfile.h"
#include "syscall_table.h"

#define MESSAGES_MAX 1024 /* UIO_MAXIOV: the kernel takes no more in one call */
#define SIGSYS 31

static inline void resolve_fd(struct endpoint_info *info, void *task, u32 fd) {
    resolve_file(info, file_of_fd(task, fd));
}

static inline u64 message_flags(struct syscall *syscall) {
    return syscall->layout == LAYOUT_SEND_2                                          ? syscall->argument[2]
           : syscall->layout == LAYOUT_SEND_3 || syscall->layout == LAYOUT_SEND_MANY ? syscall->argument[3]
                                                                                     : 0;
}

static inline void classify_copy(struct row *row, struct syscall *syscall, struct endpoint_info *info) {
    bool to_user = syscall->layout == LAYOUT_READ || syscall->layout == LAYOUT_RECV_MANY;
    bool by_reference;
    if (syscall->layout == LAYOUT_VMSPLICE) {
        to_user = info->file && !(READ(u32, info->file, file, f_mode) & FMODE_WRITE);
        by_reference = !to_user;
    } else {
        by_reference = sends_by_reference(message_flags(syscall), info);
    }
    fill_copy(row, info, to_user, by_reference);
}

static inline void classify(struct row *row, struct syscall *syscall, void *task, s64 result) {
    struct endpoint_info from, to;
    resolve_fd(&from, task, syscall->layout == LAYOUT_SENDFILE ? syscall->argument[1] : syscall->argument[0]);
    switch (syscall->layout) {
    case LAYOUT_SENDFILE: resolve_fd(&to, task, syscall->argument[0]); break;
    case LAYOUT_SPLICE: resolve_fd(&to, task, syscall->argument[2]); break;
    case LAYOUT_TEE: resolve_fd(&to, task, syscall->argument[1]); break;
    default:
        classify_copy(row, syscall, &from);
        count_copy_in_folder(row, &from, result);
        return;
    }
    bool by_reference = syscall->operation == OPERATION_COPY_FILE_RANGE ? is_clone(&from, &to, syscall, result)
                                                                        : passes_pages(&from, &to);
    fill_transfer(row, &from, &to, by_reference);
    count_transfer_in_folders(row, &from, &to, result);
}

/* sendmmsg and recvmmsg return a number of messages; the kernel has written the length of each into its header. */
static inline u64 sum_message_lengths(struct syscall *syscall, u32 messages) {
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
        count_dropped_update(DROPPED_COUNTS);
    return bytes;
}

/* Comes last in the program, because the verifier walks the loop again for each state that is alive around it. */
static inline void add_messages_to_row(struct row *row, struct syscall *syscall, u32 messages) {
    struct slot *slot = lookup_or_take_slot(row);
    if (!slot)
        return;
    __sync_fetch_and_add(&slot->events, 1);
    __sync_fetch_and_add(&slot->amount, sum_message_lengths(syscall, messages));
}

/* SECCOMP_RET_TRAP puts the registers back as they were and sends SIGSYS: the call was never made. */
static inline bool was_trapped_by_seccomp(void *task, struct syscall *syscall, u32 number, s64 result) {
    return result == seccomp_rollback_result(number, syscall->argument[0]) &&
           READ_TASK(u64, task, task_struct, pending_signal) & (1ULL << (SIGSYS - 1));
}

/* From or to what is not a file of the caller. Returns the bytes. */
static inline u64 classify_without_file(struct row *row, struct syscall *syscall, s64 result) {
    row->kind = ROW_KIND_CPU_COPY;
    row->source = row->destination = ENDPOINT_USER;
    switch (syscall->layout) {
    case LAYOUT_QUEUE_SEND: row->destination = ENDPOINT_QUEUE; return syscall->argument[2];
    case LAYOUT_QUEUE_RECEIVE: row->source = ENDPOINT_QUEUE; break;
    case LAYOUT_RANDOM: row->source = ENDPOINT_DEVICE; break;
    }
    return result;
}

/* Where struct tcp_zerocopy_receive (include/uapi/linux/tcp.h) has what was mapped and what was copied. */
#define MAPPED_AT 8
#define COPIED_AT 32

/* Pages that were mapped, and the rest, which the kernel has copied: one call, two rows. */
static inline void count_mapped_receive(struct row *row, struct syscall *syscall, void *task) {
    u64 answer = syscall->argument[3];
    u32 length = 0, mapped = 0;
    s32 copied = 0; /* or a negative error */
    struct endpoint_info from;
    resolve_fd(&from, task, syscall->argument[0]);
    u32 unread = bpf_probe_read_user(&length, sizeof(length), (void *)syscall->argument[1]) |
                 bpf_probe_read_user(&mapped, sizeof(mapped), (void *)(answer + MAPPED_AT));
    if (length >= COPIED_AT + sizeof(copied)) /* less for an older program or kernel, without copies */
        unread |= bpf_probe_read_user(&copied, sizeof(copied), (void *)(answer + COPIED_AT));
    if (unread)
        count_dropped_update(DROPPED_COUNTS);
    fill_copy(row, &from, true, true);
    add_to_row(row, mapped);
    if (copied <= 0)
        return;
    row->kind = ROW_KIND_CPU_COPY;
    add_bytes_to_row(row, copied);
}

/* The calls that do not simply move their result between user memory and one file. */
static inline void count_other_call(struct row *row, struct syscall *syscall, void *task, s64 result) {
    if (syscall->layout == LAYOUT_MAPPED_RECEIVE)
        count_mapped_receive(row, syscall, task);
    else
        add_to_row(row, classify_without_file(row, syscall, result));
}

static inline int count_syscall(void *task, struct syscall *syscall, s64 result) {
    struct row row = ROW_OF_TASK(task);
    row.operation = syscall->operation;
    if (result < 0) {
        add_error_to_row(&row, result);
    } else if (syscall->layout >= LAYOUT_MAPPED_RECEIVE) {
        count_other_call(&row, syscall, task, result);
    } else {
        classify(&row, syscall, task, result);
        if (syscall->layout == LAYOUT_RECV_MANY || syscall->layout == LAYOUT_SEND_MANY) {
            add_messages_to_row(&row, syscall, result);
            return 0;
        }
        add_to_row(&row, result);
    }
    if (syscall->layout == LAYOUT_SENDFILE)
        count_sendfile_duration(&row, result);
    return 0;
}

static inline int count_call(void *task, void *registers, u32 number, s64 result) {
    struct syscall syscall;
    if (!decode_syscall(&syscall, task, registers, number) || was_trapped_by_seccomp(task, &syscall, number, result))
        return 0;
    return count_syscall(task, &syscall, result);
}

int sys_exit(u64 *context) {
    void *registers = (void *)context[0];
    u32 number = syscall_number(registers);
    return may_move_data(number) ? count_call(CURRENT_TASK(), registers, number, context[1]) : 0;
}

#ifdef USE_FUNCTION_HOOKS
/* At the return of a system call's own function. The call has not ended yet: the task's registers are the call's. */
int syscall_return(void *function_registers) {
    void *task = CURRENT_TASK();
    void *registers = task_registers(task);
    return count_call(task, registers, syscall_number(registers), function_result(function_registers));
}
#endif

#ifdef USE_SYSCALL_FUNCTIONS
/* At the return of the function of one system call, which has the registers as its only argument. The loader loads this
 * program for each function, with the call as constants: the verifier removes what is for other calls. */
int syscall_function(u64 *context) {
    struct syscall syscall;
    if (!decode_known_syscall(&syscall, LOADED_CONSTANT(LOADED_OPERATION), LOADED_CONSTANT(LOADED_COMPAT), (void *)context[0]))
        return 0;
    return count_syscall(CURRENT_TASK(), &syscall, context[1]);
}
#endif

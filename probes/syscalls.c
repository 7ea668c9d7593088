/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Every system call that moves data, counted once, at its exit: the number, the arguments and the result are all there,
 * so that nothing has to be kept between entry and exit. What a descriptor means for a hop is in ends.c. */

#define MESSAGES_MAX 1024 /* UIO_MAXIOV: the kernel takes no more in one call */
#define EINTR 4
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516
#define SIGSYS 31

static inline void look_behind_descriptor(struct end *end, void *task, u32 fd) { look_behind(end, file_of(task, fd)); }

static inline u64 message_flags(struct syscall *syscall) {
    return syscall->shape == SHAPE_SEND_2                                          ? syscall->argument[2]
           : syscall->shape == SHAPE_SEND_3 || syscall->shape == SHAPE_SEND_MANY ? syscall->argument[3]
                                                                                   : 0;
}

static inline void classify_copy(struct row *row, struct syscall *syscall, struct end *end) {
    bool to_user = syscall->shape == SHAPE_READ || syscall->shape == SHAPE_RECV_MANY;
    bool by_reference;
    if (syscall->shape == SHAPE_VMSPLICE) {
        to_user = end->file && !(READ(u32, end->file, file, f_mode) & FMODE_WRITE);
        by_reference = !to_user;
    } else {
        by_reference = sends_by_reference(message_flags(syscall), end);
    }
    fill_copy(row, end, to_user, by_reference);
}

/* Inferred, as vfs_copy_file_range decides: a file system that can clone does, within one superblock. */
static inline bool clones(struct end *from, struct end *to) {
    if (!from->file || !to->file)
        return false;
    void *operations = READ(void *, from->file, file, f_op);
    return READ(void *, operations, file_operations, remap_file_range) &&
           READ(void *, from->inode, inode, i_sb) == READ(void *, to->inode, inode, i_sb);
}

static inline void classify(struct row *row, struct syscall *syscall, void *task, s64 result) {
    struct end end, to;
    look_behind_descriptor(&end, task, syscall->shape == SHAPE_SENDFILE ? syscall->argument[1] : syscall->argument[0]);
    switch (syscall->shape) {
    case SHAPE_SENDFILE: look_behind_descriptor(&to, task, syscall->argument[0]); break;
    case SHAPE_SPLICE: look_behind_descriptor(&to, task, syscall->argument[2]); break;
    case SHAPE_TEE: look_behind_descriptor(&to, task, syscall->argument[1]); break;
    default:
        classify_copy(row, syscall, &end);
        count_copy_in_folder(row, &end, result);
        return;
    }
    bool by_reference = syscall->operation == OPERATION_COPY_FILE_RANGE ? clones(&end, &to) : passes_pages(&end, &to);
    fill_transfer(row, &end, &to, by_reference);
    count_transfer_in_folders(row, &end, &to, result);
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

/* SECCOMP_RET_TRAP puts the registers back as they were and sends SIGSYS: the call was never made. */
static inline bool was_trapped(void *task, struct syscall *syscall, u32 number, s64 result) {
    return result == rolled_back(syscall, number) && READ_TASK(u64, task, task_struct, pending_signal) & (1ULL << (SIGSYS - 1));
}

static inline int count_call(void *task, void *registers, u32 number, s64 result) {
    struct syscall syscall;
    if (!decode(&syscall, task, registers, number) || was_trapped(task, &syscall, number, result))
        return 0;

    struct row row = ROW_OF(task);
    row.operation = syscall.operation;
    if (result < 0) {
        row.kind = ROW_KIND_ERROR;
        row.errno_or_bucket = errno_of(result);
        row.source = row.destination = ENDPOINT_UNKNOWN;
        add(&row, 0);
    } else {
        classify(&row, &syscall, task, result);
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

int sys_exit(u64 *context) {
    void *registers = (void *)context[0];
    u32 number = syscall_number(registers);
    return may_move_data(number) ? count_call(CURRENT(), registers, number, context[1]) : 0;
}

#ifdef ON_FUNCTIONS
/* The end of a system call's own function, where it still is in the middle of the call: its registers are the task's. */
int syscall_return(void *function_registers) {
    void *task = CURRENT();
    void *registers = CURRENT_REGISTERS(task);
    return count_call(task, registers, syscall_number(registers), function_result(function_registers));
}
#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * x86-64: registers, and the i386 table that 32-bit programs and `int $0x80` reach (arch/x86/entry/syscalls). */
#define O_DIRECT 040000
#define TS_COMPAT 0x0002
#define NR_I386_SOCKETCALL 102

#define COMPAT_CALLS(X)                                                                                                \
    X(3, READ, READ)                                                                                                   \
    X(4, WRITE, WRITE)                                                                                                 \
    X(NR_I386_SOCKETCALL, NONE, READ) /* one number for many calls: load_compat_arguments tells which */               \
    X(145, READV, READ)                                                                                                \
    X(146, WRITEV, WRITE)                                                                                              \
    X(180, PREAD64, READ)                                                                                              \
    X(181, PWRITE64, WRITE)                                                                                            \
    X(187, SENDFILE, SENDFILE)                                                                                         \
    X(239, SENDFILE, SENDFILE)                                                                                         \
    X(313, SPLICE, SPLICE)                                                                                             \
    X(315, TEE, TEE)                                                                                                   \
    X(316, VMSPLICE, VMSPLICE)                                                                                         \
    X(333, PREADV, READ)                                                                                               \
    X(334, PWRITEV, WRITE)                                                                                             \
    X(337, RECVMMSG, RECV_MANY)                                                                                        \
    X(345, SENDMMSG, SEND_MANY)                                                                                        \
    X(369, SENDTO, SEND_3)                                                                                             \
    X(370, SENDMSG, SEND_2)                                                                                            \
    X(371, RECVFROM, READ)                                                                                             \
    X(372, RECVMSG, READ)                                                                                              \
    X(377, COPY_FILE_RANGE, SPLICE)                                                                                    \
    X(378, PREADV2, READ)                                                                                              \
    X(379, PWRITEV2, WRITE)                                                                                            \
    X(417, RECVMMSG, RECV_MANY)

/* The operations of socketcall, from include/uapi/linux/net.h. */
#define SOCKETCALLS(X)                                                                                                 \
    X(9, SENDTO, SEND_3)                                                                                               \
    X(10, RECVFROM, READ)                                                                                              \
    X(11, SENDTO, SEND_3)                                                                                              \
    X(12, RECVFROM, READ)                                                                                              \
    X(16, SENDMSG, SEND_2)                                                                                             \
    X(17, RECVMSG, READ)                                                                                               \
    X(19, RECVMMSG, RECV_MANY)                                                                                         \
    X(20, SENDMMSG, SEND_MANY)

static inline u32 syscall_number(void *registers) { return LOAD(u64, registers, pt_regs, orig_ax); }

static inline bool is_compat(void *task) { return READ_TASK(u32, task, task_struct, thread_info_status) & TS_COMPAT; }

static inline void load_arguments(struct syscall *syscall, void *registers) {
    syscall->argument[0] = LOAD(u64, registers, pt_regs, di);
    syscall->argument[1] = LOAD(u64, registers, pt_regs, si);
    syscall->argument[2] = LOAD(u64, registers, pt_regs, dx);
    syscall->argument[3] = LOAD(u64, registers, pt_regs, r10);
}

/* What the result register has after syscall_rollback. */
static inline s64 rolled_back(struct syscall *syscall, u32 number) { return number; }

static inline bool decode_socketcall(struct syscall *syscall, u32 operation) {
    switch (operation) { SOCKETCALLS(DECODE) }
    return false;
}

/* socketcall(operation, u32 *arguments) */
static inline bool load_socketcall(struct syscall *syscall) {
    u32 arguments[4] = {};
    if (!decode_socketcall(syscall, syscall->argument[0]))
        return false;
    bpf_probe_read_user(arguments, sizeof(arguments), (void *)syscall->argument[1]);
    syscall->argument[0] = arguments[0];
    syscall->argument[1] = arguments[1];
    syscall->argument[2] = arguments[2];
    syscall->argument[3] = arguments[3];
    return true;
}

static inline bool load_compat_arguments(struct syscall *syscall, void *registers) {
    syscall->argument[0] = (u32)LOAD(u64, registers, pt_regs, bx);
    syscall->argument[1] = (u32)LOAD(u64, registers, pt_regs, cx);
    syscall->argument[2] = (u32)LOAD(u64, registers, pt_regs, dx);
    syscall->argument[3] = (u32)LOAD(u64, registers, pt_regs, si);
    return syscall->operation != OPERATION_NONE || load_socketcall(syscall);
}

/* Argument 0 to 3 of a kernel function, at its entry. */
static inline u64 function_argument(void *registers, int number) {
    return number == 0   ? LOAD(u64, registers, pt_regs, di)
           : number == 1 ? LOAD(u64, registers, pt_regs, si)
           : number == 2 ? LOAD(u64, registers, pt_regs, dx)
                         : LOAD(u64, registers, pt_regs, cx);
}

/* The instruction that a sample fell on. */
static inline u64 sampled_instruction(void *context) { return LOAD(u64, context, pt_regs, ip); }

static inline s64 function_result(void *registers) { return LOAD(s64, registers, pt_regs, ax); }

/* Of this CPU: a variable of the kernel's, reached by bpf_this_cpu_ptr (v5.10). Kernels that keep it elsewhere (v6.2 to
 * v6.14) all switch preemption off around programs. */
static inline u32 preempt_count(void) {
#if VARIABLE___preempt_count
    return *(u32 *)((void *(*)(u64))154)(KERNEL_VARIABLE);
#else
    return 1;
#endif
}

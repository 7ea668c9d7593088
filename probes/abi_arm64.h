/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * arm64: registers, and the EABI table of 32-bit programs (arch/arm/tools/syscall.tbl). */
#define O_DIRECT 0200000
#define TIF_32BIT 22

#define COMPAT_CALLS(X)                                                                                                \
    X(3, READ, READ)                                                                                                   \
    X(4, WRITE, WRITE)                                                                                                 \
    X(145, READV, READ)                                                                                                \
    X(146, WRITEV, WRITE)                                                                                              \
    X(180, PREAD64, READ)                                                                                              \
    X(181, PWRITE64, WRITE)                                                                                            \
    X(187, SENDFILE, SENDFILE)                                                                                         \
    X(239, SENDFILE, SENDFILE)                                                                                         \
    X(289, SENDTO, SEND_3)                                                                                             \
    X(290, SENDTO, SEND_3)                                                                                             \
    X(291, RECVFROM, READ)                                                                                             \
    X(292, RECVFROM, READ)                                                                                             \
    X(296, SENDMSG, SEND_2)                                                                                            \
    X(297, RECVMSG, READ)                                                                                              \
    X(340, SPLICE, SPLICE)                                                                                             \
    X(342, TEE, TEE)                                                                                                   \
    X(343, VMSPLICE, VMSPLICE)                                                                                         \
    X(361, PREADV, READ)                                                                                               \
    X(362, PWRITEV, WRITE)                                                                                             \
    X(365, RECVMMSG, RECV_MANY)                                                                                        \
    X(374, SENDMMSG, SEND_MANY)                                                                                        \
    X(391, COPY_FILE_RANGE, SPLICE)                                                                                    \
    X(392, PREADV2, READ)                                                                                              \
    X(393, PWRITEV2, WRITE)                                                                                            \
    X(417, RECVMMSG, RECV_MANY)

static inline u32 syscall_number(void *registers) { return LOAD(s32, registers, pt_regs, syscallno); }

static inline bool is_compat(void *task) {
    return READ_TASK(u64, task, task_struct, thread_info_flags) & (1UL << TIF_32BIT);
}

/* The result is in x0 by now; the first argument was kept in orig_x0. */
static inline void load_arguments(struct syscall *syscall, void *registers) {
    syscall->argument[0] = LOAD(u64, registers, pt_regs, orig_x0);
    syscall->argument[1] = *(u64 *)(MEMBER(registers, pt_regs, regs) + 8);
    syscall->argument[2] = *(u64 *)(MEMBER(registers, pt_regs, regs) + 16);
    syscall->argument[3] = *(u64 *)(MEMBER(registers, pt_regs, regs) + 24);
}

/* What the result register has after syscall_rollback. */
static inline s64 rolled_back(struct syscall *syscall, u32 number) { return syscall->argument[0]; }

static inline bool load_compat_arguments(struct syscall *syscall, void *registers) {
    load_arguments(syscall, registers);
    return true;
}

/* Argument 0 to 3 of a kernel function, at its entry. */
static inline u64 function_argument(void *registers, int number) {
    return *(u64 *)(MEMBER(registers, pt_regs, regs) + 8 * number);
}

/* The instruction that a sample fell on. */
static inline u64 sampled_instruction(void *context) { return LOAD(u64, context, pt_regs, pc); }

static inline s64 function_result(void *registers) { return *(s64 *)MEMBER(registers, pt_regs, regs); }

static inline u32 preempt_count(void) { return READ_TASK(u32, CURRENT(), task_struct, thread_info_preempt_count); }

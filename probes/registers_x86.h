/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * x86-64. */

#include "kernel.h"

#define O_DIRECT 040000
#define TS_COMPAT 0x0002

static inline u32 syscall_number(void *registers) { return LOAD(u64, registers, pt_regs, orig_ax); }

/* Whether the task is in a 32-bit system call: of a 32-bit program, or by `int $0x80`. */
static inline bool is_compat(void *task) { return READ_TASK(u32, task, task_struct, thread_info_status) & TS_COMPAT; }

static inline void load_arguments(u64 *argument, void *registers) {
    argument[0] = LOAD(u64, registers, pt_regs, di);
    argument[1] = LOAD(u64, registers, pt_regs, si);
    argument[2] = LOAD(u64, registers, pt_regs, dx);
    argument[3] = LOAD(u64, registers, pt_regs, r10);
}

static inline void load_compat_arguments(u64 *argument, void *registers) {
    argument[0] = (u32)LOAD(u64, registers, pt_regs, bx);
    argument[1] = (u32)LOAD(u64, registers, pt_regs, cx);
    argument[2] = (u32)LOAD(u64, registers, pt_regs, dx);
    argument[3] = (u32)LOAD(u64, registers, pt_regs, si);
}

static inline u64 fifth_argument(void *registers, bool compat) {
    return compat ? (u32)LOAD(u64, registers, pt_regs, di) : LOAD(u64, registers, pt_regs, r8);
}

/* What the result register has after syscall_rollback. */
static inline s64 seccomp_rollback_result(u32 number, u64 first_argument) { return number; }

/* Argument 0 to 3 of a kernel function, at its entry. */
static inline u64 function_argument(void *registers, int number) {
    return number == 0   ? LOAD(u64, registers, pt_regs, di)
           : number == 1 ? LOAD(u64, registers, pt_regs, si)
           : number == 2 ? LOAD(u64, registers, pt_regs, dx)
                         : LOAD(u64, registers, pt_regs, cx);
}

static inline s64 function_result(void *registers) { return LOAD(s64, registers, pt_regs, ax); }

/* Address of the instruction that a sample interrupted. */
static inline u64 sampled_instruction(void *context) { return LOAD(u64, context, pt_regs, ip); }

/* How often preemption is switched off on this CPU: a variable of the kernel. Kernels that keep it elsewhere (v6.2 to
 * v6.14) all switch preemption off around programs. */
static inline u32 preempt_count(void) {
#if VARIABLE___preempt_count
    return *(u32 *)this_cpu_variable(KERNEL_VARIABLE);
#else
    return 1;
#endif
}

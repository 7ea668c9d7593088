/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * arm64. */

#include "kernel.h"

#define O_DIRECT 0200000
#define TIF_32BIT 22
#define REGISTER(ctype, registers, number) (*(ctype *)(MEMBER(registers, pt_regs, regs) + 8 * (number)))

static inline u32 syscall_number(void *registers) { return LOAD(s32, registers, pt_regs, syscallno); }

/* Whether the task is in a 32-bit system call. */
static inline bool is_compat(void *task) {
    return READ_TASK(u64, task, task_struct, thread_info_flags) & (1UL << TIF_32BIT);
}

/* At the exit x0 has the result; the kernel keeps the first argument in orig_x0. */
static inline void load_arguments(u64 *argument, void *registers) {
    argument[0] = LOAD(u64, registers, pt_regs, orig_x0);
    argument[1] = REGISTER(u64, registers, 1);
    argument[2] = REGISTER(u64, registers, 2);
    argument[3] = REGISTER(u64, registers, 3);
}

static inline void load_compat_arguments(u64 *argument, void *registers) { load_arguments(argument, registers); }

static inline u64 fifth_argument(void *registers, bool compat) { return REGISTER(u64, registers, 4); }

/* What the result register has after syscall_rollback. */
static inline s64 seccomp_rollback_result(u32 number, u64 first_argument) { return first_argument; }

/* Argument 0 to 3 of a kernel function, at its entry. */
static inline u64 function_argument(void *registers, int number) { return REGISTER(u64, registers, number); }

static inline s64 function_result(void *registers) { return REGISTER(s64, registers, 0); }

/* Address of the instruction that a sample interrupted. */
static inline u64 sampled_instruction(void *context) { return LOAD(u64, context, pt_regs, pc); }

/* How often preemption is switched off for this task. */
static inline u32 preempt_count(void) { return READ_TASK(u32, CURRENT_TASK(), task_struct, thread_info_preempt_count); }

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * How the probes read the kernel's structures.
 *
 * OFFSET_<struct>_<member> and TYPE_<struct> (a BTF type id) are -D flags made from the running kernel's BTF. Pointers
 * whose type the verifier knows are read by a plain load. Where the verifier loses the type (an element of fdtable.fd,
 * a void *), bpf_rdonly_cast restores it at no run-time cost (v6.2, commit a35b9af4ec2c); kernels without it pay one
 * bpf_probe_read_kernel per member. */

#define MEMBER(pointer, type, member) ((void *)(pointer) + OFFSET_##type##_##member)
#define LOAD(ctype, pointer, type, member) (*(ctype *)MEMBER(pointer, type, member))
#define COPY(ctype, address)                                                                                           \
    ({                                                                                                                 \
        ctype copied = 0;                                                                                              \
        bpf_probe_read_kernel(&copied, sizeof(copied), (void *)(address));                                             \
        copied;                                                                                                        \
    })
#define PROBE(ctype, pointer, type, member) COPY(ctype, MEMBER(pointer, type, member))

/* Kernel functions and helpers that BCC does not declare. The loader replaces the KFUNC_ numbers by calls of the
 * kernel's functions (exporter/loading/compiler.py); the others are numbers of helpers (include/uapi/linux/bpf.h). */
static void *(*const rdonly_cast)(u64 address, u32 type_id) = (void *)KFUNC_RDONLY_CAST;
static u64 *(*const session_cookie)(void *context) = (void *)KFUNC_SESSION_COOKIE;
static bool (*const session_is_return)(void *context) = (void *)KFUNC_SESSION_IS_RETURN;
static void *(*const this_cpu_variable)(u64 variable) = (void *)154; /* bpf_this_cpu_ptr: v5.10 */
static void *(*const current_task_typed)(void) = (void *)158; /* bpf_get_current_task_btf: v5.11, commit 3ca1032ab7ab */
static void *(*const task_registers)(void *task) = (void *)175; /* bpf_task_pt_regs: v5.15, commit dd6e10fbd9fb */

#ifdef HAVE_RDONLY_CAST
#define CAST(address, type) rdonly_cast((u64)(address), TYPE_##type)
#define READ LOAD
/* Any structure that begins with a pointer serves to read a bare pointer. */
#define READ_POINTER(address) LOAD(void *, CAST(address, list_head), list_head, next)
#else
#define CAST(address, type) ((void *)(address))
#define READ PROBE
#define READ_POINTER(address) COPY(void *, address)
#endif

/* Tracepoints that only SRCU guards (v7.0) may be preempted, and their programs then lose runs: such kernels get
 * programs on functions too. Before v6.13 a variable of this name had another purpose; preemption.h looks closer. */
#if defined(HAVE_RDONLY_CAST) && VARIABLE_tracepoint_srcu_srcu_data
#define USE_FUNCTION_HOOKS
#endif

#ifdef HAVE_TASK_BTF
#define CURRENT_TASK() current_task_typed()
#define READ_TASK LOAD
#else
#define CURRENT_TASK() ((void *)bpf_get_current_task())
#define READ_TASK PROBE
#endif

/* A number that the loader puts in place of this one, so that the verifier knows it and the compiler does not. */
#define LOADED_CONSTANT(number)                                                                                        \
    ({                                                                                                                 \
        u64 value;                                                                                                     \
        asm("%0 = %1 ll" : "=r"(value) : "i"(number));                                                                 \
        value;                                                                                                         \
    })

#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define READ_START(task) READ_TASK(u64, READ_TASK(void *, task, task_struct, group_leader), task_struct, start_boottime)
#define READ_TGID(task) READ_TASK(u32, task, task_struct, tgid)

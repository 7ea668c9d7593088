/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * How the probes read the kernel's structures.
 *
 * OFFSET_<struct>_<member> and TYPE_<struct> (a BTF type id) are -D flags made from the running kernel's BTF. Pointers
 * that the verifier knows the type of are read by a plain load. Where the verifier loses the type (an element of
 * fdtable.fd, a void *), bpf_rdonly_cast gives it back at no run-time cost (v6.2, commit a35b9af4ec2c); kernels
 * without it pay one bpf_probe_read_kernel a member. */
#ifndef COPY_EXPORTER_KERNEL_H
#define COPY_EXPORTER_KERNEL_H

#define MEMBER(pointer, type, member) ((void *)(pointer) + OFFSET_##type##_##member)
#define LOAD(ctype, pointer, type, member) (*(ctype *)MEMBER(pointer, type, member))
#define COPY(ctype, address)                                                                                           \
    ({                                                                                                                 \
        ctype copied = 0;                                                                                              \
        bpf_probe_read_kernel(&copied, sizeof(copied), (void *)(address));                                             \
        copied;                                                                                                        \
    })
#define PROBE(ctype, pointer, type, member) COPY(ctype, MEMBER(pointer, type, member))

#ifdef HAVE_RDONLY_CAST
/* The loader turns calls of this number into calls of the kernel function (exporter/loading/compiler.py). */
#define CAST(address, type) (((void *(*)(u64, u32))KFUNC_RDONLY_CAST)((u64)(address), TYPE_##type))
#define READ LOAD
/* Any structure that begins with a pointer serves to read a bare pointer. */
#define READ_POINTER(address) LOAD(void *, CAST(address, list_head), list_head, next)
#else
#define CAST(address, type) ((void *)(address))
#define READ PROBE
#define READ_POINTER(address) COPY(void *, address)
#endif

/* Tracepoints guarded by SRCU alone (v7.0) may be preempted, and their programs then lose runs: for such kernels there
 * are programs on functions too. The variable was there before v6.13 for another purpose; preemption.c looks closer. */
#if defined(HAVE_RDONLY_CAST) && VARIABLE_tracepoint_srcu_srcu_data
#define ON_FUNCTIONS
#endif

#ifdef HAVE_TASK_BTF
/* bpf_get_current_task_btf: a typed pointer, since v5.11 (commit 3ca1032ab7ab). */
#define CURRENT() (((void *(*)(void))158)())
#define READ_TASK LOAD
#else
#define CURRENT() ((void *)bpf_get_current_task())
#define READ_TASK PROBE
#endif

/* bpf_task_pt_regs: since v5.15 (commit dd6e10fbd9fb) */
#define CURRENT_REGISTERS(task) (((void *(*)(void *))175)(task))

#define READ_START(task) READ_TASK(u64, READ_TASK(void *, task, task_struct, group_leader), task_struct, start_boottime)
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define READ_TGID(task) READ_TASK(u32, task, task_struct, tgid)

#endif

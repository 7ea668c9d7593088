/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * BCC includes this file before anything else: all that our probes need of a kernel tree, so that no kernel headers
 * have to be installed. Member offsets come from the running kernel's BTF instead (exporter/loading/kernel_constants.py). */
#ifndef COPY_EXPORTER_KCONFIG_H
#define COPY_EXPORTER_KCONFIG_H

#define CONFIG_BPF_SYSCALL 1

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
typedef unsigned long size_t;
typedef unsigned long uintptr_t;

#include <asm/ptrace.h>

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What differs between machines: where registers and flags are. Each of the two files has the same functions. */

#if defined(__x86_64__)
#include "registers_x86.h"
#elif defined(__aarch64__)
#include "registers_arm64.h"
#else
#error "copy-exporter knows the registers of x86-64 and arm64 only"
#endif

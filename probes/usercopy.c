/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The kernel's own copy_to_user and copy_from_user, by the requested length. Nearly no kernel allows probes on the
 * functions themselves; nearly all of their callers pass __check_object_size(pointer, bytes, to_user). One program counts
 * both, because most of the cost is the call of a program. docs/kernel-level.md has what it sees and misses. */

#include "counts.h"
#include "registers.h"

static inline int count_usercopy(u64 bytes, bool to_user) {
    void *task = CURRENT_TASK();
    struct row row = {};
    set_process_unless_kernel_thread(&row, task);
    row.kind = to_user ? ROW_KIND_TO_USER : ROW_KIND_FROM_USER;
    row.operation = OPERATION_NONE;
    row.source = row.destination = ENDPOINT_UNKNOWN;
    add_to_row(&row, bytes);
    return 0;
}

int check_object_size(u64 *arguments) { return count_usercopy(arguments[1], (u8)arguments[2]); }

int check_object_size_by_registers(void *registers) {
    return count_usercopy(function_argument(registers, 1), (u8)function_argument(registers, 2));
}

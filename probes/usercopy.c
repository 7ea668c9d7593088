/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The kernel's own copy_to_user and copy_from_user, by the requested length. Nearly no kernel allows probes on the
 * functions themselves; nearly all of their callers pass __check_object_size(pointer, bytes, to_user).
 * docs/kernel-level.md has what that sees and misses. */

#include "counts.h"
#include "registers.h"

static inline int count_usercopy(u8 kind, u64 bytes) {
    void *task = CURRENT_TASK();
    struct row row = {};
    set_process_unless_kernel_thread(&row, task);
    row.kind = kind;
    row.operation = OPERATION_NONE;
    row.source = row.destination = ENDPOINT_UNKNOWN;
    add_to_row(&row, bytes);
    return 0;
}

/* copy_to_user(to, from, bytes), copy_from_user(to, from, bytes) */
int copy_to_user_function(void *registers) {
    return count_usercopy(ROW_KIND_TO_USER, function_argument(registers, 2));
}

int copy_from_user_function(void *registers) {
    return count_usercopy(ROW_KIND_FROM_USER, function_argument(registers, 2));
}

static inline int count_if_to_user(u64 bytes, bool to_user) {
    return to_user ? count_usercopy(ROW_KIND_TO_USER, bytes) : 0;
}

static inline int count_if_from_user(u64 bytes, bool to_user) {
    return to_user ? 0 : count_usercopy(ROW_KIND_FROM_USER, bytes);
}

int check_to_user(u64 *arguments) { return count_if_to_user(arguments[1], (u8)arguments[2]); }

int check_from_user(u64 *arguments) { return count_if_from_user(arguments[1], (u8)arguments[2]); }

int check_to_user_by_registers(void *registers) {
    return count_if_to_user(function_argument(registers, 1), (u8)function_argument(registers, 2));
}

int check_from_user_by_registers(void *registers) {
    return count_if_from_user(function_argument(registers, 1), (u8)function_argument(registers, 2));
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The kernel's own copy_to_user and copy_from_user, by the length that was asked for. Nearly no kernel lets the
 * functions themselves be probed; what nearly every one of their callers passes is __check_object_size(pointer, bytes,
 * to_user). docs/kernel-level.md says what that sees and misses. */

static inline int count_usercopy(u8 kind, u64 bytes) {
    void *task = CURRENT();
    struct row row = ROW_OF(task);
    row.kind = kind;
    row.operation = OPERATION_NONE;
    row.source = row.destination = ENDPOINT_UNKNOWN;
    add(&row, bytes);
    return 0;
}

/* copy_to_user(to, from, bytes), copy_from_user(to, from, bytes) */
int copy_to_user_itself(void *registers) { return count_usercopy(ROW_KIND_TO_USER, function_argument(registers, 2)); }

int copy_from_user_itself(void *registers) { return count_usercopy(ROW_KIND_FROM_USER, function_argument(registers, 2)); }

static inline int check_to(u64 bytes, bool to_user) { return to_user ? count_usercopy(ROW_KIND_TO_USER, bytes) : 0; }

static inline int check_from(u64 bytes, bool to_user) { return to_user ? 0 : count_usercopy(ROW_KIND_FROM_USER, bytes); }

int check_to_user(u64 *arguments) { return check_to(arguments[1], (u8)arguments[2]); }

int check_from_user(u64 *arguments) { return check_from(arguments[1], (u8)arguments[2]); }

int check_to_user_by_registers(void *registers) {
    return check_to(function_argument(registers, 1), (u8)function_argument(registers, 2));
}

int check_from_user_by_registers(void *registers) {
    return check_from(function_argument(registers, 1), (u8)function_argument(registers, 2));
}

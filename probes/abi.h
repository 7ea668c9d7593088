/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * System call numbers and arguments: here, and nowhere else, a number becomes a call and a shape.
 * The x32 ABI (numbers with bit 30, off in every distribution's kernel unless booted with syscall.x32=y) is in neither
 * table: its calls are not counted. */
#ifndef COPY_EXPORTER_ABI_H
#define COPY_EXPORTER_ABI_H

#include <asm/unistd.h>

/* Where a call has its descriptors, and how its bytes are found. */
enum shape {
    SHAPE_READ,      /* (fd, ...) -> user */
    SHAPE_WRITE,     /* user -> (fd, ...) */
    SHAPE_SEND_2,    /* the same, with MSG_ flags in argument 2 */
    SHAPE_SEND_3,    /* the same, with MSG_ flags in argument 3 */
    SHAPE_RECV_MANY, /* (fd, messages) -> user; returns how many messages */
    SHAPE_SEND_MANY, /* user -> (fd, messages), with MSG_ flags in argument 3 */
    SHAPE_SENDFILE,  /* (out, in) */
    SHAPE_SPLICE,    /* (in, offset, out): copy_file_range too */
    SHAPE_TEE,       /* (in, out) */
    SHAPE_VMSPLICE,  /* user <-> (pipe), by the mode of the descriptor */
};

struct syscall {
    u32 operation;  /* enum operation */
    u32 shape; /* enum shape */
    bool compat;
    u64 argument[4];
};

/* A table of system calls: X(number, call, shape). */
#define NATIVE_CALLS(X)                                                                                                \
    X(__NR_read, READ, READ)                                                                                           \
    X(__NR_write, WRITE, WRITE)                                                                                        \
    X(__NR_readv, READV, READ)                                                                                         \
    X(__NR_writev, WRITEV, WRITE)                                                                                      \
    X(__NR_pread64, PREAD64, READ)                                                                                     \
    X(__NR_pwrite64, PWRITE64, WRITE)                                                                                  \
    X(__NR_preadv, PREADV, READ)                                                                                       \
    X(__NR_pwritev, PWRITEV, WRITE)                                                                                    \
    X(__NR_preadv2, PREADV2, READ)                                                                                     \
    X(__NR_pwritev2, PWRITEV2, WRITE)                                                                                  \
    X(__NR_recvfrom, RECVFROM, READ)                                                                                   \
    X(__NR_recvmsg, RECVMSG, READ)                                                                                     \
    X(__NR_recvmmsg, RECVMMSG, RECV_MANY)                                                                              \
    X(__NR_sendto, SENDTO, SEND_3)                                                                                     \
    X(__NR_sendmsg, SENDMSG, SEND_2)                                                                                   \
    X(__NR_sendmmsg, SENDMMSG, SEND_MANY)                                                                              \
    X(__NR_sendfile, SENDFILE, SENDFILE)                                                                               \
    X(__NR_splice, SPLICE, SPLICE)                                                                                     \
    X(__NR_copy_file_range, COPY_FILE_RANGE, SPLICE)                                                                   \
    X(__NR_tee, TEE, TEE)                                                                                              \
    X(__NR_vmsplice, VMSPLICE, VMSPLICE)

#define MOVES(number, name, how)                                                                                       \
    case number:                                                                                                       \
        return true;
#define DECODE(number, name, how)                                                                                      \
    case number:                                                                                                       \
        syscall->operation = OPERATION_##name;                                                                                   \
        syscall->shape = SHAPE_##how;                                                                                  \
        return true;

#if defined(__x86_64__)
#include "abi_x86.h"
#elif defined(__aarch64__)
#include "abi_arm64.h"
#else
#error "copy-exporter knows the system calls of x86-64 and arm64 only"
#endif

static inline bool moves_native(u32 number) {
    switch (number) { NATIVE_CALLS(MOVES) }
    return false;
}

static inline bool moves_compat(u32 number) {
    switch (number) { COMPAT_CALLS(MOVES) }
    return false;
}

/* The first filter: it runs for every system call of the host, before it is known which table the number is of. */
static inline bool may_move_data(u32 number) { return moves_native(number) || moves_compat(number); }

static inline bool decode_native(struct syscall *syscall, u32 number) {
    switch (number) { NATIVE_CALLS(DECODE) }
    return false;
}

static inline bool decode_compat(struct syscall *syscall, u32 number) {
    switch (number) { COMPAT_CALLS(DECODE) }
    return false;
}

/* False when the call moves no data. */
static inline bool decode(struct syscall *syscall, void *task, void *registers, u32 number) {
    syscall->compat = is_compat(task);
    if (syscall->compat)
        return decode_compat(syscall, number) && load_compat_arguments(syscall, registers);
    if (!decode_native(syscall, number))
        return false;
    load_arguments(syscall, registers);
    return true;
}

#endif

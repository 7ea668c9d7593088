/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * From the number of a system call to its name and the layout of its arguments: this is the only place for it.
 * The x32 ABI (numbers with bit 30, which distributions' kernels have only with syscall.x32=y at boot) is in no table:
 * its calls are not counted. */

#include <asm/unistd.h>

#include "registers.h"

#define IPPROTO_TCP 6
#define TCP_ZEROCOPY_RECEIVE 35

/* Where a call has its descriptors, and how its bytes are found. */
enum arg_layout {
    LAYOUT_READ,      /* (fd, ...) -> user */
    LAYOUT_WRITE,     /* user -> (fd, ...) */
    LAYOUT_SEND_2,    /* the same, with MSG_ flags in argument 2 */
    LAYOUT_SEND_3,    /* the same, with MSG_ flags in argument 3 */
    LAYOUT_RECV_MANY, /* (fd, messages) -> user; returns how many messages */
    LAYOUT_SEND_MANY, /* user -> (fd, messages), with MSG_ flags in argument 3 */
    LAYOUT_SENDFILE,  /* (out, in) */
    LAYOUT_SPLICE,    /* (in, offset, out): copy_file_range too */
    LAYOUT_TEE,       /* (in, out) */
    LAYOUT_VMSPLICE,  /* user <-> (pipe), by the mode of the descriptor */
    LAYOUT_MAPPED_RECEIVE, /* (tcp, &length, option, struct tcp_zerocopy_receive) -> user */
    /* Without a descriptor of a file: */
    LAYOUT_USER_TO_USER,
    LAYOUT_QUEUE_SEND,    /* (queue, message, length): returns 0 */
    LAYOUT_QUEUE_RECEIVE, /* (queue) -> user */
    LAYOUT_RANDOM,        /* the kernel's random numbers -> user */
};

/* The tables are lists of X(number, operation, layout). First: 64-bit programs. */
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
    X(__NR_vmsplice, VMSPLICE, VMSPLICE)                                                                               \
    X(__NR_process_vm_readv, PROCESS_VM_READV, USER_TO_USER)                                                           \
    X(__NR_process_vm_writev, PROCESS_VM_WRITEV, USER_TO_USER)                                                         \
    X(__NR_mq_timedsend, MQ_TIMEDSEND, QUEUE_SEND)                                                                     \
    X(__NR_mq_timedreceive, MQ_TIMEDRECEIVE, QUEUE_RECEIVE)                                                            \
    X(__NR_msgsnd, MSGSND, QUEUE_SEND)                                                                                 \
    X(__NR_msgrcv, MSGRCV, QUEUE_RECEIVE)                                                                              \
    X(__NR_getrandom, GETRANDOM, RANDOM)                                                                               \
    X(__NR_getdents64, GETDENTS64, READ)                                                                               \
    X(__NR_getsockopt, GETSOCKOPT, MAPPED_RECEIVE)

/* 32-bit programs. */
#if defined(__x86_64__)
#define NR_I386_SOCKETCALL 102
/* arch/x86/entry/syscalls/syscall_32.tbl */
#define COMPAT_CALLS(X)                                                                                                \
    X(3, READ, READ)                                                                                                   \
    X(4, WRITE, WRITE)                                                                                                 \
    X(NR_I386_SOCKETCALL, NONE, READ) /* one number for many calls: SOCKETCALLS has them */                            \
    X(145, READV, READ)                                                                                                \
    X(146, WRITEV, WRITE)                                                                                              \
    X(180, PREAD64, READ)                                                                                              \
    X(181, PWRITE64, WRITE)                                                                                            \
    X(187, SENDFILE, SENDFILE)                                                                                         \
    X(239, SENDFILE, SENDFILE)                                                                                         \
    X(313, SPLICE, SPLICE)                                                                                             \
    X(315, TEE, TEE)                                                                                                   \
    X(316, VMSPLICE, VMSPLICE)                                                                                         \
    X(333, PREADV, READ)                                                                                               \
    X(334, PWRITEV, WRITE)                                                                                             \
    X(337, RECVMMSG, RECV_MANY)                                                                                        \
    X(345, SENDMMSG, SEND_MANY)                                                                                        \
    X(369, SENDTO, SEND_3)                                                                                             \
    X(370, SENDMSG, SEND_2)                                                                                            \
    X(371, RECVFROM, READ)                                                                                             \
    X(372, RECVMSG, READ)                                                                                              \
    X(377, COPY_FILE_RANGE, SPLICE)                                                                                    \
    X(378, PREADV2, READ)                                                                                              \
    X(379, PWRITEV2, WRITE)                                                                                            \
    X(417, RECVMMSG, RECV_MANY)                                                                                        \
    X(220, GETDENTS64, READ)                                                                                           \
    X(279, MQ_TIMEDSEND, QUEUE_SEND)                                                                                   \
    X(280, MQ_TIMEDRECEIVE, QUEUE_RECEIVE)                                                                             \
    X(347, PROCESS_VM_READV, USER_TO_USER)                                                                             \
    X(348, PROCESS_VM_WRITEV, USER_TO_USER)                                                                            \
    X(355, GETRANDOM, RANDOM)                                                                                          \
    X(365, GETSOCKOPT, MAPPED_RECEIVE)                                                                                 \
    X(400, MSGSND, QUEUE_SEND)                                                                                         \
    X(401, MSGRCV, QUEUE_RECEIVE)                                                                                      \
    X(418, MQ_TIMEDSEND, QUEUE_SEND)                                                                                   \
    X(419, MQ_TIMEDRECEIVE, QUEUE_RECEIVE)
/* The operations of socketcall: include/uapi/linux/net.h */
#define SOCKETCALLS(X)                                                                                                 \
    X(9, SENDTO, SEND_3)                                                                                               \
    X(10, RECVFROM, READ)                                                                                              \
    X(11, SENDTO, SEND_3)                                                                                              \
    X(12, RECVFROM, READ)                                                                                              \
    X(16, SENDMSG, SEND_2)                                                                                             \
    X(17, RECVMSG, READ)                                                                                               \
    X(19, RECVMMSG, RECV_MANY)                                                                                         \
    X(20, SENDMMSG, SEND_MANY)
#else
/* arch/arm/tools/syscall.tbl */
#define COMPAT_CALLS(X)                                                                                                \
    X(3, READ, READ)                                                                                                   \
    X(4, WRITE, WRITE)                                                                                                 \
    X(145, READV, READ)                                                                                                \
    X(146, WRITEV, WRITE)                                                                                              \
    X(180, PREAD64, READ)                                                                                              \
    X(181, PWRITE64, WRITE)                                                                                            \
    X(187, SENDFILE, SENDFILE)                                                                                         \
    X(239, SENDFILE, SENDFILE)                                                                                         \
    X(289, SENDTO, SEND_3)                                                                                             \
    X(290, SENDTO, SEND_3)                                                                                             \
    X(291, RECVFROM, READ)                                                                                             \
    X(292, RECVFROM, READ)                                                                                             \
    X(296, SENDMSG, SEND_2)                                                                                            \
    X(297, RECVMSG, READ)                                                                                              \
    X(340, SPLICE, SPLICE)                                                                                             \
    X(342, TEE, TEE)                                                                                                   \
    X(343, VMSPLICE, VMSPLICE)                                                                                         \
    X(361, PREADV, READ)                                                                                               \
    X(362, PWRITEV, WRITE)                                                                                             \
    X(365, RECVMMSG, RECV_MANY)                                                                                        \
    X(374, SENDMMSG, SEND_MANY)                                                                                        \
    X(391, COPY_FILE_RANGE, SPLICE)                                                                                    \
    X(392, PREADV2, READ)                                                                                              \
    X(393, PWRITEV2, WRITE)                                                                                            \
    X(417, RECVMMSG, RECV_MANY)                                                                                        \
    X(217, GETDENTS64, READ)                                                                                           \
    X(276, MQ_TIMEDSEND, QUEUE_SEND)                                                                                   \
    X(277, MQ_TIMEDRECEIVE, QUEUE_RECEIVE)                                                                             \
    X(295, GETSOCKOPT, MAPPED_RECEIVE)                                                                                 \
    X(301, MSGSND, QUEUE_SEND)                                                                                         \
    X(302, MSGRCV, QUEUE_RECEIVE)                                                                                      \
    X(376, PROCESS_VM_READV, USER_TO_USER)                                                                             \
    X(377, PROCESS_VM_WRITEV, USER_TO_USER)                                                                            \
    X(384, GETRANDOM, RANDOM)                                                                                          \
    X(418, MQ_TIMEDSEND, QUEUE_SEND)                                                                                   \
    X(419, MQ_TIMEDRECEIVE, QUEUE_RECEIVE)
#endif

struct syscall {
    u32 operation; /* enum operation */
    u32 layout;    /* enum arg_layout */
    bool compat;
    u64 argument[4];
};

#define IS_CALL(number, name, how)                                                                                     \
    case number:                                                                                                       \
        return true;
#define DECODE(number, name, how)                                                                                      \
    case number:                                                                                                       \
        syscall->operation = OPERATION_##name;                                                                         \
        syscall->layout = LAYOUT_##how;                                                                                \
        return true;

static inline bool is_native_call(u32 number) {
    switch (number) { NATIVE_CALLS(IS_CALL) }
    return false;
}

static inline bool is_compat_call(u32 number) {
    switch (number) { COMPAT_CALLS(IS_CALL) }
    return false;
}

/* The first filter: it runs for every system call of the host, before it is known which table the number is of. */
static inline bool may_move_data(u32 number) { return is_native_call(number) || is_compat_call(number); }

static inline bool decode_native(struct syscall *syscall, u32 number) {
    switch (number) { NATIVE_CALLS(DECODE) }
    return false;
}

static inline bool decode_compat(struct syscall *syscall, u32 number) {
    switch (number) { COMPAT_CALLS(DECODE) }
    return false;
}

#ifdef SOCKETCALLS
static inline bool decode_socketcall_operation(struct syscall *syscall, u32 operation) {
    switch (operation) { SOCKETCALLS(DECODE) }
    return false;
}

/* socketcall(operation, u32 *arguments): the arguments are replaced by those in memory. */
static inline bool decode_socketcall(struct syscall *syscall) {
    u32 arguments[4] = {};
    if (!decode_socketcall_operation(syscall, syscall->argument[0]))
        return false;
    bpf_probe_read_user(arguments, sizeof(arguments), (void *)syscall->argument[1]);
    syscall->argument[0] = arguments[0];
    syscall->argument[1] = arguments[1];
    syscall->argument[2] = arguments[2];
    syscall->argument[3] = arguments[3];
    return true;
}
#else
static inline bool decode_socketcall(struct syscall *syscall) { return false; }
#endif

/* getsockopt has many options, of which one moves data. Its level gives way to the address of the length. */
static inline bool decode_option(struct syscall *syscall, void *registers) {
    if (syscall->layout != LAYOUT_MAPPED_RECEIVE)
        return true;
    if ((u32)syscall->argument[1] != IPPROTO_TCP || (u32)syscall->argument[2] != TCP_ZEROCOPY_RECEIVE)
        return false;
    syscall->argument[1] = fifth_argument(registers, syscall->compat);
    return true;
}

/* False when the call moves no data. */
static inline bool decode_syscall(struct syscall *syscall, void *task, void *registers, u32 number) {
    syscall->compat = is_compat(task);
    if (syscall->compat) {
        if (!decode_compat(syscall, number))
            return false;
        load_compat_arguments(syscall->argument, registers);
        return (syscall->operation != OPERATION_NONE || decode_socketcall(syscall)) &&
               decode_option(syscall, registers);
    }
    if (!decode_native(syscall, number))
        return false;
    load_arguments(syscall->argument, registers);
    return decode_option(syscall, registers);
}

#define LAYOUT_OF(number, name, how)                                                                                   \
    case OPERATION_##name:                                                                                             \
        return LAYOUT_##how;

static inline u32 layout_of(u32 operation) {
    switch (operation) { NATIVE_CALLS(LAYOUT_OF) }
    return LAYOUT_READ;
}

/* The same when the call is known. OPERATION_NONE is socketcall; false when that moves no data. */
static inline bool decode_known_syscall(struct syscall *syscall, u32 operation, bool compat, void *registers) {
    syscall->operation = operation;
    syscall->compat = compat;
    syscall->layout = layout_of(operation);
    if (!compat) {
        load_arguments(syscall->argument, registers);
        return decode_option(syscall, registers);
    }
    load_compat_arguments(syscall->argument, registers);
    return (operation != OPERATION_NONE || decode_socketcall(syscall)) && decode_option(syscall, registers);
}

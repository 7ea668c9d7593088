/* Calls that fail, are interrupted, or are never made. */
#include "common.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static void errors(char **arguments) {
    (void)arguments;
    int ends[2], pair[2], other[2];
    CHECK(!pipe2(ends, O_NONBLOCK) && !pipe(other) && !close(other[0]));
    FAILS(EAGAIN, read(ends[0], buffer, 10));
    FAILS(EAGAIN, read(ends[0], buffer, 10));
    FAILS(EBADF, read(-1, buffer, 10));
    FAILS(EBADF, write(ends[0], buffer, 10));
    FAILS(EBADF, pread(1 << 30, buffer, 10, 0));
    FAILS(ESPIPE, pread(ends[0], buffer, 10, 0));
    FAILS(EFAULT, write(ends[1], (void *)1, 10));
    FAILS(EISDIR, read(open_file("/", O_RDONLY), buffer, 10));
    signal(SIGPIPE, SIG_IGN);
    FAILS(EPIPE, write(other[1], buffer, 10));
    FAILS(EINVAL, splice(ends[0], 0, ends[1], 0, 10, 0));
    FAILS(EBADF, sendfile(-1, -1, 0, 10));
    FAILS(EINVAL, tee(ends[0], ends[1], 10, 0));
    socket_pair("unix_stream", pair);
    FAILS(EAGAIN, recv(pair[0], buffer, 10, MSG_DONTWAIT));
    FAILS(ENOTSOCK, send(ends[1], buffer, 10, 0));
    CHECK(!close(pair[0]));
    FAILS(EBADF, recv(pair[0], buffer, 10, 0));
}

/* What was partly done returns what was done: a pipe that has room for 64 KiB, then for none, then is read. */
static void partly(char **arguments) {
    (void)arguments;
    int ends[2];
    CHECK(!pipe2(ends, O_NONBLOCK));
    RETURNS(65536, write(ends[1], buffer, 100000));
    FAILS(EAGAIN, write(ends[1], buffer, 1));
    struct iovec parts[] = {{buffer, 5}, {(void *)1, 5}};
    RETURNS(5, readv(ends[0], parts, 1));
}

/* Answers on standard output, so that who sent the signal knows that it has arrived. */
static void answer(int number) {
    (void)number;
    RETURNS(1, write(1, "!", 1));
}

/* RESTART: reads standard input, once or again, while a signal arrives. */
static void interrupted(char **arguments) {
    struct sigaction action = {.sa_handler = answer, .sa_flags = atoi(arguments[0]) ? SA_RESTART : 0};
    CHECK(!sigaction(SIGUSR1, &action, 0));
    if (atoi(arguments[0]))
        RETURNS(3, read(0, buffer, 10));
    else
        FAILS(EINTR, read(0, buffer, 10));
}

static sigset_t just_one;
static int replacement = -1;

/* Sleeps until the signal; then the descriptor that the leader reads from is another one, or none. */
static void *take_away(void *unused) {
    int number;
    (void)unused;
    CHECK(!sigwait(&just_one, &number));
    if (replacement < 0)
        CHECK(!close(0));
    else
        RETURNS(0, dup2(replacement, 0));
    RETURNS(1, write(1, "!", 1));
    return 0;
}

/* [FILE]: reads standard input, which is taken away meanwhile, and replaced by the file if there is one. */
static void taken_away(char **arguments) {
    pthread_t thread;
    if (arguments[0])
        replacement = open_file(arguments[0], O_RDONLY);
    sigemptyset(&just_one);
    sigaddset(&just_one, SIGUSR1);
    CHECK(!pthread_sigmask(SIG_BLOCK, &just_one, 0) && !pthread_create(&thread, 0, take_away, 0));
    RETURNS(3, read(0, buffer, 10));
    CHECK(!pthread_join(thread, 0));
}

static int trapped;

static void count_trap(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    trapped += info->si_code == 1 /* SYS_SECCOMP */;
}

/* From here on a system call has another fate. */
static void decide(int number, unsigned int fate) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, fate),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void catch_traps(void) {
    struct sigaction action = {.sa_sigaction = count_trap, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSYS, &action, 0));
}

/* What a trapped call returns: the register of the result is put back as it was at the entry. */
#ifdef __aarch64__
#define TRAPPED(number, first) first
#else
#define TRAPPED(number, first) number
#endif

/* FILE: ten bytes sent for real, then three times a call that is trapped, and goes on to say its own number. */
static void seccomp_trap(char **arguments) {
    int pair[2], file = open_file(arguments[0], O_RDONLY);
    socket_pair("tcp4", pair);
    catch_traps();
    RETURNS(10, sendfile(pair[0], file, 0, 10));
    decide(__NR_sendfile, SECCOMP_RET_TRAP);
    for (int i = 0; i < 3; i++)
        RETURNS(TRAPPED(__NR_sendfile, pair[0]), sendfile(pair[0], file, 0, 4000));
    RETURNS(3, trapped);
    RETURNS(20, pread(file, buffer, 20, 0));
}

/* FILE: a trapped read returns the number of read, which is 0 (on arm64 the descriptor). A call that returns its own number untrapped counts. */
static void seccomp_trap_of_read(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY);
    catch_traps();
    RETURNS(__NR_pread64, pread(file, buffer, __NR_pread64, 0));
    decide(__NR_read, SECCOMP_RET_TRAP);
    RETURNS(TRAPPED(__NR_read, file), syscall(__NR_read, file, buffer, 10));
    RETURNS(1, trapped);
}

static void seccomp_errno(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY);
    decide(__NR_read, SECCOMP_RET_ERRNO | ENOSPC);
    FAILS(ENOSPC, read(file, buffer, 10));
    RETURNS(10, pread(file, buffer, 10, 0));
}

MAIN(SCENARIO(errors), SCENARIO(partly), SCENARIO(interrupted), SCENARIO(taken_away), SCENARIO(seccomp_trap),
     SCENARIO(seccomp_trap_of_read), SCENARIO(seccomp_errno))

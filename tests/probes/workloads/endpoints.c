/* The read and write families on whatever a path or a pair of descriptors leads to. */
#include "common.h"
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* PATH: five bytes by each call. */
static void reads(char **arguments) {
    int fd = open_file(arguments[0], O_RDONLY);
    struct iovec parts[] = {{buffer, 2}, {buffer + 2, 3}};
    RETURNS(5, read(fd, buffer, 5));
    RETURNS(5, readv(fd, parts, 2));
    RETURNS(5, pread(fd, buffer, 5, 0));
    RETURNS(5, preadv(fd, parts, 2, 0));
    RETURNS(5, preadv2(fd, parts, 2, 0, 0));
}

/* PATH: seven bytes by each call. */
static void writes(char **arguments) {
    int fd = open_file(arguments[0], O_WRONLY);
    struct iovec parts[] = {{buffer, 3}, {buffer + 3, 4}};
    RETURNS(7, write(fd, buffer, 7));
    RETURNS(7, writev(fd, parts, 2));
    RETURNS(7, pwrite(fd, buffer, 7, 0));
    RETURNS(7, pwritev(fd, parts, 2, 0));
    RETURNS(7, pwritev2(fd, parts, 2, 0, 0));
}

/* PATH of 10,000 bytes: whole chunks, a partial one, the end twice. */
static void to_the_end(char **arguments) {
    int fd = open_file(arguments[0], O_RDONLY);
    RETURNS(4096, read(fd, buffer, 4096));
    RETURNS(4096, read(fd, buffer, 4096));
    RETURNS(1808, read(fd, buffer, 4096));
    RETURNS(0, read(fd, buffer, 4096));
    RETURNS(0, read(fd, buffer, 4096));
    RETURNS(0, read(fd, buffer, 0));
    RETURNS(10, pread(fd, buffer, 4096, 9990));
}

/* PATH: its own name, as long as it was. */
static void writes_proc(char **arguments) {
    (void)arguments;
    int fd = open_file("/proc/self/comm", O_WRONLY);
    RETURNS(7, write(fd, "renamed", 7));
}

static void pipes(char **arguments) {
    (void)arguments;
    int ends[2];
    struct iovec parts[] = {{buffer, 3}, {buffer + 3, 4}};
    CHECK(!pipe(ends));
    RETURNS(100, write(ends[1], buffer, 100));
    RETURNS(7, writev(ends[1], parts, 2));
    RETURNS(60, read(ends[0], buffer, 60));
    RETURNS(7, readv(ends[0], parts, 2));
    RETURNS(40, read(ends[0], buffer, 500));
    CHECK(!close(ends[1]));
    RETURNS(0, read(ends[0], buffer, 500));
}

static void anonymous(char **arguments) {
    (void)arguments;
    uint64_t value = 3;
    int event = eventfd(0, 0);
    RETURNS(8, write(event, &value, 8));
    RETURNS(8, read(event, &value, 8));

    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    CHECK(!timerfd_settime(timer, 0, &soon, 0));
    RETURNS(8, read(timer, &value, 8));

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(!sigprocmask(SIG_BLOCK, &set, 0) && !kill(getpid(), SIGUSR1));
    int signals = signalfd(-1, &set, 0);
    RETURNS(sizeof(struct signalfd_siginfo), read(signals, buffer, sizeof(buffer)));
}

/* PATH of 10,000 bytes: the same counts for a descriptor beyond the first table of the process. */
static void high_descriptor(char **arguments) {
    int fd = open_file(arguments[0], O_RDONLY);
    CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){2048, 2048}));
    RETURNS(1500, dup2(fd, 1500));
    CHECK(!close(fd));
    RETURNS(4096, read(1500, buffer, 4096));
}

/* PATH on a disk, of at least 64 KiB: past the page cache. */
static void direct(char **arguments) {
    int fd = open_file(arguments[0], O_RDWR | O_DIRECT);
    struct iovec part = {buffer, 8192};
    RETURNS(4096, read(fd, buffer, 4096));
    RETURNS(8192, preadv(fd, &part, 1, 4096));
    RETURNS(4096, write(fd, buffer, 4096));
    RETURNS(8192, pwritev(fd, &part, 1, 0));
}

/* PATH: O_DIRECT set and taken away while it is open. */
static void direct_for_a_while(char **arguments) {
    int fd = open_file(arguments[0], O_RDONLY);
    RETURNS(4096, pread(fd, buffer, 4096, 0));
    CHECK(!fcntl(fd, F_SETFL, O_DIRECT));
    RETURNS(8192, pread(fd, buffer, 8192, 0));
    CHECK(!fcntl(fd, F_SETFL, 0));
    RETURNS(4096, pread(fd, buffer, 4096, 0));
}

MAIN(SCENARIO(reads), SCENARIO(writes), SCENARIO(to_the_end), SCENARIO(writes_proc), SCENARIO(pipes),
     SCENARIO(anonymous), SCENARIO(high_descriptor), SCENARIO(direct), SCENARIO(direct_for_a_while))

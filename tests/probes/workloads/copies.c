/* Spends CPU time in one way: copies WORK FILE MILLISECONDS [half], half of it in user space with
 * the last argument. Prints nanoseconds of its CPU time, and of them those in WORK. */
#include "common.h"
#include <sys/random.h>
#include <time.h>

#define PIECE 65536
#define TURN_NS 1000000

static int file, copy, pipes[2], sockets[2];

static long cpu_ns(void) {
    struct timespec now;
    CHECK(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void spin_once(void) {
    for (volatile int i = 0; i < 10000; i++)
        ;
}

static void getppid_once(void) { RETURNS(getppid(), syscall(SYS_getppid)); }

static void read_once(void) { RETURNS(SIZE_MAX_BUFFER, pread(file, buffer, SIZE_MAX_BUFFER, 0)); }

static void write_once(void) { RETURNS(SIZE_MAX_BUFFER, pwrite(file, buffer, SIZE_MAX_BUFFER, 0)); }

static void transfer_once(void) {
    off_t from = 0, to = 0;
    RETURNS(SIZE_MAX_BUFFER, sendfile(copy, file, &from, SIZE_MAX_BUFFER));
    RETURNS(0, lseek(copy, to, SEEK_SET));
}

static void pipe_once(void) {
    RETURNS(PIECE, write(pipes[1], buffer, PIECE));
    RETURNS(PIECE, read(pipes[0], buffer, PIECE));
}

/* Thrown away, so that what comes out of the socket is not copied. */
static void discard(void) {
    while (recv(sockets[1], NULL, SIZE_MAX_BUFFER, MSG_TRUNC | MSG_DONTWAIT) > 0)
        ;
}

static void send_once(void) {
    CHECK(send(sockets[0], buffer, PIECE, 0) > 0);
    discard();
}

static void sendfile_once(void) {
    off_t from = 0;
    CHECK(sendfile(sockets[0], file, &from, PIECE) > 0);
    discard();
}

static void random_once(void) { RETURNS(PIECE, getrandom(buffer, PIECE, 0)); }

/* Many calls at a time: to ask for the time is a system call that copies, too. */
static long turn(void (*once)(void), int calls) {
    long start = cpu_ns();
    for (long now = start; now - start < TURN_NS; now = cpu_ns())
        for (int i = 0; i < calls; i++)
            once();
    return cpu_ns() - start;
}

static void work(void (*once)(void), char **arguments) {
    long limit = atol(arguments[1]) * 1000000L, worked = 0;
    int calls = once == getppid_once ? 1000 : 8;
    file = open_file(arguments[0], O_RDWR | O_CREAT);
    write_once();
    CHECK((copy = memfd_create("copy", 0)) >= 0 && !pipe(pipes));
    socket_pair("tcp4", sockets);
    long start = cpu_ns();
    while (cpu_ns() - start < limit) {
        worked += turn(once, calls);
        if (arguments[2])
            turn(spin_once, 8);
    }
    printf("%ld %ld\n", cpu_ns() - start, worked);
}

#define WORK(name)                                                                                                     \
    static void name##_work(char **arguments) { work(name##_once, arguments); }
#define NAMED(name) {#name, name##_work}

WORK(spin)
WORK(getppid)
WORK(read)
WORK(write)
WORK(transfer)
WORK(pipe)
WORK(send)
WORK(sendfile)
WORK(random)

MAIN(NAMED(spin), NAMED(getppid), NAMED(read), NAMED(write), NAMED(transfer), NAMED(pipe), NAMED(send), NAMED(sendfile),
     NAMED(random))

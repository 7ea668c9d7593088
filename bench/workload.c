/* SPDX-License-Identifier: Apache-2.0
 * Times system calls. For each line on standard input, "OPERATION BATCHES CALLS", it prints one line: the median, over
 * BATCHES batches of CALLS calls each, of nanoseconds per call. A batch is shorter than a time slice, so that other
 * processes on the CPU do not change the median. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_MAX 10000
#define PAGE 4096
#define SENDFILE_BYTES 512

static int zero, file, sender, receiver, peeked, ring;
static struct io_uring_sqe *request;
static unsigned *requests_tail, *completions_head;
static char page[PAGE];

static void must(int result, const char *what) {
    if (result < 0)
        err(1, "%s", what);
}

static void call_getppid(void) { syscall(SYS_getppid); }
static void call_poll(void) { must(poll(&(struct pollfd){.fd = receiver, .events = POLLIN}, 1, 0), "poll"); }
static void call_read_zero(void) { must(read(zero, page, 1), "read"); }
static void call_read_file(void) { must(read(file, page, PAGE), "read"); }
static void call_send_tcp(void) { must(send(sender, page, 1, 0), "send"); }
static void call_receive_tcp(void) { must(recv(receiver, page, 1, 0), "recv"); }
static void call_sendfile(void) { must(sendfile(sender, file, &(off_t){0}, SENDFILE_BYTES), "sendfile"); }
/* The datagram stays in the socket: the kernel copies it each time. */
static void call_peek(void) { must(recv(peeked, page, 1, MSG_PEEK), "recv"); }

/* The ring has one entry. Each request reads 1 byte of /dev/zero and is complete when the call returns. */
static void call_uring_read(void) {
    if (!request)
        errx(1, "io_uring is disabled on this host");
    *request = (struct io_uring_sqe){.opcode = IORING_OP_READ, .fd = zero, .addr = (unsigned long)page, .len = 1};
    __atomic_fetch_add(requests_tail, 1, __ATOMIC_RELEASE);
    must(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
    __atomic_fetch_add(completions_head, 1, __ATOMIC_RELEASE);
}

static void nothing(int calls) { (void)calls; }
static void rewind_file(int calls) { (void)calls, must(lseek(file, 0, SEEK_SET), "lseek"); }

/* Loopback delivers within the send, so that recv never waits. */
static void drain(int bytes) {
    while (bytes > 0) {
        int received = recv(receiver, page, PAGE, 0);
        must(received, "recv");
        bytes -= received;
    }
}

static void fill_tcp(int calls) { must(send(sender, page, calls, 0), "send"); }
static void drain_sendfile(int calls) { drain(calls * SENDFILE_BYTES); }

static const struct operation {
    const char *name;
    void (*before)(int calls);
    void (*call)(void);
    void (*afterwards)(int calls);
    int threads;
} operations[] = {
    {"getppid", nothing, call_getppid, nothing, 1},
    {"read_zero", nothing, call_read_zero, nothing, 1},
    {"read_file", nothing, call_read_file, rewind_file, 1},
    {"send_tcp", nothing, call_send_tcp, drain, 1},
    {"poll", nothing, call_poll, nothing, 1},
    {"receive_tcp", fill_tcp, call_receive_tcp, nothing, 1},
    {"sendfile", nothing, call_sendfile, drain_sendfile, 1},
    {"read_zero_twice", nothing, call_read_zero, nothing, 2},
    {"peek", nothing, call_peek, nothing, 1},
    {"uring_read", nothing, call_uring_read, nothing, 1},
};

struct job {
    const struct operation *operation;
    int batches, calls, cpu;
    atomic_int *waiting, *done;
    double results[BATCHES_MAX];
    int measured;
};

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

static double nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

/* Both threads stop when the first is done: the other would measure an uncontended call after that. */
static void *measure(void *argument) {
    struct job *job = argument;
    pin(job->cpu);
    atomic_fetch_sub(job->waiting, 1);
    while (atomic_load(job->waiting)) {
    }
    for (job->measured = 0; job->measured < job->batches && !atomic_load(job->done); job->measured++) {
        job->operation->before(job->calls);
        double start = nanoseconds();
        for (int i = 0; i < job->calls; i++)
            job->operation->call();
        job->results[job->measured] = (nanoseconds() - start) / job->calls;
        job->operation->afterwards(job->calls);
    }
    atomic_store(job->done, 1);
    return NULL;
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The result is that of the first thread; the second one only contends with it. */
static double run(const struct operation *operation, int batches, int calls) {
    static struct job jobs[2];
    atomic_int waiting = operation->threads, done = 0;
    for (int i = 0; i < operation->threads; i++) {
        jobs[i].operation = operation, jobs[i].batches = batches, jobs[i].calls = calls;
        jobs[i].cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1 - i;
        jobs[i].waiting = &waiting, jobs[i].done = &done;
    }
    pthread_t second;
    if (operation->threads > 1 && pthread_create(&second, NULL, measure, &jobs[1]))
        errx(1, "pthread_create");
    measure(&jobs[0]);
    if (operation->threads > 1)
        pthread_join(second, NULL);
    qsort(jobs[0].results, jobs[0].measured, sizeof(double), ascending);
    return jobs[0].results[jobs[0].measured / 2];
}

static void open_tcp(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(listener, (struct sockaddr *)&address, length), "bind");
    must(listen(listener, 1), "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
    must(sender = socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(connect(sender, (struct sockaddr *)&address, length), "connect");
    must(receiver = accept(listener, NULL, NULL), "accept");
    must(setsockopt(sender, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), "setsockopt");
    close(listener);
}

static void open_datagram(void) {
    int pair[2];
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
    must(send(pair[0], page, 1, 0), "send");
    peeked = pair[1];
}

/* Where io_uring is disabled, only the operation that needs it exits. */
static void open_ring(void) {
    struct io_uring_params params = {0};
    ring = syscall(SYS_io_uring_setup, 1, &params);
    if (ring < 0)
        return;
    int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    char *requests = mmap(NULL, PAGE, protection, flags, ring, IORING_OFF_SQ_RING);
    char *completions = mmap(NULL, PAGE, protection, flags, ring, IORING_OFF_CQ_RING);
    request = mmap(NULL, PAGE, protection, flags, ring, IORING_OFF_SQES);
    if (requests == MAP_FAILED || completions == MAP_FAILED || request == MAP_FAILED)
        err(1, "mmap");
    requests_tail = (unsigned *)(requests + params.sq_off.tail);
    completions_head = (unsigned *)(completions + params.cq_off.head);
}

static void open_file(const char *path) {
    must(file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), path);
    for (int i = 0; i < 256; i++)
        must(write(file, page, PAGE), "write");
    must(lseek(file, 0, SEEK_SET), "lseek");
}

int main(int count, char **arguments) {
    char name[32];
    int batches, calls;
    if (count != 2)
        errx(2, "usage: workload FILE");
    must(zero = open("/dev/zero", O_RDONLY), "/dev/zero");
    open_file(arguments[1]);
    open_tcp();
    open_datagram();
    open_ring();
    while (scanf("%31s %d %d", name, &batches, &calls) == 3) {
        if (batches < 1 || batches > BATCHES_MAX || calls < 1 || calls > 256)
            errx(2, "1 to %d batches of 1 to 256 calls", BATCHES_MAX);
        for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
            if (!strcmp(operations[i].name, name))
                printf("%.1f\n", run(&operations[i], batches, calls));
        fflush(stdout);
    }
    return 0;
}

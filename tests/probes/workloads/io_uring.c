/* Transfers by io_uring, each completion checked. */
#include "ring.h"

/* Newer than the headers of some of our systems. */
#define OP_READ_MULTISHOT 49
#define OP_READV_FIXED 60
#define OP_WRITEV_FIXED 61

#define GROUP 1
#define PROVIDED 1024 /* bytes of each provided buffer */

static struct iovec vectors[2] = {{buffer, 600}, {buffer + 600, 400}};
static struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};

/* FILE of 10,000 bytes: every way to read and write it, then past its end, then by a registered descriptor. */
static void files(char **arguments) {
    int file = open_file(arguments[0], O_RDWR);
    open_ring(0);
    register_memory();
    RETURNS(4096, run(on(file, IORING_OP_READ, buffer, 4096)));
    RETURNS(1000, run(on(file, IORING_OP_READV, vectors, 2)));
    RETURNS(3000, run(on(file, IORING_OP_READ_FIXED, buffer, 3000)));
    RETURNS(2000, run(on(file, IORING_OP_WRITE, buffer, 2000)));
    RETURNS(1000, run(on(file, IORING_OP_WRITEV, vectors, 2)));
    RETURNS(500, run(on(file, IORING_OP_WRITE_FIXED, buffer, 500)));
    struct io_uring_sqe behind = on(file, IORING_OP_READ, buffer, 4096);
    behind.off = 9990;
    RETURNS(10, run(behind));
    behind.off = 10000;
    RETURNS(0, run(behind));
    RETURNS(0, syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, &file, 1));
    CHECK(!close(file));
    struct io_uring_sqe registered = on(0, IORING_OP_READ, buffer, 7000);
    registered.flags = IOSQE_FIXED_FILE;
    RETURNS(7000, run(registered));
}

/* FILE of 10,000 bytes, by vectors in registered memory: says "absent" where the kernel cannot. */
static void fixed_vectors(char **arguments) {
    int file = open_file(arguments[0], O_RDWR);
    open_ring(0);
    register_memory();
    int read = run(on(file, OP_READV_FIXED, vectors, 2));
    if (read == -EINVAL) {
        printf("absent");
        return;
    }
    RETURNS(1000, read);
    RETURNS(1000, run(on(file, OP_WRITEV_FIXED, vectors, 2)));
}

/* FILE of 1 MiB on a disk. */
static void direct(char **arguments) {
    int file = open_file(arguments[0], O_RDWR | O_DIRECT);
    open_ring(0);
    RETURNS(65536, run(on(file, IORING_OP_READ, buffer, 65536)));
    RETURNS(4096, run(on(file, IORING_OP_WRITE, buffer, 4096)));
}

static void pipes(char **arguments) {
    int pair[2];
    (void)arguments;
    CHECK(!pipe(pair));
    open_ring(0);
    RETURNS(1000, run(on(pair[1], IORING_OP_WRITE, buffer, 1000)));
    RETURNS(1000, run(on(pair[0], IORING_OP_READ, buffer, 4096)));
}

/* KIND of socket: every call once, 1000 bytes. */
static void sockets(char **arguments) {
    int pair[2];
    socket_pair(arguments[0], pair);
    open_ring(0);
    RETURNS(1000, run(on(pair[0], IORING_OP_SEND, buffer, 1000)));
    RETURNS(1000, run(on(pair[1], IORING_OP_RECV, buffer, 1000)));
    RETURNS(1000, run(on(pair[0], IORING_OP_SENDMSG, &message, 1)));
    RETURNS(1000, run(on(pair[1], IORING_OP_RECVMSG, &message, 1)));
    RETURNS(1000, run(on(pair[0], IORING_OP_WRITE, buffer, 1000)));
    RETURNS(1000, run(on(pair[1], IORING_OP_READ, buffer, 1000)));
}

/* PORT: a server there sends 1,000 bytes to its client and receives 500. */
static void on_a_port(char **arguments) {
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1, client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(atoi(arguments[0])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(!setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    CHECK(!bind(server, (void *)&address, sizeof(address)) && !listen(server, 1));
    CHECK(!connect(client, (void *)&address, sizeof(address)));
    int accepted = accept(server, 0, 0);
    open_ring(0);
    RETURNS(1000, run(on(accepted, IORING_OP_SEND, buffer, 1000)));
    RETURNS(1000, run(on(client, IORING_OP_RECV, buffer, 4096)));
    RETURNS(500, run(on(client, IORING_OP_SEND, buffer, 500)));
    RETURNS(500, run(on(accepted, IORING_OP_RECV, buffer, 4096)));
}

/* The result, then the notification that the memory is free again. */
static int send_by_reference(struct io_uring_sqe request) {
    add(request);
    struct completion sent = reap();
    CHECK(sent.flags & IORING_CQE_F_MORE && !(sent.flags & IORING_CQE_F_NOTIF));
    CHECK(reap().flags & IORING_CQE_F_NOTIF);
    return sent.res;
}

/* KIND of socket: by SEND_ZC, by MSG_ZEROCOPY with and without SO_ZEROCOPY. Who receives does so by a system call. */
static void zero_copy(char **arguments) {
    int pair[2], one = 1;
    socket_pair(arguments[0], pair);
    open_ring(0);
    RETURNS(1000, send_by_reference(on(pair[0], IORING_OP_SEND_ZC, buffer, 1000)));
    RETURNS(1000, recv(pair[1], buffer, 1000, MSG_WAITALL));
    RETURNS(1000, send_by_reference(on(pair[0], IORING_OP_SENDMSG_ZC, &message, 1)));
    RETURNS(1000, recv(pair[1], buffer, 1000, MSG_WAITALL));
    struct io_uring_sqe flagged = on(pair[0], IORING_OP_SEND, buffer, 200);
    flagged.msg_flags = MSG_ZEROCOPY;
    RETURNS(200, run(flagged));
    CHECK(!setsockopt(pair[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
    RETURNS(200, run(flagged));
    flagged.msg_flags = 0;
    RETURNS(200, run(flagged));
}

/* FILE of 10,000 bytes */
static void errors(char **arguments) {
    int pair[2], file = open_file(arguments[0], O_RDONLY);
    socket_pair("tcp4", pair);
    open_ring(0);
    RETURNS(-EBADF, run(on(999, IORING_OP_READ, buffer, 1)));
    RETURNS(-EBADF, run(on(file, IORING_OP_WRITE, buffer, 1)));
    RETURNS(-EFAULT, run(on(file, IORING_OP_READ, (void *)8, 1)));
    RETURNS(-ENOTSOCK, run(on(file, IORING_OP_SEND, buffer, 1)));
    struct io_uring_sqe impatient = on(pair[0], IORING_OP_RECV, buffer, 1);
    impatient.msg_flags = MSG_DONTWAIT;
    RETURNS(-EAGAIN, run(impatient));
    RETURNS(-EINVAL, run(on(file, 200, buffer, 1))); /* no such request: it does not count */
}

/* FILE of 10,000 bytes: what has no bytes does not count. */
static void others(char **arguments) {
    int pair[2], file = open_file(arguments[0], O_RDONLY);
    socket_pair("tcp4", pair);
    open_ring(0);
    RETURNS(0, run(on(0, IORING_OP_NOP, 0, 0)));
    RETURNS(0, run(on(file, IORING_OP_FSYNC, 0, 0)));
    struct io_uring_sqe poll = on(pair[0], IORING_OP_POLL_ADD, 0, 0);
    poll.poll32_events = 4; /* POLLOUT */
    RETURNS(4, run(poll));
}

/* FILE of 10,000 bytes: a worker of the kernel, in a thread of this process, does it. */
static void asynchronous(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY);
    open_ring(0);
    struct io_uring_sqe request = on(file, IORING_OP_READ, buffer, 5000);
    request.flags = IOSQE_ASYNC;
    RETURNS(5000, run(request));
}

/* FILE of 10,000 bytes: a thread of the kernel submits it. */
static void polled(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY);
    open_ring(IORING_SETUP_SQPOLL);
    RETURNS(5000, run(on(file, IORING_OP_READ, buffer, 5000)));
}

/* It waits for the data: the completion is that of a later moment. */
static void waits(char **arguments) {
    int pair[2];
    (void)arguments;
    socket_pair("tcp4", pair);
    open_ring(0);
    add(on(pair[1], IORING_OP_RECV, buffer, 4096));
    enter(0);
    RETURNS(100, send(pair[0], buffer, 100, 0));
    RETURNS(100, reap().res);
}

/* FILE of 10,000 bytes: a read, and a write behind it; then a read that fails, and what is behind that never runs. */
static void linked(char **arguments) {
    int pair[2], file = open_file(arguments[0], O_RDONLY);
    CHECK(!pipe(pair));
    open_ring(0);
    struct io_uring_sqe first = on(file, IORING_OP_READ, buffer, 3000);
    first.flags = IOSQE_IO_LINK;
    add(first);
    add(on(pair[1], IORING_OP_WRITE, buffer, 3000));
    RETURNS(3000, reap().res);
    RETURNS(3000, reap().res);
    first.fd = 999;
    add(first);
    add(on(pair[1], IORING_OP_WRITE, buffer, 3000));
    RETURNS(-EBADF, reap().res);
    RETURNS(-ECANCELED, reap().res);
}

/* FILE of 10,000 bytes: the first is not announced, and so not counted. */
static void silent(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY);
    open_ring(0);
    struct io_uring_sqe request = on(file, IORING_OP_READ, buffer, 3000);
    request.flags = IOSQE_CQE_SKIP_SUCCESS;
    add(request);
    RETURNS(2000, run(on(file, IORING_OP_READ, buffer, 2000)));
}

static struct io_uring_sqe splicing(int from, int to, int length, unsigned flags) {
    struct io_uring_sqe request = on(to, IORING_OP_SPLICE, 0, length);
    request.splice_fd_in = from;
    request.splice_off_in = request.off = -1;
    request.splice_flags = flags;
    return request;
}

/* FILE of 10,000 bytes: to a pipe, from there to a second one, to a socket and to another FILE. */
static void splices(char **arguments) {
    int pair[2], one[2], other[2], file = open_file(arguments[0], O_RDONLY);
    int copy = open_file(arguments[1], O_RDWR | O_CREAT | O_TRUNC);
    CHECK(!pipe(one) && !pipe(other));
    socket_pair("tcp4", pair);
    open_ring(0);
    RETURNS(4000, run(splicing(file, one[1], 4000, 0)));
    struct io_uring_sqe tee = splicing(one[0], other[1], 3000, 0);
    tee.opcode = IORING_OP_TEE;
    tee.off = tee.splice_off_in = 0;
    RETURNS(3000, run(tee));
    RETURNS(1000, run(splicing(one[0], pair[0], 1000, 0)));
    RETURNS(3000, run(splicing(one[0], copy, 4000, 0)));
    RETURNS(0, syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, (int[]){other[0], file}, 2));
    RETURNS(2000, run(splicing(0, pair[0], 2000, 1U << 31 /* SPLICE_F_FD_IN_FIXED */)));
    RETURNS(500, run(splicing(1, one[1], 500, 1U << 31)));
}

/* FILE of 10,000 bytes: the ring is this process's, the request its child's. */
static void forked(char **arguments) {
    int status, file = open_file(arguments[0], O_RDONLY);
    open_ring(0);
    pid_t child = fork();
    if (!child) {
        RETURNS(5000, run(on(file, IORING_OP_READ, buffer, 5000)));
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && !status);
    printf("%d", child);
}

static void *in_a_thread(void *file) {
    RETURNS(5000, run(on(*(int *)file, IORING_OP_READ, buffer, 5000)));
    return 0;
}

/* FILE of 10,000 bytes */
static void threads(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY);
    pthread_t thread;
    open_ring(0);
    CHECK(!pthread_create(&thread, 0, in_a_thread, &file) && !pthread_join(thread, 0));
}

/* What is still waiting when the process ends. */
static void unfinished(char **arguments) {
    int pair[2];
    (void)arguments;
    socket_pair("tcp4", pair);
    open_ring(0);
    add(on(pair[1], IORING_OP_RECV, buffer, 4096));
    enter(0);
}

/* Buffers for whoever asks for one of the group. */
static void provide(void) {
    struct io_uring_sqe request = on(ENTRIES, IORING_OP_PROVIDE_BUFFERS, buffer, PROVIDED);
    request.buf_group = GROUP;
    RETURNS(0, run(request));
}

static struct io_uring_sqe selecting(struct io_uring_sqe request, int ioprio, unsigned long name) {
    request.flags |= IOSQE_BUFFER_SELECT;
    request.buf_group = GROUP;
    request.ioprio = ioprio;
    request.user_data = name;
    return request;
}

/* Two sockets that are received from at once, until their peers close; each message is a completion. */
static void multishot(char **arguments) {
    int tcp[2], local[2];
    (void)arguments;
    socket_pair("tcp4", tcp);
    socket_pair("unix_dgram", local);
    open_ring(0);
    provide();
    add(selecting(on(tcp[1], IORING_OP_RECV, 0, 0), IORING_RECV_MULTISHOT, 1));
    add(selecting(on(local[1], IORING_OP_RECV, 0, 0), IORING_RECV_MULTISHOT, 2));
    enter(0);
    for (int i = 1; i <= 3; i++) {
        RETURNS(100 * i, send(tcp[0], buffer, 100 * i, 0));
        struct completion done = reap();
        CHECK(done.res == 100 * i && done.user_data == 1 && done.flags & IORING_CQE_F_MORE);
        RETURNS(i, send(local[0], buffer, i, 0));
        done = reap();
        CHECK(done.res == i && done.user_data == 2 && done.flags & IORING_CQE_F_MORE);
    }
    CHECK(!close(tcp[0]));
    struct completion last = reap();
    CHECK(last.res == 0 && last.user_data == 1 && !(last.flags & IORING_CQE_F_MORE));
    add((struct io_uring_sqe){.opcode = IORING_OP_ASYNC_CANCEL, .addr = 2, .user_data = 3});
    CHECK(reap().res <= 0 && reap().res <= 0);
}

/* Reads from a pipe, each a completion: says "absent" where the kernel cannot. */
static void read_multishot(char **arguments) {
    int pair[2];
    (void)arguments;
    CHECK(!pipe(pair));
    open_ring(0);
    provide();
    add(selecting(on(pair[0], OP_READ_MULTISHOT, 0, 0), 0, 1));
    enter(0);
    RETURNS(100, write(pair[1], buffer, 100));
    struct completion done = reap();
    if (done.res == -EINVAL) {
        printf("absent");
        return;
    }
    CHECK(done.res == 100 && done.flags & IORING_CQE_F_MORE);
    RETURNS(50, write(pair[1], buffer, 50));
    RETURNS(50, reap().res);
    CHECK(!close(pair[1]));
    RETURNS(0, reap().res);
}

/* More completions than the ring has room for. FILE of 10,000 bytes. */
static void overflowing(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY), rounds = 3;
    open_ring(0);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < ENTRIES; i++)
            add(on(file, IORING_OP_READ, buffer, 10));
        enter(0);
    }
    for (int i = 0; i < rounds * ENTRIES; i++)
        RETURNS(10, reap().res);
}

/* FILE, cold, of 4 MiB: some of it read, and a message sent and received. */
static void transfers(char **arguments) {
    int pair[2], file = open_file(arguments[0], O_RDONLY);
    CHECK(!fsync(file) && !posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
    socket_pair("tcp4", pair);
    open_ring(0);
    RETURNS(65536, run(on(file, IORING_OP_READ, buffer, 65536)));
    RETURNS(1000, run(on(pair[0], IORING_OP_SEND, buffer, 1000)));
    RETURNS(1000, run(on(pair[1], IORING_OP_RECV, buffer, 1000)));
}

MAIN(SCENARIO(files), SCENARIO(fixed_vectors), SCENARIO(direct), SCENARIO(pipes), SCENARIO(sockets),
     SCENARIO(on_a_port), SCENARIO(zero_copy), SCENARIO(errors), SCENARIO(others), SCENARIO(asynchronous),
     SCENARIO(polled), SCENARIO(waits), SCENARIO(linked), SCENARIO(silent), SCENARIO(splices), SCENARIO(forked),
     SCENARIO(threads), SCENARIO(unfinished), SCENARIO(multishot), SCENARIO(read_multishot), SCENARIO(overflowing),
     SCENARIO(transfers))

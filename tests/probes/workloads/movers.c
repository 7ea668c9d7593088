/* Calls that move data without a file of the caller, or by a name of their own. */
#include "common.h"
#include <linux/tcp.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/random.h>

#define PAGE 4096

/* Between this process and itself, in two parts; the second call stops at memory that is not there. */
static void process_vm(char **arguments) {
    (void)arguments;
    static char other[PAGE];
    struct iovec here[2] = {{buffer, 100}, {buffer + 200, 23}}, there = {other, PAGE}, none = {0, 10};
    RETURNS(123, process_vm_readv(getpid(), here, 2, &there, 1, 0));
    RETURNS(123, process_vm_writev(getpid(), here, 2, &there, 1, 0));
    FAILS(EFAULT, process_vm_readv(getpid(), here, 1, &none, 1, 0));
}

/* NAME of a queue. */
static void posix_queue(char **arguments) {
    struct mq_attr limits = {.mq_maxmsg = 4, .mq_msgsize = PAGE};
    mqd_t queue = mq_open(arguments[0], O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &limits);
    CHECK(queue >= 0 && !mq_unlink(arguments[0]));
    RETURNS(0, mq_send(queue, buffer, 1000, 0));
    RETURNS(0, mq_send(queue, buffer, 10, 0));
    RETURNS(1000, mq_receive(queue, buffer, PAGE, 0));
    RETURNS(10, mq_receive(queue, buffer, PAGE, 0));
    FAILS(EAGAIN, mq_receive(queue, buffer, PAGE, 0));
    FAILS(EMSGSIZE, mq_send(queue, buffer, PAGE + 1, 0));
}

static void sysv_queue(char **arguments) {
    (void)arguments;
    int queue = msgget(IPC_PRIVATE, 0600);
    long *type = (long *)buffer;
    CHECK(queue >= 0);
    *type = 1;
    RETURNS(0, msgsnd(queue, buffer, 500, 0));
    RETURNS(0, msgsnd(queue, buffer, 0, 0));
    RETURNS(500, msgrcv(queue, buffer, PAGE, 0, 0));
    RETURNS(0, msgrcv(queue, buffer, PAGE, 0, 0));
    FAILS(ENOMSG, msgrcv(queue, buffer, PAGE, 0, IPC_NOWAIT));
    CHECK(!msgctl(queue, IPC_RMID, 0));
}

static void random_numbers(char **arguments) {
    (void)arguments;
    RETURNS(300, syscall(SYS_getrandom, buffer, 300, 0));
    FAILS(EINVAL, syscall(SYS_getrandom, buffer, 300, 0x1000));
}

/* DIRECTORY: prints the bytes of its entries, then the end. */
static void entries(char **arguments) {
    int directory = open_file(arguments[0], O_RDONLY | O_DIRECTORY);
    long bytes = syscall(SYS_getdents64, directory, buffer, sizeof(buffer));
    CHECK(bytes > 0);
    RETURNS(0, syscall(SYS_getdents64, directory, buffer, sizeof(buffer)));
    dprintf(1, "%ld", bytes);
}

/* What cannot be mapped is copied; prints mapped and copied bytes. Other options of getsockopt do not move data. */
static void mapped_receive(char **arguments) {
    (void)arguments;
    int pair[2], value;
    struct tcp_zerocopy_receive receive = {.length = 16 * PAGE};
    socklen_t size = sizeof(receive), value_size = sizeof(value);
    socket_pair("tcp4", pair);
    void *address = mmap(0, 16 * PAGE, PROT_READ, MAP_SHARED, pair[1], 0);
    CHECK(address != MAP_FAILED);
    CHECK(!getsockopt(pair[1], SOL_SOCKET, SO_RCVBUF, &value, &value_size));
    RETURNS(1000, send(pair[0], buffer, 1000, 0));
    receive.address = (uintptr_t)address;
    receive.copybuf_address = (uintptr_t)buffer;
    receive.copybuf_len = 16 * PAGE;
    CHECK(!getsockopt(pair[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &receive, &size));
    dprintf(1, "%u %d", receive.length, receive.copybuf_len);
}

/* Three whole pages, which a pipe passes to the socket: they are mapped. Prints mapped and copied bytes. */
static void mapped_pages(char **arguments) {
    (void)arguments;
    int pair[2], ends[2];
    struct tcp_zerocopy_receive receive = {.length = 16 * PAGE};
    socklen_t size = sizeof(receive);
    socket_pair("tcp4", pair);
    void *address = mmap(0, 16 * PAGE, PROT_READ, MAP_SHARED, pair[1], 0);
    CHECK(address != MAP_FAILED && !pipe(ends));
    RETURNS(3 * PAGE, write(ends[1], buffer, 3 * PAGE));
    RETURNS(3 * PAGE, splice(ends[0], 0, pair[0], 0, 3 * PAGE, 0));
    receive.address = (uintptr_t)address;
    CHECK(!getsockopt(pair[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &receive, &size));
    dprintf(1, "%u %d", receive.length, receive.copybuf_len);
    FAILS(EINVAL, getsockopt(pair[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &receive, &(socklen_t){1}));
}

MAIN(SCENARIO(process_vm), SCENARIO(posix_queue), SCENARIO(sysv_queue), SCENARIO(random_numbers), SCENARIO(entries),
     SCENARIO(mapped_receive), SCENARIO(mapped_pages))

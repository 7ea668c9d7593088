/* Transfers by io_uring, whose system call is io_uring_enter for all of them. */
#include "common.h"
#include <linux/io_uring.h>

static int ring;
static struct io_uring_params setup;
static char *queue;
static struct io_uring_sqe *entries;

static void open_ring(void) {
    ring = syscall(__NR_io_uring_setup, 4, &setup);
    CHECK(ring >= 0 && setup.features & IORING_FEAT_SINGLE_MMAP);
    queue = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    entries = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    CHECK(queue != MAP_FAILED && entries != MAP_FAILED);
}

static int transfer(int operation, int fd, int bytes) {
    unsigned *tail = (unsigned *)(queue + setup.sq_off.tail), *head = (unsigned *)(queue + setup.cq_off.head);
    struct io_uring_cqe *done = (struct io_uring_cqe *)(queue + setup.cq_off.cqes);
    entries[0] = (struct io_uring_sqe){.opcode = operation, .fd = fd, .addr = (uintptr_t)buffer, .len = bytes};
    ((unsigned *)(queue + setup.sq_off.array))[*tail & 3] = 0;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    RETURNS(1, syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0));
    int result = done[*head & 7].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

/* FILE, cold, of 4 MiB: some of it read, and a message sent and received. */
static void transfers(char **arguments) {
    int pair[2], file = open_file(arguments[0], O_RDONLY);
    CHECK(!fsync(file) && !posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
    socket_pair("tcp4", pair);
    open_ring();
    RETURNS(65536, transfer(IORING_OP_READ, file, 65536));
    RETURNS(1000, transfer(IORING_OP_SEND, pair[0], 1000));
    RETURNS(1000, transfer(IORING_OP_RECV, pair[1], 1000));
}

MAIN(SCENARIO(transfers))

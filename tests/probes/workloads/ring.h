/* One ring of io_uring, its requests made by hand. */
#include "common.h"
#include <linux/io_uring.h>

#define ENTRIES 8

static int ring, pending;
static char *queue;
static struct io_uring_params setup;
static struct io_uring_sqe *entries;

static unsigned *at(unsigned offset) { return (unsigned *)(queue + offset); }

static void open_ring(unsigned flags) {
    setup.flags = flags;
    CHECK((ring = syscall(__NR_io_uring_setup, ENTRIES, &setup)) >= 0 && setup.features & IORING_FEAT_SINGLE_MMAP);
    queue = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    entries = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    CHECK(queue != MAP_FAILED && entries != MAP_FAILED);
}

static void add(struct io_uring_sqe request) {
    unsigned *tail = at(setup.sq_off.tail), slot = *tail & (ENTRIES - 1);
    entries[slot] = request;
    at(setup.sq_off.array)[slot] = slot;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    pending++;
}

/* Submit what was added; come back with `completions` of them in the ring. */
static void enter(int completions) {
    unsigned flags = IORING_ENTER_GETEVENTS | (setup.flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0);
    RETURNS(pending, syscall(__NR_io_uring_enter, ring, pending, completions, flags, 0, 0));
    pending = 0;
}

struct completion {
    unsigned long user_data;
    int res;
    unsigned flags;
};

static struct completion reap(void) {
    unsigned *head = at(setup.cq_off.head);
    while (*head == __atomic_load_n(at(setup.cq_off.tail), __ATOMIC_ACQUIRE))
        enter(1);
    struct io_uring_cqe *from = (struct io_uring_cqe *)(queue + setup.cq_off.cqes) + (*head & (setup.cq_entries - 1));
    struct completion done = {from->user_data, from->res, from->flags};
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return done;
}

static int run(struct io_uring_sqe request) {
    add(request);
    return reap().res;
}

static struct io_uring_sqe on(int fd, int operation, const void *address, int length) {
    return (struct io_uring_sqe){.opcode = operation, .fd = fd, .addr = (uintptr_t)address, .len = length};
}

static void register_memory(void) {
    struct iovec all = {buffer, sizeof(buffer)};
    RETURNS(0, syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS, &all, 1));
}

/* A random sequence of calls: run SEED WORKERS STEPS TRUTH DIRECTORY... Each worker is a thread, every third a child process.
 *
 * What a step does depends only on the seed, the worker and the number of the step, so that a test can leave steps out
 * (STEPS is a list of numbers). TRUTH is a file: every process leaves there what its calls returned, through memory, so
 * that no call is needed. Whether sendfile passed pages is seen from outside: the file is changed afterwards, and the
 * receiver sees the old byte only if it was copied. */
#include "common.h"
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/utsname.h>

#define ENTRIES_MAX 400
#define WORKERS_MAX 16
#define PAGE 4096
#define FILE_BYTES (16 * PAGE)

enum kind { FAILED, COPIED, BY_REFERENCE, BY_DEVICE };

/* One row: what `struct row` of the probes has, by names. */
struct entry {
    char call[20], source[12], destination[12];
    int kind, error;
    long events, bytes;
};

struct worker {
    int pid, used;
    struct entry entries[ENTRIES_MAX];
};

struct object {
    const char *endpoint;
    int input, output; /* descriptors to read from and to write to */
    bool direct, file, socket, pipe;
};

#define OBJECTS_MAX 24
struct state {
    struct worker *truth;
    struct object objects[OBJECTS_MAX];
    int count;
    unsigned long random;
    char *memory;
};

static unsigned long seed;
static struct worker *truths;
static char **directories;
static int steps[4096], steps_count;

/* splitmix64 */
static unsigned long next_random(struct state *state) {
    unsigned long z = (state->random += 0x9e3779b97f4a7c15UL);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

static unsigned below(struct state *state, unsigned limit) { return next_random(state) % limit; }

/* Sizes of all orders of magnitude, the smallest most often. */
static unsigned random_size(struct state *state) { return below(state, 1u << (1 + below(state, 16))); }

static void record(struct state *state, const char *call, const char *from, const char *to, int kind, long result) {
    struct worker *truth = state->truth;
    struct entry wanted = {.kind = result < 0 ? FAILED : kind, .error = result < 0 ? errno : 0};
    strcpy(wanted.call, call);
    strcpy(wanted.source, result < 0 ? "unknown" : from);
    strcpy(wanted.destination, result < 0 ? "unknown" : to);
    int i = 0;
    while (i < truth->used && memcmp(&truth->entries[i], &wanted, offsetof(struct entry, events)))
        i++;
    if (i == truth->used) {
        CHECK(i < ENTRIES_MAX);
        truth->entries[truth->used++] = wanted;
    }
    truth->entries[i].events++;
    truth->entries[i].bytes += result > 0 ? result : 0;
}

static void add(struct state *state, struct object object) {
    CHECK(state->count < OBJECTS_MAX);
    state->objects[state->count++] = object;
}

static void add_file(struct state *state, const char *directory, int worker, bool direct) {
    char path[300];
    snprintf(path, sizeof(path), "%s/random-%lu-%d-%d", directory, seed, worker, direct);
    int fd = open(path, O_RDWR | O_CREAT | (direct ? O_DIRECT : 0), 0600);
    CHECK(fd >= 0 && !ftruncate(fd, FILE_BYTES) && !unlink(path));
    add(state, (struct object){direct ? "disk" : "page_cache", fd, fd, .direct = direct, .file = true});
}

static void add_sockets(struct state *state, const char *kind, const char *endpoint) {
    int pair[2];
    socket_pair(kind, pair);
    for (int i = 0; i < 2; i++)
        CHECK(!fcntl(pair[i], F_SETFL, O_NONBLOCK));
    add(state, (struct object){endpoint, pair[1], pair[0], .socket = true});
}

/* The first directory is on a disk. */
static void make_objects(struct state *state, int worker) {
    int ends[2], zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    for (char **directory = directories; *directory; directory++)
        add_file(state, *directory, worker, false);
    add_file(state, directories[0], worker, true);
    for (int i = 0; i < 2; i++) {
        CHECK(!pipe2(ends, O_NONBLOCK));
        add(state, (struct object){"pipe", ends[0], ends[1], .pipe = true});
    }
    add(state, (struct object){"device", zero, null});
    add(state, (struct object){"pseudo", open("/proc/version", O_RDONLY), -1});
    int counter = eventfd(0, EFD_NONBLOCK);
    add(state, (struct object){"anon", counter, counter});
    add_sockets(state, "tcp4", "tcp");
    add_sockets(state, "tcp6", "tcp");
    add_sockets(state, "udp4", "udp");
    add_sockets(state, "unix_stream", "unix");
    add_sockets(state, "unix_dgram", "unix");
    add(state, (struct object){"unknown", -1, -1});
}

static struct object *pick(struct state *state) { return &state->objects[below(state, state->count)]; }

/* Two parts of the memory; O_DIRECT needs whole blocks. */
static void parts(struct state *state, struct object *object, struct iovec *part) {
    unsigned size = object->direct ? PAGE * (1 + below(state, 4)) : random_size(state);
    bool misaligned = object->direct && !below(state, 8);
    part[0] = (struct iovec){state->memory + misaligned, size};
    part[1] = (struct iovec){state->memory + FILE_BYTES, object->direct ? PAGE : random_size(state)};
}

#define RECORD(name, from, to, kind, call)                                                                             \
    do {                                                                                                               \
        long result = call;                                                                                            \
        record(state, name, from, to, kind, result);                                                                   \
    } while (0)

static void transfer_user(struct state *state) {
    struct object *object = pick(state);
    struct iovec part[2];
    int kind = object->direct ? BY_DEVICE : COPIED, in = object->input, out = object->output;
    long at = below(state, FILE_BYTES / PAGE) * PAGE;
    parts(state, object, part);
    switch (below(state, 10)) {
    case 0: RECORD("read", object->endpoint, "user", kind, read(in, part->iov_base, part->iov_len)); break;
    case 1: RECORD("readv", object->endpoint, "user", kind, readv(in, part, 2)); break;
    case 2: RECORD("pread64", object->endpoint, "user", kind, pread(in, part->iov_base, part->iov_len, at)); break;
    case 3: RECORD("preadv", object->endpoint, "user", kind, preadv(in, part, 2, at)); break;
    case 4: RECORD("preadv2", object->endpoint, "user", kind, preadv2(in, part, 2, at, 0)); break;
    case 5: RECORD("write", "user", object->endpoint, kind, write(out, part->iov_base, part->iov_len)); break;
    case 6: RECORD("writev", "user", object->endpoint, kind, writev(out, part, 2)); break;
    case 7: RECORD("pwrite64", "user", object->endpoint, kind, pwrite(out, part->iov_base, part->iov_len, at)); break;
    case 8: RECORD("pwritev", "user", object->endpoint, kind, pwritev(out, part, 2, at)); break;
    case 9: RECORD("pwritev2", "user", object->endpoint, kind, pwritev2(out, part, 2, at, 0)); break;
    }
    if (object->file)
        CHECK(!ftruncate(in, FILE_BYTES) && lseek(in, 0, SEEK_SET) == 0);
}

static long message_bytes(struct mmsghdr *messages, long count) {
    long bytes = count < 0 ? count : 0;
    for (int i = 0; i < count; i++)
        bytes += messages[i].msg_len;
    return bytes;
}

static void messages(struct state *state) {
    struct object *object = pick(state);
    struct iovec part[2];
    parts(state, object, part);
    struct msghdr message = {.msg_iov = part, .msg_iovlen = 2};
    struct mmsghdr many[3] = {{.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = message}};
    int in = object->input, out = object->output;
    int flags = (int[]){0, 0, MSG_PEEK, MSG_TRUNC}[below(state, 4)] | MSG_DONTWAIT;
    switch (below(state, 6)) {
    case 0: RECORD("recvfrom", object->endpoint, "user", COPIED, recv(in, part->iov_base, part->iov_len, flags)); break;
    case 1: RECORD("recvmsg", object->endpoint, "user", COPIED, recvmsg(in, &message, flags)); break;
    case 2: RECORD("recvmmsg", object->endpoint, "user", COPIED, message_bytes(many, recvmmsg(in, many, 3, flags, 0))); break;
    case 3: RECORD("sendto", "user", object->endpoint, COPIED, send(out, part->iov_base, part->iov_len, MSG_NOSIGNAL)); break;
    case 4: RECORD("sendmsg", "user", object->endpoint, COPIED, sendmsg(out, &message, MSG_NOSIGNAL)); break;
    case 5: RECORD("sendmmsg", "user", object->endpoint, COPIED, message_bytes(many, sendmmsg(out, many, 3, MSG_NOSIGNAL))); break;
    }
}

static const char *const destinations[][2] = {
    {"pipe", "pipe"}, {"tcp4", "tcp"},         {"tcp6", "tcp"},        {"mptcp4", "tcp"},
    {"udp4", "udp"},  {"unix_stream", "unix"}, {"unix_dgram", "unix"}, {"unix_seqpacket", "unix"},
};
static bool has_mptcp, has_splice_pages, has_pipe_sendfile;

/* The end to write to comes first, as that of sockets may. */
static void pipe_pair(int pair[2]) {
    int ends[2];
    CHECK(!pipe(ends));
    pair[0] = ends[1];
    pair[1] = ends[0];
}

/* A file to a new pipe or socket: which byte arrives shows whether the page was passed. */
static void send_page(struct state *state) {
    struct object *from = pick(state);
    const char *const *to = destinations[below(state, sizeof(destinations) / sizeof(*destinations))];
    int pair[2];
    char byte;
    off_t start = 0;
    long size = 1 + below(state, PAGE);
    if (!from->file || from->direct || (!strcmp(to[0], "mptcp4") && !has_mptcp))
        return;
    if (!has_pipe_sendfile) /* docs/accounting.md: sendfile into a pipe */
        return;
    if (!strcmp(to[0], "udp4") && !has_splice_pages) /* 5.10 drops the datagram, whose checksum is wrong then */
        return;
    if (strcmp(to[0], "pipe"))
        socket_pair(to[0], pair);
    else
        pipe_pair(pair);
    RECORD("pwrite64", "user", from->endpoint, COPIED, pwrite(from->output, "old", 1, 0));
    long sent = sendfile(pair[0], from->input, &start, size);
    CHECK(sent == size);
    RECORD("pwrite64", "user", from->endpoint, COPIED, pwrite(from->output, "new", 1, 0));
    struct pollfd readable = {pair[1], POLLIN};
    CHECK(poll(&readable, 1, 2000) == 1);
    RECORD("read", to[1], "user", COPIED, read(pair[1], &byte, 1));
    CHECK(byte == 'o' || byte == 'n');
    record(state, "sendfile", from->endpoint, to[1], byte == 'n' ? BY_REFERENCE : COPIED, sent);
    CHECK(!close(pair[0]) && !close(pair[1]));
}

/* Between pipes pages are passed; and what no splice takes fails. */
static void pipes(struct state *state) {
    struct object *from = pick(state), *to = pick(state);
    bool both = from->pipe && to->pipe;
    int size = 1 + random_size(state); /* 0 bytes pass any two files */
    if (!both && !from->socket && from->input != -1)
        return;
    if (from->socket && !to->socket) /* what a socket gives depends on the memory that the sender used */
        return;
    if (!both && (from->pipe || to->pipe))
        return;
    if (below(state, 2))
        RECORD("splice", from->endpoint, to->endpoint, BY_REFERENCE,
               splice(from->input, 0, to->output, 0, size, SPLICE_F_NONBLOCK));
    else
        RECORD("tee", from->endpoint, to->endpoint, BY_REFERENCE, tee(from->input, to->output, size, SPLICE_F_NONBLOCK));
}

static void process_memory(struct state *state) {
    struct iovec here = {state->memory, random_size(state)}, there = {state->memory + FILE_BYTES, random_size(state)};
    if (!below(state, 8))
        there.iov_base = 0;
    if (below(state, 2))
        RECORD("process_vm_readv", "user", "user", COPIED, process_vm_readv(getpid(), &here, 1, &there, 1, 0));
    else
        RECORD("process_vm_writev", "user", "user", COPIED, process_vm_writev(getpid(), &here, 1, &there, 1, 0));
}

static void run_steps(int worker) {
    struct state state = {.truth = &truths[worker]};
    static void (*const actions[])(struct state *) = {transfer_user, transfer_user, messages, messages, send_page,
                                                      pipes, pipes, process_memory};
    state.truth->pid = getpid();
    CHECK(!posix_memalign((void **)&state.memory, PAGE, 4 * FILE_BYTES));
    memset(state.memory, 'm', 4 * FILE_BYTES);
    make_objects(&state, worker);
    for (int i = 0; i < steps_count; i++) {
        state.random = seed * 1000003 + worker * 7919 + steps[i];
        actions[below(&state, sizeof(actions) / sizeof(*actions))](&state);
    }
}

static void *run_thread(void *worker) {
    run_steps((long)worker);
    return 0;
}

static void run(char **arguments) {
    int workers = atoi(arguments[1]), file = open_file(arguments[3], O_RDWR);
    pthread_t threads[WORKERS_MAX];
    pid_t children[WORKERS_MAX] = {};
    seed = strtoul(arguments[0], 0, 10);
    directories = arguments + 4;
    CHECK(workers <= WORKERS_MAX);
    for (char *step = strtok(arguments[2], ","); step; step = strtok(0, ",")) {
        int first, last, found = sscanf(step, "%d-%d", &first, &last);
        CHECK(found >= 1);
        for (int i = first; i <= (found == 2 ? last : first) && steps_count < 4096; i++)
            steps[steps_count++] = i;
    }
    truths = mmap(0, WORKERS_MAX * sizeof(*truths), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(truths != MAP_FAILED);
    signal(SIGPIPE, SIG_IGN);
    struct utsname system;
    CHECK(!uname(&system));
    has_splice_pages = strverscmp(system.release, "6.5") >= 0;
    has_pipe_sendfile = strverscmp(system.release, "5.12") >= 0;
    has_mptcp = !close(socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */));
    for (long i = 0; i < workers; i += 3)
        if (!(children[i] = fork())) {
            run_steps(i);
            _exit(0);
        }
    for (long i = 0; i < workers; i++)
        if (i % 3)
            CHECK(!pthread_create(&threads[i], 0, run_thread, (void *)i));
    for (long i = 0, status; i < workers; i++)
        CHECK(i % 3 ? !pthread_join(threads[i], 0) : waitpid(children[i], (int *)&status, 0) == children[i] && !(int)status);
}

MAIN(SCENARIO(run))

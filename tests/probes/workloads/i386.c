/* A 32-bit program without a C library, so that nothing for 32 bits has to be installed. */
typedef unsigned int u32;

long sys(long number, ...);
asm("sys: push %ebp; push %ebx; push %esi; push %edi;"
    "mov 20(%esp), %eax; mov 24(%esp), %ebx; mov 28(%esp), %ecx; mov 32(%esp), %edx;"
    "mov 36(%esp), %esi; mov 40(%esp), %edi; mov 44(%esp), %ebp;"
    "int $0x80; pop %edi; pop %esi; pop %ebx; pop %ebp; ret");

#define RETURNS(expected, ...)                                                                                         \
    if (sys(__VA_ARGS__, 0, 0, 0, 0, 0, 0) != (expected))                                                              \
        sys(1, __LINE__ & 127);
#define SOCKET(operation, ...)                                                                                         \
    102, operation, (u32[]) { __VA_ARGS__ }
#define AT(pointer) ((u32)(pointer))

struct iovec {
    void *base;
    u32 length;
};
struct message {
    void *name;
    u32 name_length;
    struct iovec *parts;
    u32 parts_count;
    void *control;
    u32 control_length, flags, length;
};

static char buffer[0x2000];

static void files(void) {
    struct iovec parts[] = {{buffer, 3}, {buffer + 3, 4}};
    long zero = sys(5, "/dev/zero", 0), null = sys(5, "/dev/null", 1);
    RETURNS(100, 3, zero, buffer, 100)
    RETURNS(7, 145, zero, parts, 2)
    RETURNS(90, 180, zero, buffer, 90, 0, 0)
    RETURNS(7, 333, zero, parts, 2, 0, 0)
    RETURNS(7, 378, zero, parts, 2, 0, 0)
    RETURNS(100, 4, null, buffer, 100)
    RETURNS(7, 146, null, parts, 2)
    RETURNS(90, 181, null, buffer, 90, 0, 0)
    RETURNS(7, 334, null, parts, 2, 0, 0)
    RETURNS(7, 379, null, parts, 2, 0, 0)
    RETURNS(-9, 3, 1000, buffer, 100)
    /* The numbers of 64-bit writev and pread64 are those of getpid and oldstat's neighbour here: no data moves. */
    sys(20);
    sys(19, zero, 0, 0);
}

static void sockets(void) {
    struct iovec part = {buffer, 40};
    struct message one = {.parts = &part, .parts_count = 1};
    struct message many[2] = {one, one};
    u32 pair[2];
    RETURNS(0, SOCKET(8, 1, 2, 0, AT(pair))) /* AF_UNIX, SOCK_DGRAM */
    RETURNS(10, SOCKET(9, pair[0], AT(buffer), 10, 0))
    RETURNS(10, SOCKET(10, pair[1], AT(buffer), 100, 0))
    RETURNS(20, SOCKET(11, pair[0], AT(buffer), 20, 0, 0, 0))
    RETURNS(20, SOCKET(12, pair[1], AT(buffer), 100, 0, 0, 0))
    RETURNS(40, SOCKET(16, pair[0], AT(&one), 0))
    RETURNS(40, SOCKET(17, pair[1], AT(&one), 0))
    RETURNS(2, SOCKET(20, pair[0], AT(many), 2, 0))
    RETURNS(2, SOCKET(19, pair[1], AT(many), 2, 0, 0))
    RETURNS(-11, SOCKET(10, pair[1], AT(buffer), 100, 0x40))
    RETURNS(30, 369, pair[0], buffer, 30, 0, 0, 0)
    RETURNS(30, 371, pair[1], buffer, 100, 0, 0, 0)
    RETURNS(40, 370, pair[0], &one, 0)
    RETURNS(40, 372, pair[1], &one, 0)
    RETURNS(2, 345, pair[0], many, 2, 0)
    RETURNS(1, 337, pair[1], many, 1, 0, 0)
    RETURNS(1, 417, pair[1], many, 1, 0, 0)
}

static void transfers(void) {
    struct iovec part = {buffer, 40};
    u32 first[2], second[2];
    long file = sys(5, "/proc/self/exe", 0), null = sys(5, "/dev/null", 1);
    RETURNS(0, 42, first)
    RETURNS(0, 42, second)
    RETURNS(100, 187, first[1], file, 0, 100)
    RETURNS(100, 239, first[1], file, 0, 100)
    RETURNS(60, 315, first[0], second[1], 60, 0)
    RETURNS(200, 313, first[0], 0, second[1], 0, 200, 0)
    RETURNS(40, 316, second[1], &part, 1, 0)
    RETURNS(40, 316, second[0], &part, 1, 0)
    RETURNS(260, 313, second[0], 0, null, 0, 4000, 0)
}

struct mapped_receive {
    u32 address[2], length, skip_hint, inq, error, copy_address[2], copied;
};

static void movers(void) {
    struct iovec part = {buffer, 70}, other = {buffer + 100, 70};
    long pid = sys(20), directory = sys(5, "/proc/self/task", 0200000), queue, entries;
    RETURNS(70, 347, pid, &part, 1, &other, 1, 0)
    RETURNS(70, 348, pid, &part, 1, &other, 1, 0)
    RETURNS(33, 355, buffer, 33, 0)
    if ((entries = sys(220, directory, buffer, sizeof(buffer))) <= 0)
        sys(1, __LINE__ & 127);
    RETURNS(0, 220, directory, buffer, sizeof(buffer))
    if ((queue = sys(399, 0, 0600)) < 0)
        sys(1, __LINE__ & 127);
    *(long *)buffer = 1;
    RETURNS(0, 400, queue, buffer, 50, 0)
    RETURNS(50, 401, queue, buffer, 100, 0, 0)
    RETURNS(0, 402, queue, 0, 0)
    sys(278, "copy-exporter-i386");
    if ((queue = sys(277, "copy-exporter-i386", 0302, 0600, 0)) < 0) /* O_RDWR | O_CREAT | O_EXCL */
        sys(1, __LINE__ & 127);
    RETURNS(0, 278, "copy-exporter-i386")
    RETURNS(0, 279, queue, buffer, 11, 0, 0)
    RETURNS(0, 418, queue, buffer, 12, 0, 0)
    RETURNS(11, 280, queue, buffer, 0x2000, 0, 0)
    RETURNS(12, 419, queue, buffer, 0x2000, 0, 0)
}

static void mapped_receive(void) {
    u32 address[] = {2, 0x0100007f, 0, 0}, length = 16, size = sizeof(struct mapped_receive);
    struct mapped_receive receive = {.length = 0x1000, .copy_address = {AT(buffer)}, .copied = sizeof(buffer)};
    long listener = sys(359, 2, 1, 0), client = sys(359, 2, 1, 0), server;
    RETURNS(0, 361, listener, address, 16)
    RETURNS(0, 363, listener, 1)
    RETURNS(0, 367, listener, address, &length)
    RETURNS(0, 362, client, address, 16)
    if ((server = sys(364, listener, 0, 0, 0)) < 0)
        sys(1, __LINE__ & 127);
    receive.address[0] = sys(192, 0, 0x1000, 1, 1, server, 0); /* mmap2 */
    RETURNS(25, 369, client, buffer, 25, 0, 0, 0)
    RETURNS(0, 365, server, 1, 4, &length, &(u32){4}) /* SO_ERROR: no data */
    RETURNS(0, 365, server, 6, 35, &receive, &size)
    if (receive.length || receive.copied != 25)
        sys(1, __LINE__ & 127);
}

void _start(void) {
    files();
    sockets();
    transfers();
    movers();
    mapped_receive();
    sys(1, 0);
}

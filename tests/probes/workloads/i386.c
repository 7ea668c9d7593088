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

static char buffer[4096];

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

void _start(void) {
    files();
    sockets();
    transfers();
    sys(1, 0);
}

/* A 64-bit program that makes 32-bit system calls between its own. */
#include "common.h"

static long call32(long number, long first, void *second, long third) {
    long result;
    asm volatile("int $0x80"
                 : "=a"(result)
                 : "a"(number), "b"(first), "c"(second), "d"(third)
                 : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/* 3 is read here and close there, 4 write and stat, 20 getpid and writev, 102 socketcall and getuid. */
static void mixes(char **arguments) {
    (void)arguments;
    int zero = open_file("/dev/zero", O_RDONLY), null = open_file("/dev/null", O_WRONLY);
    char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    struct stat status;
    CHECK(low != MAP_FAILED);
    for (int i = 0; i < 10; i++) {
        RETURNS(1, read(zero, low, 1));
        RETURNS(10, call32(3, zero, low, 10));
        RETURNS(1, write(null, low, 1));
        RETURNS(100, call32(4, null, low, 100));
        RETURNS(getpid(), call32(20, zero, low, 10));
        RETURNS(500 + i, dup2(zero, 500 + i));
        CHECK(!syscall(__NR_close, 500 + i));
        CHECK(!syscall(__NR_stat, "/", &status) && !syscall(__NR_getuid));
    }
    RETURNS(-EBADF, call32(3, -1, low, 10));
}

/* With only 64-bit calls: the numbers that mean read, write, socketcall and the like in the other table. */
static void neighbours(char **arguments) {
    (void)arguments;
    for (int number = 3; number < 420; number++)
        switch (number) {
        case 3: case 4: case 102: case 145: case 146: case 180: case 181: case 187: case 239: case 313: case 315:
        case 316: case 333: case 334: case 337: case 345: case 369: case 370: case 371: case 372: case 377: case 378:
        case 379: case 417: syscall(number, -1, -1, -1, -1);
        }
}

MAIN(SCENARIO(mixes), SCENARIO(neighbours))

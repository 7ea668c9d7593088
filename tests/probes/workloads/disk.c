/* Reads that reach a disk. Each scenario ends by saying so on standard output, and stays until standard input ends: so
 * that /proc/PID/io can be read beside the counts of the probes. */
#include "common.h"

#define SIZE (4 << 20)

static int cold(const char *path, int flags) {
    int fd = open_file(path, flags);
    CHECK(!fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    return fd;
}

static void wait_for_the_test(void) {
    RETURNS(1, write(1, "!", 1));
    RETURNS(0, read(0, buffer, 1));
}

static void read_all(char **arguments) {
    int fd = cold(arguments[0], O_RDONLY);
    for (int done = 0; done < SIZE; done += SIZE_MAX_BUFFER)
        RETURNS(SIZE_MAX_BUFFER, read(fd, buffer, SIZE_MAX_BUFFER));
    wait_for_the_test();
}

static void fault_all(char **arguments) {
    int fd = cold(arguments[0], O_RDONLY), sum = 0;
    volatile char *map = mmap(0, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    for (int page = 0; page < SIZE; page += 4096)
        sum += map[page];
    RETURNS(0, sum);
    wait_for_the_test();
}

static void send_all(char **arguments) {
    int ends[2], fd = cold(arguments[0], O_RDONLY), nothing = open_file("/dev/null", O_WRONLY);
    CHECK(!pipe(ends));
    for (int done = 0; done < SIZE; done += 65536) {
        RETURNS(65536, sendfile(ends[1], fd, 0, 65536));
        RETURNS(65536, splice(ends[0], 0, nothing, 0, 65536, 0));
    }
    wait_for_the_test();
}

/* Into memory of each kind: never touched, touched, of a huge page if there is one, and of a file. */
static void read_directly(char **arguments) {
    int fd = cold(arguments[0], O_RDONLY | O_DIRECT);
    char *fresh = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *huge = (char *)(((uintptr_t)fresh + (2 << 20) - 1) & -(2 << 20));
    char *shared = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(fresh != MAP_FAILED && shared != MAP_FAILED);
    RETURNS(65536, pread(fd, buffer, 65536, 0));
    RETURNS(65536, pread(fd, fresh, 65536, 65536));
    madvise(huge, 2 << 20, MADV_HUGEPAGE);
    RETURNS(1 << 20, pread(fd, huge + 4096, 1 << 20, 0));
    RETURNS(65536, pread(fd, shared, 65536, 0));
    wait_for_the_test();
}

/* Nothing is cold any more. */
static void read_again(char **arguments) {
    int fd = open_file(arguments[0], O_RDONLY);
    for (int round = 0; round < 2; round++)
        RETURNS(SIZE_MAX_BUFFER, pread(fd, buffer, SIZE_MAX_BUFFER, 0));
    wait_for_the_test();
}

MAIN(SCENARIO(read_all), SCENARIO(fault_all), SCENARIO(send_all), SCENARIO(read_directly), SCENARIO(read_again))

/* Copies in many sizes, also ones that are cut short, for tests that compare what different probes saw of them. */
#include "common.h"
#include <sys/time.h>
#include <time.h>

static const size_t sizes[] = {1, 4095, 4096, 4097, 65536, 100001, SIZE_MAX_BUFFER};
#define EACH_SIZE(size) for (size_t i = 0, size; i < sizeof(sizes) / sizeof(*sizes) && (size = sizes[i]); i++)

static struct iovec parts[3] = {{buffer, 5}, {buffer + 5000, 70000}, {buffer + 1, 300}};

/* Memory of a page whose next page is not there. */
static char *before_a_hole(void) {
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && !munmap(pages + 4096, 4096));
    return pages;
}

/* PATH */
static void file(char **arguments) {
    int fd = open_file(arguments[0], O_RDWR | O_CREAT | O_TRUNC);
    char *page = before_a_hole();
    EACH_SIZE(size) RETURNS(size, write(fd, buffer, size));
    RETURNS(70305, writev(fd, parts, 3));
    CHECK(write(fd, page, 8192) < 8192);
    RETURNS(7, pwrite(fd, buffer, 7, 10 << 20));
    RETURNS(0, lseek(fd, 0, SEEK_SET));
    EACH_SIZE(size) RETURNS(size, read(fd, buffer, size));
    RETURNS(70305, readv(fd, parts, 3));
    RETURNS(7, pread(fd, buffer, SIZE_MAX_BUFFER, 10 << 20));
    RETURNS(0, pread(fd, buffer, 1, 11 << 20));
    CHECK(pread(fd, page, 8192, 0) < 8192);
    FAILS(EFAULT, pread(fd, page + 4096, 1, 0));
}

/* As much as goes in at once, the last write cut short; then all of it out again. */
static void fill_and_drain(int from, int to, size_t size) {
    ssize_t bytes, inside = 0;
    while ((bytes = write(to, buffer, size)) > 0)
        inside += bytes;
    CHECK(errno == EAGAIN);
    for (; inside; inside -= bytes)
        CHECK((bytes = read(from, buffer, size / 2 + 1)) > 0);
}

static void through(int from, int to) {
    CHECK(!fcntl(to, F_SETFL, O_NONBLOCK));
    EACH_SIZE(size) if (size >= 4095) fill_and_drain(from, to, size);
    RETURNS(305, writev(to, (struct iovec[]){parts[0], parts[2]}, 2));
    RETURNS(305, readv(from, parts, 3));
    CHECK(write(to, before_a_hole(), 8192) < 8192);
}

/* KIND of socket */
static void socket_(char **arguments) {
    int pair[2];
    socket_pair(arguments[0], pair);
    through(pair[1], pair[0]);
}

static void pipe_(char **arguments) {
    (void)arguments;
    int ends[2];
    CHECK(!pipe(ends));
    through(ends[0], ends[1]);
    RETURNS(4096, write(ends[1], buffer, 4096));
    CHECK(read(ends[0], before_a_hole() + 4000, 4096) < 4096);
}

/* PATH: a FIFO. */
static void fifo(char **arguments) {
    CHECK(!mkfifo(arguments[0], 0600));
    int fd = open_file(arguments[0], O_RDWR);
    through(fd, open_file(arguments[0], O_WRONLY));
}

static int crowd_file, crowd_times;

static void *one_of_a_crowd(void *unused) {
    char byte;
    for (int n = 0; n < crowd_times; n++)
        RETURNS(1, pread(crowd_file, &byte, 1, 0));
    return unused;
}

/* PATH, THREADS, TIMES: so many one-byte reads by each of so many threads. */
static void crowd(char **arguments) {
    pthread_t threads[256];
    int count = atoi(arguments[1]);
    crowd_file = open_file(arguments[0], O_RDONLY);
    crowd_times = atoi(arguments[2]);
    CHECK(count <= 256);
    for (int i = 0; i < count; i++)
        CHECK(!pthread_create(&threads[i], 0, one_of_a_crowd, 0));
    for (int i = 0; i < count; i++)
        CHECK(!pthread_join(threads[i], 0));
}

/* TIMES: copies whose length the kernel computes: 5 bytes of a sequential file, 9 that name the process, and 21 through
 * a pair of UNIX sockets. */
static void computed(char **arguments) {
    int pair[2], version = open_file("/proc/version", O_RDONLY), name = open_file("/proc/self/comm", O_WRONLY);
    socket_pair("unix_stream", pair);
    for (int n = atoi(arguments[0]); n; n--) {
        RETURNS(5, pread(version, buffer, 5, 0));
        RETURNS(9, write(name, "copy-test", 9));
        RETURNS(21, write(pair[0], buffer, 21));
        RETURNS(21, read(pair[1], buffer, 21));
    }
}

/* TIMES: a structure to and from the kernel, whose length the compiler knows. */
static void constant(char **arguments) {
    struct timespec now;
    struct itimerval timer = {}, before;
    for (int n = atoi(arguments[0]); n; n--) {
        CHECK(!syscall(__NR_clock_gettime, CLOCK_MONOTONIC, &now));
        CHECK(!setitimer(ITIMER_PROF, &timer, &before));
    }
}

/* FILE, TIMES: copies to and from a page cache and a pipe. */
static void pages(char **arguments) {
    int ends[2], fd = open_file(arguments[0], O_RDWR | O_CREAT);
    CHECK(!pipe(ends));
    for (int n = atoi(arguments[1]); n; n--) {
        RETURNS(100, pwrite(fd, buffer, 100, 0));
        RETURNS(100, pread(fd, buffer, 100, 0));
        RETURNS(100, write(ends[1], buffer, 100));
        RETURNS(100, read(ends[0], buffer, 100));
    }
}

MAIN(SCENARIO(file), {"socket", socket_}, {"pipe", pipe_}, SCENARIO(fifo), SCENARIO(crowd), SCENARIO(computed),
     SCENARIO(constant), SCENARIO(pages))

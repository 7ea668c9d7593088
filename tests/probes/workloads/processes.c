/* Whose calls they are. */
#include "common.h"
#include <sys/prctl.h>

static int zero, null;

static void open_devices(void) {
    zero = open_file("/dev/zero", O_RDONLY);
    null = open_file("/dev/null", O_WRONLY);
}

static void *read_ten(void *name) {
    CHECK(!prctl(PR_SET_NAME, name));
    for (int i = 0; i < 10; i++)
        RETURNS(100, read(zero, buffer, 100));
    return 0;
}

/* Eight threads under other names, and the leader under another. */
static void threads(char **arguments) {
    (void)arguments;
    pthread_t threads[8];
    open_devices();
    for (int i = 0; i < 8; i++)
        CHECK(!pthread_create(&threads[i], 0, read_ten, "a-thread"));
    for (int i = 0; i < 8; i++)
        CHECK(!pthread_join(threads[i], 0));
    read_ten("the-leader");
}

/* The child's id on standard output, as four bytes. */
static void forks(char **arguments) {
    (void)arguments;
    open_devices();
    RETURNS(10, write(null, buffer, 10));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        RETURNS(33, write(null, buffer, 33));
        _exit(0);
    }
    RETURNS(sizeof(child), write(1, &child, sizeof(child)));
    RETURNS(child, waitpid(child, 0, 0));
    RETURNS(10, write(null, buffer, 10));
}

static void write_twice(char **arguments) {
    (void)arguments;
    open_devices();
    RETURNS(50, write(null, buffer, 50));
    RETURNS(50, write(null, buffer, 50));
}

/* PROGRAM, another name of this one. */
static void execs(char **arguments) {
    open_devices();
    RETURNS(7, write(null, buffer, 7));
    execl(arguments[0], arguments[0], "write_twice", NULL);
}

static void *exec_from_here(void *program) {
    RETURNS(7, write(null, buffer, 7));
    execl(program, program, "write_twice", NULL);
    exit(1);
}

/* PROGRAM: a thread that is not the leader becomes it. */
static void execs_from_a_thread(char **arguments) {
    pthread_t thread;
    open_devices();
    CHECK(!pthread_create(&thread, 0, exec_from_here, arguments[0]));
    pthread_join(thread, 0);
}

static pthread_t leader;

static void *outlive(void *unused) {
    (void)unused;
    CHECK(!prctl(PR_SET_NAME, "the-survivor"));
    CHECK(!pthread_join(leader, 0));
    read_ten("the-survivor");
    RETURNS(0, read(0, buffer, 1));
    exit(0);
}

/* The leader ends; another thread reads on, until standard input ends. */
static void leader_leaves(char **arguments) {
    (void)arguments;
    pthread_t thread;
    open_devices();
    leader = pthread_self();
    CHECK(!prctl(PR_SET_NAME, "the-leader") && !pthread_create(&thread, 0, outlive, 0));
    pthread_exit(0);
}

/* Writes, says its own idea of its id on standard output, and stays until standard input ends. */
static void stays(char **arguments) {
    (void)arguments;
    open_devices();
    RETURNS(11, write(null, buffer, 11));
    pid_t own = getpid();
    RETURNS(sizeof(own), write(1, &own, sizeof(own)));
    RETURNS(0, read(0, buffer, 1));
}

/* COUNT processes one after the other: the i-th writes i % 100 + 1 bytes. */
static void births(char **arguments) {
    open_devices();
    for (int i = 0, count = atoi(arguments[0]); i < count; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) {
            RETURNS(i % 100 + 1, write(null, buffer, i % 100 + 1));
            _exit(0);
        }
        RETURNS(child, waitpid(child, 0, 0));
    }
}

/* CPU, ROUNDS, SIZE: this many reads and writes, on one CPU that others want as well. */
static void hammers(char **arguments) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(atoi(arguments[0]), &cpus);
    CHECK(!sched_setaffinity(0, sizeof(cpus), &cpus));
    open_devices();
    int size = atoi(arguments[2]);
    for (int i = 0, rounds = atoi(arguments[1]); i < rounds; i++) {
        RETURNS(size, read(zero, buffer, size));
        RETURNS(size, write(null, buffer, size));
    }
}

MAIN(SCENARIO(threads), SCENARIO(forks), SCENARIO(write_twice), SCENARIO(execs), SCENARIO(execs_from_a_thread),
     SCENARIO(leader_leaves), SCENARIO(stays), SCENARIO(births), SCENARIO(hammers))

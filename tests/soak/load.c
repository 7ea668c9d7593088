/* load ROLE ...: moves known numbers of bytes and finally prints "CALLS BYTES". SOCKET always has 32768 bytes to receive;
 * readers peek and never consume.
 *   births SOCKET RATE SECONDS          RATE processes per second, each receives 1 + i % 1000 bytes; every tenth by exec
 *   threads SOCKET THREADS SECONDS PAUSE  threads of one process receive 1 byte, 64 times, pause (microseconds), again
 *   idle SOCKET PROCESSES                each receives 1 byte and lives until standard input ends; prints "ready" before
 *   files PATH SECONDS                   reads 4096 bytes at random places of a file of 1 MiB, with pauses
 *   sendfile SOCKET PEER PATH SECONDS    sends the first 4096 bytes of the file and receives them at the other end
 * All processes but those that exec change to different users. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000L
#define PIECE 4096
#define USERS 1000
#define FIRST_USER 20000 /* unused on most systems */

static char room[1 << 15];
static int from;
static atomic_long calls, bytes;

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* By a call that hardly any other program makes on TCP, so that the totals of the host show it too. */
static int receive(long size) {
    struct iovec piece = {room, size};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    return recvmmsg(from, &message, 1, MSG_PEEK, NULL) == 1 && message.msg_len == size;
}

static void sleep_until(long moment) {
    struct timespec time = {moment / SECOND, moment % SECOND};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void become_user(long number) {
    id_t id = FIRST_USER + number % USERS;
    if (setresgid(id, id, id) || setresuid(id, id, id))
        err(1, "user %u", id);
}

static void child(long number, const char *self, const char *socket) {
    char size[16];
    long wanted = 1 + number % 1000;
    if (number % 10 == 0) {
        snprintf(size, sizeof(size), "%ld", wanted);
        execl(self, self, "child", socket, size, NULL);
    }
    become_user(number);
    _exit(!receive(wanted));
}

static void reap(int flags) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, flags)) > 0)
        if (status)
            errx(1, "a child failed: %x", status);
}

static void births(char **argument) {
    long rate = atol(argument[3]), count = rate * atol(argument[4]), start = now();
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0)
            err(1, "fork");
        if (!pid)
            child(i, argument[0], argument[2]);
        calls++;
        bytes += 1 + i % 1000;
        reap(WNOHANG);
        sleep_until(start + (i + 1) * (SECOND / rate));
    }
    reap(0);
}

struct pace {
    long end;
    int pause;
};

static void *hammer(void *argument) {
    struct pace *pace = argument;
    while (now() < pace->end) {
        for (int i = 0; i < 64; i++)
            if (!receive(1))
                err(1, "recv");
        calls += 64;
        bytes += 64;
        if (pace->pause)
            usleep(pace->pause);
    }
    return NULL;
}

static void threads(char **argument) {
    become_user(getpid());
    int count = atoi(argument[3]);
    struct pace pace = {now() + atol(argument[4]) * SECOND, atoi(argument[5])};
    pthread_t *started = calloc(count, sizeof(*started));
    for (int i = 0; i < count; i++)
        if (pthread_create(&started[i], NULL, hammer, &pace))
            errx(1, "pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(started[i], NULL);
}

static void live(atomic_int *ready) {
    become_user(getpid());
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!receive(1))
        err(1, "recv");
    atomic_fetch_add(ready, 1);
    for (;;)
        pause();
}

static void idle(char **argument) {
    int count = atoi(argument[3]);
    atomic_int *ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0)
            err(1, "fork");
        if (!pid)
            live(ready);
    }
    while (atomic_load(ready) < count)
        usleep(1000);
    puts("ready");
    fflush(stdout);
    getchar();
    calls = bytes = count;
}

static void files(char **argument) {
    long end = now() + atol(argument[3]) * SECOND;
    int file = open(argument[2], O_RDONLY);
    become_user(getpid());
    while (now() < end) {
        if (pread(file, room, PIECE, rand() % 256 * PIECE) != PIECE)
            err(1, "pread");
        calls++;
        bytes += PIECE;
        usleep(500);
    }
}

static void send_file(char **argument) {
    long end = now() + atol(argument[5]) * SECOND;
    int peer = atoi(argument[3]), file = open(argument[4], O_RDONLY);
    become_user(getpid());
    while (now() < end) {
        off_t start = 0;
        if (sendfile(from, file, &start, PIECE) != PIECE || recv(peer, room, PIECE, MSG_WAITALL) != PIECE)
            err(1, "sendfile");
        calls++;
        bytes += PIECE;
        usleep(1000);
    }
}

int main(int count, char **argument) {
    const char *role = count > 3 ? argument[1] : "";
    from = count > 3 ? atoi(argument[2]) : -1;
    if (!strcmp(role, "child"))
        return !receive(atol(argument[3]));
    if (!strcmp(role, "births") && count == 5)
        births(argument);
    else if (!strcmp(role, "threads") && count == 6)
        threads(argument);
    else if (!strcmp(role, "idle") && count == 4)
        idle(argument);
    else if (!strcmp(role, "files") && count == 4)
        files(argument);
    else if (!strcmp(role, "sendfile") && count == 6)
        send_file(argument);
    else
        errx(2, "see the top of load.c");
    printf("%ld %ld\n", atomic_load(&calls), atomic_load(&bytes));
    return 0;
}

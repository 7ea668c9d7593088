/* births SOCKET COUNT MAX NAMES: starts COUNT children as fast as possible, at most 32 at a time. Child i receives
 * 1 + i % MAX bytes from SOCKET in one call, leaves them there and exits; with NAMES > 0 its name is born-(i % NAMES).
 * It calls recvmmsg, which hardly any other program calls on TCP. The parent moves nothing. The exit status is 0 if every
 * child received exactly its bytes. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int child(int from, long bytes, long name) {
    static char room[1 << 16];
    char text[32];
    if (name >= 0) {
        snprintf(text, sizeof(text), "born-%ld", name);
        prctl(PR_SET_NAME, text);
    }
    struct iovec piece = {room, bytes};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    return recvmmsg(from, &message, 1, MSG_PEEK, NULL) == 1 && message.msg_len == bytes ? 0 : 1;
}

static int reaped(void) {
    int status;
    return wait(&status) < 0 || status != 0;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    long count = atol(argv[2]), max = atol(argv[3]), names = atol(argv[4]), alive = 0, bad = 0;
    for (long i = 0; i < count; i++) {
        if (alive == 32) {
            bad += reaped();
            alive--;
        }
        pid_t pid = fork();
        if (pid < 0)
            return 3;
        if (pid == 0)
            _exit(child(atoi(argv[1]), 1 + i % max, names > 0 ? i % names : -1));
        alive++;
    }
    while (alive--)
        bad += reaped();
    return bad != 0;
}

/* Runs commands, one per line of standard input, and prints a line with the result of each:
 *   move N   receive N bytes from the socket that argv[1] names, and leave them there; prints N
 *   name S   take another name           uid N   change to another user            exec PATH   run another program
 * It is linked statically: the loading of libraries would be counted. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* By a call that hardly any other program makes on TCP, so that the totals of the host show it too. */
static long peek(int from, void *bytes, size_t size) {
    struct iovec piece = {bytes, size};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    return recvmmsg(from, &message, 1, MSG_PEEK, NULL) == 1 ? (long)message.msg_len : -1;
}

int main(int argc, char **argv) {
    static char line[4096], bytes[1 << 16];
    int from = argc > 1 ? atoi(argv[1]) : -1;
    setvbuf(stdin, NULL, _IONBF, 0); /* the next program reads what follows `exec` */
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *word = strchr(line, ' ');
        long result = -1;
        if (!word)
            return 2;
        *word++ = 0;
        if (!strcmp(line, "move"))
            result = peek(from, bytes, strtoul(word, NULL, 10));
        else if (!strcmp(line, "name"))
            result = prctl(PR_SET_NAME, word);
        else if (!strcmp(line, "uid"))
            result = setresuid(atoi(word), atoi(word), atoi(word));
        else if (!strcmp(line, "exec"))
            result = execl(word, word, argv[1], NULL);
        printf("%ld\n", result);
        fflush(stdout);
    }
    return 0;
}

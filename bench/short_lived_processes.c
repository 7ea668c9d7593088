/* SPDX-License-Identifier: Apache-2.0
 * short_lived_processes PER_SECOND SECONDS: starts processes at an even rate that read one byte and exit; prints how many. */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000L

int main(int count, char **arguments) {
    long rate = count == 3 ? atol(arguments[1]) : 0, births = count == 3 ? rate * atol(arguments[2]) : 0;
    int zero = open("/dev/zero", O_RDONLY);
    struct timespec next;
    char byte;
    if (rate < 1 || births < 1)
        errx(2, "usage: short_lived_processes PER_SECOND SECONDS");
    signal(SIGCHLD, SIG_IGN);
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long born = 0; born < births; born++) {
        pid_t child = fork();
        if (child < 0)
            err(1, "fork");
        if (!child)
            _exit(read(zero, &byte, 1) != 1);
        next.tv_nsec += SECOND / rate;
        next.tv_sec += next.tv_nsec / SECOND;
        next.tv_nsec %= SECOND;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("%ld\n", births);
    return 0;
}

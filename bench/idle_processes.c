/* SPDX-License-Identifier: Apache-2.0
 * idle_processes PROCESSES ROWS SECONDS: starts PROCESSES processes, each of which makes ROWS rows and then waits, or
 * with SECONDS adds to them that often. Prints "ready" when all have made them. All end with its standard input. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROWS_MAX 10

static char byte;
static struct iovec vector = {&byte, 1};

static ssize_t make_row(int row, int zero, int null) {
    switch (row) {
    case 0: return read(zero, &byte, 1);
    case 1: return write(null, &byte, 1);
    case 2: return readv(zero, &vector, 1);
    case 3: return writev(null, &vector, 1);
    case 4: return pread(zero, &byte, 1, 0);
    case 5: return pwrite(null, &byte, 1, 0);
    case 6: return preadv(zero, &vector, 1, 0);
    case 7: return pwritev(null, &vector, 1, 0);
    case 8: return preadv2(zero, &vector, 1, 0, RWF_HIPRI);
    default: return pwritev2(null, &vector, 1, 0, RWF_HIPRI);
    }
}

static void make_rows(int rows, int zero, int null) {
    for (int row = 0; row < rows; row++)
        if (make_row(row, zero, null) != 1)
            err(1, "row %d", row);
}

static void wait_with_rows(int rows, int seconds, int zero, int null, atomic_int *ready) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_rows(rows, zero, null);
    atomic_fetch_add(ready, 1);
    for (;;) {
        if (!seconds)
            pause();
        sleep(seconds);
        make_rows(rows, zero, null);
    }
}

int main(int count, char **arguments) {
    int processes = count == 4 ? atoi(arguments[1]) : 0, rows = count == 4 ? atoi(arguments[2]) : 0;
    if (processes < 1 || rows < 1 || rows > ROWS_MAX)
        errx(2, "usage: idle_processes PROCESSES ROWS SECONDS, at most %d rows", ROWS_MAX);
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    atomic_int *ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (zero < 0 || null < 0 || ready == MAP_FAILED)
        err(1, "cannot start");
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child < 0)
            err(1, "fork");
        if (!child)
            wait_with_rows(rows, atoi(arguments[3]), zero, null, ready);
    }
    while (atomic_load(ready) < processes)
        usleep(1000);
    puts("ready");
    fflush(stdout);
    getchar();
    return 0;
}

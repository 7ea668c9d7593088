/* interruptions MILLISECONDS: reads the clock in a loop on one CPU. Prints the median, in ns, of the times between two
 * readings that are longer than a reading takes, and their number: interruptions of the loop. */
#define _GNU_SOURCE
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SHORT 400
#define LONG 50000 /* another process ran on the CPU */
#define MAX_INTERRUPTIONS 200000

static int interruptions[MAX_INTERRUPTIONS], count;

static long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int ascending(const void *left, const void *right) { return *(const int *)left - *(const int *)right; }

int main(int arguments, char **argument) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
    if (arguments != 2 || sched_setaffinity(0, sizeof(set), &set))
        err(2, "interruptions MILLISECONDS");
    long last = now_ns(), end = last + atol(argument[1]) * 1000000L;
    while (last < end && count < MAX_INTERRUPTIONS) {
        long now = now_ns(), passed = now - last;
        if (passed > SHORT && passed < LONG)
            interruptions[count++] = passed;
        last = now;
    }
    qsort(interruptions, count, sizeof(*interruptions), ascending);
    printf("%d %d\n", count ? interruptions[count / 2] : 0, count);
    return 0;
}

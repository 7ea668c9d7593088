/* What takes a CPU away from a program that never leaves it: looks at the clock all the time, and prints the medians in
 * ns of what lies between two looks where it is more than a look takes, and how many of those there were.
 * gaps MILLISECONDS */
#define _GNU_SOURCE
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SHORT 400
#define LONG 50000 /* somebody else was given the CPU */
#define GAPS_MAX 200000

static int gaps[GAPS_MAX], count;

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
        err(2, "gaps MILLISECONDS");
    long last = now_ns(), end = last + atol(argument[1]) * 1000000L;
    while (last < end && count < GAPS_MAX) {
        long now = now_ns(), gap = now - last;
        if (gap > SHORT && gap < LONG)
            gaps[count++] = gap;
        last = now;
    }
    qsort(gaps, count, sizeof(*gaps), ascending);
    printf("%d %d\n", count ? gaps[count / 2] : 0, count);
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * The one map that every probe counts in. */

#include "kernel.h"
#include "types.h"

#define EINTR 4
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516

/* Counts are in an array of slots, which CPUs share and add to atomically, and which the serving process has in its
 * memory (BPF_F_MMAPABLE). A hash has the number of each row's slot. Hints avoid the hash: they are numbers of slots,
 * found by a few bits of the row. The row is in the slot beside its numbers and is compared there, so that a hint that is
 * wrong or old is only a miss. docs/architecture.md describes how slots are taken and freed. */
#define BPF_F_MMAPABLE (1 << 10)
BPF_F_TABLE("array", u32, struct slot, counts, COUNTS_ENTRIES, BPF_F_MMAPABLE);
BPF_TABLE("hash", struct row, u32, slot_numbers, COUNTS_ENTRIES);
BPF_ARRAY(hints, u32, HINTS_ENTRIES);
BPF_STACK(free_slots, u32, COUNTS_ENTRIES);
BPF_F_TABLE("array", u32, u32, freed, FREED_ENTRIES, BPF_F_MMAPABLE);

/* Updates that were lost because a map was full, by enum dropped. */
BPF_ARRAY(dropped, u64, DROPPED_ENTRIES);

/* Whoever writes to an array of maps waits until all programs have ended that were running. */
BPF_ARRAY_OF_MAPS(running_programs, "dropped", RUNNING_PROGRAMS_ENTRIES);

static inline void count_dropped_update(u32 map) {
    u64 *updates = dropped.lookup(&map);
    if (updates)
        __sync_fetch_and_add(updates, 1);
}

static inline bool is_slot_of(struct slot *slot, struct row *row) {
    u64 *found = (u64 *)&slot->row, *wanted = (u64 *)row;
    return found[0] == wanted[0] && found[1] == wanted[1] && found[2] == wanted[2];
}

/* Neighbours in this table are rows of one process, or processes that were started one after the other. */
static inline u32 hint_index(struct row *row) {
    return (row->tgid ^ row->operation << 6 ^ row->destination << 2 ^ row->kind << 9 ^ row->port) & (HINTS_ENTRIES - 1);
}

/* Only the program that took a slot writes its row. The word with the operation comes last: while it is 0 the slot has no
 * row, neither for hints nor for the exporter. */
static inline void write_row(struct slot *slot, struct row *row) {
    u64 *to = (u64 *)&slot->row, *from = (u64 *)row;
    slot->since_ns = bpf_ktime_get_boot_ns();
    to[0] = from[0];
    to[1] = from[1];
    asm volatile("" ::: "memory");
    to[2] = from[2];
}

/* Enter a free slot in the hash; false when another CPU has entered one for this row. */
static inline bool enter_slot(struct row *row, u32 *number) {
    if (slot_numbers.insert(row, number)) {
        free_slots.push(number, 0);
        return false;
    }
    struct slot *slot = counts.lookup(number);
    if (slot)
        write_row(slot, row);
    return true;
}

/* A number from the hash is right if its slot has the row. If it has not, then the program that took the slot is about to
 * write the row, or the kernel used the element of the hash for another row while its value was read here. In the first
 * case the next look-up finds the same number. Three tries are enough for one race of each kind. */
#define HASH_TRIES 3
#define NO_SLOT 0xFFFFFFFF
static inline struct slot *find_by_hash(struct row *row, u32 *hint) {
    u32 before = NO_SLOT;
    int i;
#pragma clang loop unroll(disable)
    for (i = 0; i < HASH_TRIES; i++) {
        u32 *found = slot_numbers.lookup(row);
        u32 number = NO_SLOT;
        if (found)
            number = *found;
        else if (free_slots.pop(&number))
            break;
        else if (!enter_slot(row, &number))
            continue;
        struct slot *slot = counts.lookup(&number);
        if (slot && (number == before || is_slot_of(slot, row))) {
            *hint = number;
            return slot;
        }
        before = number;
    }
    count_dropped_update(DROPPED_COUNTS);
    return 0;
}

/* The row's slot, taken when the row is new; NULL when none is free, which counts as a dropped update. */
static inline struct slot *lookup_or_take_slot(struct row *row) {
    u32 index = hint_index(row);
    u32 *hint = hints.lookup(&index);
    if (!hint)
        return 0;
    u32 number = *hint;
    struct slot *slot = counts.lookup(&number);
    return slot && is_slot_of(slot, row) ? slot : find_by_hash(row, hint);
}

static inline void add_to_row(struct row *row, u64 amount) {
    struct slot *slot = lookup_or_take_slot(row);
    if (!slot)
        return;
    __sync_fetch_and_add(&slot->events, 1);
    if (amount) /* clang turns a constant 0 into an atomic OR, which is unknown before 981f94c3e921 (v5.12) */
        __sync_fetch_and_add(&slot->amount, amount);
}

/* Bytes of a call that is counted in another row. */
static inline void add_bytes_to_row(struct row *row, u64 amount) {
    struct slot *slot = lookup_or_take_slot(row);
    if (slot)
        __sync_fetch_and_add(&slot->amount, amount);
}

#define RUN_ARGUMENTS 12 /* MAX_BPF_FUNC_ARGS, include/linux/bpf.h */

/* Make as many slots free as the last argument says, the first that the map `freed` has: the exporter runs this, at its
 * start and whenever processes have ended. Returns how many it has freed. Because it reads the last of the arguments
 * that a program may have, and tracepoints have fewer, the kernel refuses to attach it to a tracepoint. */
int free_slot_numbers(u64 *context) {
    u64 wanted = context[RUN_ARGUMENTS - 1];
    u64 i;
    for (i = 0; i < FREED_ENTRIES && i < wanted; i++) {
        asm volatile("" : "+r"(i)); /* or clang takes the minimum before, and the verifier of 6.1 loses the bound */
        u32 index = i;
        u32 *number = freed.lookup(&index);
        if (!number || free_slots.push(number, 0))
            break;
    }
    return i;
}

/* Results that make the kernel restart a call never reach the program: it sees EINTR or the restarted call. */
static inline u16 errno_of_result(s64 result) {
    u16 error = -result;
    return error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK ? EINTR : error;
}

static inline void add_error_to_row(struct row *row, s64 result) {
    row->kind = ROW_KIND_ERROR;
    row->errno_or_bucket = errno_of_result(result);
    row->source = row->destination = ENDPOINT_UNKNOWN;
    add_to_row(row, 0);
}

#define ROW_OF_TASK(task) {.start = READ_START(task), .tgid = READ_TGID(task)}

/* For what kernel threads do too: they are one process, 0 (KERNEL of exporter/model.py). Workers of io_uring (v5.12)
 * and of vhost (v6.4) are threads of their process. */
static inline void set_process_unless_kernel_thread(struct row *row, void *task) {
    bool is_kernel_thread = READ_TASK(u32, task, task_struct, flags) & PF_KTHREAD;
    row->start = is_kernel_thread ? 0 : READ_START(task);
    row->tgid = is_kernel_thread ? 0 : READ_TGID(task);
}

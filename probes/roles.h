/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What a thread of a Kafka broker does, by its name. The kernel has 15 characters of it: JDKs up to 25 give it the first
 * 15, newer ones the first 7, two dots and the last 6. So the first 7 decide, which all give. */

#define CHARACTERS_5 0x000000ffffffffffULL
#define CHARACTERS_6 0x0000ffffffffffffULL
#define CHARACTERS_7 0x00ffffffffffffffULL
#define CHARACTER(text, position) ((u64)(u8)(text)[position] << 8 * (position))
#define BEGINS_6(text)                                                                                                 \
    (CHARACTER(text, 0) | CHARACTER(text, 1) | CHARACTER(text, 2) | CHARACTER(text, 3) | CHARACTER(text, 4) |          \
     CHARACTER(text, 5))
#define BEGINS(text) (BEGINS_6(text) | CHARACTER(text, 6))

/* ReplicaFetcherThread-FETCHER-BROKER; ReplicaAlterLogDirsThread-FETCHER moves partitions between log directories. */
static inline u32 role_of_replica_thread(u64 begin, u64 end) {
    u8 character_8 = begin >> 56, end_first = end >> 8;
    if (character_8 == '.') /* of the last 6 characters: "ad-0-1" of a fetcher, "read-0" or "ead-10" of the other */
        return end_first == 'r' || end_first == 'e' ? ROLE_OTHER : ROLE_REPLICA_FETCHER;
    return character_8 == 'F' ? ROLE_REPLICA_FETCHER : ROLE_OTHER;
}

/* Threads whose name has the node id: kafka-NODE-raft-io-thread, kafka-NODE-metadata-loader-event-handler. */
static inline bool begins_with_node(u64 begin) {
    u8 character_7 = begin >> 48;
    return (begin & CHARACTERS_6) == BEGINS_6("kafka-") && character_7 >= '0' && character_7 <= '9';
}

/* Up to v5.16 the end of a longer name stays behind a shorter one (__set_task_comm). */
static inline bool is_main_thread(u64 begin) { return (begin & CHARACTERS_5) == (BEGINS_6("java\0\0") & CHARACTERS_5); }

static inline u32 role_of(void *task) {
    u64 begin = READ_TASK(u64, task, task_struct, comm);
    switch (begin & CHARACTERS_7) {
    case BEGINS("data-pl"): return ROLE_NETWORK; /* data-plane-kafka-network-thread, data-plane-kafka-request-handler */
    case BEGINS("Replica"): return role_of_replica_thread(begin, READ_TASK(u64, task + 8, task_struct, comm));
    case BEGINS("kafka-l"): return ROLE_CLEANER;  /* kafka-log-cleaner-thread */
    case BEGINS("kafka-r"):                       /* kafka-rlm-thread-pool, kafka-rlm-copy-thread-pool, ... */
    case BEGINS("remote-"):                       /* remote-log-reader, remote-log-index-cleaner */
    case BEGINS("RLMMCon"): return ROLE_REMOTE;   /* RLMMConsumerTask */
    case BEGINS("log-rec"): return ROLE_RECOVERY; /* log-recovery-DIRECTORY, from Kafka 3.3 */
    case BEGINS("kafka-s"):                       /* kafka-scheduler, kafka-shutdown-hook */
    case BEGINS("group-c"):                       /* group-coordinator-event-processor */
    case BEGINS("group-m"):                       /* group-metadata-manager */
    case BEGINS("share-c"):                       /* share-coordinator-event-processor */
    case BEGINS("transac"):                       /* transaction-log-manager */
    case BEGINS("Expirat"):                       /* ExpirationReaper-NODE-Fetch */
    case BEGINS("executo"):                       /* executor-Fetch */
    case BEGINS("quorum-"):                       /* quorum-controller-NODE-event-handler */
    case BEGINS("LogDirF"): return ROLE_OTHER;    /* LogDirFailureHandler */
    }
    return is_main_thread(begin) || begins_with_node(begin) ? ROLE_OTHER : ROLE_UNKNOWN;
}

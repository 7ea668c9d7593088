/* The send and receive families. Every scenario's first argument is a kind of common.h's socket_pair(). */
#include "common.h"
#include <linux/errqueue.h>
#include <poll.h>

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#define MANY 1024

static struct iovec parts[2] = {{buffer, 60}, {buffer + 60, 40}};
static struct mmsghdr messages[MANY];
static struct iovec message_parts[MANY];

static void make_messages(int count, size_t first, size_t step) {
    memset(messages, 0, sizeof(messages));
    for (int i = 0; i < count; i++) {
        message_parts[i] = (struct iovec){buffer, first + i * step};
        messages[i].msg_hdr.msg_iov = &message_parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

/* KIND: 100 bytes by each call of one, then 10, 20 and 30 by those of many. */
static void families(char **arguments) {
    int pair[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    socket_pair(arguments[0], pair);
    RETURNS(100, write(pair[0], buffer, 100));
    RETURNS(100, read(pair[1], buffer, 100));
    RETURNS(100, writev(pair[0], parts, 2));
    RETURNS(100, readv(pair[1], parts, 2));
    RETURNS(100, send(pair[0], buffer, 100, 0));
    RETURNS(100, recv(pair[1], buffer, 500, 0));
    RETURNS(100, sendmsg(pair[0], &message, 0));
    RETURNS(100, recvmsg(pair[1], &message, 0));
    for (int i = 0; i < 3; i++) {
        make_messages(1, 10 * (i + 1), 0);
        RETURNS(1, sendmmsg(pair[0], messages, 1, 0));
        RETURNS(1, recvmmsg(pair[1], messages, 1, 0, 0));
    }
}

/* KIND of datagrams, COUNT: as many messages in one call, of 1, 2, 3… bytes, received by one call with room for
 * more. */
static void many(char **arguments) {
    int pair[2], count = atoi(arguments[1]), size = 64 << 20;
    socket_pair(arguments[0], pair);
    CHECK(!setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
    CHECK(!setsockopt(pair[1], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)));
    make_messages(count, 1, 1);
    RETURNS(count, sendmmsg(pair[0], messages, count, 0));
    make_messages(MANY, 2000, 0);
    RETURNS(count, recvmmsg(pair[1], messages, MANY, MSG_DONTWAIT, 0));
    RETURNS(0, sendmmsg(pair[0], messages, 0, 0));
    FAILS(EAGAIN, recvmmsg(pair[1], messages, 1, MSG_DONTWAIT, 0));
}

/* KIND: 100 bytes, looked at twice and taken once, by 40 and by what is left. */
static void peek(char **arguments) {
    int pair[2];
    socket_pair(arguments[0], pair);
    RETURNS(100, send(pair[0], buffer, 100, 0));
    RETURNS(40, recv(pair[1], buffer, 40, MSG_PEEK));
    RETURNS(100, recv(pair[1], buffer, 500, MSG_PEEK));
    RETURNS(100, recv(pair[1], buffer, 500, 0));
}

/* KIND of datagrams: 100 bytes of which 40 fit; the kernel says 100 when it is asked to, else 40. */
static void truncated(char **arguments) {
    int pair[2];
    socket_pair(arguments[0], pair);
    RETURNS(100, send(pair[0], buffer, 100, 0));
    RETURNS(40, recv(pair[1], buffer, 40, 0));
    RETURNS(100, send(pair[0], buffer, 100, 0));
    RETURNS(100, recv(pair[1], buffer, 40, MSG_TRUNC));
}

/* KIND tcp: MSG_TRUNC throws away 60 bytes without copying them. */
static void discarded(char **arguments) {
    int pair[2];
    socket_pair(arguments[0], pair);
    RETURNS(100, send(pair[0], buffer, 100, 0));
    RETURNS(60, recv(pair[1], buffer, 60, MSG_TRUNC));
    RETURNS(40, recv(pair[1], buffer, 60, 0));
}

/* KIND, SIZE: one of this size, whole. */
static void transfer(char **arguments) {
    int pair[2], size = atoi(arguments[1]);
    socket_pair(arguments[0], pair);
    RETURNS(size, send(pair[0], buffer, size, 0));
    RETURNS(size, recv(pair[1], buffer, size, MSG_WAITALL));
}

/* KIND tcp or udp: with the flag alone, with the option alone, then with both, by each call that has flags. */
static void zero_copy(char **arguments) {
    int pair[2], one = 1;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    socket_pair(arguments[0], pair);
    RETURNS(10, send(pair[0], buffer, 10, MSG_ZEROCOPY));
    CHECK(!setsockopt(pair[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
    RETURNS(20, send(pair[0], buffer, 20, 0));
    RETURNS(40, write(pair[0], buffer, 40));
    RETURNS(1000, send(pair[0], buffer, 1000, MSG_ZEROCOPY));
    RETURNS(100, sendmsg(pair[0], &message, MSG_ZEROCOPY));
    make_messages(2, 3000, 1000);
    RETURNS(2, sendmmsg(pair[0], messages, 2, MSG_ZEROCOPY));
    /* The error queue tells that on loopback the kernel copied after all, where it was received. */
    char control[128];
    struct msghdr notice = {.msg_control = control, .msg_controllen = sizeof(control)};
    RETURNS(1, poll(&(struct pollfd){.fd = pair[0]}, 1, 10000)); /* for the acknowledgement, which takes a while */
    RETURNS(0, recvmsg(pair[0], &notice, MSG_ERRQUEUE));
    struct sock_extended_err *extended = (void *)CMSG_DATA(CMSG_FIRSTHDR(&notice));
    RETURNS(SO_EE_ORIGIN_ZEROCOPY, extended->ee_origin);
    RETURNS(SO_EE_CODE_ZEROCOPY_COPIED, extended->ee_code);
}

MAIN(SCENARIO(families), SCENARIO(many), SCENARIO(peek), SCENARIO(truncated), SCENARIO(discarded), SCENARIO(transfer),
     SCENARIO(zero_copy))

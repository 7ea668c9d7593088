/* What all workloads share: a scenario is a function of the arguments that follow its name. Every call is checked, so
 * that a workload whose truth is not what the test believes ends with a message. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

/* The message goes out by exit status and perror(): standard error is counted too, but then the test has failed. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno));                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
#define RETURNS(expected, call) CHECK((long)(call) == (long)(expected))
#define FAILS(number, call) CHECK((call) == -1 && errno == (number))

#define SIZE_MAX_BUFFER (1 << 20)
static char buffer[SIZE_MAX_BUFFER] __attribute__((aligned(4096), unused));

struct scenario {
    const char *name;
    void (*run)(char **arguments);
};

static int run_scenario(const struct scenario *scenarios, int count, char **argv) {
    for (int i = 0; i < count; i++)
        if (argv[1] && !strcmp(scenarios[i].name, argv[1])) {
            scenarios[i].run(argv + 2);
            return 0;
        }
    fprintf(stderr, "no scenario %s\n", argv[1] ? argv[1] : "given");
    return 2;
}

#define SCENARIO(name) {#name, name}
#define MAIN(...)                                                                                                      \
    int main(int argc, char **argv) {                                                                                  \
        (void)argc;                                                                                                    \
        const struct scenario scenarios[] = {__VA_ARGS__};                                                             \
        return run_scenario(scenarios, sizeof(scenarios) / sizeof(*scenarios), argv);                                  \
    }

static inline int open_file(const char *path, int flags) {
    int fd = open(path, flags, 0600);
    CHECK(fd >= 0);
    return fd;
}

/* Two connected sockets of a kind: tcp4 tcp6 mptcp4 sctp4 udp4 udp6 unix_stream unix_dgram unix_seqpacket vsock
 * netlink. A kind that the kernel lacks ends the program with status 77. */
#define MISSING_KIND 77
static inline int new_socket(int family, int type, int protocol) {
    int made = socket(family, type, protocol);
    if (made < 0 && (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT || errno == ENOPROTOOPT))
        exit(MISSING_KIND);
    CHECK(made >= 0);
    return made;
}

static inline void internet_pair(int family, int type, int protocol, int pair[2]) {
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = family == AF_INET ? (void *)&v4 : (void *)&v6;
    socklen_t length = family == AF_INET ? sizeof(v4) : sizeof(v6);
    int server = new_socket(family, type, protocol);
    CHECK(!bind(server, address, length) && !getsockname(server, address, &length));
    pair[0] = new_socket(family, type, protocol);
    if (type == SOCK_STREAM) {
        CHECK(!listen(server, 1) && !connect(pair[0], address, length));
        CHECK((pair[1] = accept(server, 0, 0)) >= 0 && !close(server));
        return;
    }
    CHECK(!connect(pair[0], address, length) && !getsockname(pair[0], address, &length));
    CHECK(!connect(pair[1] = server, address, length));
}

static inline void vsock_pair(int pair[2]) {
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_port = VMADDR_PORT_ANY, .svm_cid = VMADDR_CID_LOCAL};
    socklen_t length = sizeof(address);
    int server = new_socket(AF_VSOCK, SOCK_STREAM, 0);
    if (bind(server, (void *)&address, length))
        exit(MISSING_KIND);
    CHECK(!getsockname(server, (void *)&address, &length) && !listen(server, 1));
    pair[0] = new_socket(AF_VSOCK, SOCK_STREAM, 0);
    CHECK(!connect(pair[0], (void *)&address, length) && (pair[1] = accept(server, 0, 0)) >= 0 && !close(server));
}

static inline void netlink_pair(int pair[2]) {
    struct sockaddr address[2];
    for (int i = 0; i < 2; i++) {
        memset(&address[i], 0, sizeof(address[i]));
        address[i].sa_family = AF_NETLINK;
        socklen_t length = sizeof(address[i]);
        CHECK((pair[i] = socket(AF_NETLINK, SOCK_RAW, 2 /* NETLINK_USERSOCK */)) >= 0);
        CHECK(!bind(pair[i], &address[i], 12) && !getsockname(pair[i], &address[i], &length));
    }
    CHECK(!connect(pair[0], &address[1], 12) && !connect(pair[1], &address[0], 12));
}

static inline void socket_pair(const char *kind, int pair[2]) {
    if (!strcmp(kind, "tcp4"))
        internet_pair(AF_INET, SOCK_STREAM, 0, pair);
    else if (!strcmp(kind, "tcp6"))
        internet_pair(AF_INET6, SOCK_STREAM, 0, pair);
    else if (!strcmp(kind, "mptcp4"))
        internet_pair(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */, pair);
    else if (!strcmp(kind, "sctp4"))
        internet_pair(AF_INET, SOCK_STREAM, IPPROTO_SCTP, pair);
    else if (!strcmp(kind, "udp4"))
        internet_pair(AF_INET, SOCK_DGRAM, 0, pair);
    else if (!strcmp(kind, "udp6"))
        internet_pair(AF_INET6, SOCK_DGRAM, 0, pair);
    else if (!strcmp(kind, "vsock"))
        vsock_pair(pair);
    else if (!strcmp(kind, "netlink"))
        netlink_pair(pair);
    else
        CHECK(!socketpair(AF_UNIX,
                          !strcmp(kind, "unix_stream")      ? SOCK_STREAM
                          : !strcmp(kind, "unix_seqpacket") ? SOCK_SEQPACKET
                                                            : SOCK_DGRAM,
                          0, pair));
}

/* Bytes that go from descriptor to descriptor without user memory. */
#include "common.h"

#include <linux/tls.h>
#include <netinet/tcp.h>

/* A server's socket on a port, and its client's. */
static void connection_to(int port, int pair[2]) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}};
    CHECK((pair[1] = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
    CHECK(!setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    CHECK(!bind(listener, (void *)&address, sizeof(address)) && !listen(listener, 1));
    CHECK(!connect(pair[1], (void *)&address, sizeof(address)) && (pair[0] = accept(listener, 0, 0)) >= 0);
}

/* FILE of 10,000 bytes, KIND of socket: beyond the end, and past it. */
static void sendfile_to_socket(char **arguments) {
    int pair[2], file = open_file(arguments[0], O_RDONLY);
    off_t offset = 9000;
    socket_pair(arguments[1], pair);
    RETURNS(4000, sendfile(pair[0], file, 0, 4000));
    RETURNS(1000, sendfile(pair[0], file, &offset, 4000));
    RETURNS(0, sendfile(pair[0], file, &offset, 4000));
}

/* FILE, KIND of socket: into one, and out of its peer. */
static void through_socket(char **arguments) {
    int ends[2], pair[2], file = open_file(arguments[0], O_RDONLY);
    socket_pair(arguments[1], pair);
    CHECK(!pipe(ends));
    RETURNS(3000, sendfile(pair[0], file, 0, 3000));
    RETURNS(3000, splice(pair[1], 0, ends[1], 0, 3000, 0));
    RETURNS(3000, splice(ends[0], 0, pair[0], 0, 3000, 0));
}

static void set_keys(int socket, int direction) {
    struct tls12_crypto_info_aes_gcm_128 keys = {{TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128}};
    CHECK(!setsockopt(socket, SOL_TLS, direction, &keys, sizeof(keys)));
}

/* Kernel TLS on both ends of a connection. */
static void set_kernel_tls(int pair[2]) {
    for (int i = 0; i < 2; i++)
        if (setsockopt(pair[i], SOL_TCP, TCP_ULP, "tls", sizeof("tls"))) {
            CHECK(errno == ENOENT);
            exit(MISSING_KIND);
        }
}

/* FILE, PORT, KEYS (0 or 1): kernel TLS between a server on a port and its client, with keys for what the server sends:
 * 3000 bytes this way, then 2000 bytes the other way, which are not encrypted. */
static void kernel_tls(char **arguments) {
    int ends[2], pair[2], file = open_file(arguments[0], O_RDONLY), keys = atoi(arguments[2]);
    connection_to(atoi(arguments[1]), pair);
    CHECK(!pipe(ends));
    set_kernel_tls(pair);
    if (keys) {
        set_keys(pair[0], TLS_TX);
        set_keys(pair[1], TLS_RX);
    }
    RETURNS(3000, sendfile(pair[0], file, 0, 3000));
    RETURNS(3000, splice(pair[1], 0, ends[1], 0, 3000, 0));
    RETURNS(2000, splice(ends[0], 0, pair[1], 0, 2000, 0));
    RETURNS(2000, splice(pair[0], 0, ends[1], 0, 2000, 0));
}

/* KIND of TCP socket: 3000 encrypted bytes in one record, received in two parts, which the kernel copies. */
static void kernel_tls_receives(char **arguments) {
    int pair[2];
    socket_pair(arguments[0], pair);
    set_kernel_tls(pair);
    set_keys(pair[0], TLS_TX);
    set_keys(pair[1], TLS_RX);
    RETURNS(3000, send(pair[0], buffer, 3000, 0));
    RETURNS(1000, recv(pair[1], buffer, 1000, 0));
    RETURNS(2000, recv(pair[1], buffer, 2000, 0));
}

/* FILE, BYTES: to standard output, as slowly as that is read; then one that fails. */
static void sendfile_to_the_test(char **arguments) {
    int file = open_file(arguments[0], O_RDONLY), bytes = atoi(arguments[1]);
    RETURNS(bytes, sendfile(1, file, 0, bytes));
    FAILS(EBADF, sendfile(1, -1, 0, 1));
}

/* FILE of 10,000 bytes, PORT: a server there and its client send and receive by every way that names the port. */
static void on_a_port(char **arguments) {
    int pair[2], ends[2], file = open_file(arguments[0], O_RDONLY);
    connection_to(atoi(arguments[1]), pair);
    CHECK(!pipe(ends));
    int server = pair[0], client = pair[1];
    RETURNS(10, send(client, buffer, 10, 0));
    RETURNS(10, recv(server, buffer, 10, 0));
    RETURNS(20, send(server, buffer, 20, 0));
    RETURNS(20, recv(client, buffer, 20, 0));
    RETURNS(3000, sendfile(server, file, 0, 3000));
    RETURNS(3000, recv(client, buffer, 3000, MSG_WAITALL));
    RETURNS(40, send(client, buffer, 40, 0));
    RETURNS(40, splice(server, 0, ends[1], 0, 40, 0));
    RETURNS(40, splice(ends[0], 0, server, 0, 40, 0));
    FAILS(EAGAIN, recv(server, buffer, 10, MSG_DONTWAIT));
}

/* FROM, TO: 3000 bytes. */
static void sendfile_to_file(char **arguments) {
    int from = open_file(arguments[0], O_RDONLY), to = open_file(arguments[1], O_WRONLY | O_CREAT);
    RETURNS(3000, sendfile(to, from, 0, 3000));
}

/* FROM, BYTES */
static void sendfile_to_pipe(char **arguments) {
    int ends[2], from = open_file(arguments[0], O_RDONLY), bytes = atoi(arguments[1]);
    CHECK(!pipe(ends));
    RETURNS(bytes, sendfile(ends[1], from, 0, bytes));
}

/* FROM, BYTES, KIND: through a pipe into a socket, and out of its peer through a pipe into nothing. */
static void splice_through(char **arguments) {
    int ends[2], pair[2], from = open_file(arguments[0], O_RDONLY), bytes = atoi(arguments[1]);
    socket_pair(arguments[2], pair);
    CHECK(!pipe(ends));
    RETURNS(bytes, splice(from, 0, ends[1], 0, bytes, 0));
    RETURNS(bytes, splice(ends[0], 0, pair[0], 0, bytes, 0));
    RETURNS(bytes, splice(pair[1], 0, ends[1], 0, bytes, 0));
    RETURNS(bytes, splice(ends[0], 0, open_file("/dev/null", O_WRONLY), 0, bytes, 0));
}

/* TO: seven bytes from a pipe; no other process sees what it does to the host's name. */
static void splice_to(char **arguments) {
    CHECK(!unshare(CLONE_NEWUTS));
    int ends[2], to = open_file(arguments[0], O_WRONLY);
    CHECK(!pipe(ends));
    RETURNS(7, write(ends[1], buffer, 7));
    RETURNS(7, splice(ends[0], 0, to, 0, 7, 0));
}

static void between_pipes(char **arguments) {
    (void)arguments;
    int first[2], second[2];
    CHECK(!pipe(first) && !pipe(second));
    RETURNS(500, write(first[1], buffer, 500));
    RETURNS(300, tee(first[0], second[1], 300, 0));
    RETURNS(500, splice(first[0], 0, second[1], 0, 500, 0));
}

/* User memory into a pipe, and what is in a pipe into user memory; a FIFO that is open for both takes. */
static void vmsplices(char **arguments) {
    struct iovec part = {buffer, 1000};
    int ends[2];
    CHECK(!pipe(ends));
    RETURNS(1000, vmsplice(ends[1], &part, 1, 0));
    RETURNS(1000, vmsplice(ends[0], &part, 1, 0));
    CHECK(!mkfifo(arguments[0], 0600));
    part.iov_len = 50;
    RETURNS(50, vmsplice(open_file(arguments[0], O_RDWR), &part, 1, 0));
}

/* FROM, TO, BYTES */
static void copies_range(char **arguments) {
    int from = open_file(arguments[0], O_RDONLY), to = open_file(arguments[1], O_RDWR | O_CREAT);
    RETURNS(atoi(arguments[2]), copy_file_range(from, 0, to, 0, atoi(arguments[2]), 0));
}

/* FROM, TO, IN, OUT, BYTES: with offsets; writes how many were copied. */
static void copies_range_at(char **arguments) {
    int from = open_file(arguments[0], O_RDONLY), to = open_file(arguments[1], O_RDWR);
    off_t in = atol(arguments[2]), out = atol(arguments[3]);
    long copied = copy_file_range(from, &in, to, &out, atol(arguments[4]), 0);
    CHECK(copied > 0 && dprintf(1, "%ld", copied) > 0);
}

/* FROM, TO on another file system. */
static void copies_range_across(char **arguments) {
    int from = open_file(arguments[0], O_RDONLY), to = open_file(arguments[1], O_RDWR | O_CREAT);
    FAILS(EXDEV, copy_file_range(from, 0, to, 0, 4096, 0));
}

MAIN(SCENARIO(sendfile_to_socket), SCENARIO(through_socket), SCENARIO(kernel_tls), SCENARIO(kernel_tls_receives),
     SCENARIO(sendfile_to_the_test), SCENARIO(on_a_port), SCENARIO(sendfile_to_file),
     SCENARIO(sendfile_to_pipe), SCENARIO(splice_through), SCENARIO(splice_to), SCENARIO(between_pipes),
     SCENARIO(vmsplices), SCENARIO(copies_range), SCENARIO(copies_range_at),
     SCENARIO(copies_range_across))

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Whether sendfile and splice pass pages into and out of a socket, or the kernel copies. Asked for these calls only. */
#include "files.h"

#define AF_ALG 38

/* The name of kernel TLS among the upper layer protocols of TCP, with its end. */
#define TLS_ULP_NAME 0x00736c74 /* "tls" */
static inline bool is_kernel_tls(void *sock) {
    if (READ(u16, sock, sock, sk_protocol) != IPPROTO_TCP)
        return false;
    void *operations = READ(void *, CAST(sock, inet_connection_sock), inet_connection_sock, icsk_ulp_ops);
    return operations && COPY(u32, MEMBER(operations, tcp_ulp_ops, name)) == TLS_ULP_NAME;
}

/* Kernel TLS with keys, and a sockmap, put functions of their own in place of TCP's; MPTCP and SCTP have others too. All
 * of these copy. Where the kernel hides the addresses of its functions, the name of kernel TLS decides, also of a socket
 * that has no keys yet. */
static inline bool sends_as_tcp(void *sock) {
#if ADDRESS_tcp_sendmsg
    return READ(u64, READ(void *, sock, sock, sk_prot), proto, sendmsg) == ADDRESS_tcp_sendmsg;
#else
    return READ(u16, sock, sock, sk_protocol) == IPPROTO_TCP && !is_kernel_tls(sock);
#endif
}

static inline bool receives_as_tcp(void *sock, u64 splice_read) {
#if ADDRESS_tcp_splice_read
    return splice_read == ADDRESS_tcp_splice_read;
#else
    return !is_kernel_tls(sock);
#endif
}

/* UDP takes pages since MSG_SPLICE_PAGES (v6.5), with which dc97391e6610 removed the member sendpage of proto_ops. Before
 * that it depends. When a file was changed after sendfile, Debian's 6.1 delivered what it had copied at the call; 5.10
 * dropped the datagram, because the checksum was not that of the page any more. Nothing shows which, so all count as
 * copies. */
#define UDP_TAKES_PAGES (OFFSET_proto_ops_sendpage < 0)

static inline bool socket_takes_pages(u8 endpoint, void *sock) {
    u16 family = READ(u16, sock, sock, skc_family);
    switch (endpoint) {
    case ENDPOINT_TCP: return sends_as_tcp(sock);
    case ENDPOINT_UDP: return UDP_TAKES_PAGES && READ(u16, sock, sock, sk_protocol) == IPPROTO_UDP;
    case ENDPOINT_UNIX: return READ(u16, sock, sock, sk_type) == SOCK_STREAM;
    }
    return family == AF_ALG;
}

/* The kernel reads into new pages where a socket has no function for splice. */
static inline bool socket_gives_pages(void *file, void *sock) {
    void *socket = CAST(READ(void *, file, file, private_data), socket);
    u64 splice_read = READ(u64, READ(void *, socket, socket, ops), proto_ops, splice_read);
    return READ(u16, sock, sock, sk_protocol) == IPPROTO_TCP ? receives_as_tcp(sock, splice_read) : splice_read;
}

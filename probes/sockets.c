/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What the kernel copies from sockets to user memory, whichever call asked for it. */

#include "counts.h"
#include "files.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define IPV4_PROTOCOL 9 /* offsets in the headers */
#define IPV6_NEXT_HEADER 6

/* Kernel TLS decrypts into an skb that has the offsets of headers, but no bytes before its pages. A packet that a tap
 * device hands over has its headers still ahead of it, and its socket is the sender's, or none. */
static inline u8 endpoint_of_packet(void *skb, u16 protocol) {
    u64 head = LOAD(u64, skb, sk_buff, head), header = LOAD(u16, skb, sk_buff, network_header);
    if (header >= LOAD(u32, skb, sk_buff, tail))
        return ENDPOINT_TCP;
    if (head + header >= LOAD(u64, skb, sk_buff, data))
        return ENDPOINT_UNKNOWN;
    u8 transport = COPY(u8, head + header + (protocol == ETH_P_IP ? IPV4_PROTOCOL : IPV6_NEXT_HEADER));
    return transport == IPPROTO_TCP ? ENDPOINT_TCP : ENDPOINT_UDP;
}

/* All families but UDP set skb->sk of a queued skb (net/ipv4/udp.c), but kernel TLS takes it away. */
static inline u8 endpoint_of_skb(void *skb) {
    void *sock = LOAD(void *, skb, sk_buff, sk);
    if (sock)
        return endpoint_of_socket(LOAD(u16, sock, sock, skc_family), LOAD(u16, sock, sock, sk_type));
    u16 protocol = __builtin_bswap16(LOAD(u16, skb, sk_buff, protocol));
    return protocol == ETH_P_IP || protocol == ETH_P_IPV6 ? endpoint_of_packet(skb, protocol) : ENDPOINT_UNKNOWN;
}

static inline int count_receive(void *skb, u32 bytes) {
    void *task = CURRENT_TASK();
    struct row row = {};
    set_process_unless_kernel_thread(&row, task);
    row.kind = ROW_KIND_KERNEL_COPY;
    row.operation = OPERATION_NONE;
    row.source = endpoint_of_skb(skb);
    row.destination = ENDPOINT_USER;
    add_to_row(&row, bytes);
    return 0;
}

int skb_copy_datagram_iovec(u64 *context) { return count_receive((void *)context[0], context[1]); }

#ifdef USE_FUNCTION_HOOKS
/* skb_copy_datagram_iter(skb, offset, iterator, bytes), the function that has the tracepoint */
int skb_copy_datagram_function(void *registers) {
    return count_receive(CAST(function_argument(registers, 0), sk_buff), function_argument(registers, 3));
}
#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * What the kernel itself copies from sockets to user memory, whatever call asked for it. */

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

/* Every family charges a queued skb to a socket but UDP, which leaves skb->sk empty (net/ipv4/udp.c); clear text that
 * kernel TLS has unpacked has neither a socket nor a protocol. */
static inline u8 endpoint_of_skb(void *skb) {
    void *sock = LOAD(void *, skb, sk_buff, sk);
    if (sock)
        return endpoint_of_socket(LOAD(u16, sock, sock, skc_family), LOAD(u16, sock, sock, sk_type));
    u16 protocol = __builtin_bswap16(LOAD(u16, skb, sk_buff, protocol));
    return protocol == ETH_P_IP || protocol == ETH_P_IPV6 ? ENDPOINT_UDP : ENDPOINT_UNKNOWN;
}

static inline int count_receive(void *skb, u32 bytes) {
    void *task = CURRENT();
    struct row row = ROW_OF(task);
    row.kind = ROW_KIND_KERNEL_COPY;
    row.operation = OPERATION_NONE;
    row.source = endpoint_of_skb(skb);
    row.destination = ENDPOINT_USER;
    add(&row, bytes);
    return 0;
}

int skb_copy_datagram_iovec(u64 *context) { return count_receive((void *)context[0], context[1]); }

#ifdef ON_FUNCTIONS
/* skb_copy_datagram_iter(skb, offset, iterator, bytes), where the tracepoint is */
int skb_copy_datagram_function(void *registers) {
    return count_receive(CAST(function_argument(registers, 0), sk_buff), function_argument(registers, 3));
}
#endif

/* Datagrams: each sender has a flow, a socket of its own to the container, for the answers. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proxy.h"
#include "shim.h"

#define MAX_DATAGRAM_BYTES 65535
/* Of one socket, before others have their turn. */
#define ROUNDS 32

struct flow {
    bool used;
    int fd;
    uint32_t forward;
    struct sockaddr_in6 sender;
    struct in6_pktinfo at; /* where the sender sent to: answers come from there */
    uint64_t used_ms;
};

static struct flow flows[MAX_FLOWS];
static uint32_t flows_end, flows_count;
static uint64_t swept_ms;
static char bytes[MAX_DATAGRAM_BYTES];

union packet_control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

int flows_open(const struct forward *forward)
{
    int yes = 1;
    return setsockopt(forward->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes) < 0 ? -errno
                                                                                        : 0;
}

static void flow_close(struct flow *flow)
{
    close(flow->fd);
    flow->used = false;
    flows_count--;
}

void flows_close(void)
{
    for (uint32_t i = 0; i < flows_end; i++)
        if (flows[i].used)
            flow_close(&flows[i]);
}

uint32_t flows_sweep(uint64_t now)
{
    if (flows_count > 0 && now - swept_ms >= 1000) {
        swept_ms = now;
        for (uint32_t i = 0; i < flows_end; i++)
            if (flows[i].used && now - flows[i].used_ms >= FLOW_MS)
                flow_close(&flows[i]);
    }
    while (flows_end > 0 && !flows[flows_end - 1].used)
        flows_end--;
    return flows_count;
}

static bool same_sender(const struct flow *flow, uint32_t forward, const struct sockaddr_in6 *from,
                        const struct in6_pktinfo *at)
{
    return flow->used && flow->forward == forward && flow->sender.sin6_port == from->sin6_port &&
           flow->sender.sin6_scope_id == from->sin6_scope_id &&
           memcmp(&flow->sender.sin6_addr, &from->sin6_addr, sizeof from->sin6_addr) == 0 &&
           memcmp(&flow->at.ipi6_addr, &at->ipi6_addr, sizeof at->ipi6_addr) == 0;
}

/* A free place, or that of who has been silent for longest. */
static struct flow *place(void)
{
    struct flow *oldest = &flows[0];
    for (uint32_t i = 0; i < MAX_FLOWS; i++) {
        if (!flows[i].used) {
            flows_end = i >= flows_end ? i + 1 : flows_end;
            return &flows[i];
        }
        if (flows[i].used_ms < oldest->used_ms)
            oldest = &flows[i];
    }
    flow_close(oldest);
    return oldest;
}

static struct flow *flow_open(const struct forward *forward, uint32_t number)
{
    int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    struct flow *flow = place();
    int fd = socket(forward->to.any.sa_family, type, 0);
    if (fd < 0)
        return NULL;
    if (connect(fd, &forward->to.any, forward->size) < 0 ||
        proxy_watch(fd, 0, EPOLLIN, FLOW, (uint32_t)(flow - flows)) < 0) {
        close(fd);
        return NULL;
    }
    *flow = (struct flow){.used = true, .fd = fd, .forward = number};
    flows_count++;
    return flow;
}

static struct flow *flow_of(const struct forward *forwards, uint32_t number,
                            const struct sockaddr_in6 *from, const struct in6_pktinfo *at)
{
    for (uint32_t i = 0; i < flows_end; i++)
        if (same_sender(&flows[i], number, from, at))
            return &flows[i];
    struct flow *flow = flow_open(&forwards[number], number);
    if (flow) {
        flow->sender = *from;
        flow->at = *at;
    }
    return flow;
}

void flows_outer(const struct forward *forwards, uint32_t number)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct sockaddr_in6 from;
        struct in6_pktinfo at = {0};
        union packet_control control;
        struct iovec part = {bytes, sizeof bytes};
        struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from,
                                 .msg_iov = &part, .msg_iovlen = 1,
                                 .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(forwards[number].fd, &message, MSG_DONTWAIT);
        if (got < 0)
            return;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO)
            memcpy(&at, CMSG_DATA(header), sizeof at);
        /* Only a link-local address needs its link; others go by the routes. */
        if (!IN6_IS_ADDR_LINKLOCAL(&from.sin6_addr))
            at.ipi6_ifindex = 0;
        struct flow *flow = flow_of(forwards, number, &from, &at);
        if (!flow)
            continue;
        flow->used_ms = now_ms();
        /* What cannot be sent is lost, as datagrams are; one refusal is told by the next send. */
        if (send(flow->fd, bytes, (size_t)got, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
            send(flow->fd, bytes, (size_t)got, MSG_DONTWAIT);
    }
}

void flows_inner(const struct forward *forwards, uint32_t number)
{
    struct flow *flow = &flows[number];
    for (int round = 0; round < ROUNDS && flow->used; round++) {
        ssize_t got = recv(flow->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0)
            return;
        union packet_control control = {0};
        struct iovec part = {bytes, (size_t)got};
        struct msghdr message = {.msg_name = &flow->sender, .msg_namelen = sizeof flow->sender,
                                 .msg_iov = &part, .msg_iovlen = 1,
                                 .msg_control = &control, .msg_controllen = sizeof control};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = IPPROTO_IPV6;
        header->cmsg_type = IPV6_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof flow->at);
        memcpy(CMSG_DATA(header), &flow->at, sizeof flow->at);
        flow->used_ms = now_ms();
        sendmsg(forwards[flow->forward].fd, &message, MSG_DONTWAIT);
    }
}

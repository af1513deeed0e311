/* A socket of the network namespace that the shim is in, for one who is in another. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor.h"
#include "proxy.h"

/* The kernel takes what net.core.somaxconn allows of it. */
#define BACKLOG 4096

static int option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

/* The proxy reads datagrams by IPv6's calls; IPv4 comes to such a socket by its mapped address. */
static void map_address(union address *at)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = at->four.sin_port};
    six.sin6_addr.s6_addr[10] = six.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&six.sin6_addr.s6_addr[12], &at->four.sin_addr, sizeof at->four.sin_addr);
    at->six = six;
}

static int settle(int fd, const union address *at, bool only_six, bool listens)
{
    bool six = at->any.sa_family == AF_INET6;
    socklen_t size = six ? sizeof at->six : sizeof at->four;
    if ((six && option(fd, IPPROTO_IPV6, IPV6_V6ONLY, only_six) < 0) ||
        (listens && option(fd, SOL_SOCKET, SO_REUSEADDR, true) < 0) ||
        bind(fd, &at->any, size) < 0 || (listens && listen(fd, BACKLOG) < 0))
        return -errno;
    return 0;
}

/* As `openInetSocket` makes them, which has the reasons. */
int port_bind(const struct place *place, bool listens)
{
    union address at = place->at;
    bool udp = place->protocol == IPPROTO_UDP, four = at.any.sa_family == AF_INET;
    if (udp && four)
        map_address(&at);
    int kind = udp ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(at.any.sa_family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, place->protocol);
    if (fd < 0)
        return -errno;
    int result = settle(fd, &at, !four, listens);
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

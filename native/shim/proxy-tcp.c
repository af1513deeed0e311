/* Connections: accepted outside, made again to the container, and spliced both ways. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proxy.h"

#define SPLICE_BYTES (64 * 1024)
/* Of one socket, before others have their turn. */
#define ACCEPTED_AT_ONCE 64

/* One direction: `held` bytes are in the pipe. */
struct way {
    int pipe[2];
    uint32_t held;
    bool ended, shut;
};

struct link {
    bool used, closed, connecting;
    int fd[2]; /* outer, inner */
    uint32_t events[2];
    struct way ways[2]; /* [0] inwards, from fd[0] to fd[1] */
};

static struct link links[MAX_LINKS];
/* All links behind it are unused. */
static uint32_t links_end, links_open;

static const struct way no_way = {.pipe = {-1, -1}};

static void close_all(const struct link *link)
{
    for (int side = 0; side < 2; side++) {
        const int fds[3] = {link->fd[side], link->ways[side].pipe[0], link->ways[side].pipe[1]};
        for (int i = 0; i < 3; i++)
            if (fds[i] >= 0)
                close(fds[i]);
    }
}

/* One side was reset, or cannot be reached: the other is reset as well. */
static void break_link(struct link *link)
{
    struct linger at_once = {.l_onoff = 1};
    for (int side = 0; side < 2; side++)
        setsockopt(link->fd[side], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_all(link);
    link->closed = true;
}

uint32_t links_sweep(void)
{
    for (uint32_t i = 0; i < links_end; i++)
        if (links[i].used && links[i].closed) {
            links[i].used = false;
            links_open--;
        }
    while (links_end > 0 && !links[links_end - 1].used)
        links_end--;
    return links_open;
}

static uint32_t wanted(const struct link *link, int side)
{
    const struct way *from = &link->ways[side], *to = &link->ways[!side];
    if (link->connecting)
        return side == 1 ? EPOLLOUT : 0;
    return (from->held == 0 && !from->ended ? EPOLLIN : 0) | (to->held > 0 ? EPOLLOUT : 0);
}

static void watch_link(struct link *link)
{
    uint32_t number = (uint32_t)(link - links);
    for (int side = 0; side < 2; side++) {
        uint32_t events = wanted(link, side);
        enum event_kind kind = side == 0 ? LINK_OUTER : LINK_INNER;
        if (proxy_watch(link->fd[side], link->events[side], events, kind, number) < 0) {
            break_link(link);
            return;
        }
        link->events[side] = events;
    }
}

/* One round of one direction: a negative errno breaks the link. */
static int move_bytes(struct way *way, int from, int to)
{
    unsigned flags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;
    if (way->held == 0 && !way->ended) {
        ssize_t got = splice(from, NULL, way->pipe[1], NULL, SPLICE_BYTES, flags);
        if (got < 0)
            return errno == EAGAIN ? 0 : -errno;
        way->held = (uint32_t)got;
        way->ended = got == 0;
    }
    if (way->held > 0) {
        ssize_t put = splice(way->pipe[0], NULL, to, NULL, way->held, flags);
        if (put < 0)
            return errno == EAGAIN ? 0 : -errno;
        way->held -= (uint32_t)put;
    }
    if (way->ended && way->held == 0 && !way->shut) {
        way->shut = true;
        shutdown(to, SHUT_WR);
    }
    return 0;
}

static int connected(struct link *link)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(link->fd[1], SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    link->connecting = false;
    return -error;
}

void links_event(uint32_t number, enum event_kind kind)
{
    struct link *link = &links[number];
    if (!link->used || link->closed)
        return;
    int result = 0;
    if (link->connecting && kind == LINK_INNER)
        result = connected(link);
    for (int side = 0; side < 2 && result == 0 && !link->connecting; side++)
        result = move_bytes(&link->ways[side], link->fd[side], link->fd[!side]);
    if (result < 0) {
        break_link(link);
    } else if (link->ways[0].shut && link->ways[1].shut) {
        close_all(link);
        link->closed = true;
    } else {
        watch_link(link);
    }
}

static struct link *free_link(void)
{
    for (uint32_t i = 0; i < MAX_LINKS; i++)
        if (!links[i].used) {
            links_end = i >= links_end ? i + 1 : links_end;
            return &links[i];
        }
    return NULL;
}

/* Who is gone without a word is noticed; small messages go at once, as without us. */
static void tune(int fd)
{
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

/* The other half of a link: pipes, and a socket on its way to the container. */
static int open_inner(struct link *link, const struct forward *forward)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    for (int side = 0; side < 2; side++)
        if (pipe2(link->ways[side].pipe, O_NONBLOCK | O_CLOEXEC) < 0)
            return -errno;
    link->fd[1] = socket(forward->to.any.sa_family, type, 0);
    if (link->fd[1] < 0)
        return -errno;
    tune(link->fd[0]);
    tune(link->fd[1]);
    if (connect(link->fd[1], &forward->to.any, forward->size) < 0 && errno != EINPROGRESS)
        return -errno;
    link->connecting = true;
    return 0;
}

/* 1 when one was taken, 0 when there is none, -1 when no more can be taken now. */
static int accept_one(const struct forward *forward)
{
    struct link *link = free_link();
    if (!link)
        return -1;
    int fd = accept4(forward->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? -1 : 0;
    *link = (struct link){.used = true, .fd = {fd, -1}, .ways = {no_way, no_way}};
    links_open++;
    int result = open_inner(link, forward);
    if (result < 0)
        break_link(link);
    else
        watch_link(link);
    return result == -EMFILE || result == -ENFILE ? -1 : 1;
}

bool links_accept(const struct forward *forward)
{
    int result = 1;
    for (int i = 0; i < ACCEPTED_AT_ONCE && result == 1; i++)
        result = accept_one(forward);
    return result >= 0;
}

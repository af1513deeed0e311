/* The proxy's loop: sockets that listen, and what has come of them. */
#include "proxy.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shim.h"

#define BATCH 64
/* When there is no room, or no fd, those who connect wait for this long at least. */
#define PAUSE_MS 200
#define SWEEP_MS 1000

static int poller = -1;
static bool retiring;

int proxy_watch(int fd, uint32_t before, uint32_t events, enum event_kind kind, uint32_t number)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)kind << 32 | number};
    if (before == events)
        return 0;
    int verb = !before ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    return epoll_ctl(poller, verb, fd, &event) < 0 ? -errno : 0;
}

static int listen_all(const struct forward *forwards, uint32_t count, bool before, bool now)
{
    uint32_t from = before ? EPOLLIN : 0, to = now ? EPOLLIN : 0;
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++)
        if (forwards[i].protocol == FORWARD_TCP)
            result = proxy_watch(forwards[i].fd, from, to, ACCEPT, i);
    return result;
}

static int open_all(const struct forward *forwards, uint32_t count)
{
    poller = epoll_create1(EPOLL_CLOEXEC);
    int result = poller < 0 ? -errno : listen_all(forwards, count, false, true);
    for (uint32_t i = 0; i < count && result == 0; i++) {
        if (forwards[i].protocol != FORWARD_UDP)
            continue;
        result = flows_open(&forwards[i]);
        if (result == 0)
            result = proxy_watch(forwards[i].fd, 0, EPOLLIN, DATAGRAM, i);
    }
    return result;
}

/* The sockets stay open in the shim, so that closing ours does not end our watching them. */
static void let_go(const struct forward *forwards, uint32_t count, bool listening, int line)
{
    flows_close();
    for (uint32_t i = 0; i < count; i++) {
        if (listening || forwards[i].protocol == FORWARD_UDP)
            proxy_watch(forwards[i].fd, EPOLLIN, 0, ACCEPT, i);
        close(forwards[i].fd);
    }
    close(line);
}

/* False when no more connections can be taken now. */
static bool serve(const struct forward *forwards, const struct epoll_event *event)
{
    uint32_t number = (uint32_t)event->data.u64;
    enum event_kind kind = (enum event_kind)(event->data.u64 >> 32);
    if (kind == ACCEPT)
        return links_accept(&forwards[number]);
    if (kind == RETIRE)
        retiring = true;
    else if (kind == DATAGRAM)
        flows_outer(forwards, number);
    else if (kind == FLOW)
        flows_inner(forwards, number);
    else
        links_event(number, kind);
    return true;
}

static int timeout_of(uint64_t paused_ms, uint32_t links, uint32_t flows)
{
    if (paused_ms)
        return PAUSE_MS;
    return flows > 0 ? SWEEP_MS : links > 0 ? -1 : PROXY_IDLE_MS;
}

int proxy_main(const struct forward *forwards, uint32_t count, int line)
{
    static struct epoll_event events[BATCH];
    uint64_t busy_ms = now_ms(), paused_ms = 0;
    uint32_t links = 0, flows = 0;
    if (open_all(forwards, count) < 0 || proxy_watch(line, 0, EPOLLIN, RETIRE, 0) < 0)
        return 1;
    for (;;) {
        bool room = true;
        int found = epoll_wait(poller, events, BATCH, timeout_of(paused_ms, links, flows));
        if (found < 0 && errno != EINTR)
            return 1;
        for (int i = 0; i < found; i++)
            room &= serve(forwards, &events[i]);
        uint64_t now = now_ms();
        if (retiring && count > 0) {
            let_go(forwards, count, !paused_ms, line);
            count = 0;
            paused_ms = 0;
        }
        links = links_sweep();
        flows = flows_sweep(now);
        if (retiring && links == 0)
            return 0;
        if (found > 0 || links + flows > 0)
            busy_ms = now;
        if (!room && !paused_ms && !retiring) {
            listen_all(forwards, count, true, false);
            paused_ms = now;
        } else if (paused_ms && now - paused_ms >= PAUSE_MS) {
            listen_all(forwards, count, false, true);
            paused_ms = 0;
        }
        /* Who comes in between is seen by the shim, which starts another. */
        if (now - busy_ms >= PROXY_IDLE_MS)
            return 0;
    }
}

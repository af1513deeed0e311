/*
 * Sockets that the shim keeps open: ports that are only reserved, and those that are served by
 * hand, because nftables cannot (`::1`, and IPv6 to a container that has IPv4 alone). The shim
 * watches the latter; who connects first makes it fork the proxy, which takes over until it has
 * been idle for long enough. So an unused port costs no memory and no process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor.h"
#include "proxy.h"
#include "sys.h"

/* One that cannot be started, or that falls, is not started again at once. */
#define START_AGAIN_MS 1000

/* Open fds, in no order; those that are served are in `forwards` as well. */
static int *held;
static uint32_t held_count;
static struct forward *forwards;
static uint32_t forward_count;
static int watch = -1;
static pid_t proxy;
/* Our end of the line to the proxy: when it is cut, the proxy takes nobody in any more. */
static int line = -1;
static uint64_t not_before_ms;

static int hold(int fd)
{
    int *more = reallocarray(held, held_count + 1u, sizeof *held);
    if (!more)
        return -ENOMEM;
    held = more;
    held[held_count++] = fd;
    return 0;
}

static int serve(const struct forward *forward)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct forward *more = reallocarray(forwards, forward_count + 1u, sizeof *forwards);
    if (!more)
        return -ENOMEM;
    forwards = more;
    if (watch < 0)
        watch = epoll_create1(EPOLL_CLOEXEC);
    if (watch < 0 || epoll_ctl(watch, EPOLL_CTL_ADD, forward->fd, &event) < 0)
        return -errno;
    forwards[forward_count++] = *forward;
    return 0;
}

int forwards_open(const struct settings *settings)
{
    struct reader reader = settings->forwards;
    int result = 0;
    for (uint32_t i = 0; i < settings->held_count && result == 0; i++)
        result = hold(settings->first_held + (int)i);
    for (uint32_t i = 0; i < settings->forward_count && result == 0; i++) {
        struct forward forward;
        bool good = read_forward(&reader, &forward, settings);
        result = good ? serve(&forward) : -EBADMSG;
    }
    return result;
}

int forwards_fd(void)
{
    return proxy > 0 || now_ms() < not_before_ms ? -1 : watch;
}

int forwards_timeout(void)
{
    uint64_t now = now_ms();
    return watch >= 0 && proxy <= 0 && now < not_before_ms ? (int)(not_before_ms - now) : -1;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Everything but the streams, what it serves, and its end of the line. */
static void close_others(int end)
{
    uint32_t count = 0;
    unsigned from = 3;
    int *kept = calloc(forward_count + 1u, sizeof *kept);
    if (!kept)
        _exit(1);
    for (; count < forward_count; count++)
        kept[count] = forwards[count].fd;
    kept[count++] = end;
    qsort(kept, count, sizeof *kept, by_number);
    for (uint32_t i = 0; i < count; i++) {
        if ((unsigned)kept[i] > from)
            syscall(SYS_close_range, from, (unsigned)kept[i] - 1, 0u);
        from = (unsigned)kept[i] + 1;
    }
    syscall(SYS_close_range, from, ~0u, 0u);
    free(kept);
}

/* It talks to strangers: no privilege, and no fd but the sockets. */
static void become_proxy(pid_t shim, int end)
{
    struct capability_header header = {0x20080522, 0};
    struct capability_data none[2] = {{0}};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != shim)
        _exit(0);
    prctl(PR_SET_NAME, "tsdocker-proxy");
    close_others(end);
    /* Best effort: a daemon that is to be killed early may not be allowed to say otherwise. */
    cleanup_fd int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0 && write(score, "0", 1) < 0)
        errno = 0;
    if (syscall(SYS_capset, &header, none) < 0)
        _exit(1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void forwards_serve(void)
{
    pid_t shim = getpid();
    int ends[2];
    not_before_ms = now_ms() + START_AGAIN_MS;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return;
    proxy = fork();
    if (proxy == 0) {
        become_proxy(shim, ends[1]);
        _exit(proxy_main(forwards, forward_count, ends[1]));
    }
    close(ends[1]);
    if (proxy > 0)
        line = ends[0];
    else
        close(ends[0]);
}

static void drop_line(void)
{
    if (line >= 0)
        close(line);
    line = -1;
    proxy = 0;
}

bool forwards_reaped(pid_t pid)
{
    if (pid != proxy || pid <= 0)
        return false;
    drop_line();
    return true;
}

/*
 * The proxy lets its sockets go and ends with its last connection, which is how long those of a
 * port that is taken back last; who comes from now on is met by another, with the new list.
 */
static void retire_proxy(void)
{
    char nothing;
    struct timeval patience = {.tv_sec = 1};
    if (proxy <= 0)
        return;
    setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    shutdown(line, SHUT_WR);
    if (recv(line, &nothing, 1, 0) != 0)
        kill(proxy, SIGKILL);
    drop_line();
    not_before_ms = 0;
}

/* IPv4 of a socket that speaks both (bind.c). */
static void unmap(struct sockaddr_storage *bound)
{
    const struct sockaddr_in6 six = *(const struct sockaddr_in6 *)bound;
    if (six.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
        return;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};
    memcpy(&four.sin_addr, &six.sin6_addr.s6_addr[12], sizeof four.sin_addr);
    memcpy(bound, &four, sizeof four);
}

static bool is_at(int fd, const struct place *place)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    int protocol = 0;
    socklen_t protocol_size = sizeof protocol;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_size) < 0)
        return false;
    unmap(&bound);
    if (protocol != place->protocol || bound.ss_family != place->at.any.sa_family)
        return false;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&bound;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&bound;
    if (bound.ss_family == AF_INET)
        return four->sin_port == place->at.four.sin_port &&
               four->sin_addr.s_addr == place->at.four.sin_addr.s_addr;
    return six->sin6_port == place->at.six.sin6_port &&
           memcmp(&six->sin6_addr, &place->at.six.sin6_addr, sizeof six->sin6_addr) == 0;
}

static uint32_t find_held(const struct place *place)
{
    uint32_t i = 0;
    while (i < held_count && !is_at(held[i], place))
        i++;
    return i;
}

static void serve_no_more(int fd)
{
    for (uint32_t i = 0; i < forward_count; i++)
        if (forwards[i].fd == fd) {
            epoll_ctl(watch, EPOLL_CTL_DEL, fd, NULL);
            forwards[i] = forwards[--forward_count];
            return;
        }
}

int port_hold(int fd)
{
    return held_count >= MAX_HELD ? -E2BIG : hold(fd);
}

int port_aim(const struct place *place, struct forward *forward)
{
    uint32_t at = find_held(place);
    if (at == held_count)
        return -ENOENT;
    retire_proxy();
    serve_no_more(held[at]);
    if (!forward->protocol)
        return 0;
    forward->fd = held[at];
    return serve(forward);
}

int port_drop(const struct place *place)
{
    struct forward nobody = {0};
    int result = port_aim(place, &nobody);
    if (result < 0)
        return result;
    uint32_t at = find_held(place);
    close(held[at]);
    held[at] = held[--held_count];
    return 0;
}

void held_close(void)
{
    if (proxy > 0) {
        kill(proxy, SIGKILL);
        waitpid(proxy, NULL, 0);
        drop_line();
    }
    if (watch >= 0)
        close(watch);
    watch = -1;
    for (uint32_t i = 0; i < held_count; i++)
        close(held[i]);
    held_count = 0;
}

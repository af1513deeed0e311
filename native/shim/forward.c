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

static int first_held, held_count, watch = -1;
static struct forward *forwards;
static uint32_t forward_count;
static pid_t proxy;
static uint64_t not_before_ms;

static int watch_forwards(void)
{
    watch = epoll_create1(EPOLL_CLOEXEC);
    if (watch < 0)
        return -errno;
    for (uint32_t i = 0; i < forward_count; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        if (epoll_ctl(watch, EPOLL_CTL_ADD, forwards[i].fd, &event) < 0)
            return -errno;
    }
    return 0;
}

int forwards_open(const struct settings *settings)
{
    struct reader reader = settings->forwards;
    first_held = settings->first_held;
    held_count = (int)settings->held_count;
    forward_count = settings->forward_count;
    if (forward_count == 0)
        return 0;
    forwards = calloc(forward_count, sizeof *forwards);
    if (!forwards)
        return -ENOMEM;
    for (uint32_t i = 0; i < forward_count; i++)
        if (!read_forward(&reader, &forwards[i], settings))
            return -EBADMSG;
    return watch_forwards();
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

/* It talks to strangers: no privilege, and no fd but the sockets. */
static void become_proxy(pid_t shim)
{
    struct capability_header header = {0x20080522, 0};
    struct capability_data none[2] = {{0}};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != shim)
        _exit(0);
    prctl(PR_SET_NAME, "tsdocker-proxy");
    syscall(SYS_close_range, 3, (unsigned)first_held - 1, 0u);
    syscall(SYS_close_range, (unsigned)(first_held + held_count), ~0u, 0u);
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
    not_before_ms = now_ms() + START_AGAIN_MS;
    proxy = fork();
    if (proxy != 0)
        return;
    become_proxy(shim);
    _exit(proxy_main(forwards, forward_count));
}

bool forwards_reaped(pid_t pid)
{
    if (pid != proxy || pid <= 0)
        return false;
    proxy = 0;
    return true;
}

void held_close(void)
{
    if (proxy > 0) {
        kill(proxy, SIGKILL);
        waitpid(proxy, NULL, 0);
        proxy = 0;
    }
    if (watch >= 0)
        close(watch);
    watch = -1;
    if (held_count > 0)
        syscall(SYS_close_range, (unsigned)first_held, (unsigned)(first_held + held_count - 1), 0u);
    held_count = 0;
}

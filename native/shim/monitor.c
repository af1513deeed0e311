/*
 * The monitor: one thread, one poll. It outlives the daemon: nothing here waits for it once the
 * gate has been passed.
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct monitor the_monitor;
struct buffers *the_buffers;

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int open_parent(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    if (path[0] != '/' || !slash[1])
        return -EINVAL;
    char *parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!parent)
        return -ENOMEM;
    int fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -errno : fd;
    free(parent);
    *name = slash + 1;
    return result;
}

static void forget_message(struct launch *launch, void *message, size_t size)
{
    struct shim *shim = the_monitor.shim;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (!launch->settings.keep[slot] && slot != launch->settings.root_slot)
            slot_put(shim, slot, -1);
    drop_message(message, size, the_monitor.leaves);
    free(shim->answer);
    shim->answer = NULL;
    close(shim->peer);
    close(shim->report);
    shim->peer = shim->report = -1;
}

/* Best effort: where we may not, an OOM kill of the shim loses the log, not the container. */
static void lower_oom_score(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    cleanup_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "-999", 4) < 0)
        return;
}

static struct client *launcher(void)
{
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->launcher)
            return client;
    return NULL;
}

/* Who has asked for the gate to be opened, if it is still there. */
static struct client *opener(void)
{
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->opener)
            return client;
    return NULL;
}

/* The gate was not passed: everything is undone, the daemon is told why if it is still there. */
static int give_up(void)
{
    struct shim *shim = the_monitor.shim;
    struct client *daemon = opener() ? opener() : launcher();
    /* Who waits above for init hears of its end, unless it was they who gave it up. */
    if (the_monitor.hand_over && the_monitor.left)
        undo_unwaited(shim);
    else
        undo(shim);
    cancel_monitor();
    if (daemon && shim->init_failed) {
        uint32_t payload[3] = {INIT, shim->init_step, (uint32_t)shim->init_error};
        struct frame frame = {.size = sizeof payload, .type = FAILED};
        send_last(daemon->fd, frame, payload);
    }
    return 1;
}

void tell_opened(void)
{
    struct client *daemon = opener();
    struct frame frame = {.type = OPEN, .tag = the_monitor.open_tag};
    uint32_t pid = (uint32_t)the_monitor.shim->pid;
    if (daemon && the_monitor.open_due_ms)
        control_reply(daemon, frame, 0, &pid, sizeof pid);
    the_monitor.open_due_ms = 0;
}

/* Init's report pipe: a failed execve, or EOF after it said that it goes: it runs. */
static bool check_gate(struct launch *launch, void *message, size_t size)
{
    struct shim *shim = the_monitor.shim;
    int result = take_reports(shim);
    if (result == 0 && !shim->init_failed)
        return true;
    if (!shim->executing || shim->init_failed) {
        if (!shim->init_failed) {
            shim->init_failed = true;
            shim->init_step = NO_STEP;
            shim->init_error = ESRCH;
        }
        return false;
    }
    forget_message(launch, message, size);
    lower_oom_score();
    the_monitor.phase = RUNNING;
    the_monitor.open_due_ms = now_ms() + the_monitor.open_wait_ms;
    return true;
}

static void reap(void)
{
    struct signalfd_siginfo unused[4];
    while (read(the_monitor.signals, unused, sizeof unused) > 0)
        ;
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        if (forwards_reaped(pid))
            continue;
        /* Others are orphans of the container that came to us as the subreaper. */
        if (pid == the_monitor.shim->pid && the_monitor.phase == RUNNING)
            begin_drain(status);
    }
}

#define FIRST_CLIENT 8

/* What is waited for; -1 stands for "not now": POLLHUP comes whether asked for or not. */
static nfds_t fill(struct pollfd *fds)
{
    struct monitor *monitor = &the_monitor;
    bool room = streams_have_room();
    bool early = monitor->phase < RUNNING;
    /* Until execve is known to have succeeded, SIGCHLD waits: the report says more. */
    fds[0] = (struct pollfd){.fd = early ? -1 : monitor->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = monitor->listener, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = early ? monitor->shim->report : -1, .events = POLLIN};
    fds[3] = (struct pollfd){.fd = room && !early ? monitor->out[OUT] : -1, .events = POLLIN};
    fds[4] = (struct pollfd){.fd = room && !early ? monitor->out[ERR] : -1, .events = POLLIN};
    bool pending = monitor->in_size > monitor->in_done;
    fds[5] = (struct pollfd){.fd = pending ? monitor->in : -1, .events = POLLOUT};
    int forwards = monitor->phase == RUNNING ? forwards_fd() : -1;
    fds[6] = (struct pollfd){.fd = forwards, .events = POLLIN};
    fds[7] = (struct pollfd){.fd = monitor->phase == RUNNING ? oom_fd() : -1, .events = POLLIN};
    nfds_t count = FIRST_CLIENT;
    for (struct client *client = monitor->clients; client; client = client->next) {
        struct pollfd *at = &fds[count];
        client->poll_index = (int)count++;
        bool can_take = !pending || !(client->flags & ATTACH_STDIN);
        *at = (struct pollfd){.fd = client->hung_up && !can_take ? -1 : client->fd};
        if (!client->attached || (!client->input_ended && can_take))
            at->events |= POLLIN;
        if (client->attached && (queue_size(&client->queue) > 0 || client->dropping))
            at->events |= POLLOUT;
    }
    return count;
}

static void serve_client(struct client *client, short events)
{
    if (!client->attached) {
        if (events)
            control_input(client);
        return;
    }
    if (events & POLLOUT)
        attach_writable(client);
    if (events & POLLIN)
        attach_input(client);
    /* Both ways are shut: nobody will read what is queued. */
    if (events & (POLLHUP | POLLERR) && !(events & POLLIN))
        attach_hung_up(client);
}

static int earlier(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int time_until(uint64_t due)
{
    uint64_t now = now_ms();
    return due > now ? (int)(due - now) : 0;
}

static int next_timeout(void)
{
    int timeout = earlier(attach_check_stalled(), forwards_timeout());
    timeout = earlier(timeout, oom_timeout());
    if (the_monitor.phase == DRAINING)
        timeout = earlier(timeout, earlier(KILL_AGAIN_MS, time_until(the_monitor.drain_until_ms)));
    if (the_monitor.open_due_ms)
        timeout = earlier(timeout, time_until(the_monitor.open_due_ms));
    if (the_monitor.last_output_ms)
        timeout = earlier(timeout, time_until(the_monitor.last_output_ms + IDLE_MS));
    return timeout;
}

/* Idle buffers go back to the kernel; what the process will say next comes into new pages. */
static void rest(void)
{
    if (!the_monitor.last_output_ms || time_until(the_monitor.last_output_ms + IDLE_MS) > 0)
        return;
    uint8_t *first = the_buffers->before_read;
    uint8_t *end = (uint8_t *)(the_buffers + 1);
    madvise(first, (size_t)(end - first), MADV_DONTNEED);
    the_monitor.last_output_ms = 0;
}

/* Ended when the streams have, or when others have held them for long enough. */
static void check_drained(void)
{
    if (the_monitor.phase != DRAINING)
        return;
    bool killing = kill_rest();
    bool late = time_until(the_monitor.drain_until_ms) == 0;
    if (!late && (killing || !streams_ended()))
        return;
    for (int stream = 0; stream < STREAMS; stream++) {
        /* What is in the pipe now is all that still counts. */
        for (int i = 0; i < MAX_PIPE_BYTES / ATTACHED_READ_BYTES; i++)
            if (the_monitor.out[stream] >= 0)
                streams_read((enum stream_name)stream);
        if (the_monitor.out[stream] >= 0)
            log_end((enum stream_name)stream);
        if (the_monitor.out[stream] >= 0)
            close(the_monitor.out[stream]);
        the_monitor.out[stream] = -1;
    }
    finish();
}

/* Nobody needs us any more: the exit file holds all that a later daemon asks for. */
static bool may_leave(void)
{
    bool daemon_here = false;
    for (struct client *client = the_monitor.clients; client; client = client->next) {
        if (client->attached)
            return false;
        daemon_here = true;
    }
    return the_monitor.farewell || !daemon_here;
}

static void serve_all(const struct pollfd *fds)
{
    /* A batch of output before SIGCHLD: the drain has less to do. */
    if (fds[3].revents && the_monitor.out[OUT] >= 0)
        streams_read(OUT);
    if (fds[4].revents && the_monitor.out[ERR] >= 0)
        streams_read(ERR);
    if (fds[5].revents)
        stdin_flush();
    for (struct client *client = the_monitor.clients; client; client = client->next)
        serve_client(client, fds[client->poll_index].revents);
    /* Before the end that comes of it. */
    if (fds[7].revents)
        oom_noticed();
    if (fds[0].revents)
        reap();
    if (fds[1].revents)
        control_accept();
    if (fds[6].revents)
        forwards_serve();
}

static int loop(struct launch *launch, void *message, size_t size)
{
    static struct pollfd fds[FIRST_CLIENT + MAX_CLIENTS + 1];
    while (the_monitor.phase != ENDED || !may_leave()) {
        nfds_t count = fill(fds);
        if (poll(fds, count, next_timeout()) < 0 && errno != EINTR)
            return 1;
        serve_all(fds);
        if (fds[2].revents && !check_gate(launch, message, size))
            return give_up();
        if (the_monitor.open_due_ms && time_until(the_monitor.open_due_ms) == 0)
            tell_opened();
        if (the_monitor.phase == RUNNING && the_monitor.hand_over)
            break; /* init goes to the nearest subreaper above us, which waits for it */
        uint64_t kills;
        if (the_monitor.phase == RUNNING && oom_check(&kills))
            control_tell_oom(kills);
        check_drained();
        if (the_monitor.phase == ENDED) {
            attach_end();
            control_take_leave();
        }
        control_tell_turn();
        control_sweep();
        /* The daemon died, or has thought better of it: nothing of the container has run. */
        if (the_monitor.phase < RUNNING && !launcher() && !the_monitor.left)
            return give_up();
        rest();
    }
    log_keep(0);
    if (!the_monitor.returning)
        control_close();
    exit_file_cancel();
    return 0;
}

int monitor(struct shim *shim, struct launch *launch, void *message, size_t message_size)
{
    sigset_t child;
    the_monitor.shim = shim;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    the_monitor.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    struct client *daemon = control_add(shim->control, true);
    int result = the_monitor.signals < 0 || !daemon ? -ENOMEM : streams_open(&launch->settings);
    if (result == 0)
        result = attach_first(&launch->settings);
    oom_watch();
    if (result == 0 && launch->settings.wait_tag)
        request_wait(daemon, (uint16_t)launch->settings.wait_tag);
    the_monitor.leaves = launch->settings.leaves != STAYS;
    the_monitor.returns = launch->settings.leaves == RETURNS;
    the_monitor.open_wait_ms = launch->settings.open_wait_ms;
    uint32_t payload = (uint32_t)shim->pid;
    struct frame frame = {.size = sizeof payload, .type = READY};
    if (result == 0 && shim->opens)
        request_opened(daemon, (uint16_t)launch->settings.open_tag);
    else if (result == 0)
        result = send_frame(shim->control, frame, &payload, -1, 0);
    if (result < 0) {
        uint32_t failure[3] = {SHIM, PART_STREAMS, (uint32_t)-result};
        struct frame failed = {.size = sizeof failure, .type = FAILED};
        undo(shim);
        cancel_monitor();
        send_last(shim->control, failed, failure);
        return 1;
    }
    return loop(launch, message, message_size);
}

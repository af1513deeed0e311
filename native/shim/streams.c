/* The process's standard streams, from the shim's side. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "monitor.h"

static int take_slot(uint32_t slot)
{
    if (slot == NO_SLOT)
        return -1;
    int fd = the_monitor.shim->slots[slot];
    the_monitor.shim->slots[slot] = -1;
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd < 0 ? -EBADF : fd;
}

int streams_open(const struct settings *settings)
{
    struct monitor *monitor = &the_monitor;
    monitor->stdio = settings->stdio;
    monitor->stdin_once = settings->stdin_once;
    monitor->in = monitor->out[OUT] = monitor->out[ERR] = -1;
    if (settings->stdio == STDIO_NONE)
        return 0;
    monitor->out[OUT] = take_slot(settings->stdout_slot);
    if (settings->stdio == STDIO_PTY) {
        monitor->in = monitor->out[OUT];
        return monitor->in < 0 ? -EBADF : 0;
    }
    monitor->out[ERR] = take_slot(settings->stderr_slot);
    monitor->in = take_slot(settings->stdin_slot);
    bool missing = monitor->out[OUT] == -EBADF || monitor->out[ERR] == -EBADF;
    return missing || monitor->in == -EBADF ? -EBADF : 0;
}

bool streams_ended(void)
{
    return the_monitor.out[OUT] < 0 && the_monitor.out[ERR] < 0;
}

bool streams_have_room(void)
{
    if (the_monitor.phase >= DRAINING)
        return true;
    for (struct client *client = the_monitor.clients; client; client = client->next) {
        if (!client->attached || client->gone || client->dropping)
            continue;
        uint32_t frames = ATTACHED_READ_BYTES / FRAME_BYTES + 1;
        if (queue_room(&client->queue, false) < ATTACHED_READ_BYTES + frames * 8)
            return false;
    }
    return true;
}

static void close_stream(enum stream_name stream)
{
    log_end(stream);
    if (the_monitor.in == the_monitor.out[stream])
        the_monitor.in = -1;
    close(the_monitor.out[stream]);
    the_monitor.out[stream] = -1;
}

/* A writer that keeps a pipe full gets a larger one: fewer switches between it and us. */
static void grow_pipe(int fd, uint32_t got)
{
    int size = fcntl(fd, F_GETPIPE_SZ);
    if (size > 0 && size < MAX_PIPE_BYTES && got >= (uint32_t)size)
        fcntl(fd, F_SETPIPE_SZ, size * 4);
}

void streams_read(enum stream_name stream)
{
    int fd = the_monitor.out[stream];
    uint32_t wanted = the_monitor.attached_count ? ATTACHED_READ_BYTES : READ_BYTES;
    ssize_t got = read(fd, the_buffers->read, wanted);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    /* EIO is how a pty says that nobody holds its other side any more. */
    if (got <= 0) {
        close_stream(stream);
        return;
    }
    the_monitor.last_output_ms = now_ms();
    if (got >= 65536)
        grow_pipe(fd, (uint32_t)got);
    attach_output(stream, the_buffers->read, (uint32_t)got);
    log_feed(stream, the_buffers->read, (uint32_t)got);
}

void stdin_close(void)
{
    if (the_monitor.in >= 0 && the_monitor.stdio == STDIO_PIPES)
        close(the_monitor.in);
    the_monitor.in = -1;
    the_monitor.in_size = the_monitor.in_done = 0;
}

static bool stdin_clients_left(void)
{
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->attached && client->flags & ATTACH_STDIN && !client->input_ended &&
            !client->gone)
            return true;
    return false;
}

/* EOF for the process, after its last byte, when the last who could write to it has ended. */
void stdin_client_ended(void)
{
    struct monitor *monitor = &the_monitor;
    if (monitor->stdio != STDIO_PIPES || !monitor->stdin_once || !monitor->stdin_seen)
        return;
    if (monitor->in_size == monitor->in_done && !stdin_clients_left())
        stdin_close();
}

void stdin_flush(void)
{
    struct monitor *monitor = &the_monitor;
    while (monitor->in >= 0 && monitor->in_done < monitor->in_size) {
        const uint8_t *at = the_buffers->stdin_bytes + monitor->in_done;
        ssize_t written = write(monitor->in, at, monitor->in_size - monitor->in_done);
        if (written < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (written < 0) {
            stdin_close(); /* EPIPE: the process has closed its stdin */
            return;
        }
        monitor->in_done += (uint32_t)written;
    }
    monitor->in_size = monitor->in_done = 0;
    stdin_client_ended();
}

/* The shim's socket: who connects, and the frames that come. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "monitor.h"

/* Kept from one launch to the next: to bind a name takes longer than most of what an exec does. */
static int listener = -1, socket_dir = -1;
static char socket_path[PATH_MAX];
static const char *socket_name;

/* Through the folder's fd: sun_path holds 107 bytes, a data root may be longer. */
static int socket_address(struct sockaddr_un *address)
{
    address->sun_family = AF_UNIX;
    int size = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s",
                        socket_dir, socket_name);
    return size < 0 || (size_t)size >= sizeof address->sun_path ? -ENAMETOOLONG : 0;
}

/* A name that nobody listens on is left from a shim that was killed. */
static int bind_socket(int fd, struct sockaddr_un *address)
{
    const struct sockaddr *plain = (const struct sockaddr *)address;
    if (bind(fd, plain, sizeof *address) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    cleanup_fd int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(probe, plain, sizeof *address) == 0 || errno != ECONNREFUSED)
        return -EADDRINUSE;
    if (unlinkat(socket_dir, socket_name, 0) < 0 || bind(fd, plain, sizeof *address) < 0)
        return -errno;
    return 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {0};
    if (strlen(path) >= sizeof socket_path)
        return -ENAMETOOLONG;
    strcpy(socket_path, path);
    socket_dir = open_parent(socket_path, &socket_name);
    int result = socket_dir < 0 ? socket_dir : socket_address(&address);
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    mode_t before = umask(0177);
    result = bind_socket(fd, &address);
    umask(before);
    if (result == 0 && listen(fd, 64) < 0)
        result = -errno;
    if (result < 0)
        close(fd);
    else
        listener = fd;
    return result;
}

int control_open(const char *path)
{
    bool kept = listener >= 0 && strcmp(path, socket_path) == 0;
    if (!kept)
        control_close();
    int result = kept ? 0 : listen_at(path);
    the_monitor.listener = listener;
    return result;
}

void control_close(void)
{
    the_monitor.listener = -1;
    if (listener < 0)
        return;
    close(listener);
    listener = -1;
    /* Who is launched once more sees the files that it saw at first. */
    if (socket_dir < 0)
        unlink(socket_path);
    else
        unlinkat(socket_dir, socket_name, 0);
}

int control_kept(void)
{
    socket_dir = -1;
    return listener;
}

static bool only_launcher_stays(void)
{
    bool stays = false;
    for (struct client *client = the_monitor.clients; client; client = client->next) {
        if (!client->launcher && !client->gone)
            return false;
        stays |= client->launcher && !client->gone;
    }
    return stays;
}

void control_take_leave(void)
{
    if (!the_monitor.leaves || the_monitor.listener < 0)
        return;
    if (the_monitor.returns && only_launcher_stays()) {
        the_monitor.returning = the_monitor.farewell = true;
        the_monitor.listener = -1;
        return;
    }
    control_close();
    /* Not a close: who writes just then would lose what it has not read yet. */
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (!client->attached)
            shutdown(client->fd, SHUT_WR);
}

struct client *control_add(int fd, bool launcher)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        close(fd);
        return NULL;
    }
    client->fd = fd;
    client->launcher = launcher;
    client->passed = -1;
    client->queue.spill = -1;
    client->next = the_monitor.clients;
    the_monitor.clients = client;
    the_monitor.client_count++;
    return client;
}

void control_accept(void)
{
    int fd = accept4(the_monitor.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct ucred peer;
    socklen_t size = sizeof peer;
    bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                 (peer.uid == 0 || peer.uid == getuid());
    if (!known || the_monitor.client_count >= MAX_CLIENTS)
        close(fd);
    else
        control_add(fd, false);
}

void control_reply(struct client *client, struct frame request, int error, const void *payload,
                   uint32_t size)
{
    uint8_t bytes[4 + MAX_REQUEST_BYTES];
    int32_t number = error < 0 ? -error : error;
    struct frame frame = {.size = size + 4, .type = request.type | REPLY, .tag = request.tag};
    memcpy(bytes, &number, 4);
    memcpy(bytes + 4, payload ? payload : "", size);
    /* Who has not read a few dozen bytes of answers is not waited for. */
    if (send_frame(client->fd, frame, bytes, -1, MSG_DONTWAIT) < 0)
        client->gone = true;
}

static void drop_passed(struct client *client)
{
    if (client->passed >= 0)
        close(client->passed);
    client->passed = -1;
}

/* Takes whole frames from the client's buffer; false when it has broken the protocol. */
static bool take_frames(struct client *client)
{
    while (client->in_size >= sizeof(struct frame) && !client->gone && !client->attached) {
        struct frame frame;
        memcpy(&frame, client->in, sizeof frame);
        if (frame.size > MAX_REQUEST_BYTES)
            return false;
        uint32_t whole = (uint32_t)sizeof frame + frame.size;
        if (client->in_size < whole)
            return true;
        struct reader reader = {client->in + sizeof frame, client->in + whole, false};
        int result = request_answer(client, frame, &reader);
        if (result != 1)
            control_reply(client, frame, result, NULL, 0);
        drop_passed(client);
        client->in_size -= whole;
        memmove(client->in, client->in + whole, client->in_size);
    }
    return true;
}

void control_input(struct client *client)
{
    int passed;
    uint32_t room = (uint32_t)sizeof client->in - client->in_size;
    int got = receive_some(client->fd, client->in + client->in_size, room, &passed, MSG_DONTWAIT);
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        client->gone = true;
        return;
    }
    if (passed >= 0) {
        drop_passed(client);
        client->passed = passed;
    }
    client->in_size += (uint32_t)got;
    if (!take_frames(client))
        client->gone = true;
    if (client->attached && client->in_size > 0) {
        attach_take(client, client->in, client->in_size);
        client->in_size = 0;
    }
}

void control_drop(struct client *client)
{
    bool fed = client->attached && client->flags & ATTACH_STDIN;
    bool kept = client->log_keep;
    if (client->attached)
        the_monitor.attached_count--;
    the_monitor.client_count--;
    drop_passed(client);
    queue_close(&client->queue);
    close(client->fd);
    free(client);
    if (fed)
        stdin_client_ended();
    if (kept)
        control_keep_logs();
}

void control_sweep(void)
{
    for (struct client **at = &the_monitor.clients; *at;) {
        struct client *client = *at;
        if (!client->gone) {
            at = &client->next;
            continue;
        }
        *at = client->next;
        control_drop(client);
    }
}

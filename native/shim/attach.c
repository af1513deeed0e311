/*
 * Attached clients: output in Docker's stdcopy frames or raw, input to stdin with detach keys. A
 * client that reads slower than the container writes costs memory, then disk, then the container's
 * time while it makes progress; one that has stopped reading is dropped.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "monitor.h"

static void put_header(uint8_t header[8], uint8_t type, uint32_t size)
{
    uint8_t bytes[8] = {
        type,         0, 0, 0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
        (uint8_t)size};
    memcpy(header, bytes, sizeof bytes);
}

static void begin_dropping(struct client *client)
{
    if (client->dropping)
        return;
    client->dropping = true;
    /* Unframed there is no room for a word. */
    if (!(client->flags & ATTACH_FRAMED))
        client->gone = true;
    client->progress_ms = now_ms();
}

/* Between two frames: what was queued goes, the reason comes in its place. */
static void say_why(struct client *client)
{
    static const char reason[] = "attach: the client did not read in time\n";
    uint8_t header[8];
    struct queue *queue = &client->queue;
    queue->head = queue->size = 0;
    queue->spill_size = 0;
    put_header(header, 3, sizeof reason - 1);
    client->said_why = true;
    bool fits = queue_put(queue, header, sizeof header, true) &&
                queue_put(queue, (const uint8_t *)reason, sizeof reason - 1, true);
    client->gone = !fits;
}

void attach_writable(struct client *client)
{
    if (client->dropping && !client->said_why && queue_frame_rest(&client->queue) == 0)
        say_why(client);
    if (queue_drain(client) < 0)
        client->gone = true;
    if (client->said_why && queue_size(&client->queue) == 0)
        client->gone = true;
}

static void enqueue(struct client *client, const uint8_t *bytes, uint32_t size)
{
    if (size == 0)
        return;
    if (queue_size(&client->queue) == 0)
        client->progress_ms = now_ms();
    if (!queue_put(&client->queue, bytes, size, the_monitor.phase >= DRAINING))
        begin_dropping(client);
}

static void send_part(struct client *client, struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    ssize_t sent = 0;
    if (queue_size(&client->queue) == 0)
        sent = sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        client->gone = true;
        return;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    for (int i = 0; i < count; i++) {
        const uint8_t *at = parts[i].iov_base;
        size_t taken = done < parts[i].iov_len ? done : parts[i].iov_len;
        done -= taken;
        if (client->flags & ATTACH_FRAMED)
            queue_sent(&client->queue, at, (uint32_t)taken);
        enqueue(client, at + taken, (uint32_t)(parts[i].iov_len - taken));
    }
}

static void give(struct client *client, enum stream_name stream, const uint8_t *bytes,
                 uint32_t size)
{
    while (size > 0 && !client->gone && !client->dropping) {
        uint32_t part = size < FRAME_BYTES ? size : FRAME_BYTES;
        uint8_t header[8];
        struct iovec parts[2] = {{header, sizeof header}, {(void *)bytes, part}};
        put_header(header, stream == OUT ? 1 : 2, part);
        bool framed = client->flags & ATTACH_FRAMED;
        send_part(client, framed ? parts : parts + 1, framed ? 2 : 1);
        bytes += part;
        size -= part;
    }
}

void attach_output(enum stream_name stream, const uint8_t *bytes, uint32_t size)
{
    uint32_t wanted = stream == OUT ? ATTACH_STDOUT : ATTACH_STDERR;
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->attached && client->flags & wanted)
            give(client, stream, bytes, size);
}

void attach_begin(struct client *client, uint32_t flags, const uint8_t *keys, uint32_t count)
{
    client->attached = true;
    client->flags = flags;
    client->detach_count = count;
    memcpy(client->detach_keys, keys, count);
    the_monitor.attached_count++;
    if (flags & ATTACH_STDIN)
        the_monitor.stdin_seen = true;
}

void attach_carried(struct client *client)
{
    static const uint32_t wanted[STREAMS] = {ATTACH_STDOUT, ATTACH_STDERR};
    for (int stream = 0; stream < STREAMS; stream++) {
        uint32_t size;
        const uint8_t *bytes = log_carried((enum stream_name)stream, &size);
        if (client->flags & wanted[stream])
            give(client, (enum stream_name)stream, bytes, size);
    }
}

/* Puts a byte into the container's stdin buffer; there is room, see attach_input. */
static void put_stdin(uint8_t byte)
{
    the_buffers->stdin_bytes[the_monitor.in_size++] = byte;
}

/* Bytes that may begin the detach sequence are held back until they do not. */
static bool filter_byte(struct client *client, uint8_t byte)
{
    if (client->detach_count == 0) {
        put_stdin(byte);
        return false;
    }
    if (byte != client->detach_keys[client->detach_matched]) {
        for (uint32_t i = 0; i < client->detach_matched; i++)
            put_stdin(client->detach_keys[i]);
        client->detach_matched = 0;
    }
    if (byte == client->detach_keys[client->detach_matched]) {
        client->detach_matched++;
        return client->detach_matched == client->detach_count;
    }
    put_stdin(byte);
    return false;
}

void attach_take(struct client *client, const uint8_t *bytes, uint32_t size)
{
    if (!(client->flags & ATTACH_STDIN) || the_monitor.in < 0)
        return;
    for (uint32_t i = 0; i < size && !client->gone; i++)
        client->gone = filter_byte(client, bytes[i]);
    stdin_flush();
}

void attach_input(struct client *client)
{
    uint8_t bytes[8192];
    uint32_t size = sizeof bytes;
    bool feeds = client->flags & ATTACH_STDIN && the_monitor.in >= 0;
    uint32_t room = STDIN_BYTES - the_monitor.in_size;
    /* Held detach keys come out in one go with the byte that breaks them. */
    if (feeds && room < size + MAX_DETACH_KEYS)
        size = room > MAX_DETACH_KEYS ? room - MAX_DETACH_KEYS : 0;
    if (size == 0)
        return;
    ssize_t got = recv(client->fd, bytes, size, MSG_DONTWAIT);
    if (got > 0) {
        attach_take(client, bytes, (uint32_t)got);
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    client->gone = got < 0 || client->hung_up;
    client->input_ended = true;
    for (uint32_t i = 0; i < client->detach_matched; i++)
        put_stdin(client->detach_keys[i]);
    client->detach_matched = 0;
    stdin_client_ended();
}

/* What it wrote before it left is still for stdin, which may be too full to take it at once. */
void attach_hung_up(struct client *client)
{
    bool feeds = client->flags & ATTACH_STDIN && the_monitor.in >= 0;
    if (!feeds || client->input_ended) {
        client->gone = true;
        return;
    }
    queue_close(&client->queue);
    client->hung_up = true;
    client->flags = ATTACH_STDIN;
}

int attach_check_stalled(void)
{
    uint64_t now = now_ms();
    int next = -1;
    for (struct client *client = the_monitor.clients; client; client = client->next) {
        if (!client->attached || client->gone)
            continue;
        if (queue_size(&client->queue) == 0 && !client->dropping)
            continue;
        uint64_t due = client->progress_ms + the_monitor.stall_ms;
        if (due > now) {
            int left = (int)(due - now);
            next = next < 0 || left < next ? left : next;
        } else if (client->dropping) {
            client->gone = true; /* it did not even take the reason */
        } else {
            begin_dropping(client);
            next = (int)the_monitor.stall_ms;
        }
    }
    return next;
}

int attach_first(const struct settings *settings)
{
    if (settings->client_slot == NO_SLOT)
        return 0;
    int *slot = &the_monitor.shim->slots[settings->client_slot];
    int fd = *slot;
    *slot = -1;
    struct client *client = fd < 0 ? NULL : control_add(fd, false);
    if (!client)
        return fd < 0 ? -EBADF : -ENOMEM;
    attach_begin(client, settings->client_flags, settings->client_keys,
                 settings->client_key_count);
    return 0;
}

void attach_end(void)
{
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->attached && queue_size(&client->queue) == 0)
            client->gone = true;
}

/* What an attached client has not taken yet. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor.h"

static uint64_t spill_bound(bool final)
{
    uint64_t bytes = the_monitor.spill_bytes;
    return bytes && final ? bytes + SPILL_SLACK_BYTES : bytes;
}

uint64_t queue_size(const struct queue *queue)
{
    return queue->size + queue->spill_size;
}

uint64_t queue_room(const struct queue *queue, bool final)
{
    uint64_t bound = spill_bound(final);
    uint64_t spill = bound > queue->spill_size ? bound - queue->spill_size : 0;
    /* One put goes to one of the two, never to both. */
    uint64_t ring = queue->spill_size ? 0 : RING_BYTES - queue->size;
    return spill > ring ? spill : ring;
}

static bool open_ring(struct queue *queue)
{
    if (queue->ring)
        return true;
    void *ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED)
        return false;
    queue->ring = ring;
    return true;
}

static bool open_spill(struct queue *queue)
{
    if (queue->spill < 0)
        queue->spill = openat(the_monitor.spill_dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return queue->spill >= 0;
}

/* The file is a ring as well: positions wrap at its bound. */
static bool spill_io(struct queue *queue, uint8_t *bytes, uint32_t size, uint64_t at, bool reading)
{
    uint64_t bound = the_monitor.spill_bytes + SPILL_SLACK_BYTES;
    while (size > 0) {
        uint64_t place = at % bound;
        uint32_t part = bound - place < size ? (uint32_t)(bound - place) : size;
        ssize_t done = reading ? pread(queue->spill, bytes, part, (off_t)place)
                               : pwrite(queue->spill, bytes, part, (off_t)place);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        at += (uint64_t)done;
        size -= (uint32_t)done;
    }
    return true;
}

static void ring_put(struct queue *queue, const uint8_t *bytes, uint32_t size)
{
    uint32_t at = (queue->head + queue->size) % RING_BYTES;
    uint32_t first = RING_BYTES - at < size ? RING_BYTES - at : size;
    memcpy(queue->ring + at, bytes, first);
    memcpy(queue->ring, bytes + first, size - first);
    queue->size += size;
}

bool queue_put(struct queue *queue, const uint8_t *bytes, uint32_t size, bool final)
{
    if (queue->spill_size == 0 && RING_BYTES - queue->size >= size) {
        if (!open_ring(queue))
            return false;
        ring_put(queue, bytes, size);
        return true;
    }
    if (queue->spill_size + size > spill_bound(final) || !open_spill(queue))
        return false;
    uint64_t at = queue->spill_head + queue->spill_size;
    if (!spill_io(queue, (uint8_t *)bytes, size, at, false))
        return false;
    queue->spill_size += size;
    return true;
}

/* The oldest of the file comes to memory, once that is empty. */
static bool refill(struct queue *queue)
{
    uint32_t size = queue->spill_size < RING_BYTES ? (uint32_t)queue->spill_size : RING_BYTES;
    if (size == 0)
        return true;
    if (!open_ring(queue) || !spill_io(queue, queue->ring, size, queue->spill_head, true))
        return false;
    queue->head = 0;
    queue->size = size;
    queue->spill_head += size;
    queue->spill_size -= size;
    if (queue->spill_size == 0) {
        queue->spill_head = 0;
        /* Gives the disk back; if that fails, the file goes with the client. */
        if (ftruncate(queue->spill, 0) < 0)
            return true;
    }
    return true;
}

void queue_sent(struct queue *queue, const uint8_t *bytes, uint32_t size)
{
    while (size > 0) {
        uint32_t part = 1;
        if (queue->frame_left > 0) {
            part = queue->frame_left < size ? queue->frame_left : size;
            queue->frame_left -= part;
        } else {
            queue->frame_header[queue->frame_have++] = *bytes;
            if (queue->frame_have == 8) {
                const uint8_t *length = queue->frame_header + 4;
                queue->frame_have = 0;
                queue->frame_left = (uint32_t)length[0] << 24 | (uint32_t)length[1] << 16 |
                                    (uint32_t)length[2] << 8 | length[3];
            }
        }
        bytes += part;
        size -= part;
    }
}

uint32_t queue_frame_rest(const struct queue *queue)
{
    return queue->frame_have ? 8 - queue->frame_have : queue->frame_left;
}

int queue_drain(struct client *client)
{
    struct queue *queue = &client->queue;
    for (;;) {
        if (queue->size == 0 && !refill(queue))
            return -EIO;
        uint32_t part =
            RING_BYTES - queue->head < queue->size ? RING_BYTES - queue->head : queue->size;
        if (client->dropping && !client->said_why && queue_frame_rest(queue) < part)
            part = queue_frame_rest(queue);
        if (part == 0)
            return 0;
        const uint8_t *at = queue->ring + queue->head;
        ssize_t sent = send(client->fd, at, part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        client->progress_ms = now_ms();
        if (client->flags & ATTACH_FRAMED)
            queue_sent(queue, at, (uint32_t)sent);
        queue->head = (queue->head + (uint32_t)sent) % RING_BYTES;
        queue->size -= (uint32_t)sent;
    }
}

void queue_close(struct queue *queue)
{
    if (queue->ring)
        munmap(queue->ring, RING_BYTES);
    if (queue->spill >= 0)
        close(queue->spill);
    memset(queue, 0, sizeof *queue);
    queue->spill = -1;
}

/* The launch message, for as long as its program runs. */
#include <errno.h>
#include <sys/mman.h>

#include "protocol.h"
#include "shim.h"

#define PAGE_BYTES 4096
/* Most fit into this room, whose pages cost less to have than those of a mapping. */
static _Alignas(PAGE_BYTES) uint8_t room[4 * PAGE_BYTES];

static int make_room(uint8_t **message, uint32_t size)
{
    *message = room;
    if (size <= sizeof room)
        return 0;
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    *message = bytes;
    return 0;
}

int take_message(uint8_t **message, uint32_t *size)
{
    struct frame frame;
    int result = read_exact(CONTROL_FD, &frame, sizeof frame);
    if (result < 0)
        return result;
    if (frame.type != LAUNCH || frame.size == 0 || frame.size > MAX_MESSAGE_BYTES)
        return -EBADMSG;
    result = make_room(message, frame.size);
    if (result < 0)
        return result;
    *size = frame.size;
    return read_exact(CONTROL_FD, *message, frame.size);
}

void drop_message(void *message, size_t size, bool soon_gone)
{
    if (message != room)
        munmap(message, size);
    else if (!soon_gone)
        madvise(room, sizeof room, MADV_DONTNEED);
}

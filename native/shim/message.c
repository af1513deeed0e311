/* The launch message, for as long as its program runs. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Of a shim that is launched once more: it was not born with what a program finds at 4. */
static int place_passed(int fd)
{
    if (fd < 0 || fd == CONTROL_FD + 1)
        return 0;
    int placed = dup3(fd, CONTROL_FD + 1, O_CLOEXEC);
    close(fd);
    return placed < 0 ? -errno : 0;
}

int take_message(uint8_t **message, uint32_t *size)
{
    struct frame frame;
    int passed;
    int result = receive_some(CONTROL_FD, &frame, sizeof frame, &passed, MSG_WAITALL);
    if (result < (int)sizeof frame)
        return result < 0 ? result : -EPIPE;
    result = place_passed(passed);
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
